//! An ascending list of sequences in little memory: those of one subject.
//!
//! Neighbouring sequences are one range; others are varint differences, about a byte each when a stream has few
//! subjects.

use crate::encoding::{Reader, Write};
use std::collections::VecDeque;

/// Most bytes of differences in one chunk: reading inside it starts at its front.
const CHUNK_LEN_MAX: usize = 240;

/// A range shorter than this is turned into differences when the next sequence does not follow.
const RANGE_MIN: u64 = 24;

/// Sequences, strictly ascending.
#[derive(Clone, Debug, Default)]
pub struct Sequences {
    chunks: VecDeque<Chunk>,
    len: u64,
}

#[derive(Clone, Debug)]
struct Chunk {
    first: u64,
    last: u64,
    /// Sequences in it.
    len: u64,
    /// Differences after `first`, from `start` on; empty: every sequence from `first` to `last`.
    steps: Vec<u8>,
    /// Bytes of `steps` that were popped.
    start: usize,
}

impl Sequences {
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a sequence above all others.
    pub fn push(&mut self, seq: u64) {
        self.len += 1;
        if let Some(chunk) = self.chunks.back_mut() {
            debug_assert!(seq > chunk.last);
            if chunk.push(seq) {
                return;
            }
        }
        self.chunks.push_back(Chunk::range(seq, seq));
    }

    /// Adds all sequences from `first` to `last`, above all others.
    pub fn push_range(&mut self, first: u64, last: u64) {
        if last - first < RANGE_MIN {
            (first..=last).for_each(|seq| self.push(seq));
            return;
        }
        self.len += last - first + 1;
        match self.chunks.back_mut() {
            Some(chunk) if chunk.steps.is_empty() && chunk.last + 1 == first => {
                chunk.last = last;
                chunk.len += last - first + 1;
            }
            _ => self.chunks.push_back(Chunk::range(first, last)),
        }
    }

    /// Removes the smallest.
    pub fn pop_front(&mut self) -> Option<u64> {
        let chunk = self.chunks.front_mut()?;
        let seq = chunk.first;
        if chunk.len == 1 {
            self.chunks.pop_front();
        } else {
            chunk.pop_front();
        }
        self.len -= 1;
        Some(seq)
    }

    /// Removes the greatest.
    pub fn pop_back(&mut self) -> Option<u64> {
        let seq = self.chunks.back()?.last;
        self.remove(seq);
        Some(seq)
    }

    /// Removes one; false if it is not there.
    pub fn remove(&mut self, seq: u64) -> bool {
        let at = self.chunks.partition_point(|chunk| chunk.last < seq);
        let Some(chunk) = self.chunks.get_mut(at) else { return false };
        if seq < chunk.first {
            return false;
        }
        if chunk.steps.is_empty() && chunk.len > RANGE_MIN && seq != chunk.first {
            // A long range is split in two.
            let (first, last) = (chunk.first, chunk.last);
            *chunk = Chunk::range(first, seq - 1);
            if seq < last {
                self.chunks.insert(at + 1, Chunk::range(seq + 1, last));
            }
            self.len -= 1;
            return true;
        }
        let mut kept: Option<Chunk> = None;
        let mut found = false;
        for other in chunk.iter() {
            if other == seq {
                found = true;
                continue;
            }
            match &mut kept {
                Some(kept) => kept.append(other),
                None => kept = Some(Chunk::range(other, other)),
            }
        }
        if !found {
            return false;
        }
        self.len -= 1;
        match kept {
            Some(kept) => *chunk = kept,
            None => {
                self.chunks.remove(at);
            }
        }
        true
    }

    /// The smallest at or above `seq`.
    pub fn at_or_above(&self, seq: u64) -> Option<u64> {
        let at = self.chunks.partition_point(|chunk| chunk.last < seq);
        let chunk = self.chunks.get(at)?;
        if chunk.steps.is_empty() || seq <= chunk.first {
            return Some(chunk.first.max(seq));
        }
        chunk.iter().find(|&other| other >= seq)
    }

    /// The greatest at or below `seq`.
    pub fn at_or_below(&self, seq: u64) -> Option<u64> {
        let at = self.chunks.partition_point(|chunk| chunk.first <= seq).checked_sub(1)?;
        let chunk = &self.chunks[at];
        if chunk.steps.is_empty() || seq >= chunk.last {
            return Some(chunk.last.min(seq));
        }
        chunk.iter().take_while(|&other| other <= seq).last()
    }

    /// How many there are at or above `seq`.
    pub fn count_from(&self, seq: u64) -> u64 {
        let at = self.chunks.partition_point(|chunk| chunk.last < seq);
        let Some(chunk) = self.chunks.get(at) else { return 0 };
        let in_chunk = if seq <= chunk.first {
            chunk.len
        } else if chunk.steps.is_empty() {
            chunk.last - seq + 1
        } else {
            chunk.iter().filter(|&other| other >= seq).count() as u64
        };
        in_chunk + self.chunks.iter().skip(at + 1).map(|chunk| chunk.len).sum::<u64>()
    }
}

impl Chunk {
    fn range(first: u64, last: u64) -> Chunk {
        Chunk { first, last, len: last - first + 1, steps: Vec::new(), start: 0 }
    }

    /// Takes the next sequence if it fits here.
    fn push(&mut self, seq: u64) -> bool {
        let follows = self.steps.is_empty() && seq == self.last + 1;
        let crowded =
            if self.steps.is_empty() { self.len >= RANGE_MIN } else { self.steps.len() >= CHUNK_LEN_MAX };
        if !follows && crowded {
            return false;
        }
        self.append(seq);
        true
    }

    fn append(&mut self, seq: u64) {
        if self.steps.is_empty() && seq == self.last + 1 {
            self.last = seq;
            self.len += 1;
            return;
        }
        if self.steps.is_empty() {
            self.steps.resize(self.len as usize - 1, 1);
            self.start = 0;
        }
        self.steps.put_varint(seq - self.last);
        self.last = seq;
        self.len += 1;
    }

    fn pop_front(&mut self) {
        if self.steps.is_empty() {
            self.first += 1;
        } else {
            let mut reader = Reader::new(&self.steps[self.start..]);
            self.first += reader.varint().expect("a step for every sequence after the first");
            self.start = self.steps.len() - reader.remaining();
            if self.start == self.steps.len() {
                self.steps = Vec::new();
                self.start = 0;
            }
        }
        self.len -= 1;
    }

    fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        let mut steps = Reader::new(&self.steps[self.start..]);
        let is_range = self.steps.is_empty();
        let mut next = Some(self.first);
        std::iter::from_fn(move || {
            let seq = next?;
            next = if is_range {
                (seq < self.last).then_some(seq + 1)
            } else {
                steps.varint().ok().map(|step| seq + step)
            };
            Some(seq)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_list_behaves_as_an_ordered_set_does() {
        let mut state = 11u64;
        let mut random = move |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % bound
        };
        for _ in 0..24 {
            let (mut list, mut model) = (Sequences::default(), BTreeSet::new());
            let mut next = 1;
            let widest = [2, 3, 40, 4000][random(4) as usize];
            for _ in 0..600 {
                match random(10) {
                    0..6 => {
                        next += 1 + random(widest);
                        list.push(next);
                        model.insert(next);
                    }
                    6 => {
                        let last = next + 1 + random(90);
                        list.push_range(next + 1, last);
                        model.extend(next + 1..=last);
                        next = last;
                    }
                    7 => assert_eq!(list.pop_front(), model.pop_first()),
                    8 if random(4) == 0 => assert_eq!(list.pop_back(), model.pop_last()),
                    _ => {
                        let seq = random(next + 2);
                        assert_eq!(list.remove(seq), model.remove(&seq));
                    }
                }
                let seq = random(next + 3);
                assert_eq!(list.len(), model.len() as u64);
                assert_eq!(list.at_or_above(seq), model.range(seq..).next().copied());
                assert_eq!(list.at_or_below(seq), model.range(..=seq).next_back().copied());
                assert_eq!(list.count_from(seq), model.range(seq..).count() as u64);
            }
        }
    }

    #[test]
    fn a_million_neighbours_are_one_range() {
        let mut list = Sequences::default();
        (1..=1_000_000).for_each(|seq| list.push(seq));
        assert_eq!((list.chunks.len(), list.chunks[0].steps.len()), (1, 0));
    }
}
