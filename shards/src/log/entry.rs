//! One entry: a group's batch of changes as bytes. Built once, in the log's buffer or on the heap, and read in place.
//!
//! Layout: a header, a table with one row per change, the changes' bytes (docs/formats.md, "Entry"). The header's
//! checksum covers header and table; each change has a checksum of its own, so that a flipped bit costs one change.

use crate::ids::{EntryIndex, EntryPlace, GroupId, Position, StreamSeq, Term};

/// Length of an entry's header. Bytes.
pub const HEADER_LEN: usize = 72;
/// Length of one row of the table of changes. Bytes.
pub const ROW_LEN: usize = 16;
/// One byte of a change's offset in the first eight bytes of its row, read as a number.
const OFFSET_UNIT: u64 = 1 << 32;
/// Version of the entry's layout.
pub const ENTRY_FORMAT: u16 = 1;

/// Bytes of an entry with this many changes whose bytes sum up to `body_len`.
pub const fn encoded_len(changes: usize, body_len: usize) -> usize {
    HEADER_LEN + changes * ROW_LEN + body_len
}

impl EntryPlace {
    /// Position of the first byte behind the entry.
    pub fn end(self) -> Position {
        Position(self.position.0 + (super::format::FRAME_LEN + self.len as usize) as u64)
    }
}

/// What an entry's header says beyond its lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryStart {
    pub group: GroupId,
    /// For a group of one: the epoch of the shard's log.
    pub term: Term,
    pub index: EntryIndex,
    /// Highest index of the group known to be committed when this entry was built.
    pub commit: EntryIndex,
    /// Position of the group's previous entry in this log; 0: none. Kept in the item's frame, as it differs by replica.
    pub previous: Position,
    /// Sequence of the first message in the entry; 0 if there is none.
    pub first_seq: StreamSeq,
    /// Number of messages in the entry.
    pub messages: u32,
    /// Version of the meaning of the changes.
    pub apply_version: u16,
}

/// Fills an entry in place: `change` once per change, in order.
#[derive(Debug)]
pub struct EntryBuilder<'a> {
    bytes: &'a mut [u8],
    changes: usize,
    added: usize,
    at: usize,
}

impl<'a> EntryBuilder<'a> {
    /// Starts an entry that fills `bytes`, whose length is `encoded_len(changes, …)`.
    pub fn new(bytes: &'a mut [u8], start: &EntryStart, changes: usize) -> Self {
        let body = HEADER_LEN + changes * ROW_LEN;
        assert!(body <= bytes.len(), "an entry holds its header and table");
        let body_len = u32::try_from(bytes.len() - body).expect("an entry is far below 4 GiB");
        let changes_u32 = u32::try_from(changes).expect("an entry is far below 4 GiB");
        let mut header = [0; HEADER_LEN];
        header[4..6].copy_from_slice(&ENTRY_FORMAT.to_le_bytes());
        header[6..8].copy_from_slice(&start.apply_version.to_le_bytes());
        // 8..10 flags, 10..12 codec, 12..16 key id: all 0, neither compressed nor encrypted.
        header[16..24].copy_from_slice(&start.group.0.to_le_bytes());
        header[24..32].copy_from_slice(&start.term.0.to_le_bytes());
        header[32..40].copy_from_slice(&start.index.0.to_le_bytes());
        header[40..48].copy_from_slice(&start.commit.0.to_le_bytes());
        header[48..56].copy_from_slice(&start.first_seq.0.to_le_bytes());
        header[56..60].copy_from_slice(&start.messages.to_le_bytes());
        header[60..64].copy_from_slice(&changes_u32.to_le_bytes());
        header[64..68].copy_from_slice(&body_len.to_le_bytes());
        bytes[..HEADER_LEN].copy_from_slice(&header);
        EntryBuilder { bytes, changes, added: 0, at: body }
    }

    /// Adds a change: `fill` writes all of its `len` bytes, which hold anything before.
    pub fn change(&mut self, kind: u8, len: usize, fill: impl FnOnce(&mut [u8])) {
        assert!(self.added < self.changes, "no more changes than announced");
        let record = &mut self.bytes[self.at..self.at + len];
        fill(record);
        let checksum = crc32c::crc32c(record);
        let row = HEADER_LEN + self.added * ROW_LEN;
        let kind_and_offset = u64::from(kind) + self.at as u64 * OFFSET_UNIT;
        let len_and_checksum = len as u64 | u64::from(checksum) << 32;
        let words = u128::from(kind_and_offset) | u128::from(len_and_checksum) << 64;
        self.bytes[row..row + ROW_LEN].copy_from_slice(&words.to_le_bytes());
        self.added += 1;
        self.at += len;
    }

    /// Seals the entry: every announced change and byte must be there. Returns the header's checksum.
    pub fn finish(self) -> u32 {
        assert_eq!(self.added, self.changes, "every announced change was added");
        assert_eq!(self.at, self.bytes.len(), "the changes fill the entry");
        let checksum = crc32c::crc32c(&self.bytes[4..HEADER_LEN + self.changes * ROW_LEN]);
        self.bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        checksum
    }
}

/// Why bytes are not an entry, or not one that this version can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// Lengths or the checksum of header and table are wrong.
    Damaged,
    /// A later version wrote it, or it is compressed or encrypted.
    Unsupported,
}

/// A change whose bytes fail their checksum: it is never served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DamagedChange;

/// An entry as bytes, with a header and table that passed their checksum.
#[derive(Clone, Copy, Debug)]
pub struct EntryView<'a> {
    bytes: &'a [u8],
    /// Whether the changes' bytes never left memory since they were summed.
    trusted: bool,
}

/// One change of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    pub kind: u8,
    pub bytes: &'a [u8],
}

impl<'a> EntryView<'a> {
    /// Checks header and table of bytes that came from a disk or a peer; each change is checked when asked for.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EntryError> {
        let view = EntryView { bytes, trusted: false };
        if bytes.len() < HEADER_LEN {
            return Err(EntryError::Damaged);
        }
        let body = view
            .len()
            .checked_mul(ROW_LEN)
            .and_then(|table| table.checked_add(HEADER_LEN))
            .filter(|&body| body <= bytes.len())
            .ok_or(EntryError::Damaged)?;
        if crc32c::crc32c(&bytes[4..body]) != view.checksum() {
            return Err(EntryError::Damaged);
        }
        if view.u16_at(4) != ENTRY_FORMAT
            || view.u16_at(8) != 0
            || view.u16_at(10) != 0
            || view.u32_at(12) != 0
        {
            return Err(EntryError::Unsupported);
        }
        let rows_fit = (0..view.len()).all(|i| {
            let (offset, len) = view.row(i);
            offset >= body && offset.checked_add(len).is_some_and(|end| end <= bytes.len())
        });
        if !rows_fit || view.u32_at(64) as usize != bytes.len() - body {
            return Err(EntryError::Damaged);
        }
        Ok(view)
    }

    /// For bytes that an `EntryBuilder` of this process finished and that never left memory.
    pub fn trusted(bytes: &'a [u8]) -> Self {
        assert!(bytes.len() >= HEADER_LEN, "a finished entry has a header");
        EntryView { bytes, trusted: true }
    }

    /// For bytes that `parse` has accepted before.
    pub fn checked_before(bytes: &'a [u8]) -> Self {
        assert!(bytes.len() >= HEADER_LEN, "a checked entry has a header");
        EntryView { bytes, trusted: false }
    }

    /// The whole entry.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.u32_at(60) as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Change number `i`, below `len()`. Fails if its bytes do not have their checksum.
    pub fn change(&self, i: usize) -> Result<Change<'a>, DamagedChange> {
        let (offset, len) = self.row(i);
        let bytes = &self.bytes[offset..offset + len];
        if !self.trusted && crc32c::crc32c(bytes) != self.u32_at(HEADER_LEN + i * ROW_LEN + 12) {
            return Err(DamagedChange);
        }
        Ok(Change { kind: self.kind(i), bytes })
    }

    /// Kind of change number `i`, known even if its bytes are damaged.
    pub fn kind(&self, i: usize) -> u8 {
        self.bytes[HEADER_LEN + i * ROW_LEN]
    }

    /// Offset of change number `i` from the start of the entry, and its length. Bytes.
    pub fn row(&self, i: usize) -> (usize, usize) {
        let row = HEADER_LEN + i * ROW_LEN;
        (self.u32_at(row + 4) as usize, self.u32_at(row + 8) as usize)
    }

    /// Change number `i` and those behind it that have its kind and length and follow one another without a gap: how many, and
    /// their bytes. Fails if some of those bytes do not have their checksum.
    pub fn neighbours(&self, i: usize) -> Result<(usize, &'a [u8]), DamagedChange> {
        let (offset, len) = self.row(i);
        let table = &self.bytes[HEADER_LEN + i * ROW_LEN..HEADER_LEN + self.len() * ROW_LEN];
        let (rows, _) = table.as_chunks::<ROW_LEN>();
        let words = |row: &[u8; ROW_LEN]| {
            let row = u128::from_le_bytes(*row);
            // Kind and offset; length.
            (row as u64, (row >> 64) as u32)
        };
        let first = rows.first().map(words).unwrap_or_default();
        let follows = |(before, row): (u64, &[u8; ROW_LEN])| {
            words(row) == (first.0.wrapping_add(before * len as u64 * OFFSET_UNIT), first.1)
        };
        let count = (0..).zip(rows).take_while(|&row| follows(row)).count();
        if !self.trusted {
            (i..i + count).try_for_each(|i| self.change(i).map(|_| ()))?;
        }
        Ok((count, &self.bytes[offset..offset + count * len]))
    }

    /// All changes in order.
    pub fn changes(self) -> impl Iterator<Item = Result<Change<'a>, DamagedChange>> {
        (0..self.len()).map(move |i| self.change(i))
    }

    /// Whether every change has its checksum.
    pub fn is_whole(&self) -> bool {
        (0..self.len()).all(|i| self.change(i).is_ok())
    }

    /// Checksum of header and table, which covers the changes' checksums too.
    pub fn checksum(&self) -> u32 {
        self.u32_at(0)
    }

    pub fn apply_version(&self) -> u16 {
        self.u16_at(6)
    }

    pub fn group(&self) -> GroupId {
        GroupId(self.u64_at(16))
    }

    pub fn term(&self) -> Term {
        Term(self.u64_at(24))
    }

    pub fn index(&self) -> EntryIndex {
        EntryIndex(self.u64_at(32))
    }

    pub fn commit(&self) -> EntryIndex {
        EntryIndex(self.u64_at(40))
    }

    pub fn first_seq(&self) -> StreamSeq {
        StreamSeq(self.u64_at(48))
    }

    /// Number of messages in the entry.
    pub fn messages(&self) -> u32 {
        self.u32_at(56)
    }

    fn u16_at(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes[at..at + 2].try_into().expect("two bytes"))
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().expect("four bytes"))
    }

    fn u64_at(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().expect("eight bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> EntryStart {
        EntryStart {
            group: GroupId(7),
            term: Term(3),
            index: EntryIndex(11),
            commit: EntryIndex(10),
            previous: Position(8192),
            first_seq: StreamSeq(100),
            messages: 2,
            apply_version: 1,
        }
    }

    fn entry() -> Vec<u8> {
        let mut bytes = vec![0xee; encoded_len(2, 11)];
        let mut builder = EntryBuilder::new(&mut bytes, &start(), 2);
        builder.change(1, 5, |b| b.copy_from_slice(b"hello"));
        builder.change(9, 6, |b| b.copy_from_slice(b"stream"));
        builder.finish();
        bytes
    }

    #[test]
    fn an_entry_reads_back_as_it_was_built() {
        let bytes = entry();
        let view = EntryView::parse(&bytes).unwrap();
        assert_eq!((view.group(), view.term(), view.index()), (GroupId(7), Term(3), EntryIndex(11)));
        assert_eq!((view.commit(), view.first_seq(), view.messages()), (EntryIndex(10), StreamSeq(100), 2));
        let changes: Vec<_> = view.changes().map(Result::unwrap).collect();
        assert_eq!(changes, [Change { kind: 1, bytes: b"hello" }, Change { kind: 9, bytes: b"stream" }]);
    }

    #[test]
    fn neighbours_share_kind_and_length() {
        let mut bytes = vec![0; encoded_len(5, 20)];
        let mut builder = EntryBuilder::new(&mut bytes, &start(), 5);
        for (kind, body) in [(4, "abcd"), (4, "efgh"), (4, "ij"), (4, "klmn"), (7, "opqrst")] {
            builder.change(kind, body.len(), |b| b.copy_from_slice(body.as_bytes()));
        }
        builder.finish();
        let view = EntryView::parse(&bytes).unwrap();
        assert_eq!(view.neighbours(0), Ok((2, &b"abcdefgh"[..])));
        assert_eq!(view.neighbours(1), Ok((1, &b"efgh"[..])));
        assert_eq!(view.neighbours(2), Ok((1, &b"ij"[..])));
        assert_eq!(view.neighbours(3), Ok((1, &b"klmn"[..])));
        let (at, _) = view.row(1);
        bytes[at] ^= 1;
        let view = EntryView::checked_before(&bytes);
        assert_eq!(view.neighbours(0), Err(DamagedChange));
    }

    #[test]
    fn a_flipped_bit_costs_one_change_not_the_entry() {
        let mut bytes = entry();
        let (offset, _) = EntryView::parse(&bytes).unwrap().row(0);
        bytes[offset + 2] ^= 0x10;
        let view = EntryView::parse(&bytes).unwrap();
        assert_eq!(view.change(0), Err(DamagedChange));
        assert_eq!(view.change(1).unwrap().bytes, b"stream");
        assert!(!view.is_whole());
    }

    #[test]
    fn a_flipped_bit_in_header_or_table_is_found() {
        for byte in 0..HEADER_LEN + 2 * ROW_LEN {
            let mut bytes = entry();
            bytes[byte] ^= 1;
            assert!(EntryView::parse(&bytes).is_err(), "byte {byte}");
        }
    }
}
