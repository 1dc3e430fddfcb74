//! Rounds: every server in turn, the same load, A B A B; what was disturbed is done again, a bounded number of times.

use super::plan::Plan;
use crate::failure::Failure;
use crate::measured::{Measured, Validity};
use crate::workload::Workload;
use serde::Serialize;

/// All runs of a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Rounds {
    pub loads: Vec<LoadRuns>,
    pub interrupted: bool,
}

/// All runs of one load.
#[derive(Clone, Debug, Serialize)]
pub struct LoadRuns {
    pub name: String,
    pub workload: Workload,
    /// By server, in the plan's order.
    pub servers: Vec<ServerRuns>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct ServerRuns {
    /// One for each round; None: that round has none.
    pub runs: Vec<Option<Run>>,
    /// Runs that were thrown away and done again.
    pub repeated: u32,
    /// Why there are no further runs.
    #[serde(serialize_with = "sentence")]
    pub failure: Option<Failure>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Run {
    pub measured: Measured,
    /// Cores that other processes used meanwhile.
    pub other_cores: f64,
    /// Too much of the machine was used by others, in the last attempt too.
    pub disturbed: bool,
}

/// One run of a load on a server of the plan: its result, and the cores that others used.
pub type Bench<'a> = dyn FnMut(usize, &Workload) -> Result<(Measured, f64), Failure> + 'a;

/// Runs for one round of one server, the last of which counts.
const ATTEMPTS_MAX: u32 = 3;

/// Runs everything. `told` hears of each run in a line.
pub fn run(plan: &Plan, bench: &mut Bench<'_>, told: &mut dyn FnMut(&str)) -> Rounds {
    let mut rounds = Rounds { loads: Vec::new(), interrupted: false };
    for load in &plan.loads {
        let servers = vec![ServerRuns::default(); plan.servers.len()];
        rounds.loads.push(LoadRuns { name: load.name.clone(), workload: load.workload.clone(), servers });
    }
    for load in &mut rounds.loads {
        for round in 1..=plan.rounds {
            for (n, server) in plan.servers.iter().enumerate() {
                let runs = &mut load.servers[n];
                if runs.failure.is_some() || server.skip.contains(&load.name) {
                    runs.runs.push(None);
                    continue;
                }
                let place = format!("{}, round {round} of {}, {}", load.name, plan.rounds, server.name);
                let run = runs.attempt(&load.workload, n, plan.disturbance_max, bench, &mut |text| {
                    told(&format!("{place}: {text}"));
                });
                runs.runs.push(run);
                if runs.failure == Some(Failure::Interrupted) {
                    rounds.interrupted = true;
                    return rounds;
                }
            }
        }
    }
    rounds
}

impl Rounds {
    /// Why a server has no figures for a load, the first time that this is so. What a server was spared is missing rightly.
    pub fn failure(&self) -> Option<Failure> {
        let mut sides = self.loads.iter().flat_map(|load| load.servers.iter().map(move |side| (load, side)));
        sides.find_map(|(load, side)| {
            let invalid = side.runs.iter().flatten().find_map(|run| match &run.measured.validity {
                Validity::Invalid(why) => Some(why),
                Validity::Valid => None,
            });
            let none_valid = invalid.filter(|_| side.valid().next().is_none());
            let without_figures = none_valid.map(|why| Failure::InvalidRun(format!("{}: {why}", load.name)));
            side.failure.clone().or(without_figures)
        })
    }
}

impl ServerRuns {
    /// Tries until nothing disturbs, or for the last time.
    fn attempt(
        &mut self,
        workload: &Workload,
        server: usize,
        disturbance_max: f64,
        bench: &mut Bench<'_>,
        told: &mut dyn FnMut(&str),
    ) -> Option<Run> {
        for attempt in 1..=ATTEMPTS_MAX {
            let (measured, other_cores) = match bench(server, workload) {
                Ok((measured, _)) if measured.interrupted => {
                    self.failure = Some(Failure::Interrupted);
                    return None;
                }
                Ok(result) => result,
                Err(failure) => {
                    told(&failure.to_string());
                    self.failure = Some(failure);
                    return None;
                }
            };
            if let Err(failure @ (Failure::VerificationFailed(_) | Failure::Faults(_))) = measured.verdict() {
                // The figures of a server that makes mistakes are worth nothing, and repeating does not mend them.
                told(&failure.to_string());
                self.failure = Some(failure);
                return None;
            }
            let disturbed = other_cores > disturbance_max;
            let reason = match &measured.validity {
                _ if disturbed => format!("disturbed: others used {other_cores:.2} cores"),
                Validity::Invalid(why) => format!("invalid: {why}"),
                Validity::Valid => String::new(),
            };
            if reason.is_empty() || attempt == ATTEMPTS_MAX {
                told(format!("{:.0}/s {reason}", measured.rate()).trim_end());
                return Some(Run { measured, other_cores, disturbed });
            }
            told(&format!("{reason}; once more"));
            self.repeated += 1;
        }
        None
    }

    /// One value for each round; not a number where there is none or where the run is invalid.
    pub fn values(&self, value: impl Fn(&Measured) -> Option<f64>) -> Vec<f64> {
        let of = |run: &Option<Run>| {
            let measured = run.as_ref().map(|run| &run.measured)?;
            (measured.validity == Validity::Valid).then(|| value(measured)).flatten()
        };
        self.runs.iter().map(|run| of(run).unwrap_or(f64::NAN)).collect()
    }

    /// Runs whose figures count.
    pub fn valid(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().flatten().filter(|run| run.measured.validity == Validity::Valid)
    }
}

fn sentence<S: serde::Serializer>(failure: &Option<Failure>, serializer: S) -> Result<S::Ok, S::Error> {
    failure.as_ref().map(Failure::to_string).serialize(serializer)
}

#[cfg(test)]
#[path = "rounds_test.rs"]
mod tests;
