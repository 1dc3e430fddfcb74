//! What a log is opened with.

use super::buffer::AdviseMemory;
use super::defect::Defect;
use crate::limits::{FIRST_SEGMENT_LEN, READ_CACHE_LEN, SEGMENT_LEN, TAIL_CACHE_LEN};
use std::time::Duration;

/// Settings of one shard's log.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Identity of a log that does not exist yet; drawn at random by the caller. An existing log keeps its own.
    pub log_id: u128,
    /// Drawn at random by the caller at each start: what an earlier, aborted start left behind can never look valid.
    pub life: u64,
    /// Length of a prepared segment. Bytes, a multiple of `BLOCK_LEN`.
    pub segment_len: u64,
    /// Length of the segments of a young log, so that the first start is quick. Bytes; at most `segment_len`, at least
    /// four times the largest message.
    pub first_segment_len: u64,
    pub sync: SyncPolicy,
    /// Recently written bytes kept in memory. Bytes.
    pub tail_cache_len: usize,
    /// Bytes kept of what was read from the disk.
    pub read_cache_len: usize,
    /// Called with fresh memory for large writes; does nothing by default.
    pub advise_memory: AdviseMemory,
    /// A deliberate error, so that tests can prove that they would find it.
    pub defect: Defect,
}

impl LogOptions {
    /// The shipped settings for a log with these two random numbers.
    pub fn new(log_id: u128, life: u64) -> Self {
        LogOptions {
            log_id,
            life,
            segment_len: SEGMENT_LEN,
            first_segment_len: FIRST_SEGMENT_LEN,
            sync: SyncPolicy::Synced { sync_interval: Duration::ZERO },
            tail_cache_len: TAIL_CACHE_LEN,
            read_cache_len: READ_CACHE_LEN,
            advise_memory: |_| {},
            defect: Defect::None,
        }
    }
}

/// When an entry counts as committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Once synced. Zero: a sync starts at once and takes along what was written while the previous one ran. Otherwise a
    /// written entry waits up to `sync_interval` for its sync, so that more share it.
    Synced { sync_interval: Duration },
    /// Once written (`ack = "written"`); a sync follows after `unsynced_max` or `unsynced_bytes_max`, whichever is first.
    Written { unsynced_max: Duration, unsynced_bytes_max: u64 },
}
