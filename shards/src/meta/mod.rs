//! The catalog: which streams exist, in which shard, under which group. A group of one on shard 0.
//! May import: ids, time, limits, subject, rejection, encoding, stream::config.
//! Must not know: consumers, messages, how its changes reach the log or the cores.

mod catalog;
pub mod change;

pub use catalog::{Catalog, Phase, StreamRecord};
