//! Entries of a stream with memory storage.

use super::place::Place;
use crate::ids::{EntryPlace, Position};
use std::collections::BTreeMap;

/// An entry smaller than this is not compacted.
const COMPACT_MIN: usize = 1 << 10;

/// The entries that hold messages, by number.
#[derive(Debug, Default)]
pub struct MemoryStore {
    entries: BTreeMap<u64, Entry>,
    next: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Entry {
    bytes: Box<[u8]>,
    /// Bytes of records that are still there.
    live: usize,
    /// Sequences of its first and last record.
    seqs: (u64, u64),
}

impl MemoryStore {
    /// Bytes of all entries.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Place of the next entry. Its records are stored before it is kept.
    pub fn next_place(&self, len: usize) -> EntryPlace {
        EntryPlace { position: Position(self.next), len: len as u32 }
    }

    /// Takes the bytes of an entry, unless no record of it is left.
    pub fn keep(&mut self, place: EntryPlace, bytes: Box<[u8]>) {
        self.next = self.next.max(place.position.0 + 1);
        let Some(entry) = self.entries.get_mut(&place.position.0) else { return };
        if entry.live == 0 {
            self.entries.remove(&place.position.0);
        } else {
            self.bytes += bytes.len() as u64;
            entry.bytes = bytes;
        }
    }

    /// Records were stored, back to back in one entry: `count` from the first on, which has this sequence and place.
    pub fn store(&mut self, seq: u64, count: u64, place: Place) {
        let new = || Entry { bytes: Box::default(), live: 0, seqs: (seq, seq) };
        let entry = self.entries.entry(place.entry.position.0).or_insert_with(new);
        entry.seqs.1 = seq + count - 1;
        entry.live += place.len as usize * count as usize;
    }

    /// A record has gone. Gives the first and last sequence of its entry if that should be compacted.
    pub fn remove(&mut self, place: Place, erase: bool) -> Option<(u64, u64)> {
        let number = place.entry.position.0;
        let entry = self.entries.get_mut(&number)?;
        entry.live = entry.live.saturating_sub(place.len as usize);
        let span = place.offset as usize..(place.offset + place.len) as usize;
        if erase && let Some(record) = entry.bytes.get_mut(span) {
            record.fill(0);
        }
        if entry.bytes.is_empty() {
            // Its bytes are still the caller's.
            return None;
        }
        if entry.live == 0 {
            self.bytes -= entry.bytes.len() as u64;
            self.entries.remove(&number);
            return None;
        }
        let wasteful = entry.live * 2 < entry.bytes.len() && entry.bytes.len() >= COMPACT_MIN;
        wasteful.then_some(entry.seqs)
    }

    /// Drops every entry.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    /// Bytes of a record.
    pub fn record(&self, place: Place) -> Option<&[u8]> {
        let entry = self.entries.get(&place.entry.position.0)?;
        entry.bytes.get(place.offset as usize..(place.offset + place.len) as usize)
    }

    /// Starts the replacement of an entry by one with only what is still there.
    pub fn compact(&self, number: u64) -> Compaction {
        let live = self.entries.get(&number).map_or(0, |entry| entry.live);
        Compaction { number, len: live as u32, bytes: Vec::with_capacity(live), records: 0 }
    }

    /// Moves a record.
    pub fn move_record(&self, compaction: &mut Compaction, place: Place) -> Place {
        let Some(record) = self.record(place) else { return place };
        let entry = EntryPlace { position: Position(compaction.number), len: compaction.len };
        let offset = compaction.bytes.len() as u32;
        compaction.bytes.extend_from_slice(record);
        compaction.records += 1;
        Place { entry, change: compaction.records - 1, offset, len: place.len }
    }

    /// Puts the new entry in the place of the old one.
    pub fn finish(&mut self, compaction: Compaction) {
        if let Some(entry) = self.entries.get_mut(&compaction.number) {
            self.bytes -= entry.bytes.len() as u64;
            entry.live = compaction.bytes.len();
            entry.bytes = compaction.bytes.into_boxed_slice();
            self.bytes += entry.bytes.len() as u64;
        }
    }
}

/// An entry on its way to a smaller one with the same number.
#[derive(Debug)]
pub struct Compaction {
    number: u64,
    len: u32,
    bytes: Vec<u8>,
    records: u32,
}
