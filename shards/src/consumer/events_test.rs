use crate::consumer::config::{AckPolicy, ConsumerConfig};
use crate::consumer::fixture::*;
use crate::subscribers::Advisory;

fn filtered(filters: &[&str]) -> ConsumerConfig {
    ConsumerConfig { filter_subjects: filters.iter().map(|&filter| filter.into()).collect(), ..explicit() }
}

fn terminated(bench: &mut Bench) -> Vec<(u64, u64, String)> {
    let advisories = std::mem::take(&mut bench.world.advisories);
    let fields = |advisory| match advisory {
        Advisory::MessageTerminated { stream_seq, deliveries, reason, .. } => {
            Some((stream_seq, deliveries, reason))
        }
        _ => None,
    };
    advisories.into_iter().filter_map(fields).collect()
}

#[test]
fn num_pending_follows_stores_deliveries_and_deletes() {
    for config in [explicit(), filtered(&["a.*", "b"])] {
        let mut bench = Bench::new(&["a.1", "b", "a.2", "a.1"], config);
        assert_eq!(bench.info().num_pending, 4);
        bench.publish("b");
        assert_eq!(bench.info().num_pending, 5);
        bench.delete(3);
        assert_eq!(bench.info().num_pending, 4);
        bench.fetch("2", "r");
        let left: Vec<u64> = bench.take().iter().map(|got| got.numbers()[4]).collect();
        assert_eq!((left, bench.info().num_pending), (vec![3, 2], 2));
        bench.delete(1);
        assert_eq!(bench.info().num_pending, 2);
        bench.restart();
        assert_eq!(bench.info().num_pending, 2);
    }
}

#[test]
fn messages_that_do_not_match_are_not_counted_and_move_no_delivery() {
    let mut bench = Bench::new(&["a", "x", "x"], filtered(&["a"]));
    bench.publish("x");
    bench.fetch("5", "r");
    bench.publish("x");
    let info = bench.info();
    assert_eq!((info.num_pending, info.delivered.stream_seq), (0, 1));
    bench.publish("a");
    assert_eq!((bench.messages(), bench.state().0), (vec![1, 6], (2, 6)));
}

#[test]
fn a_message_that_matches_two_filters_is_delivered_once_and_in_stream_order() {
    let mut bench = Bench::new(
        &["event.foo.foo", "event.a.foo", "x", "event.foo.b"],
        filtered(&["event.foo.*", "event.*.foo"]),
    );
    assert_eq!(bench.info().num_pending, 3);
    bench.fetch("9", "r");
    assert_eq!(bench.messages(), [1, 2, 4]);
}

#[test]
fn a_message_stored_and_removed_by_one_commit_is_not_counted() {
    for config in [explicit(), filtered(&["s", "t"])] {
        let mut bench = Bench::filled(1, config);
        bench.info();
        let seq = crate::ids::StreamSeq(store(&mut bench.stream, bench.now, "s", b""));
        bench.stream.messages.remove(&seq.0);
        bench.consumer.handle_stored(seq, seq, &bench.stream);
        let subject = Some((crate::messages::SubjectId(0), &b"s"[..]));
        let removed = super::Removed { seq, subject };
        bench.consumer.handle_removed(removed, &mut bench.world);
        assert_eq!(bench.info().num_pending, 1);
    }
}

#[test]
fn a_deleted_pending_message_is_terminated_and_frees_its_place() {
    let mut bench = Bench::filled(3, ConsumerConfig { max_ack_pending: 1, ..explicit() });
    bench.fetch("2", "r");
    bench.take();
    bench.delete(1);
    assert_eq!(terminated(&mut bench), [(1, 1, "Unacknowledged message was deleted".to_owned())]);
    assert_eq!(bench.deliveries(), [(1, 2, 2)]);
    assert_eq!(bench.state().1, (1, 1));
}

#[test]
fn when_all_pending_messages_expire_the_floor_reaches_the_last_delivery() {
    let mut bench = Bench::filled(100, explicit());
    bench.fetch("100", "r");
    (1..=100).for_each(|seq| bench.delete(seq));
    assert_eq!(bench.state(), ((100, 100), (100, 100), 0, 0));
    assert!(bench.ack_by([1, 50, 50, 0, 0], ""));
}

#[test]
fn a_message_deleted_while_it_waits_for_redelivery_is_skipped() {
    let mut bench = Bench::filled(2, explicit());
    bench.fetch("2", "r");
    bench.ack(1, "-NAK");
    bench.take();
    bench.stream.messages.remove(&1);
    bench.fetch("2", "r");
    assert_eq!((bench.take().len(), bench.state().1), (0, (1, 1)));
}

#[test]
fn a_deleted_message_is_terminated_with_its_redeliveries() {
    let mut bench = Bench::filled(1, explicit());
    bench.fetch("1", "r");
    for _ in 0..2 {
        bench.ack(1, "-NAK");
        bench.fetch("1", "r");
    }
    bench.delete(1);
    assert_eq!(terminated(&mut bench), [(1, 2, "Unacknowledged message was deleted".to_owned())]);
}

#[test]
fn a_given_up_message_is_forgotten_with_its_stream_copy() {
    let mut bench = Bench::filled(2, ConsumerConfig { max_deliver: 2, ack_wait: 1_000_000, ..explicit() });
    bench.fetch("1", "r");
    bench.ack(1, "-NAK");
    bench.fetch("1", "r");
    bench.ack(1, "-NAK");
    bench.fetch("1", "r");
    assert_eq!(bench.info().num_redelivered, 1);
    bench.delete(1);
    assert_eq!(bench.info().num_redelivered, 0);
}

#[test]
fn a_purge_of_everything_settles_everything() {
    let mut bench = Bench::filled(100, explicit());
    bench.fetch("75", "r");
    (1..=50).for_each(|seq| bench.ack(seq, ""));
    bench.purge("", |_, _| true);
    assert_eq!(bench.state(), ((75, 100), (75, 100), 0, 0));
    assert_eq!(bench.info().num_pending, 0);
    bench.take();
    bench.publish("s");
    bench.fetch("1", "r");
    assert_eq!(bench.deliveries(), [(1, 101, 76)]);
}

#[test]
fn a_purge_that_keeps_some_settles_what_is_below() {
    let mut bench = Bench::filled(100, ConsumerConfig { ack_wait: 100_000_000, ..explicit() });
    bench.fetch("100", "r");
    bench.purge("", |seq, _| seq <= 50);
    assert_eq!(bench.state(), ((100, 100), (50, 50), 50, 0));
    bench.pass_ms(100);
    bench.take();
    bench.fetch("100", "r");
    assert_eq!(bench.messages(), (51..=100).collect::<Vec<_>>());
}

#[test]
fn a_purge_beyond_the_end_moves_the_consumer_along() {
    let mut bench = Bench::filled(10, explicit());
    bench.fetch("5", "r");
    bench.stream.last = 999;
    bench.purge("", |_, _| true);
    assert_eq!(bench.state(), ((5, 999), (5, 999), 0, 0));
}

#[test]
fn a_purge_of_one_subject_frees_the_places_of_its_messages() {
    let mut bench = Bench::new(&["a", "b", "a", "b", "a"], explicit());
    bench.fetch("5", "r");
    bench.purge("a", |_, subject| subject == "a");
    assert_eq!(bench.state(), ((5, 5), (5, 1), 2, 0));
    bench.ack(2, "");
    assert_eq!(bench.state().1, (5, 1));
    bench.ack(4, "");
    assert_eq!(bench.state().1, (5, 5));
}

#[test]
fn a_purge_of_all_filters_is_a_purge_of_everything_to_the_consumer() {
    let subjects = ["adam"; 10].into_iter().chain(["eve"; 10]).collect::<Vec<_>>();
    let mut adam = Bench::new(&subjects, filtered(&["adam"]));
    let mut eve = Bench::new(&subjects, filtered(&["eve"]));
    let mut both = Bench::new(&subjects, explicit());
    for bench in [&mut adam, &mut eve, &mut both] {
        bench.purge("adam", |_, subject| subject == "adam");
    }
    assert_eq!((adam.info().num_pending, adam.state().1), (0, (0, 20)));
    assert_eq!((eve.info().num_pending, eve.state().1), (10, (0, 0)));
    assert_eq!(both.info().num_pending, 10);
}

#[test]
fn a_purge_of_one_filter_of_several_skips_nothing() {
    let mut bench = Bench::new(&["a", "b", "c", "a", "b", "c"], filtered(&["a", "b"]));
    bench.fetch("2", "r");
    bench.take();
    bench.purge("b", |_, subject| subject == "b");
    assert_eq!(bench.info().num_ack_pending, 1);
    bench.fetch("2", "r");
    assert_eq!(bench.messages(), [4]);
}

#[test]
fn a_purge_elsewhere_changes_nothing() {
    let mut bench = Bench::new(&["a", "b"], filtered(&["a"]));
    bench.fetch("1", "r");
    let before = bench.state();
    bench.purge("b", |_, subject| subject == "b");
    assert_eq!(bench.state(), before);
}

#[test]
fn what_the_stream_lost_during_a_restart_is_settled() {
    let mut bench = Bench::filled(10, ConsumerConfig { max_ack_pending: 1, ..explicit() });
    bench.fetch("1", "r");
    bench.stream.messages.remove(&1);
    bench.restart();
    bench.take();
    bench.fetch("1", "r");
    assert_eq!(bench.deliveries(), [(1, 2, 2)]);
}

#[test]
fn a_stream_that_moved_on_during_a_restart_is_followed() {
    let mut bench = Bench::filled(10, explicit());
    bench.fetch("10", "r");
    bench.stream.messages.clear();
    bench.stream.last = 999_999;
    bench.restart();
    assert_eq!(bench.state(), ((10, 10), (10, 10), 0, 0));
    bench.take();
    bench.publish("s");
    bench.fetch("1", "r");
    assert_eq!(bench.messages(), [1_000_000]);
}

#[test]
fn policy_all_loses_only_the_message_that_was_deleted() {
    let mut bench = Bench::filled(3, ConsumerConfig { ack_policy: AckPolicy::All, ..explicit() });
    bench.fetch("3", "r");
    bench.delete(2);
    assert_eq!(bench.state(), ((3, 3), (0, 0), 2, 0));
}
