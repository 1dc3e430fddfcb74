//! One core: its shards and its server, and the one function that moves them.
//! May import: ids, time, lanes, core_server, log, shard.
//! Must not know: rings, disks, sockets; who calls the turn (the reactor, or the simulator).

use crate::core_server::{CoreServer, ShardInput};
use crate::ids::{CoreId, ShardId};
use crate::lanes::{CoreMessage, Lane};
use crate::log::disk_op::{DiskDone, DiskOp};
use crate::shard::Shard;
use crate::time::{Instant, Now};

/// What surrounds a core: the rings to other cores and the disks of its shards.
pub trait World<M> {
    /// The next message from any other core. A turn takes everything that is there.
    fn receive(&mut self) -> Option<(CoreId, CoreMessage<M>)>;

    /// Whether the ring to `to` takes one more message of this lane.
    fn has_room(&mut self, to: CoreId, lane: Lane) -> bool;

    /// Sends; only after `has_room`.
    fn send(&mut self, to: CoreId, lane: Lane, message: CoreMessage<M>);

    /// Lets the core look at its rings if it sleeps.
    fn wake(&mut self, to: CoreId);

    /// Starts an operation on a shard's directory.
    fn submit(&mut self, shard: ShardId, op: DiskOp);

    /// The next finished operation.
    fn completion(&mut self) -> Option<(ShardId, DiskDone)>;
}

/// When the core wants its next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextTurn {
    /// At once: something is left to do.
    pub at_once: bool,
    /// At this time at the latest.
    pub deadline: Option<Instant>,
}

/// One core: some shards, one server. Lives on: its own core, of course.
pub struct Core<S> {
    id: CoreId,
    cores: u16,
    shards: Vec<Shard>,
    pub server: S,
}

/// How often the inputs that a turn's own outputs cause are served within the same turn.
const ROUNDS_PER_TURN: usize = 4;

impl<S: CoreServer> Core<S> {
    /// `shards` are those that this core carries.
    pub fn new(id: CoreId, cores: u16, shards: Vec<Shard>, server: S) -> Self {
        Core { id, cores, shards, server }
    }

    /// This core's number.
    pub fn id(&self) -> CoreId {
        self.id
    }

    /// The shards that this core carries.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Stops in order; see `Shard::close`. Go on with turns until every shard `is_closed`.
    pub fn close(&mut self, now: Now) {
        for shard in &mut self.shards {
            shard.close(now, &mut self.server);
        }
    }

    /// Drain, handle, poll, submit, next deadline. Everything in it happens at `now`.
    pub fn turn(&mut self, now: Now, world: &mut impl World<S::Mail>) -> NextTurn {
        self.server.begin_turn(now);
        while let Some((from, message)) = world.receive() {
            self.server.handle_message(from, message);
        }
        while let Some((id, done)) = world.completion() {
            if let Some(shard) = self.shards.iter_mut().find(|s| s.id() == id) {
                shard.handle_disk(now, done, &mut self.server);
            }
        }
        if self.server.poll_timeout().is_some_and(|due| due <= now.monotonic) {
            self.server.handle_timeout(now);
        }
        let mut again = false;
        for _ in 0..ROUNDS_PER_TURN {
            self.feed_shards(now);
            again = false;
            for shard in &mut self.shards {
                again |= shard.poll(now, &mut self.server);
                while let Some(batch) = shard.poll_batch_done() {
                    self.server.return_batch(batch);
                }
                while let Some(op) = shard.poll_disk(now) {
                    world.submit(shard.id(), op);
                }
            }
            if !self.server.has_shard_input() {
                break;
            }
        }
        self.server.end_turn();
        self.fill_lanes(world);
        NextTurn { at_once: again || self.server.has_shard_input(), deadline: self.deadline() }
    }

    fn feed_shards(&mut self, now: Now) {
        while let Some((id, input)) = self.server.poll_shard_input() {
            let Some(shard) = self.shards.iter_mut().find(|s| s.id() == id) else { continue };
            match input {
                ShardInput::Batch(batch) => shard.handle_batch(now, batch, &mut self.server),
                ShardInput::Request(to, request) => shard.handle_request(now, to, request, &mut self.server),
                ShardInput::Message(message) => shard.handle_message(now, message, &mut self.server),
                ShardInput::SubscribersChanged => shard.handle_subscribers_changed(now, &mut self.server),
            }
        }
    }

    fn fill_lanes(&mut self, world: &mut impl World<S::Mail>) {
        for to in (0..self.cores).map(CoreId).filter(|&to| to != self.id) {
            for lane in [Lane::Requests, Lane::Replies, Lane::Messages] {
                while world.has_room(to, lane)
                    && let Some(message) = self.server.poll_lane(to, lane)
                {
                    world.send(to, lane, message);
                }
            }
            if self.server.wants_wake(to) {
                world.wake(to);
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let shards = self.shards.iter().filter_map(Shard::poll_timeout);
        shards.chain(self.server.poll_timeout()).min()
    }
}
