//! Whether a run reached what it had to, point by point.

use super::objective::{Goal, Objective, Percentile, Windows};
use crate::measured::{Measured, Second};
use crate::units;
use crate::values::Values;
use crate::workload::{Arrivals, Kind, Pace, Workload};
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub points: Vec<Point>,
}

/// One objective and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    pub objective: Objective,
    /// Of the whole run: operations per second, nanoseconds, errors, or a share. None: nothing ended at all.
    pub measured: Option<f64>,
    /// Where it is judged by windows.
    pub windows: Option<Tally>,
    pub holds: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub met: usize,
    pub needed: usize,
    pub total: usize,
}

/// What one stretch of a run reached.
struct Stretch {
    rate: f64,
    latency: Values,
}

impl Verdict {
    pub fn of(objectives: &[Objective], workload: &Workload, measured: &Measured) -> Verdict {
        Verdict { points: objectives.iter().map(|objective| point(objective, workload, measured)).collect() }
    }

    pub fn holds(&self) -> bool {
        self.points.iter().all(|point| point.holds)
    }
}

fn point(objective: &Objective, workload: &Workload, measured: &Measured) -> Point {
    let value = value(&objective.goal, workload, measured);
    let windows = objective.windows.map(|windows| {
        let stretches = stretches(measured, windows);
        let met = stretches
            .iter()
            .filter(|stretch| match &objective.goal {
                Goal::Latency(percentile, _) => {
                    let slowest = if *percentile == Percentile::Max {
                        stretch.latency.max()
                    } else {
                        stretch.latency.quantile(percentile.share())
                    };
                    reached(&objective.goal, slowest.map(|value| value as f64))
                }
                Goal::RateOfOffered(_) => {
                    let offered = offered(workload, f64::from(windows.seconds));
                    reached(&objective.goal, offered.map(|offered| stretch.rate / offered))
                }
                _ => reached(&objective.goal, Some(stretch.rate)),
            })
            .count();
        Tally { met, needed: windows.needed(stretches.len()).max(1), total: stretches.len() }
    });
    let holds = match windows {
        Some(tally) => tally.met >= tally.needed,
        None => reached(&objective.goal, value),
    };
    Point { objective: objective.clone(), measured: value, windows, holds }
}

/// Of the whole run.
fn value(goal: &Goal, workload: &Workload, measured: &Measured) -> Option<f64> {
    let errors = measured.error_count() as f64;
    match goal {
        Goal::Rate(_) => Some(rate(measured)),
        Goal::RateOfOffered(_) => Some(rate(measured) / offered(workload, measured.elapsed.as_secs_f64())?),
        Goal::Latency(..) if measured.latency.is_empty() => None,
        Goal::Latency(Percentile::Max, _) => Some(measured.latency.max() as f64),
        Goal::Latency(percentile, _) => Some(measured.latency.value_at_quantile(percentile.share()) as f64),
        Goal::Errors(_) => Some(errors),
        Goal::ErrorShare(_) => Some(errors / (errors + measured.operations as f64).max(1.0)),
    }
}

/// `value` is what the goal limits; nothing reaches no goal.
fn reached(goal: &Goal, value: Option<f64>) -> bool {
    let Some(value) = value else { return false };
    match goal {
        Goal::Rate(least) | Goal::RateOfOffered(least) => value >= *least,
        Goal::Latency(_, most) => value <= most.as_nanos() as f64,
        Goal::Errors(most) => value <= *most as f64,
        Goal::ErrorShare(most) => value <= *most,
    }
}

/// Whole seconds of the measured part.
fn seconds(measured: &Measured) -> Vec<&Second> {
    let whole = measured.elapsed.as_secs() as i64;
    measured.series.iter().filter(|second| !second.draining && (0..whole).contains(&second.at)).collect()
}

/// Operations per second that ended while the load lasted: what a server does later, in the drain, is no throughput.
fn rate(measured: &Measured) -> f64 {
    let seconds = seconds(measured);
    match seconds.len() {
        0 => measured.rate(),
        count => seconds.iter().map(|second| second.operations).sum::<u64>() as f64 / count as f64,
    }
}

/// Windows one behind the other; what is left at the end is none.
fn stretches(measured: &Measured, windows: Windows) -> Vec<Stretch> {
    let length = windows.seconds.max(1) as usize;
    let whole = measured.elapsed.as_secs() as usize / length;
    let stretch = |n: usize| {
        let (from, to) = ((n * length) as i64, ((n + 1) * length) as i64);
        let mut latency = Values::default();
        let mut operations = 0;
        // A second in which nothing ended may be missing from the series: it is a second all the same.
        for second in seconds(measured).into_iter().filter(|second| (from..to).contains(&second.at)) {
            latency.add(&second.latency);
            operations += second.operations;
        }
        Stretch { rate: operations as f64 / length as f64, latency }
    };
    (0..whole).map(stretch).collect()
}

/// Operations per second that an open loop asks for over some seconds; a publish may be delivered several times. Of Poisson
/// arrivals it is what three standard deviations leave: fewer than that come by chance once in a thousand times.
pub fn offered(workload: &Workload, seconds: f64) -> Option<f64> {
    let Pace::Open { rate, arrivals } = &workload.pace else { return None };
    let rate = match arrivals {
        Arrivals::Poisson => (rate - 3.0 * (rate / seconds.max(1e-3)).sqrt()).max(0.1 * rate),
        Arrivals::Constant | Arrivals::Burst(_) | Arrivals::Schedule(_) => *rate,
    };
    let deliveries = match workload.kind {
        Kind::PubSub if workload.queue_groups > 0 => workload.queue_groups,
        Kind::PubSub => workload.subscribers,
        Kind::Mixed => workload.pull.consumers,
        Kind::Publish | Kind::Consume | Kind::Request => 1,
    };
    Some(rate * f64::from(deliveries))
}

impl Point {
    /// The measured value with its unit.
    pub fn measured_text(&self) -> String {
        let Some(value) = self.measured else { return "nothing ended".into() };
        match self.objective.goal {
            Goal::Rate(_) => format!("{}/s", units::number(value)),
            Goal::RateOfOffered(_) | Goal::ErrorShare(_) => format!("{} %", units::number(value * 100.0)),
            Goal::Latency(..) => units::nanoseconds(value),
            Goal::Errors(_) => units::number(value),
        }
    }
}

#[cfg(test)]
#[path = "verdict_test.rs"]
mod tests;
