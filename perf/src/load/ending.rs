//! When a thread's part of a load is over: nothing is started any more, then nothing is waited for any more.

use super::plan::{Plan, Shared};
use crate::workload::{Kind, Length};

/// Times are nanoseconds since the start of the load.
pub struct Ending<'a> {
    plan: &'a Plan<'a>,
    shared: &'a Shared,
    phase: Phase,
    /// When the answers that are missing by then are given up.
    drain_until: u64,
    stopped_at: Option<u64>,
    /// A number that changes with everything that happens, and when it last did.
    moved: i64,
    moved_at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Running,
    /// Nothing more is started, but for what was due before the end of the measured part.
    Draining,
    Over,
}

/// What the thread knows.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub now: u64,
    /// End of the measured part.
    pub end: u64,
    /// Everything that this thread ever starts is started.
    pub started_all: bool,
    /// Something that should have been started by now is not.
    pub is_behind: bool,
    /// Changes whenever an operation ends.
    pub progress: u64,
}

/// Longest that the last answers of an open loop are waited for; of a closed loop, longest without any progress.
const DRAIN_TIME_MAX: u64 = 5_000_000_000;
/// Longest that the last answers of a closed loop with an end in time are waited for: a slow server works on a long queue.
const QUEUE_TIME_MAX: u64 = 60_000_000_000;
/// Longest that nothing at all may happen in a load that has no end in time.
const STALL_TIME_MAX: u64 = 30_000_000_000;
/// Longest wait for the last answers after a signal.
const STOPPED_TIME_MAX: u64 = 1_000_000_000;

impl<'a> Ending<'a> {
    pub fn new(plan: &'a Plan<'a>, shared: &'a Shared) -> Ending<'a> {
        Ending {
            plan,
            shared,
            phase: Phase::Running,
            drain_until: 0,
            stopped_at: None,
            moved: 0,
            moved_at: 0,
        }
    }

    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Told to stop, and this is noticed for the first time.
    pub fn notices_stop(&mut self, now: u64) -> bool {
        let stops = self.stopped_at.is_none() && self.shared.is_stopped();
        if stops {
            self.stopped_at = Some(now);
        }
        stops
    }

    /// Goes from phase to phase.
    pub fn advance(&mut self, seen: Seen) -> Phase {
        self.watch_progress(&seen);
        if self.phase == Phase::Running && (self.stopped_at.is_some() || self.has_started_all(&seen)) {
            self.leave_running();
            self.drain_until = seen.now + DRAIN_TIME_MAX;
        }
        let over = match self.phase {
            Phase::Running => seen.now > self.moved_at + STALL_TIME_MAX,
            Phase::Draining => self.has_drained(&seen),
            Phase::Over => true,
        };
        if over {
            self.leave_running();
            self.phase = Phase::Over;
        }
        self.phase
    }

    /// Others do not wait for what this thread might still start.
    fn leave_running(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Draining;
            self.shared.begin_draining();
        }
    }

    fn has_started_all(&self, seen: &Seen) -> bool {
        let is_consumed = self.plan.workload.kind == Kind::Consume && self.shared.open() <= 0;
        match self.is_timed() {
            true => seen.now >= seen.end || is_consumed,
            false if self.plan.workload.kind == Kind::Consume => is_consumed,
            false => seen.started_all,
        }
    }

    fn has_drained(&mut self, seen: &Seen) -> bool {
        if self.plan.workload.kind == Kind::Consume && (self.stopped_at.is_some() || self.is_timed()) {
            return true;
        }
        if !self.is_timed() {
            self.drain_until = self.moved_at + DRAIN_TIME_MAX;
        } else if !self.plan.is_open_loop() {
            self.drain_until = (self.moved_at + DRAIN_TIME_MAX).min(seen.end + QUEUE_TIME_MAX);
        }
        let until = self.stopped_at.map_or(u64::MAX, |at| at + STOPPED_TIME_MAX).min(self.drain_until);
        let is_quiet = self.shared.all_are_draining() && self.shared.open() <= 0 && !seen.is_behind;
        is_quiet || seen.now > until
    }

    fn watch_progress(&mut self, seen: &Seen) {
        let moved = seen.progress as i64 - self.shared.open();
        if moved != self.moved || self.is_timed() && self.phase == Phase::Running {
            (self.moved, self.moved_at) = (moved, seen.now);
        }
    }

    fn is_timed(&self) -> bool {
        matches!(self.plan.workload.length, Length::Time(_))
    }
}

#[cfg(test)]
#[path = "ending_test.rs"]
mod tests;
