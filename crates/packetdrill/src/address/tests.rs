use super::*;

fn endpoint(text: &str) -> Endpoint {
    text.parse::<std::net::SocketAddr>().unwrap().into()
}

#[test]
fn both_families_there_and_back() {
    for (v6, text, len) in
        [(false, "192.0.2.1:8080", 16), (true, "192.0.2.1:8080", 28), (true, "[fd3d:fa7b:d17d::1]:80", 28)]
    {
        let bytes = write(v6, endpoint(text));
        assert_eq!(bytes.len(), len);
        assert_eq!(read(&bytes), Given::At(endpoint(text)), "{text}");
        assert_eq!(read(&bytes[..7]), Given::Short);
    }
    // RFC 4291 2.5.5.2: ::ffff:a.b.c.d
    assert_eq!(write(true, endpoint("1.2.3.4:5"))[18..24], [0xff, 0xff, 1, 2, 3, 4]);
}

#[test]
fn other_families() {
    assert_eq!(read(&[0, 0]), Given::Unspecified);
    assert_eq!(read(&[1, 0, 47, 0]), Given::Foreign);
    assert_eq!(read(&[]), Given::Short);
}

#[test]
fn arguments_are_those_of_scripts() {
    assert_eq!(expr(None).to_string(), "{sa_family=0}");
    assert_eq!(
        expr(Some(endpoint("192.0.2.1:8080"))).to_string(),
        "{sa_family=2, sin_port=8080, sin_addr=\"192.0.2.1\"}"
    );
}
