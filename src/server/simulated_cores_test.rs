//! Several cores in one thread: their servers, lanes with random delays, shards that only acknowledge.

use super::{ClientKey, Reading, Server, Topology};
use crate::accounts::Authorization;
use crate::client::close::CloseReason;
use crate::client::settings::Settings;
use crate::routing::mail::CoreMail;
use crate::server::random::Random;
use bytes::BytesMut;
use shards::core_server::{CoreServer, ShardInput};
use shards::ids::{AccountId, CoreId, GroupId, Revision, ShardId, StreamSeq};
use shards::lanes::{CoreMessage, Lane};
use shards::shard::answer::{PubAck, PubAcks, StreamChange, TableChange};
use shards::shard::outputs::Outputs;
use shards::shard::request::{Batch, ItemKind};
use shards::stream::config::StreamConfig;
use shards::time::{Instant, Now, WallTime};
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

pub type Mail = CoreMessage<Box<CoreMail>>;

/// A client and the shell's part of it.
pub struct Peer {
    pub core: usize,
    pub key: ClientKey,
    pub unread: BytesMut,
    pub reading: Reading,
    pub heard: Vec<u8>,
    pub closed: Option<CloseReason>,
    /// Its socket takes nothing.
    pub is_stuck: bool,
}

pub struct Cores {
    pub servers: Vec<Server>,
    pub peers: Vec<Peer>,
    pub now: Now,
    pub random: Random,
    /// Messages on their way, with the round in which they arrive; each lane in order.
    lanes: BTreeMap<(usize, usize, usize), VecDeque<(u64, Mail)>>,
    round: u64,
    /// Longest delay in a lane. Rounds.
    pub delay_max: u64,
    /// Messages that a lane holds.
    pub lane_len: usize,
    /// What shards have seen: kind, subject, payload.
    pub stored: Vec<(ItemKind, String, String)>,
    /// Shards keep batches.
    pub shards_are_stuck: bool,
    kept: Vec<(usize, Box<Batch>)>,
    pub subscribers_changed: usize,
}

const LANES: [Lane; 3] = [Lane::Requests, Lane::Replies, Lane::Messages];

impl Cores {
    /// Shard n lives on core n.
    pub fn new(cores: usize, seed: u64) -> Self {
        Cores::with(cores, seed, |_| {})
    }

    pub fn with(cores: usize, seed: u64, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let settings = Arc::new(settings);
        let server = |core| {
            let homes = (0..cores as u16).map(CoreId).collect();
            let topology = Topology { core: CoreId(core as u16), cores: cores as u16, homes };
            Server::new(topology, settings.clone(), seed + 1000 * core as u64)
        };
        Cores {
            servers: (0..cores).map(server).collect(),
            peers: Vec::new(),
            now: Now { monotonic: Instant(1_000_000_000_000), wall: WallTime(1) },
            random: Random::new(seed),
            lanes: BTreeMap::new(),
            round: 0,
            delay_max: 5,
            lane_len: 64,
            stored: Vec::new(),
            shards_are_stuck: false,
            kept: Vec::new(),
            subscribers_changed: 0,
        }
    }

    /// A client on a core, past its CONNECT. Returns its number.
    pub fn connect(&mut self, core: usize) -> usize {
        self.connect_with(core, r#""headers":true,"no_responders":true"#)
    }

    pub fn connect_with(&mut self, core: usize, options: &str) -> usize {
        let id = self.peers.len() as u64;
        let key = self.servers[core].accept(self.now, id, (Ipv4Addr::LOCALHOST, 4321).into(), true);
        let (unread, reading) = (BytesMut::new(), Reading::Continue { at_least: 1 });
        self.peers.push(Peer {
            core,
            key,
            unread,
            reading,
            heard: Vec::new(),
            closed: None,
            is_stuck: false,
        });
        let peer = self.peers.len() - 1;
        self.send(peer, &format!("CONNECT {{\"verbose\":false,\"pedantic\":false,{options}}}\r\n"));
        self.settle();
        self.hear(peer);
        peer
    }

    /// Bytes that arrive from a peer, and are read at once if it is read at all.
    pub fn send(&mut self, peer: usize, text: &str) {
        self.peers[peer].unread.extend_from_slice(text.as_bytes());
        if matches!(self.peers[peer].reading, Reading::Continue { .. }) {
            self.read(peer);
        }
    }

    /// As `send`, until nothing moves any more.
    pub fn says(&mut self, peer: usize, text: &str) {
        self.send(peer, text);
        self.settle();
    }

    pub fn publish(&mut self, peer: usize, subject: &str, reply: &str, payload: &str) {
        self.send(peer, &format!("PUB {subject} {reply} {}\r\n{payload}\r\n", payload.len()));
    }

    /// What a peer has received since the last call.
    pub fn hear(&mut self, peer: usize) -> String {
        String::from_utf8(std::mem::take(&mut self.peers[peer].heard)).unwrap()
    }

    /// Payloads of the messages that a peer has received since the last call. Pays no attention to headers.
    pub fn payloads(&mut self, peer: usize) -> Vec<String> {
        let heard = self.hear(peer);
        let mut lines = heard.split("\r\n");
        let mut payloads = Vec::new();
        while let Some(line) = lines.next() {
            if line.starts_with("MSG ") {
                payloads.extend(lines.next().map(str::to_owned));
            }
        }
        payloads
    }

    /// Runs rounds until nothing moves.
    pub fn settle(&mut self) {
        let mut quiet = 0;
        while quiet <= self.delay_max + 1 {
            quiet = if self.step() { 0 } else { quiet + 1 };
        }
    }

    /// One turn of every core. True if anything moved.
    pub fn step(&mut self) -> bool {
        self.round += 1;
        self.now.monotonic = self.now.monotonic + Duration::from_micros(10);
        let mut moved = false;
        for core in 0..self.servers.len() {
            moved |= self.turn(core);
            moved |= self.shell(core);
        }
        moved
    }

    /// A stream that captures these subjects, on a shard.
    pub fn create_stream(&mut self, number: u64, name: &str, shard: u16, subjects: &[&str]) {
        let subjects = subjects.iter().map(|&subject| subject.to_owned()).collect();
        let config =
            StreamConfig { name: name.to_owned(), subjects, allow_direct: true, ..StreamConfig::default() };
        let (shard, created) = (ShardId(shard), WallTime(1));
        let change = StreamChange::Put { shard, created, config: config.into_shared() };
        let change = TableChange {
            revision: Revision(number),
            account: AccountId::GLOBAL,
            group: GroupId(number),
            change,
        };
        self.servers[0].table(change);
        self.settle();
    }

    /// Shards give back what they kept.
    pub fn free_shards(&mut self) {
        self.shards_are_stuck = false;
        for (core, batch) in std::mem::take(&mut self.kept) {
            self.serve(core, batch);
        }
    }

    fn read(&mut self, peer: usize) {
        let Peer { core, key, ref mut unread, .. } = self.peers[peer];
        self.peers[peer].reading = self.servers[core].handle_bytes(self.now, key, unread);
    }

    fn turn(&mut self, core: usize) -> bool {
        let mut moved = false;
        self.servers[core].begin_turn(self.now);
        for from in 0..self.servers.len() {
            for lane in 0..LANES.len() {
                let Some(queue) = self.lanes.get_mut(&(from, core, lane)) else { continue };
                while queue.front().is_some_and(|(round, _)| *round <= self.round) {
                    let Some((_, message)) = queue.pop_front() else { break };
                    self.servers[core].handle_message(CoreId(from as u16), message);
                    moved = true;
                }
            }
        }
        if self.servers[core].poll_timeout().is_some_and(|due| due <= self.now.monotonic) {
            self.servers[core].handle_timeout(self.now);
        }
        while let Some((_, input)) = self.servers[core].poll_shard_input() {
            moved = true;
            match input {
                ShardInput::Batch(batch) if self.shards_are_stuck => self.kept.push((core, batch)),
                ShardInput::Batch(batch) => self.serve(core, batch),
                ShardInput::SubscribersChanged => self.subscribers_changed += 1,
                ShardInput::Request(..) | ShardInput::Message(_) => {}
            }
        }
        self.servers[core].end_turn();
        for to in (0..self.servers.len()).filter(|&to| to != core) {
            for (number, lane) in LANES.into_iter().enumerate() {
                moved |= self.fill(core, to, number, lane);
            }
            self.servers[core].wants_wake(CoreId(to as u16));
        }
        moved
    }

    fn fill(&mut self, core: usize, to: usize, number: usize, lane: Lane) -> bool {
        let queue = self.lanes.entry((core, to, number)).or_default();
        let mut moved = false;
        while queue.len() < self.lane_len
            && let Some(message) = self.servers[core].poll_lane(CoreId(to as u16), lane)
        {
            let delay = self.random.draw() % (self.delay_max + 1);
            let not_before = queue.back().map_or(0, |(round, _)| *round);
            queue.push_back((not_before.max(self.round + 1 + delay), message));
            moved = true;
        }
        moved
    }

    /// A shard of `core` stores the batch and acknowledges it at once, with the numbers of all it has seen.
    fn serve(&mut self, core: usize, batch: Box<Batch>) {
        let mut acks = PubAcks::default();
        acks.start(batch.account, b"S");
        for item in &batch.items {
            let chunk = &batch.chunks[item.chunk as usize];
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            self.stored.push((item.kind, text(item.subject.of(chunk)), text(item.payload.of(chunk))));
            if item.kind == ItemKind::Publish && item.reply.len > 0 {
                acks.bytes.extend_from_slice(item.reply.of(chunk));
                let seq = StreamSeq(self.stored.len() as u64);
                let (slot, generation) = (item.origin.slot, item.origin.generation);
                acks.acks.push(PubAck { slot, generation, reply_len: item.reply.len, duplicate: false, seq });
            }
        }
        let origin = batch.origin;
        self.servers[core].return_batch(batch);
        self.servers[core].pub_acks(origin, &mut acks);
    }

    /// What the shell does after a turn.
    fn shell(&mut self, core: usize) -> bool {
        let mut moved = false;
        let server = &mut self.servers[core];
        while let Some((key, _)) = server.poll_authentication() {
            let identity = Authorization::Open.anonymous().expect("everybody may connect");
            server.handle_authenticated(key, Ok(identity));
            moved = true;
        }
        while let Some(key) = self.servers[core].poll_resumed() {
            let Some(peer) = self.peers.iter().position(|peer| peer.core == core && peer.key == key) else {
                continue;
            };
            self.read(peer);
            moved = true;
        }
        let server = &mut self.servers[core];
        while let Some(key) = server.poll_dirty() {
            let Some(peer) = self.peers.iter_mut().find(|peer| peer.core == core && peer.key == key) else {
                continue;
            };
            if peer.is_stuck {
                continue;
            }
            let output = server.take_output(self.now, key, Vec::new());
            server.handle_written(key, output.len());
            peer.heard.extend_from_slice(&output);
            moved |= !output.is_empty();
        }
        while let Some(key) = server.poll_closing() {
            let reason = server.client(key).and_then(|client| client.close_reason());
            server.handle_closed(key, CloseReason::ClientClosed);
            if let Some(peer) = self.peers.iter_mut().find(|peer| peer.core == core && peer.key == key) {
                peer.closed = reason;
            }
            moved = true;
        }
        moved
    }
}

fn settings() -> Settings {
    let mut settings = Settings { anonymous: Authorization::Open.anonymous(), ..Settings::default() };
    settings.info.server_id = "NID".into();
    settings
}
