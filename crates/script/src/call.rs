//! Reading the arguments of calls: for hosts.

pub use crate::consts::{number, value};
pub use crate::seq::{octet, octets};
pub use crate::sys::{
    Called, Wrong, arg, epoll_wrong, int, length, message, poll_items, poll_wrong, socket_address, vector,
};
