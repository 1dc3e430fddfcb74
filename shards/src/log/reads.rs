//! Cold reads: runs of entries read from the disk, checked once, and kept for a short while.

use super::buffer::AlignedBuffer;
use super::defect::{Defect, has_defect};
use super::disk_op::DiskOp;
use super::entry::EntryView;
use super::format::{ENVELOPE_LEN, Envelope, FRAME_LEN, Frame, Identity, ItemKind, Seal, framed_len};
use super::segments::Segment;
use super::state::StorageError;
use crate::ids::{EntryPlace, Position};
use crate::limits::{BLOCK_LEN, FAILED_READS_MAX};
use std::collections::{BTreeMap, VecDeque};

/// Reads that are out, and what the last ones brought.
#[derive(Debug)]
pub(super) struct Reads {
    out: BTreeMap<u64, Run>,
    waiting: VecDeque<DiskOp>,
    cached: VecDeque<CachedRun>,
    /// Memory of the cached runs. Bytes.
    len: usize,
    limit: usize,
    /// What could not be read lately: a run of several entries is read again one by one, a lone entry counts as damaged.
    failed: VecDeque<StorageError>,
    defect: Defect,
}

/// A stretch of whole blocks of one segment, asked for because of the entries from `first` to `to`.
#[derive(Clone, Copy, Debug)]
struct Run {
    segment: Segment,
    start: Position,
    first: Position,
    to: Position,
}

#[derive(Debug)]
struct CachedRun {
    run: Run,
    buffer: AlignedBuffer,
    /// Positions of the entries that were found whole, ascending.
    entries: Vec<Position>,
}

impl Reads {
    /// Keeps up to `limit` bytes of what was read, and always the last run.
    pub fn new(limit: usize, defect: Defect) -> Self {
        Reads {
            out: BTreeMap::new(),
            waiting: VecDeque::new(),
            cached: VecDeque::new(),
            len: 0,
            limit,
            failed: VecDeque::new(),
            defect,
        }
    }

    /// Asks for everything from `first` to `to` in `segment`.
    pub fn start(&mut self, token: u64, segment: Segment, first: Position, to: Position) {
        let block = BLOCK_LEN as u64;
        let start = Position(first.0 - (first.0 - segment.start.0) % block);
        let len = (to.0 - start.0).next_multiple_of(block).min(segment.end().0 - start.0);
        let offset = start.0 - segment.start.0;
        self.out.insert(token, Run { segment, start, first, to });
        self.waiting.push_back(DiskOp::Read { token, file: segment.file, offset, len: len as usize });
    }

    /// Whether a read that failed lately touched this place: then it is better read alone.
    pub fn has_failed(&self, place: EntryPlace) -> bool {
        self.failed.iter().any(|range| range.from <= place.position && place.end() <= range.to)
    }

    /// Remembers what cannot be read; beyond `FAILED_READS_MAX` the oldest is forgotten, and would be tried again.
    pub fn note_failed(&mut self, range: StorageError) {
        if self.failed.len() == FAILED_READS_MAX {
            self.failed.pop_front();
        }
        self.failed.push_back(range);
    }

    pub fn poll_op(&mut self) -> Option<DiskOp> {
        self.waiting.pop_front()
    }

    /// Whether a read of this segment is out or waiting.
    pub fn refer_to(&self, segment: &Segment) -> bool {
        self.out.values().any(|run| run.segment.start == segment.start)
    }

    /// Forgets what was read of a segment that is given up.
    pub fn forget(&mut self, start: Position) {
        self.cached.retain(|cached| cached.run.segment.start != start);
        self.len = self.cached.iter().map(|cached| cached.buffer.len()).sum();
    }

    /// The read with this token has ended. `None`: it is none of ours.
    pub fn finish(&mut self, token: u64, data: Option<AlignedBuffer>) -> Option<Result<(), StorageError>> {
        let run = self.out.remove(&token)?;
        let Some(buffer) = data.filter(|buffer| run.start.0 + buffer.len() as u64 >= run.to.0) else {
            let failed = StorageError { from: run.first, to: run.to };
            self.note_failed(failed);
            return Some(Err(failed));
        };
        let entries = whole_entries(&run, buffer.as_slice());
        self.len += buffer.len();
        self.cached.push_back(CachedRun { run, buffer, entries });
        while self.len > self.limit && self.cached.len() > 1 {
            self.len -= self.cached.pop_front().map_or(0, |oldest| oldest.buffer.len());
        }
        Some(Ok(()))
    }

    /// The entry at a place, if it was read lately. An error if it is not whole.
    pub fn entry(&self, place: EntryPlace) -> Result<Option<EntryView<'_>>, StorageError> {
        let holds = |cached: &&CachedRun| cached.run.first <= place.position && place.end() <= cached.run.to;
        let Some(cached) = self.cached.iter().rev().find(holds) else {
            let lone = StorageError { from: place.position, to: place.end() };
            return if self.failed.contains(&lone) { Err(lone) } else { Ok(None) };
        };
        let from = (place.position.0 - cached.run.start.0) as usize;
        let item = &cached.buffer.as_slice()[from..];
        let body = &item[FRAME_LEN..FRAME_LEN + place.len as usize];
        if has_defect!(self.defect, ChecksumIgnored) {
            return Ok(Some(EntryView::trusted(body)));
        }
        let damaged = StorageError { from: place.position, to: place.end() };
        if cached.entries.binary_search(&place.position).is_ok() {
            // Checked when it was read; its changes are checked one by one.
            return Ok(Some(EntryView::checked_before(body)));
        }
        let frame =
            Frame::decode(item, Seal::of(&cached.run.segment.identity), place.position).ok_or(damaged)?;
        if frame.len != place.len || !frame.covers(body) {
            return Err(damaged);
        }
        EntryView::parse(body).map(Some).map_err(|_| damaged)
    }
}

/// Walks over the items of a run, through the envelopes between them, up to the first that is not whole.
fn whole_entries(run: &Run, bytes: &[u8]) -> Vec<Position> {
    let identity = &run.segment.identity;
    let seal = Seal::of(identity);
    let mut entries = Vec::new();
    let mut at = (run.first.0 - run.start.0) as usize;
    while run.start.0 + at as u64 <= run.to.0 {
        let position = Position(run.start.0 + at as u64);
        if let Some((frame, body)) = item_at(bytes, at, seal, position) {
            if frame.kind == ItemKind::Entry as u8 {
                if !frame.covers(body) {
                    break;
                }
                entries.push(position);
            }
            at += framed_len(body.len());
        } else if let Some(next) = behind_envelope(bytes, at, identity, run.start) {
            at = next;
        } else {
            break;
        }
    }
    entries
}

fn item_at(bytes: &[u8], at: usize, seal: Seal, position: Position) -> Option<(Frame, &[u8])> {
    let item = bytes.get(at..)?;
    let frame = Frame::decode(item, seal, position)?;
    let body = item.get(FRAME_LEN..)?.get(..frame.len as usize)?;
    Some((frame, body))
}

/// The place behind the envelope in the first block at or behind `at`.
fn behind_envelope(bytes: &[u8], at: usize, identity: &Identity, start: Position) -> Option<usize> {
    let block = at.next_multiple_of(BLOCK_LEN);
    let (envelope, _) = Envelope::decode(bytes.get(block..)?)?;
    let ours = envelope.identity == *identity && envelope.position.0 == start.0 + block as u64;
    ours.then_some(block + ENVELOPE_LEN)
}
