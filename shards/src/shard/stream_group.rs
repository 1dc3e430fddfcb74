//! A stream with its consumers: the shard introduces them to each other.

use super::answer::Answer;
use super::outputs::Outputs;
use crate::change::ChangeKind;
use crate::consumer::config::{self, ConsumerConfig, CreateAction, Verdict};
use crate::consumer::{Consumer, Purged, Removed, update};
use crate::encoding::{Malformed, Reader};
use crate::ids::{AccountId, StreamSeq};
use crate::rejection::Rejection;
use crate::stream::Stream;
use crate::stream::config::{ServerLimits, Storage};
use crate::stream::effects::Effects;
use crate::time::{Instant, Now};
use std::collections::BTreeSet;

/// Place of a consumer in its group; given again after the consumer has gone.
pub(super) type SlotIndex = u32;

/// A stream's group. Lives on: its shard's core.
pub(super) struct StreamGroup {
    pub account: AccountId,
    pub stream: Stream,
    slots: Vec<Option<Box<Slot>>>,
    /// Places in the order of the consumers' names, so that lists come sorted. Few streams have more than a handful of
    /// consumers; a tree's smallest node would take as much memory as one.
    order: Vec<SlotIndex>,
    /// Who was found last: acks of one consumer come in a row.
    recent: SlotIndex,
    /// Since when progress of consumers waits to be logged.
    pub lazy_since: Option<Instant>,
    /// Names of consumers whose present state the log had no room for. It is logged whole before anything rests on it.
    owed: BTreeSet<Box<str>>,
    /// The log had no room for the tombstone.
    pub owes_end: bool,
    /// The tombstone is on its way: nothing new is admitted.
    pub is_leaving: bool,
}

/// A consumer in its group.
pub(super) struct Slot {
    pub consumer: Consumer,
    /// Nothing of it is logged: memory storage, of the stream or its own.
    pub is_volatile: bool,
    /// Its creation is committed: it may deliver.
    pub is_open: bool,
    /// It may have something to deliver: it is in the shard's list, or waits for a read.
    pub is_ready: bool,
}

/// A create request for a consumer, as it came.
pub(super) struct CreateConsumer {
    pub config: ConsumerConfig,
    pub action: CreateAction,
    pub pedantic: bool,
    /// Its name if the request has none.
    pub generated_name: String,
}

/// What a create request for a consumer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Created {
    /// It existed; nothing to log.
    Same,
    /// Made; its state has to be logged unless it is volatile.
    Fresh,
    /// Changed; likewise.
    Updated,
}

impl StreamGroup {
    pub fn new(account: AccountId, stream: Stream) -> Self {
        StreamGroup {
            account,
            stream,
            slots: Vec::new(),
            order: Vec::new(),
            recent: 0,
            lazy_since: None,
            owed: BTreeSet::new(),
            owes_end: false,
            is_leaving: false,
        }
    }

    /// Whether messages and consumers of this stream stay off the log.
    pub fn is_memory(&self) -> bool {
        self.stream.config().storage == Storage::Memory
    }

    /// A create request, complete with checks. The consumer is there at once; it opens when its creation is committed.
    pub fn create_consumer(
        &mut self,
        now: Now,
        request: CreateConsumer,
        server: &ServerLimits,
        out: &mut impl Outputs,
    ) -> Result<(Box<str>, Created), Rejection> {
        let stream_config = self.stream.config();
        let limits = config::Limits {
            subjects: &stream_config.subjects,
            stream_max_ack_pending: stream_config.consumer_limits.max_ack_pending,
            stream_inactive_threshold: stream_config.consumer_limits.inactive_threshold,
            server_max_ack_pending: server.max_ack_pending,
            server_max_request_batch: server.max_request_batch,
        };
        let CreateConsumer { config, action, pedantic, generated_name } = request;
        let config = config.complete(&limits, pedantic, &generated_name)?;
        let name: Box<str> = config.name.as_str().into();
        let existing = self.by_name(&name).map(|slot| &slot.consumer);
        let target = existing.and_then(Consumer::target);
        let bound = target.is_some_and(|(subject, queue)| out.bound(self.account, subject, queue));
        let existing = existing.map(Consumer::config);
        let created = match update::decide(existing.as_ref(), bound, action, &config)? {
            Verdict::Same => Created::Same,
            Verdict::Update => {
                if let Some((_, slot, _)) = self.find(&*name) {
                    slot.consumer.update(now, config, out);
                }
                Created::Updated
            }
            Verdict::Create => {
                self.check_room(server)?;
                let is_volatile = config.mem_storage || self.is_memory();
                let stream_name = self.stream.config().name.as_str();
                let mut consumer = Consumer::create(now, self.account, stream_name, config, &self.stream);
                if is_volatile {
                    consumer = consumer.without_log();
                }
                self.insert(consumer, is_volatile, false);
                Created::Fresh
            }
        };
        Ok((name, created))
    }

    /// The consumer of this name.
    pub fn by_name(&self, name: &str) -> Option<&Slot> {
        let at = self.position(name.as_bytes()).ok()?;
        self.slots[self.order[at] as usize].as_deref()
    }

    /// The consumer of this name and its place, with the stream beside it.
    pub fn find(&mut self, name: impl AsRef<[u8]>) -> Option<(SlotIndex, &mut Slot, &Stream)> {
        let name = name.as_ref();
        if self.name_at(self.recent) != name {
            self.recent = self.order[self.position(name).ok()?];
        }
        let index = self.recent;
        let slot = self.slots.get_mut(index as usize)?.as_deref_mut()?;
        Some((index, slot, &self.stream))
    }

    /// The consumer at a place, with the stream beside it.
    pub fn at(&mut self, index: SlotIndex) -> Option<(&mut Slot, &Stream)> {
        let slot = self.slots.get_mut(index as usize)?.as_deref_mut()?;
        Some((slot, &self.stream))
    }

    /// All consumers and their places, with the stream beside them.
    pub fn all(&mut self) -> (impl Iterator<Item = (SlotIndex, &mut Slot)>, &Stream) {
        let slots = self.slots.iter_mut().enumerate();
        (slots.filter_map(|(i, slot)| Some((i as SlotIndex, slot.as_deref_mut()?))), &self.stream)
    }

    /// Progress of a consumer waits to be logged from now on. True if none did before.
    pub fn note_progress(&mut self, now: Now) -> bool {
        let is_first = self.lazy_since.is_none() && !self.is_memory();
        if is_first {
            self.lazy_since = Some(now.monotonic);
        }
        is_first
    }

    /// A consumer may have something to deliver. True if it was not known to.
    pub fn note_ready(&mut self, index: SlotIndex) -> bool {
        let Some((slot, _)) = self.at(index) else { return false };
        let is_first = slot.is_open && !slot.is_ready;
        slot.is_ready |= is_first;
        is_first
    }

    /// Whether something of some consumer waits to be logged.
    pub fn has_progress(&self) -> bool {
        self.owes() || self.slots.iter().flatten().any(|slot| slot.consumer.has_progress())
    }

    /// Progress that waits to be logged, over all consumers. Bytes.
    pub fn progress_bytes(&self) -> usize {
        self.slots.iter().flatten().map(|slot| slot.consumer.progress_bytes()).sum()
    }

    /// Of the committed stream and its logged consumers.
    pub fn state_hash(&self) -> u64 {
        let logged = self.sorted().filter(|slot| !slot.is_volatile);
        logged.fold(self.stream.state_hash(), |hash, slot| hash.rotate_left(7) ^ slot.consumer.state_hash())
    }

    /// Number of consumers.
    pub fn consumer_count(&self) -> usize {
        self.order.len()
    }

    /// Gives back memory that an idle stream and its consumers do not need.
    pub fn shrink(&mut self) {
        self.stream.shrink();
        self.slots.iter_mut().flatten().for_each(|slot| slot.consumer.shrink());
    }

    /// Takes a consumer out; waiting pull requests are told.
    pub fn remove_consumer(&mut self, name: &str, out: &mut impl Outputs) -> Option<Box<Slot>> {
        let mut slot = self.take(name)?;
        slot.consumer.handle_deleted(out);
        Some(slot)
    }

    /// Names of all consumers, ascending.
    pub fn consumer_names(&self) -> impl Iterator<Item = &str> {
        self.sorted().map(|slot| slot.consumer.name())
    }

    /// The body of the change that creates or replaces a consumer: everything about it.
    pub fn encode_consumer(&mut self, name: &str, out: &mut Vec<u8>) {
        let Some((_, slot, _)) = self.find(name) else { return };
        slot.consumer.encode(out);
        // What `encode` wrote includes the progress that was not logged yet.
        discard_progress(&mut slot.consumer);
    }

    /// The log had no room for this change of a consumer.
    pub fn owe(&mut self, kind: ChangeKind, body: &[u8]) {
        let name = match kind {
            ChangeKind::ConsumerProgress => Reader::new(body).string().ok().map(Box::from),
            ChangeKind::ConsumerDelete => std::str::from_utf8(body).ok().map(Box::from),
            ChangeKind::ConsumerCreate | ChangeKind::ConsumerUpdate => {
                let stream_name = self.stream.config().name.as_str();
                Consumer::decode(self.account, stream_name, body).ok().map(|c| c.name().into())
            }
            _ => None,
        };
        self.owed.extend(name);
    }

    /// Whether the log had no room for the state of some consumer, or for the tombstone.
    pub fn owes(&self) -> bool {
        !self.owed.is_empty() || self.owes_end
    }

    /// Hands out what is owed, as changes: the whole state of each consumer, or its deletion.
    pub fn pay(&mut self, mut change: impl FnMut(ChangeKind, &[u8])) {
        let mut body = Vec::new();
        for name in std::mem::take(&mut self.owed) {
            body.clear();
            if self.by_name(&name).is_some_and(|slot| !slot.is_volatile) {
                self.encode_consumer(&name, &mut body);
                change(ChangeKind::ConsumerUpdate, &body);
            } else {
                change(ChangeKind::ConsumerDelete, name.as_bytes());
            }
        }
    }

    /// Replays such a body.
    pub fn replay_consumer(&mut self, body: &[u8]) -> Result<(), Malformed> {
        let stream_name = self.stream.config().name.as_str();
        let consumer = Consumer::decode(self.account, stream_name, body)?;
        self.insert(consumer, false, true);
        Ok(())
    }

    /// Replays the deletion of a consumer: its name.
    pub fn replay_delete(&mut self, body: &[u8]) -> Result<(), Malformed> {
        let name = std::str::from_utf8(body).map_err(|_| Malformed)?;
        self.take(name);
        Ok(())
    }

    /// Replays progress of one consumer: its name, then what `take_progress` gave.
    pub fn replay_progress(&mut self, body: &[u8]) -> Result<(), Malformed> {
        let mut r = Reader::new(body);
        let name = r.string()?;
        let rest = r.take(r.remaining())?;
        // A consumer that is missing here lies in a damaged range; its progress means nothing without it.
        let Some((_, slot, _)) = self.find(name) else { return Ok(()) };
        slot.consumer.replay(rest)
    }

    /// After the last replay.
    pub fn recover(&mut self, now: Now) {
        let (slots, stream) = self.all();
        for (_, slot) in slots {
            slot.consumer.recover(now, stream);
        }
    }

    /// Tells every consumer what an applied entry did.
    pub fn tell(&mut self, effects: &Effects, out: &mut impl Outputs) {
        if self.order.is_empty() {
            return;
        }
        let (slots, stream) = self.all();
        for (_, slot) in slots {
            let consumer = &mut slot.consumer;
            if let Some((first, last)) = effects.stored() {
                consumer.handle_stored(first, last, stream);
            }
            if effects.overflow() {
                consumer.handle_purged(Purged { subject: "" }, stream);
            } else {
                for run in effects.removed() {
                    for seq in run.first.0..=run.last.0 {
                        let subject = Some((run.subject, effects.subject_of(run)));
                        let removed = Removed { seq: StreamSeq(seq), subject };
                        consumer.handle_removed(removed, out);
                    }
                }
            }
            for purge in effects.purges() {
                let subject = std::str::from_utf8(effects.filter_of(purge)).unwrap_or("");
                consumer.handle_purged(Purged { subject }, stream);
            }
        }
    }

    /// Consumers that would break tighter `consumer_limits`: their names.
    pub fn violators(&self, new: &crate::stream::config::ConsumerLimits) -> Vec<String> {
        let breaks = |consumer: &Consumer| {
            let own = consumer.settings();
            let pending = new.max_ack_pending > 0 && own.max_ack_pending > new.max_ack_pending;
            let inactive = !new.inactive_threshold.is_zero() && own.inactive_after > new.inactive_threshold;
            pending || inactive
        };
        let consumers = self.sorted().map(|slot| &slot.consumer);
        consumers.filter(|consumer| breaks(consumer)).map(|consumer| consumer.name().to_owned()).collect()
    }

    /// The next deadline of the stream or one of its consumers.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let consumers = self.slots.iter().flatten().filter_map(|slot| slot.consumer.poll_timeout());
        consumers.chain(self.stream.poll_timeout()).min()
    }

    /// The page of consumer names from `offset` on; `offset` clamped.
    pub fn names(&self, offset: u64, page: usize) -> Answer {
        let total = self.order.len() as u64;
        let offset = offset.min(total);
        let names = self.consumer_names().skip(offset as usize).take(page).map(str::to_owned).collect();
        Answer::ConsumerNames { total, offset, names }
    }

    /// The page of consumer infos from `offset` on; `offset` clamped.
    pub fn list(&mut self, now: Now, offset: u64, page: usize, out: &mut impl Outputs) -> Answer {
        let total = self.order.len() as u64;
        let offset = offset.min(total);
        let indexes: Vec<SlotIndex> = self.order.iter().copied().skip(offset as usize).take(page).collect();
        let infos = indexes.into_iter().filter_map(|index| {
            let (slot, stream) = self.at(index)?;
            Some(slot.consumer.info(now, stream, out))
        });
        Answer::ConsumerList { total, offset, consumers: infos.collect() }
    }

    fn check_room(&self, server: &ServerLimits) -> Result<(), Rejection> {
        let own = self.stream.config().max_consumers;
        let max = if own > 0 { own } else { server.default_max_consumers };
        if max > 0 && self.order.len() as i64 >= max {
            return Err(Rejection::MaximumConsumersLimit);
        }
        Ok(())
    }

    /// Puts a consumer in, or in place of the one of the same name.
    fn insert(&mut self, consumer: Consumer, is_volatile: bool, is_open: bool) {
        let slot = Box::new(Slot { consumer, is_volatile, is_open, is_ready: false });
        let at = match self.position(slot.consumer.name().as_bytes()) {
            Ok(at) => {
                self.slots[self.order[at] as usize] = Some(slot);
                return;
            }
            Err(at) => at,
        };
        if self.order.is_empty() {
            // Mostly it stays the only one.
            self.slots.reserve_exact(1);
            self.order.reserve_exact(1);
        }
        let free = self.slots.iter().position(Option::is_none);
        let index = free.unwrap_or(self.slots.len());
        if free.is_none() {
            self.slots.push(None);
        }
        self.slots[index] = Some(slot);
        self.order.insert(at, index as SlotIndex);
    }

    fn take(&mut self, name: &str) -> Option<Box<Slot>> {
        let at = self.position(name.as_bytes()).ok()?;
        let index = self.order.remove(at);
        self.slots[index as usize].take()
    }

    /// All consumers in the order of their names.
    fn sorted(&self) -> impl Iterator<Item = &Slot> {
        self.order.iter().filter_map(|&index| self.slots[index as usize].as_deref())
    }

    /// Where a name is in the order, or belongs.
    fn position(&self, name: &[u8]) -> Result<usize, usize> {
        self.order.binary_search_by(|&index| self.name_at(index).cmp(name))
    }

    /// Name of the consumer at a place; empty, as no name is, if there is none.
    fn name_at(&self, index: SlotIndex) -> &[u8] {
        let slot = self.slots.get(index as usize).and_then(Option::as_deref);
        slot.map_or(b"", |slot| slot.consumer.name().as_bytes())
    }
}

fn discard_progress(consumer: &mut Consumer) {
    if consumer.has_progress() {
        consumer.take_progress(&mut Vec::new());
    }
}
