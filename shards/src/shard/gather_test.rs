//! Entries that gather: who waits for whom, and that nothing else does.

use super::fixture_test::*;
use super::request::Request;
use crate::ids::GroupId;
use crate::limits::{GATHER_GROUPS_MIN, GATHER_MESSAGES_MAX};
use crate::stream::config::Storage;
use std::time::Duration;

/// Streams, each with one message that is synced.
fn bench(streams: usize) -> (Bench, Vec<GroupId>) {
    let mut bench = Bench::new();
    let groups: Vec<GroupId> = (0..streams).map(|n| bench.stream(&format!("S{n}"), |_| {})).collect();
    groups.iter().for_each(|&group| bench.publish(group, "s.a", 1));
    bench.settle();
    bench.world.acks.clear();
    (bench, groups)
}

/// Entries that were committed, and their messages.
fn entries(bench: &Bench) -> (u64, u64) {
    let stages = bench.shard.report().stages;
    (stages.entry_messages.count(), stages.synced.count())
}

#[test]
fn publishes_of_many_turns_share_an_entry_while_a_write_is_out() {
    let (mut bench, groups) = bench(2);
    let before = entries(&bench);
    bench.publish(groups[0], "s.a", 1);
    bench.turn();
    for _ in 0..5 {
        groups.iter().for_each(|&group| bench.publish(group, "s.a", 1));
        bench.turn();
    }
    bench.settle();
    let after = entries(&bench);
    assert_eq!(
        (after.0 - before.0, after.1 - before.1),
        (3, 11),
        "the first at once, then one for each stream"
    );
    assert_eq!(bench.world.acks.len(), 11);
    bench.crash();
    assert_eq!([bench.state(groups[0]), bench.state(groups[1])], [(7, 7), (6, 6)]);
}

#[test]
fn whoever_has_many_messages_or_finds_nothing_out_does_not_wait() {
    let (mut bench, groups) = bench(2);
    let appended = |bench: &Bench| bench.shard.figures().appended;
    let mut last = appended(&bench);
    let mut is_appended = |bench: &Bench| std::mem::replace(&mut last, appended(bench)) < appended(bench);
    bench.publish(groups[0], "s.a", 1);
    bench.turn();
    assert!(is_appended(&bench), "nothing was out");
    bench.publish(groups[0], "s.a", 1);
    bench.turn();
    assert!(!is_appended(&bench), "a write is out");
    bench.publish(groups[1], "s.a", GATHER_MESSAGES_MAX as usize + 1);
    bench.turn();
    assert!(is_appended(&bench), "its entry is worth while");
    bench.settle_but(is_sync);
    bench.publish(groups[0], "s.a", 1);
    bench.turn();
    assert!(!is_appended(&bench), "a sync is out that it would miss");
    bench.settle();
    assert!(is_appended(&bench), "the sync has ended");
}

#[test]
fn many_streams_wait_for_the_sync_that_is_out_and_no_longer() {
    let (mut bench, groups) = bench(GATHER_GROUPS_MIN);
    bench.publish(groups[0], "s.a", 1);
    bench.settle_but(is_sync);
    let before = entries(&bench);
    for _ in 0..4 {
        groups.iter().for_each(|&group| bench.publish(group, "s.a", 1));
        bench.settle_but(is_sync);
    }
    let writes = bench.shard.figures().writes;
    let done = bench.disk.complete_first(is_sync).expect("a sync is out");
    bench.shard.handle_disk(bench.now, done, &mut bench.world);
    bench.settle_but(is_sync);
    assert_eq!(bench.shard.figures().writes, writes + 1, "they are written as soon as it ends");
    bench.settle();
    let after = entries(&bench);
    assert_eq!((after.0 - before.0, after.1 - before.1), (65, 257));
}

#[test]
fn what_memory_holds_and_what_is_asked_does_not_wait_for_a_write() {
    let (mut bench, groups) = bench(1);
    let memory = bench.stream("M", |config| config.storage = Storage::Memory);
    bench.publish(groups[0], "s.a", 1);
    bench.settle_but(|op| is_write(op) || is_sync(op));
    bench.publish(groups[0], "s.a", 1);
    bench.publish(memory, "m.a", 3);
    bench.settle_but(|op| is_write(op) || is_sync(op));
    assert_eq!(bench.world.acks.len(), 3);
    bench.ask("info", info(groups[0]));
    bench.settle_but(|op| is_write(op) || is_sync(op));
    assert!(!bench.is_answered("info"), "it includes what was published before");
    bench.settle();
    assert!(bench.is_answered("info"));
    assert_eq!(bench.world.acks.len(), 5);
}

#[test]
fn whoever_waits_hears_of_a_disk_that_does_not_answer_or_fails() {
    for fails in [false, true] {
        let (mut bench, groups) = bench(2);
        bench.publish(groups[0], "s.a", 1);
        bench.settle_but(|op| is_write(op) || is_sync(op));
        bench.publish(groups[1], "s.a", 2);
        bench.settle_but(|op| is_write(op) || is_sync(op));
        if fails {
            bench.disk.fail = true;
            bench.settle();
        } else {
            bench.pass(Duration::from_secs(3));
            bench.settle_but(|op| is_write(op) || is_sync(op));
        }
        assert!(bench.world.acks.is_empty());
        assert_eq!(bench.world.answers.iter().filter(|(to, _)| to == "p").count(), 3);
    }
}

#[test]
fn closing_waits_for_nobody_but_the_disk() {
    let (mut bench, groups) = bench(2);
    bench.publish(groups[0], "s.a", 1);
    bench.settle_but(|op| is_write(op) || is_sync(op));
    bench.publish(groups[1], "s.a", 2);
    bench.ask("purge", Request::StreamPurge { group: groups[1], filter: String::new(), seq: 0, keep: 1 });
    bench.settle_but(|op| is_write(op) || is_sync(op));
    bench.shard.close(bench.now, &mut bench.world);
    bench.settle();
    assert!(bench.shard.is_closed() && bench.is_answered("purge"));
    assert_eq!(bench.world.acks.len(), 3);
}

#[test]
fn the_time_that_publishes_wait_for_a_write_counts_as_time_to_be_written() {
    let (mut bench, groups) = bench(1);
    bench.publish(groups[0], "s.a", 1);
    bench.settle_but(is_write);
    bench.publish(groups[0], "s.a", 1);
    bench.settle_but(is_write);
    bench.pass(Duration::from_millis(5));
    bench.settle();
    let stages = bench.shard.report().stages;
    assert_eq!(stages.admitted.max(), 0);
    assert_eq!(stages.written.at_quantile(0.9) / 1_000_000, 5);
}
