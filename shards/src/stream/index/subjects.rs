//! The subjects of a stream: name, number and the sequences of each.

use super::kept_names::KeptNames;
use super::names::{NameHash, Names};
use super::sequences::Sequences;
use crate::messages::SubjectId;

/// The subjects that have messages.
#[derive(Debug, Default)]
pub struct Subjects {
    slots: Vec<Subject>,
    by_name: Names,
    /// Numbers that may be given out.
    free: Vec<u32>,
    /// Numbers whose subject has gone since `epoch` last moved. They wait, so that consumers may cache by number.
    retired: Vec<u32>,
    epoch: u64,
    /// Number that was looked up last.
    recent: u32,
    /// What the next checkpoint will hold of the names.
    pub(super) kept: KeptNames,
}

/// One subject. 40 bytes and its name; only a subject with more than two messages has more.
#[derive(Debug, Default)]
struct Subject {
    /// Empty: a number without a subject.
    name: Box<[u8]>,
    first: u64,
    last: u64,
    /// Sequences between `first` and `last`.
    middle: Option<Box<Sequences>>,
}

/// Most names that are looked at ahead together: more than the core fetches at once, and few enough to stay in its cache.
pub const LOOK_AHEAD: usize = 16;

/// Fewer subjects are in the caches anyway.
const LOOK_AHEAD_MIN: usize = 8192;

/// Numbers retired before they are given out again, at least.
const RETIRED_MIN: usize = 64;

impl Subjects {
    /// Subjects that have messages.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Moves when retired numbers may be given out again.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Every number is below this.
    pub fn bound(&self) -> u32 {
        self.slots.len() as u32
    }

    pub fn find(&self, name: &[u8]) -> Option<SubjectId> {
        let recent = self.slots.get(self.recent as usize);
        if recent.is_some_and(|recent| *recent.name == *name && !name.is_empty()) {
            return Some(SubjectId(self.recent));
        }
        let found = self.by_name.find(NameHash::of(name), |id| *self.slots[id as usize].name == *name);
        found.map(SubjectId)
    }

    /// Reads what `enter` will read for each of these names, and keeps nothing: of many subjects each lies elsewhere, and a look-up
    /// waits for the table, then for the slot, then for the name. Here all wait for the tables together, and so on.
    pub fn look_ahead<'a>(&self, names: impl Iterator<Item = &'a [u8]>) {
        if self.slots.len() < LOOK_AHEAD_MIN {
            return;
        }
        let mut ids = [0; LOOK_AHEAD];
        let mut count = 0;
        for (id, name) in ids.iter_mut().zip(names) {
            // The first of this hash nearly always is it.
            *id = self.by_name.find(NameHash::of(name), |_| true).unwrap_or_default();
            count += 1;
        }
        let slots = ids[..count].iter().filter_map(|&id| self.slots.get(id as usize));
        let sum = slots.clone().fold(0, |sum, slot| sum ^ slot.last ^ slot.name.len() as u64);
        let sum =
            slots.fold(sum, |sum, slot| sum ^ u64::from(slot.name.first().copied().unwrap_or_default()));
        std::hint::black_box(sum);
    }

    pub fn name(&self, id: SubjectId) -> &[u8] {
        &self.slots[id.0 as usize].name
    }

    /// All subjects, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (SubjectId, &[u8])> {
        let slots = self.slots.iter().enumerate().filter(|(_, subject)| !subject.name.is_empty());
        slots.map(|(id, subject)| (SubjectId(id as u32), &*subject.name))
    }

    /// Number of this subject, which is about to get a message.
    pub fn enter(&mut self, name: &[u8]) -> SubjectId {
        let id = match self.find(name) {
            Some(id) => id.0,
            None => self.insert(name),
        };
        self.recent = id;
        SubjectId(id)
    }

    /// Adds a message above all others of this subject.
    pub fn push(&mut self, id: SubjectId, seq: u64) {
        let subject = &mut self.slots[id.0 as usize];
        if subject.last == 0 {
            subject.first = seq;
        } else if subject.last != subject.first {
            subject.middle.get_or_insert_default().push(subject.last);
        }
        subject.last = seq;
    }

    /// Adds neighbouring messages above all others of this subject.
    pub fn push_range(&mut self, id: SubjectId, first: u64, last: u64) {
        if last - first < 4 {
            return (first..=last).for_each(|seq| self.push(id, seq));
        }
        self.push(id, first);
        self.push(id, first + 1);
        let subject = &mut self.slots[id.0 as usize];
        subject.middle.get_or_insert_default().push_range(first + 1, last - 1);
        subject.last = last;
    }

    /// Removes a message; its subject goes with the last one. Returns false if it is not there.
    pub fn remove(&mut self, id: SubjectId, seq: u64) -> bool {
        let subject = &mut self.slots[id.0 as usize];
        if subject.last == 0 {
            return false;
        }
        if subject.first == subject.last {
            if subject.first != seq {
                return false;
            }
            self.retire(id.0);
            return true;
        }
        let middle = &mut subject.middle;
        let removed = if seq == subject.first {
            subject.first = middle.as_mut().and_then(|list| list.pop_front()).unwrap_or(subject.last);
            true
        } else if seq == subject.last {
            subject.last = middle.as_mut().and_then(|list| list.pop_back()).unwrap_or(subject.first);
            true
        } else {
            middle.as_mut().is_some_and(|list| list.remove(seq))
        };
        if middle.as_ref().is_some_and(|list| list.is_empty()) {
            *middle = None;
        }
        removed
    }

    /// Messages on this subject.
    pub fn count(&self, id: SubjectId) -> u64 {
        let subject = &self.slots[id.0 as usize];
        let ends = u64::from(subject.last != 0) + u64::from(subject.last != subject.first);
        ends + subject.middle.as_ref().map_or(0, |list| list.len())
    }

    /// First message on this subject, 0 if none.
    pub fn first(&self, id: SubjectId) -> u64 {
        self.slots[id.0 as usize].first
    }

    /// Last message on this subject, 0 if none.
    pub fn last(&self, id: SubjectId) -> u64 {
        self.slots[id.0 as usize].last
    }

    /// First message on this subject at or above `seq`.
    pub fn at_or_above(&self, id: SubjectId, seq: u64) -> Option<u64> {
        let subject = &self.slots[id.0 as usize];
        if subject.last == 0 || seq > subject.last {
            return None;
        }
        if seq <= subject.first {
            return Some(subject.first);
        }
        let middle = subject.middle.as_ref().and_then(|list| list.at_or_above(seq));
        Some(middle.unwrap_or(subject.last))
    }

    /// Last message on this subject at or below `seq`.
    pub fn at_or_below(&self, id: SubjectId, seq: u64) -> Option<u64> {
        let subject = &self.slots[id.0 as usize];
        if subject.last == 0 || seq < subject.first {
            return None;
        }
        if seq >= subject.last {
            return Some(subject.last);
        }
        let middle = subject.middle.as_ref().and_then(|list| list.at_or_below(seq));
        Some(middle.unwrap_or(subject.first))
    }

    /// Messages on this subject at or above `seq`.
    pub fn count_from(&self, id: SubjectId, seq: u64) -> u64 {
        let subject = &self.slots[id.0 as usize];
        if subject.last == 0 || seq > subject.last {
            return 0;
        }
        if seq <= subject.first {
            return self.count(id);
        }
        1 + subject.middle.as_ref().map_or(0, |list| list.count_from(seq))
    }

    /// Puts a subject under its number, while a checkpoint is read; `finish_restore` follows. False: the number or the
    /// name is taken, or the name is empty.
    pub fn restore(&mut self, id: u32, name: &[u8]) -> bool {
        if self.slots.len() <= id as usize {
            self.slots.resize_with(id as usize + 1, Subject::default);
        }
        if name.is_empty() || !self.slots[id as usize].name.is_empty() || self.find(name).is_some() {
            return false;
        }
        self.slots[id as usize].name = name.into();
        self.by_name.insert(NameHash::of(name), id);
        true
    }

    /// After the last `restore` and the messages: numbers in between may be given out. False: a subject has no message.
    pub fn finish_restore(&mut self) -> bool {
        let slots = self.slots.iter().enumerate().rev();
        self.free = slots.filter(|(_, subject)| subject.name.is_empty()).map(|(id, _)| id as u32).collect();
        self.slots.iter().all(|subject| subject.name.is_empty() == (subject.last == 0))
    }

    /// Removes every subject; their numbers may be given out at once.
    pub fn clear(&mut self) {
        *self = Subjects { epoch: self.epoch + 1, ..Subjects::default() };
    }

    /// Gives back unused memory.
    pub fn shrink(&mut self) {
        if self.by_name.is_empty() && !self.slots.is_empty() {
            self.clear();
        }
    }

    fn insert(&mut self, name: &[u8]) -> u32 {
        if self.free.is_empty() && self.retired.len() >= RETIRED_MIN.max(self.slots.len() / 2) {
            std::mem::swap(&mut self.free, &mut self.retired);
            self.epoch += 1;
        }
        let id = self.free.pop().unwrap_or(self.slots.len() as u32);
        if id as usize == self.slots.len() {
            self.slots.push(Subject::default());
        }
        self.slots[id as usize].name = name.into();
        self.by_name.insert(NameHash::of(name), id);
        self.kept.note_change(id);
        id
    }

    fn retire(&mut self, id: u32) {
        let subject = std::mem::take(&mut self.slots[id as usize]);
        self.by_name.remove(NameHash::of(&subject.name), id);
        self.kept.note_change(id);
        self.retired.push(id);
    }
}

const _: () = assert!(size_of::<Subject>() == 40);
