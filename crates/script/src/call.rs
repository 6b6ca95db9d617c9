//! Reading the arguments of calls: for hosts.

pub use crate::consts::{number, value};
pub use crate::seq::{octet, octets};
pub use crate::sys::{Called, arg, int, length, message, socket_address, vector};
