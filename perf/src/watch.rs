//! What a run tells while it runs, and how it is asked to stop.
//! May import: measured.
//! Must not know: terminals, signals.

use crate::measured::Second;
use std::time::Duration;

/// The part of a run that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Streams and consumers are made, streams are filled.
    Prepare,
    WarmUp,
    Measure,
    /// The last answers are waited for.
    Drain,
    /// Every acked message is read back.
    Verify,
    /// Streams and consumers are deleted.
    CleanUp,
}

/// How far a run is.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    pub phase: Phase,
    /// Of the phase: 0 to 1.
    pub share: f64,
    /// Since the phase began.
    pub elapsed: Duration,
    /// Operations of the whole phase so far.
    pub operations: u64,
    /// The last whole second of the load, once there is one.
    pub last: Option<&'a Second>,
}

impl Progress<'_> {
    /// Without figures.
    pub fn of(phase: Phase, elapsed: Duration, share: f64) -> Progress<'static> {
        Progress { phase, share: share.clamp(0.0, 1.0), elapsed, operations: 0, last: None }
    }
}

/// Called by the thread that called `run`, never by a generator.
pub trait Watch {
    /// About five times a second.
    fn progress(&mut self, progress: &Progress<'_>);

    /// True: end now; the run cleans up and returns what it measured so far.
    fn wants_stop(&self) -> bool {
        false
    }
}

/// Watches nothing.
pub struct Unwatched;

impl Watch for Unwatched {
    fn progress(&mut self, _: &Progress<'_>) {}
}
