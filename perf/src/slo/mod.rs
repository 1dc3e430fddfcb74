//! Verdicts: a workload and objectives from a file, judged point by point; and the highest rate at which they hold.
//! May import: document, failure, measured, plot, runner, toml_file, units, values, watch, workload.
//! Must not know: which server is driven, how a result is written to a file.

mod file;
mod objective;
mod search;
mod verdict;

pub use file::{Knee as KneeFlags, SloFile, parse};
pub use objective::{Goal, Objective, Percentile, Windows};
pub use search::{Bounds, End, Outcome, Search};
pub use verdict::{Point, Tally, Verdict};
