//! The configuration of a consumer, as the engine serves it.

use crate::time::WallTime;
use std::time::Duration;

/// Where a new consumer starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliverPolicy {
    #[default]
    All,
    Last,
    New,
    ByStartSequence,
    ByStartTime,
    LastPerSubject,
}

/// Which deliveries wait for an acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckPolicy {
    #[default]
    None,
    All,
    Explicit,
}

/// What a create request asks for when the consumer exists, or does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CreateAction {
    /// `""`: create or update.
    #[default]
    Upsert,
    Create,
    Update,
}

/// Only what is served; everything else is refused where JSON is read. Names, units and defaults follow the JetStream
/// API (spec: ConsumerConfig). `complete` applies the defaulting pass; signed fields keep the sign that the request had
/// until then, because pedantic mode asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// Empty: not durable.
    pub durable_name: String,
    pub name: String,
    pub description: String,
    pub deliver_policy: DeliverPolicy,
    /// 0: unset.
    pub opt_start_seq: u64,
    pub opt_start_time: Option<WallTime>,
    pub ack_policy: AckPolicy,
    /// Nanoseconds.
    pub ack_wait: i64,
    pub max_deliver: i64,
    /// Nanoseconds each.
    pub backoff: Vec<i64>,
    pub filter_subject: String,
    pub filter_subjects: Vec<String>,
    pub max_waiting: i64,
    pub max_ack_pending: i64,
    pub flow_control: bool,
    pub headers_only: bool,
    pub max_batch: i64,
    /// Nanoseconds.
    pub max_expires: i64,
    pub max_bytes: i64,
    /// Empty: a pull consumer.
    pub deliver_subject: String,
    pub deliver_group: String,
    /// Nanoseconds.
    pub idle_heartbeat: i64,
    /// Nanoseconds.
    pub inactive_threshold: i64,
    pub num_replicas: i64,
    pub mem_storage: bool,
    /// A percentage as text (`"30"`, `"30%"`); empty: no sampling.
    pub sample_freq: String,
    /// Sorted by key. `_nats.req.level` is part of it after `complete`.
    pub metadata: Vec<(String, String)>,
}

impl ConsumerConfig {
    /// Push consumers send to a subject of their own; pull consumers answer requests.
    pub fn is_push(&self) -> bool {
        !self.deliver_subject.is_empty()
    }

    /// The filters, from whichever field was used; none: the whole stream.
    pub fn filters(&self) -> impl Iterator<Item = &str> {
        let one = Some(&self.filter_subject).filter(|filter| !filter.is_empty());
        one.into_iter().chain(&self.filter_subjects).map(String::as_str)
    }

    /// Longest time without activity before the consumer is deleted; zero: never.
    pub fn inactive_after(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.inactive_threshold).unwrap_or(0))
    }
}

/// What surrounds a consumer and bounds its configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits<'a> {
    /// Subjects of the stream.
    pub subjects: &'a [String],
    /// The stream's `consumer_limits.max_ack_pending`; 0: none.
    pub stream_max_ack_pending: i64,
    /// The stream's `consumer_limits.inactive_threshold`; zero: none.
    pub stream_inactive_threshold: Duration,
    /// The server's `max_ack_pending`; 0: none.
    pub server_max_ack_pending: i64,
    /// The server's `max_request_batch`; 0: none.
    pub server_max_request_batch: i64,
}

/// What a create request comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is no such consumer: make one (if the stream's `max_consumers` allows it).
    Create,
    /// It exists with this configuration: answer with its info.
    Same,
    /// It exists and takes the new configuration.
    Update,
}
