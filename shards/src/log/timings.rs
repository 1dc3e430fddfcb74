//! What the disk took, and how much each write carried.

use crate::histogram::Histogram;

/// Since the log was opened. Times in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Timings {
    /// From handing a write to the disk until the turn that heard of its end.
    pub write: Histogram,
    /// Of syncs, likewise.
    pub sync: Histogram,
    /// Messages of each write that holds more than a mark: 0 if only other changes are in it.
    pub write_messages: Histogram,
}
