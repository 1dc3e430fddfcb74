//! One connected peer, sans-I/O: bytes in, actions and bytes out.
//! May import: protocol, `shards` (ids, time, subject, hashing).
//! Must not know: sockets, other clients, streams.

pub mod action;
pub mod close;
pub mod settings;
pub mod subscriptions;

use action::Next;
use close::CloseReason;
use settings::{Identity, Settings};
use shards::time::{Instant, Now};
use std::net::IpAddr;
use std::sync::Arc;
use subscriptions::{Subscription, SubscriptionId};

/// One connection that speaks NATS. Lives on: the core that accepted it.
///
/// The owner offers bytes with `next_action` and performs what comes back; it calls `deliver` for messages, takes queued
/// bytes with `take_output` and reports how the write went, and calls `handle_timeout` when `poll_timeout` is due. After
/// any call, `close_reason` says whether the connection has ended.
#[derive(Debug)]
pub struct Client {}

/// A message on its way to a subscriber.
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

/// Why credentials were not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

#[expect(unused_variables, reason = "the bodies come with the next change")]
impl Client {
    /// A connection that was just accepted; its INFO is queued. `id` is unique on this server.
    pub fn new(settings: Arc<Settings>, id: u64, peer: IpAddr, now: Now) -> Self {
        todo!()
    }

    /// The next thing that the bytes from `chunk[*at..]` ask for; moves `at` behind what was consumed. Whatever is left when
    /// `NeedMore` is returned must be offered again, in one piece, with more bytes behind it.
    pub fn next_action<'a>(&mut self, now: Now, chunk: &'a [u8], at: &mut usize) -> Next<'a> {
        todo!()
    }

    /// The answer to `Action::Authenticate`.
    pub fn handle_authenticated(&mut self, now: Now, result: Result<Identity, Refused>) {
        todo!()
    }

    /// Every core has confirmed the interest of the oldest PING that is not answered yet.
    pub fn handle_ping_confirmed(&mut self) {
        todo!()
    }

    /// Queues a message for a subscription.
    pub fn deliver(&mut self, id: SubscriptionId, message: &Delivery<'_>) -> Delivered {
        todo!()
    }

    /// Nobody received a publish of this client that asked to be told. Tells it, if it listens on the reply subject with a
    /// plain subscription.
    pub fn no_responders(&mut self, subject: &[u8], reply: &[u8]) {
        todo!()
    }

    /// The server begins to shut down slowly: tells a peer that understands it.
    pub fn handle_lame_duck(&mut self) {
        todo!()
    }

    /// Bytes that may be written now.
    pub fn output_len(&self) -> usize {
        todo!()
    }

    /// Takes all bytes that may be written now and leaves `spare` (empty, perhaps with capacity) in their place. From now
    /// until `handle_written` has reported all of them a write is under way; do not take again before.
    pub fn take_output(&mut self, now: Now, spare: Vec<u8>) -> Vec<u8> {
        todo!()
    }

    /// So many bytes of the last `take_output` went into the socket.
    pub fn handle_written(&mut self, now: Now, bytes: usize) {
        todo!()
    }

    /// Earliest moment at which `handle_timeout` has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }

    /// Pings, stale connections, late CONNECTs and overlong writes.
    pub fn handle_timeout(&mut self, now: Now) {
        todo!()
    }

    /// Ends the connection from outside: the peer closed, the socket failed, the server stops. The first reason stays.
    pub fn close(&mut self, reason: CloseReason) {
        todo!()
    }

    /// Why the connection has ended, if it has.
    pub fn close_reason(&self) -> Option<CloseReason> {
        todo!()
    }

    /// Takes the subscriptions out one by one, when the connection has ended.
    pub fn pop_subscription(&mut self) -> Option<(SubscriptionId, Subscription)> {
        todo!()
    }

    /// A live subscription.
    pub fn subscription(&self, id: SubscriptionId) -> Option<&Subscription> {
        todo!()
    }

    /// Who the peer is; `None` before it has authenticated.
    pub fn identity(&self) -> Option<&Identity> {
        todo!()
    }
}
