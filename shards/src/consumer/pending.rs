//! Messages that were delivered and wait for an acknowledgement.

use crate::time::{Instant, WallTime};
use std::collections::VecDeque;

/// One message that waits for an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unacked {
    pub stream_seq: u64,
    /// Of the first delivery; later deliveries do not change it. 0 marks an entry that has been removed.
    pub consumer_seq: u64,
    /// When the ack timer was last started. Stored.
    pub started: WallTime,
    /// When the message is overdue. Worked out anew after a restart.
    pub due: Instant,
    /// Whether it is on the redelivery queue. Forgotten at a restart.
    pub queued: bool,
}

/// Unacked messages, ascending by stream sequence. Removal leaves a mark that is swept up later, so acknowledging in any
/// order costs a search and nothing else; a warm queue does not allocate.
#[derive(Debug, Default)]
pub struct AckPending {
    /// First and last are never marked as removed.
    entries: VecDeque<Unacked>,
    live: usize,
}

impl AckPending {
    pub fn len(&self) -> usize {
        self.live
    }

    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    pub fn get(&self, stream_seq: u64) -> Option<&Unacked> {
        self.find(stream_seq).map(|at| &self.entries[at])
    }

    pub fn get_mut(&mut self, stream_seq: u64) -> Option<&mut Unacked> {
        self.find(stream_seq).map(|at| &mut self.entries[at])
    }

    pub fn contains(&self, stream_seq: u64) -> bool {
        self.find(stream_seq).is_some()
    }

    /// The entry with the lowest stream sequence.
    pub fn first(&self) -> Option<&Unacked> {
        self.entries.front()
    }

    /// Adds an entry, or replaces the one of the same sequence. Cheap if the sequence is above all others.
    pub fn insert(&mut self, entry: Unacked) {
        if self.entries.back().is_none_or(|last| last.stream_seq < entry.stream_seq) {
            self.entries.push_back(entry);
            self.live += 1;
            return;
        }
        let at = self.entries.partition_point(|other| other.stream_seq < entry.stream_seq);
        match self.entries.get_mut(at) {
            Some(other) if other.stream_seq == entry.stream_seq => {
                self.live += usize::from(other.consumer_seq == 0);
                *other = entry;
            }
            _ => {
                self.entries.insert(at, entry);
                self.live += 1;
            }
        }
    }

    /// Removes the entry with the lowest stream sequence: in the order of delivery, acknowledging does not even search.
    pub fn pop_first(&mut self) -> Option<Unacked> {
        let entry = self.entries.pop_front()?;
        self.live -= 1;
        self.trim();
        Some(entry)
    }

    pub fn remove(&mut self, stream_seq: u64) -> Option<Unacked> {
        let at = self.find(stream_seq)?;
        let entry = self.entries[at];
        self.entries[at].consumer_seq = 0;
        self.live -= 1;
        self.trim();
        Some(entry)
    }

    /// Removes everything up to and with `stream_seq`; `each` sees what goes.
    pub fn remove_through(&mut self, stream_seq: u64, mut each: impl FnMut(&Unacked)) {
        while let Some(first) = self.entries.front() {
            if first.stream_seq > stream_seq {
                break;
            }
            if first.consumer_seq != 0 {
                self.live -= 1;
                each(first);
            }
            self.entries.pop_front();
        }
        self.trim();
    }

    /// Gives back memory if there is nothing.
    pub fn shrink(&mut self) {
        if self.entries.is_empty() {
            self.entries.shrink_to_fit();
        }
    }

    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Unacked> {
        self.entries.iter().filter(|entry| entry.consumer_seq != 0)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Unacked> {
        self.entries.iter_mut().filter(|entry| entry.consumer_seq != 0)
    }

    fn find(&self, stream_seq: u64) -> Option<usize> {
        let first = self.entries.front()?.stream_seq;
        let guess = usize::try_from(stream_seq.checked_sub(first)?).ok()?;
        let at = match self.entries.get(guess) {
            // Without gaps an entry lies as far from the first as its sequence.
            Some(entry) if entry.stream_seq == stream_seq => guess,
            _ => self.entries.binary_search_by_key(&stream_seq, |entry| entry.stream_seq).ok()?,
        };
        (self.entries[at].consumer_seq != 0).then_some(at)
    }

    fn trim(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.consumer_seq == 0) {
            self.entries.pop_front();
        }
        while self.entries.back().is_some_and(|entry| entry.consumer_seq == 0) {
            self.entries.pop_back();
        }
        if self.entries.is_empty() {
            self.entries.shrink_to(KEPT_WHEN_EMPTY);
        }
        if self.entries.len() > SWEEP_LEN_MIN && self.live < self.entries.len() / 2 {
            self.entries.retain(|entry| entry.consumer_seq != 0);
        }
    }
}

/// Room that an empty queue keeps, for the next batch. Entries.
const KEPT_WHEN_EMPTY: usize = 256;

/// Queues up to this length keep their marks.
const SWEEP_LEN_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(stream_seq: u64) -> Unacked {
        Unacked { stream_seq, consumer_seq: stream_seq, started: WallTime(0), due: Instant(0), queued: false }
    }

    #[test]
    fn any_order_of_removal_leaves_the_rest_in_order() {
        let mut pending = AckPending::default();
        for seq in (10..2010).step_by(2) {
            pending.insert(entry(seq));
        }
        assert!(!pending.contains(11) && pending.contains(12) && !pending.contains(3));
        for seq in (10..2010).step_by(4) {
            assert_eq!(pending.remove(seq).map(|gone| gone.stream_seq), Some(seq));
            assert_eq!(pending.remove(seq), None);
        }
        assert_eq!(pending.len(), 500);
        let left: Vec<u64> = pending.iter().map(|entry| entry.stream_seq).collect();
        assert_eq!(left, (12..2010).step_by(4).collect::<Vec<_>>());
        let mut gone = 0;
        pending.remove_through(1000, |_| gone += 1);
        assert_eq!((gone, pending.first().unwrap().stream_seq), (248, 1004));
    }

    #[test]
    fn a_late_low_sequence_finds_its_place() {
        let mut pending = AckPending::default();
        for seq in [5, 9, 7, 7, 6] {
            pending.insert(entry(seq));
        }
        assert_eq!(pending.iter().map(|entry| entry.stream_seq).collect::<Vec<_>>(), [5, 6, 7, 9]);
        pending.remove(7);
        pending.insert(entry(7));
        assert_eq!(pending.len(), 4);
    }
}
