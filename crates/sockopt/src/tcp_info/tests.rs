use std::collections::BTreeMap;

use super::*;

/// Fields lie one behind the other, each at a multiple of its size, within the struct.
#[test]
fn fields_have_their_places() {
    let mut end = 0;
    for (name, at, len) in PLACES {
        assert!(at >= end && at % len == 0, "{name}");
        end = at + len;
    }
    assert_eq!(end.next_multiple_of(8), LEN);
    // What the C library declares ends before the newest fields; as far as it goes, the places are the same.
    let place = |wanted: &str| PLACES.iter().find(|(name, ..)| *name == wanted).unwrap().1;
    assert_eq!(std::mem::offset_of!(libc::tcp_info, tcpi_rto), place("tcpi_rto"));
    assert_eq!(std::mem::offset_of!(libc::tcp_info, tcpi_rtt), place("tcpi_rtt"));
    assert_eq!(std::mem::offset_of!(libc::tcp_info, tcpi_total_retrans), place("tcpi_total_retrans"));
}

#[test]
fn what_is_written_is_read() {
    let want: BTreeMap<&str, i64> = PLACES.iter().zip(1..).map(|((name, ..), n)| (*name, n)).collect();
    let info = write(|name| want.get(name).copied());
    let mut got: BTreeMap<&str, i64> = read(&info).collect();
    assert_eq!(got.remove("tcpi_snd_wscale"), Some(0));
    got.retain(|name, _| want.contains_key(name));
    assert_eq!(got, want);
    let shifts = write(|name| match name {
        "tcpi_snd_wscale" => Some(7),
        "tcpi_rcv_wscale" => Some(14),
        "tcpi_delivery_rate_app_limited" => Some(1),
        "tcpi_state" => Some(1000),
        "tcpi_rto" => Some(i64::MAX),
        "tcpi_rtt" => Some(-1),
        _ => None,
    });
    let got: BTreeMap<&str, i64> = read(&shifts).collect();
    assert_eq!(
        (got["tcpi_snd_wscale"], got["tcpi_rcv_wscale"], got["tcpi_delivery_rate_app_limited"]),
        (7, 14, 1)
    );
    assert_eq!((got["tcpi_state"], got["tcpi_rto"], got["tcpi_rtt"]), (255, i64::from(u32::MAX), 0));
}

/// An older kernel gives less.
#[test]
fn a_shorter_struct_has_fewer_numbers() {
    let info = write(|_| Some(1));
    let names = |len: usize| read(&info[..len]).map(|(name, _)| name).collect::<Vec<_>>();
    assert!(names(0).is_empty());
    assert!(names(104).contains(&"tcpi_total_retrans") && !names(103).contains(&"tcpi_total_retrans"));
}
