//! From counts to figures.

use super::background::Beside;
use super::marks::Marks;
use crate::load::{Observer, Plan, Totals, Window};
use crate::measured::{Measured, Second, ServerFacts, Validity, Verification};
use crate::values::Values;
use crate::watch::{Phase, Progress, Watch};
use crate::workload::{Kind, Length, Pace, Workload};
use std::time::Duration;

/// Looks at a load while it runs: sets marks, gathers seconds, tells the watch.
pub struct Watching<'a> {
    watch: &'a mut dyn Watch,
    marks: Marks,
    start: Duration,
    /// None: a count decides.
    end: Option<Duration>,
    count: u64,
    series: Vec<Second>,
    operations: u64,
    interrupted: bool,
}

impl<'a> Watching<'a> {
    pub fn new(plan: &Plan<'_>, marks: Marks, watch: &'a mut dyn Watch) -> Watching<'a> {
        let start = plan.workload.warm_up;
        let (end, count) = match plan.workload.length {
            Length::Time(time) => (Some(start + time), 0),
            // Every delivery is an operation.
            Length::Count(count) if plan.workload.kind != Kind::Consume => (None, count * plan.fan().max(1)),
            Length::Count(count) => (None, count),
            Length::All => (None, plan.expected),
        };
        Watching { watch, marks, start, end, count, series: Vec::new(), operations: 0, interrupted: false }
    }

    pub fn conclude(mut self) -> (Marks, Vec<Second>, bool) {
        if !self.marks.has_end() {
            self.marks.end();
        }
        // Nothing ended in the last of the drain: that time tells nothing.
        while self
            .series
            .last()
            .is_some_and(|second| second.draining && second.operations + second.errors == 0)
        {
            self.series.pop();
        }
        (self.marks, self.series, self.interrupted)
    }

    fn progress(&mut self, at: Duration) {
        let (phase, elapsed, share) = match self.end {
            _ if at < self.start => (Phase::WarmUp, at, at.as_secs_f64() / self.start.as_secs_f64()),
            Some(end) if at >= end => (Phase::Drain, at - end, 1.0),
            Some(end) => {
                let elapsed = at - self.start;
                (Phase::Measure, elapsed, elapsed.as_secs_f64() / (end - self.start).as_secs_f64())
            }
            None => (Phase::Measure, at, self.operations as f64 / self.count.max(1) as f64),
        };
        let last = self.series.last();
        self.watch.progress(&Progress {
            operations: self.operations,
            last,
            ..Progress::of(phase, elapsed, share)
        });
    }
}

impl Observer for Watching<'_> {
    fn observe(&mut self, at: Duration, window: Option<Window>) {
        if !self.marks.has_start() && at >= self.start {
            self.marks.start();
        }
        if self.marks.has_start() && !self.marks.has_end() && self.end.is_some_and(|end| at >= end) {
            self.marks.end();
        }
        if let Some(window) = window {
            self.operations += if window.at >= 0 { window.operations } else { 0 };
            self.series.push(second(&window));
        }
        self.progress(at);
    }

    fn wants_stop(&self) -> bool {
        self.watch.wants_stop()
    }

    fn stopped(&mut self) {
        self.interrupted = true;
        if !self.marks.has_end() {
            self.marks.end();
        }
    }
}

fn second(window: &Window) -> Second {
    let span = (window.to - window.from) as f64 / 1e9;
    let at = |quantile| window.latency.value_at_quantile(quantile);
    Second {
        at: window.at,
        rate: window.operations as f64 / span.max(1e-9),
        operations: window.operations,
        p50_ns: at(0.5),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        max_ns: window.latency.max(),
        latency: Values::of(&window.latency),
        errors: window.errors,
        draining: window.draining,
    }
}

/// What a load left behind.
pub struct Found<'a> {
    pub workload: &'a Workload,
    pub totals: Totals,
    /// Of the background, if there was one.
    pub beside: Option<Beside>,
    pub marks: Marks,
    pub series: Vec<Second>,
    pub verification: Verification,
    pub interrupted: bool,
    pub server: ServerFacts,
}

/// Everything together.
pub fn measured(found: Found<'_>) -> Measured {
    let Found { workload, totals, beside, marks, series, verification, interrupted, server } = found;
    let usage = marks.usage();
    let background = beside.and_then(|beside| beside.measured(workload));
    let elapsed = Duration::from_nanos(totals.end.saturating_sub(totals.start));
    let rate = totals.operations as f64 / elapsed.as_secs_f64().max(1e-9);
    let validity = validity(workload, &totals);
    let all_operations = rate + background.as_ref().map_or(0.0, |background| background.rate);
    Measured {
        title: workload.to_string(),
        kind: workload.kind,
        operations: totals.operations,
        started: totals.started,
        acked: totals.acked,
        bytes: totals.bytes,
        elapsed,
        latency: totals.latency,
        lateness: totals.lateness,
        series,
        errors: totals.errors.into_iter().map(|(kind, count)| (kind.into_owned(), count)).collect(),
        first_error: totals.first_error,
        validity,
        verification,
        interrupted,
        server,
        background,
        device: usage.device,
        server_cores: usage.server_cores,
        server_cpu_ns_per_operation: usage
            .server_cores
            .filter(|_| all_operations > 0.0)
            .map(|cores| cores * 1e9 / all_operations),
        own_cores: usage.own_cores,
        network: usage.network,
    }
}

/// An open loop is valid only if the generator kept its times.
fn validity(workload: &Workload, totals: &Totals) -> Validity {
    if totals.operations == 0 {
        return Validity::Invalid("no operation ended within the measured part".into());
    }
    let p99 = Duration::from_nanos(totals.lateness.value_at_quantile(0.99));
    match workload.pace {
        Pace::Open { .. } if p99 > workload.lateness_max => Validity::Invalid(format!(
            "the generator was late: p99 {:.3} ms, at most {:.3} ms is allowed",
            p99.as_secs_f64() * 1e3,
            workload.lateness_max.as_secs_f64() * 1e3
        )),
        Pace::Open { .. } | Pace::Closed { .. } => Validity::Valid,
    }
}
