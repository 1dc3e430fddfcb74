use super::super::plan::with_plan;
use super::*;

const SECOND: u64 = 1_000_000_000;

fn seen(now: u64) -> Seen {
    Seen { now, end: 2 * SECOND, started_all: false, is_behind: false, progress: 0 }
}

fn ending(table: &str, test: impl FnOnce(&Shared, Ending<'_>)) {
    with_plan(table, |plan| {
        let shared = Shared::new(plan);
        test(&shared, Ending::new(plan, &shared));
    });
}

#[test]
fn a_timed_load_drains_after_its_end_until_nothing_is_open() {
    ending("kind = \"publish\"\nduration = 1", |shared, mut ending| {
        shared.add_open(1);
        assert_eq!(ending.advance(seen(SECOND)), Phase::Running);
        assert_eq!(ending.advance(seen(2 * SECOND)), Phase::Draining);
        shared.add_open(-1);
        assert_eq!(ending.advance(Seen { is_behind: true, ..seen(2 * SECOND) }), Phase::Draining);
        assert_eq!(ending.advance(seen(2 * SECOND)), Phase::Over);
    });
}

#[test]
fn answers_that_do_not_come_are_given_up() {
    ending("kind = \"publish\"\nduration = 1", |shared, mut ending| {
        shared.add_open(1);
        assert_eq!(ending.advance(seen(2 * SECOND)), Phase::Draining);
        assert_eq!(ending.advance(seen(7 * SECOND)), Phase::Draining);
        assert_eq!(ending.advance(seen(7 * SECOND + 1)), Phase::Over);
    });
}

#[test]
fn a_queue_is_waited_for_as_long_as_it_shrinks_and_no_longer_than_a_minute() {
    ending("kind = \"publish\"\nduration = 1", |shared, mut ending| {
        shared.add_open(1000);
        assert_eq!(ending.advance(seen(2 * SECOND)), Phase::Draining);
        for second in 3..=62 {
            assert_eq!(ending.advance(Seen { progress: second, ..seen(second * SECOND) }), Phase::Draining);
        }
        assert_eq!(ending.advance(Seen { progress: 63, ..seen(63 * SECOND) }), Phase::Over);
    });
}

#[test]
fn an_open_loop_does_not_wait_for_a_backlog() {
    ending("kind = \"publish\"\nrate = 1000\nduration = 1", |shared, mut ending| {
        shared.add_open(1000);
        assert_eq!(ending.advance(seen(2 * SECOND)), Phase::Draining);
        assert_eq!(ending.advance(Seen { progress: 1, ..seen(7 * SECOND) }), Phase::Draining);
        assert_eq!(ending.advance(Seen { progress: 2, ..seen(7 * SECOND + 1) }), Phase::Over);
    });
}

#[test]
fn a_count_is_waited_for_as_long_as_something_moves() {
    ending("kind = \"publish\"\ncount = 9", |shared, mut ending| {
        shared.add_open(9);
        let seen = |now, progress| Seen { started_all: true, progress, ..seen(now) };
        assert_eq!(ending.advance(seen(SECOND, 1)), Phase::Draining);
        assert_eq!(ending.advance(seen(20 * SECOND, 2)), Phase::Draining);
        assert_eq!(ending.advance(seen(25 * SECOND, 2)), Phase::Draining);
        assert_eq!(ending.advance(seen(25 * SECOND + 1, 2)), Phase::Over);
    });
}

#[test]
fn a_load_in_which_nothing_moves_at_all_ends() {
    ending("kind = \"publish\"\ncount = 9", |_, mut ending| {
        assert_eq!(ending.advance(seen(30 * SECOND)), Phase::Running);
        assert_eq!(ending.advance(seen(30 * SECOND + 1)), Phase::Over);
    });
}

#[test]
fn a_stop_shortens_the_wait() {
    ending("kind = \"publish\"\nduration = 600", |shared, mut ending| {
        shared.add_open(1);
        assert!(!ending.notices_stop(SECOND));
        shared.stop();
        assert!(ending.notices_stop(SECOND) && !ending.notices_stop(SECOND));
        assert_eq!(ending.advance(seen(SECOND)), Phase::Draining);
        assert_eq!(ending.advance(seen(2 * SECOND)), Phase::Draining);
        assert_eq!(ending.advance(seen(2 * SECOND + 1)), Phase::Over);
    });
}

#[test]
fn a_consumed_stream_ends_the_load() {
    ending("kind = \"consume\"", |shared, mut ending| {
        assert_eq!(ending.advance(Seen { started_all: true, ..seen(SECOND) }), Phase::Running);
        shared.add_open(-10);
        assert_eq!(ending.advance(Seen { started_all: true, ..seen(SECOND) }), Phase::Over);
    });
}
