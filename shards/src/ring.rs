//! A bounded ring between exactly one producer and one consumer on two threads.
//! May import: nothing.
//! Must not know: what travels through it, credits, wakes.
//!
//! The model of its interleavings: `RUSTFLAGS='--cfg loom' cargo test -p shards --no-default-features --lib ring::`.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

#[cfg(not(loom))]
use self::plain::Slot;
#[cfg(loom)]
use loom::sync::Arc;
#[cfg(loom)]
use loom::sync::atomic::{AtomicUsize, Ordering};
#[cfg(not(loom))]
use std::sync::Arc;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(loom)]
type Slot<T> = loom::cell::UnsafeCell<T>;

/// A ring with room for `capacity` values, rounded up to a power of two.
pub fn ring<T: Send>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let capacity = capacity.max(1).next_power_of_two();
    let shared = Arc::new(Shared {
        head: Padded(AtomicUsize::new(0)),
        tail: Padded(AtomicUsize::new(0)),
        slots: (0..capacity).map(|_| Slot::new(MaybeUninit::uninit())).collect(),
    });
    (
        Producer { shared: Arc::clone(&shared), tail: 0, head_seen: 0 },
        Consumer { shared, head: 0, tail_seen: 0 },
    )
}

/// The end that adds. Lives on: one thread at a time.
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    /// Values ever pushed; equal to the shared `tail` between calls.
    tail: usize,
    /// The consumer's `head` when it was last looked at; it can only have moved on since.
    head_seen: usize,
}

/// The end that takes. Lives on: one thread at a time.
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
    /// Values ever taken; equal to the shared `head` between calls.
    head: usize,
    /// The producer's `tail` when it was last looked at; it can only have moved on since.
    tail_seen: usize,
}

/// What both ends see. `head <= tail <= head + capacity` at all times (counters wrap). The slots from `head` up to
/// `tail` hold a value and belong to the consumer, all others are empty and belong to the producer.
struct Shared<T> {
    /// Written by the consumer only.
    head: Padded<AtomicUsize>,
    /// Written by the producer only.
    tail: Padded<AtomicUsize>,
    slots: Box<[Slot<MaybeUninit<T>>]>,
}

/// Keeps the two counters on cache lines (pairs of them, as processors prefetch) of their own.
#[repr(align(128))]
struct Padded<T>(T);

// SAFETY: a slot is reached through one end only at any moment: `push` touches slots outside `head..tail`, `pop` slots
// inside, and the release store of the one counter hands a slot over to the acquire load of the other end. Values move
// between threads, so they must be `Send`.
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: as above; the values that are left are dropped by whichever end is dropped last.
unsafe impl<T: Send> Send for Shared<T> {}

impl<T: Send> Producer<T> {
    /// Values that the ring can hold.
    pub fn capacity(&self) -> usize {
        self.shared.slots.len()
    }

    /// Values that can be pushed now. Looks at the consumer's progress only when none is known to fit.
    pub fn room(&mut self) -> usize {
        let known = self.capacity() - self.tail.wrapping_sub(self.head_seen);
        if known > 0 {
            return known;
        }
        self.head_seen = self.shared.head.0.load(Ordering::Acquire);
        self.capacity() - self.tail.wrapping_sub(self.head_seen)
    }

    /// Adds one value. Errors: gives it back when the ring is full.
    pub fn push(&mut self, value: T) -> Result<(), T> {
        if self.room() == 0 {
            return Err(value);
        }
        self.put(value);
        self.publish();
        Ok(())
    }

    /// Moves values from the front of `values` until it is empty or the ring is full, and shows them to the consumer
    /// with one store. Returns how many.
    pub fn push_all(&mut self, values: &mut std::collections::VecDeque<T>) -> usize {
        let mut pushed = 0;
        while !values.is_empty() && self.room() > 0 {
            let Some(value) = values.pop_front() else { break };
            self.put(value);
            pushed += 1;
        }
        if pushed > 0 {
            self.publish();
        }
        pushed
    }

    fn put(&mut self, value: T) {
        let slot = &self.shared.slots[self.tail & (self.capacity() - 1)];
        // SAFETY: `room` was positive, so this slot lies outside `head..tail`: it is empty, and the consumer does not
        // touch it until `publish` has moved the shared `tail` past it.
        slot.with_mut(|slot| unsafe { (*slot).write(value) });
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&mut self) {
        self.shared.tail.0.store(self.tail, Ordering::Release);
    }
}

impl<T: Send> Consumer<T> {
    /// True if nothing can be taken now.
    pub fn is_empty(&mut self) -> bool {
        self.len() == 0
    }

    /// Values that can be taken now. Looks at the producer's progress only when none is known to be there.
    pub fn len(&mut self) -> usize {
        let known = self.tail_seen.wrapping_sub(self.head);
        if known > 0 {
            return known;
        }
        self.tail_seen = self.shared.tail.0.load(Ordering::Acquire);
        self.tail_seen.wrapping_sub(self.head)
    }

    /// Takes the oldest value.
    pub fn pop(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let value = self.take();
        self.publish();
        Some(value)
    }

    /// Hands up to `max` values, oldest first, to `each` and gives their room back with one store. Returns how many.
    pub fn pop_all(&mut self, max: usize, mut each: impl FnMut(T)) -> usize {
        /// Publishes also when `each` panics, so that no value is ever dropped twice.
        struct Publish<'a, T: Send>(&'a mut Consumer<T>);
        impl<T: Send> Drop for Publish<'_, T> {
            fn drop(&mut self) {
                self.0.publish();
            }
        }

        let mut popped = 0;
        let this = Publish(self);
        while popped < max && !this.0.is_empty() {
            popped += 1;
            each(this.0.take());
        }
        popped
    }

    fn take(&mut self) -> T {
        let slot = &self.shared.slots[self.head & (self.shared.slots.len() - 1)];
        self.head = self.head.wrapping_add(1);
        // SAFETY: `len` was positive, so this slot lies inside `head..tail`: the acquire load of `tail` made its value
        // visible, and the producer does not touch it until `publish` has moved the shared `head` past it. `head` has
        // moved on, so it is read once.
        slot.with(|slot| unsafe { (*slot).assume_init_read() })
    }

    fn publish(&mut self) {
        self.shared.head.0.store(self.head, Ordering::Release);
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let tail = self.tail.0.load(Ordering::Relaxed);
        let mut head = self.head.0.load(Ordering::Relaxed);
        while head != tail {
            let slot = &self.slots[head & (self.slots.len() - 1)];
            // SAFETY: both ends are gone (`Arc` orders their last actions before this), and the slots from `head` up to
            // `tail` hold a value each.
            slot.with_mut(|slot| unsafe { (*slot).assume_init_drop() });
            head = head.wrapping_add(1);
        }
    }
}

#[cfg(not(loom))]
mod plain {
    use std::cell::UnsafeCell;

    /// `UnsafeCell` with the two methods of loom's, which checks every access in the model.
    pub(super) struct Slot<T>(UnsafeCell<T>);

    impl<T> Slot<T> {
        pub(super) fn new(value: T) -> Self {
            Slot(UnsafeCell::new(value))
        }

        pub(super) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        pub(super) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(test)]
#[path = "ring_test.rs"]
mod tests;
