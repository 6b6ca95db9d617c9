use std::ptr::{null, null_mut};

use super::*;

fn buffer(of: &mut [u8]) -> iovec {
    iovec { iov_base: of.as_mut_ptr().cast(), iov_len: of.len() }
}

#[test]
fn vectors_are_gathered_and_filled() {
    let (mut a, mut b) = (*b"abc", *b"defg");
    let buffers = [buffer(&mut a), iovec { iov_base: null_mut(), iov_len: 0 }, buffer(&mut b)];
    // SAFETY: the buffers are arrays of this function.
    unsafe {
        assert_eq!(gather(&buffers).unwrap(), b"abcdefg");
        scatter(b"12345", &buffers).unwrap();
    }
    assert_eq!((&a, &b), (b"123", b"45fg"));
}

#[test]
fn null_is_efault_unless_nothing_is_wanted() {
    // SAFETY: null is allowed everywhere.
    unsafe {
        assert_eq!(octets(null(), 5), Err(libc::EFAULT));
        assert_eq!(octets(null(), 0), Ok(&[][..]));
        assert_eq!(copy_out(b"x", null_mut(), 1), Err(libc::EFAULT));
        assert_eq!(copy_out(b"", null_mut(), 1), Ok(0));
        assert_eq!(put(1, null_mut()), Err(libc::EFAULT));
        assert_eq!(vector(null(), 1).err(), Some(libc::EFAULT));
        assert_eq!(vector(null(), -1).err(), Some(libc::EINVAL));
        assert_eq!(copy_out_with_len(b"x", null_mut(), null_mut()), Err(libc::EFAULT));
    }
}

#[test]
fn lengths_are_cut_to_the_room() {
    let (mut room, mut len) = ([0_u8; 4], 2_u32);
    // SAFETY: `room` has more than the two octets that `len` tells.
    unsafe { copy_out_with_len(b"abc", room.as_mut_ptr().cast(), &raw mut len).unwrap() };
    assert_eq!((room, len), (*b"ab\0\0", 2));
    let mut len = u32::MAX;
    // SAFETY: nothing is written, since no room is negative.
    let refused = unsafe { copy_out_with_len(b"abc", room.as_mut_ptr().cast(), &raw mut len) };
    assert_eq!(refused, Err(libc::EINVAL));
}
