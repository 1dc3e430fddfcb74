//! What a request still waits for, and what its answers come to.

use super::direct::{self, Place, Response};
use super::endpoint::Endpoint;
use super::errors::ApiError;
use super::responses;
use super::responses::account::ApiCounts;
use shards::rejection::Rejection;
use shards::shard::answer::{Answer, StreamInfo, Usage};
use std::collections::BTreeMap;

/// The answers that are under way.
#[derive(Debug)]
pub enum Expected {
    /// One, which says itself what to reply.
    One(Endpoint),
    /// One; `offset` is the request's.
    StreamInfo { offset: u64 },
    /// One, for STREAM.MSG.GET.
    Message { no_hdr: bool },
    /// One for a single direct get; for the others any number up to one that is no message.
    Direct { stream: String, no_hdr: bool, single: bool },
    /// One of each stream of a page.
    Streams(StreamGather),
    /// One of each shard.
    Usage { usage: Usage, left: usize },
}

/// What replies show of the server besides the answer.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub server_name: &'a str,
    /// Of the asker's account.
    pub counts: ApiCounts,
}

/// What an answer comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// More answers must come first.
    Wait,
    /// The reply.
    Done(Reply),
    /// One message of several.
    Part(Response),
    /// The last message of several, or the only one.
    Last(Response),
}

/// A JSON reply, and whether it is an error.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    Success(Vec<u8>),
    Error(Vec<u8>),
    /// Not counted.
    Message(Vec<u8>),
}

impl Reply {
    pub fn refusal(endpoint: Endpoint, error: &ApiError) -> Self {
        Reply::Error(responses::error(endpoint, error))
    }
}

impl Expected {
    /// Whether many shards are asked.
    pub fn is_gather(&self) -> bool {
        matches!(self, Expected::Streams(_) | Expected::Usage { .. })
    }

    /// Takes one answer.
    pub fn take(&mut self, answer: Answer, context: Context<'_>) -> Outcome {
        match self {
            Expected::One(endpoint) => Outcome::Done(one(*endpoint, answer)),
            Expected::StreamInfo { offset } => Outcome::Done(match answer {
                Answer::StreamInfo(info) => {
                    Reply::Success(responses::stream::info(&info, *offset, context.server_name))
                }
                answer => one(Endpoint::StreamInfo, answer),
            }),
            Expected::Message { no_hdr } => Outcome::Done(match answer {
                Answer::Message(message) => Reply::Message(responses::message(&message, *no_hdr)),
                answer => one(Endpoint::MessageGet, answer),
            }),
            Expected::Direct { stream, no_hdr, single } => direct(stream, *no_hdr, *single, answer),
            Expected::Streams(gather) => gather.take(answer),
            Expected::Usage { usage, left } => {
                if let Answer::Usage(part) = answer {
                    add(usage, &part);
                }
                *left = left.saturating_sub(1);
                if *left > 0 {
                    return Outcome::Wait;
                }
                Outcome::Done(Reply::Success(responses::account::info(usage, context.counts)))
            }
        }
    }

    /// The reply when the rest does not come; `None` if the asker is better left without one.
    pub fn give_up(self) -> Option<Reply> {
        let endpoint = match self {
            Expected::One(endpoint) => endpoint,
            Expected::StreamInfo { .. } => Endpoint::StreamInfo,
            Expected::Message { .. } => Endpoint::MessageGet,
            Expected::Direct { .. } => return None,
            Expected::Streams(gather) => return Some(Reply::Success(gather.response())),
            Expected::Usage { .. } => Endpoint::AccountInfo,
        };
        Some(Reply::refusal(endpoint, &ApiError::new(10008)))
    }
}

/// The infos of a page of streams.
#[derive(Debug)]
pub struct StreamGather {
    total: usize,
    offset: usize,
    /// By name; `None` while the answer is under way.
    streams: BTreeMap<String, Option<Box<StreamInfo>>>,
    /// Answers under way. A stream that has been deleted answers without its name.
    left: usize,
}

impl StreamGather {
    pub fn new(total: usize, offset: usize) -> Self {
        StreamGather { total, offset, streams: BTreeMap::new(), left: 0 }
    }

    /// A stream of this name is asked.
    pub fn expect(&mut self, name: &str) {
        self.streams.insert(name.to_owned(), None);
        self.left += 1;
    }

    /// What is there, and what is missing if answers are still under way.
    pub fn response(&self) -> Vec<u8> {
        let infos: Vec<&StreamInfo> = self.streams.values().flatten().map(Box::as_ref).collect();
        let is_missing = |(name, info): (&'_ String, &Option<_>)| info.is_none().then_some(name.clone());
        let missing: Vec<String> = match self.left {
            0 => Vec::new(),
            _ => self.streams.iter().filter_map(is_missing).collect(),
        };
        let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
        responses::stream::list(self.total, self.offset, &infos, &missing)
    }

    fn take(&mut self, answer: Answer) -> Outcome {
        if let Answer::StreamInfo(info) = answer
            && let Some(slot) = self.streams.get_mut(&info.config.name)
        {
            *slot = Some(info);
        }
        self.left = self.left.saturating_sub(1);
        if self.left > 0 { Outcome::Wait } else { Outcome::Done(Reply::Success(self.response())) }
    }
}

fn one(endpoint: Endpoint, answer: Answer) -> Reply {
    Reply::Success(match answer {
        Answer::Rejected(rejection) => return Reply::refusal(endpoint, &rejection.into()),
        Answer::StreamCreated(info) => responses::stream::created(&info),
        Answer::StreamUpdated(info) => responses::stream::updated(&info),
        Answer::StreamDeleted | Answer::MessageDeleted | Answer::ConsumerDeleted => {
            responses::success(endpoint)
        }
        Answer::Purged(count) => responses::purged(count),
        Answer::ConsumerCreated(info) | Answer::ConsumerInfo(info) => {
            responses::consumer::info(endpoint, &info)
        }
        Answer::ConsumerNames { total, offset, names } => responses::consumer::names(total, offset, &names),
        Answer::ConsumerList { total, offset, consumers } => {
            responses::consumer::list(total, offset, &consumers)
        }
        _ => return Reply::refusal(endpoint, &ApiError::with(10051, "unexpected answer")),
    })
}

fn direct(stream: &str, no_hdr: bool, single: bool, answer: Answer) -> Outcome {
    Outcome::Last(match answer {
        Answer::DirectMessage { message, num_pending, last_seq } => {
            let place = num_pending.map(|num_pending| Place { num_pending, last_seq });
            let message = direct::message(stream, message, place, no_hdr);
            return if single { Outcome::Last(message) } else { Outcome::Part(message) };
        }
        Answer::DirectEnd { num_pending, last_seq, up_to_seq } => {
            direct::end_of_batch(Place { num_pending, last_seq }, up_to_seq)
        }
        Answer::DirectNotFound { multi: true } => direct::status(404, "No Results"),
        Answer::DirectNotFound { multi: false } | Answer::Rejected(Rejection::NoMessageFound) => {
            direct::status(404, "Message Not Found")
        }
        Answer::DirectTooManyResults => direct::status(413, "Too Many Results"),
        // Deleted after it was looked up: nobody serves its messages any more.
        Answer::Rejected(Rejection::StreamNotFound) => direct::status(503, ""),
        Answer::Rejected(rejection) => direct::status(500, &ApiError::from(rejection).description),
        _ => direct::status(500, "unexpected answer"),
    })
}

fn add(usage: &mut Usage, part: &Usage) {
    usage.memory += part.memory;
    usage.storage += part.storage;
    usage.reserved_memory += part.reserved_memory;
    usage.reserved_storage += part.reserved_storage;
    usage.streams += part.streams;
    usage.consumers += part.consumers;
}
