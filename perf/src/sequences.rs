//! Which sequences of a stream have been counted, and of which message each is.
//! May import: nothing.
//! Must not know: where they come from.

/// Dense from 1. Bounded: a sequence further than `AHEAD_MAX` beyond the largest seen so far is taken for wrong.
#[derive(Clone, Debug, Default)]
pub struct Sequences {
    /// One bit for each sequence.
    bits: Vec<u64>,
    /// By sequence, the message's number; kept only where something is compared afterwards.
    numbers: Option<Vec<u64>>,
    count: u64,
    last: u64,
}

/// Sequences that may be counted before those in front of them.
const AHEAD_MAX: u64 = 1 << 24;

impl Sequences {
    pub fn new(with_numbers: bool) -> Sequences {
        Sequences { numbers: with_numbers.then(Vec::new), ..Sequences::default() }
    }

    /// Counts one; false if it is 0, was counted before, or lies absurdly far ahead.
    pub fn add(&mut self, seq: u64, number: u64) -> bool {
        if seq == 0 || seq > self.last + AHEAD_MAX {
            return false;
        }
        let (word, bit) = ((seq / 64) as usize, 1u64 << (seq % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        if self.bits[word] & bit != 0 {
            return false;
        }
        self.bits[word] |= bit;
        if let Some(numbers) = &mut self.numbers {
            if numbers.len() <= seq as usize {
                numbers.resize(seq as usize + 1, 0);
            }
            numbers[seq as usize] = number;
        }
        self.count += 1;
        self.last = self.last.max(seq);
        true
    }

    /// Adds what another thread counted; returns how many sequences both have.
    pub fn merge(&mut self, other: &Sequences) -> u64 {
        let before = self.count;
        let mut twice = 0;
        for seq in other.iter() {
            let number = other.number(seq).unwrap_or(0);
            // Both were bounded when they were counted, whatever lies between them.
            self.last = self.last.max(other.last);
            twice += u64::from(!self.add(seq, number));
        }
        debug_assert_eq!(self.count + twice, before + other.count);
        twice
    }

    pub fn iter(&self) -> impl Iterator<Item = u64> {
        let set = |seq: &u64| self.contains(*seq);
        (1..=self.last).filter(set)
    }

    pub fn contains(&self, seq: u64) -> bool {
        self.bits.get((seq / 64) as usize).is_some_and(|word| word & (1 << (seq % 64)) != 0)
    }

    /// The message that has a sequence; None: not counted, or numbers are not kept.
    pub fn number(&self, seq: u64) -> Option<u64> {
        if !self.contains(seq) {
            return None;
        }
        self.numbers.as_ref()?.get(seq as usize).copied()
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn last(&self) -> u64 {
        self.last
    }

    /// Sequences below the largest one that were never counted.
    pub fn missing(&self) -> u64 {
        self.last - self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sequence_counts_once() {
        let mut sequences = Sequences::default();
        assert!(sequences.add(1, 0) && sequences.add(3, 0) && sequences.add(130, 0));
        assert!(!sequences.add(0, 0) && !sequences.add(3, 0));
        assert_eq!(sequences.missing(), 127);
    }

    #[test]
    fn an_absurd_sequence_is_wrong_and_takes_no_memory() {
        let mut sequences = Sequences::new(true);
        assert!(!sequences.add(u64::MAX / 2, 0));
        assert!(sequences.bits.is_empty());
    }

    #[test]
    fn threads_are_added_up_and_what_two_have_is_noticed() {
        let (mut one, mut other) = (Sequences::new(true), Sequences::new(true));
        assert!(one.add(1, 10) && one.add(2, 20) && other.add(2, 21) && other.add(4, 40));
        assert_eq!(one.merge(&other), 1);
        assert_eq!((one.count(), one.missing(), one.number(4), one.number(3)), (3, 1, Some(40), None));
    }
}
