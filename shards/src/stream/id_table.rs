//! Where the rows of message ids are: a hash table in which a look-up touches one cache line of cold memory, and which
//! grows in small steps.
//!
//! Extendible hashing (R. Fagin et al., 1979) with lines in place of buckets, as CCEH has it (M. Nam et al., 2019). The first
//! bits of a mark choose a segment, its last bits a line. A segment that is crowded is written anew without what is gone, or
//! split in two; never is more than one segment moved at a time. Rows are not taken out: those that are no longer alive go
//! when their segment is written anew.

use super::msg_ids::MsgId;
use std::collections::BTreeMap;

/// Lines of a segment. A power of two, at most 2^15.
const LINES_MAX: usize = 512;

/// Lines that are looked at from the one where a mark belongs.
const PROBED: usize = 4;

/// Bits of a mark that may choose a segment. Together with those that choose a line they leave some to tell marks apart.
const DEPTH_MAX: u32 = 16;

const LINE_LEN: usize = 7;

/// Odd, without a pattern.
const MIX: u64 = 0xd6e8_feb8_6659_fd93;

/// Slots that share a cache line, used from the first one on. A slot is a mark and a row's number.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Line {
    /// A byte of the mark of each slot, so that one comparison is one with all of them; 0: not used.
    tags: u64,
    slots: [u64; LINE_LEN],
}

/// Rows by their ids. The rows are elsewhere: methods are told `id_of`, which gives the id of a row that is alive.
#[derive(Debug, Default)]
pub struct IdTable {
    /// Number of the segment for the first `depth` bits of a mark; a power of two of them, none in an empty table.
    directory: Vec<u32>,
    segments: Vec<Segment>,
    depth: u32,
    /// Lines from which a segment was last moved, empty, for the next one.
    spare: Box<[Line]>,
    /// Ids whose marks are too common for their segment, as a client can choose ids.
    crowded: BTreeMap<MsgId, u32>,
}

#[derive(Debug)]
struct Segment {
    lines: Box<[Line]>,
    /// Bits of a mark that all of its rows share.
    depth: u32,
}

/// What a slot holds of an id's hash, mixed once more: all of its bits have to be good.
#[inline]
fn mark_of(id: MsgId) -> u32 {
    let (low, high) = id.parts();
    ((low ^ high).wrapping_mul(MIX) >> 32) as u32
}

impl IdTable {
    /// Slots, of which about two thirds are in use as the table grows.
    pub fn capacity(&self) -> usize {
        self.segments.iter().map(|segment| segment.lines.len() * LINE_LEN).sum()
    }

    /// The row of an id.
    pub fn find(&self, id: MsgId, id_of: impl Fn(u32) -> Option<MsgId>) -> Option<u32> {
        let mark = mark_of(id);
        let is_it = |row| id_of(row) == Some(id);
        let lines = &self.segments.get(self.segment_of(mark)?)?.lines;
        for line in probed(mark, lines.len()) {
            if let Some(at) = lines[line].place_of(mark, &is_it) {
                return Some(row_in(lines[line].slots[at]));
            }
            if lines[line].free().is_some() {
                break;
            }
        }
        self.crowded.get(&id).copied().filter(|&row| is_it(row))
    }

    /// Reads a word of the line of each id, which nothing waits for: while one is fetched, so are those behind it.
    pub fn touch(&self, ids: impl Iterator<Item = MsgId>) {
        let mut all = 0;
        for mark in ids.map(mark_of) {
            let segment = self.segment_of(mark).and_then(|number| self.segments.get(number));
            let Some(lines) = segment.map(|segment| &segment.lines) else { return };
            all |= lines.get(mark as usize & (lines.len() - 1)).map_or(0, |line| line.tags);
        }
        std::hint::black_box(all);
    }

    /// Puts in a row, in the place of the one that the id has had.
    pub fn insert(&mut self, id: MsgId, row: u32, id_of: impl Fn(u32) -> Option<MsgId>) {
        let mark = mark_of(id);
        let is_it = |row| id_of(row) == Some(id);
        if self.directory.is_empty() {
            self.segments.push(Segment { lines: empty(1), depth: 0 });
            self.directory.push(0);
        }
        // Each round but the last one doubles a segment's lines, or halves what belongs into it.
        loop {
            let Some(number) = self.segment_of(mark) else { return };
            let lines = &mut self.segments[number].lines;
            for line in probed(mark, lines.len()) {
                let line = &mut lines[line];
                if let Some(at) = line.place_of(mark, &is_it).or_else(|| line.free()) {
                    line.put(at, mark, row);
                    return;
                }
            }
            if !self.make_room(mark, &id_of) {
                self.crowded.insert(id, row);
                return;
            }
        }
    }

    /// Forgets what is not alive among the marks that are too common.
    pub fn tidy(&mut self, id_of: impl Fn(u32) -> Option<MsgId>) {
        self.crowded.retain(|_, row| id_of(*row).is_some());
    }

    #[inline]
    fn segment_of(&self, mark: u32) -> Option<usize> {
        let at = u64::from(mark) >> (32 - self.depth);
        self.directory.get(at as usize).map(|&number| number as usize)
    }

    /// Makes the segment of a mark larger, splits it, or writes it anew without what is gone. False: none of these would help.
    fn make_room(&mut self, mark: u32, id_of: &impl Fn(u32) -> Option<MsgId>) -> bool {
        let Some(number) = self.segment_of(mark) else { return false };
        let segment = &self.segments[number];
        let (len, depth) = (segment.lines.len(), segment.depth);
        let (mut used, mut alive) = (0, 0);
        for &slot in segment.lines.iter().flat_map(|line| line.used()) {
            used += 1;
            alive += usize::from(id_of(row_in(slot)).is_some());
        }
        let is_full = alive * 8 > len * LINE_LEN * 3;
        if is_full && len == LINES_MAX {
            return depth < DEPTH_MAX && self.split(mark, number, id_of);
        }
        // A few lines are crowded and the others are not: only marks that were chosen for it do that.
        if !is_full && used - alive < len * LINE_LEN / 8 {
            return false;
        }
        let lines = self.fresh(if is_full { len * 2 } else { len });
        let old = std::mem::replace(&mut self.segments[number].lines, lines);
        self.move_rows(old, id_of);
        true
    }

    fn split(&mut self, mark: u32, number: usize, id_of: &impl Fn(u32) -> Option<MsgId>) -> bool {
        let depth = self.segments[number].depth + 1;
        if depth > self.depth {
            self.directory = self.directory.iter().flat_map(|&number| [number; 2]).collect();
            self.depth = depth;
        }
        let other = self.segments.len() as u32;
        // The second half of the entries that share the segment.
        let span = 1 << (self.depth - depth);
        let mine = (u64::from(mark) >> (32 - self.depth)) as usize & !(2 * span - 1);
        self.directory[mine + span..mine + 2 * span].fill(other);
        let lines = self.fresh(LINES_MAX);
        let lines = std::mem::replace(&mut self.segments[number].lines, lines);
        self.segments[number].depth = depth;
        self.segments.push(Segment { lines: empty(LINES_MAX), depth });
        self.move_rows(lines, id_of);
        true
    }

    fn fresh(&mut self, lines: usize) -> Box<[Line]> {
        if self.spare.len() == lines { std::mem::take(&mut self.spare) } else { empty(lines) }
    }

    /// Puts rows into segments that have just been made for them.
    fn move_rows(&mut self, mut from: Box<[Line]>, id_of: &impl Fn(u32) -> Option<MsgId>) {
        for &slot in from.iter().flat_map(|line| line.used()) {
            // Whether there is an id, not which: reading all of them would cost a cache miss each.
            if id_of(row_in(slot)).is_none() {
                continue;
            }
            let Some(number) = self.segment_of(mark_in(slot)) else { continue };
            let lines = &mut self.segments[number].lines;
            let mut probed = probed(mark_in(slot), lines.len());
            match probed.find_map(|line| Some((line, lines[line].free()?))) {
                Some((line, at)) => lines[line].put(at, mark_in(slot), row_in(slot)),
                None => _ = id_of(row_in(slot)).map(|id| self.crowded.insert(id, row_in(slot))),
            }
        }
        if from.len() == LINES_MAX {
            from.fill(Line::EMPTY);
            self.spare = from;
        }
    }
}

impl Line {
    const EMPTY: Line = Line { tags: 0, slots: [0; LINE_LEN] };

    #[inline]
    fn place_of(&self, mark: u32, is_it: &impl Fn(u32) -> bool) -> Option<usize> {
        const ONES: u64 = 0x0101_0101_0101_0101;
        let differing = self.tags ^ (ONES * tag_of(mark));
        // The high bit of each byte that is 0, and perhaps of some above it. The last byte is none of a slot.
        let mut same = differing.wrapping_sub(ONES) & !differing & (ONES << 7) & (u64::MAX >> 8);
        while same != 0 {
            let at = same.trailing_zeros() as usize / 8;
            let slot = self.slots[at];
            if mark_in(slot) == mark && is_it(row_in(slot)) {
                return Some(at);
            }
            same &= same - 1;
        }
        None
    }

    #[inline]
    fn free(&self) -> Option<usize> {
        let used = self.len();
        (used < LINE_LEN).then_some(used)
    }

    #[inline]
    fn put(&mut self, at: usize, mark: u32, row: u32) {
        self.tags = self.tags & !(0xff << (at * 8)) | tag_of(mark) << (at * 8);
        self.slots[at] = u64::from(mark) << 32 | u64::from(row);
    }

    fn used(&self) -> &[u64] {
        &self.slots[..self.len()]
    }

    #[inline]
    fn len(&self) -> usize {
        (64 - self.tags.leading_zeros() as usize).div_ceil(8)
    }
}

fn empty(lines: usize) -> Box<[Line]> {
    vec![Line::EMPTY; lines].into_boxed_slice()
}

/// The lines in which a mark may be, in order.
#[inline]
fn probed(mark: u32, lines: usize) -> impl Iterator<Item = usize> {
    let first = mark as usize;
    (first..first + PROBED.min(lines)).map(move |line| line & (lines - 1))
}

#[inline]
fn mark_in(slot: u64) -> u32 {
    (slot >> 32) as u32
}

#[inline]
fn row_in(slot: u64) -> u32 {
    slot as u32
}

/// From bits that choose neither a line nor, in all but the largest tables, a segment.
#[inline]
fn tag_of(mark: u32) -> u64 {
    u64::from(mark >> 9 & 0xff).max(1)
}

const _: () = assert!(LINES_MAX.is_power_of_two() && LINES_MAX <= 1 << 15);
const _: () = assert!(size_of::<Line>() == 64);

#[cfg(test)]
mod tests {
    use super::*;

    fn id(row: u32) -> MsgId {
        MsgId::of(&row.to_le_bytes())
    }

    #[test]
    fn rows_are_found_however_the_table_has_grown() {
        let mut table = IdTable::default();
        let id_of = |row| Some(id(row));
        assert_eq!(table.find(id(1), id_of), None);
        for row in 0..50_000 {
            table.insert(id(row), row, id_of);
            assert_eq!(table.find(id(row / 3), id_of), Some(row / 3));
        }
        assert!((0..50_000).all(|row| table.find(id(row), id_of) == Some(row)));
        assert!(table.crowded.is_empty(), "{}", table.crowded.len());
        assert!(table.capacity() < 150_000, "{}", table.capacity());
        assert_eq!(table.find(id(50_001), id_of), None);
    }

    #[test]
    fn a_table_of_constant_use_stops_to_grow() {
        let mut table = IdTable::default();
        let alive = |last: u32| move |row: u32| (row <= last && last - row < 5_000).then(|| id(row));
        (0..100_000).for_each(|row| table.insert(id(row), row, alive(row)));
        let last = 99_999;
        assert!(table.capacity() < 20_000, "{}", table.capacity());
        assert!((95_000..=last).all(|row| table.find(id(row), alive(last)) == Some(row)));
        assert!((0..95_000).all(|row| table.find(id(row), alive(last)).is_none()));
    }

    #[test]
    fn a_row_takes_the_place_of_the_one_before_it() {
        let mut table = IdTable::default();
        (0..100).for_each(|row| table.insert(id(7), row, |_| Some(id(7))));
        assert_eq!(table.find(id(7), |_| Some(id(7))), Some(99));
        assert_eq!(table.capacity(), LINE_LEN);
    }

    #[test]
    fn ids_that_were_chosen_to_collide_cost_little_memory_and_are_found() {
        let mut table = IdTable::default();
        let id = |row| MsgId::from_parts(u64::from(row), u64::from(row));
        let id_of = |row| Some(id(row));
        (0..3_000).for_each(|row| table.insert(id(row), row, id_of));
        assert!((0..3_000).all(|row| table.find(id(row), id_of) == Some(row)));
        assert!(table.capacity() <= 4096, "{}", table.capacity());
        table.tidy(|row| (row >= 2_990).then(|| id(row)));
        assert_eq!(table.crowded.len(), 10);
    }
}
