//! The log of a shard as decisions: what the next write holds, what a sync covers, what recovery keeps.
//! May import: ids, time, limits, encoding, record.
//! Must not know: what an entry's changes mean, how a disk is driven.

pub mod buffer;
mod checkpoint;
pub mod defect;
pub mod disk_op;
pub mod entry;
pub mod format;
mod live;
pub mod options;
mod reads;
pub mod recovery;
mod segments;
mod sync;
mod tail;
mod writer;

pub use live::{Activity, Admission, Figures, Log, NoRoom, ReadDone, StorageError};
pub use options::{LogOptions, SyncPolicy};
pub use recovery::{RecoveredItem, Recovery, RecoveryReport};
