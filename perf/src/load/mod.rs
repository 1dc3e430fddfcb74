//! Kinds of load.
//! May import: wire, peer, pub_ack, sequences, machine, report.
//! Must not know: which server is driven.

mod in_flight;
pub mod publish;
