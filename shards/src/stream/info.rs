//! A stream as clients see it.

use super::config::StreamConfig;
use crate::time::WallTime;

/// State of a stream as clients see it (spec: StreamState).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamState {
    pub messages: u64,
    /// Bytes as nats-server accounts them.
    pub bytes: u64,
    pub first_seq: u64,
    pub first_ts: WallTime,
    pub last_seq: u64,
    pub last_ts: WallTime,
    pub num_subjects: u64,
    pub num_deleted: u64,
    /// Only with `deleted_details`; ascending.
    pub deleted: Option<Vec<u64>>,
    /// Sequences lost to storage damage; only with `deleted_details`.
    pub lost: Vec<u64>,
    /// Only with `subjects_filter`, ascending by subject, one page.
    pub subjects: Vec<(String, u64)>,
    /// All subjects that match `subjects_filter`, over all pages.
    pub subjects_total: u64,
    pub consumer_count: u64,
}

/// A stream as clients see it.
#[derive(Clone, Debug)]
pub struct StreamInfo {
    pub config: StreamConfig,
    pub created: WallTime,
    pub state: StreamState,
    pub ts: WallTime,
}
