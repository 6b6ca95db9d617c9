use synfin_script::ast::{Call, Expr, What};

use super::{octets, wrong};

/// Arguments of a call in a script.
fn call(text: &str) -> Call {
    let script = synfin_script::parse(&format!("0 {text}"), "t").unwrap();
    match script.events.into_iter().next().unwrap().what {
        What::Call(call) => call,
        other => panic!("{other:?}"),
    }
}

fn value(text: &str) -> Expr {
    call(&format!("setsockopt(3, SOL_SOCKET, SO_LINGER, {text}, 4) = 0")).args[3].clone()
}

#[test]
fn values_become_octets_as_the_kernel_reads_them() {
    assert_eq!(octets(&value("[7]")).unwrap(), 7_i32.to_ne_bytes());
    assert_eq!(octets(&value("[4294967295]")).unwrap(), (-1_i32).to_ne_bytes());
    let linger = [1_i32.to_ne_bytes(), 5_i32.to_ne_bytes()].concat();
    assert_eq!(octets(&value("{onoff=1, linger=5}")).unwrap(), linger);
    let time = [2_i64.to_ne_bytes(), 30_i64.to_ne_bytes()].concat();
    assert_eq!(octets(&value("{tv_sec=2, tv_usec=30}")).unwrap(), time);
    assert_eq!(octets(&value("\"reno\"")).unwrap(), b"reno");
    assert_eq!(octets(&value("[IP_PMTUDISC_DO]")).unwrap(), 2_i32.to_ne_bytes());
    assert!(octets(&value("[NO_SUCH_NAME]")).is_err());
}

#[test]
fn values_are_compared_in_the_words_of_the_script() {
    let differs = |expected: &str, len: &str, told: &[u8]| {
        let call = call(&format!("getsockopt(3, SOL_SOCKET, SO_LINGER, {expected}, {len}) = 0"));
        let found = wrong(call.args[3].single(), call.args[4].single(), told).unwrap();
        found.first().map(|w| format!("{}: {} not {}", w.what, w.actual, w.expected))
    };
    let seven = 7_i32.to_ne_bytes();
    assert_eq!(differs("[7]", "[4]", &seven), None);
    assert_eq!(differs("[8]", "[4]", &seven).as_deref(), Some("value: 7 not 8"));
    assert_eq!(differs("[7]", "[2]", &seven).as_deref(), Some("length of the value: 4 not 2"));
    assert_eq!(differs("...", "[4]", &seven), None);
    let refused = 111_i32.to_ne_bytes();
    assert_eq!(differs("[ECONNREFUSED]", "[4]", &refused), None);
    assert_eq!(
        differs("[ECONNRESET]", "[4]", &refused).as_deref(),
        Some("value: ECONNREFUSED not ECONNRESET")
    );
    assert_eq!(differs("\"reno\"", "[6]", b"reno\0\0"), None);
    assert_eq!(differs("\"reno\"", "[6]", b"cubic\0").as_deref(), Some("value: cubic not reno"));
    let linger = [1_i32.to_ne_bytes(), 5_i32.to_ne_bytes()].concat();
    assert_eq!(differs("{onoff=1, linger=5}", "[8]", &linger), None);
    assert!(differs("{onoff=1, linger=6}", "[8]", &linger).is_some());
}
