//! The server of one core: its clients, and everything between them, the shards and the other cores.
//! May import: client, routing, jetstream, protocol, limits, report, `shards` (tiers 0 to 4).
//! Must not know: sockets, files, how a shard works.

mod broker;
pub mod clients;
pub mod counters;
mod delivery;
mod inputs;
mod outputs;
mod pub_acks;
mod publishes;
mod random;
mod reading;
mod reports;
mod turn;
mod waits;

pub use clients::ClientKey;
pub use counters::Counters;
pub use reading::Reading;

use crate::client::action::Credentials;
use crate::client::close::CloseReason;
use crate::client::settings::{Identity, Settings};
use crate::client::{Client, Refused};
use crate::jetstream::api::{self, Api};
use crate::jetstream::nuid::Nuid;
use crate::routing::interest::Interest;
use crate::routing::mail::CoreMail;
use crate::routing::peers::Peers;
use clients::Clients;
use inputs::ShardInputs;
use pub_acks::PubAckTexts;
use random::Random;
use reports::Reports;
use shards::ids::CoreId;
use shards::lanes::CoreMessage;
use shards::time::Now;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use waits::Waits;

/// Which cores there are, and where the shards live.
#[derive(Clone, Debug)]
pub struct Topology {
    pub core: CoreId,
    pub cores: u16,
    /// Core of each shard, by shard number.
    pub homes: Vec<CoreId>,
}

/// The server of one core. Lives on: its core; nothing of it is shared.
///
/// The turn calls it as `shards::core_server::CoreServer`. Between turns the shell calls the methods of this type:
///
/// - `accept` for each new connection; its INFO is output.
/// - `handle_bytes` for each socket that has something, and for each client that `poll_resumed` names.
/// - After each turn, until `None`: `poll_dirty` (clients with output: `take_output`, write, `handle_written`),
///   `poll_resumed`, `poll_closing` (write what is left if the reason `flushes`, then `handle_closed`) and
///   `poll_authentication` (check off the core, then `handle_authenticated`).
#[derive(Debug)]
pub struct Server {
    topology: Topology,
    settings: Arc<Settings>,
    now: Now,
    clients: Clients,
    interest: Interest,
    peers: Peers,
    inputs: ShardInputs,
    waits: Waits,
    api: Api,
    nuid: Nuid,
    random: Random,
    counters: Counters,
    reports: Reports,
    authentications: VecDeque<(ClientKey, Credentials)>,
    /// Ended clients whose sockets the shell must close.
    closing: VecDeque<ClientKey>,
    /// By core number: what waits for the replies lane. Bounded by what was asked of this core's shards.
    replies: Vec<VecDeque<CoreMessage<Box<CoreMail>>>>,
    /// By core number.
    wakes: Vec<turn::Wake>,
    /// Room of a full lane was refused to a consumer; it is told when there is some.
    refused: std::cell::Cell<bool>,
    pub_ack_texts: PubAckTexts,
}

impl Server {
    /// `seed` decides which member of a queue group is served and how unnamed consumers are called; another one on each
    /// core.
    pub fn new(topology: Topology, settings: Arc<Settings>, seed: u64) -> Self {
        let cores = usize::from(topology.cores);
        let api_settings = api::Settings {
            server_name: settings.info.server_name.clone(),
            shards: topology.homes.len() as u16,
            seed,
        };
        Server {
            clients: Clients::new(settings.max_pending),
            settings,
            now: Now::default(),
            interest: Interest::default(),
            peers: Peers::new(topology.core, topology.cores),
            inputs: ShardInputs::new(topology.core, topology.cores, &topology.homes),
            waits: Waits::new(topology.cores),
            api: Api::new(api_settings),
            nuid: Nuid::new(seed ^ 0x5bd1_e995),
            random: Random::new(seed),
            counters: Counters::default(),
            reports: Reports::default(),
            authentications: VecDeque::new(),
            closing: VecDeque::new(),
            replies: (0..cores).map(|_| VecDeque::new()).collect(),
            wakes: vec![turn::Wake::default(); cores],
            refused: std::cell::Cell::new(false),
            pub_ack_texts: PubAckTexts::default(),
            topology,
        }
    }

    /// A connection was accepted and is for this core. `id` is unique in the whole process. `admitted` is false if there are
    /// `max_connections` already: it is told and closed.
    pub fn accept(&mut self, now: Now, id: u64, peer: SocketAddr, admitted: bool) -> ClientKey {
        let mut client = Client::new(self.settings.clone(), id, peer, now);
        if !admitted {
            client.fail("maximum connections exceeded", CloseReason::MaximumConnectionsExceeded);
        }
        let key = self.clients.insert(client);
        self.clients.note(key);
        self.settle();
        key
    }

    /// Clients of this core, ended ones included until `handle_closed`.
    pub fn client_count(&self) -> usize {
        self.clients.count()
    }

    /// Keys of all clients, for an orderly end.
    pub fn client_keys(&self) -> impl Iterator<Item = ClientKey> {
        self.clients.keys()
    }

    /// A client, to look at.
    pub fn client(&self, key: ClientKey) -> Option<&Client> {
        self.clients.get(key).map(|connected| &connected.client)
    }

    /// What monitoring reads.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The next client that has output which the shell was not told of yet.
    pub fn poll_dirty(&mut self) -> Option<ClientKey> {
        self.clients.poll_dirty()
    }

    /// As `Client::take_output`; `spare` comes back if the client has gone.
    pub fn take_output(&mut self, now: Now, key: ClientKey, spare: Vec<u8>) -> Vec<u8> {
        let Some(connected) = self.clients.get_mut(key) else { return spare };
        let output = connected.client.take_output(now, spare);
        self.clients.note_timer(key);
        output
    }

    /// As `Client::handle_written`.
    pub fn handle_written(&mut self, key: ClientKey, bytes: usize) {
        if let Some(connected) = self.clients.get_mut(key) {
            connected.client.handle_written(bytes);
            self.clients.note(key);
            self.settle();
        }
    }

    /// The shell has written what this turn put out: as far as the server can tell, it is with the clients.
    pub fn handle_turn_end(&mut self, now: Now) {
        self.reports.note_flushed(now.monotonic);
    }

    /// Ends a client from here: the server stops, a write took too long. It will be named by `poll_closing`.
    pub fn close(&mut self, key: ClientKey, reason: CloseReason) {
        if let Some(connected) = self.clients.get_mut(key) {
            connected.client.close(reason);
            self.clients.note(key);
            self.settle();
        }
    }

    /// The next client whose connection is to be closed. Each is named once, whatever ended it, unless `handle_closed` was
    /// called for it before.
    pub fn poll_closing(&mut self) -> Option<ClientKey> {
        while let Some(key) = self.closing.pop_front() {
            if self.clients.get(key).is_some() {
                return Some(key);
            }
        }
        None
    }

    /// The socket is closed, or has failed: forgets the client. `reason` is noted if the client had not ended before.
    pub fn handle_closed(&mut self, key: ClientKey, reason: CloseReason) {
        self.close(key, reason);
        self.clients.remove(key);
    }

    /// The next credentials to check. Passwords are hashed off the core.
    pub fn poll_authentication(&mut self) -> Option<(ClientKey, Credentials)> {
        self.authentications.pop_front()
    }

    /// The result of a check. The client may be read again if it is accepted: `poll_resumed` names it.
    pub fn handle_authenticated(&mut self, key: ClientKey, result: Result<Identity, Refused>) {
        if let Some(connected) = self.clients.get_mut(key) {
            connected.client.handle_authenticated(result);
            self.resume(key);
            self.clients.note(key);
            self.settle();
        }
    }

    /// The server will stop in a while: tells every client that understands it.
    pub fn handle_lame_duck(&mut self) {
        let keys: Vec<_> = self.clients.keys().collect();
        for key in keys {
            if let Some(connected) = self.clients.get_mut(key) {
                connected.client.handle_lame_duck();
                self.clients.note(key);
            }
        }
        self.settle();
    }

    /// The server stops: ends every client of this core.
    pub fn shut_down(&mut self) {
        let keys: Vec<_> = self.clients.keys().collect();
        for key in keys {
            self.close(key, CloseReason::ServerShutdown);
        }
    }

    /// Takes out of the interest what ended: subscriptions that had their last message, clients that have closed. Cheap if
    /// nothing did.
    #[inline]
    fn settle(&mut self) {
        if self.clients.has_ends() {
            self.settle_ends();
        }
    }

    fn settle_ends(&mut self) {
        while let Some(removal) = self.clients.poll_removal() {
            let clients::Removal { account, subscription, removed } = removal;
            self.unsubscribe(account, subscription, &removed);
        }
        while let Some(key) = self.clients.poll_ended() {
            let Some(connected) = self.clients.get(key) else { continue };
            if connected.client.close_reason().is_some_and(CloseReason::is_slow_consumer) {
                self.counters.slow_consumers += 1;
            }
            self.closing.push_back(key);
            self.unsubscribe_all(key);
        }
    }
}

#[cfg(test)]
mod simulated_cores_test;

#[cfg(test)]
mod publishes_test;

#[cfg(test)]
mod server_test;
