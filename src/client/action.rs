//! What a client's bytes ask of its core, one at a time. The core performs an action before it asks for the next.

use super::subscriptions::{Subscription, SubscriptionId};
use shards::ids::AccountId;

/// A message to publish, as slices of the chunk that is being read. The client has already checked sizes, permissions
/// and reserved subjects, and has written the `+OK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    pub account: AccountId,
    pub subject: &'a [u8],
    /// Empty: none.
    pub reply: &'a [u8],
    /// The whole header block; empty: none. Lies directly before the payload.
    pub headers: &'a [u8],
    pub payload: &'a [u8],
    /// Deliver to the publisher's own subscriptions too.
    pub echo: bool,
    /// Call `Client::no_responders` if nobody receives it.
    pub no_responders: bool,
}

impl Publish<'_> {
    /// Length of the message: headers and payload. Bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.headers.len() + self.payload.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the peer says it is.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub pass: String,
    pub auth_token: String,
    /// Public key of a user, and the proof that the peer holds its private half: a signature of `nonce`.
    pub nkey: String,
    pub sig: String,
    /// What this peer was told to sign; empty if nothing.
    pub nonce: String,
}

/// One thing for the core to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<'a> {
    Publish(Publish<'a>),
    /// Add this subscription to the account's interest; empty `queue`: a plain one. Deliveries name the id.
    Subscribe {
        account: AccountId,
        id: SubscriptionId,
        subject: &'a [u8],
        queue: &'a [u8],
    },
    /// Remove it; deliveries still under way for the id are dropped by its generation.
    Unsubscribe {
        account: AccountId,
        id: SubscriptionId,
        removed: Subscription,
    },
    /// Check these; nothing more is read until `handle_authenticated`. Hashing happens off the core.
    Authenticate(Credentials),
    /// A PING whose PONG must wait until every core has confirmed the interest of this moment (ARCHITECTURE.md, interest
    /// across cores). The core calls `handle_ping_confirmed` at once if nothing is outstanding, else later; output after
    /// it is held back until then. Confirmations come in the order of the PINGs.
    Ping,
    /// The connection ends: write what is queued (unless the close reason says not to), then close.
    Close,
}

/// What `Client::next_action` found.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Perform this, then ask again.
    Do(Action<'a>),
    /// An operation is cut: offer what is left of the chunk again with more behind it. Asking again is useful only with at
    /// least this many bytes, counted from where the chunk was left.
    NeedMore { at_least: usize },
    /// Nothing is read until `handle_authenticated` or `handle_ping_confirmed`; leave the rest of the chunk and do not read
    /// the socket.
    Wait,
}

/// Without secrets, for logs.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}
