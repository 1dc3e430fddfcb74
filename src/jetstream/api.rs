//! The API of one core: requests in, questions to shards or replies out.

use super::nuid::Nuid;
use crate::routing::stream_table::StreamTable;
use shards::ids::{AccountId, Origin, ShardId};
use shards::shard::answer::Answer;
use shards::shard::request::{ReplyTo, Request};
use shards::time::{Instant, Now};

/// What the API must know of its server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the server, shown as the leader of every stream.
    pub server_name: String,
    /// Number of shards of this process.
    pub shards: u16,
    /// Seed of generated consumer names; different on every core.
    pub seed: u64,
}

/// A message to a subject of the API (`$JS.API.>`), as slices of wherever it is.
#[derive(Clone, Copy, Debug)]
pub struct ApiRequest<'a> {
    pub account: AccountId,
    pub origin: Origin,
    pub subject: &'a [u8],
    /// Empty: none. The request is executed all the same.
    pub reply: &'a [u8],
    /// The whole header block; empty: none.
    pub headers: &'a [u8],
    pub payload: &'a [u8],
}

/// A message to publish to the reply subject of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The whole header block; empty: none.
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
}

/// What to do with a request.
#[derive(Debug)]
pub enum Handling {
    /// Answer at once.
    Reply(Response),
    /// Ask each of these shards, all with the same `ReplyTo`; every answer goes to `handle_answer`.
    Ask { to: ReplyTo, questions: Vec<(ShardId, Request)> },
    /// Nobody serves this subject: `503` if the asker wants it.
    NoResponders,
    /// No reply at all.
    Silent,
}

/// Lives on: one copy per core. Knows the requests of this core whose answers are under way.
pub struct Api {
    settings: Settings,
    nuid: Nuid,
}

impl Api {
    pub fn new(settings: Settings) -> Self {
        let nuid = Nuid::new(settings.seed);
        Api { settings, nuid }
    }

    /// Decides what becomes of a request. `table` is this core's copy of the stream table.
    pub fn handle_request(&mut self, now: Now, table: &StreamTable, request: ApiRequest<'_>) -> Handling {
        let _ = (now, table, request, &self.settings, &mut self.nuid);
        Handling::Silent
    }

    /// Takes one answer to the question of this `tag`. Returns what to publish to the reply subject, if anything: a
    /// direct get may be answered by several messages, a gather by one when its last answer is here. An answer that
    /// comes too late is ignored.
    pub fn handle_answer(&mut self, tag: u64, from: ShardId, answer: Answer) -> Option<Response> {
        let _ = (tag, from, answer);
        None
    }

    /// When `handle_timeout` must be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Gives up on answers that did not come in time. To be called until it returns `None`; what it returns is to be
    /// published to the reply subject.
    pub fn handle_timeout(&mut self, now: Now) -> Option<(ReplyTo, Response)> {
        let _ = now;
        None
    }
}
