use super::*;
use crate::fixture::measured;
use std::time::Duration;

fn workload(toml: &str) -> Workload {
    Workload::from_toml(toml).unwrap()
}

fn judge(goal: Goal, windows: Option<Windows>, measured: &Measured) -> Point {
    let workload = workload("kind = \"publish\"\nrate = 1000");
    Verdict::of(&[Objective { goal, windows }], &workload, measured).points.remove(0)
}

fn latency(percentile: Percentile, micros: u64) -> Goal {
    Goal::Latency(percentile, Duration::from_micros(micros))
}

#[test]
fn an_objective_holds_up_to_its_limit_and_fails_beyond_it() {
    let run = measured(&[(1000, 200); 10]);
    let cases = [
        (Goal::Rate(1000.0), true),
        (Goal::Rate(1000.1), false),
        (Goal::RateOfOffered(1.0), true),
        (latency(Percentile::P50, 201), true),
        (latency(Percentile::P50, 199), false),
        (latency(Percentile::P90, 201), true),
        (latency(Percentile::P999, 1900), false),
        (latency(Percentile::P9999, 2002), true),
        (latency(Percentile::Max, 1900), false),
        (latency(Percentile::Max, 2002), true),
        (Goal::Errors(0), true),
    ];
    for (goal, holds) in cases {
        assert_eq!(judge(goal.clone(), None, &run).holds, holds, "{goal}");
    }
}

#[test]
fn one_bad_second_fails_the_run_and_not_the_windows() {
    let mut seconds = [(1000, 200); 20];
    seconds[7] = (1000, 90_000);
    let run = measured(&seconds);
    let p99 = latency(Percentile::P99, 500);
    assert!(!judge(p99.clone(), None, &run).holds);
    let most = judge(p99.clone(), Some(Windows { good: 95, of: 100, seconds: 1 }), &run);
    assert_eq!(most.windows, Some(Tally { met: 19, needed: 19, total: 20 }));
    assert!(most.holds);
    assert!(!judge(p99, Some(Windows { good: 100, of: 100, seconds: 1 }), &run).holds);
}

#[test]
fn a_window_of_two_seconds_is_as_bad_as_its_worse_one() {
    let mut seconds = [(1000, 200); 10];
    seconds[4] = (1000, 90_000);
    let tally = judge(
        latency(Percentile::P90, 500),
        Some(Windows { good: 1, of: 1, seconds: 2 }),
        &measured(&seconds),
    );
    assert_eq!(tally.windows, Some(Tally { met: 4, needed: 5, total: 5 }));
}

#[test]
fn a_second_in_which_nothing_ends_meets_nothing() {
    let mut run = measured(&[(1000, 200); 10]);
    run.series.retain(|second| second.at != 3);
    for goal in [Goal::Rate(900.0), latency(Percentile::P50, 500), Goal::RateOfOffered(0.9)] {
        let point = judge(goal, Some(Windows { good: 10, of: 10, seconds: 1 }), &run);
        assert_eq!(point.windows, Some(Tally { met: 9, needed: 10, total: 10 }));
        assert!(!point.holds);
    }
}

#[test]
fn what_ends_in_the_drain_is_no_throughput() {
    let mut run = measured(&[(1000, 200), (1000, 200), (0, 0), (5000, 900)]);
    run.series[3].draining = true;
    run.elapsed = Duration::from_secs(3);
    assert!(!judge(Goal::Rate(700.0), None, &run).holds);
    assert!(judge(Goal::Rate(666.0), None, &run).holds);
}

#[test]
fn errors_count_as_a_number_or_as_a_share() {
    let mut run = measured(&[(999, 200)]);
    run.errors.insert("wrong ack".into(), 1);
    assert!(!judge(Goal::Errors(0), None, &run).holds);
    assert!(judge(Goal::Errors(1), None, &run).holds);
    assert!(judge(Goal::ErrorShare(0.001), None, &run).holds);
    assert!(!judge(Goal::ErrorShare(0.0009), None, &run).holds);
}

#[test]
fn a_run_without_operations_reaches_nothing() {
    let point = judge(latency(Percentile::P99, 1_000_000), None, &measured(&[]));
    assert!(!point.holds);
    assert_eq!(point.measured_text(), "nothing ended");
}

#[test]
fn what_is_offered_counts_every_delivery() {
    let cases = [
        ("kind = \"publish\"\nrate = 100", 100.0),
        ("kind = \"pubsub\"\nrate = 100\nsubscribers = 16", 1600.0),
        ("kind = \"pubsub\"\nrate = 100\nsubscribers = 16\nqueue_groups = 2", 200.0),
        ("kind = \"request\"\nrate = 100\nresponders = 3", 100.0),
    ];
    for (toml, rate) in cases {
        assert_eq!(offered(&workload(toml), 10.0), Some(rate), "{toml}");
    }
    assert_eq!(offered(&workload("kind = \"publish\""), 10.0), None);
}

#[test]
fn what_comes_by_chance_is_not_held_against_a_server() {
    let poisson = workload("kind = \"publish\"\nrate = 100\narrivals = \"poisson\"");
    assert_eq!(offered(&poisson, 1.0), Some(70.0));
    assert_eq!(offered(&poisson, 100.0), Some(97.0));
}
