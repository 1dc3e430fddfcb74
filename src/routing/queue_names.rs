//! Names of queue groups as small numbers.

use shards::hashing::HashMap;

/// Number of a queue group's name on this core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(u32);

impl QueueId {
    /// Not a queue group: plain subscriptions.
    pub const PLAIN: QueueId = QueueId(0);

    pub fn is_plain(self) -> bool {
        self == QueueId::PLAIN
    }
}

/// Names in use, counted, so that memory follows the subscriptions there are. Lives on: its core.
#[derive(Debug, Default)]
pub struct QueueNames {
    ids: HashMap<Box<[u8]>, u32>,
    /// By number - 1.
    names: Vec<Name>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Name {
    bytes: Box<[u8]>,
    uses: u64,
}

impl QueueNames {
    /// The number of a name, counted as one more use of it. An empty name is `PLAIN`.
    pub fn acquire(&mut self, name: &[u8]) -> QueueId {
        if name.is_empty() {
            return QueueId::PLAIN;
        }
        let id = match self.ids.get(name) {
            Some(&id) => id,
            None => self.add(name),
        };
        self.names[id as usize - 1].uses += 1;
        QueueId(id)
    }

    /// The number of a name if it is in use.
    pub fn find(&self, name: &[u8]) -> Option<QueueId> {
        if name.is_empty() {
            return Some(QueueId::PLAIN);
        }
        self.ids.get(name).copied().map(QueueId)
    }

    /// One use less; the number may be given to another name after the last.
    pub fn release(&mut self, id: QueueId) {
        if id.is_plain() {
            return;
        }
        let name = &mut self.names[id.0 as usize - 1];
        name.uses -= 1;
        if name.uses == 0 {
            let bytes = std::mem::take(&mut name.bytes);
            self.ids.remove(&bytes);
            self.free.push(id.0);
        }
    }

    /// The name; empty for `PLAIN`.
    pub fn name(&self, id: QueueId) -> &[u8] {
        if id.is_plain() { b"" } else { &self.names[id.0 as usize - 1].bytes }
    }

    fn add(&mut self, name: &[u8]) -> u32 {
        let entry = Name { bytes: name.into(), uses: 0 };
        let id = match self.free.pop() {
            Some(id) => {
                self.names[id as usize - 1] = entry;
                id
            }
            None => {
                self.names.push(entry);
                u32::try_from(self.names.len())
                    .expect("fewer queue groups than subscriptions, which have 32-bit slots")
            }
        };
        self.ids.insert(name.into(), id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_until_its_last_use_ends() {
        let mut names = QueueNames::default();
        let workers = names.acquire(b"workers");
        assert_eq!(names.acquire(b"workers"), workers);
        names.release(workers);
        assert_eq!(names.find(b"workers"), Some(workers));
        assert_eq!(names.name(workers), b"workers");
        names.release(workers);
        assert_eq!(names.find(b"workers"), None);
    }

    #[test]
    fn no_name_means_plain() {
        let mut names = QueueNames::default();
        assert!(names.acquire(b"").is_plain());
        assert_eq!(names.name(QueueId::PLAIN), b"");
        names.release(QueueId::PLAIN);
    }

    #[test]
    fn a_free_number_is_used_again() {
        let mut names = QueueNames::default();
        let a = names.acquire(b"a");
        names.release(a);
        assert_eq!(names.acquire(b"b"), a);
        assert_eq!(names.name(a), b"b");
    }
}
