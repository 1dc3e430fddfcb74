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

/// What nats-server has where nothing is configured; nobody may connect without authenticating.
impl Default for Settings {
    fn default() -> Self {
        let max_payload = 1 << 20;
        Settings {
            info: ServerInfo { headers: true, max_payload, ..ServerInfo::default() },
            max_payload,
            max_control_line: 4096,
            max_pending: 64 << 20,
            max_subscriptions: 0,
            ping_interval: Duration::from_secs(120),
            ping_max: 2,
            auth_timeout: Duration::from_secs(2),
            write_deadline: Duration::from_secs(10),
            nonce_key: None,
            anonymous: None,
        }
    }
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
