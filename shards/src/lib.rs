//! The engine: streams, consumers and the log of a shard, as plain state machines.
//! May import: nothing of the server (`millrace`) and nothing of the judge (`perf`).
//! Must not know: clocks, randomness, sockets or files, except in tier 5 (feature `uring`).
#![deny(unsafe_code)]

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("Millrace runs on Linux on x86-64 and aarch64 only: it is built on io_uring.");

// Tier 0
pub mod clock;
pub mod decimal;
pub mod encoding;
pub mod go_duration;
pub mod hashing;
pub mod headers;
pub mod histogram;
pub mod ids;
pub mod limits;
pub mod rejection;
pub mod subject;
pub mod time;

// Tier 1
pub mod change;
pub mod messages;
pub mod record;
pub mod ring;
pub mod subscribers;

// Tier 2
pub mod log;

// Tier 3
pub mod consumer;
pub mod meta;
pub mod stream;

// Tier 4
pub mod core;
pub mod core_server;
pub mod lanes;
pub mod shard;

// The simulator
#[cfg(feature = "sim")]
pub mod sim;

// Tier 5: the I/O shell
#[cfg(feature = "uring")]
pub mod bell;
#[cfg(feature = "uring")]
pub mod disk;
#[cfg(feature = "uring")]
pub mod executors;
#[cfg(feature = "uring")]
pub mod mailbox;
#[cfg(feature = "uring")]
pub mod net;
#[cfg(feature = "uring")]
pub mod reactor;
#[cfg(feature = "uring")]
pub mod uring;
#[cfg(feature = "uring")]
pub mod worker;
