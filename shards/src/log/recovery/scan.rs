//! Reading a stretch of the log from its beginning to its end: good writes, and what lies between them.

use crate::ids::Position;
use crate::limits::BLOCK_LEN;
use crate::log::buffer::AlignedBuffer;
use crate::log::defect::{Defect, has_defect};
use crate::log::disk_op::DiskOp;
use crate::log::format::Envelope;
use crate::log::next;
use crate::log::segments::Segment;
use std::collections::VecDeque;

/// A part of one segment behind its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub segment: Segment,
    /// A write begins here.
    pub from: Position,
    pub to: Position,
}

/// Scans stretches in order. Every envelope with the right identity and position is found, also behind a bad one; what it
/// means is for the caller to decide.
#[derive(Debug)]
pub(super) struct Scan {
    stretches: VecDeque<Stretch>,
    reading: Option<Reading>,
    defect: Defect,
}

/// What a scan finds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A write whose envelope is good; `Scan::write` has its bytes until the next step.
    Write {
        envelope: Envelope,
        checksum: u32,
        position: Position,
    },
    /// No good envelope begins between these positions.
    Bad {
        from: Position,
        to: Position,
    },
    /// Data must arrive first.
    Wait,
    End,
}

#[derive(Debug)]
struct Reading {
    stretch: Stretch,
    /// Bytes read; those before `front` are done with, the one at `front` has the position `at`.
    window: Vec<u8>,
    front: usize,
    at: Position,
    /// Length of the write that was the last step: it is not done with yet.
    last: usize,
    bad_from: Option<Position>,
    /// Reads in order; their bytes follow the window.
    chunks: VecDeque<Chunk>,
    next_chunk: Position,
}

#[derive(Debug)]
struct Chunk {
    token: u64,
    len: usize,
    data: Option<AlignedBuffer>,
}

/// Length of one read. Bytes.
const CHUNK_LEN: u64 = 1 << 20;
/// Reads that are out at a time.
const CHUNKS_OUT: usize = 4;

impl Scan {
    pub fn new(stretches: impl IntoIterator<Item = Stretch>, defect: Defect) -> Self {
        let stretches = stretches.into_iter().filter(|stretch| stretch.from < stretch.to).collect();
        Scan { stretches, reading: None, defect }
    }

    /// The next read for the disk.
    pub fn poll_op(&mut self, next_token: &mut u64) -> Option<DiskOp> {
        if self.reading.is_none() {
            self.reading = self.stretches.pop_front().map(Reading::new);
        }
        let reading = self.reading.as_mut()?;
        let stretch = reading.stretch;
        if reading.chunks.len() >= CHUNKS_OUT || reading.next_chunk >= stretch.to {
            return None;
        }
        let len = CHUNK_LEN.min(stretch.to.0.next_multiple_of(BLOCK_LEN as u64) - reading.next_chunk.0);
        let len = len.min(stretch.segment.end().0 - reading.next_chunk.0) as usize;
        let offset = reading.next_chunk.0 - stretch.segment.start.0;
        let token = next(next_token);
        reading.chunks.push_back(Chunk { token, len, data: None });
        reading.next_chunk.0 += len as u64;
        Some(DiskOp::Read { token, file: stretch.segment.file, offset, len })
    }

    /// A read has ended. Of one that failed, zeros are taken: nothing good is found there. False: it is none of ours.
    pub fn handle_read(&mut self, token: u64, data: Option<AlignedBuffer>) -> bool {
        let Some(reading) = self.reading.as_mut() else { return false };
        let Some(chunk) = reading.chunks.iter_mut().find(|chunk| chunk.token == token) else { return false };
        let data = data.filter(|data| data.len() >= chunk.len);
        chunk.data = Some(data.unwrap_or_else(|| AlignedBuffer::zeroed(chunk.len)));
        reading.window.drain(..std::mem::take(&mut reading.front));
        while let Some(Chunk { len, data: Some(data), .. }) = reading.chunks.front() {
            reading.window.extend_from_slice(&data.as_slice()[..*len]);
            reading.chunks.pop_front();
        }
        true
    }

    /// Whether the read with this token is out.
    pub fn has_out(&self, token: u64) -> bool {
        self.reading.as_ref().is_some_and(|reading| reading.chunks.iter().any(|chunk| chunk.token == token))
    }

    /// Whether the read with this token is out and ends at or below `floor`.
    pub fn is_reading_below(&self, token: u64, floor: Position) -> bool {
        let Some(reading) = &self.reading else { return false };
        let mut end = reading.at.0 + reading.bytes().len() as u64;
        for chunk in &reading.chunks {
            end += chunk.len as u64;
            if chunk.token == token {
                return end <= floor.0;
            }
        }
        false
    }

    /// The next thing found.
    pub fn step(&mut self) -> Step {
        loop {
            let Some(reading) = self.reading.as_mut() else {
                let Some(stretch) = self.stretches.pop_front() else { return Step::End };
                self.reading = Some(Reading::new(stretch));
                continue;
            };
            let last = std::mem::take(&mut reading.last);
            reading.consume(last);
            let (at, to) = (reading.at, reading.stretch.to);
            if at >= to {
                let bad_from = reading.bad_from;
                self.reading = None;
                if let Some(from) = bad_from {
                    return Step::Bad { from, to };
                }
                continue;
            }
            if reading.bytes().len() < BLOCK_LEN {
                return Step::Wait;
            }
            let Some((envelope, checksum)) = reading.envelope(self.defect) else {
                if !has_defect!(self.defect, RecycledReadAsNew) {
                    reading.bad_from.get_or_insert(at);
                }
                reading.consume(BLOCK_LEN);
                continue;
            };
            if reading.bytes().len() < envelope.len as usize {
                return Step::Wait;
            }
            if let Some(from) = reading.bad_from.take() {
                return Step::Bad { from, to: at };
            }
            reading.last = envelope.len as usize;
            return Step::Write { envelope, checksum, position: at };
        }
    }

    /// The write that the last step found.
    pub fn write(&self) -> &[u8] {
        self.reading.as_ref().map_or(&[], |reading| &reading.bytes()[..reading.last])
    }

    /// The stretch that is being read.
    pub fn segment(&self) -> Option<&Segment> {
        self.reading.as_ref().map(|reading| &reading.stretch.segment)
    }
}

impl Reading {
    fn new(stretch: Stretch) -> Self {
        Reading {
            window: Vec::new(),
            front: 0,
            at: stretch.from,
            last: 0,
            bad_from: None,
            chunks: VecDeque::new(),
            next_chunk: stretch.from,
            stretch,
        }
    }

    /// What was read and is not done with.
    fn bytes(&self) -> &[u8] {
        &self.window[self.front..]
    }

    fn consume(&mut self, len: usize) {
        self.front += len;
        self.at.0 += len as u64;
    }

    /// The envelope at `at`, if it belongs there.
    fn envelope(&self, defect: Defect) -> Option<(Envelope, u32)> {
        let (envelope, checksum) = Envelope::decode(self.bytes())?;
        let (identity, len) = (&self.stretch.segment.identity, u64::from(envelope.len));
        let fits = len.is_multiple_of(BLOCK_LEN as u64) && self.at.0 + len <= self.stretch.to.0 && len > 0;
        let is_ours = envelope.identity == *identity && envelope.position == self.at;
        let is_ours =
            is_ours || has_defect!(defect, RecycledReadAsNew) && envelope.identity.log_id == identity.log_id;
        (fits && is_ours).then_some((envelope, checksum))
    }
}
