//! A node: cores with their shards, disks and rings, moved from event to event.

use super::defect::Defects;
use super::disk::{Disk, Faults};
use super::random::Random;
use super::rings::Rings;
use super::server::{Delivered, Heard, SimServer};
use crate::core::{Core, NextTurn, World};
use crate::ids::{CoreId, GroupId, ShardId};
use crate::lanes::{CoreMessage, Lane};
use crate::log::disk_op::{DiskDone, DiskOp};
use crate::log::{Activity, LogOptions, SyncPolicy};
use crate::shard::{Shard, ShardOptions};
use crate::stream::config::ServerLimits;
use crate::time::{Instant, Now, WallTime};
use std::time::Duration;

/// Wall clock at the start of the virtual time.
const WALL_START: u64 = 1_700_000_000_000_000_000;

/// Everything that a crash ends, and what it leaves.
pub struct Node {
    pub now: Instant,
    pub life: u64,
    pub cores: Vec<Core<SimServer>>,
    next: Vec<NextTurn>,
    rings: Rings<Box<Delivered>>,
    pub disks: Vec<Disk>,
    random: Random,
    defects: Defects,
    segment_len: u64,
    pub sync: SyncPolicy,
    /// Wall clock less what it would be if nobody had set it. Nanoseconds.
    wall_offset: i64,
    /// How far it was set, over all steps: times that were told may be wrong by so much.
    pub wall_steps: Duration,
    /// Turns of all cores.
    pub turns: u64,
    /// Steps one after another that took no time.
    busy_steps: u32,
}

/// So many are more than any run needs.
const BUSY_STEPS_MAX: u32 = 20_000;

impl Node {
    /// A node that is down, with empty disks.
    pub fn new(shards: u16, defects: Defects, mut random: Random) -> Self {
        let segment_len = *random.pick(&[64 << 10, 128 << 10, 128 << 10, 256 << 10]);
        let millis = Duration::from_millis(random.between(1, 40));
        let sync = match random.below(10) {
            0..7 => SyncPolicy::Synced { sync_interval: Duration::ZERO },
            7 => SyncPolicy::Synced { sync_interval: millis },
            _ => SyncPolicy::Written { unsynced_max: millis, unsynced_bytes_max: 64 << 10 },
        };
        Node {
            now: Instant(1_000_000_000),
            life: 0,
            cores: Vec::new(),
            next: Vec::new(),
            rings: Rings::new(0),
            disks: vec![Disk::default(); usize::from(shards)],
            random,
            defects,
            segment_len,
            sync,
            wall_offset: 0,
            wall_steps: Duration::ZERO,
            turns: 0,
            busy_steps: 0,
        }
    }

    pub fn clocks(&self) -> Now {
        let wall = (WALL_START + self.now.0).saturating_add_signed(self.wall_offset);
        Now { monotonic: self.now, wall: WallTime(wall) }
    }

    /// Somebody sets the wall clock, forward or back.
    pub fn step_wall(&mut self, by: Duration, is_forward: bool) {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.wall_offset += if is_forward { nanos } else { -nanos };
        self.wall_steps += by;
    }

    /// No clock of the node has shown a later time.
    pub fn latest_wall(&self) -> WallTime {
        self.clocks().wall + self.wall_steps + self.wall_steps
    }

    /// Starts on so many cores.
    pub fn start(&mut self, cores: u16) {
        self.life += 1;
        let homes: Vec<CoreId> = (0..self.disks.len()).map(|shard| CoreId(shard as u16 % cores)).collect();
        self.rings = Rings::new(cores);
        self.next = vec![NextTurn { at_once: true, deadline: None }; usize::from(cores)];
        self.cores = (0..cores)
            .map(|core| {
                let core = CoreId(core);
                let mine = (0..self.disks.len()).filter(|&shard| homes[shard] == core);
                let shards = mine.map(|shard| (shard, self.options(shard, cores)));
                let shards: Vec<(usize, ShardOptions)> = shards.collect();
                let shards =
                    shards.into_iter().map(|(s, options)| Shard::open(options, self.disks[s].files()));
                let server = SimServer::new(core, cores, homes.clone(), self.life << 40);
                Core::new(core, cores, shards.collect(), server)
            })
            .collect();
    }

    /// The process ends between two turns. With `power`, the machine's power too. Returns the number of torn writes.
    pub fn crash(&mut self, power: bool) -> u64 {
        self.cores.clear();
        self.next.clear();
        let mut torn = 0;
        for disk in &mut self.disks {
            match power {
                true => torn += disk.cut_power(&mut self.random),
                false => disk.kill(&mut self.random),
            }
        }
        torn
    }

    /// Goes on to the next event if it is not after `until`: every core that has something to do has a turn.
    pub fn step(&mut self, until: Instant) -> bool {
        let Some(at) = (0..self.cores.len()).filter_map(|core| self.due(core)).min() else { return false };
        if at > until {
            return false;
        }
        let due: Vec<Option<Instant>> = (0..self.cores.len()).map(|core| self.due(core)).collect();
        self.count_busy_step(at);
        self.now = self.now.max(at);
        let cores = self.cores.len();
        let first = self.random.below(cores as u64) as usize;
        for core in (0..cores).map(|i| (i + first) % cores) {
            if due[core].is_some_and(|due| due <= self.now) {
                self.turn(core);
            }
        }
        true
    }

    /// What clients have heard since the last call.
    pub fn heard(&mut self) -> Vec<Heard> {
        self.cores.iter_mut().flat_map(|core| std::mem::take(&mut core.server.heard)).collect()
    }

    pub fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.cores.iter().flat_map(Core::shards)
    }

    /// Every shard serves and every core knows all streams.
    pub fn is_settled(&self) -> bool {
        self.shards().all(Shard::is_serving) && self.shards().any(Shard::is_settled)
    }

    /// The order to stop.
    pub fn close(&mut self) {
        let now = self.clocks();
        for (core, next) in self.cores.iter_mut().zip(&mut self.next) {
            core.close(now);
            next.at_once = true;
        }
    }

    pub fn is_closed(&self) -> bool {
        self.shards().all(Shard::is_closed)
    }

    /// A core has input from clients.
    pub fn wake(&mut self, core: CoreId) {
        self.next[usize::from(core.0)].at_once = true;
    }

    /// Committed state of everything.
    pub fn state_hashes(&self) -> Vec<(GroupId, u64)> {
        self.shards().flat_map(Shard::state_hashes).collect()
    }

    /// What the logs are doing.
    pub fn activities(&self) -> impl Iterator<Item = Activity> {
        self.shards().filter(|shard| shard.is_serving()).map(Shard::activity)
    }

    pub fn set_faults(&mut self, shard: usize, faults: Faults) {
        self.disks[shard].set_faults(faults);
    }

    /// A node that has something to do all the time and comes to no end is broken.
    fn count_busy_step(&mut self, at: Instant) {
        let is_busy = at <= self.now + Duration::from_micros(1);
        self.busy_steps = if is_busy { self.busy_steps + 1 } else { 0 };
        assert!(self.busy_steps < BUSY_STEPS_MAX, "the node has turns without end");
    }

    fn due(&self, core: usize) -> Option<Instant> {
        let NextTurn { at_once, deadline } = self.next[core];
        let soon = at_once.then_some(self.now + Duration::from_micros(1));
        let id = CoreId(core as u16);
        let disks =
            self.cores[core].shards().iter().filter_map(|s| self.disks[usize::from(s.id().0)].next_due());
        disks.chain(soon).chain(deadline).chain(self.rings.next_due(self.now, id)).min()
    }

    fn turn(&mut self, core: usize) {
        let now = self.clocks();
        let mine = self.cores[core].shards().iter().map(Shard::id).collect();
        self.rings.looked(CoreId(core as u16));
        let mut world = Around {
            now: self.now,
            core: CoreId(core as u16),
            mine,
            rings: &mut self.rings,
            disks: &mut self.disks,
            random: &mut self.random,
        };
        self.next[core] = self.cores[core].turn(now, &mut world);
        self.turns += 1;
    }

    fn options(&mut self, shard: usize, cores: u16) -> ShardOptions {
        let log_id = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
        let mut log = LogOptions::new(log_id, self.random.next());
        log.segment_len = self.segment_len;
        log.first_segment_len = 64 << 10;
        log.tail_cache_len = 32 << 10;
        log.read_cache_len = 16 << 10;
        log.sync = self.sync;
        log.defect = self.defects.log;
        ShardOptions {
            id: ShardId(shard as u16),
            shards: self.disks.len() as u16,
            cores,
            limits: ServerLimits { memory_max: 1 << 20, ..ServerLimits::default() },
            log,
            defect: self.defects.shard,
        }
    }
}

/// What surrounds one core during its turn.
struct Around<'a> {
    now: Instant,
    core: CoreId,
    mine: Vec<ShardId>,
    rings: &'a mut Rings<Box<Delivered>>,
    disks: &'a mut [Disk],
    random: &'a mut Random,
}

impl World<Box<Delivered>> for Around<'_> {
    fn receive(&mut self) -> Option<(CoreId, CoreMessage<Box<Delivered>>)> {
        self.rings.receive(self.now, self.core)
    }

    fn has_room(&mut self, to: CoreId, lane: Lane) -> bool {
        self.rings.has_room(self.core, to, lane)
    }

    fn send(&mut self, to: CoreId, lane: Lane, message: CoreMessage<Box<Delivered>>) {
        self.rings.send(self.now, self.core, to, lane, message, self.random);
    }

    fn wake(&mut self, _to: CoreId) {}

    fn submit(&mut self, shard: ShardId, op: DiskOp) {
        self.disks[usize::from(shard.0)].submit(self.now, op, self.random);
    }

    fn completion(&mut self) -> Option<(ShardId, DiskDone)> {
        let done = |shard: &ShardId| Some((*shard, self.disks[usize::from(shard.0)].complete(self.now)?));
        self.mine.iter().find_map(done)
    }
}
