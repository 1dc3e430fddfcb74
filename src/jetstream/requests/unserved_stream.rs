//! What a stream may be asked for that is not served. Read to be refused: in nats-server's words where it would refuse
//! too, else with a sentence.

use crate::jetstream::errors::ApiError;
use crate::jetstream::json::decode::{Decoder, FromObject, choice};
use crate::jetstream::json::{Kind, Value};
use shards::stream::config::{Discard, Storage, StreamConfig};

/// The fields of a stream's configuration that ask for something which is not served.
#[derive(Debug, Default)]
pub(super) struct UnservedStream {
    /// Interest or work queue.
    retention: bool,
    pub(super) mirror: Option<Origin>,
    sources: Vec<Origin>,
    compression: bool,
    subject_transform: bool,
    republish: Option<Republish>,
    placement: Placement,
    /// Nanoseconds.
    marker_ttl: i64,
    counter: bool,
    atomic: bool,
    schedules: bool,
    persist_async: bool,
    batched: bool,
}

impl UnservedStream {
    /// Reads one of these fields; false if it is none.
    pub(super) fn member(
        &mut self,
        decoder: &mut Decoder,
        key: &str,
        value: Value<'_>,
    ) -> Result<bool, String> {
        match key {
            "retention" => {
                self.retention =
                    choice(value, &[("limits", false), ("interest", true), ("workqueue", true)])?;
            }
            "compression" => {
                if decoder.is(value, Kind::String, || "string".to_owned()) {
                    let known = choice(value, &[("none", false), ("s2", true)]);
                    self.compression = known.map_err(|_| "unknown compression algorithm".to_owned())?;
                }
            }
            "persist_mode" => {
                self.persist_async = choice(value, &[("default", false), ("", false), ("async", true)])?;
            }
            "mirror" => decoder.optional(value, &mut self.mirror)?,
            "sources" => decoder.objects(value, &mut self.sources)?,
            "placement" => decoder.object(value, &mut self.placement)?,
            "republish" => decoder.optional(value, &mut self.republish)?,
            "subject_transform" => {
                decoder.is(value, Kind::Object, || "server.SubjectTransformConfig".to_owned());
                self.subject_transform = !value.is_zero();
            }
            "subject_delete_marker_ttl" => decoder.duration(value, &mut self.marker_ttl),
            "allow_msg_counter" => decoder.bool(value, &mut self.counter),
            "allow_atomic" => decoder.bool(value, &mut self.atomic),
            "allow_msg_schedules" => decoder.bool(value, &mut self.schedules),
            "allow_batched" => decoder.bool(value, &mut self.batched),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// # Errors
    /// The refusal, if anything was asked for.
    pub(super) fn refuse(&self, config: &StreamConfig, pedantic: bool) -> Result<(), ApiError> {
        if let Some(text) = self.contradiction(config, pedantic) {
            return Err(ApiError::with(10052, text));
        }
        if let Some(err_code) = self.origin_mistake(config) {
            return Err(ApiError::new(err_code));
        }
        if pedantic && self.republish.as_ref().is_some_and(|republish| republish.src.is_empty()) {
            return Err(ApiError::with(10157, "republish source can not be empty"));
        }
        if !self.placement.preferred.is_empty() {
            return Err(ApiError::with(10052, "preferred server not permitted in placement"));
        }
        self.asked_for().map_or(Ok(()), |field| Err(ApiError::unserved(10052, field)))
    }

    /// Settings that exclude each other, in nats-server's order (server/stream.go, `checkStreamCfg`).
    fn contradiction(&self, config: &StreamConfig, pedantic: bool) -> Option<&'static str> {
        let discard_new = config.discard == Discard::New;
        let marker = self.marker_ttl > 0;
        let rules = [
            (self.counter && discard_new, "counter stream cannot use discard new"),
            (self.counter && config.allow_msg_ttl, "counter stream cannot use message TTLs"),
            (self.counter && self.schedules, "counter stream cannot use message schedules"),
            (self.counter && self.retention, "counter stream can only use limits retention"),
            (marker && self.marker_ttl < SECOND, "subject delete marker TTL must be at least 1 second"),
            (
                pedantic && marker && !config.allow_msg_ttl,
                "subject delete marker cannot be set if message TTLs are disabled",
            ),
            (
                pedantic && marker && !config.allow_rollup_hdrs,
                "subject delete marker cannot be set if roll-ups are disabled",
            ),
            (self.marker_ttl < 0, "subject delete marker TTL must not be negative"),
            (self.schedules && discard_new, "message scheduling cannot use discard new"),
            (
                pedantic && self.schedules && !config.allow_rollup_hdrs,
                "message scheduling cannot be set if roll-ups are disabled",
            ),
            (
                self.persist_async && config.storage != Storage::File,
                "async persist mode is only supported on file storage",
            ),
            (
                self.persist_async && config.num_replicas > 1,
                "async persist mode is not supported on replicated streams",
            ),
            (
                self.persist_async && self.atomic,
                "async persist mode is not supported with atomic batch publish",
            ),
        ];
        rules.into_iter().find_map(|(broken, text)| broken.then_some(text))
    }

    /// The `err_code` of what is wrong with mirror or sources by themselves, in nats-server's order.
    fn origin_mistake(&self, config: &StreamConfig) -> Option<u16> {
        let mirror = |origin: &Origin| {
            let rules = [
                (config.first_seq > 0, 10143),
                (!config.subjects.is_empty(), 10034),
                (!self.sources.is_empty(), 10031),
                (self.counter, 10173),
                (self.atomic, 10198),
                (self.batched, 10209),
                (self.schedules, 10186),
                (origin.filters_twice(), 10150),
                (origin.has_bad_name(), 10142),
            ];
            rules.into_iter().find_map(|(broken, err_code)| broken.then_some(err_code))
        };
        let source = |origin: &Origin| {
            let rules =
                [(self.schedules, 10187), (origin.has_bad_name(), 10141), (origin.filters_twice(), 10144)];
            rules.into_iter().find_map(|(broken, err_code)| broken.then_some(err_code))
        };
        self.mirror.as_ref().and_then(mirror).or_else(|| self.sources.iter().find_map(source))
    }

    /// The first field that asks for something.
    fn asked_for(&self) -> Option<&'static str> {
        let fields = [
            (self.retention, "retention"),
            (self.mirror.is_some(), "mirror"),
            (!self.sources.is_empty(), "sources"),
            (self.placement.is_set(), "placement"),
            (self.compression, "compression"),
            (self.subject_transform, "subject_transform"),
            (self.republish.is_some(), "republish"),
            (self.marker_ttl != 0, "subject_delete_marker_ttl"),
            (self.counter, "allow_msg_counter"),
            (self.atomic, "allow_atomic"),
            (self.schedules, "allow_msg_schedules"),
            (self.persist_async, "persist_mode"),
            (self.batched, "allow_batched"),
        ];
        fields.into_iter().find_map(|(asked, field)| asked.then_some(field))
    }
}

/// A mirror or a source.
#[derive(Debug, Default)]
pub(super) struct Origin {
    name: String,
    filter_subject: String,
    /// Whether there are transforms.
    transforms: bool,
    /// Whether the origin is in another domain.
    external: bool,
}

impl Origin {
    fn filters_twice(&self) -> bool {
        self.transforms && !self.filter_subject.is_empty()
    }

    fn has_bad_name(&self) -> bool {
        let forbidden = [' ', '\t', '\r', '\n', '\u{c}', '.', '*', '>', '\\', '/'];
        !self.external && (self.name.is_empty() || self.name.contains(forbidden))
    }
}

impl FromObject for Origin {
    const GO_NAME: &'static str = "StreamSource";

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        match key {
            "name" => decoder.string(value, &mut self.name),
            "filter_subject" => decoder.string(value, &mut self.filter_subject),
            "subject_transforms" => {
                decoder.is(value, Kind::Array, || "[]server.SubjectTransformConfig".to_owned());
                self.transforms = !value.is_zero();
            }
            "external" => {
                self.external = decoder.is(value, Kind::Object, || "server.ExternalStream".to_owned());
            }
            "opt_start_seq" => decoder.uint64(value, &mut 0),
            "opt_start_time" => decoder.time(value, &mut None)?,
            "consumer" => {
                decoder.is(value, Kind::Object, || "server.StreamConsumerSource".to_owned());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[derive(Debug, Default)]
struct Republish {
    src: String,
}

impl FromObject for Republish {
    const GO_NAME: &'static str = "RePublish";

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        match key {
            "src" => decoder.string(value, &mut self.src),
            "dest" => decoder.string(value, &mut String::new()),
            "headers_only" => decoder.bool(value, &mut false),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[derive(Debug, Default)]
struct Placement {
    cluster: String,
    tags: Vec<String>,
    preferred: String,
}

impl Placement {
    fn is_set(&self) -> bool {
        !(self.cluster.is_empty() && self.tags.is_empty() && self.preferred.is_empty())
    }
}

impl FromObject for Placement {
    const GO_NAME: &'static str = "Placement";

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        match key {
            "cluster" => decoder.string(value, &mut self.cluster),
            "tags" => decoder.strings(value, &mut self.tags),
            "preferred" => decoder.string(value, &mut self.preferred),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Nanoseconds.
const SECOND: i64 = 1_000_000_000;
