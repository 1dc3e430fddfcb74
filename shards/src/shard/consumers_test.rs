//! Consumers in their shard: what is answered when, and when progress is logged.

use super::answer::Answer;
use super::fixture_test::*;
use super::request::{ItemKind, Request};
use crate::ids::GroupId;
use std::time::Duration;

const NEXT: &str = "$JS.API.CONSUMER.MSG.NEXT.S.c";

/// A stream with three messages, all delivered to its consumer, progress logged; with the ack subjects.
fn bench() -> (Bench, GroupId, Vec<String>) {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    bench.consumer(group, "c");
    bench.publish(group, "s.a", 3);
    bench.settle();
    bench.fetch(group, NEXT, "3");
    bench.settle();
    pass_progress(&mut bench);
    let acks: Vec<String> = bench.world.deliveries.iter().map(|delivery| delivery.1.clone()).collect();
    assert_eq!(acks.len(), 3);
    (bench, group, acks)
}

fn pass_progress(bench: &mut Bench) {
    bench.pass(Duration::from_millis(50));
    bench.settle();
}

fn ack<'a>(subject: &'a str, reply: &'a str, payload: &'a [u8]) -> Hot<'a> {
    Hot { kind: ItemKind::Ack, subject, reply, headers: "", payload }
}

/// Sequences of the ack floor and number of unacked messages.
fn acked(bench: &mut Bench, group: GroupId) -> (u64, u64) {
    match bench.get(Request::ConsumerInfo { group, consumer: "c".to_owned() }) {
        Answer::ConsumerInfo(info) => (info.ack_floor.stream_seq, info.num_ack_pending),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_awaited_ack_is_answered_after_its_sync_and_lasts() {
    let (mut bench, group, acks) = bench();
    bench.hot(group, &[ack(&acks[0], "acked", b"+ACK")]);
    bench.settle_but(is_sync);
    assert!(!bench.is_answered("acked"));
    bench.settle();
    assert!(matches!(bench.answer("acked"), Answer::Empty));
    bench.crash();
    assert_eq!(acked(&mut bench, group), (1, 2));
}

#[test]
fn progress_is_logged_within_fifty_milliseconds() {
    let (mut bench, group, acks) = bench();
    bench.hot(group, &[ack(&acks[0], "", b"+ACK")]);
    bench.settle();
    let written = bench.shard.figures().appended;
    let due = bench.shard.poll_timeout().expect("progress waits");
    assert!(due - bench.now.monotonic <= Duration::from_millis(50));
    bench.pass(Duration::from_millis(49));
    bench.settle();
    assert_eq!(bench.shard.figures().appended, written, "it waits for company");
    bench.pass(Duration::from_millis(1));
    bench.settle();
    assert!(bench.shard.figures().appended > written);
    bench.crash();
    assert_eq!(acked(&mut bench, group), (1, 2));
}

#[test]
fn progress_travels_with_a_write_that_goes_out_anyway() {
    let (mut bench, group, acks) = bench();
    bench.hot(group, &[ack(&acks[0], "", b"+ACK")]);
    bench.publish(group, "s.a", 1);
    bench.settle();
    bench.crash();
    assert_eq!(acked(&mut bench, group).0, 1);
}

#[test]
fn unacked_messages_come_again_after_a_crash() {
    let (mut bench, group, acks) = bench();
    bench.hot(group, &[ack(&acks[1], "acked", b"+ACK")]);
    bench.settle();
    bench.crash();
    bench.fetch(group, NEXT, "3");
    bench.settle();
    bench.pass(Duration::from_secs(31));
    bench.settle();
    let again: Vec<&str> =
        bench.world.deliveries.iter().map(|d| d.1.split('.').nth(5).unwrap_or("")).collect();
    assert_eq!(again, ["1", "3"]);
}

#[test]
fn ack_and_next_asks_for_more_once_the_ack_is_synced() {
    let (mut bench, group, acks) = bench();
    bench.publish(group, "s.a", 1);
    bench.settle();
    bench.world.deliveries.clear();
    bench.hot(group, &[ack(&acks[0], "inbox", b"+NXT")]);
    bench.settle_but(is_sync);
    assert!(bench.world.deliveries.is_empty());
    bench.settle();
    assert_eq!(bench.world.deliveries.len(), 1);
}

#[test]
fn a_consumer_is_created_and_deleted_with_a_sync_and_stays_so() {
    let (mut bench, group, _) = bench();
    bench.ask("create", create_consumer(group, "d"));
    bench.settle_but(is_sync);
    assert!(!bench.is_answered("create"));
    bench.settle();
    assert!(matches!(bench.answer("create"), Answer::ConsumerCreated(_)));
    bench.crash();
    let delete = Request::ConsumerDelete { group, consumer: "d".to_owned() };
    bench.ask("delete", delete);
    bench.settle_but(is_sync);
    assert!(!bench.is_answered("delete"));
    bench.settle();
    assert!(matches!(bench.answer("delete"), Answer::ConsumerDeleted));
    bench.crash();
    let Answer::ConsumerNames { names, .. } = bench.get(Request::ConsumerNames { group, offset: 0 }) else {
        panic!("names were asked for");
    };
    assert_eq!(names, ["c"]);
}

#[test]
fn an_ack_for_nobody_has_no_responders() {
    let (mut bench, group, _) = bench();
    bench.hot(group, &[ack("$JS.ACK.S.gone.1.1.1.1.1", "acked", b"+ACK")]);
    bench.settle();
    assert!(matches!(bench.answer("acked"), Answer::NoResponders { .. }));
    // A subject without a name where the name should be.
    let empty = bench.stream("EMPTY", |_| {});
    for group in [group, empty] {
        bench.fetch(group, "$JS.API.CONSUMER.MSG.NEXT.S.", "1");
    }
    bench.settle();
}

#[test]
fn consumers_come_and_go_in_any_order_and_are_listed_by_name() {
    let (mut bench, group, acks) = bench();
    let names = |bench: &mut Bench| match bench.get(Request::ConsumerNames { group, offset: 0 }) {
        Answer::ConsumerNames { names, .. } => names,
        other => panic!("{other:?}"),
    };
    for name in ["z", "a", "cc", "b"] {
        bench.consumer(group, name);
    }
    assert_eq!(names(&mut bench), ["a", "b", "c", "cc", "z"]);
    for name in ["a", "cc"] {
        bench.get(Request::ConsumerDelete { group, consumer: name.to_owned() });
    }
    // They take the places that are free.
    for name in ["y", "bb", "x"] {
        bench.consumer(group, name);
    }
    for _ in 0..2 {
        assert_eq!(names(&mut bench), ["b", "bb", "c", "x", "y", "z"]);
        bench.crash();
    }
    bench.hot(group, &[ack(&acks[0], "acked", b"+ACK"), ack("$JS.ACK.S.a.1.1.1.1.1", "gone", b"+ACK")]);
    bench.settle();
    assert!(matches!(bench.answer("acked"), Answer::Empty));
    assert!(matches!(bench.answer("gone"), Answer::NoResponders { .. }));
    assert_eq!(acked(&mut bench, group), (1, 2));
}
