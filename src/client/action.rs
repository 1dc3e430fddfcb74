//! What a client's bytes ask of its core, one at a time. The core performs an action before it asks for the next.

use shards::ids::AccountId;

/// A message to publish, as slices of the chunk that is being read. The client has already checked sizes, permissions
/// and reserved subjects, and has written the `+OK`.
#[derive(Clone, Copy, Debug)]
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
    /// Send `503` to the publisher if nobody receives it.
    pub no_responders: bool,
}

/// Slot of a subscription in its client's table.
pub type SubscriptionSlot = u32;

/// What the peer says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub pass: String,
    pub auth_token: String,
}

/// One thing for the core to do.
#[derive(Debug)]
pub enum Action<'a> {
    Publish(Publish<'a>),
    /// Add this subscription to the account's interest; empty `queue`: a plain one. Deliveries name the slot.
    Subscribe {
        account: AccountId,
        slot: SubscriptionSlot,
        subject: &'a [u8],
        queue: &'a [u8],
    },
    /// Remove it; deliveries still under way for the slot are dropped by its generation.
    Unsubscribe {
        account: AccountId,
        slot: SubscriptionSlot,
    },
    /// Check these; nothing more is read until `handle_authenticated`. Hashing happens off the core.
    Authenticate(Credentials),
    /// A PING whose PONG must wait until every core has confirmed the interest of this moment (DESIGN 5). The core calls
    /// `handle_ping_confirmed` at once if nothing is outstanding, else later; output after it is held back until then.
    Ping,
    /// The connection ends: write what is queued, then close.
    Close,
}
