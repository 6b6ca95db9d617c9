//! Model checking of the TCP connection itself: not of a model of it.
//!
//! Two ends made of the records of `synfin-tcp` (half-open, connection, TIME_WAIT), driven as a stack drives them, and a
//! network that may lose, duplicate, reorder and delay any segment. Every state that they can reach within a
//! [`scenario::Harm`] budget is visited: a state is cloned, one step is done, and what comes out is kept if its
//! fingerprint is new.
//!
//! # What is abstracted, and how
//!
//! * **Time** passes only by "some timer fires": the clock jumps to an end's next deadline. What is on its way arrives
//!   before, unless the budget of delays pays for it; so do calls that an application is about to make. One end's timers
//!   may run ahead of the other's by [`scenario::Scenario::late`]. Segments older than MSL vanish.
//! * **Equal futures are one state**: all times are taken relative to now, and what can decide nothing any more is left
//!   out (`synfin_tcp::testing::fingerprint`). That makes the space finite although the clock only rises.
//! * **Fingerprints** have 64 bits. Among ten million states two collide with a probability of about three in a million;
//!   a collision hides states, it never reports a fault.
//! * **Keepalive is on.** Without it an end whose peer aborted, and whose RST was lost, waits for ever: so the standard
//!   has it.
//!
//! # What is checked
//!
//! In every state: no octet lost, doubled, changed or out of order at the reader; end of stream only after all that was
//! written; `SND.UNA <= peer's RCV.NXT <= SND.NXT`; the window's right edge never moves left; no text beyond the peer's
//! window; no RST in answer to a RST; at most one empty answer to a segment; a bounded number of segments in flight; no
//! timer that fires and stays due; no end that gives up while fewer segments were lost or late than any limit on tries;
//! no honest acknowledgement refused as too old. Where all is over: both ends agree, or one holds an error; every buffer
//! went back to the pool. Over all states: from each of them a path leads to where no record is left; and no cycle
//! consists of deliveries alone (no storm of ACKs).
//!
//! The explorer is small and our own: the two properties over all states (CTL's `AG EF`, and cycles of one kind of step)
//! need the graph itself, and the well-kept checker for Rust, stateright, has only `always`, `sometimes` and an
//! `eventually` that its documentation says to be blind to cycles.
//!
//! # Commands
//!
//! `cargo test -p synfin-check` explores the catalogue within bounds that take seconds. The long form:
//!
//! ```sh
//! cargo run --release -p synfin-check -- --seconds 300 --states 400000
//! ```
//!
//! goes through the catalogue with more and more harm until its time is over, on all cores; `--only TEXT` picks
//! scenarios whose name contains the text. Seen on two cores that were busy with other work, both without a fault:
//!
//! | command | explorations | to their end | states | steps |
//! |---|---|---|---|---|
//! | `--seconds 480 --states 300000`, all settings before more harm | 559 | 539 | 9,846,882 | 37,657,886 |
//! | `--seconds 300 --states 400000`, settings and harm growing together (as now) | 329 | 317 | 6,524,568 | 28,277,686 |
//!
//! What the first runs found is mended and has its test in `synfin-tcp`: answered window probes counted as tries of the
//! text sent after the window opened, so that one loss could end the connection; text that the peer had sent before it saw
//! our FIN was refused once the FIN was acknowledged.
//!
//! A counterexample is printed as the shortest known path: each step, each segment, both ends' states and the clock.

#![forbid(unsafe_code)]

pub mod app;
pub mod catalogue;
pub mod end;
pub mod explore;
pub mod scenario;
pub mod trace;
pub mod world;
