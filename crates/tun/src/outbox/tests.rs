use std::cell::{Cell, RefCell};

use super::*;

/// Takes `accept` packets, then says `errno`.
struct FakePort {
    accept: Cell<usize>,
    errno: Cell<Errno>,
    got: RefCell<Vec<Vec<u8>>>,
}

impl Port for FakePort {
    fn write_packet(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.accept.get() == 0 {
            return Err(self.errno.get().into());
        }
        self.accept.set(self.accept.get() - 1);
        let packet: Vec<u8> = slices.iter().flat_map(|s| s.iter().copied()).collect();
        let len = packet.len();
        self.got.borrow_mut().push(packet);
        Ok(len)
    }
}

fn outbox(accept: usize, errno: Errno) -> Outbox<FakePort> {
    Outbox::new(FakePort { accept: Cell::new(accept), errno: Cell::new(errno), got: RefCell::default() })
}

fn got(o: &Outbox<FakePort>) -> Vec<Vec<u8>> {
    o.port().got.borrow().clone()
}

#[test]
fn one_push_is_one_packet_whatever_the_number_of_slices() {
    let mut o = outbox(usize::MAX, Errno::EAGAIN);
    for n in [0, 1, 2, MAX_SLICES - 1, MAX_SLICES, MAX_SLICES + 1, 100] {
        let parts: Vec<Vec<u8>> = (0..n).map(|i| vec![i as u8; i % 5]).collect();
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        o.push(b"head", &slices, TxMeta::default());
        let expected = [b"head".to_vec(), parts.concat()].concat();
        assert_eq!(got(&o).pop(), Some(expected), "{n} slices");
    }
    assert_eq!((o.waiting(), o.room()), (0, ROOM));
}

#[test]
fn a_full_device_keeps_order_and_shrinks_room() {
    let mut o = outbox(2, Errno::EAGAIN);
    for i in 0..5u8 {
        o.push(&[i], &[&[i, i]], TxMeta::default());
    }
    assert_eq!((got(&o).len(), o.room()), (2, ROOM - 3));
    o.flush().unwrap();
    assert_eq!(o.room(), ROOM - 3, "still full");
    o.port().accept.set(1);
    o.flush().unwrap();
    assert_eq!(o.room(), ROOM - 2);
    o.port().accept.set(usize::MAX);
    // Others wait, so this one waits behind them although the device would take it.
    o.push(&[5], &[&[5, 5]], TxMeta::default());
    assert_eq!(got(&o).len(), 3);
    o.flush().unwrap();
    assert_eq!(got(&o), (0..6u8).map(|i| vec![i; 3]).collect::<Vec<_>>());
    assert_eq!((o.room(), o.lost()), (ROOM, Lost::default()));
}

#[test]
fn memory_is_bounded_and_reused() {
    let mut o = outbox(0, Errno::EAGAIN);
    for _ in 0..ROOM + 7 {
        o.push(&[1; 40], &[], TxMeta::default());
    }
    assert_eq!((o.room(), o.waiting()), (0, ROOM));
    assert_eq!(o.lost(), Lost { no_room: 7, refused: 0 });
    for _ in 0..3 {
        o.port().accept.set(usize::MAX);
        o.flush().unwrap();
        assert_eq!((o.waiting(), o.spare.len()), (0, ROOM));
        o.port().accept.set(0);
        for _ in 0..ROOM {
            o.push(&[1; 40], &[], TxMeta::default());
        }
        assert_eq!(o.spare.len(), 0);
    }
}

#[test]
fn an_interface_that_is_down_loses_packets_and_is_no_error() {
    let mut o = outbox(0, Errno::EIO);
    o.push(&[1], &[], TxMeta::default());
    o.flush().unwrap();
    assert_eq!((o.room(), o.lost()), (ROOM, Lost { no_room: 0, refused: 1 }));
}

#[test]
fn a_device_that_is_gone_is_reported_by_flush() {
    let mut o = outbox(0, Errno::EBADFD);
    o.push(&[1], &[], TxMeta::default());
    assert_eq!(o.flush().unwrap_err().raw_os_error(), Some(Errno::EBADFD as i32));

    let mut o = outbox(0, Errno::EAGAIN);
    o.push(&[1], &[], TxMeta::default());
    o.port().errno.set(Errno::EBADFD);
    assert_eq!(o.flush().unwrap_err().raw_os_error(), Some(Errno::EBADFD as i32));
}
