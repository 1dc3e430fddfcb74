//! What a server has to reach, one figure at a time.

use crate::units;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Objective {
    #[serde(flatten)]
    pub goal: Goal,
    /// How many windows have to reach it; None: the run as a whole does.
    pub windows: Option<Windows>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "goal", content = "limit")]
pub enum Goal {
    /// Operations per second, at least.
    Rate(f64),
    /// The same as a share of what an open loop offers.
    RateOfOffered(f64),
    /// At most.
    Latency(Percentile, Duration),
    /// Errors of any kind, at most.
    Errors(u64),
    /// The same as a share of all operations.
    ErrorShare(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Percentile {
    P50,
    P90,
    P99,
    P999,
    P9999,
    Max,
}

/// So many of so many windows; a run with another number of windows is held to the same share, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Windows {
    pub good: u32,
    pub of: u32,
    /// Whole seconds of a window.
    pub seconds: u32,
}

impl Percentile {
    /// Share of operations that are no slower; 1 is the maximum.
    pub fn share(self) -> f64 {
        match self {
            Percentile::P50 => 0.5,
            Percentile::P90 => 0.9,
            Percentile::P99 => 0.99,
            Percentile::P999 => 0.999,
            Percentile::P9999 => 0.9999,
            Percentile::Max => 1.0,
        }
    }
}

impl Windows {
    /// Windows of `count` that have to be good.
    pub fn needed(self, count: usize) -> usize {
        (count as u64 * u64::from(self.good)).div_ceil(u64::from(self.of)) as usize
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Percentile::P50 => "p50",
            Percentile::P90 => "p90",
            Percentile::P99 => "p99",
            Percentile::P999 => "p99.9",
            Percentile::P9999 => "p99.99",
            Percentile::Max => "max",
        })
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::Rate(rate) => write!(f, "rate ≥ {}/s", units::number(*rate)),
            Goal::RateOfOffered(share) => {
                write!(f, "rate ≥ {} % of what is offered", units::number(share * 100.0))
            }
            Goal::Latency(percentile, limit) => {
                write!(f, "{percentile} ≤ {}", units::nanoseconds(limit.as_nanos() as f64))
            }
            Goal::Errors(count) => write!(f, "errors ≤ {count}"),
            Goal::ErrorShare(share) => write!(f, "errors ≤ {} %", units::number(share * 100.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_windows_is_rounded_against_the_server() {
        let windows = Windows { good: 95, of: 100, seconds: 1 };
        assert_eq!((windows.needed(100), windows.needed(30), windows.needed(1)), (95, 29, 1));
    }
}
