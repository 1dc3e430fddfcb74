//! What becomes of a decoded request: a reply at once, or questions to shards.

use super::endpoint::{CreateForm, Endpoint, Target};
use super::errors::ApiError;
use super::nuid::Nuid;
use super::requests::paging::{
    self, ConsumersRequest, ListRequest, NamesRequest, StreamInfoRequest, StreamsRequest,
};
use super::requests::{self, consumer, messages, stream};
use super::responses;
use super::waiting::{Expected, StreamGather};
use crate::routing::stream_table::{StreamEntry, StreamTable};
use shards::ids::{AccountId, ShardId};
use shards::shard::answer::Usage;
use shards::shard::request::Request;
use shards::subject;

/// The next step of a request that was not refused.
pub enum Step {
    Reply(Vec<u8>),
    Ask(Vec<(ShardId, Request)>, Expected),
}

/// What a request is decided with.
pub struct Desk<'a> {
    pub account: AccountId,
    pub table: &'a StreamTable,
    /// Number of shards.
    pub shards: u16,
    pub nuid: &'a mut Nuid,
}

impl Desk<'_> {
    /// Decides on every endpoint but direct gets.
    ///
    /// # Errors
    /// What the request is refused with.
    pub fn decide(&mut self, endpoint: Endpoint, target: Target<'_>, body: &[u8]) -> Result<Step, ApiError> {
        match endpoint {
            Endpoint::AccountInfo => Ok(self.account_info()),
            Endpoint::StreamCreate => {
                let request = stream::create(target.stream, body)?;
                let create = Request::StreamCreate { config: request.config, pedantic: request.pedantic };
                Ok(ask_one(CATALOG, create, endpoint))
            }
            Endpoint::StreamUpdate => {
                let request = stream::update(target.stream, body)?;
                let update = Request::StreamUpdate { config: request.config, pedantic: request.pedantic };
                Ok(ask_one(CATALOG, update, endpoint))
            }
            Endpoint::StreamDelete => {
                requests::expect_empty(body)?;
                Ok(ask_one(CATALOG, Request::StreamDelete { name: target.stream.to_owned() }, endpoint))
            }
            Endpoint::StreamNames => self.stream_names(&requests::decode_optional::<NamesRequest>(body)?.0),
            Endpoint::StreamList => self.stream_list(&requests::decode_optional::<ListRequest>(body)?.0),
            Endpoint::StreamInfo => self.stream_info(target, body),
            Endpoint::StreamPurge => {
                let messages::PurgeRequest { filter, seq, keep } = messages::purge(body)?;
                let stream = self.stream(target)?;
                Ok(ask_one(
                    stream.shard,
                    Request::StreamPurge { group: stream.group, filter, seq, keep },
                    endpoint,
                ))
            }
            Endpoint::MessageGet => {
                let messages::MessageGetRequest { select, no_hdr } = messages::get(body)?;
                let stream = self.stream(target)?;
                let get = Request::MessageGet { group: stream.group, select };
                Ok(Step::Ask(vec![(stream.shard, get)], Expected::Message { no_hdr }))
            }
            Endpoint::MessageDelete => {
                let messages::MessageDeleteRequest { seq, no_erase } = messages::delete(body)?;
                let stream = self.stream(target)?;
                let delete = Request::MessageDelete { group: stream.group, seq, no_erase };
                Ok(ask_one(stream.shard, delete, endpoint))
            }
            Endpoint::ConsumerCreate(form) => self.consumer_create(form, target, body),
            Endpoint::ConsumerNames => {
                let offset =
                    paging::not_negative(requests::decode_optional::<ConsumersRequest>(body)?.offset);
                let stream = self.stream(target)?;
                Ok(ask_one(stream.shard, Request::ConsumerNames { group: stream.group, offset }, endpoint))
            }
            Endpoint::ConsumerList => {
                let offset =
                    paging::not_negative(requests::decode_optional::<ConsumersRequest>(body)?.offset);
                let stream = self.stream(target)?;
                Ok(ask_one(stream.shard, Request::ConsumerList { group: stream.group, offset }, endpoint))
            }
            Endpoint::ConsumerInfo => {
                requests::expect_empty(body)?;
                let (stream, consumer) = (self.stream(target)?, target.consumer.to_owned());
                Ok(ask_one(stream.shard, Request::ConsumerInfo { group: stream.group, consumer }, endpoint))
            }
            Endpoint::ConsumerDelete => {
                requests::expect_empty(body)?;
                let (stream, consumer) = (self.stream(target)?, target.consumer.to_owned());
                Ok(ask_one(stream.shard, Request::ConsumerDelete { group: stream.group, consumer }, endpoint))
            }
            _ => self.unserved(endpoint, target, body),
        }
    }

    /// Endpoints that exist, but are not served: the error that says most, with a sentence.
    fn unserved(&self, endpoint: Endpoint, target: Target<'_>, body: &[u8]) -> Result<Step, ApiError> {
        match endpoint {
            Endpoint::StreamSnapshot | Endpoint::StreamRestore if requests::is_empty(body) => {
                Err(ApiError::new(10003))
            }
            Endpoint::StreamRestore => Err(ApiError::unserved(10062, "STREAM.RESTORE")),
            Endpoint::ConsumerReset => Err(ApiError::unserved(10204, "CONSUMER.RESET")),
            Endpoint::StreamSnapshot => {
                self.stream(target).and(Err(ApiError::unserved(10064, "STREAM.SNAPSHOT")))
            }
            Endpoint::ConsumerPause => {
                self.stream(target).and(Err(ApiError::unserved(10012, "CONSUMER.PAUSE")))
            }
            Endpoint::ConsumerUnpin => {
                self.stream(target).and(Err(ApiError::unserved(10160, "CONSUMER.UNPIN")))
            }
            _ => Err(ApiError::new(10010)),
        }
    }

    fn account_info(&self) -> Step {
        let ask = |shard| (ShardId(shard), Request::Usage { account: self.account });
        let questions = (0..self.shards).map(ask).collect();
        Step::Ask(questions, Expected::Usage { usage: Usage::default(), left: usize::from(self.shards) })
    }

    fn stream_names(&self, request: &StreamsRequest) -> Result<Step, ApiError> {
        let names: Vec<&str> = self.streams(request).map(|(name, _)| name).collect();
        let start = paging::page_start(request.offset, names.len());
        let end = names.len().min(start + responses::stream::NAMES_PAGE);
        Ok(Step::Reply(responses::stream::names(names.len(), start, &names[start..end])))
    }

    fn stream_list(&self, request: &StreamsRequest) -> Result<Step, ApiError> {
        let total = self.streams(request).count();
        let offset = paging::page_start(request.offset, total);
        let mut gather = StreamGather::new(total, offset);
        let mut questions = Vec::new();
        for (name, stream) in self.streams(request).skip(offset).take(responses::stream::LIST_PAGE) {
            gather.expect(name);
            questions.push((stream.shard, stream_info(stream, StreamInfoRequest::default())));
        }
        if questions.is_empty() {
            return Ok(Step::Reply(gather.response()));
        }
        Ok(Step::Ask(questions, Expected::Streams(gather)))
    }

    fn stream_info(&self, target: Target<'_>, body: &[u8]) -> Result<Step, ApiError> {
        let request: StreamInfoRequest = requests::decode_optional(body)?;
        let stream = self.stream(target)?;
        let offset = paging::not_negative(request.offset);
        let question = (stream.shard, stream_info(stream, request));
        Ok(Step::Ask(vec![question], Expected::StreamInfo { offset }))
    }

    fn consumer_create(
        &mut self,
        form: CreateForm,
        target: Target<'_>,
        body: &[u8],
    ) -> Result<Step, ApiError> {
        let consumer::ConsumerRequest { config, action, pedantic } = consumer::create(form, target, body)?;
        let generated_name = match config.name.as_str() {
            "" => self.nuid.consumer_name().map(char::from).iter().collect(),
            _ => String::new(),
        };
        let stream = self.stream(target)?;
        let group = stream.group;
        let create = Request::ConsumerCreate { group, config, action, pedantic, generated_name };
        Ok(ask_one(stream.shard, create, Endpoint::ConsumerCreate(form)))
    }

    /// # Errors
    /// 10059.
    fn stream(&self, target: Target<'_>) -> Result<&StreamEntry, ApiError> {
        self.table.by_name(self.account, target.stream).ok_or_else(|| ApiError::new(10059))
    }

    /// Streams that the request is about, ascending by name.
    fn streams(&self, request: &StreamsRequest) -> impl Iterator<Item = (&str, &StreamEntry)> {
        let wanted = request.subject.as_bytes();
        let collides = move |entry: &StreamEntry| {
            wanted.is_empty()
                || entry.config.subjects.iter().any(|own| subject::collide(own.as_bytes(), wanted))
        };
        self.table.streams(self.account).filter(move |(_, entry)| collides(entry))
    }
}

fn ask_one(shard: ShardId, request: Request, endpoint: Endpoint) -> Step {
    Step::Ask(vec![(shard, request)], Expected::One(endpoint))
}

fn stream_info(stream: &StreamEntry, request: StreamInfoRequest) -> Request {
    Request::StreamInfo {
        group: stream.group,
        deleted_details: request.deleted_details,
        subjects_filter: request.subjects_filter,
        offset: paging::not_negative(request.offset),
    }
}

/// The shard of the catalog.
const CATALOG: ShardId = ShardId(0);
