use crate::consumer::config::{AckPolicy, ConsumerConfig};
use crate::consumer::fixture::*;

fn with_heartbeat() -> ConsumerConfig {
    ConsumerConfig { idle_heartbeat: 100_000_000, ..push() }
}

fn with_flow_control() -> ConsumerConfig {
    let ack_policy = AckPolicy::None;
    ConsumerConfig { flow_control: true, idle_heartbeat: 5_000_000_000, ack_policy, ..push() }
}

#[test]
fn delivery_happens_only_while_somebody_is_bound() {
    let mut bench = Bench::filled(2, push());
    bench.run();
    assert_eq!(bench.messages(), [1, 2]);
    assert!(bench.info().push_bound);
    bench.world.bound = false;
    bench.interest();
    bench.publish("s");
    assert_eq!((bench.messages().len(), bench.info().push_bound), (0, false));
    bench.world.bound = true;
    bench.interest();
    assert_eq!(bench.messages(), [3]);
}

#[test]
fn a_message_keeps_its_stored_subject_and_carries_an_ack_subject() {
    let mut bench = Bench::new(&["orders.eu"], ConsumerConfig { ack_policy: AckPolicy::None, ..push() });
    bench.run();
    let got = bench.take().remove(0);
    assert_eq!((got.to.as_str(), got.subject.as_str()), ("d", "orders.eu"));
    assert_eq!(got.reply, "$JS.ACK.S.C.1.1.1.1700000000000000000.0");
}

#[test]
fn a_send_that_reaches_nobody_costs_no_delivery() {
    let mut bench = Bench::filled(2, ConsumerConfig { max_deliver: 1, ..push() });
    bench.world.deaf.insert("d".into());
    bench.run();
    assert_eq!(bench.state(), ((0, 0), (0, 0), 0, 0));
    bench.world.deaf.clear();
    bench.interest();
    assert_eq!(bench.deliveries(), [(1, 1, 1), (1, 2, 2)]);
}

#[test]
fn heartbeats_come_when_nothing_else_does_and_only_to_the_bound() {
    let mut bench =
        Bench::new(&["x", "s"], ConsumerConfig { filter_subject: "s".into(), ..with_heartbeat() });
    bench.run();
    bench.take();
    bench.pass_ms(90);
    bench.publish("x");
    bench.pass_ms(10);
    assert_eq!(
        bench.statuses(),
        ["NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 1\r\nNats-Last-Stream: 3\r\n\r\n"]
    );
    bench.pass_ms(90);
    bench.publish("s");
    bench.pass_ms(50);
    assert_eq!(bench.status_lines(), Vec::<String>::new());
    bench.world.bound = false;
    bench.interest();
    bench.pass_ms(1000);
    assert_eq!(bench.take(), []);
}

/// Publishes messages of 32 KiB until nothing comes any more; how many came before each request, and the requests.
fn flood(bench: &mut Bench, count: usize) -> (Vec<usize>, Vec<String>) {
    for _ in 0..count {
        let seq = store(&mut bench.stream, bench.now, "s", &[0; 32 << 10]);
        let seq = crate::ids::StreamSeq(seq);
        bench.consumer.handle_stored(seq, seq, &bench.stream);
    }
    bench.run();
    let (mut at, mut replies, mut came) = (Vec::new(), Vec::new(), 0);
    for got in bench.take() {
        if got.headers.is_empty() {
            came += 1;
        } else {
            assert_eq!(got.headers, "NATS/1.0 100 FlowControl Request\r\n\r\n");
            assert_eq!((got.to.as_str(), got.subject.as_str()), ("d", "d"));
            at.push(came);
            replies.push(got.reply);
        }
    }
    at.push(came);
    (at, replies)
}

#[test]
fn the_first_window_is_two_mebibytes_and_each_answer_doubles_it() {
    let mut bench = Bench::filled(0, with_flow_control());
    let (at, replies) = flood(&mut bench, 200);
    // The first request after 1 MiB; without an answer 2 MiB go out.
    assert_eq!(at, [32, 64]);
    assert!(replies[0].starts_with("$JS.FC.S.C.") && replies[0].len() == "$JS.FC.S.C.".len() + 4);
    bench.consumer.handle_flow_control(replies[0].as_bytes());
    // 1 MiB is left unconfirmed; the second request after 3 MiB in all, the stall after another window of 4 MiB less.
    let (at, _) = flood(&mut bench, 0);
    assert_eq!(at, [32, 96]);
}

#[test]
fn a_stall_shows_in_the_heartbeat_and_an_old_answer_does_not_end_it() {
    let mut bench = Bench::filled(0, with_flow_control());
    let (_, replies) = flood(&mut bench, 100);
    bench.pass_ms(5000);
    let expected = format!(
        "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 64\r\nNats-Last-Stream: 64\r\nNats-Consumer-Stalled: {}\r\n\r\n",
        replies[0]
    );
    assert_eq!(bench.statuses(), [expected]);
    bench.consumer.handle_flow_control(b"$JS.FC.S.C.zzzz");
    bench.run();
    assert_eq!(bench.messages().len(), 0);
    let long_form = replies[0].replace("$JS.FC.", "$JS.FC._.szMpdrwD.");
    bench.consumer.handle_flow_control(long_form.as_bytes());
    bench.run();
    assert_eq!(bench.messages().len(), 36);
}
