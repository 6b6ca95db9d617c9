//! The kernel's TCP sockets and their states, from the kernel (sock_diag(7)).

use core::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::NLM_F_DUMP;
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
    nlas::{Nla, TcpInfo},
};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use nix::errno::Errno;

use crate::netlink::Netlink;

/// The kernel's name for "any": no cookie to compare (sock_diag(7)).
const NO_COOKIE: [u8; 8] = [0xff; 8];

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident = $number:literal $text:literal,)*) => {
        /// A TCP state as the Linux kernel names it. CLOSED is a socket that is not listed, or `Close`.
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum KernelState { $($(#[$doc])* $name = $number,)* }

        impl KernelState {
            /// Every state, in the kernel's order.
            pub const ALL: &'static [KernelState] = &[$(KernelState::$name,)*];

            /// The kernel's name.
            pub const fn name(self) -> &'static str {
                match self { $(KernelState::$name => $text,)* }
            }
        }
    };
}

states! {
    /// ESTABLISHED
    Established = 1 "ESTABLISHED",
    /// SYN-SENT
    SynSent = 2 "SYN_SENT",
    /// SYN-RECEIVED: a half-open record of a listener (its `inode` is 0), or a socket in a simultaneous open.
    SynRecv = 3 "SYN_RECV",
    /// FIN-WAIT-1
    FinWait1 = 4 "FIN_WAIT1",
    /// FIN-WAIT-2, as a socket or, once orphaned, as a small record (its `inode` is 0).
    FinWait2 = 5 "FIN_WAIT2",
    /// TIME-WAIT
    TimeWait = 6 "TIME_WAIT",
    /// CLOSED, of a socket that still exists
    Close = 7 "CLOSE",
    /// CLOSE-WAIT
    CloseWait = 8 "CLOSE_WAIT",
    /// LAST-ACK
    LastAck = 9 "LAST_ACK",
    /// LISTEN
    Listen = 10 "LISTEN",
    /// CLOSING
    Closing = 11 "CLOSING",
    /// SYN-RECEIVED as the kernel calls it inside; kernels report it as [`KernelState::SynRecv`].
    NewSynRecv = 12 "NEW_SYN_RECV",
}

impl KernelState {
    fn from_number(number: u8) -> Option<KernelState> {
        KernelState::ALL.iter().copied().find(|s| *s as u8 == number)
    }
}

impl fmt::Display for KernelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One TCP socket of the kernel, or one of its half-open or TIME-WAIT records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TcpSock {
    /// The kernel's end. IPv4 over an IPv6 socket is shown as IPv4.
    pub local: SocketAddr,
    /// The other end; unspecified address and port 0 for a listener.
    pub remote: SocketAddr,
    /// The state.
    pub state: KernelState,
    /// Octets received and not yet read; of a listener, connections not yet accepted.
    pub rqueue: u32,
    /// Sequence space sent or to be sent and not acknowledged, in octets (SYN and FIN count one each); of a listener, the backlog.
    pub wqueue: u32,
    /// The socket's inode; 0 for records without a socket: half-open, TIME-WAIT, orphans.
    pub inode: u32,
    /// What `TCP_INFO` would say, when asked for and when there is a socket.
    pub detail: Option<TcpDetail>,
}

/// A part of the kernel's `TCP_INFO`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TcpDetail {
    /// Smoothed round-trip time (RFC 6298 SRTT), in microseconds.
    pub rtt_us: u32,
    /// Its variation (RFC 6298 RTTVAR), in microseconds.
    pub rttvar_us: u32,
    /// Retransmission timeout (RFC 6298 RTO), in microseconds.
    pub rto_us: u32,
    /// Congestion window, in segments.
    pub cwnd: u32,
    /// Slow start threshold, in segments.
    pub ssthresh: u32,
    /// Timeouts in a row without an acknowledgement.
    pub retransmits: u8,
    /// Segments retransmitted in the connection's life.
    pub total_retrans: u32,
    /// Segments sent and not acknowledged.
    pub unacked: u32,
    /// Largest text of a segment to be sent, in octets.
    pub snd_mss: u32,
    /// The peer's window after scaling, in octets.
    pub snd_wnd: u32,
    /// Octets sent and acknowledged (RFC 4898 tcpEStatsAppHCThruOctetsAcked).
    pub bytes_acked: u64,
    /// Octets received (RFC 4898 tcpEStatsAppHCThruOctetsReceived).
    pub bytes_received: u64,
    /// Segments sent.
    pub segs_out: u32,
    /// Segments received.
    pub segs_in: u32,
}

/// Whose sockets to list.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Family {
    /// All.
    #[default]
    Any,
    /// Those that speak IPv4, through IPv6 sockets too.
    V4,
    /// Those that speak IPv6, and listeners for both.
    V6,
}

/// Which sockets to list, and with what.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// The IP version.
    pub family: Family,
    /// The port, on either end.
    pub port: Option<u16>,
    /// Whether to fetch [`TcpSock::detail`].
    pub detail: Detail,
}

/// How much to ask for.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Detail {
    /// Addresses, state and queues.
    #[default]
    Brief,
    /// [`TcpSock::detail`] too.
    Full,
}

impl Filter {
    /// Sockets with this port on either end.
    pub fn port(port: u16) -> Filter {
        Filter { port: Some(port), ..Filter::default() }
    }

    /// The same with [`TcpSock::detail`].
    #[must_use]
    pub fn full(self) -> Filter {
        Filter { detail: Detail::Full, ..self }
    }

    /// The same for one IP version.
    #[must_use]
    pub fn family(self, family: Family) -> Filter {
        Filter { family, ..self }
    }

    fn wants(&self, sock: &TcpSock) -> bool {
        let family = match self.family {
            Family::Any => true,
            Family::V4 => sock.local.is_ipv4(),
            Family::V6 => sock.local.is_ipv6(),
        };
        family && self.port.is_none_or(|p| sock.local.port() == p || sock.remote.port() == p)
    }
}

/// Lists the kernel's TCP sockets in the namespace in which it was made. Made once, asked often.
pub struct SockDiag {
    netlink: Netlink,
}

impl SockDiag {
    /// In the calling thread's namespace. Needs no privilege.
    ///
    /// # Errors
    /// The kernel gives no such socket (no `inet_diag`, a container's filter).
    pub fn new() -> io::Result<SockDiag> {
        Ok(SockDiag { netlink: Netlink::new(NETLINK_SOCK_DIAG)? })
    }

    /// All sockets that `filter` wants, in all states: half-open records and TIME-WAIT too. The order is the kernel's.
    ///
    /// The list is no snapshot: each socket's state is right at the moment at which the kernel passed it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn tcp_sockets(&mut self, filter: Filter) -> io::Result<Vec<TcpSock>> {
        let mut socks = Vec::new();
        // IPv4 through IPv6 sockets is in the IPv6 list.
        let families: &[u8] = if filter.family == Family::V6 { &[AF_INET6] } else { &[AF_INET, AF_INET6] };
        for family in families {
            let request = request(*family, SocketId::new_v4(), filter.detail);
            self.ask(request, NLM_F_DUMP, |sock| {
                if filter.wants(&sock) {
                    socks.push(sock);
                }
            })?;
        }
        Ok(socks)
    }

    /// The one connection, half-open or TIME-WAIT record between these two ends. Much cheaper than a list on a busy system.
    ///
    /// # Errors
    /// What the kernel says. That there is no such connection is `Ok(None)`.
    pub fn find(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        detail: Detail,
    ) -> io::Result<Option<TcpSock>> {
        let id = SocketId {
            source_port: local.port(),
            destination_port: remote.port(),
            source_address: local.ip(),
            destination_address: remote.ip(),
            interface_id: 0,
            cookie: NO_COOKIE,
        };
        let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
        let mut found = None;
        let result = self.ask(request(family, id, detail), netlink_packet_core::NLM_F_ACK, |sock| {
            // For want of a connection the kernel answers with the listener.
            if sock.remote.port() != 0 {
                found = Some(sock);
            }
        });
        match result {
            Err(e) if e.raw_os_error() == Some(Errno::ENOENT as i32) => Ok(None),
            result => result.map(|()| found),
        }
    }

    fn ask(&mut self, request: InetRequest, flags: u16, mut each: impl FnMut(TcpSock)) -> io::Result<()> {
        let mut unknown = None;
        self.netlink.exchange(SockDiagMessage::InetRequest(request), flags, |message| {
            if let SockDiagMessage::InetResponse(response) = message {
                match sock(&response) {
                    Some(sock) => each(sock),
                    None => unknown = Some(response.header.state),
                }
            }
        })?;
        match unknown {
            Some(state) => {
                let text = format!("the kernel reports TCP state {state}, which is unknown");
                Err(io::Error::new(io::ErrorKind::InvalidData, text))
            }
            None => Ok(()),
        }
    }
}

/// Lists the kernel's TCP sockets once. Make a [`SockDiag`] to ask often.
///
/// # Errors
/// What the kernel says.
pub fn tcp_sockets(filter: Filter) -> io::Result<Vec<TcpSock>> {
    SockDiag::new()?.tcp_sockets(filter)
}

fn request(family: u8, socket_id: SocketId, detail: Detail) -> InetRequest {
    let extensions = match detail {
        Detail::Brief => ExtensionFlags::empty(),
        Detail::Full => ExtensionFlags::INFO,
    };
    InetRequest { family, protocol: IPPROTO_TCP, extensions, states: StateFlags::all(), socket_id }
}

fn sock(response: &InetResponse) -> Option<TcpSock> {
    let header = &response.header;
    let id = &header.socket_id;
    let detail = response.nlas.iter().find_map(|nla| match nla {
        Nla::TcpInfo(info) => Some(tcp_detail(info)),
        _ => None,
    });
    Some(TcpSock {
        local: end(id.source_address, id.source_port),
        remote: end(id.destination_address, id.destination_port),
        state: KernelState::from_number(header.state)?,
        rqueue: header.recv_queue,
        wqueue: header.send_queue,
        inode: header.inode,
        detail,
    })
}

fn end(addr: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(addr.to_canonical(), port)
}

fn tcp_detail(info: &TcpInfo) -> TcpDetail {
    TcpDetail {
        rtt_us: info.rtt,
        rttvar_us: info.rttvar,
        rto_us: info.rto,
        cwnd: info.snd_cwnd,
        ssthresh: info.snd_ssthresh,
        retransmits: info.retransmits,
        total_retrans: info.total_retrans,
        unacked: info.unacked,
        snd_mss: info.snd_mss,
        snd_wnd: info.snd_wnd,
        bytes_acked: info.bytes_acked,
        bytes_received: info.bytes_received,
        segs_out: info.segs_out,
        segs_in: info.segs_in,
    }
}

#[cfg(test)]
mod tests;
