//! Which sequences of a stream have been acknowledged: one bit each.
//! May import: nothing.
//! Must not know: where they come from.

/// Dense from 1. Bounded: a sequence further than `AHEAD_MAX` beyond the largest seen so far is taken for wrong.
#[derive(Debug, Default)]
pub struct Sequences {
    bits: Vec<u64>,
    count: u64,
    last: u64,
}

/// Sequences that may be acknowledged before those in front of them.
const AHEAD_MAX: u64 = 1 << 24;

impl Sequences {
    /// Counts one; false if it is 0, was counted before, or lies absurdly far ahead.
    pub fn add(&mut self, seq: u64) -> bool {
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
        self.count += 1;
        self.last = self.last.max(seq);
        true
    }

    /// Sequences below the largest one that were never acknowledged.
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
        assert!(sequences.add(1) && sequences.add(3) && sequences.add(130));
        assert!(!sequences.add(0) && !sequences.add(3));
        assert_eq!(sequences.missing(), 127);
    }

    #[test]
    fn an_absurd_sequence_is_wrong_and_takes_no_memory() {
        let mut sequences = Sequences::default();
        assert!(!sequences.add(u64::MAX / 2));
        assert!(sequences.bits.is_empty());
    }
}
