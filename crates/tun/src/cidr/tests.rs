use super::*;

#[test]
fn reads_what_it_writes() {
    for text in ["10.9.0.1/24", "192.0.2.7/32", "fd00::1/64", "2001:db8::5/128", "10.0.0.1/0"] {
        assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
    }
}

#[test]
fn refuses_what_no_interface_can_have() {
    for text in [
        "",
        "10.9.0.1",
        "10.9.0.1/",
        "10.9.0.1/33",
        "10.9.0/24",
        "fd00::1/129",
        "10.9.0.1/-1",
        "10.9.0.1/24/24",
        "0.0.0.0/0",
        "224.0.0.1/24",
        "ff02::1/64",
        "::/64",
        "hello/24",
    ] {
        let error = text.parse::<Cidr>().unwrap_err();
        assert!(matches!(&error, Error::BadAddress { text: said } if said == text), "{text}: {error:?}");
    }
}
