//! What an account uses and may use.

use super::begin;
use crate::jetstream::API_LEVEL;
use crate::jetstream::endpoint::Endpoint;
use crate::jetstream::json::encode::Object;
use shards::shard::answer::Usage;

/// Requests of an account that were answered, and with an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApiCounts {
    pub total: u64,
    pub errors: u64,
}

/// INFO. No account is limited.
pub fn info(usage: &Usage, counts: ApiCounts) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = begin(&mut out, Endpoint::AccountInfo);
    object.number("memory", usage.memory);
    object.number("storage", usage.storage);
    object.number("reserved_memory", usage.reserved_memory);
    object.number("reserved_storage", usage.reserved_storage);
    object.number("streams", usage.streams);
    object.number("consumers", usage.consumers);
    let mut limits = Object::begin(object.key("limits"));
    for limit in LIMITS {
        limits.number(limit, -1);
    }
    limits.bool("max_bytes_required", false);
    limits.end();
    let mut api = Object::begin(object.key("api"));
    api.number("level", API_LEVEL);
    api.number("total", counts.total);
    api.number("errors", counts.errors);
    api.end();
    object.end();
    out
}

const LIMITS: [&str; 7] = [
    "max_memory",
    "max_storage",
    "max_streams",
    "max_consumers",
    "max_ack_pending",
    "memory_max_stream_bytes",
    "storage_max_stream_bytes",
];
