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
    let mut totals = run(plan, &shared, threads, Instant::now(), observer)?;
    totals.conclude(plan, shared.open(), shared.is_stopped());
    Ok(totals)
}

/// Two loads at once, with one clock: the second is the background of the first. Its errors are the first one's, and so are its
/// acks where both publish to the same streams. Errors: the first of either.
pub fn drive_both(
    (plan, observer): (&Plan<'_>, &mut dyn Observer),
    (other, other_observer): (&Plan<'_>, &mut (dyn Observer + Send)),
    address: &Address,
) -> Result<(Totals, Totals), Failure> {
    let (shared, other_shared) = (Shared::new(plan), Shared::new(other));
    let threads = connections::connect(plan, address, &shared)?;
    let other_threads = connections::connect(other, address, &other_shared)?;
    let clock = Instant::now();
    let (totals, other_totals) = std::thread::scope(|scope| {
        let background = scope.spawn(|| {
            run(other, &other_shared, other_threads, clock, other_observer).inspect_err(|_| shared.stop())
        });
        let totals = run(plan, &shared, threads, clock, observer);
        // Both have the same end; one that came early is early for both.
        if totals.as_ref().map_or(true, |totals| totals.end < plan.part().1) {
            other_shared.stop();
        }
        (totals, background.join().expect("a background does not panic"))
    });
    let (mut totals, mut other_totals) = (totals?, other_totals?);
    if plan.workload.shares_streams() {
        totals.take_acks(&mut other_totals);
    }
    other_totals.conclude(other, other_shared.open(), other_shared.is_stopped());
    totals.conclude(plan, shared.open(), shared.is_stopped());
    totals.take_errors(&mut other_totals);
    Ok((totals, other_totals))
}

/// From the start of the clock until the plan's end.
fn run<'a>(
    plan: &'a Plan<'a>,
    shared: &'a Shared,
    threads: Vec<Vec<connections::Connection<'a>>>,
    clock: Instant,
    observer: &mut dyn Observer,
) -> Result<Totals, Failure> {
    let (windows, receiver) = sync_channel(WINDOWS_MAX);
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for (n, connections) in threads.into_iter().enumerate() {
            let windows = windows.clone();
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
        watch(plan, &receiver, shared, clock, observer);
        let mut totals = Totals::new(plan);
        let mut first_failure = None;
        for thread in running {
            match thread.join().expect("a generator thread does not panic") {
                Ok(more) => totals.add(more),
                Err(failure) => first_failure = first_failure.or(Some(failure)),
            }
        }
        first_failure.map_or(Ok(totals), Err)
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
