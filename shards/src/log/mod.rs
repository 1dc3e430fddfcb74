//! The log of a shard as decisions: what the next write holds, what a sync covers, what recovery keeps.
//! May import: ids, time, limits, encoding, histogram, record.
//! Must not know: what an entry's changes mean, how a disk is driven.

pub mod buffer;
mod checkpoint;
pub mod defect;
pub mod disk_op;
pub mod entry;
pub mod format;
mod live;
pub mod options;
mod prepare;
mod reads;
pub mod recovery;
mod segments;
mod state;
mod sync;
mod tail;
mod timings;
mod writer;

pub use checkpoint::{Pieces, StateBytes, WholeState};
pub use live::Log;
pub use options::{LogOptions, SyncPolicy};
pub use recovery::{OpenError, RecoveredItem, Recovery, RecoveryReport};
pub use state::{Activity, Admission, Allowance, Figures, NoRoom, ReadDone, StorageError};
pub use timings::Timings;

/// Takes the next of a row of numbers.
fn next(number: &mut u64) -> u64 {
    *number += 1;
    *number - 1
}

#[cfg(test)]
pub(crate) mod fake_disk;
#[cfg(test)]
#[path = "log_test.rs"]
mod tests;
