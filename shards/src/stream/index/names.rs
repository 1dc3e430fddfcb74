//! Which number the subject of a name has: a hash table that holds only hashes and numbers, the names are elsewhere.
//!
//! Growing reads no name, as each would be a cache miss, and once there are many subjects no more than a part of the table
//! moves at a time: a million look-ups again would be a stall.

use crate::hashing::hash_bytes;
use hashbrown::HashTable;

/// Numbers by the hashes of names.
#[derive(Debug, Default)]
pub struct Names {
    /// Everything, as long as that is little.
    few: HashTable<Entry>,
    /// Afterwards: by some bits of the hash, `PARTS` of them.
    parts: Vec<HashTable<Entry>>,
    len: usize,
}

/// A subject with a name of this hash.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: NameHash,
    id: u32,
}

/// Hash of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameHash(u32);

const PARTS: usize = 64;
const FEW_MAX: usize = 14 << 10;

impl NameHash {
    #[inline]
    pub fn of(name: &[u8]) -> NameHash {
        let hash = hash_bytes(name);
        NameHash((hash ^ hash >> 32) as u32)
    }

    /// As a hash table wants it: it chooses places by the low bits, and tells neighbours apart by the high ones.
    #[inline]
    fn spread(self) -> u64 {
        u64::from(self.0) | u64::from(self.0) << 32
    }

    /// Of a table's parts. Bits in the middle, which neither chooses a place in a part nor tells neighbours apart.
    #[inline]
    fn part(self) -> usize {
        (self.0 >> 19) as usize % PARTS
    }
}

impl Names {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first number with a name of this hash, perhaps, that `is_it` accepts.
    #[inline]
    pub fn find(&self, hash: NameHash, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let table = self.parts.get(hash.part()).unwrap_or(&self.few);
        table.find(hash.spread(), |entry| entry.hash == hash && is_it(entry.id)).map(|entry| entry.id)
    }

    /// Adds a number that is not there.
    pub fn insert(&mut self, hash: NameHash, id: u32) {
        if self.parts.is_empty() && self.len == FEW_MAX {
            self.part();
        }
        let table = self.parts.get_mut(hash.part()).unwrap_or(&mut self.few);
        table.insert_unique(hash.spread(), Entry { hash, id }, |entry| entry.hash.spread());
        self.len += 1;
    }

    pub fn remove(&mut self, hash: NameHash, id: u32) {
        let table = self.parts.get_mut(hash.part()).unwrap_or(&mut self.few);
        if let Ok(entry) = table.find_entry(hash.spread(), |entry| entry.id == id) {
            entry.remove();
            self.len -= 1;
        }
    }

    fn part(&mut self) {
        self.parts.resize_with(PARTS, HashTable::new);
        for entry in std::mem::take(&mut self.few) {
            let part = &mut self.parts[entry.hash.part()];
            part.insert_unique(entry.hash.spread(), entry, |entry| entry.hash.spread());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_name_however_many_there_are() {
        let mut names = Names::default();
        let name = |id: u32| format!("orders.{id}").into_bytes();
        let count = FEW_MAX as u32 * 3;
        for id in 0..count {
            names.insert(NameHash::of(&name(id)), id);
            if id % 3 == 1 {
                names.remove(NameHash::of(&name(id - 1)), id - 1);
            }
        }
        assert_eq!(names.len(), (count - count / 3) as usize);
        for id in 0..count {
            let found = names.find(NameHash::of(&name(id)), |other| other == id);
            assert_eq!(found, (id % 3 != 0).then_some(id));
        }
        let largest = names.parts.iter().map(|part| part.len()).max();
        assert!(largest.is_some_and(|largest| largest < names.len() / PARTS * 5 / 4), "{largest:?}");
    }
}
