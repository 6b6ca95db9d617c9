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
