//! The judge: drives any NATS server from outside, measures what it does and says what that is worth. It knows nothing of
//! `millrace` or `shards` and has a codec of its own, so that it shares no bug with the accused.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "the judge measures time")]

pub mod address;
pub mod document;
pub mod failure;
#[cfg(test)]
mod fixture;
pub mod measured;
pub mod output;
pub mod plot;
pub mod provenance;
pub mod runner;
pub mod runs;
pub mod slo;
pub mod statistics;
pub mod toml_file;
pub mod units;
pub mod values;
pub mod watch;
pub mod workload;

pub mod load;
mod machine;
mod peer;
mod pub_ack;
pub mod report;
mod sequences;
mod wire;
