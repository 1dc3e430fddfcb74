//! The three lanes between two cores: what travels on them.
//! May import: ids, shard.
//! Must not know: rings, wakes, sockets.

use crate::ids::ShardId;
use crate::shard::ShardMessage;
use crate::shard::answer::{Answer, PubAcks, TableChange};
use crate::shard::request::{Batch, ReplyTo, Request};

/// The lanes between two cores. Each is bounded in count and bytes (DESIGN 5); a core always drains all of its lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Full: the client that asks is not read.
    Requests,
    /// Never full: its room is reserved by the request's credit.
    Replies,
    /// Full: a consumer stays where it is, a publisher's connection is not read.
    Messages,
}

/// What one core sends to another. `M` is the server's own message (deliveries, interest).
#[derive(Debug)]
pub enum CoreMessage<M> {
    // Requests
    Batch(ShardId, Box<Batch>),
    Request(ShardId, ReplyTo, Box<Request>),
    // Replies
    PubAcks(PubAcks),
    Answer(ReplyTo, Box<Answer>),
    /// An empty batch on its way home, for reuse.
    BatchDone(Box<Batch>),
    // Between shards; on the replies lane, few and small.
    Shard(ShardId, ShardMessage),
    Table(TableChange),
    // Messages
    Server(M),
}
