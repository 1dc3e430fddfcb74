//! A client's table of subscriptions: by sid for its operations, by slot and generation for deliveries.

use hashbrown::HashTable;
use shards::hashing::hash_bytes;

/// Place in a client's table, never two live subscriptions alike: a slot is reused with a higher generation.
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
    /// Messages delivered since the SUB.
    pub delivered: u64,
    /// Removed when this many were delivered; 0: no limit. Above `delivered` or 0.
    pub max: u64,
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

    fn new(subject: &[u8], queue: &[u8], sid: &[u8]) -> Self {
        let text = [subject, queue, sid].concat().into();
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a control line is shorter than 4 GiB");
        Subscription { text, subject_len: len(subject), queue_len: len(queue), delivered: 0, max: 0 }
    }
}

/// The table. Lives in its client; takes no memory while empty.
#[derive(Debug, Default)]
pub struct Subscriptions {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_sid: HashTable<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    held: Option<Subscription>,
}

/// What a count of one more delivery means.
#[derive(Debug, PartialEq, Eq)]
pub enum Counted {
    /// Deliver it.
    Yes,
    /// Deliver it, then remove the subscription.
    Last,
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
        let held = Some(Subscription::new(subject, queue, sid));
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize].held = held;
                slot
            }
            None => {
                // Most clients hold one or a handful.
                if self.slots.len() == self.slots.capacity() && self.slots.len() < 4 {
                    self.slots.reserve_exact(1);
                }
                self.slots.push(Slot { generation: 0, held });
                u32::try_from(self.slots.len() - 1).expect("memory ends before four billion subscriptions")
            }
        };
        let slots = &self.slots;
        self.by_sid.insert_unique(hash_bytes(sid), slot, |&slot| hash_bytes(sid_of(slots, slot)));
        SubscriptionId { slot, generation: self.slots[slot as usize].generation }
    }

    pub fn find(&self, sid: &[u8]) -> Option<SubscriptionId> {
        let slots = &self.slots;
        let slot = *self.by_sid.find(hash_bytes(sid), |&slot| sid_of(slots, slot) == sid)?;
        Some(SubscriptionId { slot, generation: self.slots[slot as usize].generation })
    }

    pub fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        let slot = self.slots.get(id.slot as usize)?;
        if slot.generation == id.generation { slot.held.as_ref() } else { None }
    }

    pub fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation == id.generation { slot.held.as_mut() } else { None }
    }

    /// Frees the slot; its next subscription has another generation.
    pub fn remove(&mut self, id: SubscriptionId) -> Option<Subscription> {
        self.get(id)?;
        let slots = &self.slots;
        let hash = hash_bytes(sid_of(slots, id.slot));
        if let Ok(entry) = self.by_sid.find_entry(hash, |&slot| slot == id.slot) {
            entry.remove();
        }
        let slot = &mut self.slots[id.slot as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.slot);
        slot.held.take()
    }

    /// All of them, ascending by slot.
    pub fn iter(&self) -> impl Iterator<Item = (SubscriptionId, &Subscription)> {
        self.slots.iter().enumerate().filter_map(|(slot, entry)| {
            let id = SubscriptionId { slot: slot as u32, generation: entry.generation };
            Some((id, entry.held.as_ref()?))
        })
    }

    /// Removes the one in the highest slot: to take out all, one after another.
    pub fn pop(&mut self) -> Option<(SubscriptionId, Subscription)> {
        let slot = self.slots.iter().rposition(|slot| slot.held.is_some())?;
        let id = SubscriptionId { slot: slot as u32, generation: self.slots[slot].generation };
        Some((id, self.remove(id)?))
    }
}

fn sid_of(slots: &[Slot], slot: u32) -> &[u8] {
    slots[slot as usize].held.as_ref().map_or(b"", Subscription::sid)
}
