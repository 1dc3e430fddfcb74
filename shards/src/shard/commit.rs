//! Entries that the log has committed are applied, and what rests on them leaves.

use super::answer::{Advisory, Answer, PubAcks};
use super::engine::Engine;
use super::group::{After, InFlight, Machine, Pending};
use super::outputs::Outputs;
use super::request::ReplyTo;
use super::stall::failure_of;
use super::{CATALOG_SHARD, LOG_FAILED, ShardMessage};
use crate::change::ChangeKind;
use crate::ids::{CoreId, EntryPlace, GroupId, Origin};
use crate::log::entry::EntryView;
use crate::rejection::Rejection;
use crate::stream::Stream;
use crate::stream::config::Storage;
use crate::stream::effects::Effects;
use crate::stream::place::Place;
use crate::time::{Instant, Now};

impl Engine {
    /// Applies what is committed. True if there was anything.
    pub fn commit(&mut self, now: Now, out: &mut impl Outputs) -> bool {
        let committed = self.log.committed();
        let mut any = false;
        while let Some(entry) = self.in_flight.pop_front_if(|entry| entry.end <= committed) {
            self.written = self.written.saturating_sub(1);
            if entry.is_in_log() {
                self.stages.note_committed(now.monotonic, &entry.stamps);
            }
            self.commit_entry(now, entry, out);
            any = true;
        }
        while let Some(entry) = self.immediate.pop_front() {
            self.commit_entry(now, entry, out);
            any = true;
        }
        // What was synced before the failure is committed all the same, and memory does not rest on the log.
        if self.log.is_poisoned() && !self.has_failed {
            self.fail(now, out);
        }
        for refused in std::mem::take(&mut self.refused) {
            let group = refused.group;
            self.abandon(now, refused, out);
            self.retry_progress(now, group);
            any = true;
        }
        any
    }

    fn commit_entry(&mut self, now: Now, entry: InFlight, out: &mut impl Outputs) {
        let stamps = entry.is_in_log().then_some((entry.stamps.read, now.monotonic));
        let InFlight { group: id, index, place, memory, acks, after, .. } = entry;
        let Some(group) = self.groups.get_mut(&id) else {
            // The stream was deleted by an entry before this one. What asked for it is answered all the same.
            for after in after {
                self.perform(now, id, after, out);
            }
            return;
        };
        assert!(index > group.applied, "entries of a group are applied in order");
        group.applied = index;
        group.flying -= 1;
        if let Machine::Stream(stream) = &mut group.machine {
            self.effects.clear();
            match memory {
                Some(bytes) => {
                    // Counted since it was sealed; from now on the stream counts it.
                    let before = stream.stream.memory_used() + bytes.len() as u64;
                    let place = stream.stream.next_memory_place(bytes.len());
                    apply_entry(&mut stream.stream, EntryView::trusted(&bytes), place, &mut self.effects);
                    stream.stream.keep_in_memory(place, bytes);
                    let used = &mut self.room.own.memory;
                    *used = (*used + stream.stream.memory_used()).saturating_sub(before);
                }
                None => {
                    let before = file_bytes(&stream.stream);
                    let view = self.log.entry(place).ok().flatten();
                    let view = view.expect("an entry that was just committed is in the tail cache");
                    apply_entry(&mut stream.stream, view, place, &mut self.effects);
                    let used = &mut self.room.own.file;
                    *used = (*used + file_bytes(&stream.stream)).saturating_sub(before);
                }
            }
            // Of a stream without consumers one look now, while it is at hand, spares nearly always another at the end of the turn.
            let may_have_moved = stream.consumer_count() > 0 || stream.poll_timeout() != group.deadline;
            if may_have_moved && !std::mem::replace(&mut group.is_touched, true) {
                self.touched.push(id);
            }
            if stream.consumer_count() > 0 {
                stream.tell(&self.effects, out);
                self.note_progress(now, id);
                if self.effects.stored().is_some() {
                    self.wake_consumers(id);
                }
            }
        }
        self.send_acks(acks, stamps.unwrap_or_default(), out);
        for after in after {
            self.perform(now, id, after, out);
        }
    }

    /// `stamps`: when the entry's messages were read, and synced.
    fn send_acks(
        &mut self,
        mut lists: Vec<(CoreId, PubAcks)>,
        stamps: (Instant, Instant),
        out: &mut impl Outputs,
    ) {
        for (core, acks) in &mut lists {
            (acks.read_at, acks.synced_at) = stamps;
            out.pub_acks(*core, acks);
            self.spare_acks.keep(std::mem::take(acks));
        }
        lists.clear();
        self.spare_lists.keep(lists);
    }

    /// Does what follows from entries that are committed now.
    pub fn perform(&mut self, now: Now, id: GroupId, after: After, out: &mut impl Outputs) {
        match after {
            After::Answer(to, answer) => out.answer(&to, *answer),
            After::Serve(to, request) => {
                self.waiting_requests -= 1;
                self.serve_request(now, to, *request, out);
            }
            After::Duplicate { to, seq } => {
                let Some(stream) = self.groups.get_mut(&id).and_then(|g| g.stream()) else { return };
                let mut acks = PubAcks::default();
                acks.start(stream.account, stream.stream.config().name.as_bytes());
                acks.push(to.origin, &to.reply, seq);
                acks.acks[0].duplicate = true;
                out.pub_acks(to.origin.core, &mut acks);
            }
            After::Refused { to, rejection } => self.refuse(id, &to, rejection, out),
            After::Fetch { to, index, headers, request } => {
                let Some(stream) = self.groups.get_mut(&id).and_then(|g| g.stream()) else { return };
                let Some((slot, messages)) = stream.at(index) else { return };
                slot.consumer.handle_fetch(now, &request, &headers, &to.reply, messages, out);
                self.mark_ready(id, index);
                self.touch(id);
            }
            After::GroupCreated => self.tell_created(now, id, out),
            After::GroupUpdated => {
                if let Some(info) = self.stream_info(now, id) {
                    out.send(CATALOG_SHARD, ShardMessage::GroupUpdated { group: id, info });
                }
            }
            After::GroupDeleted => {
                let gone = self.forget_group(id);
                out.send(CATALOG_SHARD, ShardMessage::GroupDeleted { group: id });
                // Requests of this turn hear that the stream is gone.
                for pending in gone.into_iter().flat_map(|gone| gone.pending) {
                    if let Pending::After(after) = pending {
                        self.perform(now, id, after, out);
                    }
                }
            }
            After::ConsumerCreated { to, name, is_fresh } => {
                self.consumer_created(now, id, to.as_ref(), &name, is_fresh, out)
            }
            After::ConsumerDeleted { to, name } => {
                if let Some(to) = to {
                    out.answer(&to, Answer::ConsumerDeleted);
                }
                if let Some(stream) = self.groups.get_mut(&id).and_then(|g| g.stream()) {
                    let (account, stream) = (stream.account, stream.stream.config().name.clone());
                    out.advise(account, Advisory::ConsumerDeleted { stream, consumer: name.into() });
                }
            }
            After::Catalog(change) => {
                if let Some(catalog) = &mut self.catalog {
                    catalog.handle_committed(change, out);
                }
                self.serve_waiting_catalog(now, out);
            }
        }
    }

    /// The log has failed: nothing that is in flight will ever commit. Readers go on.
    fn fail(&mut self, now: Now, out: &mut impl Outputs) {
        self.has_failed = true;
        self.written = 0;
        for entry in std::mem::take(&mut self.in_flight) {
            self.abandon(now, entry, out);
        }
        for group in self.groups.values_mut() {
            group.flying = 0;
            if let Some(stream) = group.stream() {
                stream.stream.drop_in_flight();
            }
        }
        if let Some(catalog) = &mut self.catalog {
            catalog.refuse_waiting(LOG_FAILED, out);
        }
        // What is pending finds the log closed and is refused in the same way.
        self.propose(now, out);
    }

    /// Tells everybody who waits for an entry that its outcome is unknown.
    fn abandon(&mut self, now: Now, entry: InFlight, out: &mut impl Outputs) {
        self.refuse_acks(entry.group, &entry.acks, &self.failure(), out);
        for after in entry.after {
            self.abandon_after(now, entry.group, after, out);
        }
    }

    /// Tells the publishers that the outcome is unknown.
    pub fn refuse_acks(
        &mut self,
        id: GroupId,
        lists: &[(CoreId, PubAcks)],
        rejection: &Rejection,
        out: &mut impl Outputs,
    ) {
        for (core, acks) in lists {
            let mut at = acks.stream_len as usize;
            for ack in &acks.acks {
                let reply = &acks.bytes[at..at + ack.reply_len as usize];
                at += ack.reply_len as usize;
                let origin = Origin { core: *core, slot: ack.slot, generation: ack.generation };
                let to = ReplyTo { origin, account: acks.account, reply: reply.into(), tag: 0 };
                self.refuse(id, &to, rejection.clone(), out);
            }
        }
    }

    /// Whether what follows reports something that the failed log may not hold: consumers change before they are logged.
    pub fn is_lost(&self, id: GroupId, after: &After) -> bool {
        let Some(Machine::Stream(stream)) = self.groups.get(&id).map(|g| &g.machine) else { return false };
        match after {
            After::Answer(..) | After::ConsumerDeleted { .. } => !stream.is_memory(),
            After::ConsumerCreated { name, .. } => stream.by_name(name).is_some_and(|slot| !slot.is_volatile),
            _ => false,
        }
    }

    /// Tells whoever waits for something that its outcome is unknown.
    pub fn abandon_after(&mut self, now: Now, id: GroupId, after: After, out: &mut impl Outputs) {
        match after {
            After::Duplicate { to, .. } | After::Refused { to, .. } => {
                self.refuse(id, &to, self.failure(), out)
            }
            // An awaited consumer ack: silence lets the client ask again.
            After::Answer(_, answer) if matches!(*answer, Answer::Empty) => {}
            After::Answer(to, _) => out.answer(&to, Answer::Rejected(self.failure())),
            After::ConsumerCreated { to, name, is_fresh } => {
                // Of a failed log nobody knows what it holds; a full one did not take the creation.
                if is_fresh
                    && !self.has_failed
                    && let Some(stream) = self.groups.get_mut(&id).and_then(|g| g.stream())
                {
                    stream.remove_consumer(&name, out);
                }
                if let Some(to) = to {
                    out.answer(&to, Answer::Rejected(self.failure()));
                }
            }
            // Readers go on; whatever wants to change something is refused by the log.
            After::Serve(..) => self.perform(now, id, after, out),
            After::ConsumerDeleted { to: Some(to), .. } => {
                out.answer(&to, Answer::Rejected(self.failure()));
            }
            After::GroupCreated => {
                self.forget_group(id);
                self.tell_failed(id, self.failure(), out);
            }
            After::GroupUpdated => self.tell_failed(id, self.failure(), out),
            After::GroupDeleted => {
                if let Some(stream) = self.groups.get_mut(&id).and_then(|g| g.stream()) {
                    stream.owes_end = true;
                }
                self.tell_failed(id, self.failure(), out);
            }
            After::Catalog(change) => {
                let rejection = self.failure();
                if let Some(catalog) = &mut self.catalog {
                    catalog.handle_refused(&change, rejection, out);
                }
                self.serve_waiting_catalog(now, out);
            }
            After::ConsumerDeleted { to: None, .. } | After::Fetch { .. } => {}
        }
    }

    /// What whoever waits for an entry hears that the log did not take or lost.
    fn failure(&self) -> Rejection {
        failure_of(&self.log).unwrap_or(Rejection::InsufficientResources)
    }

    pub fn refuse(&mut self, id: GroupId, to: &ReplyTo, rejection: Rejection, out: &mut impl Outputs) {
        let stream = match self.groups.get(&id).map(|g| &g.machine) {
            Some(Machine::Stream(s)) => s.stream.config().name.clone(),
            _ => String::new(),
        };
        out.answer(to, Answer::PublishRejected { stream, rejection });
    }
}

/// Bytes of a stream with file storage, as clients count them; 0 for memory storage.
pub(super) fn file_bytes(stream: &Stream) -> u64 {
    if stream.config().storage == Storage::File { stream.bytes() } else { 0 }
}

/// Applies the stream's changes of an entry. Those of consumers are in force already. Neighbouring publishes of one length are
/// handed over together.
fn apply_entry(stream: &mut Stream, view: EntryView<'_>, place: EntryPlace, effects: &mut Effects) {
    let mut at = 0;
    while at < view.len() {
        let kind = ChangeKind::try_from(view.kind(at)).expect("this process wrote the entry");
        let (offset, len) = view.row(at);
        let place = Place { entry: place, change: at as u32, offset: offset as u32, len: len as u32 };
        if kind == ChangeKind::Publish {
            let (count, bodies) = view.neighbours(at).expect("an entry that never left memory is whole");
            stream.apply_publishes(bodies, place, effects).expect("this process wrote the changes");
            at += count;
            continue;
        }
        if !is_of_consumers(kind) {
            let change = view.change(at).expect("an entry that never left memory is whole");
            stream.apply(kind, change.bytes, place, effects).expect("this process wrote the change");
        }
        at += 1;
    }
}

/// Whether a change concerns a consumer and not the stream itself.
pub(super) fn is_of_consumers(kind: ChangeKind) -> bool {
    matches!(
        kind,
        ChangeKind::ConsumerCreate
            | ChangeKind::ConsumerUpdate
            | ChangeKind::ConsumerDelete
            | ChangeKind::ConsumerProgress
    )
}
