use super::*;

fn get(target: &str, more: &str) -> Result<Request, Refused> {
    Request::parse(format!("GET {target} HTTP/1.1\r\nHost: x\r\n{more}\r\n").as_bytes())
}

#[test]
fn paths_are_resolved_once() {
    assert_eq!(get("/a%20b/%e4%bd%a0?q#f", "").unwrap().path, "/a b/你".as_bytes());
    assert_eq!(get("/%252e%252e", "").unwrap().path, b"/%2e%2e");
    assert_eq!(get("http://x:80/a", "").unwrap().path, b"/a");
    for bad in ["*", "a", "/%", "/%4", "/%zz", "x:80"] {
        assert_eq!(get(bad, ""), Err(Refused::Malformed), "{bad}");
    }
}

#[test]
fn connections_go_on_by_the_version_and_the_header() {
    let after = |head: &str| Request::parse(head.as_bytes()).unwrap().after();
    assert_eq!(after("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), After::KeepAlive);
    assert_eq!(after("GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n"), After::Close);
    assert_eq!(after("GET / HTTP/1.0\r\n\r\n"), After::Close);
    assert_eq!(after("GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n"), After::KeepAlive);
    assert_eq!(after("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"), After::Close);
}

#[test]
fn what_is_no_request_is_refused() {
    for (head, why) in [
        ("GET / HTTP/1.1\r\n\r\n", Refused::Malformed),
        ("GET /\r\n\r\n", Refused::Malformed),
        ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", Refused::Version),
        ("POST / HTTP/1.1\r\nHost: x\r\n\r\n", Refused::Method),
        ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", Refused::Malformed),
        ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", Refused::Malformed),
        ("\r\n\r\n", Refused::Malformed),
    ] {
        assert_eq!(Request::parse(head.as_bytes()), Err(why), "{head:?}");
    }
    assert_eq!(Request::parse(b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n"), Err(Refused::Malformed));
}

#[test]
fn ranges_as_in_rfc_9110_14_1_2() {
    let span = |range: &str, len| get("/", &format!("Range: {range}\r\n")).unwrap().span(len);
    let part = |first, len| Some(Ok(Span { first, len }));
    assert_eq!(span("bytes=0-499", 10_000), part(0, 500));
    assert_eq!(span("bytes=500-999", 10_000), part(500, 500));
    assert_eq!(span("bytes=-500", 10_000), part(9500, 500));
    assert_eq!(span("bytes=9500-", 10_000), part(9500, 500));
    assert_eq!(span("bytes=0-99999", 10), part(0, 10));
    assert_eq!(span("bytes=-99999", 10), part(0, 10));
    assert_eq!(span("bytes=10-", 10), Some(Err(())));
    assert_eq!(span("bytes=-0", 10), Some(Err(())));
    assert_eq!(span("bytes=0-", 0), Some(Err(())));
    for ignored in ["bytes=5-4", "bytes=0-1,3-4", "lines=1-2", "bytes=a-", "bytes=-", "bytes=+1-2"] {
        assert_eq!(span(ignored, 10), None, "{ignored}");
    }
    assert_eq!(get("/", "").unwrap().span(10), None);
}
