//! What may be asked of a shard.

use super::ShardMessage;
use super::answer::PubAcks;
use crate::consumer::config::{ConsumerConfig, CreateAction};
use crate::ids::{AccountId, CoreId, GroupId, Origin};
use crate::stream::admit::Publish;
use crate::stream::config::StreamConfig;
use crate::time::Instant;
use bytes::Bytes;

pub use crate::stream::select::{DirectGet, Selector};

/// A slice of a chunk. Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

impl Span {
    /// The bytes in `chunk`.
    #[inline]
    pub fn of(self, chunk: &[u8]) -> &[u8] {
        &chunk[self.start as usize..(self.start + self.len) as usize]
    }
}

/// What an item of a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A message whose subject the stream captures.
    Publish,
    /// A publish to `$JS.ACK.…`; the subject is in the item.
    Ack,
    /// A publish to `$JS.API.CONSUMER.MSG.NEXT.<stream>.<consumer>`; the subject is in the item.
    Fetch,
    /// A publish to `$JS.FC.<stream>.<consumer>.…`: the reply of a push client to a flow control request.
    FlowControl,
}

/// One message for a stream or one of its consumers, as slices of a chunk of its batch.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    pub kind: ItemKind,
    pub group: GroupId,
    pub origin: Origin,
    /// Index of the chunk in the batch.
    pub chunk: u32,
    pub subject: Span,
    /// Empty: no reply wanted.
    pub reply: Span,
    /// The whole header block `NATS/1.0\r\n…\r\n\r\n`; empty: none. Lies directly before the payload.
    pub headers: Span,
    pub payload: Span,
}

impl Item {
    /// The message of this item, whose chunk is `chunk`.
    #[inline]
    pub fn publish<'a>(&self, chunk: &'a [u8]) -> Publish<'a> {
        Publish {
            subject: self.subject.of(chunk),
            reply: self.reply.of(chunk),
            headers: self.headers.of(chunk),
            payload: self.payload.of(chunk),
        }
    }
}

/// The hot requests of one turn from one core to one shard, in the order in which they were read.
/// Lives on: the core that fills it, then the shard's core; it is handed back for reuse.
#[derive(Debug, Default)]
pub struct Batch {
    /// Core that filled it and gets it back.
    pub origin: CoreId,
    /// Bytes of its items' parts: what it takes of its sender's credit until it is back. For the sender alone.
    pub credit_bytes: u64,
    /// Items, for the same purpose.
    pub credit_items: u64,
    /// Account of every item.
    pub account: AccountId,
    /// When the first of its items was read, on the clock that all cores share.
    pub read_at: Instant,
    /// When its items were admitted. For the shard alone.
    pub admitted_at: Instant,
    pub chunks: Vec<Bytes>,
    pub items: Vec<Item>,
    /// Memory for pub acks that go back to the origin: what it is done with travels along. Empty: none.
    pub spare_acks: PubAcks,
}

/// One thing for a shard of this core to do.
#[derive(Debug)]
pub enum ShardInput {
    /// The hot requests of one core. When the shard no longer needs the chunks, the batch goes back through
    /// the server's `return_batch`; until then it counts against its sender's credit.
    Batch(Box<Batch>),
    Request(ReplyTo, Box<Request>),
    Message(ShardMessage),
    /// Somebody subscribed or went since the last turn, or credit of a full lane is back: consumers without interest and those that
    /// were told `Interest::Full` look again. At most one per shard and turn.
    SubscribersChanged,
}

/// Where an answer goes: published to `reply` on the origin's core.
#[derive(Clone, Debug, Default)]
pub struct ReplyTo {
    pub origin: Origin,
    pub account: AccountId,
    /// Reply subject; empty: nobody waits, the request is executed all the same.
    pub reply: Box<[u8]>,
    /// The asker's own number for this request, handed back with every answer.
    pub tag: u64,
}

/// Requests that are not hot. `group` names the stream wherever one is meant; the asker's copy of the stream table
/// turned the name into it.
#[derive(Clone, Debug)]
pub enum Request {
    // To the catalog, on shard 0.
    StreamCreate {
        config: Box<StreamConfig>,
        pedantic: bool,
    },
    StreamUpdate {
        config: Box<StreamConfig>,
        pedantic: bool,
    },
    StreamDelete {
        name: String,
    },

    // To the shard of the stream.
    StreamInfo {
        group: GroupId,
        deleted_details: bool,
        subjects_filter: String,
        offset: u64,
    },
    StreamPurge {
        group: GroupId,
        filter: String,
        seq: u64,
        keep: u64,
    },
    MessageGet {
        group: GroupId,
        select: Selector,
    },
    MessageDelete {
        group: GroupId,
        seq: u64,
        no_erase: bool,
    },
    DirectGet {
        group: GroupId,
        get: DirectGet,
    },
    ConsumerCreate {
        group: GroupId,
        config: Box<ConsumerConfig>,
        action: CreateAction,
        pedantic: bool,
        /// 8 characters drawn by the asker, for a consumer without a name; empty if the request has one.
        generated_name: String,
    },
    ConsumerInfo {
        group: GroupId,
        consumer: String,
    },
    ConsumerNames {
        group: GroupId,
        offset: u64,
    },
    ConsumerList {
        group: GroupId,
        offset: u64,
    },
    ConsumerDelete {
        group: GroupId,
        consumer: String,
    },

    // To every shard.
    /// What the account uses on this shard.
    Usage {
        account: AccountId,
    },
    /// How fast the shard is.
    Report,
}
