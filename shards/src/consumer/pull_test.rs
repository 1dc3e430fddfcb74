use crate::consumer::config::{AckPolicy, ConsumerConfig};
use crate::consumer::fixture::*;
use std::time::Duration;

#[test]
fn concurrent_batches_are_served_in_turn_message_by_message() {
    let mut bench = Bench::filled(0, explicit());
    for reply in ["a", "b", "c"] {
        bench.fetch("3", reply);
    }
    (0..9).for_each(|_| _ = bench.publish("s"));
    let seen: Vec<(String, u64)> =
        bench.take().into_iter().map(|got| (got.to.clone(), got.numbers()[1])).collect();
    for (reply, first) in [("a", 1), ("b", 2), ("c", 3)] {
        let seqs: Vec<u64> = seen.iter().filter(|(to, _)| to == reply).map(|&(_, seq)| seq).collect();
        assert_eq!(seqs, [first, first + 3, first + 6]);
    }
}

#[test]
fn a_request_whose_client_is_gone_takes_no_message_and_no_sequence() {
    let mut bench = Bench::filled(0, explicit());
    bench.fetch("1", "gone");
    bench.world.deaf.insert("gone".into());
    bench.publish("s");
    bench.fetch("1", "here");
    assert_eq!(bench.deliveries(), [(1, 1, 1)]);
}

#[test]
fn a_subscriber_that_leaves_between_the_look_and_the_delivery_takes_nothing() {
    let mut bench = Bench::filled(1, explicit());
    let (now, stream) = (bench.now, &bench.stream);
    bench.consumer.handle_fetch(now, b"", b"", b"r", stream, &mut bench.world);
    let next = bench.next();
    assert_eq!(next, crate::consumer::Next::Message(crate::ids::StreamSeq(1)));
    bench.world.deaf.insert("r".into());
    bench.run();
    assert_eq!(bench.state(), ((0, 0), (0, 0), 0, 0));
    bench.fetch("", "other");
    assert_eq!(bench.deliveries(), [(1, 1, 1)]);
}

#[test]
fn a_request_without_credit_lets_others_go_first_and_blocks_if_there_are_none() {
    let mut bench = Bench::filled(0, explicit());
    bench.fetch("2", "slow");
    bench.fetch("1", "fast");
    bench.world.full.insert("slow".into());
    bench.publish("s");
    bench.publish("s");
    let took: Vec<String> = bench.take().into_iter().map(|got| got.to).collect();
    assert_eq!(took, ["fast"]);
    let next = bench.next();
    assert_eq!(next, crate::consumer::Next::Blocked);
    bench.world.full.clear();
    bench.run();
    assert_eq!(bench.messages(), [2]);
}

#[test]
fn a_request_that_runs_out_of_credit_within_a_round_stops_there() {
    let mut bench = Bench::filled(5, explicit());
    bench.world.room = Some(2);
    bench.fetch("5", "r");
    assert_eq!(bench.messages(), [1, 2]);
    bench.world.room = None;
    bench.run();
    assert_eq!(bench.messages(), [3, 4, 5]);
}

#[test]
fn requests_take_turns() {
    let mut bench = Bench::filled(0, explicit());
    bench.fetch("3", "a");
    bench.fetch("2", "b");
    (0..5).for_each(|_| _ = store(&mut bench.stream, bench.now, "s", b""));
    bench.run();
    let took: Vec<String> = bench.take().into_iter().map(|got| got.to).collect();
    assert_eq!(took, ["a", "b", "a", "b", "a"]);
}

#[test]
fn expiries_come_in_the_order_of_their_deadlines_with_what_is_left() {
    let mut bench = Bench::filled(0, explicit());
    for ms in [200, 100, 25, 75] {
        bench.fetch(&format!(r#"{{"batch":{ms},"expires":{}}}"#, ms * 1_000_000), "r");
    }
    bench.pass_ms(1000);
    let expected = [25, 75, 100, 200].map(|n| {
        format!("NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: {n}\r\nNats-Pending-Bytes: 0\r\n\r\n")
    });
    assert_eq!(bench.statuses(), expected);
    assert_eq!(bench.info().num_waiting, 0);
}

#[test]
fn requests_that_expire_in_one_turn_end_in_the_order_of_their_deadlines() {
    let mut bench = Bench::filled(0, explicit());
    for ms in [30, 10, 20] {
        bench.fetch(&format!(r#"{{"batch":{ms},"expires":{}}}"#, ms * 1_000_000), "r");
    }
    bench.now.monotonic = bench.now.monotonic + Duration::from_secs(1);
    bench.consumer.handle_timeout(bench.now, &mut bench.world);
    let left: Vec<bool> = bench
        .statuses()
        .iter()
        .zip(["10", "20", "30"])
        .map(|(block, n)| block.contains(&format!("Messages: {n}\r")))
        .collect();
    assert_eq!(left, [true; 3]);
}

#[test]
fn a_negative_expiry_has_passed_already() {
    let mut bench = Bench::filled(0, explicit());
    bench.fetch(r#"{"batch":2,"expires":-1}"#, "r");
    bench.pass_ms(0);
    assert_eq!(bench.status_lines(), ["408 Request Timeout"]);
}

#[test]
fn the_budget_of_bytes_counts_subject_reply_headers_and_payload() {
    let mut bench = Bench::new(&["s", "s", "s"], explicit());
    bench.fetch(r#"{"batch":50,"max_bytes":1024,"expires":1000000000}"#, "r");
    let spent: usize =
        bench.take().iter().map(|got| 1 + got.reply.len() + got.headers.len() + got.payload.len()).sum();
    bench.pass_ms(1000);
    let expected = format!(
        "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 47\r\nNats-Pending-Bytes: {}\r\n\r\n",
        1024 - spent
    );
    assert_eq!(bench.statuses(), [expected]);
}

#[test]
fn a_message_above_the_budget_ends_the_request_and_goes_to_the_next() {
    let mut bench = Bench::filled(0, explicit());
    bench.fetch(r#"{"batch":1,"max_bytes":20}"#, "small");
    bench.fetch("1", "large");
    bench.publish("s");
    let got = bench.take();
    assert_eq!(
        got[0].headers,
        "NATS/1.0 409 Message Size Exceeds MaxBytes\r\nNats-Pending-Messages: 1\r\nNats-Pending-Bytes: 20\r\n\r\n"
    );
    assert_eq!((got[1].to.as_str(), got[1].numbers()[1]), ("large", 1));
}

#[test]
fn a_filled_batch_with_budget_left_says_so() {
    let mut bench = Bench::filled(2, explicit());
    bench.fetch(r#"{"batch":1,"max_bytes":1000}"#, "r");
    let got = bench.take();
    let left = 1000 - 1 - got[0].reply.len();
    assert_eq!(
        got[1].headers,
        format!(
            "NATS/1.0 409 Batch Completed\r\nNats-Pending-Messages: 0\r\nNats-Pending-Bytes: {left}\r\n\r\n"
        )
    );
    bench.fetch(r#"{"max_bytes":1000}"#, "r");
    assert!(bench.statuses()[0].contains("Nats-Pending-Messages: -1\r\n"));
}

#[test]
fn a_budget_that_is_hit_exactly_ends_the_request_silently() {
    let mut bench = Bench::filled(2, explicit());
    bench.fetch("1", "r");
    let size = 1 + bench.take()[0].reply.len();
    bench.fetch(&format!(r#"{{"batch":5,"max_bytes":{size}}}"#), "r");
    assert_eq!((bench.messages(), bench.info().num_waiting), (vec![2], 0));
}

#[test]
fn a_batch_without_budget_ends_silently() {
    let mut bench = Bench::filled(3, explicit());
    bench.fetch("2", "r");
    assert_eq!(bench.take().len(), 2);
    assert_eq!(bench.info().num_waiting, 0);
}

#[test]
fn heartbeats_tell_where_the_consumer_is_and_stop_for_messages() {
    let mut bench = Bench::new(&["x", "s"], ConsumerConfig { filter_subject: "s".into(), ..explicit() });
    bench.publish("x");
    bench.fetch(r#"{"batch":100,"expires":1000000000,"idle_heartbeat":100000000}"#, "r");
    bench.take();
    bench.pass_ms(100);
    assert_eq!(
        bench.statuses(),
        ["NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 1\r\nNats-Last-Stream: 3\r\n\r\n"]
    );
    for _ in 0..10 {
        bench.pass_ms(50);
        bench.publish("s");
    }
    assert_eq!(bench.status_lines(), Vec::<String>::new());
    bench.pass_ms(1000);
    let lines = bench.status_lines();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines.last().unwrap(), "408 Request Timeout");
}

#[test]
fn a_deleted_consumer_and_a_stopping_server_tell_those_who_wait() {
    let mut bench = Bench::filled(0, explicit());
    bench.fetch("7", "r");
    bench.consumer.handle_deleted(&mut bench.world);
    assert_eq!(bench.statuses(), ["NATS/1.0 409 Consumer Deleted\r\n\r\n"]);
    bench.fetch(r#"{"batch":7,"max_bytes":9}"#, "r");
    bench.consumer.handle_shutdown(&mut bench.world);
    assert_eq!(
        bench.statuses(),
        ["NATS/1.0 409 Server Shutdown\r\nNats-Pending-Messages: 7\r\nNats-Pending-Bytes: 9\r\n\r\n"]
    );
}

#[test]
fn an_ack_none_pull_consumer_ignores_max_ack_pending() {
    let config = ConsumerConfig { ack_policy: AckPolicy::None, max_ack_pending: 2, ..explicit() };
    let mut bench = Bench::filled(5, config);
    bench.fetch("5", "r");
    assert_eq!(bench.messages().len(), 5);
    assert_eq!(bench.state(), ((5, 5), (5, 5), 0, 0));
}
