//! What is known of a stream's messages without reading them: place, time, subject and lengths of each.
//!
//! A batch of messages on one subject costs about nothing per message; a message alone in its entry about 20 bytes and
//! its share of a subject. Lives on: its shard's core, in memory only; checkpoints hold the rows as they are.

pub mod block;
pub mod checkpoint;
mod kept_names;
mod names;
pub mod row;
pub mod sequences;
pub mod shape;
pub mod subjects;

use crate::ids::{EntryPlace, StreamSeq};
use crate::messages::SubjectId;
use crate::stream::config::Storage;
use crate::stream::place::Place;
use crate::time::WallTime;
use block::{Block, Memo, ROWS_MAX};
use row::{Base, Kind, Message, OpenRow};
use shape::Shape;
use std::cell::RefCell;
use std::collections::BTreeMap;
use subjects::Subjects;

/// The committed messages of one stream.
#[derive(Debug, Default)]
pub struct Index {
    pub subjects: Subjects,
    /// Finished blocks by their first sequence. None is empty.
    blocks: BTreeMap<u64, Block>,
    /// The block that grows; behind all others.
    tail: Option<Box<Tail>>,
    /// Messages that are there.
    count: u64,
    /// Moves when the rows of a block are written anew.
    stamp: u64,
    /// Only once a message was looked up in a finished block.
    memo: RefCell<Option<Box<Memo>>>,
}

#[derive(Clone, Debug)]
struct Tail {
    block: Block,
    open: OpenRow,
}

impl Index {
    /// Messages that are there.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds a message above all others.
    pub fn push(&mut self, seq: u64, time: WallTime, subject: &[u8], shape: Shape, place: Place) {
        self.push_run(seq, 1, time, subject, shape, place);
    }

    /// Adds `count` messages above all others, each behind the one before it: in sequence, time, change and record. They share
    /// subject and shape. Returns the subject's number.
    pub fn push_run(
        &mut self,
        first: u64,
        count: u64,
        time: WallTime,
        subject: &[u8],
        shape: Shape,
        at: Place,
    ) -> SubjectId {
        let subject = self.subjects.enter(subject);
        self.subjects.push_range(subject, first, first + count - 1);
        self.count += count;
        let mut left = count as u32;
        let mut message = Message { seq: StreamSeq(first), time, subject, shape, place: at };
        while left > 0 {
            let taken = self.push_rows(&message, left);
            left -= taken;
            message.seq.0 += u64::from(taken);
            message.time.0 += u64::from(taken);
            message.place.change += taken;
            message.place.offset += taken * shape.record_len();
        }
        subject
    }

    /// Puts the front of a run into the block that grows. Returns how many it took, at least one.
    fn push_rows(&mut self, message: &Message, count: u32) -> u32 {
        let seq = message.seq.0;
        if self.tail.as_ref().is_none_or(|tail| tail.block.is_full(seq)) {
            self.finish_tail();
            let base = Base::of(message);
            self.tail = Some(Box::new(Tail { block: Block::new(base), open: OpenRow::new(base) }));
        }
        let tail = self.tail.as_mut().expect("there is a block that is not full");
        let count = tail.block.span_left(seq).min(u64::from(count)) as u32;
        let mut taken = tail.open.push_run(message, count);
        if taken == 0 {
            tail.block.seal(&mut tail.open);
            taken = tail.open.push_run(message, count);
            assert!(taken > 0, "an empty row takes every message");
        }
        tail.block.extend_by(seq, seq + u64::from(taken) - 1);
        taken
    }

    pub fn contains(&self, seq: u64) -> bool {
        self.block_of(seq).is_some_and(|block| block.contains(seq))
    }

    /// A message, if it is there.
    pub fn get(&self, seq: u64) -> Option<Message> {
        let block = self.block_of(seq).filter(|block| block.contains(seq))?;
        if let Some(open) = self.open_row(seq) {
            return Some(open.message(seq));
        }
        Some(block.message(seq, self.stamp, self.memo.borrow_mut().get_or_insert_default()))
    }

    /// Subject of a message that is there, and the last sequence of the neighbours that are known to share it.
    pub fn same_subject(&self, seq: u64) -> Option<(SubjectId, u64)> {
        let block = self.block_of(seq).filter(|block| block.contains(seq))?;
        if let Some(open) = self.open_row(seq) {
            return Some(open.same_subject(seq));
        }
        let row = block.row(seq, self.stamp, self.memo.borrow_mut().get_or_insert_default());
        Some(match row.one_subject() {
            Some(subject) => (subject, row.last()),
            None => (row.message(&block.rows, seq).subject, seq),
        })
    }

    /// Removes a message and gives back subject and shape. Its subject may go with it: `before` is called while the name is
    /// still there.
    pub fn remove(&mut self, seq: u64, before: impl FnOnce(Kind, &[u8])) -> Option<Kind> {
        let memo = self.memo.get_mut();
        if let Some(tail) = self.tail.as_mut().filter(|tail| seq >= tail.block.base.first) {
            if !tail.block.contains(seq) {
                return None;
            }
            let is_open = !tail.open.is_empty() && seq >= tail.open.first();
            let kind = if is_open {
                tail.open.kind(seq)
            } else {
                tail.block.row(seq, self.stamp, memo.get_or_insert_default()).kind(&tail.block.rows, seq)
            };
            tail.block.remove(seq);
            if tail.block.live == 0 {
                self.tail = None;
            }
            self.forget(kind, seq, before);
            return Some(kind);
        }
        let (&first, block) = self.blocks.range_mut(..=seq).next_back()?;
        if !block.contains(seq) {
            return None;
        }
        let kind = block.row(seq, self.stamp, memo.get_or_insert_default()).kind(&block.rows, seq);
        let is_noted = block.remove(seq);
        let (is_empty, is_wasteful) = (block.live == 0, block.is_wasteful());
        if is_empty {
            self.blocks.remove(&first);
        } else if !is_noted
            || is_wasteful && self.blocks.first_key_value().is_some_and(|(&at, _)| at != first)
        {
            // Not the oldest block: that is on its way out, message by message.
            self.rewrite(first, seq);
        }
        self.forget(kind, seq, before);
        Some(kind)
    }

    /// Takes a message that has left its block from its subject.
    fn forget(&mut self, kind: Kind, seq: u64, before: impl FnOnce(Kind, &[u8])) {
        before(kind, self.subjects.name(kind.subject));
        self.count -= 1;
        let in_subject = self.subjects.remove(kind.subject, seq);
        assert!(in_subject, "rows and subjects hold the same messages");
    }

    /// Removes every message, in little time.
    pub fn clear(&mut self) {
        self.subjects.clear();
        self.blocks.clear();
        self.tail = None;
        self.count = 0;
        self.stamp += 1;
    }

    /// First message at or above `seq`.
    pub fn at_or_above(&self, seq: u64) -> Option<u64> {
        let before = self.blocks.range(..=seq).next_back().and_then(|(_, block)| block.at_or_above(seq));
        before
            .or_else(|| self.blocks.range(seq..).find_map(|(_, block)| block.at_or_above(seq)))
            .or_else(|| self.tail.as_ref().and_then(|tail| tail.block.at_or_above(seq)))
    }

    /// Last message at or below `seq`.
    pub fn at_or_below(&self, seq: u64) -> Option<u64> {
        let tail = self.tail.as_ref().and_then(|tail| tail.block.at_or_below(seq));
        tail.or_else(|| self.blocks.range(..=seq).rev().find_map(|(_, block)| block.at_or_below(seq)))
    }

    /// Messages at or above `seq`.
    pub fn count_from(&self, seq: u64) -> u64 {
        let in_tail = self.tail.as_ref().map_or(0, |tail| tail.block.count(seq, u64::MAX));
        let split = self.blocks.range(..=seq).next_back().map_or(0, |(_, block)| block.count(seq, u64::MAX));
        let later = self.blocks.range(seq.saturating_add(1)..).map(|(_, block)| u64::from(block.live));
        in_tail + split + later.sum::<u64>()
    }

    /// The sequence that has `count` messages at or above it, or the first one if there are fewer. `count` is not 0.
    pub fn nth_last(&self, count: u64) -> Option<u64> {
        let mut left = count;
        let tail = self.tail.as_ref().map(|tail| &tail.block);
        for block in tail.into_iter().chain(self.blocks.values().rev()) {
            if u64::from(block.live) < left {
                left -= u64::from(block.live);
                continue;
            }
            let mut seq = block.last;
            loop {
                seq = block.at_or_below(seq)?;
                left -= 1;
                if left == 0 {
                    return Some(seq);
                }
                seq -= 1;
            }
        }
        self.at_or_above(0)
    }

    /// Calls with every entry that still holds messages, in the order of their sequences, and the bytes of their records.
    /// An entry may come several times.
    pub fn for_each_live(&self, call: &mut dyn FnMut(EntryPlace, u64)) {
        let mut current: Option<(EntryPlace, u64)> = None;
        let tail = self.tail.as_ref().map(|tail| &tail.block);
        let mut add = |entry: EntryPlace, bytes: u64| match &mut current {
            Some((same, sum)) if *same == entry => *sum += bytes,
            _ => {
                if let Some((entry, sum)) = current.replace((entry, bytes)) {
                    call(entry, sum);
                }
            }
        };
        for block in self.blocks.values().chain(tail) {
            for row in block.row_heads() {
                let bytes = row.live_bytes(block);
                if bytes > 0 {
                    add(row.entry(), bytes);
                }
            }
        }
        if let Some(tail) = &self.tail {
            for seq in tail.open.seqs().filter(|&seq| tail.block.contains(seq)) {
                let message = tail.open.message(seq);
                add(message.place.entry, u64::from(message.place.len));
            }
        }
        if let Some((entry, sum)) = current {
            call(entry, sum);
        }
    }

    /// Sum of the accounted bytes of all messages.
    pub fn accounted(&self, storage: Storage) -> u64 {
        let mut sum = 0;
        let tail = self.tail.as_ref();
        for block in self.blocks.values().chain(tail.map(|tail| &tail.block)) {
            sum += block.row_heads().map(|row| row.accounted(block, storage)).sum::<u64>();
        }
        let open = tail.into_iter().flat_map(|tail| {
            tail.open.seqs().filter(|&seq| tail.block.contains(seq)).map(|seq| tail.open.message(seq))
        });
        sum + open.map(|message| message.shape.accounted(storage)).sum::<u64>()
    }

    /// Places of the entries behind this one that hold messages, in the order of their sequences.
    pub fn entries_behind(&self, entry: EntryPlace) -> impl Iterator<Item = EntryPlace> + '_ {
        let (mut low, mut high) = (0, self.at_or_below(u64::MAX).map_or(0, |last| last + 1));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.at_or_above(middle).and_then(|seq| self.row_end(seq)) {
                Some((other, last)) if other.position <= entry.position => low = last + 1,
                _ => high = middle,
            }
        }
        let (mut seq, mut previous) = (low, entry);
        std::iter::from_fn(move || {
            loop {
                let (next, last) = self.row_end(self.at_or_above(seq)?)?;
                seq = last + 1;
                if next != previous {
                    previous = next;
                    return Some(next);
                }
            }
        })
    }

    /// Entry of a message that is there, and the last sequence of its row.
    fn row_end(&self, seq: u64) -> Option<(EntryPlace, u64)> {
        if let Some(open) = self.open_row(seq) {
            return Some((open.entry(), open.seqs().end - 1));
        }
        let block = self.block_of(seq)?;
        let row = block.row(seq, self.stamp, self.memo.borrow_mut().get_or_insert_default());
        Some((row.entry(), row.last()))
    }

    /// Every message, ascending.
    pub fn for_each(&self, call: &mut dyn FnMut(&Message)) {
        let tail = self.tail.as_ref();
        for block in self.blocks.values().chain(tail.map(|tail| &tail.block)) {
            block.messages().for_each(|message| call(&message));
        }
        if let Some(tail) = tail {
            for seq in tail.open.seqs().filter(|&seq| tail.block.contains(seq)) {
                call(&tail.open.message(seq));
            }
        }
    }

    /// Gives the messages from `first` to `last` that are there new places.
    pub fn relocate(&mut self, first: u64, last: u64, place: &mut dyn FnMut(&Message) -> Place) {
        self.finish_tail();
        let from = self.blocks.range(..=first).next_back().map_or(first, |(&at, _)| at);
        let concerned: Vec<u64> = self.blocks.range(from..=last).map(|(&at, _)| at).collect();
        for at in concerned {
            let Some(block) = self.blocks.remove(&at) else { continue };
            let mut messages: Vec<Message> = block.messages().collect();
            for message in &mut messages {
                if (first..=last).contains(&message.seq.0) {
                    message.place = place(message);
                }
            }
            self.put(&messages);
        }
        self.stamp += 1;
    }

    /// Name of a message's subject.
    pub fn name(&self, subject: SubjectId) -> &[u8] {
        self.subjects.name(subject)
    }

    /// Forgets unused memory.
    pub fn shrink(&mut self) {
        self.subjects.shrink();
        *self.memo.get_mut() = None;
    }

    fn block_of(&self, seq: u64) -> Option<&Block> {
        match &self.tail {
            Some(tail) if seq >= tail.block.base.first => Some(&tail.block),
            _ => self.blocks.range(..=seq).next_back().map(|(_, block)| block),
        }
    }

    /// The open row, if the message is in it.
    fn open_row(&self, seq: u64) -> Option<&OpenRow> {
        let tail = self.tail.as_ref()?;
        (!tail.open.is_empty() && seq >= tail.open.first()).then_some(&tail.open)
    }

    /// The tail becomes an ordinary block; the next message starts a new one.
    fn finish_tail(&mut self) {
        if let Some(mut tail) = self.tail.take() {
            tail.block.seal(&mut tail.open);
            tail.block.rows.shrink_to_fit();
            self.blocks.insert(tail.block.base.first, tail.block);
        }
    }

    /// Writes a block anew without what is gone, `seq` included, and joins it with the one before if both are small.
    fn rewrite(&mut self, first: u64, seq: u64) {
        let Some(block) = self.blocks.remove(&first) else { return };
        let mut messages: Vec<Message> = block.messages().filter(|message| message.seq.0 != seq).collect();
        let before = self.blocks.range(..first).next_back().filter(|(_, before)| {
            let is_sparse = matches!(before.presence, block::Presence::Rows);
            is_sparse && before.live + block.live <= ROWS_MAX && block.live < ROWS_MAX / 4
        });
        if let Some((&at, before)) = before {
            messages.splice(0..0, before.messages());
            self.blocks.remove(&at);
        }
        self.put(&messages);
        self.stamp += 1;
    }

    fn put(&mut self, messages: &[Message]) {
        for block in Block::split(messages) {
            self.blocks.insert(block.base.first, block);
        }
    }
}

#[cfg(test)]
#[path = "index_test.rs"]
mod tests;
