//! The configuration of a stream, as the engine serves it.

use std::time::Duration;

/// Where a stream keeps its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// In the shard's log.
    #[default]
    File,
    /// In memory: gone after a restart.
    Memory,
}

/// What happens to a message that would exceed a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discard {
    /// The oldest messages go.
    #[default]
    Old,
    /// The new message is refused.
    New,
}

/// Bounds that a stream sets for its consumers. Zero: no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsumerLimits {
    /// Longest `inactive_threshold` of a consumer.
    pub inactive_threshold: Duration,
    /// Largest `max_ack_pending` of a consumer.
    pub max_ack_pending: i64,
}

/// Only what is served; everything else is refused where JSON is read. Field names, units and defaults follow the
/// JetStream API (spec: StreamConfig). A limit of -1 means "none"; `complete` turns every other form of "none" into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamConfig {
    pub name: String,
    pub description: String,
    pub subjects: Vec<String>,
    pub max_consumers: i64,
    pub max_msgs: i64,
    /// Bytes as nats-server accounts them.
    pub max_bytes: i64,
    /// Zero: no limit. Negative values of the wire are refused before this type is built.
    pub max_age: Duration,
    pub max_msgs_per_subject: i64,
    /// Headers and payload. Bytes.
    pub max_msg_size: i64,
    pub discard: Discard,
    pub storage: Storage,
    /// As asked for; a single node serves 1.
    pub num_replicas: i64,
    pub no_ack: bool,
    /// Zero before `complete`: the default. Afterwards zero only where the window is off.
    pub duplicate_window: Duration,
    pub first_seq: u64,
    pub allow_direct: bool,
    /// Only meaningful with mirrors, which are not served: accepted as false.
    pub mirror_direct: bool,
    pub discard_new_per_subject: bool,
    pub sealed: bool,
    pub deny_delete: bool,
    pub deny_purge: bool,
    pub allow_rollup_hdrs: bool,
    pub consumer_limits: ConsumerLimits,
    pub allow_msg_ttl: bool,
    /// Sorted by key. `_nats.req.level` is part of it after `complete`.
    pub metadata: Vec<(String, String)>,
}

/// What the server allows every stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Longest duplicate window; zero: no bound.
    pub duplicate_window: Duration,
}

impl StreamConfig {
    /// Fills in defaults and checks everything that needs nothing but the configuration.
    pub fn complete(
        &mut self,
        limits: &ServerLimits,
        pedantic: bool,
    ) -> Result<(), crate::rejection::Rejection> {
        unimplemented!()
    }

    /// Whether `self`, completed, may become `new`, completed; applies the effects of `sealed` to `new`.
    pub fn check_update(&self, new: &mut StreamConfig) -> Result<(), crate::rejection::Rejection> {
        unimplemented!()
    }

    /// Equal but for `_nats.` metadata.
    pub fn is_same(&self, other: &StreamConfig) -> bool {
        unimplemented!()
    }

    /// Whether a subject would be captured.
    pub fn captures(&self, subject: &[u8]) -> bool {
        unimplemented!()
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        unimplemented!()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, crate::encoding::Malformed> {
        unimplemented!()
    }
}
