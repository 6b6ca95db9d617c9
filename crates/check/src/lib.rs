//! Model checking of the TCP connection itself.

#![forbid(unsafe_code)]

pub mod app;
pub mod catalogue;
pub mod end;
pub mod explore;
pub mod scenario;
pub mod trace;
pub mod world;
