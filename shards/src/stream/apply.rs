//! What committed changes do. No clock, no randomness: live and in recovery the same.

use super::config::{Discard, StreamConfig};
use super::effects::{Effects, Reason};
use super::index::shape::Shape;
use super::index::subjects::LOOK_AHEAD;
use super::msg_ids::{MsgId, Seen};
use super::place::Place;
use super::{Committed, Stream};
use crate::change::{Change, ChangeKind};
use crate::encoding::Malformed;
use crate::headers;
use crate::ids::{EntryPlace, StreamSeq};
use crate::limits::EFFECTS_REMOVED_MAX;
use crate::messages::SubjectId;
use crate::record::{self, RecordView, Rollup, Ttl};

impl Stream {
    /// The stream that a `GroupCreate` change makes.
    pub fn decode_create(body: &[u8]) -> Result<Stream, Malformed> {
        match Change::decode(ChangeKind::GroupCreate, body)? {
            Change::GroupCreate { account, created, config } => {
                Ok(Stream::new(account, StreamConfig::decode(config)?.into_shared(), created))
            }
            _ => Err(Malformed),
        }
    }

    /// Applies a committed change; nothing happens at the creation and the end of the group. `place` is where the body
    /// lies. A gap before a sequence counts as deleted. Errors: the change is one of a consumer, or its body cannot be what
    /// admission wrote; the group stops.
    pub fn apply(
        &mut self,
        kind: ChangeKind,
        body: &[u8],
        place: Place,
        effects: &mut Effects,
    ) -> Result<(), Malformed> {
        if kind == ChangeKind::Publish {
            return self.apply_publishes(body, place, effects);
        }
        match Change::decode(kind, body)? {
            Change::Delete { seq, erase } => {
                self.remove_erasing(seq.0, erase, Some(Reason::Deleted), effects);
            }
            Change::Purge { below, filter } => self.apply_purge(below.0, filter, effects)?,
            Change::ExpireThrough { seq } => self.apply_expire_through(seq.0, effects),
            Change::ExpireList(list) => {
                for seq in list.iter() {
                    self.remove(seq.0, Some(Reason::Expired), effects);
                }
                self.retention.applied();
            }
            Change::ConfigUpdate { config } => self.apply_config(StreamConfig::decode(config)?, effects),
            _ => {}
        }
        self.check();
        Ok(())
    }

    /// Applies publishes that lie back to back in `bodies`, the first of them at `place`, all as long as that one. The same as to
    /// apply one after the other, at a price that does not grow with the length of a run: neighbours on one subject that ask for
    /// no more than not to be stored twice.
    pub fn apply_publishes(
        &mut self,
        bodies: &[u8],
        mut place: Place,
        effects: &mut Effects,
    ) -> Result<(), Malformed> {
        if bodies.is_empty() {
            return Err(Malformed);
        }
        let len = place.len as usize;
        let mut left = bodies;
        let mut looked_ahead = 0;
        while !left.is_empty() {
            if looked_ahead == 0 && left.len() > len {
                self.look_ahead(left, len);
                looked_ahead = LOOK_AHEAD;
            }
            let (first, rest) = left.split_at_checked(len).ok_or(Malformed)?;
            let record = RecordView::parse(first)?;
            // A limit by subject is enforced message by message: what it removes may make room for what the others would remove.
            let has_run = rest.len() >= len && self.config.max_msgs_per_subject <= 0;
            let count = 1 + if has_run { record::run_behind(first, rest) } else { 0 };
            let (run, behind) = left.split_at(count * len);
            self.apply_run(&record, run, count as u64, place, effects)?;
            looked_ahead = looked_ahead.saturating_sub(count);
            left = behind;
            place.change += count as u32;
            place.offset += (count * len) as u32;
        }
        Ok(())
    }

    /// Fetches from memory what the next publishes will need of the index; changes nothing.
    fn look_ahead(&self, bodies: &[u8], len: usize) {
        let records = bodies.chunks_exact(len).map_while(|body| RecordView::parse(body).ok());
        self.index.subjects.look_ahead(records.map(|record| record.subject));
    }

    /// Applies a run of publishes, whose records lie back to back in `bodies`: they follow one another and are like the first,
    /// `record`, but for the payload and what is in the headers; one alone may be any.
    /// Removing what is over a limit once behind the run leaves what removing behind each message does: the longest end of the
    /// stream that is within the limits.
    fn apply_run(
        &mut self,
        record: &RecordView<'_>,
        bodies: &[u8],
        count: u64,
        place: Place,
        effects: &mut Effects,
    ) -> Result<(), Malformed> {
        let (seq, time) = (record.seq.0, record.time.0);
        let last_seq = seq.checked_add(count - 1).filter(|&last| last != u64::MAX).ok_or(Malformed)?;
        let last_time = time.checked_add(count - 1).filter(|&last| last != u64::MAX).ok_or(Malformed)?;
        if seq <= self.committed.last_seq || time <= self.committed.last_time {
            return Err(Malformed);
        }
        let shape = Shape::of(record);
        if !shape.is_sound() || shape.record_len() != place.len || record.subject.is_empty() {
            return Err(Malformed);
        }
        self.committed.last_seq = last_seq;
        self.committed.last_time = last_time;
        let subject = self.store(record, count, shape, place);
        self.remember_msg_ids(record, bodies, count)?;
        self.follow_in_flight();
        effects.store(record.seq);
        effects.store(StreamSeq(last_seq));
        self.enforce_subject_limit(subject, effects);
        self.enforce_limits(effects);
        match record.rollup {
            Rollup::None => {}
            Rollup::Subject => {
                if let Some(id) = self.index.subjects.find(record.subject) {
                    self.remove_from_subject(id, seq, Some(Reason::Rollup), effects);
                }
            }
            Rollup::All if self.index.count() > EFFECTS_REMOVED_MAX as u64 => {
                let is_there = self.index.contains(seq);
                self.remove_everything();
                if is_there {
                    self.store(record, 1, shape, place);
                }
                effects.overflow_removed();
            }
            Rollup::All => self.remove_all_below(seq, Some(Reason::Rollup), effects),
        }
        Ok(())
    }

    /// Puts messages behind all others: a run of which `record` is the first. Returns the number of their subject.
    fn store(&mut self, record: &RecordView<'_>, count: u64, shape: Shape, place: Place) -> SubjectId {
        let seq = record.seq.0;
        if self.index.count() == 0 {
            self.committed.first_seq = seq;
        }
        let subject = self.index.push_run(seq, count, record.time, record.subject, shape, place);
        self.committed.bytes += shape.accounted(self.config.storage) * count;
        if record.ttl != Ttl::None {
            self.ttls.get_or_insert_default().insert(seq, record.time, record.ttl);
        }
        if let Some(memory) = &mut self.memory {
            memory.store(seq, count, place);
        }
        subject
    }

    /// The overlay never lags behind what is committed: in recovery, and on replicas that do not lead, it is empty.
    pub(super) fn follow_in_flight(&mut self) {
        let last_seq = self.committed.last_seq;
        self.in_flight.applied(last_seq);
        if self.in_flight.last_seq <= last_seq {
            self.in_flight.reset(last_seq, self.committed.last_time, &self.committed.last_msg_id);
        }
    }

    /// Of a run that has just been stored. Where this process has admitted it, its ids are known already, and only the text of the
    /// last one is looked for.
    fn remember_msg_ids(
        &mut self,
        first: &RecordView<'_>,
        bodies: &[u8],
        count: u64,
    ) -> Result<(), Malformed> {
        let Committed { last_seq, last_time, .. } = self.committed;
        let window = self.duplicate_window();
        let since = last_time.saturating_sub(window);
        if since > self.committed.ids_since {
            self.committed.ids_since = since;
            if let Some(ids) = &mut self.ids {
                ids.expire(since, count as usize);
            }
        }
        self.committed.last_msg_id.clear();
        if !first.has_msg_id {
            return Ok(());
        }
        let len = bodies.len() / count as usize;
        let last = RecordView::parse(&bodies[bodies.len() - len..])?;
        self.committed.last_msg_id.extend_from_slice(msg_id_of(&last).unwrap_or_default());
        if window > 0 && self.last_seq_with_id() < last_seq {
            for body in bodies.chunks_exact(len) {
                let record = RecordView::parse(body)?;
                if let Some(text) = msg_id_of(&record).filter(|_| self.last_seq_with_id() < record.seq.0) {
                    let seen = Seen { id: MsgId::of(text), seq: record.seq.0, time: record.time.0 };
                    self.ids.get_or_insert_default().insert(seen, window);
                }
            }
        }
        Ok(())
    }

    /// There is a message on the subject.
    fn enforce_subject_limit(&mut self, on: SubjectId, effects: &mut Effects) {
        let Ok(limit) = u64::try_from(self.config.max_msgs_per_subject) else { return };
        if limit == 0 {
            return;
        }
        for _ in limit..self.index.subjects.count(on) {
            self.remove(self.index.subjects.first(on), Some(Reason::Limit), effects);
        }
    }

    /// Only where old messages are discarded: otherwise admission refuses what does not fit.
    fn enforce_limits(&mut self, effects: &mut Effects) {
        if self.config.discard == Discard::New {
            return;
        }
        let over = |limit: i64, value: u64| limit > 0 && value > limit.unsigned_abs();
        while over(self.config.max_msgs, self.index.count())
            || over(self.config.max_bytes, self.committed.bytes)
        {
            self.remove(self.committed.first_seq, Some(Reason::Limit), effects);
        }
    }

    fn apply_purge(&mut self, below: u64, filter: &[u8], effects: &mut Effects) -> Result<(), Malformed> {
        let before = self.index.count();
        if filter.is_empty() {
            if below == 0 || below == u64::MAX {
                return Err(Malformed);
            }
            if below > self.committed.last_seq {
                self.remove_everything();
            } else {
                self.remove_all_below(below, None, effects);
            }
            if self.index.count() == 0 && below > self.committed.last_seq {
                self.committed.first_seq = below;
                self.committed.last_seq = below - 1;
                self.follow_in_flight_past_purge();
            }
        } else {
            for id in self.purged_subjects(filter) {
                self.remove_from_subject(id, below, None, effects);
            }
        }
        effects.purge(filter, before - self.index.count());
        Ok(())
    }

    /// A purge may move the end of the stream forward.
    fn follow_in_flight_past_purge(&mut self) {
        let last_seq = self.committed.last_seq;
        if self.in_flight.last_seq <= last_seq {
            self.follow_in_flight();
        }
    }

    fn apply_expire_through(&mut self, through: u64, effects: &mut Effects) {
        let mut next = self.committed.first_seq.max(self.committed.expired_through + 1);
        while let Some(seq) = self.index.at_or_above(next).filter(|&seq| seq <= through) {
            if !self.is_never(seq) {
                self.remove(seq, Some(Reason::Expired), effects);
            }
            next = seq + 1;
        }
        self.committed.expired_through = self.committed.expired_through.max(through);
        self.retention.applied();
    }

    fn apply_config(&mut self, config: StreamConfig, effects: &mut Effects) {
        self.config = config.into_shared();
        if self.config.max_msgs_per_subject > 0 {
            let limit = self.config.max_msgs_per_subject.unsigned_abs();
            let ids: Vec<SubjectId> = self.index.subjects.iter().map(|(id, _)| id).collect();
            for id in ids {
                for _ in limit..self.index.subjects.count(id) {
                    self.remove(self.index.subjects.first(id), Some(Reason::Limit), effects);
                }
            }
        }
        self.enforce_limits(effects);
        self.retention.wake();
    }

    /// Removes the messages of one subject below a sequence.
    fn remove_from_subject(
        &mut self,
        id: SubjectId,
        below: u64,
        reason: Option<Reason>,
        effects: &mut Effects,
    ) {
        for _ in 0..self.index.subjects.count(id) {
            let first = self.index.subjects.first(id);
            if first >= below {
                return;
            }
            self.remove(first, reason, effects);
        }
    }

    fn remove_all_below(&mut self, below: u64, reason: Option<Reason>, effects: &mut Effects) {
        while self.index.count() > 0 && self.committed.first_seq < below {
            self.remove(self.committed.first_seq, reason, effects);
        }
    }

    /// As if every message were removed, in little time; the caller reports it.
    fn remove_everything(&mut self) {
        if self.index.count() == 0 {
            return;
        }
        self.index.clear();
        self.ttls = None;
        if let Some(memory) = &mut self.memory {
            memory.clear();
        }
        self.committed.bytes = 0;
        self.committed.first_seq = self.committed.last_seq + 1;
    }

    fn remove(&mut self, seq: u64, reason: Option<Reason>, effects: &mut Effects) {
        self.remove_erasing(seq, false, reason, effects);
    }

    /// Removes a message. `reason`: `None` in a purge, which is reported as a whole.
    fn remove_erasing(&mut self, seq: u64, erase: bool, reason: Option<Reason>, effects: &mut Effects) {
        // Only memory wants to know where the message was.
        let place = if self.memory.is_some() { self.place(StreamSeq(seq)) } else { None };
        let kind = self.index.remove(seq, |kind, name| {
            if let Some(reason) = reason {
                effects.remove(StreamSeq(seq), reason, kind.subject, name);
            }
        });
        let Some(kind) = kind else { return };
        self.committed.bytes -= kind.shape.accounted(self.config.storage);
        if kind.shape.has_ttl()
            && let Some(ttls) = &mut self.ttls
        {
            ttls.remove(seq);
            if ttls.is_empty() {
                self.ttls = None;
            }
        }
        if seq == self.committed.first_seq {
            self.committed.first_seq = self.index.at_or_above(seq).unwrap_or(self.committed.last_seq + 1);
        }
        if let (Some(memory), Some(place)) = (&mut self.memory, place)
            && let Some((first, last)) = memory.remove(place, erase)
        {
            self.compact_memory(place.entry, first, last);
        }
    }

    /// Replaces an entry in memory by one with only what is still there.
    fn compact_memory(&mut self, entry: EntryPlace, first: u64, last: u64) {
        let Some(memory) = &mut self.memory else { return };
        let mut compaction = memory.compact(entry.position.0);
        self.index.relocate(first, last, &mut |message| {
            if message.place.entry.position == entry.position {
                memory.move_record(&mut compaction, message.place)
            } else {
                message.place
            }
        });
        memory.finish(compaction);
    }

    /// Whether `max_age` does not apply to a message.
    pub(super) fn is_never(&self, seq: u64) -> bool {
        self.ttls.as_ref().is_some_and(|ttls| ttls.is_never(seq))
    }
}

fn msg_id_of<'a>(record: &RecordView<'a>) -> Option<&'a [u8]> {
    headers::get(record.headers, b"Nats-Msg-Id")
}
