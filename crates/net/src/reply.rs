//! Answers without a connection: resets of CLOSED, what the small records ask for, ICMP.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use synfin_tcp::Why;
use synfin_wire::{Addr, Head, Tuple};

use crate::ip_out::IpFields;

/// Packet buffers kept for later answers.
const KEEP: usize = 32;

/// One packet that has no connection to send it.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A segment without text.
    Tcp(TcpReply),
    /// An ICMP message.
    Icmp(IcmpReply),
}

/// A segment without text.
#[derive(Debug)]
pub(crate) struct TcpReply {
    pub(crate) tuple: Tuple,
    pub(crate) head: Head,
    pub(crate) why: Why,
    pub(crate) ip: IpFields,
}

/// An ICMP message, checksum included.
#[derive(Debug)]
pub(crate) struct IcmpReply {
    pub(crate) src: Addr,
    pub(crate) dst: Addr,
    pub(crate) message: Vec<u8>,
}

/// The queue of what waits to be sent, oldest first.
#[derive(Debug)]
pub(crate) struct Replies {
    /// As many as a burst of arrivals between two turns may cause. What is beyond is forgotten: whoever asked asks again.
    most: usize,
    queue: VecDeque<Reply>,
    spare: Vec<Vec<u8>>,
}

/// Who caused a reply.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// A stray segment: the limits hold.
    Stray,
    /// The end of a connection: once for each, and paid for by it.
    Connection,
}

impl Replies {
    /// Room for so many.
    pub(crate) fn new(most: u32) -> Replies {
        Replies { most: most as usize, queue: VecDeque::new(), spare: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Queues a segment; `false` if there was no room.
    #[must_use]
    pub(crate) fn push_tcp(&mut self, reply: TcpReply, cause: Cause) -> bool {
        if cause == Cause::Stray && self.queue.len() >= self.most {
            return false;
        }
        self.queue.push_back(Reply::Tcp(reply));
        true
    }

    /// Queues an ICMP message made of `head` and `body`; `false` if there was no room.
    #[must_use]
    pub(crate) fn push_icmp(&mut self, src: Addr, dst: Addr, head: &[u8], body: &[u8]) -> bool {
        if self.queue.len() >= self.most {
            return false;
        }
        let mut message = self.spare.pop().unwrap_or_default();
        message.extend_from_slice(head);
        message.extend_from_slice(body);
        self.queue.push_back(Reply::Icmp(IcmpReply { src, dst, message }));
        true
    }

    /// Where the oldest reply goes.
    pub(crate) fn next_destination(&self) -> Option<Addr> {
        self.queue.front().map(|r| match r {
            Reply::Tcp(t) => t.tuple.remote.addr,
            Reply::Icmp(i) => i.dst,
        })
    }

    /// Takes the oldest reply.
    pub(crate) fn pop(&mut self) -> Option<Reply> {
        self.queue.pop_front()
    }

    /// Gives the buffer of a message back that was sent.
    pub(crate) fn recycle(&mut self, mut message: Vec<u8>) {
        if self.spare.len() < KEEP {
            message.clear();
            self.spare.push(message);
        }
    }
}

#[cfg(test)]
mod tests;
