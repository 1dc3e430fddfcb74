//! Requests to create or update a consumer, in all their forms.

use crate::jetstream::endpoint::{CreateForm, Target};
use crate::jetstream::errors::ApiError;
use crate::jetstream::json::Value;
use crate::jetstream::json::decode::{Decoder, FromObject, choice, is_string};
use shards::consumer::config::{AckPolicy, ConsumerConfig, CreateAction, DeliverPolicy};
use std::collections::{BTreeMap, BTreeSet};

/// A consumer as a client wants it, checked against the subject of the request.
#[derive(Clone, Debug)]
pub struct ConsumerRequest {
    pub config: Box<ConsumerConfig>,
    pub action: CreateAction,
    pub pedantic: bool,
}

/// Reads a request to create a consumer. Permissions rest on the subject's tokens, so the body must not say other than
/// they do.
///
/// # Errors
/// 10025 and what nats-server's `jsConsumerCreateRequest` refuses before it looks for the stream, in its order; 10012 for
/// what is not served.
pub fn create(form: CreateForm, target: Target<'_>, body: &[u8]) -> Result<ConsumerRequest, ApiError> {
    let raw: RawRequest = super::decode(body)?;
    let RawRequest { stream_name, config, action, pedantic } = raw;
    let RawConfig { mut config, metadata, unserved, negative_priority_timeout } = config;
    if stream_name != target.stream {
        return Err(ApiError::new(10056));
    }
    check_names(form, target, &mut config)?;
    if !target.subject.is_empty() {
        if !config.filter_subjects.is_empty() {
            return Err(ApiError::new(10137));
        }
        if config.filter_subject != target.subject {
            return Err(ApiError::new(10131));
        }
    }
    if config.num_replicas > 1 {
        return Err(ApiError::new(10074));
    }
    unserved.refuse()?;
    if pedantic && negative_priority_timeout {
        return Err(ApiError::with(10157, "priority_timeout must not be negative"));
    }
    config.metadata = metadata.into_iter().collect();
    Ok(ConsumerRequest { config: Box::new(config), action, pedantic })
}

/// Compares the names of subject and body; afterwards `config.name` is the name, or empty if one must be generated.
fn check_names(form: CreateForm, target: Target<'_>, config: &mut ConsumerConfig) -> Result<(), ApiError> {
    if target.consumer.contains(['/', '\\']) {
        return Err(ApiError::new(10127));
    }
    let durable = &config.durable_name;
    match form {
        CreateForm::Durable if durable.is_empty() => return Err(ApiError::new(10018)),
        CreateForm::Durable | CreateForm::Named if !durable.is_empty() && durable != target.consumer => {
            return Err(ApiError::new(10017));
        }
        CreateForm::Ephemeral if !durable.is_empty() => return Err(ApiError::new(10020)),
        CreateForm::Ephemeral => {}
        CreateForm::Durable | CreateForm::Named => target.consumer.clone_into(&mut config.name),
    }
    if config.name.contains(['/', '\\']) {
        return Err(ApiError::new(10127));
    }
    Ok(())
}

/// The request as it stands in the body.
#[derive(Default)]
struct RawRequest {
    stream_name: String,
    config: RawConfig,
    action: CreateAction,
    pedantic: bool,
}

#[derive(Default)]
struct RawConfig {
    config: ConsumerConfig,
    metadata: BTreeMap<String, String>,
    unserved: Unserved,
    /// As good as none, except in pedantic mode.
    negative_priority_timeout: bool,
}

impl FromObject for RawRequest {
    const GO_NAME: &'static str = "CreateConsumerRequest";

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        match key {
            "stream_name" => decoder.string(value, &mut self.stream_name),
            "config" => decoder.object(value, &mut self.config)?,
            "action" => self.action = action(value)?,
            "pedantic" => decoder.bool(value, &mut self.pedantic),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl FromObject for RawConfig {
    const GO_NAME: &'static str = "ConsumerConfig";

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        let config = &mut self.config;
        match key {
            "durable_name" => decoder.string(value, &mut config.durable_name),
            "name" => decoder.string(value, &mut config.name),
            "description" => decoder.string(value, &mut config.description),
            "deliver_policy" => config.deliver_policy = choice(value, DELIVER_POLICIES)?,
            "opt_start_seq" => decoder.uint64(value, &mut config.opt_start_seq),
            "opt_start_time" => decoder.time(value, &mut config.opt_start_time)?,
            "ack_policy" => {
                let policy = choice(value, ACK_POLICIES)?;
                config.ack_policy = policy.unwrap_or_default();
                self.unserved.note("ack_policy", policy.is_some());
            }
            "ack_wait" => decoder.duration(value, &mut config.ack_wait),
            "max_deliver" => decoder.int(value, "int", &mut config.max_deliver),
            "backoff" => decoder.durations(value, &mut config.backoff),
            "filter_subject" => decoder.string(value, &mut config.filter_subject),
            "filter_subjects" => decoder.strings(value, &mut config.filter_subjects),
            "sample_freq" => decoder.string(value, &mut config.sample_freq),
            "max_waiting" => decoder.int(value, "int", &mut config.max_waiting),
            "max_ack_pending" => decoder.int(value, "int", &mut config.max_ack_pending),
            "flow_control" => decoder.bool(value, &mut config.flow_control),
            "headers_only" => decoder.bool(value, &mut config.headers_only),
            "max_batch" => decoder.int(value, "int", &mut config.max_batch),
            "max_expires" => decoder.duration(value, &mut config.max_expires),
            "max_bytes" => decoder.int(value, "int", &mut config.max_bytes),
            "deliver_subject" => decoder.string(value, &mut config.deliver_subject),
            "deliver_group" => decoder.string(value, &mut config.deliver_group),
            "idle_heartbeat" => decoder.duration(value, &mut config.idle_heartbeat),
            "inactive_threshold" => decoder.duration(value, &mut config.inactive_threshold),
            "num_replicas" => decoder.int(value, "int", &mut config.num_replicas),
            "mem_storage" => decoder.bool(value, &mut config.mem_storage),
            "metadata" => decoder.map(value, &mut self.metadata),
            _ => return self.unserved_member(decoder, key, value),
        }
        Ok(true)
    }
}

impl RawConfig {
    /// Fields that are read only to refuse what they ask for.
    fn unserved_member(
        &mut self,
        decoder: &mut Decoder,
        key: &str,
        value: Value<'_>,
    ) -> Result<bool, String> {
        let unserved = &mut self.unserved;
        match key {
            "replay_policy" => {
                unserved.note("replay_policy", choice(value, &[("instant", true), ("original", false)])?);
            }
            "rate_limit_bps" => {
                let mut bits = 0;
                decoder.uint64(value, &mut bits);
                unserved.note("rate_limit_bps", bits == 0);
            }
            "direct" | "sourcing" => {
                let mut on = false;
                decoder.bool(value, &mut on);
                unserved.note(if key == "direct" { "direct" } else { "sourcing" }, !on);
            }
            "pause_until" => {
                let mut until = None;
                decoder.time(value, &mut until)?;
                unserved.note("pause_until", until.is_none_or(|until| until.0 == 0));
            }
            "priority_groups" => {
                let mut groups = Vec::new();
                decoder.strings(value, &mut groups);
                unserved.note("priority_groups", groups.is_empty());
            }
            "priority_policy" => unserved.note("priority_policy", priority_is_none(value)?),
            "priority_timeout" => {
                let mut nanos = 0;
                decoder.duration(value, &mut nanos);
                unserved.note("priority_timeout", nanos <= 0);
                self.negative_priority_timeout = nanos < 0;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Fields with a value that asks for something which is not served.
#[derive(Clone, Debug, Default)]
struct Unserved(BTreeSet<&'static str>);

impl Unserved {
    /// Notes what the last occurrence of a field asked for.
    fn note(&mut self, field: &'static str, is_off: bool) {
        if is_off {
            self.0.remove(field);
        } else {
            self.0.insert(field);
        }
    }

    /// # Errors
    /// 10012 with a sentence, if anything was asked for.
    fn refuse(&self) -> Result<(), ApiError> {
        self.0.first().map_or(Ok(()), |field| Err(ApiError::unserved(10012, field)))
    }
}

fn action(value: Value<'_>) -> Result<CreateAction, String> {
    let actions =
        [("", CreateAction::Upsert), ("create", CreateAction::Create), ("update", CreateAction::Update)];
    choice(value, &actions).map_err(|_| unknown("consumer action", value))
}

fn priority_is_none(value: Value<'_>) -> Result<bool, String> {
    match ["overflow", "pinned_client", "prioritized"].iter().any(|policy| is_string(value, policy)) {
        true => Ok(false),
        false if is_string(value, "none") => Ok(true),
        false => Err(unknown("priority policy", value)),
    }
}

fn unknown(what: &str, value: Value<'_>) -> String {
    format!("unknown {what}: {}", String::from_utf8_lossy(value.text()))
}

const DELIVER_POLICIES: &[(&str, DeliverPolicy)] = &[
    ("all", DeliverPolicy::All),
    ("undefined", DeliverPolicy::All),
    ("last", DeliverPolicy::Last),
    ("last_per_subject", DeliverPolicy::LastPerSubject),
    ("new", DeliverPolicy::New),
    ("by_start_sequence", DeliverPolicy::ByStartSequence),
    ("by_start_time", DeliverPolicy::ByStartTime),
];

/// `None`: known, but not served.
const ACK_POLICIES: &[(&str, Option<AckPolicy>)] = &[
    ("none", Some(AckPolicy::None)),
    ("all", Some(AckPolicy::All)),
    ("explicit", Some(AckPolicy::Explicit)),
    ("flow_control", None),
];
