//! TCP_INFO of our sockets, as Linux's struct tcp_info.

use synfin_script::sockets::Sockets;
use synfin_sockopt::tcp_info::{self, LEN};

/// TCP_CLOSE: what a socket without a connection is.
const CLOSE: i64 = 7;

/// TCP_INFO of a socket. What the stack does not know is 0.
pub(crate) fn tcp_info(sockets: &mut Sockets, fd: i64) -> [u8; LEN] {
    match sockets.tcp_info(fd) {
        Some(fields) => tcp_info::write(|name| fields.get(name).copied()),
        None => tcp_info::write(|name| (name == "tcpi_state").then_some(CLOSE)),
    }
}
