//! Messages on their way to a peer.

use super::Client;
use super::subscriptions::{Subscription, SubscriptionId};
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
