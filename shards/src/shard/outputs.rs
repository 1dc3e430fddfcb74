//! What a shard asks of the world outside it. The reactor performs it; the simulator plays it.

use super::answer::{Answer, PubAcks, TableChange};
use super::request::ReplyTo;
use crate::ids::{CoreId, ShardId};

pub use crate::subscribers::{Advisory, Delivery, Interest, Subscribers};

/// The world of a shard: its subscribers, the askers and the other shards. One implementation for the reactor, one for
/// the simulator.
pub trait Outputs: Subscribers {
    /// Pub acks of one committed entry, for the connections of one core.
    /// What is left in `acks` is reused by the shard; an implementation may take it all.
    fn pub_acks(&mut self, core: CoreId, acks: &mut PubAcks);

    /// The answer to a request.
    fn answer(&mut self, to: &ReplyTo, answer: Answer);

    /// Sends to another shard (or this one), in order.
    fn send(&mut self, shard: ShardId, message: super::ShardMessage);

    /// Tells every core; each confirms with `ShardMessage::TableConfirmed`.
    fn table(&mut self, change: TableChange);
}
