//! `tcpi_...`: the kernel's struct tcp_info, by name.

use std::os::fd::BorrowedFd;

use synfin_script::host::Fields;
use synfin_sockopt::{SockOpt, tcp_info};

/// What the kernel knows of a connection: as much as this kernel tells.
pub(crate) fn fields(socket: BorrowedFd<'_>) -> Fields {
    let mut info = [0; 512];
    let Some(option) = SockOpt::named("SOL_TCP", "TCP_INFO") else { return Fields::new() };
    let Ok(len) = option.get(socket, &mut info) else { return Fields::new() };
    tcp_info::read(info.get(..len).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests;
