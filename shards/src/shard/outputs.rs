//! What a shard asks of the world outside it. The reactor performs it; the simulator plays it.

use super::answer::{Advisory, Answer, PubAcks, TableChange};
use super::request::ReplyTo;
use crate::ids::{AccountId, CoreId, ShardId};

/// Who would receive a message now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Nobody.
    None,
    /// Somebody, and there is room.
    Ready,
    /// Somebody, but the way there has no credit: stay where you are and try again when woken.
    Full,
}

/// A message on its way to subscribers, as slices that are valid during the call only.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    pub account: AccountId,
    /// Whoever subscribed to this subject gets the message: an inbox, a deliver subject.
    pub to: &'a [u8],
    /// The subject in the MSG line. Equal to `to` for statuses and heartbeats.
    pub subject: &'a [u8],
    /// Reply subject in the MSG line; empty: none.
    pub reply: &'a [u8],
    /// The whole header block; empty: none.
    pub headers: &'a [u8],
    pub payload: &'a [u8],
}

/// The world of a shard. One implementation for the reactor, one for the simulator.
pub trait Outputs {
    /// Pub acks of one committed entry, for the connections of one core.
    fn pub_acks(&mut self, core: CoreId, acks: PubAcks);

    /// The answer to a request.
    fn answer(&mut self, to: &ReplyTo, answer: Answer);

    /// Who would receive a message on `subject`.
    fn interest(&self, account: AccountId, subject: &[u8]) -> Interest;

    /// Whether a push consumer is bound: somebody subscribes to literally this subject, as a member of `queue` if it is
    /// not empty, else as a plain subscription (spec: consumers 4.1).
    fn bound(&self, account: AccountId, subject: &[u8], queue: &[u8]) -> bool;

    /// Publishes to subscribers. False: nobody received it.
    fn deliver(&mut self, delivery: Delivery<'_>) -> bool;

    /// Publishes an event if anybody listens.
    fn advise(&mut self, account: AccountId, advisory: Advisory);

    /// Sends to another shard (or this one), in order.
    fn send(&mut self, shard: ShardId, message: super::ShardMessage);

    /// Tells every core; each confirms with `ShardMessage::TableConfirmed`.
    fn table(&mut self, change: TableChange);
}
