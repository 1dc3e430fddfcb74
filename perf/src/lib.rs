//! The judge: drives any NATS server from outside, measures what it does and says what that is worth. It knows nothing of
//! `millrace` or `shards` and has a codec of its own, so that it shares no bug with the accused.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "the judge measures time")]

pub mod address;
pub mod compare;
pub mod document;
pub mod failure;
#[cfg(test)]
mod fixture;
pub mod launch;
pub mod machine;
pub mod measured;
pub mod output;
pub mod plot;
pub mod provenance;
pub mod runner;
pub mod runs;
pub mod slo;
pub mod statistics;
pub mod summary;
pub mod terminal;
pub mod toml_file;
pub mod units;
pub mod values;
pub mod verbs;
pub mod watch;
pub mod workload;

mod content;
mod delivery;
mod digits;
mod distribution;
mod facts;
mod jetstream;
mod load;
mod other_load;
mod peer;
mod pub_ack;
mod random;
mod schedule;
mod sequences;
mod verify;
mod wire;
