//! Subscribers as the engine sees them: who would receive a message, and the way to send one.
//! May import: ids.
//! Must not know: connections, cores, how a subject is matched.

use crate::ids::AccountId;

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

/// Whoever listens, anywhere.
pub trait Subscribers {
    /// Who would receive a message on `subject`.
    fn interest(&self, account: AccountId, subject: &[u8]) -> Interest;

    /// Whether a push consumer is bound: somebody subscribes to literally this subject, as a member of `queue` if it is
    /// not empty, else as a plain subscription (nats-server, server/consumer.go: hasDeliveryInterest).
    fn bound(&self, account: AccountId, subject: &[u8], queue: &[u8]) -> bool;

    /// Publishes to subscribers: who received it, and whether they have room for another message. Also a full one took this
    /// message.
    fn deliver(&mut self, delivery: Delivery<'_>) -> Interest;

    /// Whether anybody may listen to events: if not, they need not be made.
    fn hears_events(&self, _account: AccountId) -> bool {
        true
    }

    /// Publishes an event if anybody listens.
    fn advise(&mut self, account: AccountId, advisory: Advisory);
}

/// An event that somebody may listen to (spec: advisories). Published by the core of the shard, if there is interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advisory {
    StreamCreated {
        stream: String,
    },
    StreamUpdated {
        stream: String,
    },
    StreamDeleted {
        stream: String,
    },
    ConsumerCreated {
        stream: String,
        consumer: String,
    },
    ConsumerDeleted {
        stream: String,
        consumer: String,
    },
    MaxDeliveries {
        stream: String,
        consumer: String,
        stream_seq: u64,
        deliveries: u64,
    },
    MessageNaked {
        stream: String,
        consumer: String,
        consumer_seq: u64,
        stream_seq: u64,
        deliveries: u64,
    },
    MessageTerminated {
        stream: String,
        consumer: String,
        consumer_seq: u64,
        stream_seq: u64,
        deliveries: u64,
        reason: String,
    },
    /// The `ack` metric of a sampled consumer. `ack_time` in nanoseconds.
    AckSample {
        stream: String,
        consumer: String,
        consumer_seq: u64,
        stream_seq: u64,
        ack_time: u64,
        deliveries: u64,
    },
}
