//! The JSON API of streams and consumers, pub acks, direct gets and advisories: NATS messages ↔ the engine's requests.
//! May import: limits, routing, `shards` (ids, time, limits, rejection, subject, headers, shard, stream::config, consumer::config).
//! Must not know: connections, sockets, on which core it runs, how the engine works.

pub mod advisories;
pub mod api;
mod decide;
pub mod direct;
pub mod endpoint;
pub mod errors;
pub mod json;
pub mod nuid;
pub mod pub_ack;
pub mod requests;
pub mod responses;
pub mod time_text;
mod waiting;

/// The nats-server release whose API this is; `_nats.ver` in the metadata of responses.
pub const NATS_VERSION: &str = "2.15.2";

/// The level of the API (NATS ADR-44); `_nats.level` in the metadata of responses.
pub const API_LEVEL: u32 = 5;
