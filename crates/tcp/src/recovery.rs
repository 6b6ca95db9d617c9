//! Retransmission: when (RTO, RACK) and how much (PRR); what is lost, the sent log says. How fast the path delivers.

pub mod episode;
pub mod prr;
pub mod rack;
pub mod rate;
pub mod rto;
