//! Requests to create and update a stream.

use super::unserved_stream::UnservedStream;
use crate::jetstream::errors::ApiError;
use crate::jetstream::json::Value;
use crate::jetstream::json::decode::{Decoder, FromObject, choice, is_string};
use shards::stream::config::{ConsumerLimits, Discard, Storage, StreamConfig};
use std::collections::BTreeMap;
use std::time::Duration;

/// A stream's configuration as a client wants it, and whether anything may be adjusted in silence.
#[derive(Clone, Debug)]
pub struct StreamRequest {
    pub config: Box<StreamConfig>,
    pub pedantic: bool,
}

/// Reads a request to create the stream `name`.
///
/// # Errors
/// 10025; 10056 if the body names another stream; 10128; 10052.
pub fn create(name: &str, body: &[u8]) -> Result<StreamRequest, ApiError> {
    let raw: RawRequest = super::decode(body)?;
    if raw.config.name != name {
        return Err(ApiError::new(10056));
    }
    if name.contains(['/', '\\']) {
        return Err(ApiError::new(10128));
    }
    if raw.config.sealed {
        return Err(ApiError::with(10052, "stream configuration for create can not be sealed"));
    }
    if raw.config.mirror_direct && raw.unserved.mirror.is_none() {
        return Err(ApiError::with(10052, "stream has no mirror but does have mirror direct"));
    }
    raw.finish()
}

/// Reads a request to update the stream `name`.
///
/// # Errors
/// 10025; 10052; 10056 if the body names another stream. A missing name is left to the engine, whose error it is.
pub fn update(name: &str, body: &[u8]) -> Result<StreamRequest, ApiError> {
    let raw: RawRequest = super::decode(body)?;
    let request = raw.finish()?;
    if !request.config.name.is_empty() && request.config.name != name {
        return Err(ApiError::new(10056));
    }
    Ok(request)
}

/// The request as it stands in the body.
#[derive(Default)]
struct RawRequest {
    config: StreamConfig,
    /// Nanoseconds, as are the next two.
    max_age: i64,
    duplicate_window: i64,
    inactive_threshold: i64,
    metadata: BTreeMap<String, String>,
    pedantic: bool,
    unserved: UnservedStream,
}

impl RawRequest {
    fn finish(self) -> Result<StreamRequest, ApiError> {
        let not_negative = |nanos: i64, refusal: &'static str| {
            u64::try_from(nanos).map(Duration::from_nanos).map_err(|_| ApiError::with(10052, refusal))
        };
        let mut config = Box::new(self.config);
        config.max_age = not_negative(self.max_age, "max age can not be negative")?;
        config.duplicate_window =
            not_negative(self.duplicate_window, "duplicates window can not be negative")?;
        config.consumer_limits.inactive_threshold =
            Duration::from_nanos(u64::try_from(self.inactive_threshold).unwrap_or(0));
        config.metadata = self.metadata.into_iter().collect();
        self.unserved.refuse(&config, self.pedantic)?;
        Ok(StreamRequest { config, pedantic: self.pedantic })
    }
}

impl FromObject for RawRequest {
    const GO_NAME: &'static str = "StreamConfigRequest";

    fn embedded_in(key: &str) -> Option<&'static str> {
        (key != "pedantic").then_some("StreamConfig")
    }

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        let config = &mut self.config;
        match key {
            "name" => decoder.string(value, &mut config.name),
            "description" => decoder.string(value, &mut config.description),
            "subjects" => decoder.strings(value, &mut config.subjects),
            "max_consumers" => decoder.int(value, "int", &mut config.max_consumers),
            "max_msgs" => decoder.int(value, "int64", &mut config.max_msgs),
            "max_bytes" => decoder.int(value, "int64", &mut config.max_bytes),
            "max_age" => decoder.duration(value, &mut self.max_age),
            "max_msgs_per_subject" => decoder.int(value, "int64", &mut config.max_msgs_per_subject),
            "max_msg_size" => decoder.int32(value, &mut config.max_msg_size),
            "discard" => config.discard = discard(value)?,
            "storage" => {
                config.storage = choice(value, &[("memory", Storage::Memory), ("file", Storage::File)])?;
            }
            "num_replicas" => decoder.int(value, "int", &mut config.num_replicas),
            "no_ack" => decoder.bool(value, &mut config.no_ack),
            "duplicate_window" => decoder.duration(value, &mut self.duplicate_window),
            "first_seq" => decoder.uint64(value, &mut config.first_seq),
            "allow_direct" => decoder.bool(value, &mut config.allow_direct),
            "mirror_direct" => decoder.bool(value, &mut config.mirror_direct),
            "discard_new_per_subject" => decoder.bool(value, &mut config.discard_new_per_subject),
            "sealed" => decoder.bool(value, &mut config.sealed),
            "deny_delete" => decoder.bool(value, &mut config.deny_delete),
            "deny_purge" => decoder.bool(value, &mut config.deny_purge),
            "allow_rollup_hdrs" => decoder.bool(value, &mut config.allow_rollup_hdrs),
            "consumer_limits" => {
                let mut limits = RawConsumerLimits {
                    limits: &mut config.consumer_limits,
                    inactive_threshold: &mut self.inactive_threshold,
                };
                decoder.object(value, &mut limits)?;
            }
            "allow_msg_ttl" => decoder.bool(value, &mut config.allow_msg_ttl),
            "metadata" => decoder.map(value, &mut self.metadata),
            "pedantic" => decoder.bool(value, &mut self.pedantic),
            _ => return self.unserved.member(decoder, key, value),
        }
        Ok(true)
    }
}

/// `consumer_limits`, whose threshold keeps its sign until the request is complete.
struct RawConsumerLimits<'a> {
    limits: &'a mut ConsumerLimits,
    inactive_threshold: &'a mut i64,
}

impl FromObject for RawConsumerLimits<'_> {
    const GO_NAME: &'static str = "StreamConsumerLimits";

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        match key {
            "inactive_threshold" => decoder.duration(value, self.inactive_threshold),
            "max_ack_pending" => decoder.int(value, "int", &mut self.limits.max_ack_pending),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The one enumeration that is read in any case.
fn discard(value: Value<'_>) -> Result<Discard, String> {
    let lower = value.text().to_ascii_lowercase();
    match Value::scan(&lower, 0) {
        Ok(Some((value, _))) if is_string(value, "old") => Ok(Discard::Old),
        Ok(Some((value, _))) if is_string(value, "new") => Ok(Discard::New),
        _ => choice(value, &[]),
    }
}
