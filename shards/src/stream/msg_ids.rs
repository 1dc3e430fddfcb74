//! The message ids of a stream's duplicate window.
//!
//! An id is kept as a 128-bit hash, in a row behind those of earlier messages; a table finds rows. Rows lie in chunks, and a
//! chunk goes as a whole when its last id has left the window. Sequences and timestamps are kept as runs, so that the ids of
//! a batch cost little more than their hashes.

use super::id_table::IdTable;
use crate::hashing::hash_pair;
use crate::limits::MSG_IDS_MAX;
use std::collections::VecDeque;
use std::rc::Rc;

/// Rows of a chunk, at most. A power of two: a row's number is that of its chunk and the place in it.
const CHUNK_MAX: u32 = 1 << 12;

/// A chunk with fewer ids is not closed for its age.
const CHUNK_MIN: u32 = 64;

/// Chunks that one message lets go, at most. More of them wait for the next message; they count no more in any case.
const EXPIRED_PER_MESSAGE: usize = 4;

/// A table with more slots for each id is written anew, so that a burst does not keep its memory.
const SLOTS_PER_ID_MAX: usize = 64;

/// A message id. Not the text: two ids are one if all 128 bits agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MsgId {
    low: u64,
    high: u64,
}

/// An id in the table, with the message that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: MsgId,
    pub seq: u64,
    /// Timestamp of the message. Nanoseconds.
    pub time: u64,
}

/// Ids in the order of their messages.
#[derive(Debug, Default)]
pub struct MsgIds {
    /// None is empty. A checkpoint that is being written shares them.
    chunks: VecDeque<Rc<Chunk>>,
    /// Number of the first row of the first chunk. Numbers wrap.
    first_row: u32,
    len: usize,
    table: IdTable,
}

/// Ids as they were at one moment, to be written into a checkpoint over many turns.
#[derive(Debug, Default)]
pub struct KeptIds {
    chunks: VecDeque<Rc<Chunk>>,
    /// Row of the first chunk with which to go on.
    at: u32,
    left: usize,
}

#[derive(Clone, Debug, Default)]
struct Chunk {
    ids: Vec<MsgId>,
    runs: Vec<Run>,
}

/// Neighbouring rows of a chunk whose messages have neighbouring sequences and timestamps.
#[derive(Clone, Copy, Debug)]
struct Run {
    first_at: u32,
    seq: u64,
    time: u64,
}

impl MsgId {
    pub fn of(text: &[u8]) -> MsgId {
        let (low, high) = hash_pair(text, HIGH_SEED);
        MsgId { low, high }
    }

    pub fn parts(self) -> (u64, u64) {
        (self.low, self.high)
    }

    pub fn from_parts(low: u64, high: u64) -> MsgId {
        MsgId { low, high }
    }
}

impl MsgIds {
    /// Whether another id must be refused.
    pub fn is_full(&self) -> bool {
        self.len >= MSG_IDS_MAX
    }

    /// Sequence of the last message that has an id here.
    pub fn last_seq(&self) -> u64 {
        self.chunks.back().map_or(0, |newest| newest.last().0)
    }

    /// The message with this id and a timestamp of at least `since`.
    pub fn find(&self, id: MsgId, since: u64) -> Option<Seen> {
        let row = self.table.find(id, |row| id_of(&self.chunks, self.first_row, row))?;
        let seen = chunk_of(&self.chunks, self.first_row, row)?.seen(row % CHUNK_MAX);
        (seen.time >= since).then_some(seen)
    }

    /// Has the memory that `find` and `insert` need for these ids fetched.
    pub fn touch(&self, ids: impl Iterator<Item = MsgId>) {
        self.table.touch(ids);
    }

    /// Adds the id of a message that is behind all others. `window`: nanoseconds.
    pub fn insert(&mut self, seen: Seen, window: u64) {
        let newest = self.chunks.back();
        if newest.is_none_or(|newest| newest.is_closed(seen.time, window)) {
            // The next chunk will be like the one before.
            let (ids, runs) = newest.map_or((4, 1), |newest| (newest.ids.len(), newest.runs.len()));
            let (ids, runs) = (Vec::with_capacity(ids), Vec::with_capacity(runs));
            self.chunks.push_back(Rc::new(Chunk { ids, runs }));
        }
        let first_of_newest = self.row_of_chunk(self.chunks.len() - 1);
        let Some(newest) = self.chunks.back_mut() else { return };
        let row = first_of_newest.wrapping_add(newest.ids.len() as u32);
        Rc::make_mut(newest).push(seen);
        self.len += 1;
        let (chunks, first_row) = (&self.chunks, self.first_row);
        self.table.insert(seen.id, row, |row| id_of(chunks, first_row, row));
    }

    /// Forgets ids with timestamps below `since`, a few chunks for each of so many messages.
    pub fn expire(&mut self, since: u64, messages: usize) {
        if self.chunks.front().is_none_or(|oldest| oldest.last().1 >= since) {
            return;
        }
        let expired = self.chunks.iter().take_while(|chunk| chunk.last().1 < since);
        let count = expired.take(EXPIRED_PER_MESSAGE.saturating_mul(messages)).count();
        for chunk in self.chunks.drain(..count) {
            self.len -= chunk.ids.len();
            self.first_row = self.first_row.wrapping_add(CHUNK_MAX);
        }
        self.shrink_table();
    }

    /// Forgets the ids of messages behind `seq`. Their rows are given again; until then, nothing is found there.
    pub fn drop_behind(&mut self, seq: u64) {
        while let Some(newest) = self.chunks.back_mut().filter(|newest| newest.last().0 > seq) {
            let newest = Rc::make_mut(newest);
            while newest.runs.last().is_some() && newest.last().0 > seq {
                newest.pop();
                self.len -= 1;
            }
            if newest.ids.is_empty() {
                self.chunks.pop_back();
            }
        }
    }

    /// Ids with timestamps of at least `since` and of messages up to `seq`, in the order of their messages.
    pub fn iter(&self, since: u64, seq: u64) -> impl Iterator<Item = Seen> + '_ {
        let all = self.chunks.iter().flat_map(|chunk| chunk.iter_from(0));
        all.filter(move |seen| seen.time >= since && seen.seq <= seq)
    }

    /// What `iter` would give, for later.
    pub fn keep(&self, since: u64, seq: u64) -> KeptIds {
        let old = self.chunks.iter().take_while(|chunk| chunk.last().1 < since).count();
        let new = self.chunks.iter().skip(old).rev().take_while(|chunk| chunk.first().0 > seq).count();
        let chunks: VecDeque<_> = self.chunks.range(old..self.chunks.len() - new).cloned().collect();
        let at = chunks.front().map_or(0, |chunk| chunk.row_from(|run| run.time, since));
        let behind = chunks
            .back()
            .map_or(0, |chunk| chunk.ids.len() as u32 - chunk.row_from(|run| run.seq, seq.saturating_add(1)));
        let rows: usize = chunks.iter().map(|chunk| chunk.ids.len()).sum();
        KeptIds { chunks, at, left: rows.saturating_sub((at + behind) as usize) }
    }

    fn shrink_table(&mut self) {
        let (chunks, first_row) = (&self.chunks, self.first_row);
        let id_of = |row| id_of(chunks, first_row, row);
        self.table.tidy(id_of);
        if self.table.capacity() <= CHUNK_MAX as usize * 2
            || self.table.capacity() <= self.len.saturating_mul(SLOTS_PER_ID_MAX)
        {
            return;
        }
        self.table = IdTable::default();
        for (number, chunk) in self.chunks.iter().enumerate() {
            let first = self.row_of_chunk(number);
            for (at, id) in chunk.ids.iter().enumerate() {
                self.table.insert(*id, first.wrapping_add(at as u32), id_of);
            }
        }
    }

    fn row_of_chunk(&self, number: usize) -> u32 {
        self.first_row.wrapping_add(number as u32 * CHUNK_MAX)
    }
}

impl KeptIds {
    /// Length of an id in a checkpoint. Bytes.
    pub const ID_LEN: usize = 32;

    /// Ids not written yet.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Appends up to `max` of them. The layout is in docs/formats.md, section "Stream checkpoint".
    pub fn write(&mut self, max: usize, out: &mut Vec<u8>) {
        let mut count = max.min(self.left);
        self.left -= count;
        out.reserve(count * Self::ID_LEN);
        while count > 0
            && let Some(chunk) = self.chunks.front()
        {
            let all = chunk.iter_from(self.at).take(count);
            let mut written = 0;
            for Seen { id, seq, time } in all {
                for number in [id.low, id.high, seq, time] {
                    out.extend_from_slice(&number.to_le_bytes());
                }
                written += 1;
            }
            count -= written as usize;
            self.at += written;
            if self.at as usize >= chunk.ids.len() {
                self.chunks.pop_front();
                self.at = 0;
            }
        }
    }
}

impl Chunk {
    fn is_closed(&self, time: u64, window: u64) -> bool {
        let len = self.ids.len() as u32;
        let age = time - self.runs.first().map_or(time, |run| run.time.min(time));
        len >= CHUNK_MAX || len >= CHUNK_MIN && age > window / 4
    }

    fn push(&mut self, seen: Seen) {
        let at = self.ids.len() as u32;
        let follows = self.runs.last().is_some_and(|run| {
            let distance = u64::from(at - run.first_at);
            seen.seq == run.seq + distance && seen.time == run.time + distance
        });
        if !follows {
            self.runs.push(Run { first_at: at, seq: seen.seq, time: seen.time });
        }
        self.ids.push(seen.id);
    }

    fn pop(&mut self) {
        self.ids.pop();
        self.runs.pop_if(|run| run.first_at as usize == self.ids.len());
    }

    /// Sequence and timestamp of the last message; there is one.
    fn last(&self) -> (u64, u64) {
        let Some(run) = self.runs.last() else { return (0, 0) };
        let distance = self.ids.len() as u64 - 1 - u64::from(run.first_at);
        (run.seq + distance, run.time + distance)
    }

    /// Sequence and timestamp of the first message.
    fn first(&self) -> (u64, u64) {
        self.runs.first().map_or((0, 0), |run| (run.seq, run.time))
    }

    /// The first row whose sequence or timestamp, whichever `value` is, is at least `least`.
    fn row_from(&self, value: impl Fn(&Run) -> u64, least: u64) -> u32 {
        let behind = self.runs.partition_point(|run| value(run) < least);
        let end = self.runs.get(behind).map_or(self.ids.len() as u32, |run| run.first_at);
        let Some(run) = behind.checked_sub(1).map(|at| &self.runs[at]) else { return end };
        (least - value(run)).min(u64::from(end - run.first_at)) as u32 + run.first_at
    }

    /// An id that is there, with its message.
    fn seen(&self, at: u32) -> Seen {
        let run = self.runs.partition_point(|run| run.first_at <= at) - 1;
        self.runs[run].seen(at, self.ids[at as usize])
    }

    fn iter_from(&self, from: u32) -> impl Iterator<Item = Seen> + '_ {
        let skipped = self.runs.partition_point(|run| run.first_at <= from).saturating_sub(1);
        let runs = &self.runs[skipped..];
        let ends = runs.iter().skip(1).map(|run| run.first_at).chain([self.ids.len() as u32]);
        runs.iter().zip(ends).flat_map(move |(run, end)| {
            let first = run.first_at.max(from);
            let ids = &self.ids[first.min(end) as usize..end as usize];
            (first..).zip(ids).map(|(at, id)| run.seen(at, *id))
        })
    }
}

impl Run {
    fn seen(&self, at: u32, id: MsgId) -> Seen {
        let distance = u64::from(at - self.first_at);
        Seen { id, seq: self.seq + distance, time: self.time + distance }
    }
}

/// The chunk of a row whose number was given and not given back.
#[inline]
fn chunk_of(chunks: &VecDeque<Rc<Chunk>>, first_row: u32, row: u32) -> Option<&Chunk> {
    chunks.get((row.wrapping_sub(first_row) / CHUNK_MAX) as usize).map(|chunk| &**chunk)
}

/// The id of a row that is there.
#[inline]
fn id_of(chunks: &VecDeque<Rc<Chunk>>, first_row: u32, row: u32) -> Option<MsgId> {
    chunk_of(chunks, first_row, row)?.ids.get((row % CHUNK_MAX) as usize).copied()
}

/// Every row has a number of its own, although chunks that were closed early leave some out.
const _: () = assert!(MSG_IDS_MAX / CHUNK_MIN as usize * (CHUNK_MAX as usize) < 1 << 32);

/// Written first into the second half of a hash.
const HIGH_SEED: u64 = 0x1319_8a2e_0370_7344;

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(n: u64, time: u64) -> Seen {
        Seen { id: MsgId::of(n.to_string().as_bytes()), seq: time, time }
    }

    #[test]
    fn an_id_is_known_until_it_leaves_the_window() {
        let mut ids = MsgIds::default();
        (1..=5000).for_each(|n| ids.insert(seen(n, n), 1000));
        let find = |ids: &MsgIds, n: u64, since| ids.find(seen(n, 0).id, since).map(|seen| seen.seq);
        assert_eq!(find(&ids, 4500, 4000), Some(4500));
        assert_eq!(find(&ids, 3500, 4000), None);
        assert_eq!(find(&ids, 6000, 0), None);
        (0..10).for_each(|_| ids.expire(4000, 1));
        assert!(ids.len < 1500 && find(&ids, 4000, 4000) == Some(4000));
    }

    #[test]
    fn the_last_message_of_an_id_counts() {
        let mut ids = MsgIds::default();
        ids.insert(seen(1, 10), 1000);
        ids.insert(seen(1, 20), 1000);
        assert_eq!(ids.find(seen(1, 0).id, 0).map(|seen| seen.seq), Some(20));
    }

    #[test]
    fn kept_ids_are_written_piece_by_piece_as_they_were() {
        let mut ids = MsgIds::default();
        // Runs of five, so that neither a run nor a chunk ends where the window or the sequences do.
        let nth = |n: u64| Seen { id: seen(n, 0).id, seq: n, time: 1000 + n + n / 5 * 100 };
        (1..=9000).for_each(|n| ids.insert(nth(n), 1 << 40));
        for (since, seq) in
            [(0, 9000), (nth(17).time, 8999), (nth(4100).time - 1, 4103), (0, 0), (nth(50).time, 3)]
        {
            let mut kept = ids.keep(since, seq);
            let expected: Vec<Seen> = ids.iter(since, seq).collect();
            assert_eq!(kept.left(), expected.len(), "{since} {seq}");
            let mut bytes = Vec::new();
            let mut later = Vec::new();
            while kept.left() > 0 {
                kept.write(37, &mut bytes);
                // What comes and goes meanwhile does not matter.
                let n = 9001 + later.len() as u64;
                ids.insert(nth(n), 1 << 40);
                later.push(n);
            }
            ids.drop_behind(9000);
            let numbers = |seen: &Seen| [seen.id.low, seen.id.high, seen.seq, seen.time];
            let all = expected.iter().flat_map(numbers).flat_map(u64::to_le_bytes);
            assert_eq!(bytes, all.collect::<Vec<u8>>(), "{since} {seq}");
        }
    }

    #[test]
    fn dropped_ids_are_new_again() {
        let mut ids = MsgIds::default();
        (1..=300).for_each(|n| ids.insert(seen(n, n), 100));
        ids.drop_behind(120);
        assert_eq!((ids.last_seq(), ids.len), (120, 120));
        assert_eq!(ids.find(seen(121, 0).id, 0), None);
        assert_eq!(ids.find(seen(120, 0).id, 0).map(|seen| seen.seq), Some(120));
        ids.insert(seen(121, 121), 100);
        assert_eq!(ids.iter(0, 121).count(), 121);
    }
}
