//! The configuration of a stream, as the engine serves it.

use crate::subject;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;
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

/// What the server allows every stream, and all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Longest duplicate window; zero: no bound.
    pub duplicate_window: Duration,
    /// Largest `max_ack_pending` of a consumer; 0 or less: no bound.
    pub max_ack_pending: i64,
    /// Largest `max_batch` of a consumer; 0 or less: no bound.
    pub max_request_batch: i64,
    /// Consumers of a stream that sets no `max_consumers`; 0 or less: no bound.
    pub default_max_consumers: i64,
    /// Longest reply to a batch or multi get that names no `max_bytes`. Bytes of subjects, headers and payloads.
    pub direct_get_bytes: u64,
    /// Memory that messages in memory storage may take, and that streams may reserve with `max_bytes`. Bytes.
    pub memory_max: u64,
    /// Likewise messages in file storage, as clients count them. Bytes.
    pub file_max: u64,
}

impl Default for ServerLimits {
    /// Those of nats-server 2.15.
    fn default() -> Self {
        ServerLimits {
            duplicate_window: Duration::ZERO,
            max_ack_pending: 0,
            max_request_batch: 0,
            default_max_consumers: 1000,
            direct_get_bytes: 64 << 20,
            memory_max: u64::MAX,
            file_max: u64::MAX,
        }
    }
}

impl StreamConfig {
    /// Equal but for metadata of the server's own (`_nats.…`): a repeated create is then a success.
    pub fn is_same(&self, other: &StreamConfig) -> bool {
        let own = |config: &StreamConfig| {
            let mut config = config.clone();
            config.metadata.retain(|(key, _)| !key.starts_with(SERVER_METADATA));
            config
        };
        own(self) == own(other)
    }

    /// As it is kept: without spare memory, once for the catalog, the stream and every core's table of streams. Nobody
    /// changes it; a stream that is updated gets another one.
    pub fn into_shared(mut self) -> Arc<StreamConfig> {
        self.name.shrink_to_fit();
        self.description.shrink_to_fit();
        self.subjects.shrink_to_fit();
        self.subjects.iter_mut().for_each(String::shrink_to_fit);
        self.metadata.shrink_to_fit();
        for (key, value) in &mut self.metadata {
            key.shrink_to_fit();
            value.shrink_to_fit();
        }
        Arc::new(self)
    }

    /// What the stream reserves of the server's limits. Bytes; 0 if it sets no `max_bytes`.
    pub fn reserved_bytes(&self) -> u64 {
        u64::try_from(self.max_bytes).unwrap_or(0)
    }

    /// Whether the stream stores messages on this literal subject.
    pub fn captures(&self, subject: &[u8]) -> bool {
        self.subjects.iter().any(|pattern| subject::matches(pattern.as_bytes(), subject))
    }
}

/// A configuration as the key of its stream in an ordered map: what is compared is the name.
#[derive(Clone, Debug)]
pub struct ByName(pub Arc<StreamConfig>);

impl Borrow<str> for ByName {
    fn borrow(&self) -> &str {
        &self.0.name
    }
}

impl Ord for ByName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.name.cmp(&other.0.name)
    }
}

impl PartialOrd for ByName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for ByName {}

/// How the keys of the server's own metadata begin.
pub(super) const SERVER_METADATA: &str = "_nats.";
