//! One request and its answers over a netlink socket.

use std::io;

use netlink_packet_core::{
    NLM_F_REQUEST, NetlinkBuffer, NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable,
};
use netlink_sys::{Socket, SocketAddr};

/// The kernel fills up to 32 KiB per read of a dump, and what fits in the reader's buffer.
const BUFFER: usize = 32 * 1024;

/// Netlink messages start at multiples of four octets (netlink(7)).
const ALIGN: usize = 4;

/// A netlink socket that is used again and again.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
    out: Vec<u8>,
    into: Vec<u8>,
}

/// What an answer holds.
enum Answer<M> {
    Item(M),
    End(io::Result<()>),
    Nothing,
}

impl Netlink {
    /// A socket in the calling thread's namespace.
    pub(crate) fn new(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Netlink { socket, sequence: 0, out: Vec::new(), into: Vec::with_capacity(BUFFER) })
    }

    /// Sends `request` and hands every item of the answer to `each`, until the kernel acknowledges, ends the dump or refuses.
    pub(crate) fn exchange<M>(&mut self, request: M, flags: u16, mut each: impl FnMut(M)) -> io::Result<()>
    where
        M: NetlinkSerializable + NetlinkDeserializable + Into<NetlinkPayload<M>>,
    {
        self.send(request, flags)?;
        // A message that we cannot read does not end the answer: what follows must not be left to the next request.
        let mut unreadable = Ok(());
        loop {
            self.into.clear();
            self.socket.recv(&mut self.into, 0)?;
            let mut rest = self.into.as_slice();
            while !rest.is_empty() {
                let (message, next) = split(rest)?;
                rest = next;
                match judge(message, self.sequence) {
                    Ok(Answer::Item(item)) => each(item),
                    Ok(Answer::End(result)) => return unreadable.and(result),
                    Ok(Answer::Nothing) => {}
                    Err(e) => unreadable = Err(e),
                }
            }
        }
    }

    fn send<M>(&mut self, request: M, flags: u16) -> io::Result<()>
    where
        M: NetlinkSerializable + Into<NetlinkPayload<M>>,
    {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, request.into());
        message.finalize();
        self.out.resize(message.buffer_len(), 0);
        message.serialize(&mut self.out);
        self.socket.send(&self.out, 0)?;
        Ok(())
    }
}

/// Cuts the first message off, with what fills it up to the next one.
fn split(bytes: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let message = NetlinkBuffer::new_checked(bytes).map_err(io::Error::other)?;
    let length = message.length() as usize;
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "netlink message with a wrong length");
    let (message, _) = bytes.split_at_checked(length).ok_or_else(bad)?;
    if message.is_empty() {
        return Err(bad());
    }
    Ok((message, bytes.get(length.next_multiple_of(ALIGN)..).unwrap_or_default()))
}

fn judge<M: NetlinkDeserializable>(message: &[u8], sequence: u32) -> io::Result<Answer<M>> {
    let message = NetlinkMessage::<M>::deserialize(message)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
    if message.header.sequence_number != sequence {
        return Ok(Answer::Nothing);
    }
    Ok(match message.payload {
        NetlinkPayload::InnerMessage(item) => Answer::Item(item),
        NetlinkPayload::Error(e) if e.code.is_some() => Answer::End(Err(e.to_io())),
        NetlinkPayload::Error(_) => Answer::End(Ok(())),
        NetlinkPayload::Done(done) if done.code < 0 => {
            Answer::End(Err(io::Error::from_raw_os_error(done.code.saturating_neg())))
        }
        NetlinkPayload::Done(_) => Answer::End(Ok(())),
        NetlinkPayload::Overrun(_) => {
            Answer::End(Err(io::Error::other("the kernel lost part of its answer")))
        }
        _ => Answer::Nothing,
    })
}
