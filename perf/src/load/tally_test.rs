use super::super::plan::with_plan;
use super::*;
use std::sync::mpsc::{Receiver, sync_channel};

const MS: u64 = 1_000_000;

/// A tally of a publish that warms up for 0.5 s and measures for 1.5 s.
fn tally(pace: &str, test: impl FnOnce(Tally, Receiver<Window>)) {
    let table = format!("kind = \"publish\"\nduration = 1.5\nwarmup = 0.5\n{pace}");
    with_plan(&table, |plan| {
        let (windows, receiver) = sync_channel(100);
        test(Tally::new(plan, 0, windows), receiver);
    });
}

fn end_at(tally: &mut Tally, now: u64, intended: u64) {
    tally.advance(now);
    tally.finished(intended, 10);
}

#[test]
fn a_closed_loop_counts_what_ends_within_the_measured_part() {
    tally("in_flight = 1", |mut tally, _receiver| {
        for (now, intended) in [(499, 400), (500, 499), (1999, 1000), (2000, 1999)] {
            end_at(&mut tally, now * MS, intended * MS);
        }
        let totals = tally.conclude();
        assert_eq!((totals.operations, totals.bytes, totals.latency.len()), (2, 20, 2));
        assert_eq!((totals.start, totals.end), (500 * MS, 2000 * MS));
        assert!(totals.latency.max() >= 999 * MS);
    });
}

#[test]
fn an_open_loop_has_the_latency_of_what_was_to_start_within_the_measured_part() {
    tally("rate = 10", |mut tally, _receiver| {
        for (now, intended) in [(600, 499), (700, 500), (5000, 1999), (5000, 2000)] {
            end_at(&mut tally, now * MS, intended * MS);
        }
        tally.never_ended("unanswered", 1500 * MS);
        let totals = tally.conclude();
        assert_eq!(totals.operations, 2, "those that ended in time make the rate");
        assert_eq!(
            totals.latency.len(),
            3,
            "those that were to start in time have a latency, one of them a lower bound"
        );
        assert!(totals.latency.max() >= 3500 * MS);
        assert_eq!(totals.errors["unanswered"], 1);
    });
}

#[test]
fn windows_are_cut_at_seconds_of_the_measured_part_and_at_its_end() {
    tally("in_flight = 1", |mut tally, receiver| {
        for now in [100, 600, 1600, 1999, 2100, 3050] {
            end_at(&mut tally, now * MS, 0);
        }
        tally.conclude();
        let windows: Vec<_> =
            receiver.iter().map(|w| (w.at, w.draining, w.from / MS, w.to / MS, w.operations)).collect();
        assert_eq!(
            windows,
            [
                (-1, false, 0, 500, 1),
                (0, false, 500, 1500, 1),
                (1, false, 1500, 2000, 2),
                (2, true, 2000, 3000, 1),
                (3, true, 3000, 3050, 1),
            ]
        );
    });
}

#[test]
fn an_early_end_shortens_the_measured_part() {
    tally("in_flight = 1", |mut tally, receiver| {
        end_at(&mut tally, 900 * MS, 800 * MS);
        tally.advance(1000 * MS);
        tally.end_now();
        end_at(&mut tally, 1100 * MS, 800 * MS);
        let totals = tally.conclude();
        assert_eq!((totals.operations, totals.end), (1, 1000 * MS));
        assert_eq!(
            receiver.iter().filter(|window| window.draining).map(|window| window.operations).sum::<u64>(),
            1
        );
    });
}

#[test]
fn a_sequence_that_a_refused_or_unanswered_publish_may_have_taken_is_not_missing() {
    for (kind, missing) in
        [("refused", None), ("refused (10077)", None), ("unanswered", None), ("wrong answer", Some(&1))]
    {
        with_plan("kind = \"publish\"\ncount = 2", |plan| {
            let (windows, _receiver) = sync_channel(9);
            let mut tally = Tally::new(plan, 0, windows);
            assert!(tally.acked(0, 2, 0));
            tally.error(kind, || kind.into());
            let mut totals = tally.conclude();
            totals.conclude(plan, 0, false);
            assert_eq!(totals.errors.get("sequence missing"), missing, "{kind}");
        });
    }
}

#[test]
fn an_end_within_the_warm_up_measures_nothing() {
    tally("in_flight = 1", |mut tally, _receiver| {
        end_at(&mut tally, 100 * MS, 50 * MS);
        tally.end_now();
        end_at(&mut tally, 800 * MS, 50 * MS);
        let totals = tally.conclude();
        assert_eq!((totals.operations, totals.latency.len(), totals.end - totals.start), (0, 0, 0));
    });
}

#[test]
fn only_the_generators_own_lateness_is_recorded() {
    tally("rate = 10", |mut tally, _receiver| {
        tally.advance(1000 * MS);
        tally.started(Some(3 * MS));
        tally.started(None);
        let totals = tally.conclude();
        assert_eq!((totals.started, totals.lateness.len()), (2, 1));
    });
}
