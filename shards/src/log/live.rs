//! The log of a running shard: entries go in, disk operations come out, and `committed` moves.

use super::disk_op::{DiskDone, DiskOp};
use super::entry::{EntryBuilder, EntryPlace, EntryStart, EntryView};
use crate::ids::{EntryIndex, GroupId, Position, Term};
use crate::time::Instant;

/// One shard's log. Made by `Recovery::finish`.
///
/// Lives on: its shard's core.
#[derive(Debug)]
pub struct Log {}

/// Whether a publish may be admitted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Yes,
    /// Entries or prepared segments are behind, and catching up: leave publishes where they are, refuse nothing.
    Behind,
    /// The disk is full and only the reserve is left: refuse publishes; acks, deletes and purges go on.
    Reserve,
    /// A write or sync has been out for two seconds: refuse publishes.
    Stuck,
    /// A write or sync failed: the log takes nothing more until it is opened again.
    Poisoned,
}

/// No prepared segment has room, or the log is poisoned or closed; nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// What cannot be read, as a range of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageError {
    pub from: Position,
    pub to: Position,
}

/// The end of a read that `Log::read` started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadDone {
    pub token: u64,
    /// On success `entry` finds the places that were asked for until about `READ_CACHE_LEN` more has been read.
    pub result: Result<(), StorageError>,
}

/// What the log is doing; for monitoring, and for the simulator's choice of where to crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// A write is out.
    pub writing: bool,
    /// Something is written and neither synced nor in a sync that is out.
    pub written_unsynced: bool,
    /// A sync is out.
    pub syncing: bool,
    /// The newest segment's header is not synced yet.
    pub changing_segment: bool,
    /// A checkpoint is being written.
    pub checkpointing: bool,
    /// The newest segment was used before and its header is not synced yet.
    pub recycling: bool,
}

/// Sizes for monitoring and the start-up line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of all segment files.
    pub bytes_on_disk: u64,
    /// Segments that hold something needed.
    pub segments_used: usize,
    /// Prepared segments ready for use.
    pub segments_free: usize,
    /// Bytes of items appended since the start.
    pub appended: u64,
    /// Writes and syncs finished since the start.
    pub writes: u64,
    pub syncs: u64,
    /// Bytes of the last complete checkpoint.
    pub checkpoint_len: u64,
}

impl Log {
    /// Raised durably at each start: the term of this shard's groups of one.
    pub fn epoch(&self) -> Term {
        unimplemented!()
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
        let _ = (start, changes, body_len, fill);
        unimplemented!()
    }

    /// Everything below is committed: synced, or in relaxed mode written.
    pub fn committed(&self) -> Position {
        unimplemented!()
    }

    /// Everything below is synced.
    pub fn synced(&self) -> Position {
        unimplemented!()
    }

    /// Whether a publish of `bytes` may be admitted now.
    pub fn may_admit(&self, now: Instant, bytes: usize) -> Admission {
        let _ = (now, bytes);
        unimplemented!()
    }

    /// The next operation for the disk; call until `None` at the end of each turn.
    pub fn poll_op(&mut self, now: Instant) -> Option<DiskOp> {
        let _ = now;
        unimplemented!()
    }

    /// An operation has ended. `Some` if it was a read of `read`.
    pub fn handle_disk(&mut self, now: Instant, done: DiskDone) -> Option<ReadDone> {
        let _ = (now, done);
        unimplemented!()
    }

    /// When `poll_op` has something to do although nothing happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        unimplemented!()
    }

    /// The entry at a place if its bytes are in memory: always for one that is in flight or was just committed, and after
    /// a `read` of it. An error if they were read and are damaged.
    pub fn entry(&self, place: EntryPlace) -> Result<Option<EntryView<'_>>, StorageError> {
        let _ = place;
        unimplemented!()
    }

    /// Starts reading everything from `first` to the end of `last` (the same place, or a later one of the same segment
    /// within `READ_LEN_MAX`). Returns the token that `ReadDone` will carry, or an error if the place is not in the log.
    pub fn read(&mut self, first: EntryPlace, last: EntryPlace) -> Result<u64, StorageError> {
        let _ = (first, last);
        unimplemented!()
    }

    /// Whether neighbours may share one `read`.
    pub fn may_read_together(&self, first: EntryPlace, last: EntryPlace) -> bool {
        let _ = (first, last);
        unimplemented!()
    }

    /// Whether the shard should take a checkpoint now: `begin_checkpoint`, then for each group `checkpoint_group` while
    /// `checkpoint_has_room` (over as many turns as it takes), then `finish_checkpoint`.
    pub fn wants_checkpoint(&self, now: Instant) -> bool {
        let _ = now;
        unimplemented!()
    }

    /// Starts a checkpoint. Every entry below `applied` is applied in the state that the shard will hand over.
    pub fn begin_checkpoint(&mut self, now: Instant, applied: Position) {
        let _ = (now, applied);
        unimplemented!()
    }

    /// Whether the next group may be handed over in this turn. False too if there is no checkpoint under way.
    pub fn checkpoint_has_room(&self) -> bool {
        unimplemented!()
    }

    /// Hands over a group's state after its entry `covers`. `live`: the positions of everything that the state refers to
    /// (any position within a segment stands for the whole segment).
    pub fn checkpoint_group(
        &mut self,
        group: GroupId,
        covers: EntryIndex,
        state: Vec<u8>,
        live: impl IntoIterator<Item = Position>,
    ) {
        let _ = (group, covers, state, live.into_iter());
        unimplemented!()
    }

    /// Every group was handed over.
    pub fn finish_checkpoint(&mut self) {
        unimplemented!()
    }

    /// Whether a checkpoint is under way. One that cannot be written is given up: then this turns false by itself.
    pub fn is_checkpointing(&self) -> bool {
        unimplemented!()
    }

    /// Ends the log in order: writes and syncs what was appended and a last mark that covers everything. Nothing may be
    /// appended any more. Go on with `poll_op` and `handle_disk` until `is_closed`.
    pub fn close(&mut self) {
        unimplemented!()
    }

    /// Whether everything is synced and marked after `close`, or the log is poisoned.
    pub fn is_closed(&self) -> bool {
        unimplemented!()
    }

    pub fn is_poisoned(&self) -> bool {
        unimplemented!()
    }

    pub fn activity(&self) -> Activity {
        unimplemented!()
    }

    pub fn figures(&self) -> Figures {
        unimplemented!()
    }
}
