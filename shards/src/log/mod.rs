//! The log of a shard as decisions: what the next write holds, what a sync covers, what recovery keeps.
//! May import: ids, time, limits, encoding, record.
//! Must not know: what an entry's changes mean, how a disk is driven.

pub mod buffer;
pub mod disk_op;
