//! One shard's engine as one machine: routes inputs to its groups, streams and consumers, gathers outputs.
//! May import: every lower tier.
//! Must not know: sockets, files, which core it runs on.

mod acks;
pub mod answer;
mod catalog_failures;
mod catalog_restart;
mod catalog_room;
mod catalog_steps;
mod checkpoint;
mod commit;
pub mod defect;
mod deliver;
mod engine;
mod gather;
mod group;
mod items;
mod lifecycle;
mod opening;
pub mod outputs;
mod propose;
mod reads;
pub mod request;
mod requests;
pub mod room;
mod spare;
pub mod stages;
mod stall;
mod stream_group;
mod timers;

pub use checkpoint::is_group_state;

use crate::ids::{AccountId, CoreId, GroupId, Revision, ShardId};
use crate::log::disk_op::{DiskDone, DiskOp, SegmentFile};
use crate::log::recovery::OpenError;
use crate::log::{Activity, Figures, LogOptions, RecoveryReport};
use crate::rejection::Rejection;
use crate::stream::config::{ServerLimits, StreamConfig};
use crate::time::{Instant, Now, WallTime};
use answer::StreamInfo;
use defect::Defect;
use engine::Engine;
use opening::Opening;
use outputs::Outputs;
use request::{Batch, ReplyTo, Request, ShardInput};
use room::Stored;
use stages::ShardReport;
use std::sync::Arc;

/// What shards (and, for confirmations, cores) tell each other about the catalog. Each is safe to repeat.
#[derive(Clone, Debug)]
pub enum ShardMessage {
    /// Catalog to home shard: start this stream's group. Answered by `GroupCreated`.
    CreateGroup { group: GroupId, account: AccountId, config: Arc<StreamConfig>, created: WallTime },
    /// Home shard to catalog: the group's first entry is synced.
    GroupCreated { group: GroupId, info: Box<StreamInfo> },
    /// Catalog to home shard: would this configuration break a consumer?
    CheckUpdate { group: GroupId, config: Arc<StreamConfig> },
    /// The answer.
    UpdateChecked { group: GroupId, result: Result<(), Rejection> },
    /// Catalog to home shard: the new configuration; it is in the catalog already.
    UpdateGroup { group: GroupId, config: Arc<StreamConfig> },
    /// Home shard to catalog: the update is synced.
    GroupUpdated { group: GroupId, info: Box<StreamInfo> },
    /// Catalog to home shard: the tombstone is synced and no core routes to the stream any more; end the group.
    DeleteGroup { group: GroupId },
    /// Home shard to catalog: the group's own tombstone is synced.
    GroupDeleted { group: GroupId },
    /// Home shard to catalog, instead of one of the answers above: its log did not take the step, or has failed or does not
    /// answer, so that nobody knows whether it did.
    GroupFailed { group: GroupId, rejection: Rejection },
    /// A core to the catalog: every change up to this one is in the core's copy of the stream table.
    TableConfirmed { core: CoreId, revision: Revision },
    /// A shard to the catalog after recovery: these groups are here.
    GroupsHere { shard: ShardId, groups: Vec<GroupId> },
    /// The answer about those that the catalog neither knows nor has deleted; it tells the shard about each of the others.
    SetAside { groups: Vec<GroupId> },
    /// A shard to the catalog: what its messages take has changed noticeably.
    Stored { shard: ShardId, stored: Stored },
    /// Catalog to every shard: what the messages of all others take.
    StoredElsewhere(Stored),
}

/// The shard of the catalog.
pub const CATALOG_SHARD: ShardId = ShardId(0);

/// What clients hear while a write or sync has been out for too long.
const LOG_STUCK: &str =
    "the disk of this stream has not answered for two seconds; nothing is stored until it does";

/// What clients hear after a write or sync has failed.
const LOG_FAILED: &str =
    "the log of this stream failed to write or sync; nothing more is stored until a restart";

/// What clients hear whose change of a stream failed after its first half, when the log was too full to take that back.
const LEFT_OPEN: &str =
    "the disk is full; what was asked is done in part, and completed by a request like it or the next start";

/// What clients hear who want something stored while the shard stops.
const SHUTTING_DOWN: &str = "the server is shutting down";

/// What a shard is opened with.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    pub id: ShardId,
    /// Shards of this node.
    pub shards: u16,
    /// Cores that have a copy of the stream table.
    pub cores: u16,
    pub limits: ServerLimits,
    pub log: LogOptions,
    /// A deliberate error, so that tests can prove that they would find it.
    pub defect: Defect,
}

/// One shard: a log and the groups in it, as a plain state machine. Lives on: its core.
///
/// It opens its log first; what arrives meanwhile is served afterwards, in order. In a turn: completions of the disk to
/// `handle_disk`, inputs to the other `handle_…`, then `poll`, then `poll_batch_done` and `poll_disk` until empty.
pub struct Shard {
    id: ShardId,
    state: State,
    report: RecoveryReport,
    unreadable: u64,
}

enum State {
    Opening(Box<Opening>),
    Serving(Box<Engine>),
    /// Only within `open_if_done`.
    Between,
}

/// A turn's rounds of committing, delivering and proposing: each may cause the next, and all of them end.
const ROUNDS_PER_POLL: usize = 8;

impl Shard {
    /// Opens the log in these files of the shard's directory (number, length in bytes).
    pub fn open(options: ShardOptions, files: Vec<(SegmentFile, u64)>) -> Self {
        let id = options.id;
        let opening = Box::new(Opening::new(options, files));
        Shard { id, state: State::Opening(opening), report: RecoveryReport::default(), unreadable: 0 }
    }

    pub fn id(&self) -> ShardId {
        self.id
    }

    /// The log is open and recovered.
    pub fn is_serving(&self) -> bool {
        matches!(self.state, State::Serving(_))
    }

    /// On the catalog's shard: all shards are open and every core knows all streams.
    pub fn is_settled(&self) -> bool {
        match &self.state {
            State::Serving(engine) => engine.catalog.as_ref().is_some_and(|c| c.is_settled()),
            _ => false,
        }
    }

    /// A write or sync of the log has failed: nothing more is stored until a restart.
    pub fn has_failed(&self) -> bool {
        matches!(&self.state, State::Serving(engine) if engine.has_failed)
    }

    /// Why the log cannot be opened.
    pub fn open_error(&self) -> Option<OpenError> {
        match &self.state {
            State::Opening(opening) => opening.error(),
            _ => None,
        }
    }

    /// What recovery found, and the number of changes that could not be read. Empty until the shard serves.
    pub fn recovery(&self) -> (&RecoveryReport, u64) {
        (&self.report, self.unreadable)
    }

    /// Groups of this shard's log that the catalog neither knows nor has deleted: kept, and not served. Known once the
    /// catalog's shard has started too.
    pub fn set_aside(&self) -> Vec<SetAside> {
        match &self.state {
            State::Serving(engine) => engine.set_aside(),
            _ => Vec::new(),
        }
    }

    /// Groups, messages and bytes as clients count them.
    pub fn totals(&self) -> Totals {
        match &self.state {
            State::Serving(engine) => engine.totals(),
            _ => Totals::default(),
        }
    }

    /// Sizes of the log.
    pub fn figures(&self) -> Figures {
        match &self.state {
            State::Serving(engine) => engine.log.figures(),
            _ => Figures::default(),
        }
    }

    /// How long messages stay in each stage, and what the disk takes.
    pub fn report(&self) -> ShardReport {
        match &self.state {
            State::Serving(engine) => engine.report(),
            _ => ShardReport::default(),
        }
    }

    /// What the log is doing; recovery counts as nothing of it.
    pub fn activity(&self) -> Activity {
        match &self.state {
            State::Serving(engine) => engine.log.activity(),
            _ => Activity::default(),
        }
    }

    /// Of the committed state of every group, in the order of their numbers: (group, hash).
    pub fn state_hashes(&self) -> Vec<(GroupId, u64)> {
        match &self.state {
            State::Serving(engine) => engine.state_hashes(),
            _ => Vec::new(),
        }
    }

    /// A disk operation has ended.
    pub fn handle_disk(&mut self, now: Now, done: DiskDone, out: &mut impl Outputs) {
        match &mut self.state {
            State::Opening(opening) => {
                opening.handle_disk(done);
                self.open_if_done(now, out);
            }
            State::Serving(engine) => engine.handle_disk(now, done, out),
            State::Between => {}
        }
    }

    /// Hot requests.
    pub fn handle_batch(&mut self, now: Now, batch: Box<Batch>, out: &mut impl Outputs) {
        self.handle_input(now, ShardInput::Batch(batch), out);
    }

    /// Any other request.
    pub fn handle_request(&mut self, now: Now, to: ReplyTo, request: Box<Request>, out: &mut impl Outputs) {
        self.handle_input(now, ShardInput::Request(to, request), out);
    }

    /// Word from a shard or a core.
    pub fn handle_message(&mut self, now: Now, message: ShardMessage, out: &mut impl Outputs) {
        self.handle_input(now, ShardInput::Message(message), out);
    }

    /// Somebody subscribed, or a lane has room again.
    pub fn handle_subscribers_changed(&mut self, now: Now, out: &mut impl Outputs) {
        self.handle_input(now, ShardInput::SubscribersChanged, out);
    }

    /// The end of the shard's turn: everything that can move, moves. True if something is left for a turn that comes at
    /// once.
    pub fn poll(&mut self, now: Now, out: &mut impl Outputs) -> bool {
        self.open_if_done(now, out);
        let State::Serving(engine) = &mut self.state else { return false };
        engine.run_timers(now, out);
        engine.serve_unread(now, out);
        engine.note_waiting();
        let mut more = true;
        for _ in 0..ROUNDS_PER_POLL {
            let committed = engine.commit(now, out);
            engine.handle_items(now, out);
            let delivered_more = engine.deliver(now, out);
            let proposed = engine.propose(now, out);
            engine.step_close();
            let checkpointing = engine.step_checkpoint(now);
            more = delivered_more || checkpointing || engine.has_pending();
            if !committed && !proposed && !checkpointing && !engine.has_pending() {
                break;
            }
        }
        more |= engine.step_stall(now, out);
        engine.set_timers();
        engine.tell_stored(out);
        more
    }

    /// The next batch whose chunks are not needed any more.
    pub fn poll_batch_done(&mut self) -> Option<Box<Batch>> {
        match &mut self.state {
            State::Serving(engine) => engine.batches_done.pop(),
            _ => None,
        }
    }

    /// The next operation for the disk.
    pub fn poll_disk(&mut self, now: Now) -> Option<DiskOp> {
        match &mut self.state {
            State::Opening(opening) => opening.poll_disk(),
            State::Serving(engine) => engine.log.poll_op(now.monotonic),
            State::Between => None,
        }
    }

    /// When `poll` has something to do although nothing happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Serving(engine) => engine.poll_timeout(),
            _ => None,
        }
    }

    /// Stops in order: what was admitted is written, synced and answered, waiting pulls are told, the log is marked clean.
    /// Go on with turns until `is_closed`.
    pub fn close(&mut self, now: Now, out: &mut impl Outputs) {
        if let State::Serving(engine) = &mut self.state {
            engine.close(now, out);
        }
    }

    /// Whether `close` has come to its end, or there was nothing to close.
    pub fn is_closed(&self) -> bool {
        match &self.state {
            State::Serving(engine) => engine.log.is_closed(),
            _ => true,
        }
    }

    fn handle_input(&mut self, now: Now, input: ShardInput, out: &mut impl Outputs) {
        let engine = match &mut self.state {
            State::Opening(opening) => return opening.queue.push_back(input),
            State::Serving(engine) => engine,
            State::Between => return,
        };
        match input {
            ShardInput::Batch(batch) => engine.inbox.push_back(batch),
            ShardInput::Request(to, request) => engine.handle_request(now, to, request, out),
            ShardInput::Message(message) => engine.handle_message(now, message, out),
            ShardInput::SubscribersChanged => engine.handle_subscribers_changed(now, out),
        }
    }

    fn open_if_done(&mut self, now: Now, out: &mut impl Outputs) {
        let State::Opening(opening) = &mut self.state else { return };
        opening.take_items();
        if !opening.is_done() {
            return;
        }
        let State::Opening(opening) = std::mem::replace(&mut self.state, State::Between) else { return };
        let (engine, report, unreadable, queue) = opening.finish(now);
        let groups = engine.aside.keys().copied().collect();
        self.state = State::Serving(Box::new(engine));
        self.report = report;
        self.unreadable = unreadable;
        out.send(CATALOG_SHARD, ShardMessage::GroupsHere { shard: self.id, groups });
        for input in queue {
            self.handle_input(now, input, out);
        }
    }
}

/// What a shard holds, for the start-up line and monitoring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub streams: u64,
    pub consumers: u64,
    pub messages: u64,
    /// As nats-server accounts them.
    pub bytes: u64,
}

/// A group that is kept and not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    pub group: GroupId,
    /// Name of its stream.
    pub stream: String,
    pub messages: u64,
}

#[cfg(test)]
mod catalog_failure_test;
#[cfg(test)]
mod catalog_test;
#[cfg(test)]
mod consumers_test;
#[cfg(test)]
mod failure_test;
#[cfg(test)]
mod fixture_test;
#[cfg(test)]
mod gather_test;
#[cfg(test)]
mod idle_test;
#[cfg(test)]
mod publish_test;
#[cfg(test)]
mod recovery_test;
#[cfg(test)]
mod stages_test;
