//! This core's interest: its subscriptions, which other cores want a subject, which stream captures it.
//! May import: limits, `shards` (hashing, ids, subject, stream::config, shard::answer).
//! Must not know: sockets, JSON.

pub mod interest;
mod last_ack;
pub mod mail;
pub mod peers;
pub mod queue_names;
pub mod route;
pub mod service;
pub mod stream_table;
