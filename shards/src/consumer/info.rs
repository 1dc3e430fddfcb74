//! A consumer as clients see it.

use super::config::ConsumerConfig;
use crate::time::WallTime;

/// A pair of sequences with the time of the last change, which is forgotten at a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceInfo {
    pub consumer_seq: u64,
    pub stream_seq: u64,
    pub last_active: Option<WallTime>,
}

/// A consumer as clients see it (spec: ConsumerInfo).
#[derive(Clone, Debug)]
pub struct ConsumerInfo {
    pub stream_name: String,
    pub name: String,
    pub created: WallTime,
    pub config: ConsumerConfig,
    pub delivered: SequenceInfo,
    pub ack_floor: SequenceInfo,
    pub num_ack_pending: u64,
    pub num_redelivered: u64,
    pub num_waiting: u64,
    pub num_pending: u64,
    pub push_bound: bool,
    pub ts: WallTime,
}
