//! Fuzz harnesses as ordinary code.
