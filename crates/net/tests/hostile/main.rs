//! Nothing that a peer sends can panic the stack, keep it busy, or make it break its promises.
//!
//! Every case follows from its seed. One that fails prints the line that runs it again:
//! `SYNFIN_SEED=<seed> cargo test -p synfin-net --test hostile <test>`. `SYNFIN_SECONDS=<n>` goes on with further
//! seeds for so long, beginning at `SYNFIN_FROM=<seed>`; `SYNFIN_TRACE=1` prints every step.

#[path = "../rig/mod.rs"]
mod rig;

mod bytes;
mod calls;
mod forge;
mod found;
mod ledger;
mod pair;
mod run;
mod session;
mod world;
