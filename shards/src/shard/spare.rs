//! Lists that are used again, so that an entry allocates nothing.

use super::answer::{PubAck, PubAcks};
use super::group::Pending;
use crate::ids::CoreId;
use crate::limits::SPARE_LISTS_LEN_MAX;

/// Empty lists with memory. Lives on: its shard's core.
#[derive(Debug)]
pub(super) struct Spare<T> {
    lists: Vec<T>,
    /// Memory that they have. Bytes.
    len: usize,
}

/// A list that keeps its memory.
pub(super) trait List: Default {
    /// Memory that it has. Bytes.
    fn memory_len(&self) -> usize;
}

impl<T: List> Spare<T> {
    /// A list with memory, if there is one.
    #[inline]
    pub fn take(&mut self) -> T {
        let list = self.lists.pop().unwrap_or_default();
        self.len -= list.memory_len();
        list
    }

    /// Takes an empty list back. Beyond the bound it is freed. There may be many short ones: one for each stream that is written to
    /// between two syncs; or a few long ones.
    pub fn keep(&mut self, list: T) {
        let len = list.memory_len();
        if len > 0 && self.len + len <= SPARE_LISTS_LEN_MAX {
            self.len += len;
            self.lists.push(list);
        }
    }
}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Spare { lists: Vec::new(), len: 0 }
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
    fn many_short_lists_are_kept_or_few_long_ones() {
        let list = |len: usize| (Vec::new(), Vec::with_capacity(len));
        let mut spare: Spare<(Vec<Pending>, Vec<u8>)> = Spare::default();
        (0..8).for_each(|_| spare.keep(list(SPARE_LISTS_LEN_MAX / 4)));
        assert_eq!(spare.lists.len(), 4);
        (0..3).for_each(|_| assert_eq!(spare.take().memory_len(), SPARE_LISTS_LEN_MAX / 4));
        (0..10_000).for_each(|_| spare.keep(list(SPARE_LISTS_LEN_MAX / 8192)));
        assert_eq!(spare.lists.len(), 1 + 8192 * 3 / 4);
        spare.keep(list(0));
        assert_eq!(spare.take().memory_len(), SPARE_LISTS_LEN_MAX / 8192);
        while spare.take().memory_len() > 0 {}
        assert_eq!((spare.lists.len(), spare.len), (0, 0));
    }
}
