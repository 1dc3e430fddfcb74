//! One connected peer, sans-I/O: bytes in, actions and bytes out.
//! May import: protocol, limits, `shards` (ids, time, subject, hashing).
//! Must not know: sockets, other clients, streams.

pub mod action;
mod authentication;
pub mod close;
mod delivery;
pub mod nonce;
mod operations;
mod output;
mod publisher;
pub mod settings;
pub mod subscriptions;
mod timers;

use crate::protocol::connect::{ClientInfo, ConnectOptions, write_info};
use crate::protocol::write;
use close::CloseReason;
pub use delivery::{Delivered, Delivery, DeliveryRun, Queued};
use output::Output;
pub use publisher::Publisher;
use settings::{Identity, Settings};
use shards::time::Now;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use subscriptions::{Subscription, SubscriptionId, Subscriptions};
use timers::Timers;

/// One connection that speaks NATS. Lives on: the core that accepted it.
///
/// The owner offers bytes with `next_action` and performs what comes back; it calls `deliver` for messages, takes queued
/// bytes with `take_output` and reports how the write went, and calls `handle_timeout` when `poll_timeout` is due. After
/// any call, `close_reason` says whether the connection has ended.
#[derive(Debug)]
pub struct Client {
    settings: Arc<Settings>,
    id: u64,
    peer: SocketAddr,
    /// None: must authenticate before anything else.
    identity: Option<Identity>,
    options: Options,
    /// HPUB may come and HMSG may go: the peer asked for it and the server allows it.
    headers: bool,
    /// A CONNECT was read.
    is_connected: bool,
    /// The first PONG after CONNECT was queued, and with it the second INFO.
    is_greeted: bool,
    stage: Stage,
    /// The CONNECT that is being worked on; some from `Stage::Reconnecting` to the end of `Stage::Authenticating`.
    connecting: Option<Box<ConnectOptions>>,
    software: Software,
    subscriptions: Subscriptions,
    output: Output,
    timers: Timers,
    traffic: Traffic,
    closed: Option<CloseReason>,
}

/// What CONNECT settled. Before it, a peer counts as verbose and pedantic.
#[derive(Clone, Copy, Debug)]
struct Options {
    verbose: bool,
    pedantic: bool,
    echo: bool,
    /// As asked for; what holds is `Client::headers`.
    headers: bool,
    no_responders: bool,
    /// 1: the peer understands later INFOs.
    protocol: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    /// A CONNECT was read, its predecessor's subscriptions go.
    Reconnecting,
    Authenticating,
}

/// What the peer says it runs; empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Software {
    pub name: Box<str>,
    pub lang: Box<str>,
    pub version: Box<str>,
}

/// Messages and their bytes (headers and payload), as seen by the server: `in` came from the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub in_messages: u64,
    pub in_bytes: u64,
    pub out_messages: u64,
    pub out_bytes: u64,
}

/// Why credentials were not accepted: only that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl Client {
    /// A connection that was just accepted; its INFO is queued. `id` is unique on this server.
    pub fn new(settings: Arc<Settings>, id: u64, peer: SocketAddr, now: Now) -> Self {
        let identity = settings.anonymous.clone();
        let auth_timeout = identity.is_none().then_some(settings.auth_timeout);
        let defaults = ConnectOptions::default();
        let mut client = Client {
            timers: Timers::new(now, settings.ping_interval, auth_timeout),
            settings,
            id,
            peer,
            identity,
            options: Options {
                verbose: defaults.verbose,
                pedantic: defaults.pedantic,
                echo: defaults.echo,
                headers: false,
                no_responders: false,
                protocol: 0,
            },
            headers: false,
            is_connected: false,
            is_greeted: false,
            stage: Stage::Serving,
            connecting: None,
            software: Software::default(),
            subscriptions: Subscriptions::default(),
            output: Output::default(),
            traffic: Traffic::default(),
            closed: None,
        };
        let nonce = client.nonce();
        client.queue_info(&ClientInfo { nonce: nonce.as_deref(), ..ClientInfo::default() });
        client
    }

    /// Every core has confirmed the interest of the oldest PING that is not answered yet: its PONG may leave, and what
    /// waited behind it. Does nothing if there is no such PING.
    pub fn handle_ping_confirmed(&mut self) {
        if self.closed.is_some() {
            return;
        }
        let mut second_info = Vec::new();
        if self.is_connected && !self.is_greeted {
            self.is_greeted = true;
            if self.options.protocol >= 1 {
                let account = self.identity.as_ref().map(|identity| Arc::clone(&identity.account_name));
                let remote_account = Some(account.as_deref().unwrap_or_default());
                self.write_info(&mut second_info, &ClientInfo { remote_account, ..ClientInfo::default() });
            }
        }
        self.output.release(|out| {
            out.extend_from_slice(write::PONG);
            out.extend_from_slice(&second_info);
        });
        self.check_pending();
    }

    /// The server begins to shut down slowly: tells a peer that understands it.
    pub fn handle_lame_duck(&mut self) {
        if self.options.protocol >= 1 {
            self.queue_info(&ClientInfo { lame_duck: true, ..ClientInfo::default() });
        }
    }

    /// Bytes that may be written now.
    pub fn output_len(&self) -> usize {
        self.output.ready_len()
    }

    /// Bytes queued or being written: what is held against `max_pending`.
    pub fn pending_len(&self) -> usize {
        self.output.pending()
    }

    /// A PING was read and its PONG still waits for the other cores.
    pub fn awaits_confirmation(&self) -> bool {
        self.output.unconfirmed() > 0
    }

    /// Takes all bytes that may be written now and leaves `spare` (empty, perhaps with capacity) in their place. Until
    /// `handle_written` has reported all of them a write is under way; do not take again before.
    pub fn take_output(&mut self, now: Now, spare: Vec<u8>) -> Vec<u8> {
        let bytes = self.output.take(spare);
        if !bytes.is_empty() {
            self.timers.write_started(now, self.settings.write_deadline);
        }
        bytes
    }

    /// So many bytes of the last `take_output` went into the socket.
    pub fn handle_written(&mut self, bytes: usize) {
        self.output.written(bytes);
        if self.output.in_flight() == 0 {
            self.timers.write_ended();
        }
    }

    /// Ends the connection: the peer closed, the socket failed, the server stops. The first reason stays. What was queued
    /// can still be taken, unless this reason or an earlier one says that it should not be written.
    pub fn close(&mut self, reason: CloseReason) {
        if self.closed.is_some() {
            if !reason.flushes() {
                self.output.clear();
            }
            return;
        }
        // The PONGs promise nothing any more to a peer that is about to be cut off.
        while self.output.release(|out| out.extend_from_slice(write::PONG)) {}
        if !reason.flushes() {
            self.output.clear();
        }
        self.connecting = None;
        self.closed = Some(reason);
    }

    /// Ends the connection with an `-ERR` of its own, as for too many connections.
    pub fn fail(&mut self, text: &str, reason: CloseReason) {
        self.error(text);
        self.close(reason);
    }

    /// Why the connection has ended, if it has.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.closed
    }

    /// Takes the subscriptions out one by one, when the connection has ended.
    pub fn pop_subscription(&mut self) -> Option<(SubscriptionId, Subscription)> {
        self.subscriptions.pop()
    }

    /// A live subscription.
    pub fn subscription(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.subscriptions.get(id)
    }

    /// All live subscriptions.
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// Who the peer is; `None` before it has authenticated.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Unique on this server.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Where it connected from.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What every client of this server is bound by.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn software(&self) -> &Software {
        &self.software
    }

    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Of the last PING, or from the accept to CONNECT.
    pub fn round_trip(&self) -> Option<Duration> {
        self.timers.round_trip()
    }

    fn queue(&mut self, bytes: &[u8]) {
        if self.closed.is_none() {
            self.output.end().extend_from_slice(bytes);
            self.check_pending();
        }
    }

    fn error(&mut self, text: &str) {
        self.violation(text, &[]);
    }

    fn violation(&mut self, text: &str, quoted: &[(&str, &[u8])]) {
        if self.closed.is_none() {
            write::violation(self.output.end(), text, quoted);
            self.check_pending();
        }
    }

    /// What this peer signs if it logs in with a key.
    fn nonce(&self) -> Option<String> {
        self.settings.nonce_key.as_ref().map(|key| key.nonce(self.id))
    }

    fn queue_info(&mut self, info: &ClientInfo<'_>) {
        let mut bytes = Vec::new();
        self.write_info(&mut bytes, info);
        self.queue(&bytes);
    }

    fn write_info(&self, out: &mut Vec<u8>, info: &ClientInfo<'_>) {
        let client_ip = &self.peer.ip().to_string();
        write_info(out, &self.settings.info, &ClientInfo { client_id: self.id, client_ip, ..info.clone() });
    }

    /// A peer that does not read what it asked for is cut off.
    #[inline]
    fn check_pending(&mut self) {
        if self.output.pending() > self.settings.max_pending {
            self.close(CloseReason::SlowConsumerPendingBytes);
        }
    }
}

#[cfg(test)]
#[path = "client_test.rs"]
mod tests;

#[cfg(test)]
#[path = "timers_test.rs"]
mod timers_tests;
