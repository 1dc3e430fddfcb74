//! Checkpoints under load, and the state that the next life finds.

use super::answer::Answer;
use super::fixture_test::*;
use super::request::{ItemKind, Request};
use crate::ids::GroupId;
use crate::stream::config::Storage;
use std::time::Duration;

#[test]
fn checkpoints_under_load_give_the_identical_state() {
    let mut bench = Bench::new();
    let streams = ["A", "B"].map(|name| {
        bench.stream(name, |config| {
            config.max_msgs = 40;
            config.subjects = vec![format!("{}.*", name.to_lowercase())];
        })
    });
    for group in streams {
        bench.consumer(group, "c");
    }
    for round in 0..60 {
        load(&mut bench, streams[0], "a.x", "A", round);
        load(&mut bench, streams[1], "b.x", "B", round);
        // Only some of it is written when the next comes.
        for _ in 0..round % 5 {
            bench.turn();
        }
        if round % 4 == 3 {
            bench.settle();
            bench.pass(Duration::from_millis(60));
        }
    }
    bench.settle();
    bench.pass(Duration::from_millis(60));
    bench.settle();
    assert!(bench.shard.figures().checkpoint_len > 0, "a checkpoint was taken");
    for _ in 0..3 {
        let hashes = bench.shard.state_hashes();
        bench.crash();
        assert_eq!(bench.shard.recovery().1, 0, "every change can be read");
        assert_eq!(bench.shard.recovery().0.damage, []);
        assert_eq!(bench.shard.state_hashes(), hashes);
        assert_eq!(bench.state(streams[0]).0, 40);
    }
}

/// Messages, deliveries, acks and a deletion.
fn load(bench: &mut Bench, group: GroupId, subject: &str, stream: &str, round: u64) {
    let payload = vec![3; 3000];
    bench.hot(group, &vec![Hot { payload: &payload, ..Hot::publish(subject, "p") }; 5]);
    bench.fetch(group, &format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.c"), "4");
    let of_stream = format!("$JS.ACK.{stream}.");
    let acks: Vec<String> = bench.world.deliveries.iter().map(|d| d.1.clone()).collect();
    bench.world.deliveries.retain(|d| !d.1.starts_with(&of_stream));
    for (n, ack) in acks.iter().filter(|ack| ack.starts_with(&of_stream)).enumerate() {
        let payload = if n % 3 == 2 { &b"-NAK"[..] } else { b"+ACK" };
        bench.hot(group, &[Hot { kind: ItemKind::Ack, subject: ack, reply: "", headers: "", payload }]);
    }
    if round % 7 == 6 {
        bench.ask("delete", Request::MessageDelete { group, seq: round * 5 - 3, no_erase: true });
    }
}

#[test]
fn disk_use_stays_bounded_when_messages_go() {
    let mut bench = Bench::new();
    let group = bench.stream("S", |config| config.max_msgs = 5);
    let payload = vec![3; 20_000];
    let mut most = 0;
    for _ in 0..200 {
        bench.hot(group, &[Hot { payload: &payload, ..Hot::publish("s.a", "p") }; 2]);
        bench.settle();
        most = most.max(bench.shard.figures().bytes_on_disk);
    }
    assert!(most < 4 << 20, "{most}");
    bench.crash();
    assert_eq!(bench.state(group), (5, 400));
}

#[test]
fn a_stream_in_memory_does_not_hold_checkpoints_back() {
    let mut bench = Bench::new();
    let memory = bench.stream("M", |config| config.storage = Storage::Memory);
    let file = bench.stream("S", |config| config.max_msgs = 5);
    let payload = vec![3; 20_000];
    for round in 0..60 {
        bench.hot(file, &[Hot { payload: &payload, ..Hot::publish("s.a", "p") }; 2]);
        bench.publish(memory, "m.a", 1);
        if round % 3 == 0 {
            let mut wanted = config("M");
            wanted.storage = Storage::Memory;
            wanted.max_msgs = 10 + round;
            bench.ask("update", Request::StreamUpdate { config: Box::new(wanted), pedantic: false });
            for _ in 0..4 {
                bench.turn();
                bench.publish(memory, "m.a", 1);
            }
        }
        bench.settle();
    }
    let failed = bench.world.answers.iter().find(|(_, answer)| matches!(answer, Answer::Rejected(_)));
    assert!(failed.is_none(), "{failed:?}");
    bench.crash();
    assert_eq!(bench.shard.recovery().0.damage, []);
    assert_eq!(bench.state(file), (5, 120));
}
