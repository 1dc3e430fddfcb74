//! Segments: which files hold what, which are ready for use, and when another must be prepared.

use super::disk_op::SegmentFile;
use super::format::{Identity, Pin, SEGMENT_HEADER_LEN};
use super::options::LogOptions;
use crate::ids::Position;
use crate::limits::SEGMENT_RESERVE;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// A segment that holds something that is or may be needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub file: SegmentFile,
    pub identity: Identity,
    pub start: Position,
    /// Bytes.
    pub len: u64,
    /// Whether the file held another segment before.
    pub reused: bool,
}

impl Segment {
    pub fn end(&self) -> Position {
        Position(self.start.0 + self.len)
    }

    /// As a checkpoint refers to it.
    pub fn pin(&self) -> Pin {
        Pin { serial: self.identity.serial, start: self.start, len: self.len }
    }
}

/// A file that was really written over its whole length and holds nothing needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prepared {
    pub file: SegmentFile,
    /// Bytes.
    pub len: u64,
    /// Whether the file held a segment before.
    pub reused: bool,
}

/// All segment files of a log.
#[derive(Clone, Debug)]
pub(super) struct Segments {
    segment_len: u64,
    first_segment_len: u64,
    used: BTreeMap<Position, Segment>,
    free: Vec<Prepared>,
    /// Sums of the lengths of `used` and `free`. Bytes.
    used_len: u64,
    free_len: u64,
    /// Files that exist and must be prepared before use.
    unprepared: Vec<SegmentFile>,
    next_file: u32,
    /// Set while the last attempt to prepare a segment failed.
    retry_at: Option<Instant>,
}

/// Pause before a failed preparation is tried again. Publishing resumes within a second of room.
const RETRY: Duration = Duration::from_millis(500);

impl Segments {
    pub fn new(options: &LogOptions) -> Self {
        Segments {
            segment_len: options.segment_len,
            first_segment_len: options.first_segment_len,
            used: BTreeMap::new(),
            used_len: 0,
            free_len: 0,
            free: Vec::new(),
            unprepared: Vec::new(),
            next_file: 0,
            retry_at: None,
        }
    }

    /// Takes note of a file that exists, so that its number is not given again.
    pub fn note_file(&mut self, file: SegmentFile) {
        self.next_file = self.next_file.max(file.0 + 1);
    }

    pub fn add_used(&mut self, segment: Segment) {
        self.used_len += segment.len;
        self.used.insert(segment.start, segment);
    }

    pub fn add_free(&mut self, prepared: Prepared) {
        self.free_len += prepared.len;
        self.free.push(prepared);
    }

    pub fn add_unprepared(&mut self, file: SegmentFile) {
        self.unprepared.push(file);
    }

    /// The segment that holds `position`.
    pub fn at(&self, position: Position) -> Option<&Segment> {
        let (_, segment) = self.used.range(..=position).next_back()?;
        (position < segment.end()).then_some(segment)
    }

    pub fn used(&self) -> impl Iterator<Item = &Segment> {
        self.used.values()
    }

    /// Takes a free segment that has room for `len` bytes behind its header: the largest that leaves the reserve whole, which
    /// grows with what the log holds; if none does, the smallest.
    pub fn take(&mut self, len: u64) -> Option<Prepared> {
        let fits = |prepared: &Prepared| prepared.len >= len + SEGMENT_HEADER_LEN as u64;
        let leaves_reserve = |prepared: &Prepared| {
            self.free_len - prepared.len >= self.reserve_of(self.used_len + prepared.len)
        };
        let fitting = || self.free.iter().enumerate().filter(|(_, prepared)| fits(prepared));
        let (at, _) = fitting()
            .filter(|(_, prepared)| leaves_reserve(prepared))
            .max_by_key(|(_, prepared)| prepared.len)
            .or_else(|| fitting().min_by_key(|(_, prepared)| prepared.len))?;
        Some(self.take_at(at))
    }

    /// Takes the smallest free segment that has room for `len` bytes behind its header: for a life's first segment.
    pub fn take_smallest(&mut self, len: u64) -> Option<Prepared> {
        let fits = |prepared: &&Prepared| prepared.len >= len + SEGMENT_HEADER_LEN as u64;
        let file = self.free.iter().filter(fits).min_by_key(|prepared| (prepared.len, prepared.file))?.file;
        let at = self.free.iter().position(|prepared| prepared.file == file)?;
        Some(self.take_at(at))
    }

    fn take_at(&mut self, at: usize) -> Prepared {
        let prepared = self.free.swap_remove(at);
        self.free_len -= prepared.len;
        prepared
    }

    /// Gives up what the segment at `start` holds; its file is free at once.
    pub fn release(&mut self, start: Position) {
        if let Some(segment) = self.used.remove(&start) {
            self.used_len -= segment.len;
            self.add_free(Prepared { file: segment.file, len: segment.len, reused: true });
        }
    }

    /// Bytes that stay free for acks, deletes, purges and checkpoints: `SEGMENT_RESERVE` segments; in a young log, as many
    /// times what it holds.
    pub fn reserve(&self) -> u64 {
        self.reserve_of(self.used_len)
    }

    fn reserve_of(&self, used_len: u64) -> u64 {
        SEGMENT_RESERVE as u64 * self.scale(used_len)
    }

    /// Bytes of free segments.
    pub fn free_len(&self) -> u64 {
        self.free_len
    }

    /// Bytes of segments that hold something.
    pub fn used_len(&self) -> u64 {
        self.used_len
    }

    pub fn counts(&self) -> (usize, usize) {
        (self.used.len(), self.free.len())
    }

    /// Whether the last attempt to prepare a segment failed.
    pub fn is_blocked(&self) -> bool {
        self.retry_at.is_some()
    }

    /// When to try again to prepare a segment.
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// The file to prepare next and its length in bytes, unless enough is free: more than the reserve, and a short segment
    /// with which the next life can begin.
    pub fn next_to_prepare(&mut self, now: Instant) -> Option<(SegmentFile, u64)> {
        let young = self.used_len() < 2 * self.first_segment_len;
        // A log that is past its youth gets whole segments, and the whole reserve with the first of them: both must be ready
        // before that one is taken, or publishes would have to wait.
        let scale = if young { self.scale(self.used_len) } else { self.segment_len };
        let enough = self.free_len() >= (SEGMENT_RESERVE as u64 + AHEAD) * scale;
        let short_ready = self.free.iter().any(|prepared| prepared.len <= self.first_segment_len);
        if enough && short_ready {
            self.retry_at = None;
            return None;
        }
        if self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        let len = if young || enough { self.first_segment_len } else { self.segment_len };
        Some((self.next_file(), len))
    }

    /// A file for a new segment: one that exists without being prepared, or a new number.
    pub fn next_file(&mut self) -> SegmentFile {
        self.unprepared.pop().unwrap_or_else(|| {
            let file = SegmentFile(self.next_file);
            self.next_file += 1;
            file
        })
    }

    /// A file could not be prepared; it is tried again later.
    pub fn preparation_failed(&mut self, file: SegmentFile, now: Instant) {
        self.unprepared.push(file);
        self.retry_at = Some(now + RETRY);
    }

    /// A file was prepared, so there is room.
    pub fn preparation_succeeded(&mut self) {
        self.retry_at = None;
    }

    /// What counts as one segment: the whole length, or what the log holds while that is less; a first segment in its youth.
    fn scale(&self, used_len: u64) -> u64 {
        if used_len <= 2 * self.first_segment_len {
            return self.first_segment_len;
        }
        used_len.min(self.segment_len)
    }
}

/// Segments to keep ready beyond the reserve.
const AHEAD: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> Segments {
        Segments::new(&LogOptions {
            segment_len: 1 << 20,
            first_segment_len: 1 << 16,
            ..LogOptions::new(1, 1)
        })
    }

    fn prepare(segments: &mut Segments) -> u64 {
        let (file, len) = segments.next_to_prepare(Instant(0)).unwrap();
        segments.add_free(Prepared { file, len, reused: false });
        len
    }

    fn use_one(segments: &mut Segments, start: u64) {
        let taken = segments.take(0).unwrap();
        segments.add_used(Segment {
            file: taken.file,
            identity: Identity::default(),
            start: Position(start),
            len: taken.len,
            reused: taken.reused,
        });
    }

    #[test]
    fn a_young_log_prepares_small_segments_and_a_grown_one_whole_ones() {
        let mut segments = segments();
        for _ in 0..6 {
            assert_eq!(prepare(&mut segments), 1 << 16);
        }
        assert_eq!(segments.next_to_prepare(Instant(0)), None);
        use_one(&mut segments, 0);
        assert_eq!(prepare(&mut segments), 1 << 16);
        use_one(&mut segments, 1 << 16);
        assert_eq!(prepare(&mut segments), 1 << 20);
    }

    #[test]
    fn the_first_whole_segment_is_taken_when_the_reserve_for_it_is_ready() {
        let mut segments = segments();
        for _ in 0..6 {
            prepare(&mut segments);
        }
        use_one(&mut segments, 0);
        use_one(&mut segments, 1 << 16);
        for ready in 0..5 {
            assert_eq!(prepare(&mut segments), 1 << 20);
            let mut taken = segments.clone();
            let is_whole = taken.take(0).unwrap().len == 1 << 20;
            assert_eq!(is_whole, ready == 4, "{ready}");
        }
    }

    #[test]
    fn a_position_is_found_in_its_segment_only() {
        let mut segments = segments();
        prepare(&mut segments);
        use_one(&mut segments, 1 << 20);
        assert!(segments.at(Position((1 << 20) - 1)).is_none());
        assert!(segments.at(Position(1 << 20)).is_some());
        assert!(segments.at(Position((1 << 20) + (1 << 16) - 1)).is_some());
        assert!(segments.at(Position((1 << 20) + (1 << 16))).is_none());
    }

    #[test]
    fn a_failed_preparation_is_tried_again_within_a_second() {
        let mut segments = segments();
        let (file, _) = segments.next_to_prepare(Instant(0)).unwrap();
        segments.preparation_failed(file, Instant(0));
        assert!(segments.is_blocked());
        assert_eq!(segments.next_to_prepare(Instant(1)), None);
        let (again, _) = segments.next_to_prepare(Instant(1_000_000_000)).unwrap();
        assert_eq!(again, file);
    }
}
