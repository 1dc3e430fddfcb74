//! Where the knee is: doubles the rate until the objectives fail, then halves what lies between. Decides only; running is
//! somebody else's.

use serde::Serialize;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    /// Operations per second of the first run.
    pub start: f64,
    /// Never exceeded.
    pub ceiling: f64,
    pub runs_max: u32,
    /// No run starts after it.
    pub time_max: Duration,
    /// The search ends when the highest good rate and the lowest bad one are no further apart than this share.
    pub precision: f64,
}

/// Of a run at some rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Holds,
    Fails,
    /// The generator was late: this rate says nothing about the server.
    Unreachable,
}

/// Why a search is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The knee is enclosed as nearly as was asked for.
    Enclosed,
    /// It is the generator that ends there: nearly enclosed, but by a rate that it could not offer.
    Generator,
    /// The objectives hold at the ceiling.
    Ceiling,
    /// They fail even at the lowest rate that is tried.
    Floor,
    Runs,
    Time,
    /// Stopped from outside.
    Stopped,
}

/// A search under way. `next` asks for a run, `record` takes its outcome, until `next` gives none.
#[derive(Clone, Debug)]
pub struct Search {
    bounds: Bounds,
    runs: u32,
    /// Highest rate that held.
    low: Option<f64>,
    /// Lowest rate that did not, and why.
    high: Option<(f64, Outcome)>,
    /// A rate at which the generator was late once; it may have been a moment's disturbance.
    late: Option<f64>,
}

/// How far below the start a search gives up.
const FLOOR: f64 = 1024.0;
/// The same where it is only the generator that is late.
const GENERATOR_FLOOR: f64 = 8.0;

impl Search {
    pub fn new(bounds: Bounds) -> Search {
        Search { bounds, runs: 0, low: None, high: None, late: None }
    }

    /// The rate of the next run, or why there is none. `elapsed`: since the search began.
    pub fn next(&self, elapsed: Duration) -> Result<f64, End> {
        let floor = match self.high {
            Some((_, Outcome::Unreachable)) => self.bounds.start / GENERATOR_FLOOR,
            _ => self.bounds.start / FLOOR,
        };
        let chosen = match (self.low, self.high) {
            (None, None) => self.bounds.start,
            (Some(low), None) if low >= self.bounds.ceiling => return Err(End::Ceiling),
            (Some(low), None) => (low * 2.0).min(self.bounds.ceiling),
            (None, Some((high, Outcome::Unreachable))) if high <= floor => return Err(End::Generator),
            (None, Some((high, _))) if high <= floor => return Err(End::Floor),
            (None, Some((high, _))) => high / 2.0,
            (Some(low), Some((high, outcome))) if high <= low * (1.0 + self.bounds.precision) => {
                return Err(if outcome == Outcome::Unreachable { End::Generator } else { End::Enclosed });
            }
            (Some(low), Some((high, _))) => (low + high) / 2.0,
        };
        match (self.runs >= self.bounds.runs_max, elapsed >= self.bounds.time_max) {
            (true, _) => Err(End::Runs),
            (_, true) => Err(End::Time),
            _ => Ok(self.late.unwrap_or(chosen)),
        }
    }

    /// Takes what a run at the rate of `next` said. A late generator counts only when it is late twice.
    pub fn record(&mut self, rate: f64, outcome: Outcome) {
        self.runs += 1;
        let was_late = self.late.take().is_some();
        match outcome {
            Outcome::Unreachable if !was_late => self.late = Some(rate),
            Outcome::Holds => self.low = Some(rate),
            bad => self.high = Some((rate, bad)),
        }
    }

    /// The highest rate at which the objectives held.
    pub fn knee(&self) -> Option<f64> {
        self.low
    }

    /// The lowest rate at which they did not, or which could not be offered.
    pub fn beyond(&self) -> Option<(f64, Outcome)> {
        self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> Bounds {
        Bounds {
            start: 1000.0,
            ceiling: 1e8,
            runs_max: 40,
            time_max: Duration::from_secs(600),
            precision: 0.02,
        }
    }

    /// A server whose objectives hold up to `capacity`, driven by a generator that reaches `reach`; a run takes 10 s.
    fn search(bounds: Bounds, capacity: f64, reach: f64) -> (Search, End, Vec<f64>) {
        let mut search = Search::new(bounds);
        let mut rates = Vec::new();
        loop {
            match search.next(Duration::from_secs(10 * rates.len() as u64)) {
                Err(end) => return (search, end, rates),
                Ok(rate) => {
                    rates.push(rate);
                    search.record(
                        rate,
                        match rate {
                            rate if rate > reach => Outcome::Unreachable,
                            rate if rate > capacity => Outcome::Fails,
                            _ => Outcome::Holds,
                        },
                    );
                }
            }
        }
    }

    #[test]
    fn the_knee_is_enclosed_wherever_it_is() {
        for capacity in [3.0, 999.0, 1000.0, 1001.0, 54_321.0, 2_345_678.0] {
            let (search, end, rates) = search(bounds(), capacity, 1e9);
            let knee = search.knee().unwrap();
            assert_eq!(end, End::Enclosed, "{capacity}");
            assert!(knee <= capacity && capacity <= knee * 1.0201, "{capacity}: {knee} after {rates:?}");
            assert!(rates.len() < 30);
        }
    }

    #[test]
    fn it_doubles_first_and_halves_then() {
        let (_, _, rates) = search(bounds(), 5000.0, 1e9);
        assert_eq!(rates[..6], [1000.0, 2000.0, 4000.0, 8000.0, 6000.0, 5000.0]);
    }

    #[test]
    fn a_rate_that_the_generator_does_not_reach_is_not_held_against_the_server() {
        let (search, end, _) = search(bounds(), 1e9, 30_000.0);
        assert_eq!(end, End::Generator);
        assert!(matches!(search.beyond(), Some((_, Outcome::Unreachable))));
        assert!(search.knee().unwrap() <= 30_000.0);
    }

    #[test]
    fn a_moment_of_lateness_is_tried_again() {
        let mut search = Search::new(bounds());
        search.record(1000.0, Outcome::Unreachable);
        assert_eq!(search.next(Duration::ZERO), Ok(1000.0));
        search.record(1000.0, Outcome::Holds);
        assert_eq!(search.next(Duration::ZERO), Ok(2000.0));
    }

    #[test]
    fn a_generator_that_is_always_late_ends_it_soon() {
        let (search, end, rates) = search(bounds(), 1e9, 0.0);
        assert_eq!((search.knee(), end, rates.len()), (None, End::Generator, 8));
    }

    #[test]
    fn every_bound_ends_it() {
        let end = |bounds, capacity| search(bounds, capacity, 1e9).1;
        assert_eq!(end(Bounds { runs_max: 4, ..bounds() }, 50_000.0), End::Runs);
        assert_eq!(end(Bounds { time_max: Duration::from_secs(35), ..bounds() }, 50_000.0), End::Time);
        assert_eq!(end(Bounds { ceiling: 3000.0, ..bounds() }, 50_000.0), End::Ceiling);
        assert_eq!(end(bounds(), 0.0), End::Floor);
    }
}
