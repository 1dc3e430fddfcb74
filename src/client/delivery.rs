//! Messages on their way to a peer.

use super::subscriptions::{Subscription, SubscriptionId};
use super::{Client, Traffic};
use crate::protocol::write;
use shards::subject;

/// A message for a subscriber.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    pub subject: &'a [u8],
    /// Empty: none.
    pub reply: &'a [u8],
    /// The whole header block; empty: none. Cut off for a peer that did not negotiate headers.
    pub headers: &'a [u8],
    pub payload: &'a [u8],
}

/// Messages to one subscription, one after another, of which each is known to be queued or not before it is written.
#[derive(Debug)]
pub struct DeliveryRun<'a> {
    out: &'a mut Vec<u8>,
    /// How many bytes may be queued yet.
    room: usize,
    subscription: &'a mut Subscription,
    traffic: &'a mut Traffic,
    queued: Queued,
}

/// Messages that were queued, and their bytes (headers and payload).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queued {
    pub messages: u64,
    pub bytes: u64,
}

/// What became of a delivery.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivered {
    /// Queued for the socket.
    Yes,
    /// Queued, and it was the last one that an `UNSUB` with a maximum allowed: remove this from the interest.
    Last(Subscription),
    /// The subscription or the connection has gone.
    Gone,
    /// Not queued: more than `max_pending` bytes wait. The connection has ended (slow consumer).
    Overflow,
}

impl Client {
    /// Queues a message for a subscription.
    #[inline]
    pub fn deliver(&mut self, id: SubscriptionId, message: &Delivery<'_>) -> Delivered {
        if self.closed.is_some() {
            return Delivered::Gone;
        }
        let Some(subscription) = self.subscriptions.get_mut(id) else { return Delivered::Gone };
        let Delivery { subject, reply, payload, .. } = *message;
        let headers = if self.headers { message.headers } else { b"" };
        write::message(self.output.end(), subject, subscription.sid(), reply, headers, payload);
        subscription.delivered += 1;
        let is_last = subscription.delivered == subscription.max;
        self.traffic.out_messages += 1;
        self.traffic.out_bytes += (headers.len() + payload.len()) as u64;
        self.check_pending();
        if self.closed.is_some() {
            return Delivered::Overflow;
        }
        if is_last && let Some(removed) = self.subscriptions.remove(id) {
            return Delivered::Last(removed);
        }
        Delivered::Yes
    }

    /// Begins a run of messages to a subscription. `None`: each has to be handed to `deliver`, because the subscription or the
    /// connection has gone or may end with the next message.
    pub fn delivery_run(&mut self, id: SubscriptionId) -> Option<DeliveryRun<'_>> {
        let room = self.settings.max_pending.checked_sub(self.output.pending())?;
        let subscription = self.subscriptions.get_mut(id).filter(|held| held.max == 0)?;
        if self.closed.is_some() {
            return None;
        }
        let (out, traffic) = (self.output.end(), &mut self.traffic);
        Some(DeliveryRun { out, room, subscription, traffic, queued: Queued::default() })
    }

    /// Nobody received a publish of this client that asked to be told. Tells it, if it listens on the reply subject with a
    /// plain subscription. Does not count as a delivery.
    pub fn no_responders(&mut self, subject: &[u8], reply: &[u8]) {
        if self.closed.is_some() || !self.options.no_responders {
            return;
        }
        let listens =
            |held: &Subscription| held.queue().is_empty() && subject::matches(held.subject(), reply);
        let Some((_, held)) = self.subscriptions.iter().find(|(_, held)| listens(held)) else { return };
        write::no_responders(self.output.end(), subject, reply, held.sid());
        self.check_pending();
    }
}

impl DeliveryRun<'_> {
    pub fn sid(&self) -> &[u8] {
        self.subscription.sid()
    }

    /// Queues a message: its subject, what follows it (`write::message_tail`), and the length of the payload in that. False: it
    /// is not queued because more than `max_pending` bytes would wait; `Client::deliver` does what is to be done then.
    #[inline]
    pub fn push(&mut self, subject: &[u8], tail: &[u8], payload_len: usize) -> bool {
        let Some(room) = self.room.checked_sub(write::MSG.len() + subject.len() + tail.len()) else {
            return false;
        };
        self.room = room;
        self.out.extend_from_slice(write::MSG);
        self.out.extend_from_slice(subject);
        self.out.extend_from_slice(tail);
        self.queued.messages += 1;
        self.queued.bytes += payload_len as u64;
        true
    }

    /// Counts what was queued.
    pub fn end(self) -> Queued {
        self.subscription.delivered += self.queued.messages;
        self.traffic.out_messages += self.queued.messages;
        self.traffic.out_bytes += self.queued.bytes;
        self.queued
    }
}
