//! Completing and checking the configuration of a create request, in the order in which nats-server does
//! (server/consumer.go: `setConsumerConfigDefaults`, `checkConsumerCfg`, `addConsumerWithAssignment`).

use super::config::{AckPolicy, ConsumerConfig, DeliverPolicy, Limits};
use crate::go_duration;
use crate::limits::{DESCRIPTION_LEN_MAX, METADATA_LEN_MAX, NAME_LEN_MAX};
use crate::rejection::Rejection;
use crate::subject;
use std::borrow::Cow;

impl ConsumerConfig {
    /// Defaults, then checks, then what is stamped: name, `inactive_threshold` of an ephemeral, `_nats.req.level`.
    /// `generated_name` is taken if the request has no name.
    pub fn complete(
        mut self,
        limits: &Limits<'_>,
        pedantic: bool,
        generated_name: &str,
    ) -> Result<ConsumerConfig, Rejection> {
        let mut corrections = Corrections { pedantic };
        self.clamp(&mut corrections)?;
        self.fill_defaults(limits, &mut corrections)?;
        self.check_names_and_replicas()?;
        self.check_timing()?;
        if self.is_push() {
            self.check_push(limits)?
        } else {
            self.check_pull(limits)?
        }
        self.check_limits(limits)?;
        self.check_filters()?;
        self.check_start()?;
        self.check_rest()?;
        self.stamp(generated_name);
        if self.durable_name.is_empty() && self.name.len() > NAME_LEN_MAX
            || self.durable_name.len() > NAME_LEN_MAX
        {
            return Err(consumer_with(10102, NAME_LEN_MAX));
        }
        Ok(self)
    }

    /// Values that mean nothing become the one that means "none".
    fn clamp(&mut self, corrections: &mut Corrections) -> Result<(), Rejection> {
        if self.max_deliver < -1 {
            corrections.note("max_deliver must be set to -1")?;
        }
        if self.max_deliver == 0 || self.max_deliver < -1 {
            self.max_deliver = -1;
        }
        corrections.not_negative(&mut self.max_waiting, "max_waiting must not be negative")?;
        if self.max_ack_pending < -1 {
            corrections.note("max_ack_pending must be set to -1")?;
            self.max_ack_pending = -1;
        }
        corrections.not_negative(&mut self.max_batch, "max_batch must not be negative")?;
        corrections.not_negative(&mut self.max_expires, "max_expires must not be negative")?;
        corrections.not_negative(&mut self.max_bytes, "max_bytes must not be negative")?;
        corrections.not_negative(&mut self.idle_heartbeat, "idle_heartbeat must not be negative")?;
        corrections.not_negative(&mut self.inactive_threshold, "inactive_threshold must not be negative")
    }

    fn fill_defaults(&mut self, limits: &Limits<'_>, corrections: &mut Corrections) -> Result<(), Rejection> {
        if !self.is_push() && self.max_waiting == 0 {
            self.max_waiting = MAX_WAITING_DEFAULT;
        }
        if self.ack_wait == 0 && self.ack_policy != AckPolicy::None {
            self.ack_wait = ACK_WAIT_DEFAULT;
        }
        if let Some(&first) = self.backoff.first() {
            if self.ack_wait != first {
                corrections.note("first backoff value has to equal batch AckWait")?;
            }
            self.ack_wait = first;
        }
        if self.max_ack_pending == 0 && limits.stream_max_ack_pending > 0 {
            corrections.note("max_ack_pending must be set if it's configured in stream limits")?;
            self.max_ack_pending = limits.stream_max_ack_pending;
        }
        let stream_threshold = nanoseconds(limits.stream_inactive_threshold);
        if self.inactive_threshold == 0 && stream_threshold > 0 {
            corrections.note("inactive_threshold must be set if it's configured in stream limits")?;
            self.inactive_threshold = stream_threshold;
        }
        if self.max_ack_pending == 0 && self.ack_policy != AckPolicy::None {
            let server = limits.server_max_ack_pending;
            self.max_ack_pending =
                if server > 0 { server.min(MAX_ACK_PENDING_DEFAULT) } else { MAX_ACK_PENDING_DEFAULT };
        }
        if !self.is_push() && self.max_batch == 0 && limits.server_max_request_batch > 0 {
            corrections.note("max_request_batch must be set if it's JetStream limits are set")?;
            self.max_batch = limits.server_max_request_batch;
        }
        Ok(())
    }

    fn check_names_and_replicas(&self) -> Result<(), Rejection> {
        for (name, what) in [(&self.durable_name, "consumer durable name"), (&self.name, "consumer name")] {
            if name.bytes().any(|byte| NAME_FORBIDDEN.contains(&byte)) {
                let text = format!(r"{what} can not contain '.', '*', '>', '\', '/'");
                return Err(Rejection::StreamInvalidConfig(text.into()));
            }
        }
        if self.num_replicas > 1 {
            return Err(consumer(10126));
        }
        if self.num_replicas < 0 {
            return Err(Rejection::ReplicasCountCannotBeNegative);
        }
        Ok(())
    }

    fn check_timing(&self) -> Result<(), Rejection> {
        if self.backoff.iter().any(|&step| step < 0) {
            return Err(consumer(10184));
        }
        if self.ack_wait < 0 {
            return Err(consumer(10183));
        }
        self.check_backoff()?;
        if self.description.len() > DESCRIPTION_LEN_MAX {
            return Err(consumer_with(10107, DESCRIPTION_LEN_MAX));
        }
        Ok(())
    }

    /// Also asked by itself, before an update.
    pub(super) fn check_backoff(&self) -> Result<(), Rejection> {
        if self.max_deliver != -1 && self.backoff.len() as i64 > self.max_deliver {
            return Err(consumer(10116));
        }
        Ok(())
    }

    fn check_push(&self, limits: &Limits<'_>) -> Result<(), Rejection> {
        let deliver = self.deliver_subject.as_bytes();
        if subject::has_wildcard(deliver) {
            return Err(consumer(10079));
        }
        if !subject::is_valid(deliver) {
            return Err(consumer(10112));
        }
        if limits.subjects.iter().any(|pattern| subject::matches(pattern.as_bytes(), deliver)) {
            return Err(consumer(10081));
        }
        if self.max_waiting != 0 {
            return Err(consumer(10080));
        }
        if self.max_ack_pending > 0 && self.ack_policy == AckPolicy::None {
            return Err(consumer(10082));
        }
        if self.idle_heartbeat > 0 && self.idle_heartbeat < HEARTBEAT_MIN {
            return Err(consumer(10083));
        }
        Ok(())
    }

    fn check_pull(&self, limits: &Limits<'_>) -> Result<(), Rejection> {
        if self.idle_heartbeat > 0 {
            return Err(consumer(10088));
        }
        if self.flow_control {
            return Err(consumer(10089));
        }
        if self.max_expires != 0 && self.max_expires < MAX_EXPIRES_MIN {
            return Err(consumer(10115));
        }
        let server = limits.server_max_request_batch;
        if server > 0 && self.max_batch > server {
            return Err(consumer_with(10125, server));
        }
        Ok(())
    }

    fn check_limits(&self, limits: &Limits<'_>) -> Result<(), Rejection> {
        for limit in [limits.server_max_ack_pending, limits.stream_max_ack_pending] {
            if limit > 0 && self.max_ack_pending > limit {
                return Err(consumer_with(10121, limit));
            }
        }
        let threshold = nanoseconds(limits.stream_inactive_threshold);
        if threshold > 0 && self.inactive_threshold > threshold {
            return Err(consumer_with(10153, go_duration::text(threshold)));
        }
        Ok(())
    }

    fn check_filters(&self) -> Result<(), Rejection> {
        if !self.filter_subject.is_empty() && !self.filter_subjects.is_empty() {
            return Err(consumer(10136));
        }
        let filters: Vec<&str> = self.filters().collect();
        for (at, filter) in filters.iter().enumerate() {
            if filter.is_empty() {
                return Err(consumer(10139));
            }
            if !subject::is_valid(filter.as_bytes()) {
                return Err(Rejection::StreamInvalidConfig("invalid subject".into()));
            }
            let overlaps = |other: &&str| {
                subject::is_valid(other.as_bytes()) && subject::is_subset(filter.as_bytes(), other.as_bytes())
            };
            if filters[..at].iter().any(overlaps) || filters[at + 1..].iter().any(overlaps) {
                return Err(consumer(10138));
            }
        }
        Ok(())
    }

    fn check_start(&self) -> Result<(), Rejection> {
        let (seq, time) = (self.opt_start_seq > 0, self.opt_start_time.is_some());
        let plain = match self.deliver_policy {
            DeliverPolicy::All => "all",
            DeliverPolicy::Last => "last",
            DeliverPolicy::New => "new",
            DeliverPolicy::LastPerSubject => "last per subject",
            DeliverPolicy::ByStartSequence => {
                return match (seq, time) {
                    (_, true) => conflict("by start sequence, but optional start time is also set"),
                    (false, _) => conflict("by start sequence, but optional start sequence is not set"),
                    _ => Ok(()),
                };
            }
            DeliverPolicy::ByStartTime => {
                return match (seq, time) {
                    (true, _) => conflict("by start time, but optional start start sequence is also set"),
                    (_, false) => conflict("by start time, but optional start time is not set"),
                    _ => Ok(()),
                };
            }
        };
        if seq {
            return conflict(&format!("{plain}, but optional start sequence is also set"));
        }
        if time {
            return conflict(&format!("{plain}, but optional start time is also set"));
        }
        if self.deliver_policy == DeliverPolicy::LastPerSubject && self.filters().next().is_none() {
            return conflict("last per subject, but optional filter subject is not set");
        }
        Ok(())
    }

    fn check_rest(&self) -> Result<(), Rejection> {
        sample_percent(&self.sample_freq).map_err(|text| Rejection::Consumer(10095, text))?;
        if self.flow_control && self.idle_heartbeat == 0 {
            return Err(consumer(10108));
        }
        if !self.durable_name.is_empty() && !self.name.is_empty() && self.durable_name != self.name {
            return Err(consumer(10132));
        }
        let metadata: usize = self.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        if metadata > METADATA_LEN_MAX {
            return Err(Rejection::Consumer(10135, "128KB".to_owned()));
        }
        Ok(())
    }

    fn stamp(&mut self, generated_name: &str) {
        if self.name.is_empty() {
            self.name =
                if self.durable_name.is_empty() { generated_name } else { &self.durable_name }.to_owned();
        }
        if self.durable_name.is_empty() && self.inactive_threshold == 0 {
            self.inactive_threshold = INACTIVE_THRESHOLD_DEFAULT;
        }
        self.metadata
            .retain(|(key, _)| !matches!(key.as_str(), "_nats.ver" | "_nats.level" | REQUIRED_LEVEL));
        self.metadata.push((REQUIRED_LEVEL.to_owned(), "0".to_owned()));
        self.metadata.sort();
        self.metadata.shrink_to_fit();
    }
}

/// Percentage of acks to sample; 0: none. Errors: the text that Go's number parser gives, which for a negative number is
/// that of no error.
pub fn sample_percent(freq: &str) -> Result<u32, String> {
    if freq.is_empty() {
        return Ok(0);
    }
    let digits = freq.strip_suffix('%').unwrap_or(freq);
    let parsed = digits.strip_prefix('+').unwrap_or(digits);
    match parsed.parse::<i64>() {
        Ok(percent) if percent >= 0 => Ok(u32::try_from(percent).unwrap_or(u32::MAX)),
        Ok(_) => Err("<nil>".to_owned()),
        Err(error) => {
            let why = match error.kind() {
                std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                    "value out of range"
                }
                _ => "invalid syntax",
            };
            Err(format!("strconv.Atoi: parsing {digits:?}: {why}"))
        }
    }
}

/// Silent corrections, which pedantic mode refuses.
struct Corrections {
    pedantic: bool,
}

impl Corrections {
    fn note(&self, text: &'static str) -> Result<(), Rejection> {
        if self.pedantic { Err(Rejection::Pedantic(Cow::Borrowed(text))) } else { Ok(()) }
    }

    fn not_negative(&self, value: &mut i64, text: &'static str) -> Result<(), Rejection> {
        if *value < 0 {
            self.note(text)?;
            *value = 0;
        }
        Ok(())
    }
}

fn consumer(err_code: u16) -> Rejection {
    Rejection::Consumer(err_code, String::new())
}

fn consumer_with(err_code: u16, value: impl ToString) -> Rejection {
    Rejection::Consumer(err_code, value.to_string())
}

fn conflict(text: &str) -> Result<(), Rejection> {
    Err(Rejection::ConsumerInvalidPolicy(format!("consumer delivery policy is deliver {text}").into()))
}

fn nanoseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

const REQUIRED_LEVEL: &str = "_nats.req.level";

/// Bytes that no name holds. Source: nats-server, server/consumer.go: `isValidName` and `isValidAssetName`.
const NAME_FORBIDDEN: &[u8] = b" \t\r\n\x0c.*>\\/";

/// Messages. nats-server: `JsDefaultMaxAckPending`.
const MAX_ACK_PENDING_DEFAULT: i64 = 1000;

/// Requests. nats-server: `JSWaitQueueDefaultMax`.
const MAX_WAITING_DEFAULT: i64 = 512;

/// Nanoseconds: 30 s.
const ACK_WAIT_DEFAULT: i64 = 30_000_000_000;

/// Nanoseconds: 5 s, for consumers without a durable name.
const INACTIVE_THRESHOLD_DEFAULT: i64 = 5_000_000_000;

/// Nanoseconds: 100 ms.
const HEARTBEAT_MIN: i64 = 100_000_000;

/// Nanoseconds: 1 ms.
const MAX_EXPIRES_MIN: i64 = 1_000_000;

#[cfg(test)]
#[path = "validate_test.rs"]
mod tests;
