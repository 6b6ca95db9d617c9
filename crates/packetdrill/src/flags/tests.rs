use super::*;

#[test]
fn everything_can_be_said() {
    let text = "profile=rfc,ver=mapped,local=10.0.0.1,gateway=10.0.0.2,remote=192.0.2.1,mtu=1400,clock=real,\
                settings=/tmp/x,wait=7,mss=1000";
    let flags = Flags::parse(text).unwrap();
    assert_eq!((flags.profile.name, flags.clock), ("rfc", Clock::Real));
    assert_eq!((flags.settings, flags.patience), (Some("/tmp/x".into()), Duration::from_secs(7)));
    let said: Vec<_> = flags.options.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let wanted =
        ["ip_version=ipv4-mapped-ipv6", "local_ip=10.0.0.1", "remote_ip=192.0.2.1", "mtu=1400", "mss=1000"];
    assert_eq!(said, wanted);
}

#[test]
fn nothing_needs_to_be_said() {
    let flags = Flags::parse("").unwrap();
    assert_eq!((flags.profile.name, flags.clock, flags.options.len()), ("linux", Clock::Virtual, 0));
    assert!(Flags::parse("settings=none").unwrap().settings.is_none());
}

#[test]
fn slips_of_the_pen_are_told() {
    for text in ["profile=bsd", "clock", "clock=wall", "ver=5", "wait=long", "colour=red"] {
        assert!(Flags::parse(text).is_err(), "{text}");
    }
}
