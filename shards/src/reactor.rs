//! The loop of a core: when a turn is due, and the wait when none is.
//! May import: bell, disk, mailbox, net, time.
//! Must not know: what happens within a turn.

use crate::disk::Disks;
use crate::mailbox::Mailbox;
use crate::net::{Poller, Ready};
use crate::time::{Instant, Now, WallTime};
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::Poll;
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
/// or the deadline. Errors: the operating system refuses to tell what is ready.
///
/// Only while this waits does glommio submit disk operations and collect what has ended. So a busy core waits too, for no
/// time, when a turn has submitted something, and every `PASS_INTERVAL` while something is in flight.
pub async fn run<E: Engine>(engine: &mut E, around: &mut Surroundings<E::Message>) -> io::Result<()> {
    around.poller.add(around.mailbox.bell(), BELL)?;
    let clock = Clock::start();
    let mut ready = Vec::new();
    let (mut now, mut last_pass) = (clock.now(), Instant::default());
    loop {
        let submitted_before = around.disks.submitted();
        let next = engine.turn(now, &ready, around);
        if next.stop {
            return Ok(());
        }
        ready.clear();
        let has_submitted = around.disks.submitted() != submitted_before;
        let must_pass =
            has_submitted || around.disks.in_flight() > 0 && now.monotonic - last_pass >= PASS_INTERVAL;
        let mut is_due = next.at_once;
        if !must_pass {
            is_due |= query(around, &mut ready)?;
        }
        now = clock.now();
        engine.handle_turn_end(now);
        is_due |=
            next.deadline.is_some_and(|deadline| deadline <= now.monotonic) || has_input(engine, around);
        if is_due && !must_pass {
            continue;
        }
        if is_due {
            glommio::timer::sleep(NO_TIME).await;
        } else {
            wait(engine, around, next.deadline.map(|deadline| deadline - now.monotonic)).await;
        }
        query(around, &mut ready)?;
        now = clock.now();
        last_pass = now.monotonic;
    }
}

/// Asks which sockets are ready. True: something is, if only the bell.
fn query<T>(around: &mut Surroundings<T>, ready: &mut Vec<Ready>) -> io::Result<bool> {
    around.poller.query(ready)?;
    let any = !ready.is_empty();
    ready.retain(|one| one.token != BELL);
    Ok(any)
}

/// The number under which the bell is registered; sockets have others.
pub const BELL: u64 = u64::MAX;

/// A busy core looks at least this often at what its disks have ended. A pass costs some microseconds, a device takes more.
const PASS_INTERVAL: Duration = Duration::from_micros(50);

/// The shortest wait that still is one.
const NO_TIME: Duration = Duration::from_micros(1);

/// How long a core that cannot wait for its sockets leaves them alone.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(5);

fn has_input<E: Engine>(engine: &mut E, around: &mut Surroundings<E::Message>) -> bool {
    around.disks.has_completion() || !around.mailbox.is_empty() || engine.has_letters()
}

/// Ends when there is something to do, or after `at_most`. Without a descriptor to wait with it ends after a moment, so that
/// a core out of descriptors goes on, without spinning.
async fn wait<E: Engine>(engine: &mut E, around: &mut Surroundings<E::Message>, at_most: Option<Duration>) {
    around.mailbox.bell().fall_asleep();
    if has_input(engine, around) {
        around.mailbox.bell().wake_up();
        glommio::timer::sleep(NO_TIME).await;
        return;
    }
    let mut timer = pin!(async {
        match at_most {
            Some(at_most) => glommio::timer::sleep(at_most).await,
            None => std::future::pending().await,
        }
    });
    let (poller, disks) = (&mut around.poller, &mut around.disks);
    let result = std::future::poll_fn(|context| {
        if disks.poll_ready(context).is_ready() || timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        poller.poll_ready(context)
    })
    .await;
    if result.is_err() {
        glommio::timer::sleep(OUT_OF_DESCRIPTORS).await;
    }
    around.mailbox.bell().wake_up();
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
