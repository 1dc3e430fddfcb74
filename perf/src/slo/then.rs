//! The run after a search, at a share of the knee: where a server is meant to work, with objectives of its own.

use super::objective::Objective;
use super::verdict::Verdict;
use super::{Judged, Runner};
use crate::failure::Failure;
use crate::measured::Validity;
use crate::workload::Workload;
use serde::Serialize;

/// What a file asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Then {
    /// Of the knee: above 0, at most 1.
    pub share: f64,
    pub objectives: Vec<Objective>,
}

/// What became of it.
#[derive(Clone, Debug, Serialize)]
pub struct After {
    pub share: f64,
    /// Operations started per second.
    pub rate: f64,
    pub workload: Workload,
    pub judged: Judged,
}

impl Then {
    /// Runs the load once; twice if the generator was late, as it may be by a moment's disturbance. Errors: those of the run.
    pub fn run(&self, workload: &Workload, knee: f64, run: &mut Runner<'_>) -> Result<After, Failure> {
        let rate = knee * self.share;
        let workload = workload.at_rate(rate);
        let mut measured = run(&workload)?;
        if !measured.interrupted && measured.validity != Validity::Valid {
            measured = run(&workload)?;
        }
        let verdict = Verdict::of(&self.objectives, &workload, &measured);
        Ok(After { share: self.share, rate, workload, judged: Judged { verdict, measured } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::measured;
    use crate::slo::parse;
    use crate::toml_file::Text;
    use std::time::Duration;

    /// At half of the knee a sync of 100 µs and 150 µs more are allowed; operations take 200 µs.
    fn then() -> (Then, Workload) {
        let text = "[workload]\nkind = \"publish\"\nrate = 9\n[objectives]\np99 = \"1s\"\n[then]\nat = \"50%\"\n\
                    [then.objectives]\np99 = \"1 sync + 150us\"\n";
        let file = parse(&Text::new("x.toml", text), &|| Some(Duration::from_micros(100))).unwrap();
        (file.then.unwrap(), file.workload)
    }

    #[test]
    fn it_runs_at_its_share_of_the_knee_and_is_held_against_its_own_objectives() {
        let (then, workload) = then();
        let after = then.run(&workload, 2000.0, &mut |_| Ok(measured(&[(1000, 200); 3]))).unwrap();
        assert_eq!((after.rate, after.judged.outcome()), (1000.0, Ok(true)));
        assert_eq!(after.workload, workload.at_rate(1000.0));
        let slower = then.run(&workload, 2000.0, &mut |_| Ok(measured(&[(1000, 300); 3]))).unwrap();
        assert_eq!(slower.judged.outcome(), Ok(false));
    }

    #[test]
    fn a_moment_of_lateness_is_tried_again_and_no_more() {
        let (then, workload) = then();
        let mut runs = 0;
        let late_until = |last: u32, runs: &mut u32| {
            *runs += 1;
            let mut run = measured(&[(1000, 200)]);
            if *runs <= last {
                run.validity = Validity::Invalid("late".into());
            }
            Ok(run)
        };
        let after = then.run(&workload, 2.0, &mut |_| late_until(1, &mut runs)).unwrap();
        assert_eq!((after.judged.outcome(), runs), (Ok(true), 2));
        runs = 0;
        let after = then.run(&workload, 2.0, &mut |_| late_until(9, &mut runs)).unwrap();
        assert_eq!((after.judged.outcome().unwrap_err().exit_code(), runs), (12, 2));
    }
}
