//! Streams come and go through the catalog, and a crash between two steps is healed by the next start.

use super::answer::{Answer, StreamChange};
use super::fixture_test::*;
use super::request::Request;
use super::{SetAside, ShardMessage};
use crate::consumer::config::ConsumerConfig;
use crate::ids::{AccountId, GroupId};
use crate::rejection::Rejection;
use crate::stream::config::{ServerLimits, Storage, StreamConfig};
use crate::time::WallTime;
use std::time::Duration;

fn create(config: StreamConfig) -> Request {
    Request::StreamCreate { config: Box::new(config), pedantic: false }
}

fn update(config: StreamConfig) -> Request {
    Request::StreamUpdate { config: Box::new(config), pedantic: false }
}

fn delete(name: &str) -> Request {
    Request::StreamDelete { name: name.to_owned() }
}

/// Whether the table, as it was told, holds the stream.
fn is_in_table(bench: &Bench, name: &str) -> bool {
    let last = bench.world.table.iter().rev().find(|change| change.stream() == name);
    last.is_some_and(|change| matches!(change.change, StreamChange::Put { .. }))
}

#[test]
fn a_stream_is_created_once_it_is_synced_and_every_core_knows_it() {
    let mut bench = Bench::new();
    bench.ask("create", create(config("S")));
    bench.settle_but(is_sync);
    assert!(!bench.is_answered("create") && !is_in_table(&bench, "S"));
    bench.settle();
    assert!(matches!(bench.answer("create"), Answer::StreamCreated(_)) && is_in_table(&bench, "S"));
    bench.crash();
    assert!(is_in_table(&bench, "S"));
}

#[test]
fn a_stream_is_updated_and_deleted_with_syncs_and_stays_so() {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    let wanted = StreamConfig { max_msgs: 2, ..config("S") };
    bench.ask("update", update(wanted));
    bench.settle_but(is_sync);
    assert!(!bench.is_answered("update"));
    bench.settle();
    assert!(matches!(bench.answer("update"), Answer::StreamUpdated(_)));
    bench.crash();
    bench.publish(group, "s.a", 5);
    bench.settle();
    assert_eq!(bench.state(group), (2, 5));
    bench.ask("delete", delete("S"));
    bench.settle_but(is_sync);
    assert!(!bench.is_answered("delete"));
    bench.settle();
    assert!(matches!(bench.answer("delete"), Answer::StreamDeleted) && !is_in_table(&bench, "S"));
    bench.crash();
    assert!(!is_in_table(&bench, "S"));
    assert!(bench.shard.state_hashes().is_empty());
}

#[test]
fn a_crash_between_the_entries_of_catalog_and_group_is_healed() {
    let mut bench = Bench::new();
    bench.holds_messages = true;
    bench.ask("create", create(config("S")));
    bench.settle();
    assert!(!bench.is_answered("create"));
    bench.crash();
    assert!(is_in_table(&bench, "S"), "its group was created");
    let group = bench.group("S");
    bench.publish(group, "s.a", 3);
    bench.settle();

    // The word that the configuration has changed is lost: the one before it asks for a check, and is answered.
    bench.ask("update", update(StreamConfig { max_msgs: 1, ..config("S") }));
    for _ in 0..2 {
        bench.turn();
    }
    bench.holds_messages = true;
    bench.settle();
    assert!(!bench.is_answered("update"));
    bench.crash();
    assert_eq!(bench.state(group), (1, 3), "the catalog's word counts");

    bench.ask("delete", delete("S"));
    bench.turn();
    bench.holds_messages = true;
    bench.settle();
    assert!(!bench.is_answered("delete"));
    bench.crash();
    assert!(!is_in_table(&bench, "S"));
    assert!(bench.shard.state_hashes().is_empty(), "its group is gone");
    bench.crash();
    assert_eq!(bench.shard.recovery().1, 0);
}

#[test]
fn a_group_that_the_catalog_does_not_know_is_set_aside_and_does_not_run() {
    let mut bench = Bench::new();
    let mut config = config("LOST");
    config.complete(&ServerLimits::default(), false).expect("a configuration like others");
    config.max_age = Duration::from_secs(1);
    let message = ShardMessage::CreateGroup {
        group: GroupId(77),
        account: AccountId::GLOBAL,
        config: config.into_shared(),
        created: WallTime(1),
    };
    bench.shard.handle_message(bench.now, message, &mut bench.world);
    bench.settle();
    bench.publish(GroupId(77), "lost.a", 2);
    bench.settle();
    let push = ConsumerConfig { deliver_subject: "inbox".to_owned(), ..ConsumerConfig::default() };
    let mut request = create_consumer(GroupId(77), "push");
    if let Request::ConsumerCreate { config, .. } = &mut request {
        **config = ConsumerConfig { deliver_subject: push.deliver_subject, ..(**config).clone() };
    }
    assert!(matches!(bench.get(request), Answer::ConsumerCreated(_)));
    assert_eq!(bench.world.deliveries.len(), 2, "as long as it runs");
    bench.pass(Duration::from_millis(60));
    bench.settle();
    let hashes = bench.shard.state_hashes();
    for _ in 0..2 {
        bench.crash();
        assert!(!is_in_table(&bench, "LOST"));
        let kept = SetAside { group: GroupId(77), stream: "LOST".to_owned(), messages: 2 };
        assert_eq!(bench.shard.set_aside(), [kept], "nothing of it is deleted");
        assert_eq!(bench.shard.state_hashes(), hashes);
        bench.pass(Duration::from_secs(40));
        bench.settle();
        bench.publish(GroupId(77), "lost.a", 1);
        bench.settle();
        assert!(matches!(bench.answer("p"), Answer::NoResponders { .. }));
        assert_eq!(rejection(bench.get(info(GroupId(77)))), Rejection::StreamNotFound);
        assert_eq!(bench.world.deliveries.len(), 0, "its consumer does not run");
        assert_eq!(bench.shard.state_hashes(), hashes, "and its messages do not expire");
    }
    // Checkpoints hold it, and its number is not given to another stream.
    let file = bench.stream("S", |config| config.max_msgs = 5);
    assert!(file > GroupId(77));
    for _ in 0..60 {
        bench.hot(file, &[Hot { payload: &[3; 20_000], ..Hot::publish("s.a", "p") }; 2]);
        bench.settle();
    }
    assert!(bench.shard.figures().checkpoint_len > 0);
    bench.crash();
    assert_eq!(bench.shard.set_aside().len(), 1);
    assert!(bench.shard.state_hashes().contains(&hashes[0]));
}

#[test]
fn a_request_for_a_stream_that_is_busy_is_served_when_it_is_free() {
    let mut bench = Bench::new();
    bench.ask("first", create(config("S")));
    bench.turn();
    bench.ask("second", create(config("S")));
    bench.ask("update", update(StreamConfig { max_msgs: 2, ..config("S") }));
    bench.ask("delete", delete("S"));
    bench.settle();
    assert!(matches!(bench.answer("first"), Answer::StreamCreated(_)));
    assert!(matches!(bench.answer("second"), Answer::StreamCreated(_)));
    assert!(matches!(bench.answer("update"), Answer::StreamUpdated(_)));
    assert!(matches!(bench.answer("delete"), Answer::StreamDeleted));
}

#[test]
fn subjects_and_names_are_taken_while_a_creation_is_under_way() {
    let mut bench = Bench::new();
    bench.ask("first", create(config("S")));
    bench.ask("overlap", create(StreamConfig { name: "T".to_owned(), ..config("S") }));
    bench.settle();
    assert_eq!(rejection(bench.answer("overlap")), Rejection::StreamSubjectOverlap);
    bench.ask("other", create(StreamConfig { max_msgs: 7, ..config("S") }));
    bench.settle();
    assert_eq!(rejection(bench.answer("other")), Rejection::StreamNameExist);
}

#[test]
fn streams_in_memory_come_back_empty_with_their_configuration() {
    let mut bench = Bench::new();
    let group = bench.stream("M", |config| {
        config.storage = Storage::Memory;
        config.max_msgs = 3;
    });
    bench.consumer(group, "c");
    bench.publish(group, "m.a", 2);
    bench.turn();
    assert_eq!(bench.world.acks.len(), 2, "nothing to wait for");
    bench.settle();
    bench.crash();
    assert_eq!(bench.state(group), (0, 0));
    bench.publish(group, "m.a", 5);
    bench.settle();
    assert_eq!(bench.state(group), (3, 5));
}

#[test]
fn who_waits_for_a_catalog_whose_log_fails_is_told() {
    let mut bench = Bench::new();
    bench.ask("create", create(config("S")));
    bench.disk.fail = true;
    bench.settle();
    assert!(matches!(rejection(bench.answer("create")), Rejection::StreamStoreFailed(_)));
    bench.ask("later", create(config("T")));
    bench.settle();
    assert!(matches!(rejection(bench.answer("later")), Rejection::StreamStoreFailed(_)));
}

#[test]
fn what_streams_reserve_stays_within_the_limits_of_the_server() {
    let mut bench = Bench::new();
    let all = 1 << 40;
    let wants = |name: &str, max_bytes| StreamConfig { max_bytes, ..config(name) };
    bench.stream("A", |config| config.max_bytes = all / 2);
    let answer = bench.get(create(wants("A", all / 2)));
    assert!(matches!(answer, Answer::StreamCreated(_)), "once more, it reserves nothing more");
    assert_eq!(
        rejection(bench.get(create(wants("B", all / 2 + 1)))),
        Rejection::StorageResourcesExceeded,
        "one byte too many"
    );
    bench.stream("B", |config| config.max_bytes = all / 2);
    let overlapping = StreamConfig { name: "C".to_owned(), ..config("A") };
    assert_eq!(rejection(bench.get(create(overlapping))), Rejection::StorageResourcesExceeded);
    assert_eq!(rejection(bench.get(update(wants("A", all / 2 + 1)))), Rejection::StorageResourcesExceeded);
    assert!(matches!(bench.get(update(wants("A", all / 2))), Answer::StreamUpdated(_)));
    assert!(matches!(bench.get(update(wants("A", -1))), Answer::StreamUpdated(_)));
    bench.stream("C", |_| {});
    bench.crash();
    assert_eq!(rejection(bench.get(update(wants("C", all)))), Rejection::StorageResourcesExceeded);
    assert!(matches!(bench.get(delete("B")), Answer::StreamDeleted));
    assert!(matches!(bench.get(update(wants("C", all))), Answer::StreamUpdated(_)));
}

#[test]
fn streams_in_memory_reserve_memory() {
    let mut bench = Bench::new();
    let wants = |max_bytes| StreamConfig { storage: Storage::Memory, max_bytes, ..config("M") };
    assert_eq!(rejection(bench.get(create(wants((1 << 20) + 1)))), Rejection::MemoryResourcesExceeded);
    bench.stream("M", |config| (config.storage, config.max_bytes) = (Storage::Memory, 1 << 20));
    bench.stream("F", |config| config.max_bytes = 1 << 20);
    let more = StreamConfig { storage: Storage::Memory, ..config("N") };
    assert_eq!(rejection(bench.get(create(more))), Rejection::MemoryResourcesExceeded);
}

#[test]
fn two_updates_at_once_do_not_reserve_the_same_bytes() {
    let mut bench = Bench::new();
    bench.stream("A", |_| {});
    bench.stream("B", |_| {});
    for name in ["A", "B"] {
        bench.ask(name, update(StreamConfig { max_bytes: 1 << 40, ..config(name) }));
    }
    bench.settle();
    assert!(matches!(bench.answer("A"), Answer::StreamUpdated(_)));
    assert_eq!(rejection(bench.answer("B")), Rejection::StorageResourcesExceeded);
}
