//! The first segment of a new life: it takes copies of what was recovered above the synced mark, and its header, written
//! last, makes all of it valid at once. A crash before that leaves the old log as it was.

use crate::ids::{EntryPlace, GroupId, Position};
use crate::limits::WRITES_OUT_MAX;
use crate::log::buffer::{AlignedBuffer, BufferPool};
use crate::log::disk_op::DiskOp;
use crate::log::entry::EntryView;
use crate::log::format::{FRAME_LEN, Item, ItemKind, SEGMENT_HEADER_LEN, SegmentHeader, framed_len};
use crate::log::next;
use crate::log::options::LogOptions;
use crate::log::segments::Segment;
use crate::log::tail::Tail;
use crate::log::writer::{SegmentFull, Writer};
use crate::time::Instant;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The new life's first segment while it is written.
#[derive(Debug)]
pub(super) struct NewLife {
    header: Vec<u8>,
    mark: Position,
    pub writer: Writer,
    pub tail: Tail,
    /// Where each group's last copied entry is now.
    moved: BTreeMap<GroupId, Position>,
    step: Step,
    pub copied_len: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Copies come in and are written.
    Copying,
    /// No more come; they are being written.
    WritingCopies,
    SyncingCopies(u64),
    WritingHeader(u64),
    SyncingHeader(u64),
    Done,
}

impl NewLife {
    /// Begins `segment`, which `header` describes.
    pub fn new(segment: Segment, header: &SegmentHeader, options: &LogOptions) -> Self {
        let mut bytes = vec![0; SEGMENT_HEADER_LEN];
        let checksum = header.encode(&mut bytes);
        let next = Position(segment.start.0 + SEGMENT_HEADER_LEN as u64);
        let mark = header.envelope.synced_mark;
        NewLife {
            header: bytes,
            mark,
            writer: Writer::new(segment, next, checksum, mark, BufferPool::new(options.advise_memory)),
            tail: Tail::new(options.tail_cache_len),
            moved: BTreeMap::new(),
            step: Step::Copying,
            copied_len: 0,
        }
    }

    /// Copies an item. Returns its new place.
    pub fn copy(&mut self, item: &Item<'_>) -> Result<EntryPlace, SegmentFull> {
        let seal = self.writer.seal();
        let reserved = self.writer.reserve(framed_len(item.body.len()), self.mark)?;
        let (frame, body) = reserved.bytes.split_at_mut(FRAME_LEN);
        let (body, padding) = body.split_at_mut(item.body.len());
        body.copy_from_slice(item.body);
        padding.fill(0);
        let position = reserved.position;
        let mut copied = item.frame;
        if copied.kind == ItemKind::Entry as u8 {
            let group = EntryView::checked_before(item.body).group();
            copied.previous = self.moved.insert(group, position).unwrap_or(copied.previous);
        }
        copied.encode(seal, position, frame);
        self.copied_len += framed_len(item.body.len()) as u64;
        Ok(EntryPlace { position, len: item.frame.len })
    }

    /// No more copies come.
    pub fn seal(&mut self) {
        self.writer.seal_building(self.mark, 0);
        self.step = Step::WritingCopies;
    }

    /// The next operation for the disk.
    pub fn poll_op(&mut self, next_token: &mut u64) -> Option<DiskOp> {
        if self.writer.next_waiting().is_some() && self.writer.out() < WRITES_OUT_MAX {
            let token = next(next_token);
            let write = self.writer.hand_out(Instant::default(), token);
            return Some(DiskOp::Write {
                token,
                file: write.file,
                offset: write.offset,
                data: Rc::clone(&write.data),
            });
        }
        if self.step != Step::WritingCopies || !self.writer.is_idle() {
            return None;
        }
        if self.copied_len == 0 {
            return Some(self.write_header(next_token));
        }
        let token = next(next_token);
        self.step = Step::SyncingCopies(token);
        Some(self.sync(token))
    }

    /// An operation has ended well; returns what follows from it at once.
    pub fn handle_done(&mut self, token: u64, next_token: &mut u64) -> Option<DiskOp> {
        match self.step {
            Step::SyncingCopies(out) if out == token => Some(self.write_header(next_token)),
            Step::WritingHeader(out) if out == token => {
                let token = next(next_token);
                self.step = Step::SyncingHeader(token);
                Some(self.sync(token))
            }
            Step::SyncingHeader(out) if out == token => {
                self.step = Step::Done;
                None
            }
            _ => {
                if self.writer.written(token).is_some() {
                    while let Some(write) = self.writer.pop_written() {
                        self.tail.add(write, &mut self.writer.pool);
                    }
                }
                None
            }
        }
    }

    /// Whether the operation with this token is out.
    pub fn has_out(&self, token: u64) -> bool {
        let out = match self.step {
            Step::SyncingCopies(out) | Step::WritingHeader(out) | Step::SyncingHeader(out) => Some(out),
            Step::Copying | Step::WritingCopies | Step::Done => None,
        };
        out == Some(token) || self.writer.has_out(token)
    }

    /// Whether the life has begun: everything is synced.
    pub fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    fn write_header(&mut self, next_token: &mut u64) -> DiskOp {
        let token = next(next_token);
        self.step = Step::WritingHeader(token);
        let mut data = AlignedBuffer::zeroed(SEGMENT_HEADER_LEN);
        data.as_mut_slice().copy_from_slice(&self.header);
        DiskOp::Write { token, file: self.writer.segment().file, offset: 0, data: Rc::new(data) }
    }

    fn sync(&self, token: u64) -> DiskOp {
        DiskOp::Sync { token, files: vec![self.writer.segment().file] }
    }
}
