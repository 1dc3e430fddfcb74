//! Stages: what is counted, and between which moments.

use super::fixture_test::*;
use super::stages::ShardReport;
use crate::ids::GroupId;
use crate::stream::config::Storage;
use std::time::Duration;

const MS: u64 = 1_000_000;

fn bench() -> (Bench, GroupId) {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    (bench, group)
}

/// Means of the stages in milliseconds, and the messages that they count.
fn means(report: &ShardReport) -> [u64; 4] {
    let stages = &report.stages;
    let counts = [&stages.admitted, &stages.written, &stages.synced].map(|stage| stage.count());
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    [stages.admitted.mean() / MS, stages.written.mean() / MS, stages.synced.mean() / MS, counts[0]]
}

#[test]
fn each_stage_lasts_from_the_turn_that_begins_it_to_the_turn_that_hears_of_its_end() {
    let (mut bench, group) = bench();
    bench.publish(group, "s.a", 3);
    bench.pass(Duration::from_millis(1));
    bench.turn();
    bench.pass(Duration::from_millis(2));
    bench.settle_but(is_sync);
    assert_eq!(means(&bench.shard.report()), [0, 0, 0, 0], "nothing is committed");
    bench.pass(Duration::from_millis(4));
    bench.settle();
    let report = bench.shard.report();
    assert_eq!(means(&report), [1, 2, 4, 3]);
    assert_eq!((report.stages.entry_messages.count(), report.stages.entry_messages.max()), (1, 3));
    assert_eq!(report.log.write_messages.max(), 3);
    assert_eq!((report.log.write.max() / MS, report.log.sync.max() / MS), (2, 4));
    assert_eq!(report.stages.waiting_items.max(), 3);
}

#[test]
fn entries_that_share_a_sync_keep_their_own_times() {
    let (mut bench, group) = bench();
    bench.publish(group, "s.a", 1);
    bench.settle_but(is_sync);
    for _ in 0..2 {
        // Too many to gather in one entry.
        bench.publish(group, "s.a", 40);
        bench.pass(Duration::from_millis(1));
        bench.settle_but(is_sync);
    }
    bench.pass(Duration::from_millis(1));
    bench.settle();
    let stages = bench.shard.report().stages;
    assert_eq!((stages.synced.count(), stages.synced.max() / MS), (81, 3));
    // The first goes at once; the others wait for its sync, each since its own turn, and share the next write.
    let waited = [0.0, 0.25, 1.0].map(|quantile| stages.written.at_quantile(quantile) / MS);
    assert_eq!(waited, [0, 1, 2]);
    assert_eq!(stages.entry_messages.count(), 3);
}

#[test]
fn what_fails_or_is_in_memory_is_in_no_stage() {
    let (mut bench, group) = bench();
    let memory = bench.stream("M", |config| config.storage = Storage::Memory);
    bench.publish(memory, "m.a", 5);
    bench.settle();
    assert_eq!(means(&bench.shard.report())[3], 0);
    bench.publish(group, "s.a", 1);
    bench.disk.fail = true;
    bench.settle();
    assert!(bench.shard.has_failed());
    assert_eq!(means(&bench.shard.report())[3], 0);
}
