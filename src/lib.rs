//! The server: speaks NATS to the world and hands streams and consumers to the `shards` engine.
//! May import: `shards`. Nobody imports this crate but its own binary and tests.
//! Must not know: how the engine stores anything.
#![forbid(unsafe_code)]

pub mod accounts;
#[cfg(feature = "uring")]
pub mod boot;
pub mod cli;
pub mod client;
pub mod config;
#[cfg(feature = "uring")]
pub mod connection;
pub mod jetstream;
pub mod limits;
#[cfg(feature = "uring")]
pub mod listener;
pub mod protocol;
pub mod report;
pub mod routing;
pub mod server;
pub mod server_log;
#[cfg(feature = "uring")]
pub mod serving;
