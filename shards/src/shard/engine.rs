//! A shard that serves: its groups over its log. What comes in, by kind.

use super::ShardMessage;
use super::ShardOptions;
use super::answer::{Answer, PubAcks, Usage};
use super::catalog_steps::{CatalogRequest, CatalogSteps};
use super::gather::Gathering;
use super::group::{After, Group, InFlight, Machine, SparePending};
use super::outputs::Outputs;
use super::reads::Reads;
use super::request::{Batch, ReplyTo, Request};
use super::room::Room;
use super::spare::Spare;
use super::stages::{ShardReport, Stages};
use super::stream_group::SlotIndex;
use crate::clock::ClockWatch;
use crate::consumer::ack_subject::AckSubjectWriter;
use crate::hashing::HashMap;
use crate::ids::{AccountId, CoreId, EntryIndex, GroupId};
use crate::log::Log;
use crate::log::disk_op::DiskDone;
use crate::rejection::Rejection;
use crate::stream::config::Storage;
use crate::stream::effects::Effects;
use crate::time::{Instant, Now};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A consumer by group and place.
pub(super) type ConsumerKey = (GroupId, SlotIndex);

/// The groups of one shard over its log. Lives on: its shard's core.
pub(super) struct Engine {
    pub options: ShardOptions,
    pub log: Log,
    /// Only on shard 0.
    pub catalog: Option<CatalogSteps>,
    pub groups: HashMap<GroupId, Box<Group>>,
    /// Groups that were recovered and of which the catalog has not said that they are to run. Nothing of them runs; their
    /// state and messages are kept.
    pub aside: BTreeMap<GroupId, Box<Group>>,
    /// Those of them that the catalog does not know.
    pub orphans: BTreeSet<GroupId>,
    /// Written entries in the order of the log.
    pub in_flight: VecDeque<InFlight>,
    /// How many of them, from the front, are known to be written.
    pub written: usize,
    pub stages: Stages,
    /// Entries of streams with memory storage that rest on nothing: they commit in the same turn.
    pub immediate: VecDeque<InFlight>,
    /// Groups with something pending.
    pub dirty: Vec<GroupId>,
    /// Those of them that wait so that their entries hold more.
    pub gathering: Gathering,
    /// Batches not handled yet; the first from this item on.
    pub inbox: VecDeque<Box<Batch>>,
    pub inbox_at: usize,
    /// Batches that are handled: pending publishes lie in them.
    #[expect(clippy::vec_box, reason = "a batch goes back to its sender in the box it came in")]
    pub batches: Vec<Box<Batch>>,
    #[expect(clippy::vec_box, reason = "a batch goes back to its sender in the box it came in")]
    pub batches_done: Vec<Box<Batch>>,
    /// Consumers that may have something to deliver.
    pub ready: VecDeque<ConsumerKey>,
    /// Consumers whose subscribers' way is full.
    pub blocked: Vec<ConsumerKey>,
    pub reads: Reads,
    pub ack_subject: AckSubjectWriter,
    /// Groups whose deadline may have moved.
    pub touched: Vec<GroupId>,
    /// Deadlines of groups.
    pub timers: BTreeSet<(Instant, GroupId)>,
    /// Groups with progress of consumers that is not logged.
    pub lazy: BTreeSet<GroupId>,
    /// Groups whose state a checkpoint still has to take.
    pub checkpoint: Option<VecDeque<GroupId>>,
    pub has_failed: bool,
    /// A write or sync has been out for too long.
    pub is_stalled: bool,
    pub is_closing: bool,
    /// Closing has come so far that the log takes nothing more.
    pub is_drained: bool,
    pub effects: Effects,
    pub room: Room,
    /// Spare lists for pub acks.
    pub spare_acks: Spare<PubAcks>,
    pub spare_lists: Spare<Vec<(CoreId, PubAcks)>>,
    /// Spare memory for what groups have pending: a quiet group holds none.
    pub spare_pending: SparePending,
    /// Waiters whose read could not start: they look again.
    pub unread: Vec<super::reads::Waiter>,
    pub clock: ClockWatch,
    /// Runs that the log did not take; who waits for them is told at the end of the turn.
    pub refused: Vec<InFlight>,
    /// Bytes admitted and not yet in an entry, with what else this turn brought.
    pub turn_bytes: usize,
    /// Requests behind entries that are not committed yet.
    pub waiting_requests: usize,
    /// Push consumers, which care about subscribers that come.
    pub pushers: BTreeSet<ConsumerKey>,
}

impl Engine {
    /// `aside`: the streams' groups as recovery left them.
    pub fn new(
        options: ShardOptions,
        log: Log,
        catalog: Option<CatalogSteps>,
        catalog_group: Option<Box<Group>>,
        aside: BTreeMap<GroupId, Box<Group>>,
    ) -> Self {
        let groups = catalog_group.into_iter().map(|group| (GroupId::CATALOG, group)).collect();
        Engine {
            options,
            log,
            catalog,
            groups,
            aside,
            orphans: BTreeSet::new(),
            in_flight: VecDeque::new(),
            written: 0,
            stages: Stages::default(),
            immediate: VecDeque::new(),
            dirty: Vec::new(),
            gathering: Gathering::default(),
            inbox: VecDeque::new(),
            inbox_at: 0,
            batches: Vec::new(),
            batches_done: Vec::new(),
            ready: VecDeque::new(),
            blocked: Vec::new(),
            reads: Reads::default(),
            ack_subject: AckSubjectWriter::default(),
            touched: Vec::new(),
            timers: BTreeSet::new(),
            lazy: BTreeSet::new(),
            checkpoint: None,
            has_failed: false,
            is_stalled: false,
            is_closing: false,
            is_drained: false,
            effects: Effects::default(),
            room: Room::default(),
            spare_acks: Spare::default(),
            spare_lists: Spare::default(),
            spare_pending: Spare::default(),
            unread: Vec::new(),
            clock: ClockWatch::default(),
            refused: Vec::new(),
            turn_bytes: 0,
            waiting_requests: 0,
            pushers: BTreeSet::new(),
        }
    }

    /// A disk operation has ended.
    pub fn handle_disk(&mut self, now: Now, done: DiskDone, out: &mut impl Outputs) {
        if let Some(read) = self.log.handle_disk(now.monotonic, done) {
            self.handle_read(now, read, out);
        }
        let written = self.log.written();
        while let Some(entry) = self.in_flight.get_mut(self.written).filter(|entry| entry.end <= written) {
            entry.stamps.written = Some(now.monotonic);
            self.written += 1;
        }
    }

    /// What the shard tells about its pace.
    pub fn report(&self) -> ShardReport {
        ShardReport { shard: self.options.id, stages: self.stages.clone(), log: self.log.timings().clone() }
    }

    /// A request that is not hot.
    pub fn handle_request(&mut self, now: Now, to: ReplyTo, request: Box<Request>, out: &mut impl Outputs) {
        let group = match *request {
            Request::StreamCreate { config, pedantic } => {
                return self.handle_catalog(now, to, CatalogRequest::Create { config, pedantic }, out);
            }
            Request::StreamUpdate { config, pedantic } => {
                return self.handle_catalog(now, to, CatalogRequest::Update { config, pedantic }, out);
            }
            Request::StreamDelete { name } => {
                return self.handle_catalog(now, to, CatalogRequest::Delete { name }, out);
            }
            Request::Report => return out.answer(&to, Answer::Report(Box::new(self.report()))),
            Request::Usage { account } => return out.answer(&to, Answer::Usage(self.usage(account))),
            Request::StreamInfo { group, .. }
            | Request::StreamPurge { group, .. }
            | Request::MessageGet { group, .. }
            | Request::MessageDelete { group, .. }
            | Request::DirectGet { group, .. }
            | Request::ConsumerCreate { group, .. }
            | Request::ConsumerInfo { group, .. }
            | Request::ConsumerNames { group, .. }
            | Request::ConsumerList { group, .. }
            | Request::ConsumerDelete { group, .. } => group,
        };
        let Some(known) = self.groups.get_mut(&group) else {
            return out.answer(&to, Answer::Rejected(Rejection::StreamNotFound));
        };
        if known.is_settled() || self.has_failed || self.is_stalled {
            return self.serve_request(now, to, *request, out);
        }
        // Everything admitted before the request must be applied first.
        if self.waiting_requests >= crate::limits::WAITING_REQUESTS_MAX {
            return out.answer(&to, Answer::Rejected(Rejection::InsufficientResources));
        }
        self.waiting_requests += 1;
        known.push_after(&mut self.spare_pending, After::Serve(to, request));
        self.mark_dirty(group);
    }

    /// The other shards hear what this one stores, through the catalog's.
    pub fn tell_stored(&mut self, out: &mut impl Outputs) {
        if self.options.shards > 1
            && let Some(stored) = self.room.poll_news(&self.options.limits)
        {
            out.send(super::CATALOG_SHARD, ShardMessage::Stored { shard: self.options.id, stored });
        }
    }

    /// Somebody subscribed or went, or a lane has room again.
    pub fn handle_subscribers_changed(&mut self, now: Now, out: &mut impl Outputs) {
        let pushers: Vec<ConsumerKey> = self.pushers.iter().copied().collect();
        for (id, index) in pushers {
            let Some(stream) = self.groups.get_mut(&id).and_then(|g| g.stream()) else { continue };
            let Some((slot, _)) = stream.at(index) else { continue };
            slot.consumer.handle_interest_changed(now, out);
            self.mark_ready(id, index);
            self.touch(id);
        }
        self.ready.extend(self.blocked.drain(..));
    }

    /// Puts the group into the list of those with something pending.
    pub fn mark_dirty(&mut self, group: GroupId) {
        if let Some(known) = self.groups.get_mut(&group)
            && !known.is_dirty
        {
            known.is_dirty = true;
            self.dirty.push(group);
        }
    }

    /// Something in the group may have moved its deadline; looked at once, at the end of the turn.
    pub fn touch(&mut self, group: GroupId) {
        if let Some(known) = self.groups.get_mut(&group)
            && !known.is_touched
        {
            known.is_touched = true;
            self.touched.push(group);
        }
    }

    /// Looks at the deadlines of all touched groups again.
    pub fn set_timers(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        for group in touched.drain(..) {
            self.set_timer(group);
        }
        self.touched = touched;
    }

    fn set_timer(&mut self, group: GroupId) {
        let Some(known) = self.groups.get_mut(&group) else { return };
        known.is_touched = false;
        let Machine::Stream(stream) = &known.machine else { return };
        let deadline = stream.poll_timeout();
        if deadline != known.deadline {
            if let Some(old) = known.deadline {
                self.timers.remove(&(old, group));
            }
            if let Some(new) = deadline {
                self.timers.insert((new, group));
            }
            known.deadline = deadline;
        }
    }

    /// A consumer was told something: it may deliver, have progress, or want a timer. As `mark_ready`, `note_progress` and
    /// `touch`, with one look at the group.
    pub fn note_consumer(&mut self, now: Now, id: GroupId, index: SlotIndex) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        if !group.is_touched {
            group.is_touched = true;
            self.touched.push(id);
        }
        let Some(stream) = group.stream() else { return };
        if stream.note_progress(now) {
            self.lazy.insert(id);
        }
        if stream.note_ready(index) {
            self.ready.push_back((id, index));
        }
    }

    /// Puts a consumer into the list of those that may deliver.
    pub fn mark_ready(&mut self, group: GroupId, index: SlotIndex) {
        if let Some(known) = self.groups.get_mut(&group)
            && let Some(stream) = known.stream()
            && stream.note_ready(index)
        {
            self.ready.push_back((group, index));
        }
    }

    fn handle_catalog(&mut self, now: Now, to: ReplyTo, request: CatalogRequest, out: &mut impl Outputs) {
        let Some(catalog) = &mut self.catalog else {
            return out.answer(&to, Answer::Rejected(Rejection::StreamNotFound));
        };
        if let Some(rejection) = super::stall::refusal(&self.log, now) {
            return out.answer(&to, Answer::Rejected(rejection));
        }
        let Some(group) = self.groups.get_mut(&GroupId::CATALOG) else { return };
        // Each change of the catalog is an entry of its own, so this is the index that a creation gets.
        let next = GroupId(group.index_behind_pending().0);
        if let Some(change) = catalog.handle_request(now, to, request, next, out) {
            self.propose_catalog(change);
        }
    }

    pub fn handle_catalog_message(&mut self, now: Now, message: ShardMessage, out: &mut impl Outputs) {
        let Some(catalog) = &mut self.catalog else { return };
        if let ShardMessage::GroupsHere { groups, .. } = &message
            && let Some(catalog_group) = self.groups.get_mut(&GroupId::CATALOG)
        {
            // In relaxed mode the entry that created a group may be lost while the group is not: its number is taken.
            let above = EntryIndex(groups.iter().max().map_or(0, |highest| highest.0) + 1);
            catalog_group.next_index = catalog_group.next_index.max(above);
        }
        for change in catalog.handle_message(message, out) {
            self.propose_catalog(change);
        }
        // An operation may have ended.
        self.serve_waiting_catalog(now, out);
    }

    /// Has a change of the catalog written.
    pub fn propose_catalog(&mut self, change: crate::meta::change::CatalogChange) {
        let Some(group) = self.groups.get_mut(&GroupId::CATALOG) else { return };
        group.push_change(&mut self.spare_pending, change.kind(), |body| change.encode(body));
        group.push_after(&mut self.spare_pending, After::Catalog(change));
        self.mark_dirty(GroupId::CATALOG);
    }

    /// Requests that waited for an operation on their stream to end.
    pub fn serve_waiting_catalog(&mut self, now: Now, out: &mut impl Outputs) {
        while let Some((to, request)) = self.catalog.as_mut().and_then(CatalogSteps::poll_waiting) {
            self.handle_catalog(now, to, request, out);
        }
    }

    fn usage(&self, account: AccountId) -> Usage {
        let mut usage = Usage::default();
        for group in self.groups.values() {
            let Machine::Stream(s) = &group.machine else { continue };
            if s.account != account || s.is_leaving {
                continue;
            }
            let state = s.stream.state(false, "", 0, 0);
            let reserved = s.stream.config().reserved_bytes();
            usage.streams += 1;
            usage.consumers += s.consumer_count() as u64;
            match s.stream.config().storage {
                Storage::File => {
                    usage.storage += state.bytes;
                    usage.reserved_storage += reserved;
                }
                Storage::Memory => {
                    usage.memory += state.bytes;
                    usage.reserved_memory += reserved;
                }
            }
        }
        usage
    }
}
