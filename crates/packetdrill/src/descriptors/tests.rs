use super::*;

#[test]
fn numbers_are_ours_while_they_last() {
    let backing = Backing::new().unwrap();
    let fd = backing.number() as RawFd;
    assert!(ours(fd) && !ours(-1) && !ours(1 << 20));
    drop(backing);
    assert!(!ours(fd));
}

/// Somebody closes one of ours with the kernel's close and gets the number for a file: it stays open.
#[test]
fn a_number_taken_over_is_left_alone() {
    let backing = Backing::new().unwrap();
    let fd = backing.number() as RawFd;
    let (mut ends, stranger) = ([0; 2], Backing::new().unwrap());
    // SAFETY: `ends` has room for two numbers.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: numbers only; `fd` becomes the read end of the pipe.
    assert_eq!(unsafe { libc::dup2(ends[0], fd) }, fd);
    let taken = identity(fd);
    drop(backing);
    assert!(taken.is_some() && identity(fd) == taken);
    for fd in [fd, ends[0], ends[1]] {
        assert_eq!(close_real(fd), 0);
    }
    drop(stranger);
}
