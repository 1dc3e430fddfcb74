//! From segment files to a log that may be appended to: what is kept, what is cut, what is reported as damage.
//! May import: ids, limits, the rest of the log.
//! Must not know: what an entry's changes mean, how a disk is driven.
//!
//! 1. Headers of all files: which segments form the log, and where each ends (`survey`).
//! 2. The newest segment: the largest synced mark is the floor.
//! 3. The newest complete checkpoint, or the one before it if that is damaged (`states`).
//! 4. The tail behind it: below the floor a bad write is damage, reported and never cut; above it everything from the first
//!    bad write on is cut (`replay`). What is kept above the floor is copied into the first segment of the new life.
//! 5. The copies are synced, then the header that makes the new life valid (`new_life`).

mod new_life;
mod replay;
mod scan;
mod states;
mod survey;

use super::buffer::AlignedBuffer;
use super::checkpoint::{Checkpoints, Kept};
use super::disk_op::{DiskData, DiskDone, DiskError, DiskOp, SegmentFile};
use super::format::{
    CheckpointRef, Envelope, FLAG_SEGMENT, HeaderError, Identity, Items, SEGMENT_HEADER_LEN, SegmentHeader,
};
use super::live::{Log, Opened};
use super::next;
use super::options::LogOptions;
use super::segments::{Prepared, Segment, Segments};
use super::state::StorageError;
use crate::ids::{EntryIndex, EntryPlace, GroupId, Position, Term};
use crate::limits::BLOCK_LEN;
use new_life::NewLife;
use replay::Replay;
use scan::{Scan, Step};
use states::States;
use std::collections::{BTreeMap, VecDeque};
use survey::{FileHeader, Survey};

/// The opening of a log. Drive it: `poll_op` to the disk, `handle_disk` back, `poll_item` to the shard until `None`, and so
/// on until `is_done`.
///
/// Lives on: its shard's core.
#[derive(Debug)]
pub struct Recovery {
    options: LogOptions,
    phase: Phase,
    survey: Survey,
    /// Everything below was synced; meaningful from the tail on.
    floor: Position,
    /// Where good writes of the newest segment end, however they came there.
    newest_end: Position,
    /// Complete checkpoints, oldest first.
    kept: Vec<Kept>,
    checkpoints: Checkpoints,
    segments: Segments,
    items: VecDeque<RecoveredItem>,
    report: RecoveryReport,
    ops: VecDeque<DiskOp>,
    next_token: u64,
}

#[derive(Debug)]
enum Phase {
    /// Reads that are out, and what has come.
    Headers {
        out: BTreeMap<u64, (SegmentFile, u64)>,
        found: Vec<(SegmentFile, u64, FileHeader)>,
    },
    Floor(Scan),
    Checkpoint(Scan, States),
    /// Only the end of the older checkpoint is looked for: it names the segments that must stay.
    OlderEnd(Scan, States),
    Preparing {
        token: u64,
        prepared: Prepared,
    },
    Tail(Scan, Replay, Box<NewLife>),
    Beginning(Box<NewLife>),
    Failed(OpenError),
}

/// What recovery hands over, in this order: group states of the checkpoint, then the entries behind it.
#[derive(Debug)]
pub enum RecoveredItem {
    /// A group's state after its entry `covers`.
    Group { group: GroupId, covers: EntryIndex, state: Vec<u8> },
    /// An entry, possibly one that the group's state covers already. Parse `bytes` with `EntryView::parse`, which has
    /// succeeded once; a change may still be damaged (it is in the report then).
    Entry { place: EntryPlace, bytes: Vec<u8> },
}

/// Why a log cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// No segment can be prepared: the disk is full.
    Full,
    /// A write or sync failed, or a read above the synced mark.
    Io,
    /// A later version wrote the log.
    LaterVersion,
}

/// What recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Ranges below the synced mark that cannot be read; nothing of them was cut.
    pub damage: Vec<StorageError>,
    /// Bytes of writes above the synced mark that were cut: torn, or behind a torn one.
    pub bytes_cut: u64,
    /// Entries handed over.
    pub entries: u64,
    /// Bytes of the tail that was read and kept.
    pub tail_len: u64,
    /// Bytes above the synced mark that were written and synced again.
    pub bytes_copied: u64,
    /// Files that belong to another log or have a damaged header; they are left alone.
    pub foreign_files: Vec<SegmentFile>,
}

/// Entries that may wait to be polled before more are read.
const ITEMS_MAX: usize = 1024;

impl Recovery {
    /// Opens the log in these files (number and length in bytes; any order). No files: a new log.
    pub fn open(options: LogOptions, files: Vec<(SegmentFile, u64)>) -> Self {
        let mut segments = Segments::new(&options);
        let (mut out, mut found, mut ops, mut next_token) = (BTreeMap::new(), Vec::new(), VecDeque::new(), 0);
        for (file, len) in files {
            segments.note_file(file);
            if len < SEGMENT_HEADER_LEN as u64 {
                found.push((file, len, FileHeader::Blank));
                continue;
            }
            let token = next(&mut next_token);
            out.insert(token, (file, len));
            ops.push_back(DiskOp::Read { token, file, offset: 0, len: SEGMENT_HEADER_LEN });
        }
        let mut recovery = Recovery {
            options,
            phase: Phase::Headers { out, found },
            survey: Survey::default(),
            floor: Position(0),
            newest_end: Position(0),
            kept: Vec::new(),
            checkpoints: Checkpoints::new(Vec::new(), 0),
            segments,
            items: VecDeque::new(),
            report: RecoveryReport::default(),
            ops,
            next_token,
        };
        recovery.advance();
        recovery
    }

    /// The next operation for the disk.
    pub fn poll_op(&mut self) -> Option<DiskOp> {
        if let Some(op) = self.ops.pop_front() {
            return Some(op);
        }
        match &mut self.phase {
            Phase::Floor(scan) | Phase::Checkpoint(scan, _) | Phase::OlderEnd(scan, _) => {
                scan.poll_op(&mut self.next_token)
            }
            Phase::Tail(scan, _, life) => {
                life.poll_op(&mut self.next_token).or_else(|| scan.poll_op(&mut self.next_token))
            }
            Phase::Beginning(life) => life.poll_op(&mut self.next_token),
            Phase::Headers { .. } | Phase::Preparing { .. } | Phase::Failed(_) => None,
        }
    }

    /// An operation has ended.
    pub fn handle_disk(&mut self, done: DiskDone) {
        let DiskDone { token, result } = done;
        match result {
            Ok(DiskData::Read(data)) => self.handle_read(token, data),
            Ok(DiskData::Nothing) => self.handle_done(token),
            Err(error) => self.handle_error(token, error),
        }
        self.advance();
    }

    /// The next recovered item, if one is ready.
    pub fn poll_item(&mut self) -> Option<RecoveredItem> {
        if self.items.is_empty() {
            self.advance();
        }
        self.items.pop_front()
    }

    /// Whether something below the synced mark could not be read so far.
    pub fn has_damage(&self) -> bool {
        !self.report.damage.is_empty()
    }

    /// The epoch of the life that begins: the term of groups of one. Known as soon as the first item is.
    pub fn epoch(&self) -> Term {
        Term(self.survey.next_epoch)
    }

    /// Whether everything was handed over and the kept tail is synced, or why it never will.
    pub fn is_done(&self) -> Result<bool, OpenError> {
        match &self.phase {
            Phase::Failed(error) => Err(*error),
            Phase::Beginning(life) => Ok(life.is_done() && self.items.is_empty()),
            _ => Ok(false),
        }
    }

    /// The log, ready to be appended to. Only when `is_done` says `Ok(true)`.
    pub fn finish(mut self) -> (Log, RecoveryReport) {
        assert_eq!(self.is_done(), Ok(true), "a log is used only once its recovery is done");
        let Phase::Beginning(life) = self.phase else { unreachable!("checked by is_done") };
        let newest = *life.writer.segment();
        // What lies wholly above the floor was copied or cut.
        let void: Vec<Position> =
            self.segments.used().map(|segment| segment.start).filter(|&start| start >= self.floor).collect();
        for start in void {
            self.segments.release(start);
        }
        self.segments.add_used(newest);
        let log = Log::new(Opened {
            options: self.options,
            segments: self.segments,
            next_serial: newest.identity.serial + 1,
            writer: life.writer,
            tail: life.tail,
            checkpoints: self.checkpoints,
            next_token: self.next_token,
        });
        (log, self.report)
    }

    fn handle_read(&mut self, token: u64, data: AlignedBuffer) {
        match &mut self.phase {
            Phase::Headers { out, found } => {
                let Some((file, len)) = out.remove(&token) else { return };
                match file_header(data.as_slice()) {
                    Ok(header) => found.push((file, len, header)),
                    Err(error) => self.phase = Phase::Failed(error),
                }
            }
            Phase::Floor(scan)
            | Phase::Checkpoint(scan, _)
            | Phase::OlderEnd(scan, _)
            | Phase::Tail(scan, _, _) => {
                scan.handle_read(token, Some(data));
            }
            Phase::Preparing { .. } | Phase::Beginning(_) | Phase::Failed(_) => {}
        }
    }

    fn handle_done(&mut self, token: u64) {
        match &mut self.phase {
            Phase::Preparing { token: out, prepared } if *out == token => {
                let prepared = *prepared;
                self.begin_tail(prepared);
            }
            Phase::Tail(_, _, life) | Phase::Beginning(life) => {
                let then = life.handle_done(token, &mut self.next_token);
                self.ops.extend(then);
            }
            _ => {}
        }
    }

    /// A failed read costs what it would have read; above the floor, and for anything else, the log cannot be opened.
    fn handle_error(&mut self, token: u64, error: DiskError) {
        let failed = match error {
            DiskError::Full => OpenError::Full,
            DiskError::Io => OpenError::Io,
        };
        match &mut self.phase {
            Phase::Checkpoint(scan, _) | Phase::OlderEnd(scan, _) => {
                scan.handle_read(token, None);
            }
            Phase::Tail(scan, _, _) if scan.is_reading_below(token, self.floor) => {
                scan.handle_read(token, None);
            }
            // A read of a phase that has found what it looked for.
            Phase::Tail(scan, _, life) if !scan.has_out(token) && !life.has_out(token) => {}
            Phase::Beginning(life) if !life.has_out(token) => {}
            Phase::Preparing { token: out, .. } if *out != token => {}
            _ => self.phase = Phase::Failed(failed),
        }
    }

    /// Goes on as far as possible without further data.
    fn advance(&mut self) {
        while self.items.len() < ITEMS_MAX && self.advance_once() {}
    }

    /// One step. False: data must arrive first, or nothing is left to do.
    fn advance_once(&mut self) -> bool {
        match &mut self.phase {
            Phase::Headers { out, found } => {
                if !out.is_empty() || !self.ops.is_empty() {
                    return false;
                }
                let found = std::mem::take(found);
                self.begin_floor(found);
                true
            }
            Phase::Floor(scan) => match scan.step() {
                Step::Write { envelope, .. } => {
                    self.floor = self.floor.max(envelope.synced_mark);
                    self.newest_end = Position(envelope.position.0 + u64::from(envelope.len));
                    true
                }
                Step::Bad { .. } => true,
                Step::Wait => false,
                Step::End => {
                    let [newest, _] = self.survey.checkpoints();
                    self.begin_checkpoint(newest);
                    true
                }
            },
            Phase::Checkpoint(scan, states) | Phase::OlderEnd(scan, states) => match scan.step() {
                Step::Write { envelope, .. } => {
                    Items::new(scan.write(), &envelope).flatten().for_each(|item| states.handle_item(&item));
                    if states.end().is_some() || envelope.position > states.at().end_write {
                        self.end_checkpoint();
                    }
                    true
                }
                Step::Bad { .. } => true,
                Step::Wait => false,
                Step::End => {
                    self.end_checkpoint();
                    true
                }
            },
            Phase::Tail(scan, replay, life) => {
                let mut kept = replay::Kept { items: &mut self.items, report: &mut self.report, life };
                match scan.step() {
                    Step::Write { envelope, checksum, position } => {
                        let Some(segment) = scan.segment() else { return false };
                        let header_checksum = self.survey.header_checksum(segment);
                        let step = (envelope, checksum, position);
                        let done =
                            replay.handle_write(step, scan.write(), segment, header_checksum, &mut kept);
                        if done.is_err() {
                            self.phase = Phase::Failed(OpenError::Io);
                        }
                        true
                    }
                    Step::Bad { from, to } => {
                        replay.handle_bad(from, to, kept.report);
                        true
                    }
                    Step::Wait => false,
                    Step::End => {
                        self.begin_life();
                        true
                    }
                }
            }
            Phase::Preparing { .. } | Phase::Beginning(_) | Phase::Failed(_) => false,
        }
    }

    fn begin_floor(&mut self, found: Vec<(SegmentFile, u64, FileHeader)>) {
        self.survey = Survey::new(found);
        self.report.foreign_files = self.survey.foreign.clone();
        let newest = self.survey.members.last();
        self.floor = newest.map_or(Position(0), |newest| newest.header.envelope.synced_mark);
        self.newest_end = newest.map_or(Position(0), |newest| newest.segment.start);
        let start = newest.map_or(Position(0), |newest| newest.segment.start);
        let stretches = self.survey.stretches(start, Position(u64::MAX));
        self.phase = Phase::Floor(Scan::new(stretches, Default::default()));
    }

    /// Reads a checkpoint; without one, everything is tail.
    fn begin_checkpoint(&mut self, at: Option<CheckpointRef>) {
        match at {
            Some(at) => {
                let stretches = self.survey.stretches(at.begin, Position(u64::MAX));
                self.phase = Phase::Checkpoint(Scan::new(stretches, self.options.defect), States::new(at));
            }
            None => self.choose_segment(),
        }
    }

    /// The checkpoint that was read is whole or not: go on with the older one's end, with the older one, or with the tail.
    fn end_checkpoint(&mut self) {
        let [newest, older] = self.survey.checkpoints();
        let older = older.filter(|older| Some(older.number) != newest.map(|newest| newest.number));
        match std::mem::replace(&mut self.phase, Phase::Failed(OpenError::Io)) {
            Phase::Checkpoint(_, states) => {
                let at = states.at();
                let kept = states.end().map(|end| Kept { at, len: end.bytes, pins: end.pins.clone() });
                let is_newest = Some(at.number) == newest.map(|newest| newest.number);
                match states.into_items().zip(kept) {
                    Some((items, kept)) => {
                        self.report_missing_pins(&kept);
                        self.items.extend(items);
                        self.kept.push(kept);
                        match older.filter(|_| is_newest) {
                            Some(older) => self.begin_older_end(older),
                            None => self.choose_segment(),
                        }
                    }
                    None => {
                        self.report.damage.push(StorageError { from: at.begin, to: at.end });
                        self.begin_checkpoint(older.filter(|_| is_newest));
                    }
                }
            }
            Phase::OlderEnd(_, states) => {
                let at = states.at();
                if let Some(end) = states.end() {
                    self.kept.insert(0, Kept { at, len: end.bytes, pins: end.pins.clone() });
                }
                self.choose_segment();
            }
            other => self.phase = other,
        }
    }

    fn begin_older_end(&mut self, older: CheckpointRef) {
        let stretches = self.survey.stretches(older.end_write, Position(u64::MAX));
        self.phase = Phase::OlderEnd(Scan::new(stretches, self.options.defect), States::new(older));
    }

    fn report_missing_pins(&mut self, kept: &Kept) {
        for pin in &kept.pins {
            let here = |member: &survey::Member| member.segment.identity.serial == pin.serial;
            if !self.survey.members.iter().any(here) {
                let to = Position(pin.start.0 + pin.len);
                self.report.damage.push(StorageError { from: pin.start, to });
            }
        }
    }

    /// Sorts out which segments are free, and takes one of them for the new life.
    fn choose_segment(&mut self) {
        self.checkpoints = Checkpoints::new(self.kept.clone(), 0);
        for file in self.survey.blank.drain(..) {
            self.segments.add_unprepared(file);
        }
        for prepared in self.survey.free.drain(..) {
            self.segments.add_free(prepared);
        }
        let newest = self.survey.members.last().map(|member| member.segment.start);
        for member in &self.survey.members {
            let segment = member.segment;
            if self.checkpoints.need(segment.pin()) || Some(segment.start) == newest {
                self.segments.add_used(segment);
            } else {
                self.segments.add_free(Prepared { file: segment.file, len: segment.len, reused: true });
            }
        }
        let copies = self.copies_len();
        match self.segments.take_smallest(copies) {
            Some(prepared) => self.begin_tail(prepared),
            None => {
                let LogOptions { first_segment_len, segment_len, .. } = self.options;
                let small = copies + SEGMENT_HEADER_LEN as u64 <= first_segment_len;
                let len = if small { first_segment_len } else { segment_len };
                let (file, token) = (self.segments.next_file(), next(&mut self.next_token));
                self.phase = Phase::Preparing { token, prepared: Prepared { file, len, reused: false } };
                self.ops.push_back(DiskOp::Prepare { token, file, len });
            }
        }
    }

    /// At most so many bytes of writes are copied into the new life.
    fn copies_len(&self) -> u64 {
        let ends = self.survey.members.iter().rev().enumerate();
        let len: u64 = ends
            .map(|(age, member)| if age == 0 { (member, self.newest_end) } else { (member, member.limit) })
            .map(|(member, end)| end.0.saturating_sub(member.segment.start.max(self.floor).0))
            .sum();
        // Packed anew, the same items may leave other gaps before block borders.
        len + len / 32 + 16 * BLOCK_LEN as u64
    }

    fn begin_tail(&mut self, prepared: Prepared) {
        let Prepared { file, len, reused } = prepared;
        let identity = Identity {
            log_id: self.survey.log_id.unwrap_or(self.options.log_id),
            life: self.options.life,
            serial: self.survey.next_serial,
            epoch: self.survey.next_epoch,
        };
        let start = self.survey.next_start;
        let segment = Segment { file, identity, start, len, reused };
        let header = SegmentHeader {
            envelope: Envelope {
                flags: FLAG_SEGMENT,
                identity,
                position: start,
                synced_mark: self.floor,
                len: SEGMENT_HEADER_LEN as u32,
                used: SEGMENT_HEADER_LEN as u32,
                ..Envelope::default()
            },
            len,
            previous_end: self.floor,
            previous_serial: self.survey.members.last().map_or(0, |newest| newest.segment.identity.serial),
            checkpoints: self.checkpoints.refs(),
        };
        let life = Box::new(NewLife::new(segment, &header, &self.options));
        let from = match self.kept.last() {
            Some(kept) => kept.at.tail_start,
            // A log that lost its checkpoints begins where its first segment does.
            None if self.survey.checkpoints()[0].is_some() => self.survey.start(),
            None => Position(0),
        };
        self.report.damage.extend(self.survey.gaps(from).into_iter().filter(|gap| gap.from < self.floor));
        let scan = Scan::new(self.survey.stretches(from, Position(u64::MAX)), self.options.defect);
        self.phase = Phase::Tail(scan, Replay::new(self.floor, self.options.defect), life);
    }

    /// Everything was read: sync the copies and begin the new life.
    fn begin_life(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Failed(OpenError::Io)) {
            Phase::Tail(_, _, mut life) => {
                life.seal();
                self.report.bytes_copied = life.copied_len;
                if let Ok(len) = usize::try_from(self.report.tail_len) {
                    self.checkpoints.note_entry(len);
                }
                self.phase = Phase::Beginning(life);
            }
            other => self.phase = other,
        }
    }
}

/// Tells what the first bytes of a file are.
fn file_header(bytes: &[u8]) -> Result<FileHeader, OpenError> {
    match SegmentHeader::decode(bytes) {
        Ok((header, checksum)) => Ok(FileHeader::Header(Box::new(header), checksum)),
        Err(HeaderError::LaterVersion) => Err(OpenError::LaterVersion),
        Err(HeaderError::None) if bytes.iter().all(|&byte| byte == 0) => Ok(FileHeader::Blank),
        Err(HeaderError::None) => Ok(FileHeader::Unknown),
    }
}
