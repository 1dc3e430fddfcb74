//! The configuration as a consumer keeps it.

use super::config::{AckPolicy, ConsumerConfig};
use super::validate::sample_percent;
use crate::encoding::Reader;
use std::time::Duration;

/// What deliveries, acks and pull requests ask for, at hand; everything, as the bytes that are stored, for the few who want to
/// see it. A configuration has room for much that hardly any consumer uses: as it is, it would be half of an idle one.
#[derive(Debug)]
pub struct Settings {
    pub name: Box<str>,
    /// What `ConsumerConfig::encode` wrote.
    whole: Box<[u8]>,
    pub ack_policy: AckPolicy,
    pub headers_only: bool,
    pub mem_storage: bool,
    /// Share of the acks that are sampled. Percent; 0: none.
    pub sampled: u8,
    pub max_ack_pending: i64,
    pub max_deliver: i64,
    pub max_waiting: i64,
    /// Nanoseconds.
    ack_wait: i64,
    /// Nanoseconds each.
    backoff: Box<[i64]>,
    /// Zero: never.
    pub inactive_after: Duration,
    /// Only if there are any.
    pub request_limits: Option<Box<RequestLimits>>,
}

/// Most that a pull request may ask for; 0: any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestLimits {
    pub max_batch: i64,
    /// Nanoseconds.
    pub max_expires: i64,
    pub max_bytes: i64,
}

impl Settings {
    pub fn of(config: &ConsumerConfig) -> Settings {
        let mut whole = Vec::new();
        config.encode(&mut whole);
        let &ConsumerConfig { max_batch, max_expires, max_bytes, .. } = config;
        let request_limits = RequestLimits { max_batch, max_expires, max_bytes };
        let is_limited = request_limits != RequestLimits::default();
        Settings {
            name: config.name.as_str().into(),
            whole: whole.into(),
            ack_policy: config.ack_policy,
            headers_only: config.headers_only,
            mem_storage: config.mem_storage,
            sampled: sample_percent(&config.sample_freq).unwrap_or(0).min(100) as u8,
            max_ack_pending: config.max_ack_pending,
            max_deliver: config.max_deliver,
            max_waiting: config.max_waiting,
            ack_wait: config.ack_wait,
            backoff: config.backoff.as_slice().into(),
            inactive_after: config.inactive_after(),
            request_limits: is_limited.then(|| request_limits.into()),
        }
    }

    /// Everything.
    pub fn config(&self) -> ConsumerConfig {
        ConsumerConfig::decode(&mut Reader::new(&self.whole)).expect("these bytes were written by `of`")
    }

    /// Appends the configuration, as `ConsumerConfig::encode` does.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.whole);
    }

    /// How long a message may stay unacked after `redeliveries` later deliveries.
    pub fn ack_wait_after(&self, redeliveries: u64) -> Duration {
        let step = self.backoff.len().checked_sub(1).map_or(self.ack_wait, |last| {
            self.backoff[usize::try_from(redeliveries).unwrap_or(last).min(last)]
        });
        Duration::from_nanos(u64::try_from(step).unwrap_or(0))
    }

    /// Whether messages become overdue at the same times as with the other settings.
    pub fn has_timing_of(&self, other: &Settings) -> bool {
        self.ack_wait == other.ack_wait && self.backoff == other.backoff
    }
}
