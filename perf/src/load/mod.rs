//! Loads a server: connections in their roles, driven by generator threads.
//! May import: workload, content, schedule, wire, peer, pub_ack, sequences, machine, measured, digits, delivery, address, failure.
//! Must not know: which server is driven, what becomes of the figures.

mod connections;
mod ending;
mod fetcher;
mod plan;
mod responder;
mod sender;
mod series;
mod slots;
mod sockets;
mod subscriber;
mod tally;
mod worker;

pub use plan::{Names, Plan};
pub use series::Series;
pub use tally::{Totals, Window};

use crate::address::Address;
use crate::failure::Failure;
use crate::machine;
use plan::Shared;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use worker::Worker;

/// Called by the thread that drives the load, about five times a second and at each whole second.
pub trait Observer {
    /// `at`: time since the start of the load; called at start and end of the measured part as well. `window` is new, if there
    /// is one.
    fn observe(&mut self, at: Duration, window: Option<Window>);
    /// True: the load ends now.
    fn wants_stop(&self) -> bool;
    /// The load was told to end.
    fn stopped(&mut self) {}
}

/// Windows of all threads that may wait for the driving thread; a generator that finds it full waits, and is late.
const WINDOWS_MAX: usize = 1024;
const OBSERVED_EVERY: Duration = Duration::from_millis(200);

/// Connects, loads until the plan's end, and returns what all threads counted. Errors: the first of a thread.
pub fn drive(plan: &Plan<'_>, address: &Address, observer: &mut dyn Observer) -> Result<Totals, Failure> {
    let shared = Shared::new(plan);
    let threads = connections::connect(plan, address, &shared)?;
    let (windows, receiver) = sync_channel(WINDOWS_MAX);
    let clock = Instant::now();
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for (n, connections) in threads.into_iter().enumerate() {
            let (windows, shared) = (windows.clone(), &shared);
            running.push(scope.spawn(move || {
                let thread = || {
                    machine::pin(plan.core(n).as_slice())?;
                    Worker::new(plan, shared, n as u32, connections, windows, clock)?.run()
                };
                // The others come to an end too.
                thread().inspect_err(|_| shared.stop())
            }));
        }
        drop(windows);
        watch(plan, &receiver, &shared, clock, observer);
        let mut totals = Totals::new(plan);
        let mut first_failure = None;
        for thread in running {
            match thread.join().expect("a generator thread does not panic") {
                Ok(more) => totals.add(more),
                Err(failure) => first_failure = first_failure.or(Some(failure)),
            }
        }
        first_failure.map_or(Ok(()), Err)?;
        totals.conclude(plan, shared.open(), shared.is_stopped());
        Ok(totals)
    })
}

/// Hands windows over until every thread has ended.
fn watch(
    plan: &Plan<'_>,
    receiver: &Receiver<Window>,
    shared: &Shared,
    clock: Instant,
    observer: &mut dyn Observer,
) {
    let mut series = Series::new(shared.threads());
    loop {
        let window = match receiver.recv_timeout(until_next_look(plan, clock.elapsed())) {
            Ok(window) => series.add(window),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        observer.observe(clock.elapsed(), window);
        if !shared.is_stopped() && observer.wants_stop() {
            shared.stop();
            observer.stopped();
        }
    }
    for window in series.rest() {
        observer.observe(clock.elapsed(), Some(window));
    }
}

/// The observer is to see start and end of the measured part when they come.
fn until_next_look(plan: &Plan<'_>, at: Duration) -> Duration {
    let (start, end) = plan.part();
    let until = |nanos: u64| Duration::from_nanos(nanos).checked_sub(at).filter(|wait| !wait.is_zero());
    [until(start), until(end)].into_iter().flatten().fold(OBSERVED_EVERY, Duration::min)
}
