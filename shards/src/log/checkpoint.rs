//! Checkpoints: group states written into the log, so that recovery reads a short tail and old segments can be reused.
//!
//! One is wanted after a segment change, once four times the length of the last one was appended, so that checkpoints cost
//! at most a quarter of what they follow; and after eight segments in any case, so that the tail stays short. Two are kept.

use super::format::{CheckpointBegin, CheckpointEnd, CheckpointPiece, CheckpointRef, ItemKind, Pin};
use crate::ids::{EntryIndex, EntryPlace, GroupId, Position};
use crate::limits::{CHECKPOINT_PENDING_MAX, CHECKPOINT_PIECE_LEN};
use crate::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The checkpoints of one log: two complete ones, and the one being written.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// Complete ones, oldest first; at most two.
    kept: Vec<Kept>,
    current: Option<Current>,
    next_number: u64,
    /// Bytes of entries appended since the last one began.
    appended: u64,
    segment_changes: u32,
    /// Complete ones since the last entry was appended.
    since_entry: u32,
    last_done: Option<Instant>,
}

/// A complete checkpoint.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub at: CheckpointRef,
    /// Sum of the group states. Bytes.
    pub len: u64,
    /// Segments to which the states refer.
    pub pins: Vec<Pin>,
}

/// A checkpoint that is being written.
#[derive(Debug)]
struct Current {
    number: u64,
    tail_start: Position,
    begin: Position,
    groups: u64,
    len: u64,
    pins: BTreeMap<u64, Pin>,
    pending: VecDeque<GroupState>,
    /// Bytes of the states in `pending` that are not written.
    pending_len: u64,
    /// Every group was handed over.
    handed_over: bool,
    /// Write of the end, and the first position behind the end.
    end: Option<(Position, Position)>,
}

#[derive(Debug)]
struct GroupState {
    group: GroupId,
    covers: EntryIndex,
    state: Box<dyn StateBytes>,
    len: u64,
}

/// A group's state as the bytes of a checkpoint, which need not all be there at once.
pub trait StateBytes: std::fmt::Debug {
    /// Bytes not taken yet.
    fn left(&self) -> u64;

    /// Appends the next ones: `CHECKPOINT_PIECE_LEN` at most, and at least one if some are left.
    fn take(&mut self, out: &mut Vec<u8>);
}

/// Bytes that are all there.
#[derive(Debug)]
pub struct WholeState {
    bytes: Vec<u8>,
    taken: usize,
}

impl From<Vec<u8>> for WholeState {
    fn from(bytes: Vec<u8>) -> Self {
        WholeState { bytes, taken: 0 }
    }
}

impl From<Vec<u8>> for Box<dyn StateBytes> {
    fn from(bytes: Vec<u8>) -> Self {
        Box::new(WholeState::from(bytes))
    }
}

impl StateBytes for WholeState {
    fn left(&self) -> u64 {
        (self.bytes.len() - self.taken) as u64
    }

    fn take(&mut self, out: &mut Vec<u8>) {
        let to = self.bytes.len().min(self.taken + CHECKPOINT_PIECE_LEN);
        out.extend_from_slice(&self.bytes[self.taken..to]);
        self.taken = to;
    }
}

/// Bytes that are all there, in pieces of any length; each is given back once it is taken.
#[derive(Debug)]
pub struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    /// Bytes of the first that are taken.
    taken: usize,
    left: u64,
}

impl From<VecDeque<Vec<u8>>> for Pieces {
    fn from(pieces: VecDeque<Vec<u8>>) -> Self {
        let left = pieces.iter().map(|piece| piece.len() as u64).sum();
        Pieces { pieces, taken: 0, left }
    }
}

impl StateBytes for Pieces {
    fn left(&self) -> u64 {
        self.left
    }

    fn take(&mut self, out: &mut Vec<u8>) {
        let mut room = CHECKPOINT_PIECE_LEN;
        while room > 0
            && let Some(first) = self.pieces.front()
        {
            let taken = room.min(first.len() - self.taken);
            out.extend_from_slice(&first[self.taken..self.taken + taken]);
            (room, self.taken, self.left) = (room - taken, self.taken + taken, self.left - taken as u64);
            if self.taken == first.len() {
                self.pieces.pop_front();
                self.taken = 0;
            }
        }
    }
}

impl Checkpoints {
    /// Goes on with these complete ones, oldest first. `appended`: bytes of entries behind the newest.
    pub fn new(mut kept: Vec<Kept>, appended: u64) -> Self {
        kept.drain(..kept.len().saturating_sub(2));
        let next_number = kept.last().map_or(1, |kept| kept.at.number + 1);
        Checkpoints {
            kept,
            current: None,
            next_number,
            appended,
            segment_changes: 1,
            since_entry: 0,
            last_done: None,
        }
    }

    /// The newest complete one and the one before, for segment headers.
    pub fn refs(&self) -> [Option<CheckpointRef>; 2] {
        let mut newest_first = self.kept.iter().rev().map(|kept| kept.at);
        [newest_first.next(), newest_first.next()]
    }

    /// Sum of the group states in the newest complete one. Bytes.
    pub fn last_len(&self) -> u64 {
        self.kept.last().map_or(0, |kept| kept.len)
    }

    pub fn note_segment_change(&mut self) {
        self.segment_changes += 1;
    }

    pub fn note_entry(&mut self, len: usize) {
        self.appended += len as u64;
        self.since_entry = 0;
    }

    /// Whether one should begin. `starved`: the disk is full, and a checkpoint may set segments free.
    pub fn is_wanted(&self, now: Instant, starved: bool) -> bool {
        let due = self.segment_changes > 0
            && self.appended > 0
            && (self.appended >= APPENDED_PER_LEN * self.last_len() || self.segment_changes >= SEGMENTS_MAX);
        let may_help = starved
            && self.since_entry < IDLE_CHECKPOINTS_MAX
            && self.last_done.is_none_or(|done| now >= done + STARVED_INTERVAL);
        self.current.is_none() && (due || may_help)
    }

    pub fn is_under_way(&self) -> bool {
        self.current.is_some()
    }

    /// The item with which the next one begins.
    pub fn begin_item(&self, tail_start: Position, out: &mut Vec<u8>) {
        CheckpointBegin { number: self.next_number, tail_start }.encode(out);
    }

    /// One has begun with an item in the write at `begin`.
    pub fn begin(&mut self, tail_start: Position, begin: Position) {
        assert!(self.current.is_none(), "one checkpoint at a time");
        assert!(tail_start <= begin, "only what is written can be applied");
        self.current = Some(Current {
            number: self.next_number,
            tail_start,
            begin,
            groups: 0,
            len: 0,
            pins: BTreeMap::new(),
            pending: VecDeque::new(),
            pending_len: 0,
            handed_over: false,
            end: None,
        });
        self.next_number += 1;
        self.appended = 0;
        self.segment_changes = 0;
    }

    /// Gives up the one that is being written.
    pub fn abandon(&mut self) {
        self.current = None;
    }

    pub fn has_room(&self) -> bool {
        self.current.as_ref().is_some_and(|current| {
            !current.handed_over && current.pending_len < CHECKPOINT_PENDING_MAX as u64
        })
    }

    pub fn add_pin(&mut self, pin: Pin) {
        if let Some(current) = &mut self.current {
            current.pins.insert(pin.serial, pin);
        }
    }

    pub fn add_group(&mut self, group: GroupId, covers: EntryIndex, state: Box<dyn StateBytes>) {
        let Some(current) = &mut self.current else { return };
        assert!(!current.handed_over, "no group after the last");
        current.groups += 1;
        let len = state.left();
        current.len += len;
        current.pending_len += len;
        current.pending.push_back(GroupState { group, covers, state, len });
    }

    /// Every group was added.
    pub fn finish(&mut self) {
        if let Some(current) = &mut self.current {
            current.handed_over = true;
        }
    }

    /// Encodes the next item of the one being written into `out`, which is empty. `None`: nothing to write now.
    pub fn next_item(&mut self, out: &mut Vec<u8>) -> Option<ItemKind> {
        let current = self.current.as_mut()?;
        if let Some(next) = current.pending.front_mut() {
            let left = next.state.left();
            let piece = CheckpointPiece {
                number: current.number,
                group: next.group,
                covers: next.covers,
                total: next.len,
                offset: next.len - left,
                bytes: &[],
            };
            piece.encode(out);
            next.state.take(out);
            let taken = left - next.state.left();
            assert_eq!(
                out.len() as u64,
                CheckpointPiece::HEADER_LEN as u64 + taken,
                "a state keeps its length"
            );
            current.pending_len -= taken;
            if taken == left {
                current.pending.pop_front();
            }
            return Some(ItemKind::CheckpointPiece);
        }
        if !current.handed_over || current.end.is_some() {
            return None;
        }
        let pins = current.pins.values().copied().collect();
        CheckpointEnd { number: current.number, groups: current.groups, bytes: current.len, pins }
            .encode(out);
        Some(ItemKind::CheckpointEnd)
    }

    /// The end was appended in the write at `end_write`.
    pub fn ended(&mut self, end_write: Position, item: EntryPlace) {
        if let Some(current) = &mut self.current {
            current.end = Some((end_write, item.end()));
        }
    }

    /// Whether the end was appended and lies below `synced`.
    pub fn is_complete(&self, synced: Position) -> bool {
        self.current.as_ref().and_then(|current| current.end).is_some_and(|(_, end)| end <= synced)
    }

    /// The one that was being written is complete: it becomes the newest of the two that are kept.
    pub fn complete(&mut self, now: Instant) {
        let Some(Current { number, tail_start, begin, len, pins, end: Some((end_write, end)), .. }) =
            self.current.take()
        else {
            return;
        };
        let at = CheckpointRef { number, begin, end_write, end, tail_start };
        self.kept.push(Kept { at, len, pins: pins.into_values().collect() });
        self.kept.drain(..self.kept.len().saturating_sub(2));
        self.since_entry = self.since_entry.saturating_add(1);
        self.last_done = Some(now);
    }

    /// Whether the states of the newest complete one refer to a segment.
    pub fn newest_refers_to(&self, pin: Pin) -> bool {
        self.kept.last().is_some_and(|kept| kept.pins.iter().any(|other| other.serial == pin.serial))
    }

    /// Whether a segment is needed by one of the two that are kept, or by a recovery from the older one. True as long as
    /// there are not two.
    pub fn need(&self, pin: Pin) -> bool {
        let [older, newer] = &self.kept[..] else { return true };
        let in_tail = pin.start.0 + pin.len > older.at.tail_start.0;
        let pinned = |kept: &Kept| kept.pins.iter().any(|other| other.serial == pin.serial);
        in_tail || pinned(older) || pinned(newer)
    }
}

/// A checkpoint costs at most one part in so many of what was appended before it.
const APPENDED_PER_LEN: u64 = 4;
/// Segment changes after which a checkpoint is wanted whatever it costs.
const SEGMENTS_MAX: u32 = 8;
/// Checkpoints without an entry between them after which a further one sets nothing free: one that had begun before the
/// last entry, and the two that are kept.
const IDLE_CHECKPOINTS_MAX: u32 = 3;
/// Pause between checkpoints that are taken because the disk is full.
const STARVED_INTERVAL: Duration = Duration::from_millis(200);
