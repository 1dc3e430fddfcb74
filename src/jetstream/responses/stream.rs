//! Streams as clients see them.

use super::{Dynamic, begin, write_metadata, write_page};
use crate::jetstream::endpoint::Endpoint;
use crate::jetstream::json::encode::{Object, write_array};
use shards::shard::answer::{StreamInfo, StreamState};
use shards::stream::config::{Discard, Storage, StreamConfig};

/// Subjects in one page of STREAM.INFO.
pub const SUBJECTS_PAGE: u64 = 100_000;

/// Names in one page of STREAM.NAMES.
pub const NAMES_PAGE: usize = 1024;

/// Streams in one page of STREAM.LIST.
pub const LIST_PAGE: usize = 256;

/// STREAM.CREATE. On a single server a repetition "did create" too.
pub fn created(info: &StreamInfo) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = begin(&mut out, Endpoint::StreamCreate);
    write_info(&mut object, info, Dynamic::Added, None);
    object.bool("did_create", true);
    object.end();
    out
}

/// STREAM.UPDATE.
pub fn updated(info: &StreamInfo) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = begin(&mut out, Endpoint::StreamUpdate);
    write_info(&mut object, info, Dynamic::Added, None);
    object.end();
    out
}

/// STREAM.INFO. `offset` is the request's; it is shown if a filter matched something.
pub fn info(info: &StreamInfo, offset: u64, server_name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = begin(&mut out, Endpoint::StreamInfo);
    match info.state.subjects_total {
        0 => write_page(&mut object, 0, 0, 0),
        total => write_page(&mut object, total, offset, SUBJECTS_PAGE),
    }
    write_info(&mut object, info, Dynamic::Added, Some(server_name));
    object.end();
    out
}

/// STREAM.NAMES: `null` if there are none.
pub fn names(total: usize, offset: usize, names: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = begin(&mut out, Endpoint::StreamNames);
    write_page(&mut object, total as u64, offset as u64, NAMES_PAGE as u64);
    match names {
        [] => object.key("streams").extend_from_slice(b"null"),
        names => object.strings("streams", names),
    }
    object.end();
    out
}

/// STREAM.LIST. `missing` are the names of streams that did not answer.
pub fn list(total: usize, offset: usize, streams: &[&StreamInfo], missing: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = begin(&mut out, Endpoint::StreamList);
    write_page(&mut object, total as u64, offset as u64, LIST_PAGE as u64);
    write_array(object.key("streams"), streams, |out, info| {
        let mut object = Object::begin(out);
        write_info(&mut object, info, Dynamic::LeftOut, None);
        object.end();
    });
    object.strings_if("missing", missing);
    object.end();
    out
}

fn write_info(object: &mut Object<'_>, info: &StreamInfo, dynamic: Dynamic, leader: Option<&str>) {
    write_config(object, &info.config, dynamic);
    object.time("created", info.created);
    write_state(object, &info.state);
    if let Some(leader) = leader {
        let mut cluster = Object::begin(object.key("cluster"));
        cluster.string("leader", leader);
        cluster.end();
    }
    object.time("ts", info.ts);
}

fn write_config(object: &mut Object<'_>, config: &StreamConfig, dynamic: Dynamic) {
    let mut object = Object::begin(object.key("config"));
    object.string("name", &config.name);
    object.string_if("description", &config.description);
    object.strings_if("subjects", &config.subjects);
    object.string("retention", "limits");
    object.number("max_consumers", config.max_consumers);
    object.number("max_msgs", config.max_msgs);
    object.number("max_bytes", config.max_bytes);
    object.number("max_age", config.max_age.as_nanos());
    object.number("max_msgs_per_subject", config.max_msgs_per_subject);
    object.number_if("max_msg_size", config.max_msg_size);
    object.string("discard", if config.discard == Discard::New { "new" } else { "old" });
    object.string("storage", if config.storage == Storage::Memory { "memory" } else { "file" });
    object.number("num_replicas", config.num_replicas);
    object.bool_if("no_ack", config.no_ack);
    object.number_if("duplicate_window", config.duplicate_window.as_nanos());
    object.string("compression", "none");
    object.number_if("first_seq", config.first_seq);
    object.bool("allow_direct", config.allow_direct);
    object.bool("mirror_direct", config.mirror_direct);
    object.bool_if("discard_new_per_subject", config.discard_new_per_subject);
    object.bool("sealed", config.sealed);
    object.bool("deny_delete", config.deny_delete);
    object.bool("deny_purge", config.deny_purge);
    object.bool("allow_rollup_hdrs", config.allow_rollup_hdrs);
    let mut limits = Object::begin(object.key("consumer_limits"));
    limits.number_if("inactive_threshold", config.consumer_limits.inactive_threshold.as_nanos());
    limits.number_if("max_ack_pending", config.consumer_limits.max_ack_pending);
    limits.end();
    object.bool("allow_msg_ttl", config.allow_msg_ttl);
    write_metadata(&mut object, &config.metadata, dynamic);
    object.end();
}

fn write_state(object: &mut Object<'_>, state: &StreamState) {
    let mut object = Object::begin(object.key("state"));
    object.number("messages", state.messages);
    object.number("bytes", state.bytes);
    object.number("first_seq", state.first_seq);
    object.time("first_ts", state.first_ts);
    object.number("last_seq", state.last_seq);
    object.time("last_ts", state.last_ts);
    object.number_if("num_subjects", state.num_subjects);
    if !state.subjects.is_empty() {
        let mut subjects = Object::begin(object.key("subjects"));
        for (subject, count) in &state.subjects {
            subjects.number(subject, count);
        }
        subjects.end();
    }
    object.number_if("num_deleted", state.num_deleted);
    object.numbers_if("deleted", state.deleted.as_deref().unwrap_or_default());
    if !state.lost.is_empty() {
        let mut lost = Object::begin(object.key("lost"));
        lost.numbers("msgs", &state.lost);
        lost.number("bytes", state.lost_bytes);
        lost.end();
    }
    object.number("consumer_count", state.consumer_count);
    object.end();
}
