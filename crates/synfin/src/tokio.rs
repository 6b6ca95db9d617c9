//! Sockets like those of tokio.
