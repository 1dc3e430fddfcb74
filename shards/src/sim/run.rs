//! One run from one seed: lives that end in crashes, then quiet, in which everything must heal.

use super::clients::{Clients, unanswered};
use super::defect::Defects;
use super::disk::Faults;
use super::model::{Certainty, StreamModel, Verdict};
use super::node::Node;
use super::op::{Kind, OpId, Outcome};
use super::places::{Place, Places};
use super::random::Random;
use super::relaxed::Memories;
use super::workload::Workload;
use crate::ids::{CoreId, GroupId};
use crate::shard::Shard;
use crate::stream::config::StreamConfig;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How a run is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub defects: Defects,
    /// Prints what happens.
    pub is_verbose: bool,
}

/// What a run was like.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Of everything that happened.
    pub hash: u64,
    pub operations: u64,
    pub turns: u64,
    pub places: Places,
    /// The promise that was broken.
    pub failure: Option<String>,
}

/// Runs one seed.
pub fn run(seed: u64, options: Options) -> Report {
    let mut run = Run::new(seed, options);
    let failure = run.all().err();
    if let Some(failure) = &failure {
        run.clients.trace.note(run.node.now, format_args!("FAILED: {failure}"));
    }
    Report {
        hash: run.clients.trace.hash(),
        operations: run.clients.model.ops.len() as u64,
        turns: run.node.turns,
        places: run.places,
        failure,
    }
}

pub(super) struct Run {
    pub(super) node: Node,
    pub(super) clients: Clients,
    workload: Workload,
    pub(super) random: Random,
    places: Places,
    /// A disk fails or is full in this life: not every operation can succeed.
    pub(super) is_faulty: bool,
    pub(super) memories: Memories,
    seed: u64,
}

/// Longest time that the node takes for anything when nothing fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Operations of a run before the last phase.
const OPERATIONS: u64 = 320;

impl Run {
    fn new(seed: u64, options: Options) -> Self {
        let mut random = Random::new(seed);
        let shards = random.between(2, 4) as u16;
        let node = Node::new(shards, options.defects, random.fork());
        let mut clients = Clients::default();
        clients.trace.is_verbose = options.is_verbose;
        let workload = Workload::new(random.fork());
        Run {
            node,
            clients,
            workload,
            random,
            places: Places::default(),
            is_faulty: false,
            memories: Memories::default(),
            seed,
        }
    }

    fn all(&mut self) -> Verdict {
        self.start()?;
        self.set_up()?;
        let lives = self.random.between(2, 4);
        for life in 0..lives {
            self.work(OPERATIONS / lives)?;
            let must_crash = life + 1 == lives && self.places.crashes == 0;
            if self.random.percent(20) && !must_crash && !self.is_faulty {
                self.stop_and_start()?;
            } else {
                self.crash_somewhere()?;
            }
            self.audit()?;
            self.use_names_again()?;
        }
        self.heal()
    }

    /// Starts on some number of cores and waits until clients may be served.
    fn start(&mut self) -> Verdict {
        self.boot();
        self.until("the node serves", Node::is_settled)?;
        self.begin_memories();
        let found: Vec<String> = self.node.shards().map(|shard| format!("{:?}", shard.recovery())).collect();
        for (shard, found) in found.iter().enumerate() {
            self.note(format_args!("shard {shard} recovered: {found}"));
        }
        Ok(())
    }

    pub(super) fn boot(&mut self) {
        let cores = self.random.between(1, 3) as u16;
        self.node.start(cores);
        self.clients.model.begin_life(self.node.life);
        let life = self.node.life;
        self.note(format_args!("life {life} on {cores} cores"));
    }

    fn set_up(&mut self) -> Verdict {
        for config in self.workload.streams() {
            self.ask(Kind::StreamCreate(Box::new(config)));
        }
        self.settle()?;
        for (stream, config) in self.workload.consumers() {
            self.ask(Kind::ConsumerCreate { stream: stream.to_owned(), config: Box::new(config) });
        }
        self.settle()
    }

    /// So many operations, whatever happens meanwhile.
    fn work(&mut self, operations: u64) -> Verdict {
        self.workload.is_busy_with_streams = self.random.percent(20);
        if self.random.percent(25) {
            self.break_a_disk();
        }
        let mut left = operations;
        let mut idle = 0;
        while left > 0 && idle < 2000 {
            if self.act_once()? {
                left -= 1;
            } else {
                idle += 1;
            }
        }
        // Whatever fails, everybody is answered.
        self.settle()
    }

    /// One operation and the time to the next. False: there was nothing to do.
    fn act_once(&mut self) -> Result<bool, String> {
        if self.random.below(400) == 0 {
            self.set_clock();
        }
        self.remember_if_due();
        let until = self.node.now + self.workload.pause();
        self.pass(until)?;
        Ok(self.workload.act(&mut self.clients, &mut self.node))
    }

    /// Somebody sets the wall clock: by milliseconds mostly, by hours now and then.
    fn set_clock(&mut self) {
        let is_forward = self.random.percent(50);
        let millis = match self.random.below(10) {
            0..5 => self.random.below(500),
            // A deadline that is stored comes so much later: back by hours, and no run would see it.
            5..9 => self.random.below(4000),
            _ if is_forward => self.random.below(10 * 3600 * 1000),
            _ => self.random.below(10_000),
        };
        self.note(format_args!(
            "the wall clock is set {} by {millis} ms",
            if is_forward { "on" } else { "back" }
        ));
        self.node.step_wall(Duration::from_millis(millis), is_forward);
    }

    fn break_a_disk(&mut self) {
        let shard = self.random.below(self.node.disks.len() as u64) as usize;
        self.workload.is_busy_with_streams |= self.random.percent(50);
        let faults = match self.random.below(4) {
            0 => Faults { fail_in: Some(self.random.below(60) as u32), ..Faults::default() },
            1 => Faults { room: Some(self.node.disks[shard].len() + (64 << 10)), ..Faults::default() },
            2 => Faults { stuck_in: Some(self.random.below(60) as u32), ..Faults::default() },
            _ => Faults { delay: Duration::from_millis(self.random.below(300)), ..Faults::default() },
        };
        self.is_faulty = true;
        self.note(format_args!("shard {shard} has {faults:?}"));
        self.node.set_faults(shard, faults);
    }

    /// Goes on until a log is at the place that this crash is meant for, or for a while; then crashes.
    fn crash_somewhere(&mut self) -> Verdict {
        let aim = *self.random.pick(&Place::ALL);
        for _ in 0..400 {
            if aim.is_met(&self.node) || aim == Place::Recovery {
                break;
            }
            self.act_once()?;
        }
        self.crash();
        let again = if aim == Place::Recovery { 2 } else { u64::from(self.random.percent(10)) };
        for _ in 0..again {
            self.boot();
            for _ in 0..self.random.below(60) {
                self.node.step(self.node.now + PATIENCE);
                if self.node.is_settled() {
                    break;
                }
            }
            self.clients.hear(&mut self.node)?;
            self.crash();
        }
        self.start()
    }

    fn crash(&mut self) {
        self.places.note_crash(&self.node);
        let power = self.random.percent(75);
        self.forget_unsynced(power);
        self.end_life();
        let torn = self.node.crash(power);
        self.places.torn_tails += torn;
        self.note(format_args!("crash, {}: {torn} torn", if power { "power" } else { "process" }));
    }

    /// A clean stop loses nothing at all: the state is the same afterwards.
    fn stop_and_start(&mut self) -> Verdict {
        self.node.close();
        self.until("the node stops", Node::is_closed)?;
        let before = self.lasting_hashes();
        self.places.clean_stops += 1;
        self.end_life();
        self.node.crash(true);
        self.note(format_args!("clean stop"));
        self.boot();
        let after = self.recovered_hashes()?;
        self.begin_memories();
        for (group, hash) in before {
            if after.get(&group) != Some(&hash) {
                return Err(format!("a clean stop changes the state of group {group}"));
            }
        }
        Ok(())
    }

    /// Starts, and takes the state of each shard the moment it has recovered.
    fn recovered_hashes(&mut self) -> Result<BTreeMap<GroupId, u64>, String> {
        let (mut hashes, mut open) = (BTreeMap::new(), BTreeSet::new());
        let end = self.node.now + PATIENCE;
        while !self.node.is_settled() {
            if !self.node.step(end) {
                return Err(format!("not within {PATIENCE:?}: the node serves"));
            }
            self.clients.hear(&mut self.node)?;
            for shard in self.node.shards().filter(|shard| shard.is_serving()) {
                if open.insert(shard.id()) {
                    hashes.extend(shard.state_hashes());
                }
            }
        }
        Ok(hashes)
    }

    /// State of every group whose stream is in the log and not about to be changed by the catalog.
    fn lasting_hashes(&self) -> Vec<(GroupId, u64)> {
        let server = &self.node.cores[0].server;
        let is_lasting = |s: &StreamModel| !s.is_memory() && s.deleted == Certainty::No && s.maybe.is_empty();
        let others = self.clients.model.streams.iter().filter(|(_, s)| !is_lasting(s));
        let others: Vec<GroupId> = others.filter_map(|(name, _)| server.group_of(name)).collect();
        let hashes = self.node.state_hashes().into_iter();
        hashes.filter(|(group, _)| !others.contains(group)).collect()
    }

    pub(super) fn end_life(&mut self) {
        self.clients.model.end_life();
        self.is_faulty = false;
        for shard in 0..self.node.disks.len() {
            self.node.set_faults(shard, Faults::default());
        }
    }

    /// Reads everything there is and compares.
    pub(super) fn audit(&mut self) -> Verdict {
        let names: Vec<String> = self.clients.model.streams.keys().cloned().collect();
        for stream in &names {
            self.ask(Kind::StreamInfo { stream: stream.clone() });
        }
        let consumers: Vec<(String, String)> = self.clients.model.consumers.keys().cloned().collect();
        for (stream, consumer) in consumers {
            self.ask(Kind::ConsumerInfo { stream, consumer });
        }
        self.settle()?;
        for name in &names {
            let known = self.node.cores[0].server.stream(name).is_some();
            let model = &self.clients.model.streams[name];
            if !known
                && model.created == Certainty::Yes
                && model.deleted == Certainty::No
                && !self.clients.model.is_damaged
            {
                return Err(format!("stream {name} is gone"));
            }
            if known && model.deleted == Certainty::Yes && !self.clients.model.is_damaged_anywhere {
                return Err(format!("stream {name} is there again"));
            }
        }
        for stream in names {
            self.ask(Kind::Audit { stream });
        }
        self.settle()
    }

    /// Whatever failed before: the name of each stream of which nobody knows whether it exists can be used.
    fn use_names_again(&mut self) -> Verdict {
        let unsettled = self.clients.model.unsettled_streams();
        let names: Vec<(String, StreamConfig)> =
            unsettled.map(|(name, stream)| (name.clone(), stream.config.clone())).collect();
        for (name, config) in names {
            if self.node.cores[0].server.stream(&name).is_some() {
                self.insist("deleted", Kind::StreamDelete { stream: name.clone() })?;
            }
            self.insist("created", Kind::StreamCreate(Box::new(config)))?;
        }
        // In relaxed mode until all of this is synced.
        let until = self.node.now + Duration::from_millis(200);
        self.pass(until)?;
        self.begin_memories();
        Ok(())
    }

    /// Asks until it is done: the log of a young life may have to prepare a segment first.
    fn insist(&mut self, what: &str, kind: Kind) -> Verdict {
        for _ in 0..5 {
            let id = self.ask(kind.clone());
            self.settle()?;
            let op = id.and_then(|id| self.clients.model.ops.get(&id));
            if op.is_some_and(|op| matches!(op.outcome, Outcome::Done(_))) {
                return Ok(());
            }
            let until = self.node.now + Duration::from_secs(1);
            self.pass(until)?;
        }
        Err(format!("a stream cannot be {what} after a restart: {kind:?}"))
    }

    /// Nothing fails any more: everything unacked comes, and the state outlives a clean stop.
    fn heal(&mut self) -> Verdict {
        self.note(format_args!("nothing fails any more"));
        for core in &mut self.node.cores {
            core.server.set_subscribed(true);
        }
        let end = self.node.now + PATIENCE + self.node.wall_steps.min(PATIENCE * 2);
        loop {
            self.clients.backlog.clear();
            self.workload.drain(&mut self.clients, &mut self.node);
            let until = self.node.now + Duration::from_millis(100);
            self.pass(until)?;
            let consumers = self.clients.model.live_consumers().count();
            let backlog = &self.clients.backlog;
            if backlog.len() >= consumers && backlog.values().all(|left| *left == 0) {
                break;
            }
            if self.node.now > end {
                return Err(format!("consumers do not come to their end: {backlog:?}"));
            }
        }
        self.check_everything_came()?;
        self.audit()?;
        self.stop_and_start()?;
        self.audit()?;
        if self.seed.is_multiple_of(2) { self.damage() } else { Ok(()) }
    }

    /// Each message that is there was delivered to each consumer that wants it, and again unless a client acked it.
    fn check_everything_came(&mut self) -> Verdict {
        let model = &self.clients.model;
        let wall = self.node.latest_wall();
        for ((name, consumer), c) in model.live_consumers() {
            let Some(stream) = model.streams.get(name) else { continue };
            for (seq, id) in stream.seen() {
                let subject = stream.subject_of(model, id).unwrap_or_default();
                let mut filters = c.config.filters().peekable();
                let wanted = filters.peek().is_none() || filters.any(|f| f == subject);
                let come = c.ever_delivered.contains(&seq) && c.was_acked(seq);
                if wanted && !come && !stream.may_be_gone(model, seq, id, wall) {
                    return Err(format!("{name}/{consumer} came to its end without message {seq}"));
                }
            }
        }
        Ok(())
    }

    pub(super) fn ask(&mut self, kind: Kind) -> Option<OpId> {
        let core = CoreId(self.random.below(self.node.cores.len() as u64) as u16);
        self.clients.ask(&mut self.node, core, kind)
    }

    /// Until every operation has its answer.
    pub(super) fn settle(&mut self) -> Verdict {
        let end = self.node.now + PATIENCE;
        while self.clients.model.waiting().next().is_some() {
            let moved = self.node.step(end);
            self.clients.hear(&mut self.node)?;
            if !moved {
                let open = unanswered(self.clients.model.waiting());
                return Err(format!("no answer within {PATIENCE:?}: {open}"));
            }
        }
        Ok(())
    }

    fn pass(&mut self, until: Instant) -> Verdict {
        while self.node.step(until) {
            self.clients.hear(&mut self.node)?;
        }
        self.node.now = self.node.now.max(until);
        Ok(())
    }

    fn until(&mut self, what: &str, done: impl Fn(&Node) -> bool) -> Verdict {
        let end = self.node.now + PATIENCE;
        while !done(&self.node) {
            if let Some(error) = self.node.shards().find_map(Shard::open_error) {
                return Err(format!("seed {}: a shard does not open: {error:?}", self.seed));
            }
            if !self.node.step(end) {
                return Err(format!("not within {PATIENCE:?}: {what}"));
            }
            self.clients.hear(&mut self.node)?;
        }
        Ok(())
    }

    pub(super) fn note(&mut self, what: std::fmt::Arguments<'_>) {
        self.clients.trace.note(self.node.now, what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_seeds_keep_every_promise() {
        for seed in 1..=8 {
            assert_eq!(run(seed, Options::default()).failure, None, "seed {seed}");
        }
    }

    #[test]
    fn the_same_seed_is_the_same_run() {
        let hash = |seed| run(seed, Options::default()).hash;
        assert_eq!(hash(3), hash(3));
        assert_ne!(hash(3), hash(4));
    }
}
