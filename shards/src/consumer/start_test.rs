use crate::consumer::config::{ConsumerConfig, DeliverPolicy};
use crate::consumer::fixture::*;
use crate::time::WallTime;

fn with(deliver_policy: DeliverPolicy, filters: &[&str]) -> ConsumerConfig {
    let filter_subjects = filters.iter().map(|&filter| filter.into()).collect();
    ConsumerConfig { deliver_policy, filter_subjects, ..explicit() }
}

fn delivered(bench: &mut Bench) -> Vec<u64> {
    bench.fetch("100", "r");
    bench.messages()
}

#[test]
fn all_starts_at_the_first_message() {
    let mut bench = Bench::filled(3, explicit());
    bench.stream.messages.remove(&1);
    let mut bench = Bench::over(bench.stream, bench.now, explicit());
    assert_eq!(bench.state(), ((0, 1), (0, 1), 0, 0));
    assert_eq!(delivered(&mut bench), [2, 3]);
}

#[test]
fn an_empty_stream_is_read_from_one() {
    for policy in [DeliverPolicy::All, DeliverPolicy::New, DeliverPolicy::Last] {
        let mut bench = Bench::filled(0, with(policy, &[]));
        assert_eq!(bench.state().0, (0, 0));
        bench.publish("s");
        assert_eq!(delivered(&mut bench), [1], "{policy:?}");
    }
}

#[test]
fn new_starts_after_the_last_message_also_over_a_restart() {
    let mut bench = Bench::filled(3, with(DeliverPolicy::New, &[]));
    assert_eq!(bench.state().0, (0, 3));
    (0..10).for_each(|_| _ = bench.publish("s"));
    bench.restart();
    assert_eq!(bench.info().num_pending, 10);
    assert_eq!(delivered(&mut bench), (4..=13).collect::<Vec<_>>());
}

#[test]
fn last_starts_at_the_last_message_or_the_last_match() {
    let subjects = ["events", "data", "events", "data", "x"];
    assert_eq!(delivered(&mut Bench::new(&subjects, with(DeliverPolicy::Last, &[]))), [5]);
    assert_eq!(delivered(&mut Bench::new(&subjects, with(DeliverPolicy::Last, &["events", "data"]))), [4]);
    let mut none = Bench::new(&subjects, with(DeliverPolicy::Last, &["none"]));
    assert_eq!(none.state().0, (0, 0));
}

#[test]
fn a_start_sequence_beyond_the_end_is_waited_for() {
    let config = ConsumerConfig { opt_start_seq: 4, ..with(DeliverPolicy::ByStartSequence, &[]) };
    let mut bench = Bench::filled(1, config);
    assert_eq!(bench.state().0, (0, 3));
    bench.fetch("100", "r");
    (0..4).for_each(|_| _ = bench.publish("s"));
    assert_eq!(bench.messages(), [4, 5]);
    assert_eq!(bench.info().num_pending, 0);
}

#[test]
fn a_start_time_finds_the_first_message_at_or_after_it() {
    let mut bench = Bench::filled(2, explicit());
    bench.pass_ms(1000);
    let time = Some(bench.now.wall);
    for subject in ["a", "b"] {
        store(&mut bench.stream, bench.now, subject, b"");
    }
    let config = |filters, opt_start_time| ConsumerConfig {
        opt_start_time,
        ..with(DeliverPolicy::ByStartTime, filters)
    };
    let mut from = |config| {
        let mut other = Bench::over(std::mem::take(&mut bench.stream), bench.now, config);
        let seen = (delivered(&mut other), other.state().0);
        bench.stream = other.stream;
        seen
    };
    assert_eq!(from(config(&[], time)).0, [3, 4]);
    assert_eq!(from(config(&["b"], time)).0, [4]);
    let future = Some(WallTime(u64::MAX));
    assert_eq!(from(config(&["a", "b"], future)), (vec![], (0, 4)));
}

#[test]
fn last_per_subject_delivers_the_last_of_each_and_then_everything() {
    let subjects = ["a.1", "b.1", "a.1", "a.2", "b.1", "x", "a.2"];
    let mut bench = Bench::new(&subjects, with(DeliverPolicy::LastPerSubject, &["a.*", "b.*"]));
    let info = bench.info();
    assert_eq!((info.num_pending, info.delivered.stream_seq), (3, 2));
    bench.publish("a.1");
    assert_eq!(bench.info().num_pending, 4);
    bench.fetch("2", "r");
    let got: Vec<_> = bench.take().iter().map(|got| (got.numbers()[1], got.numbers()[4])).collect();
    assert_eq!(got, [(3, 3), (5, 2)]);
    bench.ack_by([1, 3, 1, 0, 0], "");
    bench.publish("a.1");
    assert_eq!(delivered(&mut bench), [7, 8, 9]);
    assert_eq!(bench.info().num_pending, 0);
}

#[test]
fn the_list_is_not_lost_by_a_restart() {
    let subjects = ["a", "b", "a", "c", "b", "d"];
    let mut bench = Bench::new(&subjects, with(DeliverPolicy::LastPerSubject, &[">"]));
    bench.fetch("1", "r");
    assert_eq!(bench.messages(), [3]);
    bench.publish("b");
    bench.restart();
    assert_eq!(delivered(&mut bench), [4, 6, 7]);
}

#[test]
fn a_listed_message_that_was_deleted_is_skipped_and_others_stay() {
    let mut bench = Bench::new(&["a", "b", "a", "b", "c"], with(DeliverPolicy::LastPerSubject, &[">"]));
    assert_eq!(bench.info().num_pending, 3);
    bench.delete(1);
    assert_eq!(bench.info().num_pending, 3);
    bench.delete(4);
    assert_eq!(bench.info().num_pending, 2);
    assert_eq!(delivered(&mut bench), [3, 5]);
}

#[test]
fn the_floor_of_a_listed_message_lies_just_before_the_next() {
    let subjects = ["a", "b", "a", "a", "a", "a", "a", "a", "a", "c"];
    let mut bench = Bench::new(&subjects, with(DeliverPolicy::LastPerSubject, &[">"]));
    bench.fetch("3", "r");
    assert_eq!(bench.messages(), [2, 9, 10]);
    bench.ack_by([1, 2, 1, 0, 0], "");
    bench.ack_by([1, 9, 2, 0, 0], "");
    assert_eq!(bench.state().1, (2, 9));
}

#[test]
fn one_message_per_subject_needs_no_list() {
    let stream = Stream { max_per_subject: 1, ..Stream::default() };
    let now = crate::time::Now::default();
    let mut bench = Bench::over(stream, now, with(DeliverPolicy::LastPerSubject, &["a"]));
    bench.publish("a");
    assert_eq!(delivered(&mut bench), [1]);
}

#[test]
fn last_per_subject_without_a_match_starts_with_what_comes() {
    let mut bench = Bench::new(&["x", "x"], with(DeliverPolicy::LastPerSubject, &["a"]));
    assert_eq!(bench.state().0, (0, 2));
    bench.publish("a");
    assert_eq!(delivered(&mut bench), [3]);
}
