//! Disks that fail, get stuck, are full or damaged.

use super::answer::Answer;
use super::fixture_test::*;
use super::request::{ItemKind, Request, Selector};
use crate::ids::GroupId;
use crate::log::disk_op::DiskOp;
use crate::log::fake_disk::FakeDisk;
use crate::rejection::Rejection;
use std::time::Duration;

fn message(group: GroupId, seq: u64) -> Request {
    Request::MessageGet { group, select: Selector::Seq(seq) }
}

fn is_store_failed(answer: Answer) -> bool {
    matches!(rejection(answer), Rejection::StreamStoreFailed(_))
}

#[test]
fn after_a_failed_sync_publishes_are_refused_and_reads_go_on() {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    bench.publish(group, "s.a", 2);
    bench.settle();
    bench.world.acks.clear();
    bench.publish(group, "s.a", 1);
    bench.turn();
    bench.ask("behind", message(group, 1));
    bench.disk.fail = true;
    bench.settle();
    assert!(is_store_failed(bench.answer("p")), "in flight when the write failed");
    assert!(matches!(bench.answer("behind"), Answer::Message(_)));
    bench.publish(group, "s.a", 1);
    bench.settle();
    assert!(is_store_failed(bench.answer("p")), "published afterwards");
    assert!(bench.world.acks.is_empty());
    assert!(matches!(bench.get(message(group, 2)), Answer::Message(_)));
    assert_eq!(bench.state(group), (2, 2));
    let purge = bench.get(Request::StreamPurge { group, filter: String::new(), seq: 0, keep: 0 });
    assert!(is_store_failed(purge));
    bench.disk.fail = false;
    bench.restart();
    assert_eq!(bench.state(group).0, 2);
}

#[test]
fn messages_in_memory_are_stored_although_the_log_has_failed() {
    let mut bench = Bench::new();
    let file = bench.stream("S", |_| {});
    let memory = bench.stream("M", |config| config.storage = crate::stream::config::Storage::Memory);
    bench.publish(file, "s.a", 1);
    bench.disk.fail = true;
    bench.settle();
    bench.world.acks.clear();
    bench.publish(memory, "m.a", 1);
    bench.settle();
    assert_eq!(bench.world.acks.len(), 1);
}

#[test]
fn a_stuck_write_refuses_publishes_after_two_seconds() {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    bench.publish(group, "s.a", 1);
    bench.settle_but(is_write);
    bench.pass(Duration::from_millis(1900));
    bench.hot(group, &[Hot::publish("s.a", "early")]);
    bench.settle_but(is_write);
    assert!(!bench.is_answered("early"));
    bench.pass(Duration::from_millis(200));
    bench.hot(group, &[Hot::publish("s.a", "late")]);
    bench.settle_but(is_write);
    assert!(is_store_failed(bench.answer("late")));
    for waiting in ["p", "early"] {
        assert!(is_store_failed(bench.answer(waiting)), "in flight when the disk got stuck");
    }
    // The disk comes back: what was admitted is stored, and nobody hears twice.
    bench.settle();
    assert!(bench.world.acks.is_empty() && bench.world.answers.is_empty());
    assert_eq!(bench.state(group), (2, 2));
    bench.publish(group, "s.a", 1);
    bench.settle();
    assert_eq!(bench.world.acks.len(), 1);
}

#[test]
fn while_the_disk_is_stuck_readers_go_on_and_changes_are_refused() {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    bench.publish(group, "s.a", 1);
    bench.settle();
    bench.publish(group, "s.a", 1);
    bench.turn();
    bench.ask("waits", info(group));
    bench.ask("consumer", create_consumer(group, "c"));
    bench.settle_but(is_write);
    assert!(!bench.is_answered("waits"));
    bench.pass(Duration::from_secs(3));
    bench.settle_but(is_write);
    assert!(matches!(bench.answer("waits"), Answer::StreamInfo(_)));
    assert!(is_store_failed(bench.answer("consumer")));
    bench.ask("get", message(group, 1));
    bench.ask("purge", Request::StreamPurge { group, filter: String::new(), seq: 0, keep: 0 });
    bench.ask("delete", Request::MessageDelete { group, seq: 1, no_erase: true });
    bench.settle_but(is_write);
    assert!(matches!(bench.answer("get"), Answer::Message(_)));
    assert!(is_store_failed(bench.answer("purge")) && is_store_failed(bench.answer("delete")));
    bench.settle();
    assert_eq!(bench.state(group), (2, 2));
}

#[test]
fn a_full_disk_refuses_publishes_and_takes_purges_until_there_is_room() {
    let mut bench = Bench::on(FakeDisk::with_room(3 << 20));
    let group = bench.stream("S", |_| {});
    bench.consumer(group, "c");
    let payload = vec![7; 30_000];
    let hot = Hot { payload: &payload, ..Hot::publish("s.a", "p") };
    for _ in 0..30 {
        bench.hot(group, &[hot; 8]);
        bench.settle();
        bench.pass(Duration::from_secs(1));
    }
    let refused = bench.answer("p");
    assert_eq!(rejection(refused), Rejection::InsufficientResources);
    bench.world.answers.clear();
    let stored = bench.state(group).0;
    assert_eq!(stored, bench.world.acks.len() as u64, "an admitted message never meets a full disk");
    let deleted = bench.get(Request::MessageDelete { group, seq: 1, no_erase: true });
    assert!(matches!(deleted, Answer::MessageDeleted), "{deleted:?}");
    bench.fetch(group, "$JS.API.CONSUMER.MSG.NEXT.S.c", "1");
    bench.settle();
    assert_eq!(bench.world.deliveries.len(), 1);
    let purged = bench.get(Request::StreamPurge { group, filter: String::new(), seq: 0, keep: 0 });
    assert!(matches!(purged, Answer::Purged(_)), "{purged:?}");
    for _ in 0..10 {
        bench.pass(Duration::from_millis(100));
        bench.settle();
    }
    bench.world.acks.clear();
    bench.hot(group, &[hot]);
    bench.settle();
    assert_eq!(bench.world.acks.len(), 1, "{:?}", bench.world.answers);
}

#[test]
fn an_ack_that_the_full_log_did_not_take_is_not_answered_until_it_has_room() {
    let mut bench = Bench::on(FakeDisk::with_room(3 << 20));
    let group = bench.stream("S", |_| {});
    bench.consumer(group, "c");
    bench.publish(group, "s.a", 1);
    bench.settle();
    bench.fetch(group, "$JS.API.CONSUMER.MSG.NEXT.S.c", "1");
    bench.settle();
    let ack = bench.world.deliveries[0].1.clone();
    // Consumers are made until not even the reserve is left.
    let full = (0..1000).find_map(|n| {
        let mut request = create_consumer(group, &format!("extra{n}"));
        if let Request::ConsumerCreate { config, .. } = &mut request {
            config.metadata = [("k".to_owned(), "v".repeat(50_000))].into();
        }
        match bench.get(request) {
            Answer::ConsumerCreated(_) => None,
            other => Some((n, rejection(other))),
        }
    });
    let (made, refused) = full.expect("the disk is full some time");
    assert_eq!(refused, Rejection::InsufficientResources);
    let purge = || Request::StreamPurge { group, filter: "s.none".to_owned(), seq: 0, keep: 0 };
    assert!((0..1000).any(|_| matches!(bench.get(purge()), Answer::Rejected(_))), "the log is full");
    for reply in ["first", "again"] {
        bench.hot(group, &[Hot { kind: ItemKind::Ack, payload: b"+ACK", ..Hot::publish(&ack, reply) }]);
        bench.settle();
        assert!(!bench.is_answered(reply), "the log does not hold it");
    }
    bench.disk.room = 0;
    bench.pass(Duration::from_secs(2));
    bench.settle();
    bench.hot(group, &[Hot { kind: ItemKind::Ack, payload: b"+ACK", ..Hot::publish(&ack, "with room") }]);
    bench.settle();
    assert!(bench.is_answered("with room"));
    bench.crash();
    bench.restart();
    let Answer::ConsumerInfo(info) = bench.get(Request::ConsumerInfo { group, consumer: "c".to_owned() })
    else {
        panic!("it is there")
    };
    assert_eq!(info.num_ack_pending, 0, "an answered ack holds");
    let Answer::ConsumerNames { names, .. } = bench.get(Request::ConsumerNames { group, offset: 0 }) else {
        panic!("they are there")
    };
    assert_eq!(names.len(), 1 + made, "a refused consumer is not there");
}

#[test]
fn a_cold_message_is_read_from_the_disk() {
    let (mut bench, group) = cold();
    let Answer::Message(stored) = bench.get(message(group, 1)) else { panic!("it is there") };
    assert_eq!((stored.seq.0, stored.payload.len()), (1, 20_000));
}

#[test]
fn a_damaged_message_is_never_delivered() {
    let (mut bench, group) = cold();
    flip_first_payload(&mut bench);
    assert_eq!(rejection(bench.get(message(group, 1))), Rejection::NoMessageFound);
    bench.consumer(group, "c");
    bench.fetch(group, "$JS.API.CONSUMER.MSG.NEXT.S.c", "2");
    bench.settle();
    let payloads: Vec<usize> = bench.world.deliveries.iter().map(|d| d.2.len()).collect();
    assert_eq!(payloads, [20_001, 20_002], "delivery goes on behind it");
    let (lost, bytes) = lost(&mut bench, group);
    assert_eq!(lost, [1]);
    assert!((20_000..20_100).contains(&bytes));
}

/// Sequences and bytes that INFO reports as lost.
fn lost(bench: &mut Bench, group: GroupId) -> (Vec<u64>, u64) {
    let with_details =
        Request::StreamInfo { group, deleted_details: true, subjects_filter: String::new(), offset: 0 };
    let Answer::StreamInfo(info) = bench.get(with_details) else { panic!("the stream is there") };
    (info.state.lost, info.state.lost_bytes)
}

#[test]
fn a_message_that_recovery_finds_damaged_is_lost_and_its_sequence_is_not_given_again() {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    for _ in 0..3 {
        let payload = [9; 100];
        bench.hot(group, &[Hot { payload: &payload, ..Hot::publish("s.a", "p") }; 2]);
        bench.settle();
    }
    bench.restart();
    // The last of an entry of two, in every copy.
    flip_at_payloads(&mut bench, 100, 0, |n, of| n + 1 == of);
    bench.restart();
    assert_eq!(bench.state(group), (5, 6));
    let (seqs, bytes) = lost(&mut bench, group);
    assert_eq!(seqs, [6]);
    assert!((100..200).contains(&bytes));
    bench.world.acks.clear();
    bench.publish(group, "s.a", 1);
    bench.settle();
    assert_eq!(bench.world.acks[0].1, 7);
}

#[test]
fn messages_of_an_entry_that_recovery_cannot_read_are_lost() {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    for _ in 0..3 {
        bench.hot(group, &[Hot { payload: &[9; 100], ..Hot::publish("s.a", "p") }]);
        bench.settle();
    }
    bench.restart();
    // In the table of the second entry: before the record's 24 bytes and the subject.
    flip_at_payloads(&mut bench, 100, -31, |n, _| n == 1);
    bench.restart();
    assert_eq!(bench.state(group), (2, 3));
    assert_eq!(lost(&mut bench, group).0, [2]);
}

#[test]
fn a_message_that_cannot_be_read_is_not_asked_for_without_end() {
    let (mut bench, group) = cold();
    bench.disk.fail_reads = true;
    assert_eq!(rejection(bench.get(message(group, 1))), Rejection::NoMessageFound);
    bench.disk.fail_reads = false;
    assert!(matches!(bench.get(message(group, 3)), Answer::Message(_)));
}

/// A stream whose first messages are in no cache: message n has 19,999 + n bytes.
fn cold() -> (Bench, GroupId) {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    for n in 0..20 {
        let payload = vec![9; 20_000 + n];
        bench.hot(group, &[Hot { payload: &payload, ..Hot::publish("s.a", "p") }]);
        bench.settle();
    }
    (bench, group)
}

/// Flips a bit, so far from their start, of those stretches of nines of at least this length that are wanted, by their number
/// and how many a file has.
fn flip_at_payloads(bench: &mut Bench, len: usize, skip: isize, wanted: impl Fn(usize, usize) -> bool) {
    for (file, _) in bench.disk.files() {
        let bytes = bench.disk.bytes(file, 0).to_vec();
        let is_start = |at: &usize| {
            bytes[*at] == 9
                && bytes[*at - 1] != 9
                && bytes[*at..].iter().take_while(|&&b| b == 9).count() >= len
        };
        let starts: Vec<usize> = (1..bytes.len()).filter(is_start).collect();
        for (_, at) in starts.iter().enumerate().filter(|(n, _)| wanted(*n, starts.len())) {
            bench.disk.flip(file, at.wrapping_add_signed(skip) as u64);
        }
    }
}

fn flip_first_payload(bench: &mut Bench) {
    for (file, len) in bench.disk.files() {
        let bytes = bench.disk.bytes(file, 0);
        let at = bytes.windows(64).position(|window| window.iter().all(|&byte| byte == 9));
        if let Some(at) = at.filter(|_| len > 0) {
            return bench.disk.flip(file, at as u64);
        }
    }
    panic!("a message is on the disk");
}

#[test]
fn a_write_that_fails_while_memory_is_stored_is_no_harm() {
    let mut bench = Bench::new();
    let file = bench.stream("S", |_| {});
    let memory = bench.stream("M", |config| config.storage = crate::stream::config::Storage::Memory);
    bench.publish(file, "s.a", 1);
    bench.turn();
    bench.publish(memory, "m.a", 1);
    bench.disk.fail = true;
    let done = bench.disk.complete_first(|op| matches!(op, DiskOp::Write { .. })).expect("a write is out");
    bench.shard.handle_disk(bench.now, done, &mut bench.world);
    bench.settle();
    assert_eq!(bench.world.acks.len(), 1);
}
