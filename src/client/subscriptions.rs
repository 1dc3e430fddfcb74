//! A client's table of subscriptions: by sid for its operations, by slot and generation for deliveries.

use hashbrown::HashTable;
use shards::hashing::hash_bytes;

/// Names a subscription of one client. A slot is reused, always with another generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId {
    pub slot: u32,
    pub generation: u32,
}

/// One SUB. Its texts lie in one allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Subject, queue, sid.
    text: Box<[u8]>,
    subject_len: u32,
    queue_len: u32,
    generation: u32,
    /// Messages delivered since the SUB.
    pub delivered: u64,
    /// Removed when this many were delivered; 0: no limit. Above `delivered` or 0.
    pub max: u64,
}

/// The table. Takes no memory while empty.
#[derive(Debug, Default)]
pub struct Subscriptions {
    slots: Vec<Option<Subscription>>,
    /// Free slots below `slots.len()`.
    free: Vec<u32>,
    by_sid: HashTable<u32>,
    /// Of the next subscription. One for the whole table, so that slots may be dropped and made again.
    generation: u32,
}

impl Subscription {
    pub fn subject(&self) -> &[u8] {
        &self.text[..self.subject_len as usize]
    }

    /// Empty: a plain subscription.
    pub fn queue(&self) -> &[u8] {
        &self.text[self.subject_len as usize..][..self.queue_len as usize]
    }

    pub fn sid(&self) -> &[u8] {
        &self.text[(self.subject_len + self.queue_len) as usize..]
    }
}

impl Subscriptions {
    pub fn len(&self) -> usize {
        self.by_sid.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_sid.is_empty()
    }

    /// Adds one. The sid must not be taken.
    pub fn insert(&mut self, subject: &[u8], queue: &[u8], sid: &[u8]) -> SubscriptionId {
        let generation = self.generation;
        self.generation = generation.wrapping_add(1);
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a control line is shorter than 4 GiB");
        let subscription = Subscription {
            text: [subject, queue, sid].concat().into(),
            subject_len: len(subject),
            queue_len: len(queue),
            generation,
            delivered: 0,
            max: 0,
        };
        let slot = self.place(subscription);
        let slots = &self.slots;
        self.by_sid.insert_unique(hash_bytes(sid), slot, |&slot| hash_bytes(sid_of(slots, slot)));
        SubscriptionId { slot, generation }
    }

    pub fn find(&self, sid: &[u8]) -> Option<SubscriptionId> {
        let slot = *self.by_sid.find(hash_bytes(sid), |&slot| sid_of(&self.slots, slot) == sid)?;
        let generation = self.slots[slot as usize].as_ref()?.generation;
        Some(SubscriptionId { slot, generation })
    }

    #[inline]
    pub fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.slots.get(id.slot as usize)?.as_ref().filter(|held| held.generation == id.generation)
    }

    #[inline]
    pub fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        self.slots.get_mut(id.slot as usize)?.as_mut().filter(|held| held.generation == id.generation)
    }

    /// Takes one out; its slot is free.
    pub fn remove(&mut self, id: SubscriptionId) -> Option<Subscription> {
        self.get(id)?;
        self.forget_sid(id.slot);
        self.free.push(id.slot);
        self.slots[id.slot as usize].take()
    }

    /// All of them, ascending by slot.
    pub fn iter(&self) -> impl Iterator<Item = (SubscriptionId, &Subscription)> {
        self.slots.iter().enumerate().filter_map(|(slot, held)| {
            let held = held.as_ref()?;
            Some((SubscriptionId { slot: slot as u32, generation: held.generation }, held))
        })
    }

    /// Takes out the one in the highest slot. To be called until `None`: free slots below are forgotten.
    pub fn pop(&mut self) -> Option<(SubscriptionId, Subscription)> {
        self.free.clear();
        while let Some(last) = self.slots.last() {
            if last.is_some() {
                self.forget_sid(self.slots.len() as u32 - 1);
                let held = self.slots.pop()??;
                let id = SubscriptionId { slot: self.slots.len() as u32, generation: held.generation };
                return Some((id, held));
            }
            self.slots.pop();
        }
        None
    }

    fn place(&mut self, subscription: Subscription) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Some(subscription);
            return slot;
        }
        // Most clients hold one or a handful.
        if self.slots.len() == self.slots.capacity() && self.slots.len() < 4 {
            self.slots.reserve_exact(1);
        }
        self.slots.push(Some(subscription));
        u32::try_from(self.slots.len() - 1).expect("memory ends before four billion subscriptions")
    }

    fn forget_sid(&mut self, slot: u32) {
        let hash = hash_bytes(sid_of(&self.slots, slot));
        if let Ok(entry) = self.by_sid.find_entry(hash, |&other| other == slot) {
            entry.remove();
        }
    }
}

fn sid_of(slots: &[Option<Subscription>], slot: u32) -> &[u8] {
    slots[slot as usize].as_ref().map_or(b"", Subscription::sid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_slot_has_another_generation() {
        let mut table = Subscriptions::default();
        let first = table.insert(b"a", b"", b"1");
        assert_eq!(table.remove(first).map(|held| held.sid().to_vec()), Some(b"1".to_vec()));
        let second = table.insert(b"b", b"q", b"1");
        assert_eq!(first.slot, second.slot);
        assert!(table.get(first).is_none() && table.remove(first).is_none());
        let held = table.get(second).unwrap();
        assert_eq!((held.subject(), held.queue(), held.sid()), (&b"b"[..], &b"q"[..], &b"1"[..]));
    }

    #[test]
    fn all_are_taken_out_one_by_one_and_none_is_found_again() {
        let mut table = Subscriptions::default();
        let ids: Vec<_> = (0..100).map(|n| table.insert(b"a", b"", format!("{n}").as_bytes())).collect();
        for id in ids.iter().step_by(7) {
            table.remove(*id);
        }
        let left = table.len();
        assert_eq!(std::iter::from_fn(|| table.pop()).count(), left);
        assert!(table.is_empty());
        let again = table.insert(b"a", b"", b"0");
        assert!(ids.iter().all(|id| *id != again && table.get(*id).is_none()));
        assert_eq!(table.find(b"0"), Some(again));
    }
}
