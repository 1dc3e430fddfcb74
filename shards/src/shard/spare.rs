//! Lists that are used again, so that an entry allocates nothing.

use super::answer::{PubAck, PubAcks};
use super::group::Pending;
use crate::ids::CoreId;
use crate::limits::{SPARE_LIST_LEN_SHORT, SPARE_LISTS_MAX, SPARE_SHORT_LISTS_MAX};

/// Empty lists with memory. Lives on: its shard's core.
#[derive(Debug)]
pub(super) struct Spare<T>(Vec<T>);

/// A list that keeps its memory.
pub(super) trait List: Default {
    /// Memory that it has. Bytes.
    fn memory_len(&self) -> usize;
}

impl<T: List> Spare<T> {
    /// A list with memory, if there is one.
    #[inline]
    pub fn take(&mut self) -> T {
        self.0.pop().unwrap_or_default()
    }

    /// Takes an empty list back. Beyond the bound it is freed. Short ones may be many: one for each stream that is written to
    /// between two syncs.
    pub fn keep(&mut self, list: T) {
        let max = match list.memory_len() {
            0 => return,
            1..=SPARE_LIST_LEN_SHORT => SPARE_SHORT_LISTS_MAX,
            _ => SPARE_LISTS_MAX,
        };
        if self.0.len() < max {
            self.0.push(list);
        }
    }
}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Spare(Vec::new())
    }
}

impl List for PubAcks {
    fn memory_len(&self) -> usize {
        self.bytes.capacity() + self.acks.capacity() * size_of::<PubAck>()
    }
}

/// Of one entry, by core.
impl List for Vec<(CoreId, PubAcks)> {
    fn memory_len(&self) -> usize {
        self.capacity() * size_of::<(CoreId, PubAcks)>()
    }
}

/// What a group has pending, and the bodies of its changes: a quiet group has no memory for them.
impl List for (Vec<Pending>, Vec<u8>) {
    fn memory_len(&self) -> usize {
        self.0.capacity() * size_of::<Pending>() + self.1.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_short_lists_are_kept_and_few_long_ones() {
        let list = |len: usize| (Vec::new(), Vec::with_capacity(len));
        let mut spare: Spare<(Vec<Pending>, Vec<u8>)> = Spare::default();
        (0..2 * SPARE_LISTS_MAX).for_each(|_| spare.keep(list(SPARE_LIST_LEN_SHORT + 1)));
        assert_eq!(spare.0.len(), SPARE_LISTS_MAX);
        (0..2 * SPARE_SHORT_LISTS_MAX).for_each(|_| spare.keep(list(1)));
        assert_eq!(spare.0.len(), SPARE_SHORT_LISTS_MAX);
        spare.keep(list(0));
        assert_eq!(spare.take().memory_len(), 1);
        assert_eq!(spare.0.len(), SPARE_SHORT_LISTS_MAX - 1);
    }
}
