//! What one thread counts, and the sum of all.

use super::plan::Plan;
use crate::measured::histogram;
use crate::sequences::Sequences;
use crate::workload::{Kind, Length};
use hdrhistogram::Histogram;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;

/// Counts for one thread. Times are nanoseconds since the start of the load.
pub struct Tally {
    totals: Totals,
    open_loop: bool,
    /// The measured part; an early end moves its end.
    start: u64,
    end: u64,
    now: u64,
    /// When the last operation ended.
    last: u64,
    /// Operations that ended at `now` and began together: recorded at once.
    run: Run,
    window: Window,
    windows: SyncSender<Window>,
}

/// Operations that ended in one second, by one thread or by all.
#[derive(Clone)]
pub struct Window {
    pub thread: u32,
    /// Seconds since the start of the measured part.
    pub at: i64,
    /// Nanoseconds since the start of the load.
    pub from: u64,
    pub to: u64,
    pub draining: bool,
    pub operations: u64,
    pub errors: u64,
    pub latency: Histogram<u64>,
}

/// See [`crate::measured::Measured`] for what is counted when.
pub struct Totals {
    pub operations: u64,
    pub started: u64,
    pub acked: u64,
    pub bytes: u64,
    pub latency: Histogram<u64>,
    pub lateness: Histogram<u64>,
    pub errors: BTreeMap<Cow<'static, str>, u64>,
    pub first_error: Option<String>,
    /// Messages that were compared, those that differed, and the first of these.
    pub checked: u64,
    pub mismatches: u64,
    pub first_mismatch: Option<String>,
    /// Start and end of the measured part as it was: nanoseconds since the start of the load.
    pub start: u64,
    pub end: u64,
    /// By stream, the sequences of the pub acks.
    pub sequences: Vec<Sequences>,
}

#[derive(Default)]
struct Run {
    intended: u64,
    count: u64,
    bytes: u64,
}

/// The kind of every refusal begins with it; JetStream's code follows.
pub const REFUSED: &str = "refused";
const SECOND: u64 = 1_000_000_000;

impl Tally {
    pub fn new(plan: &Plan<'_>, thread: u32, windows: SyncSender<Window>) -> Tally {
        let (start, end) = plan.part();
        let mut tally = Tally {
            totals: Totals::new(plan),
            open_loop: plan.is_open_loop(),
            start,
            end,
            now: 0,
            last: 0,
            run: Run::default(),
            window: Window::empty(thread),
            windows,
        };
        tally.open_window(0);
        tally
    }

    pub fn end(&self) -> u64 {
        self.end
    }

    /// Sets the time of what is counted next, and hands over the seconds that are over.
    pub fn advance(&mut self, now: u64) {
        self.record_run();
        self.now = now;
        while now >= self.window.to {
            let next = self.window.to;
            self.hand_over();
            self.open_window(next);
        }
    }

    /// The measured part ends now, if not already.
    pub fn end_now(&mut self) {
        if self.now < self.end {
            self.record_run();
            self.end = self.now;
            self.window.to = self.now.max(self.window.from + 1);
        }
    }

    /// An operation that was meant to start at `intended` has ended well.
    pub fn finished(&mut self, intended: u64, bytes: usize) {
        if intended != self.run.intended {
            self.record_run();
            self.run.intended = intended;
        }
        self.run.count += 1;
        self.run.bytes += bytes as u64;
    }

    fn record_run(&mut self) {
        let Run { intended, count, bytes } = std::mem::take(&mut self.run);
        if count == 0 {
            return;
        }
        self.last = self.now;
        let latency = self.now.saturating_sub(intended).max(1);
        let part = self.start..self.end;
        if part.contains(if self.open_loop { &intended } else { &self.now }) {
            self.totals.latency.saturating_record_n(latency, count);
        }
        if part.contains(&self.now) {
            self.totals.operations += count;
            self.totals.bytes += bytes;
        }
        self.window.latency.saturating_record_n(latency, count);
        self.window.operations += count;
    }

    /// Operations of an open loop that never ended: they took at least as long as they were waited for.
    pub fn never_ended(&mut self, kind: &'static str, intended: u64) {
        if self.open_loop && (self.start..self.end).contains(&intended) {
            self.totals.latency.saturating_record(self.now.saturating_sub(intended).max(1));
        }
        self.error(kind, || format!("{kind} when the run ended"));
    }

    /// `late`: by how much the generator itself was late, if it was its fault.
    pub fn started(&mut self, late: Option<u64>) {
        if (self.start..self.end).contains(&self.now) {
            self.totals.started += 1;
            if let Some(late) = late {
                self.totals.lateness.saturating_record(late.max(1));
            }
        }
    }

    /// A right pub ack; false if the sequence was given before.
    pub fn acked(&mut self, stream: usize, seq: u64, number: u64) -> bool {
        let new = self.totals.sequences[stream].add(seq, number);
        if new && (self.start..self.end).contains(&self.now) {
            self.totals.acked += 1;
        }
        new
    }

    pub fn error(&mut self, kind: impl Into<Cow<'static, str>>, text: impl FnOnce() -> String) {
        *self.totals.errors.entry(kind.into()).or_default() += 1;
        self.window.errors += 1;
        self.totals.first_error.get_or_insert_with(text);
    }

    /// A message was compared with what was sent.
    pub fn checked(&mut self, good: bool, text: impl FnOnce() -> String) {
        self.totals.checked += 1;
        if !good {
            self.totals.mismatches += 1;
            self.totals.first_mismatch.get_or_insert_with(text);
        }
    }

    /// Operations that ended so far, for noticing that nothing moves.
    pub fn progress(&self) -> u64 {
        self.totals.operations + self.totals.acked + self.window.operations + self.run.count
    }

    pub fn conclude(mut self) -> Totals {
        self.record_run();
        // A count ends with its last operation.
        self.end = if self.end == u64::MAX { self.last.max(1) } else { self.end };
        self.window.to = self.now.max(self.window.from + 1);
        self.hand_over();
        Totals { start: self.start.min(self.end), end: self.end, ..self.totals }
    }

    fn hand_over(&mut self) {
        let empty = Window::empty(self.window.thread);
        // The receiver is gone only when the load has failed.
        let _ = self.windows.send(std::mem::replace(&mut self.window, empty));
    }

    /// Windows are cut at whole seconds of the measured part, at its end, and at whole seconds from there on.
    fn open_window(&mut self, from: u64) {
        let draining = from >= self.end;
        let origin = if draining { self.end } else { self.start };
        let at = (from as i64 - origin as i64).div_euclid(SECOND as i64);
        let to = origin.saturating_add_signed((at + 1) * SECOND as i64);
        let before = if draining { self.end.saturating_sub(self.start).div_ceil(SECOND) as i64 } else { 0 };
        self.window.draining = draining;
        self.window.at = at + before;
        self.window.from = from;
        self.window.to = if draining { to } else { to.min(self.end) };
    }
}

impl Window {
    pub fn empty(thread: u32) -> Window {
        Window {
            thread,
            at: 0,
            from: 0,
            to: 0,
            draining: false,
            operations: 0,
            errors: 0,
            latency: histogram(),
        }
    }
}

impl Totals {
    pub fn new(plan: &Plan<'_>) -> Totals {
        let keep_numbers = plan.workload.verify;
        let streams = if plan.answers() > 0 { plan.names.streams.len() } else { 0 };
        Totals {
            operations: 0,
            started: 0,
            acked: 0,
            bytes: 0,
            latency: histogram(),
            lateness: histogram(),
            errors: BTreeMap::new(),
            first_error: None,
            checked: 0,
            mismatches: 0,
            first_mismatch: None,
            start: u64::MAX,
            end: 0,
            sequences: (0..streams).map(|_| Sequences::new(keep_numbers)).collect(),
        }
    }

    /// Adds another thread's.
    pub fn add(&mut self, mut more: Totals) {
        self.operations += more.operations;
        self.started += more.started;
        self.acked += more.acked;
        self.bytes += more.bytes;
        self.latency.add(&more.latency).expect("histograms of the same bounds");
        self.lateness.add(&more.lateness).expect("histograms of the same bounds");
        self.take_errors(&mut more);
        self.checked += more.checked;
        self.mismatches += more.mismatches;
        self.first_mismatch = self.first_mismatch.take().or(more.first_mismatch.take());
        self.start = self.start.min(more.start);
        self.end = self.end.max(more.end);
        self.take_acks(&mut more);
    }

    pub fn take_errors(&mut self, more: &mut Totals) {
        for (kind, count) in std::mem::take(&mut more.errors) {
            *self.errors.entry(kind).or_default() += count;
        }
        self.first_error = self.first_error.take().or(more.first_error.take());
    }

    /// The sequences of another's pub acks, from the same streams, with the errors that explain what is missing among them.
    pub fn take_acks(&mut self, more: &mut Totals) {
        self.take_errors(more);
        for (mine, other) in self.sequences.iter_mut().zip(std::mem::take(&mut more.sequences)) {
            let twice = if mine.count() == 0 {
                *mine = other;
                0
            } else {
                mine.merge(&other)
            };
            if twice > 0 {
                *self.errors.entry("sequence given twice".into()).or_default() += twice;
            }
        }
    }

    /// Errors that show only at the end, in the sum: `open` is what never came.
    pub fn conclude(&mut self, plan: &Plan<'_>, open: i64, stopped: bool) {
        let count = |kind: &str| self.errors.get(kind).copied().unwrap_or(0);
        let unanswered = count("unanswered");
        let refusals = self.errors.iter().filter(|(kind, _)| kind.starts_with(REFUSED));
        let refused: u64 = refusals.map(|(_, count)| count).sum();
        let missing: u64 = self.sequences.iter().map(Sequences::missing).sum();
        // A publish that nobody acked, or that was refused with an unknown outcome, may have taken a sequence: one fault, not two.
        let missing = missing.saturating_sub(unanswered + refused);
        if missing > 0 {
            self.errors.insert("sequence missing".into(), missing);
        }
        let undelivered = u64::try_from(open).unwrap_or(0).saturating_sub(unanswered);
        let consumes_all = plan.workload.kind == Kind::Consume
            && !matches!(plan.workload.length, Length::Time(_))
            && !stopped;
        if (plan.fan() > 0 || consumes_all) && undelivered > 0 {
            self.errors.insert("undelivered".into(), undelivered);
        }
    }
}

#[cfg(test)]
#[path = "tally_test.rs"]
mod tests;
