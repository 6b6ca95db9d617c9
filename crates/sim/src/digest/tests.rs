use super::*;

fn of(parts: &[&[u8]]) -> u64 {
    let mut digest = Digest::default();
    for part in parts {
        digest.add_bytes(part);
    }
    digest.value()
}

#[test]
fn content_order_and_boundaries_count() {
    let all = [
        of(&[]),
        of(&[b""]),
        of(&[b"ab", b"c"]),
        of(&[b"a", b"bc"]),
        of(&[b"abc"]),
        of(&[b"c", b"ab"]),
        of(&[b"abd"]),
        of(&[&[0; 8]]),
        of(&[&[0; 9]]),
        of(&[&[0; 16]]),
    ];
    for (i, a) in all.iter().enumerate() {
        assert!(all[i + 1..].iter().all(|b| a != b), "{i}");
    }
    assert_eq!(of(&[b"ab", b"c"]), of(&[b"ab", b"c"]));
}
