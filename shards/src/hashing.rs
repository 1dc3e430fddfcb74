//! A fast hasher with a fixed seed, and the map and set types that use it.
//! May import: nothing.
//! Must not know: what is hashed.
//!
//! The same keys give the same hashes in every run, so that a simulated run can be repeated. Still, never iterate one
//! of these maps to produce output: the order depends on capacity. Not for keys that a stranger may choose freely in
//! large numbers without a bound on the table.

use std::hash::{BuildHasher, Hasher};

pub type HashMap<K, V> = std::collections::HashMap<K, V, FixedState>;
pub type HashSet<K> = std::collections::HashSet<K, FixedState>;

/// Builds `FixedHasher`s; has no state of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedState;

impl BuildHasher for FixedState {
    type Hasher = FixedHasher;

    fn build_hasher(&self) -> FixedHasher {
        FixedHasher { state: SEED }
    }
}

/// Multiplies and folds eight bytes at a time: the 128-bit product of state and input, halves xored.
#[derive(Clone, Copy, Debug)]
pub struct FixedHasher {
    state: u64,
}

impl FixedHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(MULTIPLIER);
        self.state = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for FixedHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, last) = words_of(bytes);
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        self.mix(last);
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    #[inline]
    fn write_u16(&mut self, value: u16) {
        self.mix(u64::from(value));
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }
}

/// Hash of a byte string, for tables that keep keys elsewhere.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = FixedState.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// Two hashes of a byte string in one pass: that of `hash_bytes`, and that of `seed` and the string.
#[inline]
pub fn hash_pair(bytes: &[u8], seed: u64) -> (u64, u64) {
    let mut low = FixedState.build_hasher();
    let mut high = FixedState.build_hasher();
    high.mix(seed);
    let (words, last) = words_of(bytes);
    for word in words {
        low.mix(u64::from_le_bytes(*word));
        high.mix(u64::from_le_bytes(*word));
    }
    low.mix(last);
    high.mix(last);
    (low.state, high.state)
}

/// Whole words, and one of what is left with the length, which keeps "a" and "a\0" apart.
#[inline]
fn words_of(bytes: &[u8]) -> (&[[u8; 8]], u64) {
    let (words, rest) = bytes.as_chunks::<8>();
    let last = match bytes.last_chunk::<8>() {
        // The last eight bytes without those that a word before has.
        Some(word) if !rest.is_empty() => u64::from_le_bytes(*word) >> (8 * (8 - rest.len())),
        Some(_) => 0,
        None => rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    (words, last ^ (bytes.len() as u64).rotate_left(56))
}

const SEED: u64 = 0x243f_6a88_85a3_08d3;
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_has_the_same_hash_in_every_process() {
        assert_eq!(hash_bytes(b"orders.eu"), 0x2dc1_9355_2da2_4d4e);
    }

    #[test]
    fn two_hashes_in_one_pass_are_those_of_two_passes() {
        let text: Vec<u8> = (1..=40).collect();
        for len in 0..text.len() {
            let bytes = &text[..len];
            let mut high = FixedState.build_hasher();
            high.write_u64(7);
            high.write(bytes);
            assert_eq!(hash_pair(bytes, 7), (hash_bytes(bytes), high.finish()), "{len}");
            let mut padded = bytes.to_vec();
            padded.resize(len.next_multiple_of(8), 0);
            let mut words = FixedState.build_hasher();
            let whole = len / 8 * 8;
            padded[..whole]
                .as_chunks::<8>()
                .0
                .iter()
                .for_each(|word| words.write_u64(u64::from_le_bytes(*word)));
            let last = padded[whole..].first_chunk::<8>().map_or(0, |word| u64::from_le_bytes(*word));
            words.write_u64(last ^ (len as u64) << 56);
            assert_eq!(hash_bytes(bytes), words.finish(), "{len}");
        }
    }

    #[test]
    fn numbered_keys_spread_over_the_low_and_the_high_bits() {
        let mut low = std::collections::BTreeSet::new();
        let mut high = std::collections::BTreeSet::new();
        for n in 0..4096u32 {
            let hash = hash_bytes(format!("subject.{n}").as_bytes());
            low.insert(hash & 0xfff);
            high.insert(hash >> 52);
        }
        assert!(low.len() > 2300 && high.len() > 2300, "{} {}", low.len(), high.len());
    }

    #[test]
    fn a_trailing_nul_changes_the_hash() {
        assert_ne!(hash_bytes(b"a"), hash_bytes(b"a\0"));
        assert_ne!(hash_bytes(b""), hash_bytes(b"\0"));
    }
}
