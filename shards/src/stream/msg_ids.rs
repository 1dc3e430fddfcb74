//! The message ids of a stream's duplicate window.
//!
//! An id is kept as a 128-bit hash. Ids lie in generations of up to a million; a generation goes as a whole when its
//! last id has left the window, so that nothing is ever taken out of a table and growing moves a bounded number of ids.

use crate::hashing::{FixedState, hash_bytes};
use crate::limits::MSG_IDS_MAX;
use hashbrown::HashTable;
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher};

/// Ids in one generation, at most.
const GENERATION_MAX: usize = 1 << 20;

/// A generation with fewer ids is not closed for its age.
const GENERATION_MIN: usize = 64;

/// A message id. Not the text: two ids are one if all 128 bits agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    generations: VecDeque<Generation>,
    len: usize,
}

#[derive(Debug, Default)]
struct Generation {
    seen: Vec<Seen>,
    by_id: HashTable<u32>,
}

impl MsgId {
    pub fn of(text: &[u8]) -> MsgId {
        let mut high = FixedState.build_hasher();
        high.write_u64(HIGH_SEED);
        high.write(text);
        MsgId { low: hash_bytes(text), high: high.finish() }
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
        self.generations.back().and_then(|newest| newest.seen.last()).map_or(0, |seen| seen.seq)
    }

    /// The message with this id and a timestamp of at least `since`.
    pub fn find(&self, id: MsgId, since: u64) -> Option<Seen> {
        for generation in self.generations.iter().rev() {
            if generation.seen.last().is_some_and(|last| last.time < since) {
                return None;
            }
            let found = generation.by_id.find(id.low, |&at| generation.seen[at as usize].id == id);
            if let Some(&at) = found {
                let seen = generation.seen[at as usize];
                return (seen.time >= since).then_some(seen);
            }
        }
        None
    }

    /// Adds the id of a message that is behind all others. `window`: nanoseconds.
    pub fn insert(&mut self, seen: Seen, window: u64) {
        let close = self.generations.back().is_none_or(|newest| {
            newest.seen.len() >= GENERATION_MAX
                || newest.seen.len() >= GENERATION_MIN
                    && seen.time - newest.seen[0].time.min(seen.time) > window / 4
        });
        if close {
            let capacity = self.generations.back().map_or(4, |newest| newest.seen.len());
            let by_id = HashTable::with_capacity(capacity);
            self.generations.push_back(Generation { seen: Vec::with_capacity(capacity), by_id });
        }
        let Some(Generation { seen: all, by_id }) = self.generations.back_mut() else { return };
        let at = all.len() as u32;
        all.push(seen);
        self.len += 1;
        match by_id.find_mut(seen.id.low, |&at| all[at as usize].id == seen.id) {
            Some(older) => *older = at,
            None => {
                by_id.insert_unique(seen.id.low, at, |&at| all[at as usize].id.low);
            }
        }
    }

    /// Forgets generations whose ids all have timestamps below `since`.
    pub fn expire(&mut self, since: u64) {
        while let Some(oldest) = self.generations.front() {
            if oldest.seen.last().is_some_and(|last| last.time >= since) {
                return;
            }
            self.len -= oldest.seen.len();
            self.generations.pop_front();
        }
    }

    /// Forgets the ids of messages behind `seq`.
    pub fn drop_behind(&mut self, seq: u64) {
        while let Some(Generation { seen: all, by_id }) = self.generations.back_mut() {
            while let Some(last) = all.last().copied().filter(|last| last.seq > seq) {
                let at = all.len() as u32 - 1;
                if let Ok(entry) = by_id.find_entry(last.id.low, |&other| other == at) {
                    entry.remove();
                }
                all.pop();
                self.len -= 1;
            }
            if !all.is_empty() {
                return;
            }
            self.generations.pop_back();
        }
    }

    /// Ids with timestamps of at least `since` and of messages up to `seq`, in the order of their messages.
    pub fn iter(&self, since: u64, seq: u64) -> impl Iterator<Item = Seen> + '_ {
        let all = self.generations.iter().flat_map(|generation| generation.seen.iter().copied());
        all.filter(move |seen| seen.time >= since && seen.seq <= seq)
    }
}

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
        ids.expire(4000);
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
