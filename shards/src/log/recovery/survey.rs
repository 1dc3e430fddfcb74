//! What the headers of all files say together: which segments form the log, and where each of them ends.

use super::scan::Stretch;
use crate::ids::Position;
use crate::log::disk_op::SegmentFile;
use crate::log::format::{CheckpointRef, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::log::segments::{Prepared, Segment};
use crate::log::state::StorageError;
use std::collections::BTreeMap;

/// What the first bytes of one file say.
#[derive(Clone, Debug)]
pub(super) enum FileHeader {
    /// A header, and its checksum.
    Header(Box<SegmentHeader>, u32),
    /// Zeros: the file was being prepared.
    Blank,
    /// Neither; it is left alone.
    Unknown,
}

/// A segment of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub segment: Segment,
    pub header: SegmentHeader,
    pub checksum: u32,
    /// Where the log ends in this segment because a later one goes on; its end for the newest.
    pub limit: Position,
}

/// All files, sorted out.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub log_id: Option<u128>,
    /// Segments of the log in order; the last is the newest.
    pub members: Vec<Member>,
    /// Prepared files that hold nothing.
    pub free: Vec<Prepared>,
    /// Files that must be prepared again.
    pub blank: Vec<SegmentFile>,
    /// Files that are left alone.
    pub foreign: Vec<SegmentFile>,
    /// Larger than everything used before.
    pub next_serial: u64,
    pub next_epoch: u64,
    pub next_start: Position,
}

impl Survey {
    /// Sorts files out by their headers. A file shorter than its header says must be prepared again.
    pub fn new(files: impl IntoIterator<Item = (SegmentFile, u64, FileHeader)>) -> Self {
        let mut survey = Survey { next_serial: 1, next_epoch: 1, ..Survey::default() };
        let mut headers = Vec::new();
        for (file, len, header) in files {
            match header {
                FileHeader::Header(header, checksum) if header.len <= len => {
                    headers.push((file, *header, checksum))
                }
                FileHeader::Header(header, _) if !header.is_free() => survey.foreign.push(file),
                FileHeader::Header(..) | FileHeader::Blank => survey.blank.push(file),
                FileHeader::Unknown => survey.foreign.push(file),
            }
        }
        survey.log_id = log_id_of_most(&headers);
        headers.sort_by_key(|(file, header, _)| (header.envelope.identity.serial, *file));
        for (file, header, checksum) in headers {
            survey.add(file, header, checksum);
        }
        survey.limit_members();
        survey
    }

    fn add(&mut self, file: SegmentFile, header: SegmentHeader, checksum: u32) {
        let identity = header.envelope.identity;
        if Some(identity.log_id) != self.log_id {
            return self.foreign.push(file);
        }
        self.next_epoch = self.next_epoch.max(identity.epoch + 1);
        if header.is_free() {
            return self.free.push(Prepared { file, len: header.len, reused: false });
        }
        self.next_serial = self.next_serial.max(identity.serial + 1);
        self.next_start = self.next_start.max(header.end());
        let segment = Segment { file, identity, start: header.start(), len: header.len, reused: false };
        self.members.push(Member { segment, header, checksum, limit: segment.end() });
    }

    /// Lets each segment end where a later one says that the log before it ends. Those of which nothing is left are free:
    /// a later life copied what it kept of them.
    fn limit_members(&mut self) {
        let mut limit = Position(u64::MAX);
        for member in self.members.iter_mut().rev() {
            member.limit = member.segment.end().min(limit);
            limit = limit.min(member.header.previous_end);
        }
        let void = |member: &Member| member.limit <= member.segment.start;
        for member in self.members.iter().filter(|member| void(member)) {
            let Segment { file, len, .. } = member.segment;
            self.free.push(Prepared { file, len, reused: true });
        }
        self.members.retain(|member| !void(member));
    }

    /// The newest complete checkpoint and the one before it.
    pub fn checkpoints(&self) -> [Option<CheckpointRef>; 2] {
        self.members.last().map_or([None, None], |newest| newest.header.checkpoints)
    }

    /// First position of the log.
    pub fn start(&self) -> Position {
        self.members.first().map_or(Position(0), |member| member.segment.start)
    }

    /// What to scan from `from`, where a write or a segment begins, up to `to`.
    pub fn stretches(&self, from: Position, to: Position) -> Vec<Stretch> {
        let stretch = |member: &Member| {
            let first_write = Position(member.segment.start.0 + SEGMENT_HEADER_LEN as u64);
            Stretch { segment: member.segment, from: first_write.max(from), to: member.limit.min(to) }
        };
        self.members.iter().map(stretch).filter(|stretch| stretch.from < stretch.to).collect()
    }

    /// Parts of the log from `from` on whose segments are missing.
    pub fn gaps(&self, from: Position) -> Vec<StorageError> {
        let mut gaps = Vec::new();
        let mut expected = from;
        for (i, member) in self.members.iter().enumerate() {
            let void_from = self.members[i..].iter().map(|later| later.header.previous_end).min();
            let to = member.segment.start.min(void_from.unwrap_or(member.segment.start));
            if expected < to {
                gaps.push(StorageError { from: expected, to });
            }
            expected = expected.max(member.segment.end());
        }
        gaps
    }

    /// Checksum of the header of the segment that starts at `start`: the chain of its writes goes on from there.
    pub fn header_checksum(&self, segment: &Segment) -> Option<u32> {
        self.members.iter().find(|member| member.segment.start == segment.start).map(|member| member.checksum)
    }
}

/// The log to which most files belong; of several, the one with the newest segment.
fn log_id_of_most(headers: &[(SegmentFile, SegmentHeader, u32)]) -> Option<u128> {
    let mut logs: BTreeMap<u128, (usize, u64)> = BTreeMap::new();
    for (_, header, _) in headers {
        let identity = header.envelope.identity;
        let (files, serial) = logs.entry(identity.log_id).or_default();
        *files += 1;
        *serial = identity.serial.max(*serial);
    }
    logs.into_iter().max_by_key(|&(_, rank)| rank).map(|(log_id, _)| log_id)
}
