//! The API of one core: requests in, questions to shards or replies out.

pub use super::direct::Response;

use super::decide::{Desk, Step};
use super::direct;
use super::endpoint::{self, Endpoint, Route, Target};
use super::errors::ApiError;
use super::nuid::Nuid;
use super::requests;
use super::requests::messages::{self, DirectRefusal};
use super::responses::account::ApiCounts;
use super::waiting::{Context, Expected, Outcome, Reply};
use crate::limits::{API_ANSWER_TIMEOUT, API_GATHER_TIMEOUT, API_REQUESTS_MAX};
use crate::routing::stream_table::StreamTable;
use shards::ids::{AccountId, Origin, ShardId};
use shards::shard::answer::Answer;
use shards::shard::request::{DirectGet, ReplyTo, Request};
use shards::time::{Instant, Now};
use std::collections::{BTreeMap, BTreeSet};

/// What the API must know of its server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the server, shown as the leader of every stream.
    pub server_name: String,
    /// Number of shards of this process.
    pub shards: u16,
    /// Seed of generated consumer names; different on every core and at every start.
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
#[derive(Debug)]
pub struct Api {
    settings: Settings,
    nuid: Nuid,
    /// Requests by tag. At most `API_REQUESTS_MAX`.
    waiting: BTreeMap<u64, Waiting>,
    /// Their deadlines, soonest first.
    deadlines: BTreeSet<(Instant, u64)>,
    last_tag: u64,
    counts: BTreeMap<AccountId, ApiCounts>,
}

#[derive(Debug)]
struct Waiting {
    to: ReplyTo,
    deadline: Instant,
    expected: Expected,
}

impl Api {
    pub fn new(settings: Settings) -> Self {
        let nuid = Nuid::new(settings.seed);
        let (waiting, deadlines, counts) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Api { settings, nuid, waiting, deadlines, last_tag: 0, counts }
    }

    /// Decides what becomes of a request. `table` is this core's copy of the stream table.
    pub fn handle_request(&mut self, now: Now, table: &StreamTable, request: ApiRequest<'_>) -> Handling {
        match endpoint::route(request.subject) {
            Route::Silent => Handling::Silent,
            Route::NoResponders => Handling::NoResponders,
            Route::To(Endpoint::DirectGet, target) => self.direct_get(now, table, &request, target),
            // Consumers listen to this one themselves: without the stream nobody does.
            Route::To(Endpoint::ConsumerReset, target)
                if table.by_name(request.account, target.stream).is_none() =>
            {
                Handling::Silent
            }
            Route::To(endpoint, target) => match self.decide(table, &request, endpoint, target) {
                Ok(Step::Reply(payload)) => self.reply(request.account, Reply::Success(payload)),
                Ok(Step::Ask(questions, expected)) => self.ask(now, &request, questions, expected, endpoint),
                Err(error) => self.reply(request.account, Reply::refusal(endpoint, &error)),
            },
        }
    }

    /// Takes one answer to the question of this `tag`. Returns what to publish to the reply subject, if anything: a
    /// direct get may be answered by several messages, a gather by one when its last answer is here. An answer that
    /// comes too late is ignored.
    pub fn handle_answer(&mut self, tag: u64, answer: Answer) -> Option<Response> {
        let waiting = self.waiting.get_mut(&tag)?;
        let account = waiting.to.account;
        let counts = self.counts.get(&account).copied().unwrap_or_default();
        let context = Context { server_name: &self.settings.server_name, counts };
        let outcome = waiting.expected.take(answer, context);
        match outcome {
            Outcome::Wait => None,
            Outcome::Part(response) => Some(response),
            Outcome::Last(response) => {
                self.forget(tag);
                Some(response)
            }
            Outcome::Done(reply) => {
                self.forget(tag);
                Some(self.count(account, reply))
            }
        }
    }

    /// When `handle_timeout` must be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Gives up on answers that did not come in time. To be called until it returns `None`; what it returns is to be
    /// published to the reply subject.
    pub fn handle_timeout(&mut self, now: Now) -> Option<(ReplyTo, Response)> {
        while let Some(&(deadline, tag)) = self.deadlines.first() {
            if deadline > now.monotonic {
                return None;
            }
            let waiting = self.forget(tag)?;
            if let Some(reply) = waiting.expected.give_up() {
                let response = self.count(waiting.to.account, reply);
                return Some((waiting.to, response));
            }
        }
        None
    }

    fn decide(
        &mut self,
        table: &StreamTable,
        request: &ApiRequest<'_>,
        endpoint: Endpoint,
        target: Target<'_>,
    ) -> Result<Step, ApiError> {
        if !requests::level_is_served(request.headers) {
            return Err(ApiError::new(10185));
        }
        let mut desk =
            Desk { account: request.account, table, shards: self.settings.shards, nuid: &mut self.nuid };
        desk.decide(endpoint, target, request.payload)
    }

    /// Served by the stream itself: without one that allows it nobody responds, and nothing is counted.
    fn direct_get(
        &mut self,
        now: Now,
        table: &StreamTable,
        request: &ApiRequest<'_>,
        target: Target<'_>,
    ) -> Handling {
        let stream =
            table.by_name(request.account, target.stream).filter(|stream| stream.config.allow_direct);
        let Some(stream) = stream else { return Handling::NoResponders };
        if request.reply.is_empty() {
            return Handling::Silent;
        }
        let refusal = |code, description| Handling::Reply(direct::status(code, description));
        if !requests::level_is_served(request.headers) {
            return refusal(412, "Required Api Level");
        }
        let get = match messages::direct_get(target.subject, request.payload) {
            Ok(get) => get,
            Err(DirectRefusal::Empty) => return refusal(408, "Empty Request"),
            Err(DirectRefusal::Malformed) => return refusal(408, "Malformed Request"),
            Err(DirectRefusal::Bad) => return refusal(408, "Bad Request"),
        };
        let single = matches!(get.get, DirectGet::One { .. });
        let expected = Expected::Direct { stream: target.stream.to_owned(), no_hdr: get.no_hdr, single };
        let question = Request::DirectGet { group: stream.group, get: get.get };
        self.ask(now, request, vec![(stream.shard, question)], expected, Endpoint::DirectGet)
    }

    fn ask(
        &mut self,
        now: Now,
        request: &ApiRequest<'_>,
        questions: Vec<(ShardId, Request)>,
        expected: Expected,
        endpoint: Endpoint,
    ) -> Handling {
        if self.waiting.len() >= API_REQUESTS_MAX {
            return match endpoint {
                Endpoint::DirectGet => Handling::Reply(direct::status(500, "insufficient resources")),
                _ => self.reply(request.account, Reply::refusal(endpoint, &ApiError::new(10023))),
            };
        }
        self.last_tag += 1;
        let tag = self.last_tag;
        let timeout = if expected.is_gather() { API_GATHER_TIMEOUT } else { API_ANSWER_TIMEOUT };
        let deadline = now.monotonic + timeout;
        let to =
            ReplyTo { origin: request.origin, account: request.account, reply: request.reply.into(), tag };
        self.deadlines.insert((deadline, tag));
        self.waiting.insert(tag, Waiting { to: to.clone(), deadline, expected });
        Handling::Ask { to, questions }
    }

    fn forget(&mut self, tag: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&tag)?;
        self.deadlines.remove(&(waiting.deadline, tag));
        Some(waiting)
    }

    fn reply(&mut self, account: AccountId, reply: Reply) -> Handling {
        Handling::Reply(self.count(account, reply))
    }

    fn count(&mut self, account: AccountId, reply: Reply) -> Response {
        let counts = self.counts.entry(account).or_default();
        let (payload, total, errors) = match reply {
            Reply::Success(payload) => (payload, 1, 0),
            Reply::Error(payload) => (payload, 1, 1),
            Reply::Message(payload) => (payload, 0, 0),
        };
        counts.total += total;
        counts.errors += errors;
        Response { headers: Vec::new(), payload }
    }
}

#[cfg(test)]
#[path = "api_test.rs"]
mod tests;
