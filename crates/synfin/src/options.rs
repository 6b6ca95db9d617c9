//! The options that both families of streams have, written once.

use std::io;

use crate::error::invalid;

/// A time to live or DSCP from the `u32` that socket interfaces use.
pub(crate) fn octet(value: u32, range: std::ops::RangeInclusive<u8>) -> io::Result<u8> {
    u8::try_from(value).ok().filter(|v| range.contains(v)).ok_or_else(|| invalid("out of range"))
}

/// Methods for a type whose method `socket` gives the [`crate::socket::Socket`].
macro_rules! stream_options {
    () => {
        /// The address and port of our end.
        ///
        /// # Errors
        /// None.
        pub fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(self.socket().local_addr())
        }

        /// The address and port of the peer's end.
        ///
        /// # Errors
        /// None.
        pub fn peer_addr(&self) -> io::Result<SocketAddr> {
            Ok(self.socket().peer_addr())
        }

        /// Whether Nagle's algorithm is off.
        ///
        /// # Errors
        /// The stack has ended.
        pub fn nodelay(&self) -> io::Result<bool> {
            self.socket().look(|conn| conn.nodelay())
        }

        /// Switches Nagle's algorithm off (`true`) or on (RFC 9293 MUST-17).
        ///
        /// # Errors
        /// The stack has ended.
        pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
            self.socket().configure(|conn, _| conn.set_nodelay(nodelay))
        }

        /// Time to live or hop limit of packets sent.
        ///
        /// # Errors
        /// The stack has ended.
        pub fn ttl(&self) -> io::Result<u32> {
            self.socket().look(|conn| conn.ttl().into())
        }

        /// Sets the time to live or hop limit of packets sent: 1 to 255.
        ///
        /// # Errors
        /// `InvalidInput`: out of range. The stack has ended.
        pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
            let ttl = $crate::options::octet(ttl, 1..=255)?;
            self.socket().configure(|conn, _| conn.set_ttl(ttl))
        }

        /// Sets the differentiated services code point of packets sent: 0 to 63 (RFC 9293 MUST-48).
        ///
        /// # Errors
        /// `InvalidInput`: out of range. The stack has ended.
        pub fn set_dscp(&self, dscp: u32) -> io::Result<()> {
            let dscp = $crate::options::octet(dscp, 0..=63)?;
            self.socket().configure(|conn, _| conn.set_dscp(dscp))
        }

        /// The linger time.
        ///
        /// # Errors
        /// The stack has ended.
        pub fn linger(&self) -> io::Result<Option<Duration>> {
            self.socket().look(|conn| conn.linger())
        }

        /// What dropping the stream does: zero aborts the connection; another time bounds how long dropping a
        /// blocking stream waits until everything is acknowledged (an async stream never waits); `None` closes in
        /// the background.
        ///
        /// # Errors
        /// The stack has ended.
        pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
            self.socket().configure(|conn, _| conn.set_linger(linger))
        }

        /// Keepalive times, if keepalive is on.
        ///
        /// # Errors
        /// The stack has ended.
        pub fn keepalive(&self) -> io::Result<Option<Keepalive>> {
            self.socket().look(|conn| conn.keepalive())
        }

        /// Switches keepalive on with these times, or off (RFC 9293 MUST-24).
        ///
        /// # Errors
        /// `InvalidInput`: a time of zero, or no probes. The stack has ended.
        pub fn set_keepalive(&self, times: Option<Keepalive>) -> io::Result<()> {
            if let Some(Keepalive { idle, interval, probes }) = times
                && (idle.is_zero() || interval.is_zero() || probes == 0)
            {
                return Err($crate::error::invalid("keepalive times and probes cannot be zero"));
            }
            self.socket().configure(|conn, cx| conn.set_keepalive(cx, times))
        }

        /// The user timeout; `None` means the stack's default retry limits.
        ///
        /// # Errors
        /// The stack has ended.
        pub fn user_timeout(&self) -> io::Result<Option<Duration>> {
            self.socket().look(|conn| conn.user_timeout())
        }

        /// How long octets may stay unacknowledged before the connection is given up (RFC 5482): `None` for the
        /// stack's default retry limits, `Some(Duration::MAX)` for ever.
        ///
        /// # Errors
        /// `InvalidInput`: zero. The stack has ended.
        pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
            if timeout == Some(Duration::ZERO) {
                return Err($crate::error::invalid("the user timeout cannot be zero"));
            }
            self.socket().configure(|conn, _| conn.set_user_timeout(timeout))
        }

        /// Most octets that wait to be read.
        ///
        /// # Errors
        /// The stack has ended.
        pub fn recv_buffer_size(&self) -> io::Result<u32> {
            self.socket().look(|conn| conn.recv_buffer())
        }

        /// Sets the most octets that wait to be read. Window that was offered is never taken back.
        ///
        /// # Errors
        /// `InvalidInput`: zero. The stack has ended.
        pub fn set_recv_buffer_size(&self, octets: u32) -> io::Result<()> {
            if octets == 0 {
                return Err($crate::error::invalid("a buffer cannot be empty"));
            }
            self.socket().configure(|conn, _| conn.set_recv_buffer(octets))
        }

        /// Most octets that wait to be sent or acknowledged.
        ///
        /// # Errors
        /// The stack has ended.
        pub fn send_buffer_size(&self) -> io::Result<u32> {
            self.socket().look(|conn| conn.send_buffer())
        }

        /// Sets the most octets that wait to be sent or acknowledged.
        ///
        /// # Errors
        /// `InvalidInput`: zero. The stack has ended.
        pub fn set_send_buffer_size(&self, octets: u32) -> io::Result<()> {
            if octets == 0 {
                return Err($crate::error::invalid("a buffer cannot be empty"));
            }
            self.socket().configure(|conn, _| conn.set_send_buffer(octets))
        }

        /// Whether ACKs are sent at once for now. Not implemented: set the stack's longest delay of an ACK instead.
        ///
        /// # Errors
        /// `Unsupported`, always.
        pub fn set_quickack(&self, _quickack: bool) -> io::Result<()> {
            Err($crate::error::unsupported("quickack is not implemented"))
        }

        /// The error that ended the connection, if no call has reported it yet.
        ///
        /// # Errors
        /// The stack has ended.
        pub fn take_error(&self) -> io::Result<Option<io::Error>> {
            self.socket().take_error()
        }

        /// The last trouble that ended nothing, such as an ICMP error, if any since the last call
        /// (RFC 9293 SHLD-25).
        ///
        /// # Errors
        /// The stack has ended.
        pub fn take_soft_error(&self) -> io::Result<Option<SoftError>> {
            self.socket().configure(|conn, _| conn.take_soft_error())
        }

        /// Octets up to the urgent mark that were not read yet (RFC 9293 MUST-33), urgent octets being in line with
        /// the others (RFC 6093).
        ///
        /// # Errors
        /// The stack has ended.
        pub fn urgent(&self) -> io::Result<Option<u32>> {
            self.socket().look(|conn| conn.urgent())
        }

        /// What the connection knows about itself.
        ///
        /// # Errors
        /// The stack has ended.
        pub fn info(&self) -> io::Result<Info> {
            self.socket().info()
        }
    };
}

pub(crate) use stream_options;
