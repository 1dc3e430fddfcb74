//! What the next aligned writes hold: items are laid into a buffer once, sealed, handed out, and followed until written.

use super::buffer::{AlignedBuffer, BufferPool};
use super::disk_op::SegmentFile;
use super::format::{
    ENVELOPE_LEN, Envelope, FLAG_SEGMENT, Identity, SEGMENT_HEADER_LEN, Seal, SegmentHeader,
};
use super::segments::Segment;
use crate::ids::Position;
use crate::limits::{BLOCK_LEN, WRITE_LEN_MAX};
use crate::time::Instant;
use std::collections::VecDeque;
use std::rc::Rc;

/// Builds the log's writes in the order of their positions.
#[derive(Debug)]
pub(super) struct Writer {
    /// The newest segment.
    segment: Segment,
    seal: Seal,
    /// Where the next write begins.
    next: Position,
    building: Option<Building>,
    /// Sealed writes that are waiting, out, or written behind one that is not.
    queue: VecDeque<PendingWrite>,
    /// How many of the queue, from its front, were handed out.
    handed_out: usize,
    /// How many of the queue are at the disk.
    out: usize,
    previous_checksum: u32,
    /// End of the last write that holds more than a mark, and the newest mark in a sealed write.
    content_end: Position,
    last_mark: Position,
    /// Length of the last write; the next buffer starts at this size. Bytes.
    typical_len: usize,
    pub pool: BufferPool,
}

/// The write that is being filled.
#[derive(Debug)]
struct Building {
    start: Position,
    buffer: Rc<AlignedBuffer>,
    used: usize,
    items: u32,
    messages: u32,
}

/// A sealed write.
#[derive(Debug)]
pub(super) struct PendingWrite {
    pub start: Position,
    pub file: SegmentFile,
    /// In the file. Bytes.
    pub offset: u64,
    pub data: Rc<AlignedBuffer>,
    /// Bytes up to the end of the last item.
    pub used: usize,
    /// Whether it holds more than a mark.
    pub has_content: bool,
    /// Messages in its entries.
    pub messages: u32,
    state: WriteState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteState {
    Waiting,
    Out { token: u64, since: Instant },
    Written,
}

impl PendingWrite {
    pub fn end(&self) -> Position {
        Position(self.start.0 + self.data.len() as u64)
    }
}

/// No room in the newest segment: another one must be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentFull;

impl Writer {
    /// Goes on in `segment` at `next`, behind the envelope with `previous_checksum`.
    pub fn new(
        segment: Segment,
        next: Position,
        previous_checksum: u32,
        mark: Position,
        pool: BufferPool,
    ) -> Self {
        Writer {
            seal: Seal::of(&segment.identity),
            segment,
            next,
            building: None,
            queue: VecDeque::new(),
            handed_out: 0,
            out: 0,
            previous_checksum,
            content_end: next,
            last_mark: mark,
            typical_len: 0,
            pool,
        }
    }

    pub fn segment(&self) -> &Segment {
        &self.segment
    }

    pub fn seal(&self) -> Seal {
        self.seal
    }

    /// First position behind everything appended.
    pub fn end(&self) -> Position {
        match &self.building {
            Some(building) => Position(building.start.0 + building.used as u64),
            None => self.next,
        }
    }

    /// First position behind all sealed writes.
    pub fn sealed(&self) -> Position {
        self.next
    }

    /// End of the last write that holds more than a mark, as far as sealed.
    pub fn content_end(&self) -> Position {
        self.content_end
    }

    /// The newest mark in a sealed write.
    pub fn last_mark(&self) -> Position {
        self.last_mark
    }

    /// Room for appending in the newest segment. Bytes.
    pub fn room(&self) -> u64 {
        self.segment.end().0.saturating_sub(self.end().0)
    }

    /// Whether nothing is being filled, waiting or out.
    pub fn is_idle(&self) -> bool {
        self.building.is_none() && self.queue.is_empty()
    }

    /// Bytes that are not handed to the disk yet.
    pub fn backlog_len(&self) -> u64 {
        let waiting: u64 = self.queue.iter().skip(self.handed_out).map(|write| write.data.len() as u64).sum();
        waiting + self.building_len() as u64
    }

    /// Bytes in the write that is being filled; 0: none is.
    pub fn building_len(&self) -> usize {
        self.building.as_ref().map_or(0, |building| building.used)
    }

    /// Writes at the disk.
    pub fn out(&self) -> usize {
        self.out
    }

    /// Since when the oldest write at the disk is there.
    pub fn out_since(&self) -> Option<Instant> {
        let since = |write: &PendingWrite| match write.state {
            WriteState::Out { since, .. } => Some(since),
            _ => None,
        };
        self.queue.iter().filter_map(since).min()
    }

    /// Position of the write in which an item of `framed_len` bytes would begin, and room for the item there, which must be
    /// filled whole. `mark` is what is synced now, for a write that gets sealed because it is full.
    pub fn reserve(&mut self, framed_len: usize, mark: Position) -> Result<Reserved<'_>, SegmentFull> {
        if !self.fits_in_building(framed_len) {
            self.seal_building(mark, 0);
            let len = Writer::write_len(framed_len);
            if self.segment.end().0 - self.next.0 < len {
                return Err(SegmentFull);
            }
            let buffer = self.pool.take(BufferPool::size_for((len as usize).max(self.typical_len)));
            self.building =
                Some(Building { start: self.next, buffer, used: ENVELOPE_LEN, items: 0, messages: 0 });
        }
        let building = self.building.as_mut().expect("a write is being filled");
        let (from, to) = (building.used, building.used + framed_len);
        if to > building.buffer.len() {
            let mut larger = self.pool.take(BufferPool::size_for((2 * building.buffer.len()).max(to)));
            let bytes = Rc::get_mut(&mut larger).expect("a fresh buffer is not shared").as_mut_slice();
            bytes[..from].copy_from_slice(&building.buffer.as_slice()[..from]);
            self.pool.give_back(std::mem::replace(&mut building.buffer, larger));
        }
        building.used = to;
        building.items += 1;
        let write = building.start;
        let bytes =
            Rc::get_mut(&mut building.buffer).expect("a buffer being filled is not shared").as_mut_slice();
        Ok(Reserved { write, position: Position(write.0 + from as u64), bytes: &mut bytes[from..to] })
    }

    /// The item reserved last holds so many messages.
    pub fn note_messages(&mut self, messages: u32) {
        if let Some(building) = &mut self.building {
            building.messages += messages;
        }
    }

    /// Length of a write that holds one item of `framed_len` bytes.
    pub fn write_len(framed_len: usize) -> u64 {
        (ENVELOPE_LEN + framed_len).next_multiple_of(BLOCK_LEN) as u64
    }

    /// Whether an item of `framed_len` bytes fits into the newest segment.
    pub fn has_room(&self, framed_len: usize) -> bool {
        let next = self.end().0.next_multiple_of(BLOCK_LEN as u64);
        let len = Writer::write_len(framed_len);
        self.fits_in_building(framed_len) || next + len <= self.segment.end().0
    }

    fn fits_in_building(&self, framed_len: usize) -> bool {
        self.building.as_ref().is_some_and(|building| {
            let to = building.used + framed_len;
            let end = building.start.0 + to.next_multiple_of(BLOCK_LEN) as u64;
            to <= WRITE_LEN_MAX && end <= self.segment.end().0
        })
    }

    /// Ends the write that is being filled, if any, and puts it into the queue.
    pub fn seal_building(&mut self, mark: Position, flags: u16) {
        let Some(mut building) = self.building.take() else { return };
        let len = building.used.next_multiple_of(BLOCK_LEN);
        let envelope = Envelope {
            flags,
            items: building.items,
            identity: self.segment.identity,
            position: building.start,
            synced_mark: mark,
            len: len as u32,
            used: building.used as u32,
            previous_checksum: self.previous_checksum,
        };
        let buffer = Rc::get_mut(&mut building.buffer).expect("a buffer being filled is not shared");
        buffer.set_len(len);
        let bytes = buffer.as_mut_slice();
        bytes[building.used..].fill(0);
        self.previous_checksum = envelope.encode(bytes);
        self.typical_len = len.min(WRITE_LEN_MAX);
        self.push(building.start, building.buffer, building.used, building.items > 0, building.messages);
        self.last_mark = mark;
    }

    /// Seals a write without items that carries `mark`. False: without room for it in the segment there is none until the
    /// next segment's header carries it.
    pub fn write_mark(&mut self, mark: Position, flags: u16) -> bool {
        self.seal_building(mark, 0);
        self.last_mark = mark;
        if self.segment.end().0 - self.next.0 < BLOCK_LEN as u64 {
            return false;
        }
        let buffer = self.pool.take(BLOCK_LEN);
        self.building =
            Some(Building { start: self.next, buffer, used: ENVELOPE_LEN, items: 0, messages: 0 });
        let typical_len = self.typical_len;
        self.seal_building(mark, flags);
        self.typical_len = typical_len;
        true
    }

    /// Begins `segment`: its header is the next write. The write that was being filled must be sealed.
    pub fn begin_segment(&mut self, segment: Segment, header: &SegmentHeader) {
        assert!(self.building.is_none(), "a write does not span segments");
        assert!(segment.start >= self.segment.end(), "positions are never reused");
        let mut buffer = self.pool.take(SEGMENT_HEADER_LEN);
        let bytes = Rc::get_mut(&mut buffer).expect("a fresh buffer is not shared").as_mut_slice();
        self.previous_checksum = header.encode(bytes);
        self.last_mark = header.envelope.synced_mark;
        self.segment = segment;
        self.seal = Seal::of(&segment.identity);
        self.push(segment.start, buffer, SEGMENT_HEADER_LEN, true, 0);
    }

    /// The header of a segment that follows the newest one, without checkpoints.
    pub fn next_header(&self, start: Position, len: u64, serial: u64, mark: Position) -> SegmentHeader {
        SegmentHeader {
            envelope: Envelope {
                flags: FLAG_SEGMENT,
                items: 0,
                identity: Identity { serial, ..self.segment.identity },
                position: start,
                synced_mark: mark,
                len: SEGMENT_HEADER_LEN as u32,
                used: SEGMENT_HEADER_LEN as u32,
                previous_checksum: self.previous_checksum,
            },
            len,
            previous_end: self.next,
            previous_serial: self.segment.identity.serial,
            checkpoints: [None, None],
        }
    }

    fn push(
        &mut self,
        start: Position,
        data: Rc<AlignedBuffer>,
        used: usize,
        has_content: bool,
        messages: u32,
    ) {
        let (file, offset) = (self.segment.file, start.0 - self.segment.start.0);
        let state = WriteState::Waiting;
        let write = PendingWrite { start, file, offset, data, used, has_content, messages, state };
        self.next = write.end();
        if has_content {
            self.content_end = self.next;
        }
        self.queue.push_back(write);
    }

    /// Length of the next write that waits for the disk. Bytes.
    pub fn next_waiting(&self) -> Option<u64> {
        self.queue.get(self.handed_out).map(|write| write.data.len() as u64)
    }

    /// Hands the next waiting write to the disk.
    pub fn hand_out(&mut self, now: Instant, token: u64) -> &PendingWrite {
        let write = &mut self.queue[self.handed_out];
        write.state = WriteState::Out { token, since: now };
        self.handed_out += 1;
        self.out += 1;
        write
    }

    /// The write with this token has ended well: since when it was at the disk. None: it is none of ours.
    pub fn written(&mut self, token: u64) -> Option<Instant> {
        let ours =
            |write: &&mut PendingWrite| matches!(write.state, WriteState::Out { token: t, .. } if t == token);
        let write = self.queue.iter_mut().find(ours)?;
        let WriteState::Out { since, .. } = write.state else { return None };
        write.state = WriteState::Written;
        self.out -= 1;
        Some(since)
    }

    /// Whether a write with this token is at the disk.
    pub fn has_out(&self, token: u64) -> bool {
        self.queue.iter().any(|write| matches!(write.state, WriteState::Out { token: t, .. } if t == token))
    }

    /// The next write in the order of the log that is written, with everything before it.
    pub fn pop_written(&mut self) -> Option<PendingWrite> {
        if self.queue.front()?.state != WriteState::Written {
            return None;
        }
        self.handed_out -= 1;
        self.queue.pop_front()
    }

    /// Bytes from `position` on, to the end of its write, if they are here.
    pub fn bytes_at(&self, position: Position) -> Option<&[u8]> {
        if let Some(building) = self.building.as_ref().filter(|building| position >= building.start) {
            return building.buffer.as_slice()[..building.used]
                .get((position.0 - building.start.0) as usize..);
        }
        let at = self.queue.partition_point(|write| write.start <= position).checked_sub(1)?;
        let write = &self.queue[at];
        write.data.as_slice()[..write.used].get((position.0 - write.start.0) as usize..)
    }
}

/// Room for one item.
#[derive(Debug)]
pub(super) struct Reserved<'a> {
    /// Position of the write that it is in.
    pub write: Position,
    pub position: Position,
    /// To be filled whole.
    pub bytes: &'a mut [u8],
}
