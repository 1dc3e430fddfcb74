//! The search for the highest rate at which the objectives hold, with a run at each rate that it asks for.

use super::objective::{Goal, Objective};
use super::search::{Bounds, End, Outcome, Search};
use super::then::After;
use super::verdict::Verdict;
use super::{Runner, SloFile};
use crate::failure::Failure;
use crate::measured::{Measured, Validity};
use crate::workload::Workload;
use serde::Serialize;
use std::time::Duration;

/// What a search found.
#[derive(Clone, Debug, Serialize)]
pub struct KneeResult {
    /// Operations started per second; None: no rate held.
    pub knee: Option<f64>,
    /// The lowest rate that did not hold.
    pub beyond: Option<(f64, Outcome)>,
    pub end: End,
    /// In the order of the runs.
    pub curve: Vec<CurvePoint>,
    pub objectives: Vec<Objective>,
    /// The run after the search, if the file asks for one.
    pub then: Option<After>,
    /// The run at the knee.
    #[serde(skip)]
    pub best: Option<Measured>,
    /// What ended the search before its time.
    #[serde(skip)]
    pub failure: Option<Failure>,
}

/// One run of a search.
#[derive(Clone, Debug, Serialize)]
pub struct CurvePoint {
    /// Operations started per second, as asked for.
    pub rate: f64,
    /// Operations that ended per second.
    pub reached: f64,
    pub p50_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
    pub errors: u64,
    pub outcome: Outcome,
    /// What did not hold, or why the run says nothing.
    pub why: String,
}

/// Share of the offered rate that has to be carried, whatever the file says of rates: a rate of its own would hold at all
/// rates above it or at none.
const CARRIED: f64 = 0.99;

/// Searches, and then runs what the file asks for at a share of the knee. `elapsed` tells the time since the search began; `told` hears of each run's end.
pub fn search(
    file: &SloFile,
    bounds: Bounds,
    run: &mut Runner<'_>,
    elapsed: &mut dyn FnMut() -> Duration,
    told: &mut dyn FnMut(&CurvePoint),
) -> KneeResult {
    let objectives = objectives(&file.objectives);
    let mut search = Search::new(bounds);
    let mut curve = Vec::new();
    let mut best = None;
    let (end, mut failure) = loop {
        let rate = match search.next(elapsed()) {
            Ok(rate) => rate,
            Err(end) => break (end, None),
        };
        let workload = file.workload.at_rate(rate);
        let point = match run(&workload) {
            Ok(measured) if measured.interrupted => break (End::Stopped, Some(Failure::Interrupted)),
            Ok(measured) => {
                if let Err(failure @ Failure::VerificationFailed(_)) = measured.verdict() {
                    break (End::Stopped, Some(failure));
                }
                let point = judged(rate, &objectives, &workload, &measured);
                if point.outcome == Outcome::Holds {
                    best = Some(measured);
                }
                point
            }
            // A server that breaks under a load does not hold it; if it stays away, the next run ends the search.
            Err(Failure::Lost(why)) => CurvePoint {
                rate,
                reached: 0.0,
                p50_ns: 0,
                p99_ns: 0,
                p999_ns: 0,
                errors: 0,
                outcome: Outcome::Fails,
                why: format!("the server was lost: {why}"),
            },
            Err(failure) => break (End::Stopped, Some(failure)),
        };
        told(&point);
        search.record(rate, point.outcome);
        curve.push(point);
    };
    let mut then = None;
    if let (Some(asked), Some(knee), None) = (&file.then, search.knee(), &failure) {
        match asked.run(&file.workload, knee, run) {
            Ok(after) => then = Some(after),
            Err(error) => failure = Some(error),
        }
    }
    KneeResult { knee: search.knee(), beyond: search.beyond(), end, curve, objectives, then, best, failure }
}

fn judged(rate: f64, objectives: &[Objective], workload: &Workload, measured: &Measured) -> CurvePoint {
    let verdict = Verdict::of(objectives, workload, measured);
    let missed = verdict.points.iter().filter(|point| !point.holds);
    let (outcome, why) = match &measured.validity {
        Validity::Invalid(why) => (Outcome::Unreachable, why.clone()),
        Validity::Valid if verdict.holds() => (Outcome::Holds, String::new()),
        Validity::Valid => (
            Outcome::Fails,
            missed.map(|point| point.objective.goal.to_string()).collect::<Vec<_>>().join(", "),
        ),
    };
    let at = |share| measured.latency.value_at_quantile(share);
    CurvePoint {
        rate,
        reached: measured.rate(),
        p50_ns: at(0.5),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        errors: measured.error_count(),
        outcome,
        why,
    }
}

fn objectives(stated: &[Objective]) -> Vec<Objective> {
    let mut objectives = stated.to_vec();
    let rates = objectives.iter_mut().filter(|objective| matches!(objective.goal, Goal::Rate(_)));
    rates.for_each(|objective| objective.goal = Goal::RateOfOffered(CARRIED));
    if !objectives.iter().any(|objective| matches!(objective.goal, Goal::RateOfOffered(_))) {
        objectives.insert(0, Objective { goal: Goal::RateOfOffered(CARRIED), windows: None });
    }
    objectives
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::measured;
    use crate::slo::{Then, parse};
    use crate::toml_file::Text;
    use crate::workload::Pace;

    fn file() -> SloFile {
        let text = "[workload]\nkind = \"publish\"\nrate = 1000\n[objectives]\nrate = 500\np99 = \"20ms\"\n";
        parse(&Text::new("x.toml", text), &|| None).unwrap()
    }

    fn bounds(runs_max: u32) -> Bounds {
        Bounds { start: 1000.0, ceiling: 1e6, runs_max, time_max: Duration::from_secs(60), precision: 0.05 }
    }

    fn rate_of(workload: &Workload) -> f64 {
        match workload.pace {
            Pace::Open { rate, .. } => rate,
            Pace::Closed { .. } => panic!("a search is an open loop"),
        }
    }

    /// A queue in front of a server that carries 50,000 a second, each within 100 µs when it is alone.
    fn model(workload: &Workload) -> Measured {
        let load = rate_of(workload) / 50_000.0;
        match load < 1.0 {
            true => measured(&[(rate_of(workload) as u64, (100.0 / (1.0 - load)) as u64); 3]),
            false => measured(&[(50_000, 1_000_000); 3]),
        }
    }

    fn find(run: &mut Runner<'_>, runs_max: u32) -> KneeResult {
        search(&file(), bounds(runs_max), run, &mut || Duration::ZERO, &mut |_| {})
    }

    #[test]
    fn the_knee_of_a_queue_is_found_and_its_run_kept() {
        let result = find(&mut |workload| Ok(model(workload)), 30);
        let knee = result.knee.unwrap();
        assert_eq!(result.end, End::Enclosed);
        assert!((47_000.0..50_000.0).contains(&knee), "{knee}");
        assert!((result.best.unwrap().rate() - knee).abs() < 1.0);
        let worst = result.curve.iter().max_by(|a, b| a.rate.total_cmp(&b.rate)).unwrap();
        assert_eq!(worst.outcome, Outcome::Fails);
        assert!(worst.why.contains("99 % of what is offered") && worst.why.contains("p99"), "{}", worst.why);
    }

    #[test]
    fn a_share_of_the_knee_is_run_when_the_search_is_over() {
        let objectives = Then { share: 0.5, objectives: file().objectives };
        let file = SloFile { then: Some(objectives), ..file() };
        let mut rates = Vec::new();
        let mut run = |workload: &Workload| {
            rates.push(rate_of(workload));
            Ok(model(workload))
        };
        let result = search(&file, bounds(30), &mut run, &mut || Duration::ZERO, &mut |_| {});
        let after = result.then.unwrap();
        assert_eq!(Some(after.rate), result.knee.map(|knee| knee / 2.0));
        assert_eq!((rates.last(), rates.len()), (Some(&after.rate), result.curve.len() + 1));
        assert_eq!(after.judged.outcome(), Ok(true));
        let mut lost = |_: &Workload| Err(Failure::Unreachable("it".into()));
        let result = search(&file, bounds(30), &mut lost, &mut || Duration::ZERO, &mut |_| {});
        assert!(result.then.is_none() && result.knee.is_none());
    }

    #[test]
    fn a_late_generator_ends_the_search_and_not_the_server() {
        let mut run = |workload: &Workload| {
            let mut measured = model(workload);
            if rate_of(workload) > 10_000.0 {
                measured.validity = Validity::Invalid("3 ms late".into());
            }
            Ok(measured)
        };
        let result = find(&mut run, 30);
        assert_eq!(result.end, End::Generator);
        assert!(result.knee.unwrap() <= 10_000.0);
        assert!(result.curve.iter().all(|point| point.outcome != Outcome::Fails));
    }

    #[test]
    fn what_ends_a_search_early_leaves_the_curve_so_far() {
        let mut runs = 0;
        let mut run = |workload: &Workload| {
            runs += 1;
            if runs == 3 { Err(Failure::Unreachable("it".into())) } else { Ok(model(workload)) }
        };
        let result = find(&mut run, 30);
        assert_eq!((result.curve.len(), result.end, result.knee), (2, End::Stopped, Some(2000.0)));
        assert_eq!(result.failure, Some(Failure::Unreachable("it".into())));
    }

    #[test]
    fn a_server_that_breaks_under_a_load_does_not_hold_it() {
        let mut run = |workload: &Workload| match rate_of(workload) > 3000.0 {
            true => Err(Failure::Lost("gone".into())),
            false => Ok(model(workload)),
        };
        let result = find(&mut run, 30);
        assert_eq!(result.end, End::Enclosed);
        assert!((2850.0..=3000.0).contains(&result.knee.unwrap()), "{:?}", result.knee);
    }

    #[test]
    fn an_interrupted_run_is_no_point_of_the_curve() {
        let mut run = |workload: &Workload| Ok(Measured { interrupted: true, ..model(workload) });
        let result = find(&mut run, 30);
        assert_eq!((result.curve.len(), result.knee, result.failure), (0, None, Some(Failure::Interrupted)));
    }
}
