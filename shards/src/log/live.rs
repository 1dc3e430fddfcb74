//! The log of a running shard: entries go in, disk operations come out, and `committed` moves.

use super::checkpoint::{Checkpoints, StateBytes};
use super::defect::has_defect;
use super::disk_op::{DiskData, DiskDone, DiskOp, SegmentFile};
use super::entry::{self, EntryBuilder, EntryStart, EntryView};
use super::format::{FLAG_CLOSED, FRAME_LEN, Frame, ItemKind, framed_len};
use super::next;
use super::options::{LogOptions, SyncPolicy};
use super::prepare::Preparation;
use super::reads::Reads;
use super::segments::{Segment, Segments};
use super::state::{Activity, Admission, Allowance, Figures, NoRoom, ReadDone, StorageError};
use super::sync::SyncState;
use super::tail::Tail;
use super::timings::Timings;
use super::writer::Writer;
use crate::ids::{EntryIndex, EntryPlace, GroupId, Position, Term};
use crate::limits::{BACKLOG_LEN_MAX, CHECKPOINT_PIECE_LEN, READ_LEN_MAX, UNSYNCED_LEN_MAX, WRITES_OUT_MAX};
use crate::time::Instant;
use std::rc::Rc;
use std::time::Duration;

/// One shard's log. Made by `Recovery::finish`.
///
/// Lives on: its shard's core. A turn is: `handle_disk` for what ended, apply what is below `committed()`, `append`,
/// `poll_op` until `None`. An entry's bytes are in memory from `append` to the first `poll_op` after it is committed, and
/// then for as long as the tail cache has room.
#[derive(Debug)]
pub struct Log {
    options: LogOptions,
    segments: Segments,
    next_serial: u64,
    writer: Writer,
    sync: SyncState,
    tail: Tail,
    reads: Reads,
    checkpoints: Checkpoints,
    preparation: Preparation,
    next_token: u64,
    /// Bytes handed to the disk in writes.
    issued_len: u64,
    /// When the last sync ended.
    synced_at: Instant,
    state: State,
    appended: u64,
    writes: u64,
    syncs: u64,
    timings: Timings,
    /// Body of an item of a checkpoint, kept for its memory.
    scratch: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing is appended any more; `Some`: the last mark is in a write that ends there.
    Closing(Option<Position>),
    Poisoned,
}

/// What recovery hands to the log that it opened.
pub(super) struct Opened {
    pub options: LogOptions,
    pub segments: Segments,
    pub next_serial: u64,
    pub writer: Writer,
    pub tail: Tail,
    pub checkpoints: Checkpoints,
    pub next_token: u64,
}

impl Log {
    /// A log of which everything is synced.
    pub(super) fn new(opened: Opened) -> Self {
        let Opened { options, segments, next_serial, writer, tail, checkpoints, next_token } = opened;
        Log {
            sync: SyncState::new(options.sync, writer.end()),
            reads: Reads::new(options.read_cache_len, options.defect),
            segments,
            next_serial,
            writer,
            tail,
            checkpoints,
            preparation: Preparation::default(),
            next_token,
            issued_len: 0,
            synced_at: Instant::default(),
            state: State::Open,
            appended: 0,
            writes: 0,
            syncs: 0,
            timings: Timings::default(),
            scratch: Vec::new(),
            options,
        }
    }

    /// Raised durably at each start: the term of this shard's groups of one.
    pub fn epoch(&self) -> Term {
        Term(self.writer.segment().identity.epoch)
    }

    /// Appends an entry of `changes` changes whose bytes sum up to `body_len`; `fill` adds them in order, written once and
    /// directly into what goes to the disk. The caller keeps entries within `ENTRY_LEN_MAX` (see `entry::encoded_len`)
    /// unless one change alone is larger. Committed when `committed()` reaches the place's end.
    pub fn append(
        &mut self,
        start: &EntryStart,
        changes: usize,
        body_len: usize,
        fill: impl FnOnce(&mut EntryBuilder<'_>),
    ) -> Result<EntryPlace, NoRoom> {
        let len = entry::encoded_len(changes, body_len);
        let (place, _) = self.append_item(ItemKind::Entry, len, start.previous, |body| {
            let mut builder = EntryBuilder::new(body, start, changes);
            fill(&mut builder);
            builder.finish()
        })?;
        self.checkpoints.note_entry(len);
        self.writer.note_messages(start.messages);
        Ok(place)
    }

    /// Everything below is committed: synced, or in relaxed mode written.
    pub fn committed(&self) -> Position {
        if has_defect!(self.options.defect, AckBeforeSync) {
            return self.sync.written();
        }
        self.sync.committed()
    }

    /// Everything below is written.
    pub fn written(&self) -> Position {
        self.sync.written()
    }

    /// Everything below is in a write that is complete: at the disk, waiting for it, or written.
    pub fn sealed(&self) -> Position {
        self.writer.sealed()
    }

    /// Whether what is appended now stays in memory, with so many more bytes: a write is out, or a sync that it would miss, and
    /// the next write is too short to start beside them.
    pub fn is_holding_back(&self, now: Instant, more: usize) -> bool {
        self.writer.building_len() + more < WORTH_A_WRITE && (self.writer.out() > 0 || self.is_syncing(now))
    }

    /// Whether a sync that what is written now would miss is out, or starts in this turn. Not in relaxed mode: there nothing that
    /// anybody waits for needs a sync.
    pub fn is_syncing(&self, now: Instant) -> bool {
        let is_due = self.sync.due().is_some_and(|due| due <= now);
        matches!(self.options.sync, SyncPolicy::Synced { .. }) && (self.sync.is_out() || is_due)
    }

    /// Everything below is synced.
    pub fn synced(&self) -> Position {
        self.sync.synced()
    }

    /// Whether a publish of `bytes` may be admitted now.
    pub fn may_admit(&self, now: Instant, bytes: usize) -> Admission {
        self.allowance(now).admits(bytes)
    }

    /// What may be admitted until the log next moves: for a whole batch of publishes.
    pub fn allowance(&self, now: Instant) -> Allowance {
        if self.state != State::Open {
            return Allowance { len: None, beyond: Admission::Poisoned };
        }
        if self.is_stuck(now) {
            return Allowance { len: None, beyond: Admission::Stuck };
        }
        if self.writer.backlog_len() > BACKLOG_LEN_MAX {
            return Allowance { len: None, beyond: Admission::Behind };
        }
        let room = self.writer.room() + self.segments.free_len();
        let beyond = if self.segments.is_blocked() { Admission::Reserve } else { Admission::Behind };
        Allowance { len: room.checked_sub(self.segments.reserve()), beyond }
    }

    /// The next operation for the disk; call until `None` at the end of each turn.
    pub fn poll_op(&mut self, now: Instant) -> Option<DiskOp> {
        if self.state == State::Poisoned {
            return self.reads.poll_op();
        }
        self.tail.trim(self.committed().min(self.synced()), &mut self.writer.pool);
        self.continue_checkpoint();
        self.write_due_mark(now);
        self.poll_sync(now)
            .or_else(|| self.poll_write(now))
            .or_else(|| self.reads.poll_op())
            .or_else(|| self.preparation.poll_op(&mut self.segments, &mut self.next_token, now))
    }

    /// An operation has ended. `Some` if it was a read of `read`.
    pub fn handle_disk(&mut self, now: Instant, done: DiskDone) -> Option<ReadDone> {
        let DiskDone { token, result } = done;
        let (failed, data) = match result {
            Ok(DiskData::Read(buffer)) => (false, Some(buffer)),
            Ok(DiskData::Nothing) => (false, None),
            Err(_) => (true, None),
        };
        if let Some(result) = self.reads.finish(token, data) {
            return Some(ReadDone { token, result });
        }
        if self.state == State::Poisoned {
            return None;
        }
        if self.writer.has_out(token) || self.sync.has_out(token) {
            if failed {
                self.state = State::Poisoned;
                self.checkpoints.abandon();
            } else if let Some(since) = self.writer.written(token) {
                self.writes += 1;
                self.timings.write.record(now.0.saturating_sub(since.0), 1);
                self.note_written(now);
            } else if let Some(since) = self.sync.finish(token) {
                self.syncs += 1;
                self.timings.sync.record(now.0.saturating_sub(since.0), 1);
                self.synced_at = now;
                self.complete_checkpoint(now);
            }
        } else {
            self.preparation.finish(&mut self.segments, &self.writer.segment().identity, token, failed, now);
        }
        self.check();
        None
    }

    /// When `poll_op` has something to do although nothing happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.state == State::Poisoned {
            return None;
        }
        let retry = self.segments.retry_at().filter(|_| !self.preparation.is_out());
        [self.sync.due(), self.mark_due(), retry].into_iter().flatten().min()
    }

    /// The entry at a place if its bytes are in memory: always for one that is in flight or was just committed, and after
    /// a `read` of it. An error if they were read and are damaged.
    pub fn entry(&self, place: EntryPlace) -> Result<Option<EntryView<'_>>, StorageError> {
        let in_memory = self.writer.bytes_at(place.position).or_else(|| self.tail.bytes_at(place.position));
        match in_memory.and_then(|item| item.get(FRAME_LEN..FRAME_LEN + place.len as usize)) {
            Some(bytes) => Ok(Some(EntryView::trusted(bytes))),
            None => self.reads.entry(place),
        }
    }

    /// Starts reading everything from `first` to the end of `last` (the same place, or a later one of the same segment
    /// within `READ_LEN_MAX`). Returns the token that `ReadDone` will carry, or an error if the place is not in the log.
    pub fn read(&mut self, first: EntryPlace, last: EntryPlace) -> Result<u64, StorageError> {
        let missing = StorageError { from: first.position, to: last.end() };
        let segment = match self.segments.at(first.position) {
            Some(segment) if last.end() <= segment.end() && last.end() >= first.end() => *segment,
            _ => {
                self.reads.note_failed(missing);
                return Err(missing);
            }
        };
        let token = next(&mut self.next_token);
        self.reads.start(token, segment, first.position, last.end());
        Ok(token)
    }

    /// Whether neighbours may share one `read`.
    pub fn may_read_together(&self, first: EntryPlace, last: EntryPlace) -> bool {
        let near = last.end().0.checked_sub(first.position.0).is_some_and(|len| len <= READ_LEN_MAX as u64);
        let is_whole = !self.reads.has_failed(first) && !self.reads.has_failed(last);
        near && is_whole
            && self.segments.at(first.position).is_some_and(|segment| last.end() <= segment.end())
    }

    /// The file that holds `position`, and where in it. Bytes.
    pub fn place(&self, position: Position) -> Option<(SegmentFile, u64)> {
        self.segments.at(position).map(|segment| (segment.file, position.0 - segment.start.0))
    }

    /// Whether the shard should take a checkpoint now: `begin_checkpoint`, then for each group `checkpoint_group` while
    /// `checkpoint_has_room` (over as many turns as it takes), then `finish_checkpoint`.
    pub fn wants_checkpoint(&self, now: Instant) -> bool {
        let starved = self.segments.is_blocked() && self.segments.free_len() <= self.segments.reserve();
        self.state == State::Open && self.checkpoints.is_wanted(now, starved)
    }

    /// Starts a checkpoint. Every entry below `applied` is applied in the state that the shard will hand over.
    pub fn begin_checkpoint(&mut self, applied: Position) {
        assert!(applied <= self.committed(), "only what is committed is applied");
        let mut body = std::mem::take(&mut self.scratch);
        body.clear();
        self.checkpoints.begin_item(applied, &mut body);
        if let Ok((_, write)) = self.append_bytes(ItemKind::CheckpointBegin, &body) {
            self.checkpoints.begin(applied, write);
        }
        self.scratch = body;
        if has_defect!(self.options.defect, RecycleBeforeCheckpoint) {
            self.recycle(|checkpoints, segment| checkpoints.newest_refers_to(segment.pin()));
        }
    }

    /// Whether the next group may be handed over in this turn. False too if there is no checkpoint under way.
    pub fn checkpoint_has_room(&self) -> bool {
        self.checkpoints.has_room()
    }

    /// Hands over a group's state after its entry `covers`. `live`: the positions of everything that the state refers to
    /// (any position within a segment stands for the whole segment).
    pub fn checkpoint_group(
        &mut self,
        group: GroupId,
        covers: EntryIndex,
        state: impl Into<Box<dyn StateBytes>>,
        live: impl IntoIterator<Item = Position>,
    ) {
        let mut last: Option<&Segment> = None;
        for position in live {
            if last.is_some_and(|segment| (segment.start..segment.end()).contains(&position)) {
                continue;
            }
            last = self.segments.at(position);
            if let Some(segment) = last {
                self.checkpoints.add_pin(segment.pin());
            }
        }
        self.checkpoints.add_group(group, covers, state.into());
    }

    /// Every group was handed over.
    pub fn finish_checkpoint(&mut self) {
        self.checkpoints.finish();
    }

    /// Whether a checkpoint is under way. One that cannot be written is given up: then this turns false by itself.
    pub fn is_checkpointing(&self) -> bool {
        self.checkpoints.is_under_way()
    }

    /// Ends the log in order: writes and syncs what was appended and a last mark that covers everything. Nothing may be
    /// appended any more. Go on with `poll_op` and `handle_disk` until `is_closed`.
    pub fn close(&mut self) {
        if self.state == State::Open {
            self.state = State::Closing(None);
            self.checkpoints.abandon();
            self.sync.hurry();
        }
    }

    /// Whether everything is synced and marked after `close`, or the log is poisoned.
    pub fn is_closed(&self) -> bool {
        match self.state {
            State::Open | State::Closing(None) => false,
            State::Closing(Some(end)) => self.sync.synced() >= end,
            State::Poisoned => true,
        }
    }

    pub fn is_poisoned(&self) -> bool {
        self.state == State::Poisoned
    }

    pub fn activity(&self) -> Activity {
        let newest = self.writer.segment();
        let changing_segment = self.sync.synced() <= newest.start;
        Activity {
            writing: self.writer.out() > 0,
            written_unsynced: self.sync.is_waiting(),
            syncing: self.sync.is_out(),
            changing_segment,
            checkpointing: self.checkpoints.is_under_way(),
            recycling: changing_segment && newest.reused,
        }
    }

    /// What the disk took since the start.
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    pub fn figures(&self) -> Figures {
        let (segments_used, segments_free) = self.segments.counts();
        Figures {
            bytes_on_disk: self.segments.used_len() + self.segments.free_len(),
            segments_used,
            segments_free,
            appended: self.appended,
            writes: self.writes,
            syncs: self.syncs,
            checkpoint_len: self.checkpoints.last_len(),
        }
    }

    /// Appends one item; `fill` writes its whole body and returns the frame's checksum. Returns where it is and the
    /// position of the write that holds it.
    fn append_item(
        &mut self,
        kind: ItemKind,
        len: usize,
        previous: Position,
        fill: impl FnOnce(&mut [u8]) -> u32,
    ) -> Result<(EntryPlace, Position), NoRoom> {
        if self.state != State::Open {
            return Err(NoRoom);
        }
        let (framed_len, mark) = (framed_len(len), self.sync.synced());
        if !self.writer.has_room(framed_len) {
            self.begin_segment(framed_len)?;
        }
        let seal = self.writer.seal();
        let item = self.writer.reserve(framed_len, mark).map_err(|_| NoRoom)?;
        let (frame, body) = item.bytes.split_at_mut(FRAME_LEN);
        let (body, padding) = body.split_at_mut(len);
        padding.fill(0);
        let checksum = fill(body);
        let len = u32::try_from(len).expect("an item is smaller than a segment");
        Frame { kind: kind as u8, len, checksum, previous }.encode(seal, item.position, frame);
        self.appended += framed_len as u64;
        Ok((EntryPlace { position: item.position, len }, item.write))
    }

    fn append_bytes(&mut self, kind: ItemKind, bytes: &[u8]) -> Result<(EntryPlace, Position), NoRoom> {
        self.append_item(kind, bytes.len(), Position(0), |body| {
            body.copy_from_slice(bytes);
            crc32c::crc32c(bytes)
        })
    }

    /// Goes on in a free segment that has room for an item.
    fn begin_segment(&mut self, framed_len: usize) -> Result<(), NoRoom> {
        let prepared = self.segments.take(Writer::write_len(framed_len)).ok_or(NoRoom)?;
        let mark = self.sync.synced();
        self.writer.seal_building(mark, 0);
        let start = self.writer.segment().end();
        let serial = next(&mut self.next_serial);
        let mut header = self.writer.next_header(start, prepared.len, serial, mark);
        header.checkpoints = self.checkpoints.refs();
        let identity = header.envelope.identity;
        let segment =
            Segment { file: prepared.file, identity, start, len: prepared.len, reused: prepared.reused };
        self.writer.begin_segment(segment, &header);
        self.segments.add_used(segment);
        self.checkpoints.note_segment_change();
        Ok(())
    }

    /// Whether a write or sync has been out for too long.
    pub fn is_stuck(&self, now: Instant) -> bool {
        self.stuck_at().is_some_and(|at| at <= now)
    }

    /// When the oldest write or sync that is out will have been out for too long.
    pub fn stuck_at(&self) -> Option<Instant> {
        let out = self.state != State::Poisoned;
        let since = [self.writer.out_since(), self.sync.out_since()].into_iter().flatten().min();
        since.filter(|_| out).map(|since| since + STUCK_AFTER)
    }

    fn poll_sync(&mut self, now: Instant) -> Option<DiskOp> {
        self.sync.due().filter(|&due| due <= now)?;
        let token = next(&mut self.next_token);
        let mut files = self.sync.start(now, token);
        if has_defect!(self.options.defect, OneFileSynced) {
            files.drain(..files.len() - 1);
        }
        if has_defect!(self.options.defect, RelaxedNeverSyncs)
            && matches!(self.options.sync, SyncPolicy::Written { .. })
        {
            files.clear();
        }
        Some(DiskOp::Sync { token, files })
    }

    /// The next write. A short one waits while another or a sync that it would not be in is out: it could not be committed
    /// before that one ends anyway, and takes along what arrives meanwhile.
    fn poll_write(&mut self, now: Instant) -> Option<DiskOp> {
        if self.writer.out() >= WRITES_OUT_MAX {
            return None;
        }
        if self.writer.next_waiting().is_none() {
            if self.is_holding_back(now, 0) {
                return None;
            }
            self.writer.seal_building(self.sync.synced(), 0);
        }
        let len = self.writer.next_waiting()?;
        let unsynced = self.issued_len - self.sync.synced_len();
        if unsynced > 0 && unsynced + len > UNSYNCED_LEN_MAX.min(self.options.segment_len / 2) {
            return None;
        }
        self.issued_len += len;
        let token = next(&mut self.next_token);
        let write = self.writer.hand_out(now, token);
        Some(DiskOp::Write { token, file: write.file, offset: write.offset, data: Rc::clone(&write.data) })
    }

    /// Moves `written` over everything that is written without a hole.
    fn note_written(&mut self, now: Instant) {
        while let Some(write) = self.writer.pop_written() {
            if write.has_content {
                self.timings.write_messages.record(u64::from(write.messages), 1);
            }
            let wants_sync = write.has_content || self.state != State::Open;
            self.sync.advance(now, write.file, write.end(), write.data.len() as u64, wants_sync);
            self.tail.add(write, &mut self.writer.pool);
        }
    }

    /// When a mark is to be written because the log is idle, or is closed.
    fn mark_due(&self) -> Option<Instant> {
        let everything_synced =
            self.writer.is_idle() && !self.sync.is_out() && self.sync.synced() >= self.writer.content_end();
        if !everything_synced {
            return None;
        }
        match self.state {
            State::Open if self.writer.last_mark() < self.writer.content_end() => {
                Some(self.synced_at + IDLE_AFTER)
            }
            State::Closing(None) => Some(Instant::default()),
            _ => None,
        }
    }

    fn write_due_mark(&mut self, now: Instant) {
        if self.mark_due().is_none_or(|due| now < due) {
            return;
        }
        let closing = self.state != State::Open;
        let is_written = self.writer.write_mark(self.sync.synced(), if closing { FLAG_CLOSED } else { 0 });
        if closing {
            // In a full segment there is no last mark: the next start copies the unmarked tail.
            let end = if is_written { self.writer.end() } else { self.sync.synced() };
            self.state = State::Closing(Some(end));
        }
    }

    /// Appends pieces of the checkpoint under way as long as the write that is being filled stays short.
    fn continue_checkpoint(&mut self) {
        while self.checkpoints.is_under_way()
            && self.writer.next_waiting().is_none()
            && self.writer.building_len() < CHECKPOINT_PIECE_LEN
        {
            let mut body = std::mem::take(&mut self.scratch);
            body.clear();
            let Some(kind) = self.checkpoints.next_item(&mut body) else {
                self.scratch = body;
                break;
            };
            match self.append_bytes(kind, &body) {
                Ok((item, write)) if kind == ItemKind::CheckpointEnd => self.checkpoints.ended(write, item),
                Ok(_) => {}
                Err(NoRoom) => self.checkpoints.abandon(),
            }
            self.scratch = body;
        }
    }

    fn complete_checkpoint(&mut self, now: Instant) {
        if self.checkpoints.is_complete(self.sync.synced()) {
            self.checkpoints.complete(now);
            self.recycle(|checkpoints, segment| checkpoints.need(segment.pin()));
        }
    }

    /// Gives up every synced segment that no checkpoint needs and no read refers to.
    fn recycle(&mut self, is_needed: impl Fn(&Checkpoints, &Segment) -> bool) {
        let newest = self.writer.segment().start;
        let dead: Vec<Position> = self
            .segments
            .used()
            .filter(|segment| segment.start < newest && segment.end() <= self.sync.synced())
            .filter(|segment| !is_needed(&self.checkpoints, segment) && !self.reads.refer_to(segment))
            .map(|segment| segment.start)
            .collect();
        for start in dead {
            self.segments.release(start);
            self.reads.forget(start);
        }
    }

    fn check(&self) {
        assert!(self.sync.synced() <= self.sync.written(), "only what is written is synced");
        assert!(self.sync.written() <= self.writer.end(), "only what was appended is written");
        assert!(self.writer.last_mark() <= self.sync.synced(), "a mark covers only what is synced");
    }
}

/// After so long a write or sync counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(2);
/// Quiet time after a sync before a write carries the mark forward.
const IDLE_AFTER: Duration = Duration::from_millis(20);
/// A write of this length does not wait for one that is out. Bytes.
const WORTH_A_WRITE: usize = 256 << 10;
