//! Verdicts and knees as documents.

use super::knee::{CurvePoint, KneeResult};
use super::search::{End, Outcome};
use super::then::After;
use super::verdict::Point;
use super::{Judged, SloFile};
use crate::document::{Document, Section, Table};
use crate::failure::Failure;
use crate::measured::Validity;
use crate::plot::{Axis, Lines, Mark, Plot, Point as Place, Scale, Series, Unit};
use crate::{runs, units};

/// The verdict on one run.
pub fn verdict(name: &str, file: &SloFile, judged: &Judged) -> Document {
    let measured = &judged.measured;
    let sentence = judgement(judged);
    let good = sentence.starts_with("PASS");
    Document {
        title: format!("{name}: {}", file.workload),
        verdict: Some((sentence, good)),
        sections: vec![objectives("Objectives", judged), runs::section("The run", measured)],
    }
}

fn judgement(judged: &Judged) -> String {
    let Judged { verdict, measured } = judged;
    let missed: Vec<String> = verdict
        .points
        .iter()
        .filter(|point| !point.holds)
        .map(|point| point.objective.goal.to_string())
        .collect();
    let count = verdict.points.len();
    match (&measured.validity, missed.is_empty()) {
        (Validity::Invalid(why), _) => format!("INVALID: {why}"),
        _ if measured.interrupted => "INTERRUPTED: no verdict on a part of a run".into(),
        (_, true) => format!("PASS: all {count} objectives hold"),
        (_, false) => format!("FAIL: {} of {count} objectives missed: {}", missed.len(), missed.join(", ")),
    }
}

fn objectives(heading: &str, judged: &Judged) -> Section {
    let Judged { verdict, measured } = judged;
    // What an invalid run reached says nothing.
    let counts = measured.validity == Validity::Valid;
    let mut table = Table::new(["Objective", "Measured", "Windows", "Verdict"]);
    for point in &verdict.points {
        let verdict = match (counts, point.holds) {
            (false, _) => "–",
            (true, true) => "PASS",
            (true, false) => "FAIL",
        };
        table.row([point.objective.goal.to_string(), point.measured_text(), windows(point), verdict.into()]);
    }
    Section { table: Some(table), ..Section::new(heading) }
}

fn windows(point: &Point) -> String {
    match (point.windows, point.objective.windows) {
        (Some(tally), Some(windows)) => format!(
            "{} of {} windows of {} s; {} needed",
            tally.met, tally.total, windows.seconds, tally.needed
        ),
        _ => "whole run".into(),
    }
}

/// What a search found, and the run at the knee.
pub fn knee(name: &str, file: &SloFile, result: &KneeResult) -> Document {
    let mut table =
        Table::new(["Offered/s", "Reached/s", "p50", "p99", "p99.9", "Errors", "Objectives", "Why"]);
    let mut points: Vec<&CurvePoint> = result.curve.iter().collect();
    points.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    for point in &points {
        let nanoseconds = |ns: u64| units::nanoseconds(ns as f64);
        table.row([
            units::number(point.rate.round()),
            units::number(point.reached.round()),
            nanoseconds(point.p50_ns),
            nanoseconds(point.p99_ns),
            nanoseconds(point.p999_ns),
            units::number(point.errors as f64),
            outcome(point.outcome).into(),
            point.why.clone(),
        ]);
    }
    let stated: Vec<String> = result.objectives.iter().map(|objective| objective.goal.to_string()).collect();
    let curve = Section {
        notes: vec![format!("Objectives: {}.", stated.join("; ")), end(result.end).into()],
        table: Some(table),
        plots: vec![curve(&points)],
        ..Section::new("Rates")
    };
    let best = result.best.as_ref().map(|measured| runs::section("The run at the knee", measured));
    let then = result.then.iter().flat_map(|after| {
        let place = place(after);
        let run = runs::section(&format!("The run at {place}"), &after.judged.measured);
        [objectives(&format!("Objectives at {place}"), &after.judged), run]
    });
    Document {
        title: format!(
            "{name}: knee: {}",
            result.knee.map_or(file.workload.clone(), |rate| file.workload.at_rate(rate))
        ),
        verdict: Some((sentence(result), is_good(result))),
        sections: std::iter::once(curve).chain(then).chain(best).collect(),
    }
}

fn place(after: &After) -> String {
    let (share, rate) = (units::number(after.share * 100.0), units::number(after.rate.round()));
    format!("{share} % of the knee ({rate}/s)")
}

/// The knee was found, and what follows it went well.
fn is_good(result: &KneeResult) -> bool {
    let then = result.then.as_ref().is_none_or(|after| after.judged.outcome() == Ok(true));
    result.knee.is_some() && result.failure.is_none() && then
}

fn sentence(result: &KneeResult) -> String {
    let rate = |rate: f64| format!("{}/s", units::number(rate.round()));
    let ended = match &result.failure {
        Some(Failure::Interrupted) => " (interrupted)".to_owned(),
        Some(failure) => format!(" (the search ended early: {failure})"),
        None => String::new(),
    };
    let found = match (result.knee, result.beyond) {
        (Some(knee), Some((beyond, Outcome::Unreachable))) => format!(
            "At least {}: the objectives hold there, and {} is more than this generator reaches",
            rate(knee),
            rate(beyond)
        ),
        (Some(knee), Some((beyond, _))) => {
            format!("Knee: {}: the objectives hold there and no longer at {}", rate(knee), rate(beyond))
        }
        (Some(knee), None) => format!("At least {}: the objectives hold there", rate(knee)),
        (None, Some((beyond, Outcome::Unreachable))) => {
            format!("No knee: this generator does not even reach {}", rate(beyond))
        }
        (None, Some((beyond, _))) => format!("No knee: the objectives do not even hold at {}", rate(beyond)),
        (None, None) => "No knee: no run was finished".into(),
    };
    let then = result
        .then
        .as_ref()
        .map_or(String::new(), |after| format!(". At {}: {}", place(after), judgement(&after.judged)));
    found + &ended + &then
}

/// As it stands in a table.
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Holds => "held",
        Outcome::Fails => "failed",
        Outcome::Unreachable => "not reached by this generator",
    }
}

fn end(end: End) -> &'static str {
    match end {
        End::Enclosed => "The search ended because the knee was enclosed as nearly as was asked for.",
        End::Generator => "The search ended where this generator does: it was late at the next rate.",
        End::Ceiling => "The search ended at the highest rate that was allowed.",
        End::Floor => "The search ended far below the first rate.",
        End::Runs => "The search ended with the last run that was allowed.",
        End::Time => "The search ended because its time was over.",
        End::Stopped => "The search was stopped.",
    }
}

fn curve(points: &[&CurvePoint]) -> Plot {
    let line = |name: &str, value: fn(&CurvePoint) -> u64| Series {
        name: name.into(),
        points: points
            .iter()
            .filter(|point| value(point) > 0 && point.outcome != Outcome::Unreachable)
            .map(|point| Place {
                x: point.rate,
                y: value(point) as f64,
                mark: if point.outcome == Outcome::Holds { Mark::Good } else { Mark::Bad },
            })
            .collect(),
    };
    Plot::Lines(Lines {
        title: "Latency by offered rate; dots: objectives hold, crosses: they do not".into(),
        x: Axis { label: "operations offered per second".into(), scale: Scale::Log, unit: Unit::Plain },
        y: Axis { label: "latency".into(), scale: Scale::Log, unit: Unit::Nanoseconds },
        series: vec![
            line("p50", |point| point.p50_ns),
            line("p99", |point| point.p99_ns),
            line("p99.9", |point| point.p999_ns),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::measured;
    use crate::slo::{judge, parse};
    use crate::toml_file::Text;

    fn file(p99: &str) -> SloFile {
        let text = format!(
            "[workload]\nkind = \"publish\"\nrate = 1000\n[objectives]\nin = \"2 of 3\"\np99 = \"{p99}\"\n"
        );
        parse(&Text::new("x.toml", text), &|| None).unwrap()
    }

    #[test]
    fn a_verdict_is_shown_point_by_point() {
        let file = file("500us");
        let judged = judge(&file, measured(&[(1000, 200); 3]));
        let text = verdict("x.toml", &file, &judged).text();
        assert!(text.contains("p99 ≤ 500 µs    200 µs  3 of 3 windows of 1 s; 2 needed  PASS"), "{text}");
        assert!(text.contains("errors ≤ 0           0  whole run"), "{text}");
        assert!(text.contains("\nPASS: all 2 objectives hold\n"), "{text}");
    }

    #[test]
    fn a_stricter_file_fails_and_says_what_is_missed() {
        let file = file("100us");
        let judged = judge(&file, measured(&[(1000, 200); 3]));
        let (sentence, good) = verdict("x.toml", &file, &judged).verdict.unwrap();
        assert_eq!(sentence, "FAIL: 1 of 2 objectives missed: p99 ≤ 100 µs");
        assert!(!good);
    }

    #[test]
    fn a_late_generator_leaves_no_verdict() {
        let file = file("500us");
        let mut run = measured(&[(1000, 200); 3]);
        run.validity = Validity::Invalid("late".into());
        assert_eq!(verdict("x", &file, &judge(&file, run)).verdict, Some(("INVALID: late".into(), false)));
    }
}
