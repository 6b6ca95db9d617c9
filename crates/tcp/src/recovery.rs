//! Retransmission: when (RTO) and what (the sent log says; RFC 6298, 5681, 6582, 6675).

pub mod rto;
