//! The loop of a core: when a turn is due, and the wait when none is.
//! May import: bell, disk, mailbox, net, time.
//! Must not know: what happens within a turn.

use crate::disk::Disks;
use crate::mailbox::Mailbox;
use crate::net::{Poller, Ready};
use crate::time::{Instant, Now, WallTime};
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

/// What surrounds a core. `T` travels in its mailbox. Lives on: its core, inside a running executor.
pub struct Surroundings<T> {
    pub mailbox: Mailbox<T>,
    pub disks: Disks,
    pub poller: Poller,
}

/// What a core runs. Lives on: its core.
pub trait Engine {
    /// Travels between cores.
    type Message: Send;

    /// One turn: takes what is in the surroundings, reads the sockets of `ready` and those that it could not read to the
    /// end before, decides, submits, writes.
    fn turn(&mut self, now: Now, ready: &[Ready], around: &mut Surroundings<Self::Message>) -> Next;

    /// The turn has ended: what it wrote is with the operating system. Called before the next one, with the clock as it is then.
    fn handle_turn_end(&mut self, now: Now);

    /// Whether something waits outside the surroundings (letters from threads). Ringing the core's bell comes after.
    fn has_letters(&mut self) -> bool;
}

/// What a core wants after a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Next {
    /// Another turn at once: something is left to do.
    pub at_once: bool,
    /// Another turn at this time at the latest.
    pub deadline: Option<Instant>,
    /// The core has ended.
    pub stop: bool,
}

/// Runs turns until one says stop. Between turns it waits without spinning for a socket, a disk, another core, a letter
/// or the deadline. Errors: the operating system refuses to tell what is ready, or the ring is broken.
///
/// What a turn has submitted goes to the kernel with the wait that follows, in one system call. A core that has no time to
/// wait hands it over by itself; what has ended it finds in memory.
pub fn run<E: Engine>(engine: &mut E, around: &mut Surroundings<E::Message>) -> io::Result<()> {
    around.poller.add(around.mailbox.bell(), BELL)?;
    let clock = Clock::start();
    let mut ready = Vec::new();
    let mut now = clock.now();
    loop {
        let next = engine.turn(now, &ready, around);
        if next.stop {
            return Ok(());
        }
        ready.clear();
        now = clock.now();
        engine.handle_turn_end(now);
        let is_due = next.at_once || next.deadline.is_some_and(|deadline| deadline <= now.monotonic);
        let may_be_ready = if is_due || has_input(engine, around) {
            around.disks.hand_over()?;
            true
        } else {
            wait(engine, around, next.deadline.map(|deadline| deadline - now.monotonic))?
        };
        if may_be_ready {
            if around.disks.is_syncing() {
                // A loop that always has something to do would let the kernel's thread wait for the end of its slice,
                // milliseconds, and everybody's acks with it.
                std::thread::yield_now();
            }
            around.poller.query(&mut ready)?;
            ready.retain(|one| one.token != BELL);
        }
        now = clock.now();
    }
}

/// The number under which the bell is registered; sockets have others.
pub const BELL: u64 = u64::MAX;

fn has_input<E: Engine>(engine: &mut E, around: &mut Surroundings<E::Message>) -> bool {
    around.disks.has_completion() || !around.mailbox.is_empty() || engine.has_letters()
}

/// Ends when there is something to do, or after `at_most`, or early. True: a socket or the bell may be what it is.
fn wait<E: Engine>(
    engine: &mut E,
    around: &mut Surroundings<E::Message>,
    at_most: Option<Duration>,
) -> io::Result<bool> {
    around.mailbox.bell().fall_asleep();
    let result = if has_input(engine, around) {
        around.disks.hand_over().map(|()| true)
    } else {
        around.disks.wait(&around.poller, at_most)
    };
    around.mailbox.bell().wake_up();
    result
}

/// Reads both clocks of a turn.
struct Clock {
    /// The same for all cores, so that a time means the same on each.
    start: std::time::Instant,
}

/// Zero of the monotonic clock.
static START: OnceLock<std::time::Instant> = OnceLock::new();

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one clock of a core")]
    fn start() -> Clock {
        Clock { start: *START.get_or_init(std::time::Instant::now) }
    }

    #[expect(clippy::disallowed_methods, reason = "the one clock of a core")]
    fn now(&self) -> Now {
        let since_start = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Now {
            // From 1 on: 0 is nobody's time.
            monotonic: Instant(since_start + 1),
            wall: WallTime(u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX)),
        }
    }
}

#[cfg(test)]
#[path = "reactor_test.rs"]
mod tests;
