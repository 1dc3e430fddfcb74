use crate::consumer::config::{AckPolicy, ConsumerConfig};
use crate::consumer::fixture::*;
use crate::subscribers::Advisory;

const MS: i64 = 1_000_000;

fn waiting(ms: i64) -> ConsumerConfig {
    ConsumerConfig { ack_wait: ms * MS, ..explicit() }
}

fn given_up(bench: &mut Bench) -> Vec<(u64, u64)> {
    let advisories = std::mem::take(&mut bench.world.advisories);
    let pair = |advisory| match advisory {
        Advisory::MaxDeliveries { stream_seq, deliveries, .. } => Some((stream_seq, deliveries)),
        _ => None,
    };
    advisories.into_iter().filter_map(pair).collect()
}

#[test]
fn unacked_messages_come_again_in_order_before_new_ones() {
    let mut bench = Bench::filled(5, waiting(100));
    bench.fetch("3", "r");
    bench.pass_ms(100);
    bench.take();
    bench.fetch("5", "r");
    assert_eq!(bench.deliveries(), [(2, 1, 4), (2, 2, 5), (2, 3, 6), (1, 4, 7), (1, 5, 8)]);
}

#[test]
fn every_round_of_policy_all_is_complete_and_in_order() {
    let mut bench = Bench::filled(100, ConsumerConfig { ack_policy: AckPolicy::All, ..waiting(100) });
    for round in 1..=5 {
        bench.fetch("100", "r");
        let expected: Vec<_> = (1..=100).map(|seq| (round, seq, (round - 1) * 100 + seq)).collect();
        assert_eq!(bench.deliveries(), expected);
        bench.pass_ms(100);
    }
}

#[test]
fn redeliveries_flow_at_max_ack_pending() {
    let mut bench = Bench::filled(5, ConsumerConfig { max_ack_pending: 1, ..waiting(100) });
    for round in 1..=4 {
        bench.fetch("1", "r");
        assert_eq!(bench.deliveries(), [(round, 1, round)]);
        assert_eq!(bench.info().num_pending, 4);
        bench.pass_ms(100);
    }
}

#[test]
fn a_late_ack_before_the_redelivery_prevents_it() {
    let mut bench = Bench::filled(1, waiting(100));
    bench.fetch("1", "r");
    bench.pass_ms(200);
    bench.take();
    bench.ack(1, "");
    bench.fetch("1", "r");
    assert_eq!(bench.deliveries(), []);
}

#[test]
fn work_in_progress_starts_the_timer_again() {
    let mut bench = Bench::filled(2, waiting(100));
    bench.fetch("1", "r");
    for _ in 0..10 {
        bench.pass_ms(20);
        bench.ack(1, "+WPI");
    }
    bench.take();
    bench.fetch("1", "r");
    assert_eq!(bench.messages(), [2]);
    bench.fetch("2", "r");
    bench.pass_ms(99);
    assert_eq!(bench.messages(), []);
    bench.pass_ms(1);
    assert_eq!(bench.messages(), [1, 2]);
}

#[test]
fn backoff_steps_follow_each_other_and_the_last_repeats() {
    let mut bench =
        Bench::filled(1, ConsumerConfig { backoff: vec![50 * MS, 250 * MS, 1000 * MS], ..push() });
    bench.run();
    bench.take();
    for gap in [50, 250, 1000, 1000] {
        bench.pass_ms(gap - 1);
        assert_eq!(bench.messages(), []);
        bench.pass_ms(1);
        assert_eq!(bench.messages(), [1], "{gap}");
    }
}

#[test]
fn each_message_has_its_own_place_in_the_backoff() {
    let mut bench = Bench::filled(1, ConsumerConfig { backoff: vec![50 * MS, 1000 * MS], ..push() });
    bench.run();
    bench.pass_ms(60);
    bench.publish("s");
    bench.take();
    bench.pass_ms(50);
    assert_eq!(bench.deliveries(), [(2, 2, 4)]);
}

#[test]
fn max_deliver_one_gives_up_without_a_pull() {
    let mut bench = Bench::filled(2, ConsumerConfig { max_deliver: 1, ..waiting(100) });
    bench.fetch("1", "r");
    bench.pass_ms(100);
    assert_eq!(given_up(&mut bench), [(1, 1)]);
    assert_eq!(bench.state(), ((1, 1), (0, 0), 0, 0));
    bench.take();
    bench.fetch("2", "r");
    assert_eq!(bench.deliveries(), [(1, 2, 2)]);
    bench.update(ConsumerConfig { max_deliver: 5, ..waiting(100) });
    assert_eq!(bench.info().num_redelivered, 1);
    bench.ack(2, "");
    assert_eq!(bench.info().ack_floor.stream_seq, 2);
}

#[test]
fn more_deliveries_are_given_up_at_the_next_pull() {
    let mut bench = Bench::filled(1, ConsumerConfig { max_deliver: 2, ..waiting(100) });
    bench.fetch("1", "r");
    bench.pass_ms(100);
    bench.fetch("1", "r");
    bench.pass_ms(100);
    bench.take();
    assert_eq!((given_up(&mut bench), bench.info().num_ack_pending), (vec![], 1));
    bench.fetch("1", "r");
    assert_eq!((given_up(&mut bench), bench.info().num_ack_pending), (vec![(1, 2)], 0));
    assert_eq!((bench.take().len(), bench.info().num_redelivered), (0, 1));
    bench.restart();
    bench.fetch("1", "r");
    bench.pass_ms(500);
    assert_eq!((bench.take().len(), given_up(&mut bench)), (0, vec![]));
}

#[test]
fn a_naked_message_with_one_delivery_is_given_up_at_the_next_pull() {
    let mut bench = Bench::filled(1, ConsumerConfig { max_deliver: 1, ..explicit() });
    bench.fetch("1", "r");
    bench.ack(1, "-NAK");
    given_up(&mut bench);
    bench.world.advisories.clear();
    bench.fetch("1", "r");
    assert_eq!((given_up(&mut bench), bench.info().num_ack_pending), (vec![(1, 1)], 0));
}

#[test]
fn a_push_consumer_delivers_max_deliver_copies_exactly() {
    let mut bench = Bench::filled(1, ConsumerConfig { max_deliver: 5, ack_wait: 10 * MS, ..push() });
    bench.run();
    bench.pass_ms(1000);
    assert_eq!((bench.messages().len(), given_up(&mut bench)), (5, vec![(1, 5)]));
}

#[test]
fn lowering_max_deliver_gives_up_with_the_true_count() {
    let mut bench = Bench::filled(1, waiting(100));
    for _ in 0..4 {
        bench.fetch("1", "r");
        bench.pass_ms(100);
    }
    bench.update(ConsumerConfig { max_deliver: 2, ..waiting(100) });
    bench.take();
    bench.fetch("1", "r");
    assert_eq!((bench.take().len(), given_up(&mut bench)), (0, vec![(1, 4)]));
}

#[test]
fn timers_go_on_over_a_restart_and_counts_are_kept() {
    let mut bench = Bench::filled(2, waiting(1000));
    bench.fetch("2", "r");
    bench.pass_ms(600);
    bench.ack(2, "+WPI");
    bench.restart();
    bench.take();
    bench.fetch("2", "r");
    bench.pass_ms(399);
    assert_eq!(bench.deliveries(), []);
    bench.pass_ms(1);
    assert_eq!(bench.deliveries(), [(2, 1, 3)]);
    bench.pass_ms(600);
    assert_eq!(bench.deliveries(), [(2, 2, 4)]);
}

#[test]
fn a_shorter_ack_wait_makes_old_messages_overdue_at_once() {
    let mut bench = Bench::filled(1, waiting(10_000));
    bench.fetch("1", "r");
    bench.pass_ms(500);
    bench.update(waiting(100));
    bench.take();
    bench.fetch("1", "r");
    bench.pass_ms(0);
    assert_eq!(bench.deliveries(), [(2, 1, 2)]);
}

#[test]
fn what_was_acked_while_queued_is_not_delivered_again() {
    let mut bench = Bench::filled(20, ConsumerConfig { max_ack_pending: -1, ..waiting(1000) });
    bench.fetch("20", "r");
    bench.pass_ms(1000);
    bench.take();
    bench.fetch("10", "r");
    assert_eq!(bench.deliveries().len(), 10);
    (1..=20).rev().for_each(|seq| bench.ack(seq, ""));
    bench.fetch("10", "r");
    assert_eq!(bench.deliveries(), []);
}
