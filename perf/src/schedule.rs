//! Intended times of an open loop: they follow from rate and seed alone, whatever the server does.
//! May import: workload, random.
//! Must not know: clocks, sockets.

use crate::random::Random;
use crate::workload::{Arrivals, Step};

/// Nanoseconds since the start of the load, in order.
pub struct Schedule {
    gaps: Gaps,
    /// The next intended time, exact; None: the schedule has ended.
    next: Option<f64>,
    /// What is due within so many nanoseconds comes together, at their beginning. 0: each when it is due.
    burst: u64,
}

enum Gaps {
    Constant { gap: f64 },
    Poisson { mean: f64, random: Random },
    Steps { steps: Vec<Step>, share: f64 },
}

const NANOS: f64 = 1e9;

impl Schedule {
    /// The part of one of `threads` threads: each has its share of the rate, and constant ones do not coincide.
    pub fn new(rate: f64, arrivals: &Arrivals, seed: u64, thread: u32, threads: u32) -> Schedule {
        let share = 1.0 / f64::from(threads);
        let offset = f64::from(thread) * share;
        let gap = NANOS / (rate * share);
        let (mut gaps, first) = match arrivals {
            Arrivals::Constant | Arrivals::Burst(_) => (Gaps::Constant { gap }, Some(gap * offset)),
            Arrivals::Poisson => {
                let random = Random::new(seed.wrapping_add(u64::from(thread) << 32));
                (Gaps::Poisson { mean: gap, random }, Some(0.0))
            }
            Arrivals::Schedule(steps) => {
                let gaps = Gaps::Steps { steps: steps.clone(), share };
                (gaps, steps.first().map(|step| step.from.as_nanos() as f64))
            }
        };
        let first = match &mut gaps {
            Gaps::Constant { .. } => first,
            Gaps::Poisson { .. } => first.and_then(|at| gaps.after(at)),
            Gaps::Steps { .. } => first.and_then(|at| gaps.advance(at, offset)),
        };
        let burst = match arrivals {
            Arrivals::Burst(burst) => burst.as_nanos() as u64,
            Arrivals::Constant | Arrivals::Poisson | Arrivals::Schedule(_) => 0,
        };
        Schedule { gaps, next: first, burst }
    }

    /// The next intended time, which stays the next until `advance`.
    pub fn next(&self) -> Option<u64> {
        let at = self.next? as u64;
        Some(at - at.checked_rem(self.burst).unwrap_or(0))
    }

    pub fn advance(&mut self) {
        self.next = self.next.and_then(|at| self.gaps.after(at));
    }
}

impl Gaps {
    fn after(&mut self, at: f64) -> Option<f64> {
        match self {
            Gaps::Constant { gap } => Some(at + *gap),
            Gaps::Poisson { mean, random } => Some(at - *mean * random.unit().ln()),
            Gaps::Steps { .. } => self.advance(at, 1.0),
        }
    }

    /// The time at which `amount` more operations are due, across steps of different rates; the last step never ends.
    fn advance(&self, mut at: f64, mut amount: f64) -> Option<f64> {
        let Gaps::Steps { steps, share } = self else { return None };
        let mut n = steps.iter().rposition(|step| step.from.as_nanos() as f64 <= at)?;
        loop {
            let per_nano = steps[n].rate * share / NANOS;
            let end = steps.get(n + 1).map(|step| step.from.as_nanos() as f64);
            let due = at + amount / per_nano;
            match end {
                // At a rate of 0 it is never due.
                None => return due.is_finite().then_some(due),
                Some(end) if due <= end => return Some(due),
                Some(end) => {
                    amount -= (end - at) * per_nano;
                    at = end;
                    n += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn times(mut schedule: Schedule, count: usize) -> Vec<u64> {
        let mut times = Vec::new();
        while let (Some(at), true) = (schedule.next(), times.len() < count) {
            times.push(at);
            schedule.advance();
        }
        times
    }

    #[test]
    fn a_constant_rate_has_equal_gaps_and_threads_take_turns() {
        let part = |thread| times(Schedule::new(1000.0, &Arrivals::Constant, 1, thread, 2), 3);
        assert_eq!(part(0), [0, 2_000_000, 4_000_000]);
        assert_eq!(part(1), [1_000_000, 3_000_000, 5_000_000]);
    }

    #[test]
    fn a_burst_is_what_is_due_within_its_time_and_the_rate_stays() {
        let arrivals = Arrivals::Burst(Duration::from_micros(50));
        // 2.5 in 50 µs.
        assert_eq!(times(Schedule::new(50_000.0, &arrivals, 1, 0, 1), 6), [0, 0, 0, 50_000, 50_000, 100_000]);
        // Two threads send their parts of a burst at the same time.
        let part = |thread| times(Schedule::new(50_000.0, &arrivals, 1, thread, 2), 4);
        assert_eq!((part(0), part(1)), (vec![0, 0, 50_000, 100_000], vec![0, 50_000, 100_000, 100_000]));
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread_of_an_exponential() {
        let times = times(Schedule::new(1000.0, &Arrivals::Poisson, 1, 0, 1), 100_000);
        let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((0.98e6..1.02e6).contains(&mean), "{mean}");
        assert!((0.97..1.03).contains(&(deviation / mean)), "{}", deviation / mean);
    }

    #[test]
    fn a_schedule_changes_its_rate_at_the_given_times() {
        let step = |ms, rate| Step { from: Duration::from_millis(ms), rate };
        let steps = Arrivals::Schedule(vec![step(0, 1000.0), step(10, 0.0), step(20, 2000.0), step(30, 0.0)]);
        let times = times(Schedule::new(2000.0, &steps, 1, 0, 1), 1000);
        let within = |from: u64, to: u64| {
            times.iter().filter(|at| (from * 1_000_000..to * 1_000_000).contains(*at)).count()
        };
        assert!((10..=11).contains(&within(0, 11)), "{times:?}");
        assert_eq!(within(11, 20), 0);
        assert!((19..=21).contains(&within(20, 31)), "{times:?}");
        assert_eq!(times.last().map(|at| *at <= 30_000_000), Some(true), "a rate of 0 at the end ends it");
    }
}
