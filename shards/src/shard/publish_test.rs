//! Publishing: what an ack waits for, and in which order answers leave.

use super::ShardMessage;
use super::fixture_test::*;
use super::request::Request;
use super::room::Stored;
use crate::ids::GroupId;
use crate::rejection::Rejection;
use crate::stream::config::Storage;

fn bench() -> (Bench, GroupId) {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    (bench, group)
}

#[test]
fn a_pub_ack_leaves_only_after_the_sync_that_covers_it() {
    let (mut bench, group) = bench();
    bench.publish(group, "s.a", 3);
    bench.settle_but(|op| is_sync(op) || is_write(op));
    assert!(bench.world.acks.is_empty(), "nothing is written");
    bench.settle_but(is_sync);
    assert!(bench.world.acks.is_empty(), "nothing is synced");
    // The sync that is out began before this one was written.
    bench.publish(group, "s.b", 1);
    bench.settle_but(is_sync);
    let done = bench.disk.complete_first(is_sync).expect("a sync is out");
    bench.shard.handle_disk(bench.now, done, &mut bench.world);
    bench.turn();
    let seqs: Vec<u64> = bench.world.acks.iter().map(|ack| ack.1).collect();
    assert_eq!(seqs, [1, 2, 3]);
    bench.settle();
    assert_eq!(bench.world.acks.last(), Some(&("p".to_owned(), 4, false)));
}

#[test]
fn acked_messages_are_there_after_a_crash() {
    let (mut bench, group) = bench();
    bench.publish(group, "s.a", 100);
    bench.settle();
    bench.publish(group, "s.a", 10);
    bench.settle_but(is_sync);
    assert_eq!(bench.world.acks.len(), 100);
    bench.crash();
    assert_eq!(bench.state(group), (100, 100));
}

#[test]
fn a_duplicate_of_an_original_in_flight_is_answered_with_it() {
    let (mut bench, group) = bench();
    bench.hot(group, &[Hot::with_id("s.a", "original")]);
    bench.settle_but(is_sync);
    bench.hot(group, &[Hot::with_id("s.a", "duplicate")]);
    bench.settle_but(is_sync);
    assert!(bench.world.acks.is_empty());
    bench.settle();
    let expected = [("original".to_owned(), 1, false), ("duplicate".to_owned(), 1, true)];
    assert_eq!(bench.world.acks, expected);
    // The original is synced: nothing to wait for.
    bench.hot(group, &[Hot::with_id("s.a", "late")]);
    bench.turn();
    assert_eq!(bench.world.acks.last(), Some(&("late".to_owned(), 1, true)));
}

#[test]
fn a_refusal_that_rests_on_messages_in_flight_waits_for_them() {
    let (mut bench, group) = bench();
    bench.publish(group, "s.a", 2);
    bench.settle_but(is_sync);
    let headers = "NATS/1.0\r\nNats-Expected-Last-Sequence: 0\r\n\r\n";
    bench.hot(group, &[Hot { headers, ..Hot::publish("s.a", "late") }]);
    bench.settle_but(is_sync);
    assert!(!bench.is_answered("late"));
    bench.settle();
    assert_eq!(rejection(bench.answer("late")), Rejection::WrongLastSequence(2));
}

#[test]
fn a_request_sees_everything_admitted_before_it() {
    let (mut bench, group) = bench();
    bench.publish(group, "s.a", 5);
    bench.turn();
    bench.ask("info", info(group));
    bench.settle_but(is_sync);
    assert!(!bench.is_answered("info"));
    assert_eq!(bench.state(group), (5, 5));
}

#[test]
fn a_purge_is_answered_after_its_sync_and_lasts() {
    let (mut bench, group) = bench();
    bench.publish(group, "s.a", 5);
    bench.settle();
    bench.ask("purge", Request::StreamPurge { group, filter: String::new(), seq: 0, keep: 1 });
    bench.settle_but(is_sync);
    assert!(!bench.is_answered("purge"));
    bench.settle();
    assert!(bench.is_answered("purge"));
    bench.crash();
    assert_eq!(bench.state(group), (1, 5));
}

#[test]
fn a_batch_that_the_log_takes_in_part_is_handled_to_its_end() {
    let (mut bench, group) = bench();
    let payload = vec![7; 30_000];
    let hot = Hot { payload: &payload, ..Hot::publish("s.a", "p") };
    // More than all prepared segments hold: the rest waits for new ones.
    bench.hot(group, &vec![hot; 200]);
    bench.settle();
    let seqs: Vec<u64> = bench.world.acks.iter().map(|ack| ack.1).collect();
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
    assert_eq!(bench.state(group), (200, 200));
}

#[test]
fn close_answers_everything_and_marks_the_log_clean() {
    let (mut bench, group) = bench();
    bench.publish(group, "s.a", 10);
    bench.settle_but(is_sync);
    bench.publish(group, "s.a", 10);
    bench.ask("purge", Request::StreamPurge { group, filter: String::new(), seq: 0, keep: 19 });
    bench.shard.close(bench.now, &mut bench.world);
    assert!(!bench.shard.is_closed());
    bench.settle();
    assert!(bench.shard.is_closed());
    assert_eq!(bench.world.acks.len(), 20);
    assert!(bench.is_answered("purge"));
    let hashes = bench.shard.state_hashes();
    bench.restart();
    assert_eq!(bench.shard.recovery().0.bytes_cut, 0);
    assert_eq!(bench.shard.state_hashes(), hashes);
}

#[test]
fn a_publish_to_a_stream_that_ends_has_no_responders() {
    let (mut bench, group) = bench();
    bench.ask("delete", Request::StreamDelete { name: "S".to_owned() });
    bench.settle_but(is_sync);
    // Two syncs: the catalog's tombstone, then the group's own.
    for _ in 0..2 {
        bench.publish(group, "s.a", 1);
        let done = bench.disk.complete_first(is_sync).expect("a sync is out");
        bench.shard.handle_disk(bench.now, done, &mut bench.world);
        bench.settle_but(is_sync);
        bench.ask("info", info(group));
    }
    bench.publish(group, "s.a", 1);
    bench.settle();
    let answers = bench.world.answers.iter().filter(|(to, _)| to == "p" || to == "info").count();
    assert_eq!(answers + bench.world.acks.len(), 5, "everybody hears something: {:?}", bench.world.answers);
}

#[test]
fn a_publish_is_refused_once_all_shards_together_store_what_the_server_allows() {
    let mut bench = Bench::new();
    let file = bench.stream("F", |_| {});
    let memory = bench.stream("M", |config| config.storage = Storage::Memory);
    let fills = |memory, file| ShardMessage::StoredElsewhere(Stored { memory, file });
    for (elsewhere, stored) in
        [(fills(1 << 20, 0), [1, 1]), (fills(1 << 20, 1 << 40), [1, 1]), (fills(0, 0), [2, 2])]
    {
        bench.shard.handle_message(bench.now, elsewhere, &mut bench.world);
        bench.publish(file, "f.a", 1);
        bench.publish(memory, "m.a", 1);
        bench.settle();
        assert_eq!([bench.state(file).0, bench.state(memory).0], stored);
    }
    let mut refused = bench.world.answers.into_iter().map(|(_, answer)| rejection(answer));
    assert!(refused.len() == 2 && refused.all(|why| why == Rejection::InsufficientResources));
}
