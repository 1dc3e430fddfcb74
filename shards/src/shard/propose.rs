//! The end of a turn: what each group wants written becomes entries, copied once into the log's buffer.

use super::acks::AckList;
use super::answer::PubAcks;
use super::engine::Engine;
use super::group::{After, Group, InFlight, Machine, Pending, take_memory};
use super::items::chunk_of;
use super::outputs::Outputs;
use super::request::Batch;
use super::stages::Stamps;
use super::stream_group::StreamGroup;
use crate::change::ChangeKind;
use crate::encoding::Write;
use crate::ids::{CoreId, EntryIndex, EntryPlace, GroupId, Position, StreamSeq};
use crate::limits::{ENTRY_LEN_MAX, PROGRESS_LEN_MAX, PROGRESS_RETRY, PROGRESS_WAIT_MAX};
use crate::log::entry::{self, EntryBuilder, EntryStart};
use crate::time::{Instant, Now};
use std::collections::VecDeque;

/// Version of the meaning of the changes in an entry.
pub(super) const APPLY_VERSION: u16 = 1;

/// A run of a group's pending list that becomes one entry: `pending[from..to]`, with what follows from it.
#[derive(Default)]
struct Run {
    from: usize,
    to: usize,
    changes: usize,
    body_len: usize,
    messages: u32,
    first_seq: StreamSeq,
    /// Some change has to be in the log although the stream's messages are not.
    is_logged: bool,
    /// Something follows from it besides pub acks.
    has_after: bool,
}

impl Engine {
    /// Makes entries of everything that is pending and does not wait for more. True if there was anything.
    pub fn propose(&mut self, now: Now, out: &mut impl Outputs) -> bool {
        let may_gather = self.may_gather(now.monotonic);
        let mut dirty = std::mem::take(&mut self.dirty);
        if !may_gather {
            // Those that have waited go first.
            std::mem::swap(&mut self.gathering.groups, &mut dirty);
            dirty.append(&mut self.gathering.groups);
        }
        let mut had_any = false;
        for group in dirty.drain(..) {
            if !may_gather || !self.gather(group) {
                self.propose_group(now, group, out);
                had_any = true;
            }
        }
        // `propose_group` may have made others dirty (an answer that was served and changed something).
        std::mem::swap(&mut self.dirty, &mut dirty);
        self.dirty.append(&mut dirty);
        if had_any {
            self.log_due_progress(now, true);
        }
        if !self.gathering.groups.is_empty() {
            // Their publishes still lie in the batches.
            return had_any;
        }
        let mut batches = std::mem::take(&mut self.batches);
        for batch in &mut batches {
            self.spare_acks.keep(std::mem::take(&mut batch.spare_acks));
        }
        self.batches_done.append(&mut batches);
        self.batches = batches;
        self.turn_bytes = 0;
        had_any
    }

    /// Notes that consumers of a group have progress that the log does not have.
    pub fn note_progress(&mut self, now: Now, group: GroupId) {
        if let Some(stream) = self.groups.get_mut(&group).and_then(|g| g.stream())
            && stream.note_progress(now)
        {
            self.lazy.insert(group);
        }
    }

    /// Has the state of a group's consumers that the log had no room for tried again later.
    pub fn retry_progress(&mut self, now: Now, group: GroupId) {
        let Some(stream) = self.groups.get_mut(&group).and_then(|g| g.stream()) else { return };
        if stream.owes() {
            stream.lazy_since = Some(now.monotonic + PROGRESS_RETRY);
            self.lazy.insert(group);
        }
    }

    /// Logs progress that has waited long enough, or grown large, or (`with_write`) can travel with a write that goes out
    /// anyway. Volatile consumers' progress is dropped.
    pub fn log_due_progress(&mut self, now: Now, with_write: bool) {
        let mut from = GroupId(0);
        while let Some(&group) = self.lazy.range(from..).next() {
            let is_due = match self.groups.get(&group).map(|g| &g.machine) {
                Some(Machine::Stream(s)) => {
                    s.lazy_since.is_none_or(|at| is_due(s, at, now.monotonic, with_write))
                }
                _ => true,
            };
            if is_due {
                self.log_progress(group);
            }
            from = GroupId(group.0 + 1);
        }
    }

    /// When `log_due_progress` has something to do.
    pub fn poll_progress_timeout(&self) -> Option<Instant> {
        let since = self.lazy.iter().filter_map(|group| match &self.groups.get(group)?.machine {
            Machine::Stream(s) => s.lazy_since,
            Machine::Catalog => None,
        });
        since.min().map(|at| at + PROGRESS_WAIT_MAX)
    }

    /// Puts all progress of the group's consumers into its pending changes.
    pub fn log_progress(&mut self, group: GroupId) {
        self.lazy.remove(&group);
        let Some(known) = self.groups.get_mut(&group) else { return };
        let Some(stream) = known.stream() else { return };
        stream.lazy_since = None;
        if !stream.has_progress() {
            return;
        }
        let Group { machine, pending, bodies, .. } = &mut **known;
        take_memory(pending, bodies, &mut self.spare_pending);
        let Machine::Stream(stream) = machine else { return };
        let mut any = false;
        stream.pay(|kind, body| {
            let (start, len) = (bodies.len() as u32, body.len() as u32);
            bodies.extend_from_slice(body);
            pending.push(Pending::Change { kind: kind as u8, start, len });
            any = true;
        });
        if std::mem::take(&mut stream.owes_end) {
            let start = bodies.len() as u32;
            pending.push(Pending::Change { kind: ChangeKind::GroupDelete as u8, start, len: 0 });
            pending.push(Pending::After(After::GroupDeleted));
            any = true;
        }
        let (slots, _) = stream.all();
        for (_, slot) in slots.filter(|(_, slot)| slot.consumer.has_progress()) {
            let start = bodies.len();
            bodies.put_bytes(slot.consumer.name().as_bytes());
            slot.consumer.take_progress(bodies);
            if slot.is_volatile {
                bodies.truncate(start);
                continue;
            }
            let len = (bodies.len() - start) as u32;
            pending.push(Pending::Change {
                kind: ChangeKind::ConsumerProgress as u8,
                start: start as u32,
                len,
            });
            any = true;
        }
        if any {
            self.mark_dirty(group);
        } else if pending.is_empty() {
            let memory = (std::mem::take(pending), std::mem::take(bodies));
            self.spare_pending.keep(memory);
        }
    }

    fn propose_group(&mut self, now: Now, id: GroupId, out: &mut impl Outputs) {
        // Progress rides along: it is in front of what the turn's answers rest on.
        if self.lazy.contains(&id) {
            self.log_progress(id);
        }
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.is_dirty = false;
        let mut pending = std::mem::take(&mut group.pending);
        let mut bodies = std::mem::take(&mut group.bodies);
        let is_memory = matches!(&group.machine, Machine::Stream(s) if s.is_memory());
        let is_catalog = id == GroupId::CATALOG;
        let mut run = Run::default();
        for at in 0..pending.len() {
            let (changes, len, first_seq, is_logged) = match &pending[at] {
                Pending::Publishes(p) => {
                    (p.admitted.count, p.admitted.records_len, Some(p.admitted.seq(0)), !is_memory)
                }
                Pending::Change { kind, len, .. } => {
                    (1, *len as usize, None, !is_memory || is_lasting(*kind))
                }
                Pending::After(_) => {
                    run.has_after = true;
                    continue;
                }
                Pending::Done => continue,
            };
            let new_len = entry::encoded_len(run.changes + changes as usize, run.body_len + len);
            let is_full = new_len > ENTRY_LEN_MAX || is_catalog || is_logged != run.is_logged;
            if run.changes > 0 && is_full {
                run.to = at;
                self.seal(now, id, &run, &mut pending, &bodies);
                run = Run { from: at, ..Run::default() };
            }
            run.is_logged = is_logged;
            run.changes += changes as usize;
            run.body_len += len;
            if let Some(seq) = first_seq {
                run.messages += changes;
                if run.first_seq == StreamSeq(0) {
                    run.first_seq = seq;
                }
            }
        }
        run.to = pending.len();
        if run.changes > 0 {
            self.seal(now, id, &run, &mut pending, &bodies);
        } else {
            for p in pending.drain(run.from..) {
                if let Pending::After(after) = p {
                    self.follow(now, id, after, out);
                }
            }
        }
        pending.clear();
        bodies.clear();
        self.spare_pending.keep((pending, bodies));
    }

    /// Something to do once what was written before it is committed: at once, if nothing is under way.
    fn follow(&mut self, now: Now, id: GroupId, after: After, out: &mut impl Outputs) {
        let flying = self.groups.get(&id).is_some_and(|g| g.flying > 0);
        let early = matches!(after, After::Duplicate { .. })
            && super::defect::is(self.options.defect, super::defect::Defect::AnswersDuplicateEarly);
        if flying && !early {
            let in_memory = self.immediate.iter_mut().rev();
            if let Some(last) = in_memory.chain(self.in_flight.iter_mut().rev()).find(|f| f.group == id) {
                last.after.push(after);
                last.is_told = false;
                return;
            }
        }
        if self.has_failed && self.is_lost(id, &after) {
            return self.abandon_after(now, id, after, out);
        }
        self.perform(now, id, after, out);
    }

    /// Makes one entry of a run.
    fn seal(&mut self, now: Now, id: GroupId, run: &Run, pending: &mut [Pending], bodies: &[u8]) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let index = group.next_index;
        let start = EntryStart {
            group: id,
            term: self.log.epoch(),
            index,
            commit: group.applied,
            previous: group.previous,
            first_seq: run.first_seq,
            messages: run.messages,
            apply_version: APPLY_VERSION,
        };
        let (batches, inbox) = (&self.batches, &self.inbox);
        let mut acks = self.spare_lists.take();
        let mut list = AckList::of(&group.machine, &mut acks, &mut self.spare_acks);
        let mut fill = |entry: &mut EntryBuilder<'_>| {
            for p in &pending[run.from..run.to] {
                match p {
                    Pending::Publishes(p) => {
                        let batch = batch_of(batches, inbox, p.batch);
                        for (nth, item) in p.items(batch) {
                            let publish = item.publish(chunk_of(batch, item));
                            let record = p.admitted.record(nth, &publish);
                            let len = record.encoded_len();
                            entry.change(ChangeKind::Publish as u8, len, |to| record.write_to(to));
                            list.push(item.origin, publish.reply, record.seq);
                        }
                    }
                    Pending::Change { kind, start, len } => {
                        let body = &bodies[*start as usize..(*start + *len) as usize];
                        entry.change(*kind, body.len(), |to| to.copy_from_slice(body));
                    }
                    Pending::After(_) | Pending::Done => {}
                }
            }
        };
        let mut memory = None;
        let place = if run.is_logged {
            match self.log.append(&start, run.changes, run.body_len, fill) {
                Ok(place) => {
                    group.previous = place.position;
                    group.end = place.end();
                    place
                }
                Err(_) => {
                    self.spare_lists.keep(acks);
                    return self.refuse_run(id, run, pending, bodies);
                }
            }
        } else {
            let mut bytes = vec![0; entry::encoded_len(run.changes, run.body_len)];
            let mut builder = EntryBuilder::new(&mut bytes, &start, run.changes);
            fill(&mut builder);
            builder.finish();
            self.room.own.memory += bytes.len() as u64;
            memory = Some(bytes.into_boxed_slice());
            EntryPlace::default()
        };
        group.next_index = EntryIndex(index.0 + 1);
        group.flying += 1;
        // An entry in memory comes behind those of its group that are in the log's queue, whatever is committed meanwhile.
        let is_queued =
            run.is_logged || group.flying > 1 && self.in_flight.iter().any(|entry| entry.group == id);
        let end = if is_queued { group.end } else { Position(0) };
        let stamps = self.stamps_of(now, run, pending);
        let after = take_after(run, pending);
        let entry = InFlight { group: id, index, place, end, memory, stamps, acks, after, is_told: false };
        if is_queued {
            self.in_flight.push_back(entry);
        } else {
            self.immediate.push_back(entry);
        }
    }

    /// The first message of a run stands for when all were read and admitted.
    fn stamps_of(&self, now: Now, run: &Run, pending: &[Pending]) -> Stamps {
        let first = pending[run.from..run.to].iter().find_map(|p| match p {
            Pending::Publishes(p) => Some(batch_of(&self.batches, &self.inbox, p.batch)),
            _ => None,
        });
        let (read, admitted) =
            first.map_or((now.monotonic, now.monotonic), |batch| (batch.read_at, batch.admitted_at));
        Stamps { messages: run.messages, read, admitted, written: None }
    }

    /// The pub acks of a run that is in no entry, by core.
    fn acks_of(&mut self, id: GroupId, run: &Run, pending: &[Pending]) -> Vec<(CoreId, PubAcks)> {
        let mut acks = self.spare_lists.take();
        let Some(group) = self.groups.get(&id) else { return acks };
        let mut list = AckList::of(&group.machine, &mut acks, &mut self.spare_acks);
        for p in &pending[run.from..run.to] {
            let Pending::Publishes(p) = p else { continue };
            let batch = batch_of(&self.batches, &self.inbox, p.batch);
            for (nth, item) in p.items(batch) {
                list.push(item.origin, item.reply.of(chunk_of(batch, item)), p.admitted.seq(nth));
            }
        }
        acks
    }

    /// The log takes nothing more: everybody who waits for the run hears so. Consumers have changed already: the log gets
    /// their state when it has room again.
    fn refuse_run(&mut self, id: GroupId, run: &Run, pending: &mut [Pending], bodies: &[u8]) {
        if id == GroupId::CATALOG
            && let Some(group) = self.groups.get_mut(&id)
        {
            // The index may be the number of a group: it is not given again.
            group.next_index = EntryIndex(group.next_index.0 + 1);
        }
        if let Some(stream) = self.groups.get_mut(&id).and_then(|g| g.stream()) {
            for p in &pending[run.from..run.to] {
                if let Pending::Change { kind, start, len } = p
                    && let Ok(kind) = ChangeKind::try_from(*kind)
                {
                    stream.owe(kind, &bodies[*start as usize..(*start + *len) as usize]);
                }
            }
        }
        let (acks, after) = (self.acks_of(id, run, pending), take_after(run, pending));
        let failed = InFlight {
            group: id,
            index: EntryIndex(0),
            place: EntryPlace::default(),
            end: Position(0),
            memory: None,
            stamps: Stamps::default(),
            acks,
            after,
            is_told: false,
        };
        self.refused.push(failed);
    }
}

/// The batch of a pending publish. One that the log did not take whole is still the first of the inbox, and has the number
/// behind those that are done.
fn batch_of<'a>(done: &'a [Box<Batch>], inbox: &'a VecDeque<Box<Batch>>, number: u32) -> &'a Batch {
    done.get(number as usize).unwrap_or_else(|| &inbox[number as usize - done.len()])
}

/// Changes that a stream with memory storage has in the log all the same.
fn is_lasting(kind: u8) -> bool {
    [ChangeKind::GroupCreate, ChangeKind::ConfigUpdate, ChangeKind::GroupDelete]
        .map(|k| k as u8)
        .contains(&kind)
}

fn is_due(stream: &StreamGroup, since: Instant, now: Instant, with_write: bool) -> bool {
    let is_long = now - since >= PROGRESS_WAIT_MAX || stream.progress_bytes() >= PROGRESS_LEN_MAX;
    now >= since && (with_write || is_long)
}

/// What follows from a run besides its pub acks.
fn take_after(run: &Run, pending: &mut [Pending]) -> Vec<After> {
    let mut taken = Vec::new();
    if !run.has_after {
        return taken;
    }
    for p in &mut pending[run.from..run.to] {
        if matches!(p, Pending::After(_))
            && let Pending::After(after) = std::mem::replace(p, Pending::Done)
        {
            taken.push(after);
        }
    }
    taken
}
