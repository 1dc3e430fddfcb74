//! Verdicts: a workload and objectives from a file, judged point by point; and the highest rate at which they hold.
//! May import: document, failure, measured, plot, runs, toml_file, units, values, workload.
//! Must not know: which server is driven, terminals, where results are written.

mod file;
mod knee;
mod limit;
mod objective;
mod search;
pub mod show;
mod then;
mod verdict;

pub use file::{Knee as KneeFlags, SloFile, parse};
pub use knee::{CurvePoint, KneeResult, search};
pub use limit::SyncTime;
pub use objective::{Goal, Objective, Percentile, Windows};
pub use search::{Bounds, End, Outcome};
pub use then::{After, Then};
pub use verdict::{Point, Tally, Verdict};

use crate::failure::Failure;
use crate::measured::Measured;
use crate::workload::Workload;
use serde::Serialize;

/// Puts a load on the server under test.
pub type Runner<'a> = dyn FnMut(&Workload) -> Result<Measured, Failure> + 'a;

/// A run and the verdict on it.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    pub verdict: Verdict,
    pub measured: Measured,
}

/// Holds a finished run against a file's objectives.
pub fn judge(file: &SloFile, measured: Measured) -> Judged {
    Judged { verdict: Verdict::of(&file.objectives, &file.workload, &measured), measured }
}

impl Judged {
    /// Whether the objectives hold. Errors: there can be no verdict.
    pub fn outcome(&self) -> Result<bool, Failure> {
        match self.measured.verdict() {
            // Errors are an objective's matter here.
            Ok(()) | Err(Failure::Faults(_)) if !self.measured.interrupted => Ok(self.verdict.holds()),
            Err(failure) => Err(failure),
            Ok(()) => Err(Failure::Interrupted),
        }
    }
}
