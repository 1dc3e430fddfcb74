//! The operations of one connection that wait for their answer. Each has a slot, which names itself in the reply subject,
//! so that an answer finds its operation in whatever order it comes.

use crate::digits;

pub struct Slots {
    waiting: Vec<Option<Waiting>>,
    free: Vec<u32>,
    /// Slots that there may be.
    max: usize,
}

/// Which message, and when it was meant to start: nanoseconds since the start of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub number: u64,
    pub intended: u64,
}

/// Digits of a slot in a reply subject.
pub const SLOT_DIGITS: usize = 6;
/// Operations of one connection under way at once.
pub const SLOTS_MAX: usize = 10usize.pow(SLOT_DIGITS as u32);

impl Slots {
    /// At most `max` at once, and at most `SLOTS_MAX`.
    pub fn new(max: usize) -> Slots {
        Slots { waiting: Vec::new(), free: Vec::new(), max: max.min(SLOTS_MAX) }
    }

    pub fn has_room(&self) -> bool {
        !self.free.is_empty() || self.waiting.len() < self.max
    }

    /// Operations that wait.
    pub fn len(&self) -> usize {
        self.waiting.len() - self.free.len()
    }

    /// Takes a slot; there must be room.
    pub fn take(&mut self, waiting: Waiting) -> u32 {
        assert!(self.has_room(), "room is asked for before");
        let slot = self.free.pop().unwrap_or_else(|| {
            self.waiting.push(None);
            (self.waiting.len() - 1) as u32
        });
        self.waiting[slot as usize] = Some(waiting);
        slot
    }

    /// What waited in the slot that a subject ends with; None: nothing waits there.
    pub fn complete(&mut self, subject: &[u8]) -> Option<Waiting> {
        let (slot, rest) = digits::read(subject.last_chunk::<SLOT_DIGITS>()?)?;
        let waiting = self.waiting.get_mut(slot as usize)?.take_if(|_| rest.is_empty())?;
        self.free.push(slot as u32);
        Some(waiting)
    }

    /// Everything that still waits.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_after_its_answer_and_only_then() {
        let mut slots = Slots::new(2);
        let waiting = |number| Waiting { number, intended: 10 * number };
        assert_eq!((slots.take(waiting(1)), slots.take(waiting(2))), (0, 1));
        assert!(!slots.has_room());
        assert_eq!(slots.complete(b"_I.000001"), Some(waiting(2)));
        assert_eq!(slots.complete(b"_I.000001"), None);
        assert_eq!(slots.complete(b"_I.000009"), None);
        assert_eq!(slots.complete(b"_I.00000x"), None);
        assert_eq!((slots.len(), slots.take(waiting(3))), (1, 1));
    }
}
