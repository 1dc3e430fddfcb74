//! Bodies of API responses, byte for byte as nats-server writes them.
//! May import: jetstream::{endpoint, errors, json}, `shards` (time, shard::answer, stream::config, consumer::config).
//! Must not know: which request is answered, how answers travel.

pub mod account;
pub mod consumer;
pub mod stream;

use super::endpoint::Endpoint;
use super::errors::ApiError;
use super::json::encode::{Object, write_string};
use super::{API_LEVEL, NATS_VERSION};
use shards::shard::answer::StoredMessage;

/// Whether metadata gets the server's version and level, which are never stored (NATS ADR-44).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dynamic {
    Added,
    LeftOut,
}

/// Begins a response with its type.
pub(super) fn begin(out: &mut Vec<u8>, endpoint: Endpoint) -> Object<'_> {
    let mut object = Object::begin(out);
    let name = ["io.nats.jetstream.api.v1.", endpoint.response_name(), "_response"].concat();
    object.string("type", &name);
    object
}

/// A refusal.
pub fn error(endpoint: Endpoint, error: &ApiError) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = begin(&mut out, endpoint);
    error.write(object.key("error"));
    object.raw(endpoint.error_body());
    object.end();
    out
}

/// `"success":true`.
pub fn success(endpoint: Endpoint) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = begin(&mut out, endpoint);
    object.bool("success", true);
    object.end();
    out
}

/// STREAM.PURGE.
pub fn purged(count: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = begin(&mut out, Endpoint::StreamPurge);
    object.bool("success", true);
    object.number("purged", count);
    object.end();
    out
}

/// STREAM.MSG.GET.
pub fn message(message: &StoredMessage, no_hdr: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.payload.len() * 4 / 3 + message.headers.len() * 4 / 3 + 256);
    let mut object = begin(&mut out, Endpoint::MessageGet);
    let mut inner = Object::begin(object.key("message"));
    inner.text("subject", &message.subject);
    inner.number("seq", message.seq);
    if !message.headers.is_empty() && !no_hdr {
        inner.base64("hdrs", &message.headers);
    }
    if !message.payload.is_empty() {
        inner.base64("data", &message.payload);
    }
    inner.time("time", message.time);
    inner.end();
    object.end();
    out
}

/// Writes the numbers of a page.
pub(super) fn write_page(object: &mut Object<'_>, total: u64, offset: u64, limit: u64) {
    object.number("total", total);
    object.number("offset", offset);
    object.number("limit", limit);
}

/// Writes metadata, sorted by key, if there is any.
pub(super) fn write_metadata(object: &mut Object<'_>, metadata: &[(String, String)], dynamic: Dynamic) {
    let level = API_LEVEL.to_string();
    let added = [("_nats.level", level.as_str()), ("_nats.ver", NATS_VERSION)];
    let mut members: Vec<(&str, &str)> =
        metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    if dynamic == Dynamic::Added {
        members.extend(added);
        members.sort_unstable();
    }
    if members.is_empty() {
        return;
    }
    let mut map = Object::begin(object.key("metadata"));
    for (key, value) in members {
        write_string(map.key(key), value.as_bytes());
    }
    map.end();
}

#[cfg(test)]
#[path = "responses_test.rs"]
mod tests;
