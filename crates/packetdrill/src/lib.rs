//! Floor 5 of synfin: the stack as a shared object that the original packetdrill loads with `--so_filename`.
//!
//! The program finds [`packetdrill_interface_init`], which fills a struct of functions: system calls, packets in both
//! directions, and a clock. Behind them is what `synfin script` uses too, so that both give the same verdicts. Preloaded
//! (`LD_PRELOAD`), the object also catches the three calls that the program makes past that struct; see [`shim`].
//!
//! This crate binds C, so it has `unsafe` blocks; each says why it is sound.
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks)]

mod address;
mod border;
mod calls;
mod descriptors;
mod flags;
mod glue;
mod info;
mod interface;
mod machine;
mod memory;
mod numbers;
mod options;
mod settings;
pub mod shim;

pub use interface::{Interface, packetdrill_interface_init};
