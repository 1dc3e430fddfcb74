//! Whole cores in one thread: clients' bytes, lanes over real rings, real shards on disks in memory.

use crate::counting::{allocations_of, uncounted};
use crate::{identity, settings};
use bytes::BytesMut;
use millrace::routing::mail::CoreMail;
use millrace::server::{ClientKey, Reading, Server, Topology};
use shards::core::{Core, World};
use shards::ids::{CoreId, ShardId};
use shards::lanes::{CoreMessage, Lane};
use shards::log::LogOptions;
use shards::log::disk_op::{DiskData, DiskDone, DiskOp, SegmentFile};
use shards::ring::{Consumer, Producer, ring};
use shards::shard::defect::Defect;
use shards::shard::{Shard, ShardOptions};
use shards::stream::config::ServerLimits;
use shards::time::{Instant, Now, WallTime};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

type Message = CoreMessage<Box<CoreMail>>;

/// Some cores with their surroundings. Shard n lives on core n; clients are on the last core, so that with two cores
/// everything for shard 0 crosses the ring.
pub struct Cores {
    cores: Vec<(Core<Server>, Surroundings)>,
    clients: Vec<Client>,
    now: Now,
    spare: Vec<u8>,
}

struct Client {
    key: ClientKey,
    buffer: BytesMut,
    /// What the client has received; the test takes it.
    heard: Vec<u8>,
}

/// The rings and disks of one core.
struct Surroundings {
    /// By core and lane; none to itself.
    to: Vec<Option<[Producer<Message>; 3]>>,
    from: Vec<Option<[Consumer<Message>; 3]>>,
    files: BTreeMap<(ShardId, SegmentFile), Vec<u8>>,
    /// Operations of the last turn: they end before the next one.
    done: VecDeque<(ShardId, DiskDone)>,
    syncs: u64,
}

/// Turns after which everything that a client caused has come back to it.
const TURNS: usize = 12;

impl Cores {
    pub fn new(cores: u16) -> Self {
        let homes: Vec<CoreId> = (0..cores).map(CoreId).collect();
        let mut surroundings: Vec<Surroundings> = (0..cores).map(|_| Surroundings::new(cores)).collect();
        for from in 0..cores as usize {
            for to in (0..cores as usize).filter(|&to| to != from) {
                let [a, b, c] = [(); 3].map(|()| ring(shards::limits::LANE_SLOTS));
                surroundings[from].to[to] = Some([a.0, b.0, c.0]);
                surroundings[to].from[from] = Some([a.1, b.1, c.1]);
            }
        }
        let core = |(id, surroundings): (usize, Surroundings)| {
            let topology = Topology { core: CoreId(id as u16), cores, homes: homes.clone() };
            let server = Server::new(topology, Arc::new(settings()), 1 + id as u64);
            let shard = Shard::open(shard_options(id as u16, cores), Vec::new());
            (Core::new(CoreId(id as u16), cores, vec![shard], server), surroundings)
        };
        let cores = surroundings.into_iter().enumerate().map(core).collect();
        let now = Now { monotonic: Instant(1_000_000_000_000), wall: WallTime(1_700_000_000_000_000_000) };
        let mut cores = Cores { cores, clients: Vec::new(), now, spare: Vec::new() };
        for _ in 0..1000 {
            cores.turn();
        }
        assert!(cores.cores[0].0.shards()[0].is_settled(), "the shards are open");
        cores
    }

    /// A client on the last core. Returns its number.
    pub fn connect(&mut self) -> usize {
        let server = &mut self.cores.last_mut().expect("there is a core").0.server;
        let key = server.accept(self.now, 1, IpAddr::V4(Ipv4Addr::LOCALHOST), true);
        let client = self.clients.len();
        self.clients.push(Client { key, buffer: BytesMut::new(), heard: Vec::new() });
        self.says(client, b"CONNECT {\"verbose\":false,\"headers\":true}\r\n");
        client
    }

    /// Hands in bytes of a client and runs until everything has come back. Returns what the client has heard.
    pub fn says(&mut self, client: usize, bytes: &[u8]) -> Vec<u8> {
        self.run(client, lent(bytes));
        std::mem::take(&mut self.clients[client].heard)
    }

    /// Allocations on the way of these bytes and of everything that they cause; what was heard replaces `heard`.
    pub fn count(&mut self, client: usize, bytes: &[u8], heard: &mut Vec<u8>) -> u64 {
        let buffer = lent(bytes);
        self.clients[client].heard = std::mem::take(heard);
        self.clients[client].heard.clear();
        let count = allocations_of(|| self.run(client, buffer));
        *heard = std::mem::take(&mut self.clients[client].heard);
        count
    }

    /// Syncs of the disks of all cores so far.
    pub fn syncs(&self) -> u64 {
        self.cores.iter().map(|(_, surroundings)| surroundings.syncs).sum()
    }

    fn run(&mut self, client: usize, bytes: BytesMut) {
        let Client { key, buffer, .. } = &mut self.clients[client];
        // The shell reads into memory of its own; what it lends here is the test's.
        uncounted(|| if buffer.is_empty() { *buffer = bytes } else { buffer.extend_from_slice(&bytes) });
        let server = &mut self.cores.last_mut().expect("there is a core").0.server;
        let reading = server.handle_bytes(self.now, *key, buffer);
        assert!(reading != Reading::Closed && buffer.is_empty());
        for _ in 0..TURNS {
            self.turn();
        }
    }

    /// One turn of every core, then what its shell does.
    fn turn(&mut self) {
        let step = Duration::from_micros(100);
        self.now = Now { monotonic: self.now.monotonic + step, wall: self.now.wall + step };
        for (core, surroundings) in &mut self.cores {
            core.turn(self.now, surroundings);
            let server = &mut core.server;
            while let Some((key, _)) = server.poll_authentication() {
                server.handle_authenticated(key, Ok(identity()));
            }
            while let Some(key) = server.poll_dirty() {
                let mut output = server.take_output(self.now, key, std::mem::take(&mut self.spare));
                server.handle_written(key, output.len());
                if let Some(client) = self.clients.iter_mut().find(|client| client.key == key) {
                    uncounted(|| client.heard.extend_from_slice(&output));
                }
                output.clear();
                self.spare = output;
            }
        }
    }
}

impl Surroundings {
    fn new(cores: u16) -> Self {
        Surroundings {
            to: (0..cores).map(|_| None).collect(),
            from: (0..cores).map(|_| None).collect(),
            files: BTreeMap::new(),
            done: VecDeque::new(),
            syncs: 0,
        }
    }

    fn perform(&mut self, shard: ShardId, op: DiskOp) -> DiskDone {
        let (token, data) = match op {
            DiskOp::Write { token, file, offset, data } => {
                let bytes = self.files.get_mut(&(shard, file)).expect("written after it was prepared");
                bytes[offset as usize..][..data.len()].copy_from_slice(data.as_slice());
                (token, DiskData::Nothing)
            }
            DiskOp::Sync { token, .. } => {
                self.syncs += 1;
                (token, DiskData::Nothing)
            }
            DiskOp::Prepare { token, file, len } => {
                self.files.insert((shard, file), vec![0; len as usize]);
                (token, DiskData::Nothing)
            }
            DiskOp::Read { .. } => panic!("everything that is wanted is in the tail cache"),
        };
        DiskDone { token, result: Ok(data) }
    }
}

impl World<Box<CoreMail>> for Surroundings {
    fn receive(&mut self) -> Option<(CoreId, Message)> {
        for (core, lanes) in self.from.iter_mut().enumerate() {
            for lane in lanes.iter_mut().flatten() {
                if let Some(message) = lane.pop() {
                    return Some((CoreId(core as u16), message));
                }
            }
        }
        None
    }

    fn has_room(&mut self, to: CoreId, lane: Lane) -> bool {
        self.producer(to, lane).room() > 0
    }

    fn send(&mut self, to: CoreId, lane: Lane, message: Message) {
        assert!(self.producer(to, lane).push(message).is_ok(), "there was room");
    }

    fn wake(&mut self, _to: CoreId) {}

    fn submit(&mut self, shard: ShardId, op: DiskOp) {
        let done = uncounted(|| self.perform(shard, op));
        self.done.push_back((shard, done));
    }

    fn completion(&mut self) -> Option<(ShardId, DiskDone)> {
        self.done.pop_front()
    }
}

impl Surroundings {
    fn producer(&mut self, to: CoreId, lane: Lane) -> &mut Producer<Message> {
        let lanes = self.to[usize::from(to.0)].as_mut().expect("no core sends to itself");
        &mut lanes[lane as usize]
    }
}

/// As the shell lends what it has read: a piece of a larger block.
fn lent(bytes: &[u8]) -> BytesMut {
    let mut block = BytesMut::with_capacity(bytes.len() + 64);
    block.extend_from_slice(bytes);
    block.split()
}

fn shard_options(id: u16, shards: u16) -> ShardOptions {
    ShardOptions {
        id: ShardId(id),
        shards,
        cores: shards,
        limits: ServerLimits::default(),
        // A small tail cache is soon full, and then gives its memory back to the log.
        log: LogOptions { tail_cache_len: 256 << 10, ..LogOptions::new(1 + u128::from(id), 7) },
        memory_max: 1 << 30,
        file_max: u64::MAX,
        defect: Defect::default(),
    }
}
