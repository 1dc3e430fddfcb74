//! What a shard answers.

use crate::ids::{AccountId, GroupId, Origin, Revision, ShardId, StreamSeq};
use crate::rejection::Rejection;
use crate::stream::config::StreamConfig;
use crate::time::{Instant, WallTime};
use std::sync::Arc;

pub use super::stages::ShardReport;
pub use crate::consumer::info::{ConsumerInfo, SequenceInfo};
pub use crate::stream::info::{StreamInfo, StreamState};
pub use crate::subscribers::Advisory;

/// A stored message, copied out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredMessage {
    pub subject: Vec<u8>,
    pub seq: StreamSeq,
    pub time: WallTime,
    /// The whole header block; empty: none.
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
}

/// What an account uses on one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub memory: u64,
    pub storage: u64,
    pub reserved_memory: u64,
    pub reserved_storage: u64,
    pub streams: u64,
    pub consumers: u64,
}

/// An answer to one request. Every answer that reports a change was held until the sync that covers it.
#[derive(Clone, Debug)]
pub enum Answer {
    Rejected(Rejection),
    StreamCreated(Box<StreamInfo>),
    StreamUpdated(Box<StreamInfo>),
    StreamDeleted,
    StreamInfo(Box<StreamInfo>),
    Purged(u64),
    Message(StoredMessage),
    MessageDeleted,
    /// One message of a direct get; more answers of the same request may follow.
    DirectMessage {
        message: StoredMessage,
        /// `Some` in batch and multi gets: messages left after this one, and the previous sequence of this reply.
        num_pending: Option<u64>,
        last_seq: StreamSeq,
    },
    /// The end of a batch or multi get. `up_to_seq` is `Some` in multi gets.
    DirectEnd {
        num_pending: u64,
        last_seq: StreamSeq,
        up_to_seq: Option<u64>,
    },
    /// 404 `Message Not Found` (single, batch) or `No Results` (multi).
    DirectNotFound {
        multi: bool,
    },
    /// 413.
    DirectTooManyResults,
    ConsumerCreated(Box<ConsumerInfo>),
    ConsumerInfo(Box<ConsumerInfo>),
    ConsumerNames {
        total: u64,
        offset: u64,
        names: Vec<String>,
    },
    ConsumerList {
        total: u64,
        offset: u64,
        consumers: Vec<ConsumerInfo>,
    },
    ConsumerDeleted,
    Usage(Usage),
    Report(Box<ShardReport>),
    /// A publish was refused; answered as a pub ack with `error` for the stream of this name.
    PublishRejected {
        stream: String,
        rejection: Rejection,
    },
    /// Nobody listens on the subject: an ack or a pull for a consumer that does not exist. The core sends `503` if the
    /// asker wants it.
    NoResponders {
        subject: Box<[u8]>,
    },
    /// An empty message: the answer to an awaited consumer ack.
    Empty,
}

/// The pub acks of one entry for one core, in the order of their sequences.
#[derive(Debug, Default)]
pub struct PubAcks {
    pub account: AccountId,
    /// Length of the stream's name, with which `bytes` begins. Bytes.
    pub stream_len: u32,
    /// The stream's name, then the reply subjects one after another.
    pub bytes: Vec<u8>,
    pub acks: Vec<PubAck>,
    /// When the first of their messages was read, and when the sync that covers them had ended. 0: nothing was synced for them
    /// (memory storage, duplicates).
    pub read_at: Instant,
    pub synced_at: Instant,
}

impl PubAcks {
    /// Begins a list for a stream.
    pub fn start(&mut self, account: AccountId, stream: &[u8]) {
        self.account = account;
        self.stream_len = stream.len() as u32;
        self.bytes.clear();
        self.acks.clear();
        (self.read_at, self.synced_at) = (Instant::default(), Instant::default());
        self.bytes.extend_from_slice(stream);
    }

    /// Adds the ack of a message that was stored.
    #[inline]
    pub fn push(&mut self, origin: Origin, reply: &[u8], seq: StreamSeq) {
        self.bytes.extend_from_slice(reply);
        let Origin { slot, generation, .. } = origin;
        self.acks.push(PubAck { slot, generation, reply_len: reply.len() as u32, duplicate: false, seq });
    }
}

/// One pub ack.
#[derive(Clone, Copy, Debug)]
pub struct PubAck {
    /// Slot and generation of the publisher's connection on the receiving core.
    pub slot: u32,
    pub generation: u32,
    pub reply_len: u32,
    pub duplicate: bool,
    pub seq: StreamSeq,
}

/// A change to the table of streams, of which every core holds a copy. Applied only if newer.
#[derive(Clone, Debug)]
pub struct TableChange {
    pub revision: Revision,
    pub account: AccountId,
    pub group: GroupId,
    pub change: StreamChange,
}

impl TableChange {
    /// The stream's name.
    pub fn stream(&self) -> &str {
        match &self.change {
            StreamChange::Put { config, .. } => &config.name,
            StreamChange::Removed { stream } => stream,
        }
    }
}

/// What happened to a stream in the table.
#[derive(Clone, Debug)]
pub enum StreamChange {
    /// Created, or its configuration changed.
    Put {
        shard: ShardId,
        created: WallTime,
        config: Arc<StreamConfig>,
    },
    Removed {
        stream: String,
    },
}
