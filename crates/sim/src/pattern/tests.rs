use super::*;

#[test]
fn pieces_make_the_same_stream() {
    let mut whole = [0; 100];
    Pattern(9).fill(0, &mut whole);
    for at in 0..100 {
        for end in at..100 {
            let mut piece = [0; 100];
            let piece = &mut piece[..end - at];
            Pattern(9).fill(at as u64, piece);
            assert_eq!(*piece, whole[at..end]);
        }
    }
    assert_eq!(Pattern(9).check(0, &whole), None);
    assert_eq!(Pattern(9).check(37, &whole[37..]), None);
    assert!(Pattern(8).check(0, &whole).is_some());
}

#[test]
fn the_first_difference_is_found() {
    let mut got = [0; 50];
    Pattern(1).fill(1000, &mut got);
    got[20] ^= 1;
    got[30] ^= 1;
    assert_eq!(Pattern(1).check(1000, &got), Some(1020));
}
