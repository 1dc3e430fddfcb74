//! What a stream holds that does nothing.

use super::answer::StreamChange;
use super::engine::Engine;
use super::fixture_test::Bench;
use super::{Shard, State};
use crate::ids::GroupId;
use crate::stream::config::StreamConfig;
use std::time::Duration;

fn engine(shard: &mut Shard) -> &mut Engine {
    match &mut shard.state {
        State::Serving(engine) => engine,
        State::Opening(_) | State::Between => panic!("the shard does not serve yet"),
    }
}

#[test]
fn quiet_streams_hold_no_memory_for_what_is_pending() {
    let mut bench = Bench::new();
    let groups: Vec<GroupId> = (0..100).map(|n| bench.stream(&format!("S{n}"), |_| {})).collect();
    for &group in &groups[..50] {
        bench.publish(group, "s.a", 1);
        bench.settle();
    }
    bench.consumer(groups[0], "c");
    // Their timers are looked at.
    for _ in 0..10 {
        bench.pass(Duration::from_secs(1));
        bench.settle();
    }
    for (id, group) in &engine(&mut bench.shard).groups {
        assert_eq!((group.pending.capacity(), group.bodies.capacity()), (0, 0), "{id}");
    }
}

#[test]
fn a_stream_and_the_table_of_streams_hold_one_configuration_also_after_a_restart() {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    for _ in 0..2 {
        let told = match &bench.world.table.last().expect("the table was told").change {
            StreamChange::Put { config, .. } => config.clone(),
            StreamChange::Removed { .. } => panic!("the stream is there"),
        };
        let known = engine(&mut bench.shard).groups.get_mut(&group).expect("the stream is there");
        let own: &StreamConfig = known.stream().expect("it is a stream's group").stream.config();
        assert!(std::ptr::eq(own, &*told));
        bench.restart();
        bench.settle();
    }
}
