//! What all clients of a server share.

use super::nonce::NonceKey;
use crate::protocol::connect::ServerInfo;
use shards::ids::AccountId;
use std::sync::Arc;
use std::time::Duration;

/// Limits and identity of the server, as its clients need them. One per server; read only.
#[derive(Clone, Debug)]
pub struct Settings {
    pub info: ServerInfo,
    /// Largest message, headers and payload. Bytes. Above it: `Maximum Payload Violation`, closed.
    pub max_payload: usize,
    /// Longest arguments of an operation. Bytes, without verb and line end. Above it: closed.
    pub max_control_line: usize,
    /// Most bytes queued to one connection. Above it: closed as a slow consumer, without a word.
    pub max_pending: usize,
    /// Most subscriptions of one connection; 0: no limit. Above it: the SUB is refused.
    pub max_subscriptions: usize,
    /// A PING is sent when this long nothing came. See `ping_max`.
    pub ping_interval: Duration,
    /// Unanswered PINGs that are allowed; one more: `Stale Connection`, closed.
    pub ping_max: u32,
    /// How long after the accept a CONNECT that authenticates must have come.
    pub auth_timeout: Duration,
    /// How long one write may take. Longer: closed as a slow consumer.
    pub write_deadline: Duration,
    /// Some if users log in with keys: INFO then tells each peer what to sign.
    pub nonce_key: Option<NonceKey>,
    /// Whom a peer is before it says anything; `None`: it must authenticate first.
    pub anonymous: Option<Identity>,
}

/// Who a peer is, once accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub account: AccountId,
    /// `$G` for the global account.
    pub account_name: Arc<str>,
    /// Empty: nobody in particular.
    pub user: Arc<str>,
}
