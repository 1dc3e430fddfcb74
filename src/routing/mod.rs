//! This core's interest: its subscriptions, which other cores want a subject, which stream captures it.
//! May import: `shards` (ids, subject, shard::answer).
//! Must not know: sockets, JSON.

pub mod mail;
pub mod stream_table;
