//! Retransmission: when (RTO, RACK) and how much (PRR); what is lost, the sent log says.

pub mod episode;
pub mod prr;
pub mod rack;
pub mod rto;
