//! Reading the arguments of calls: for hosts.

pub use crate::consts::{number, value};
pub use crate::seq::{octet, octets};
pub use crate::sys::{
    Called, Wrong, arg, control_wrong, epoll_wrong, int, length, message, message_out, poll_items,
    poll_wrong, socket_address, vector,
};
