//! The wake of a core, and the bounded post from plain threads to it.
//! May import: nothing.
//! Must not know: what is sent, who runs on the core.

use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// Wakes one core. Anyone may ring; it costs a system call only while the core sleeps.
/// Lives on: every thread that has something for the core.
#[derive(Clone, Debug)]
pub struct Bell(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    eventfd: OwnedFd,
    /// The core waits, or is about to and will look at its inputs once more first.
    asleep: AtomicBool,
}

impl Bell {
    /// Errors: no descriptor left.
    pub fn new() -> io::Result<Bell> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Bell(Arc::new(Shared { eventfd, asleep: AtomicBool::new(false) })))
    }

    /// Call after the input is where the core will find it.
    pub fn ring(&self) {
        // Pairs with the fence in `fall_asleep`: either the core sees the input, or we see that it sleeps.
        fence(Ordering::SeqCst);
        if self.0.asleep.load(Ordering::Relaxed) && self.0.asleep.swap(false, Ordering::Relaxed) {
            // Fails only when 2^64 - 2 rings wait to be heard; then the core is awake anyway.
            let _ = rustix::io::write(&self.0.eventfd, &1u64.to_ne_bytes());
        }
    }

    /// For the core: from now on a ring costs the ringer a system call and ends the core's wait. Look at every input
    /// once more after this, and only then wait.
    pub fn fall_asleep(&self) {
        self.0.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// For the core: rings are free again.
    pub fn wake_up(&self) {
        self.0.asleep.store(false, Ordering::Relaxed);
    }
}

impl AsFd for Bell {
    /// Reports readable, edge-triggered, when it rings. Nobody reads it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.eventfd.as_fd()
    }
}

/// A bounded post from plain threads (acceptor, workers, signals) to the core of `bell`.
pub fn post<T>(bound: usize, bell: &Bell) -> (Sender<T>, Letters<T>) {
    let (sender, receiver) = sync_channel(bound);
    (Sender { sender, bell: bell.clone() }, Letters { receiver, next: None })
}

/// The end of a post for plain threads.
#[derive(Debug)]
pub struct Sender<T> {
    sender: SyncSender<T>,
    bell: Bell,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender { sender: self.sender.clone(), bell: self.bell.clone() }
    }
}

impl<T> Sender<T> {
    /// Never blocks. Errors: gives the letter back when the post is full or the core has ended.
    pub fn try_send(&self, letter: T) -> Result<(), T> {
        match self.sender.try_send(letter) {
            Ok(()) => {
                self.bell.ring();
                Ok(())
            }
            Err(TrySendError::Full(letter) | TrySendError::Disconnected(letter)) => Err(letter),
        }
    }

    /// Waits for room; for threads that do nothing else. Errors: gives the letter back when the core has ended.
    pub fn send(&self, letter: T) -> Result<(), T> {
        // The core may sleep while the post is full of letters that were rung for, so it drains without another ring.
        self.sender.send(letter).map_err(|error| error.0)?;
        self.bell.ring();
        Ok(())
    }
}

/// The core's end of a post.
#[derive(Debug)]
pub struct Letters<T> {
    receiver: Receiver<T>,
    /// Taken out by `is_empty`, which has no other way to look.
    next: Option<T>,
}

impl<T> Letters<T> {
    /// The oldest letter.
    pub fn take(&mut self) -> Option<T> {
        self.next.take().or_else(|| self.receiver.try_recv().ok())
    }

    /// True if nothing waits. Ask after `Bell::fall_asleep`.
    pub fn is_empty(&mut self) -> bool {
        if self.next.is_none() {
            self.next = self.receiver.try_recv().ok();
        }
        self.next.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_there_before_the_bell_rings() {
        let bell = Bell::new().unwrap();
        let (sender, mut letters) = post(1, &bell);
        bell.fall_asleep();
        assert!(letters.is_empty());
        sender.try_send(7).unwrap();
        assert_eq!(sender.try_send(8), Err(8));
        let mut count = [0; 8];
        assert_eq!(rustix::io::read(&bell, &mut count), Ok(8));
        assert!(!letters.is_empty());
        assert_eq!((letters.take(), letters.take()), (Some(7), None));
    }

    #[test]
    fn ringing_a_core_that_is_awake_costs_no_system_call() {
        let bell = Bell::new().unwrap();
        bell.ring();
        bell.fall_asleep();
        bell.wake_up();
        bell.ring();
        let mut count = [0; 8];
        assert_eq!(rustix::io::read(&bell, &mut count), Err(rustix::io::Errno::AGAIN));
    }
}
