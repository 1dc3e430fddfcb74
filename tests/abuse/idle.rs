//! What guests cost that do nothing.

use crate::support::broker::Broker;
use crate::support::folder::Folder;
use crate::support::nats::{Client, Event};
use crate::support::{pause, setting, skipped};
use serde_json::json;
use std::ops::Range;
use std::time::Duration;

const CONNECTIONS: u64 = 5000;
const STREAMS: u64 = 5000;

/// Bytes of proportional memory each.
const CONNECTION_MAX: u64 = 4 << 10;
const STREAM_MAX: u64 = 2 << 10;
const CONSUMER_MAX: u64 = 1 << 10;

/// By so much the system's count of one process differs from run to run: buffers that one run needs and another does not (873 to
/// 1,132 B for each of 5,000 consumers of the same broker). The heap of a consumer is counted to the byte in
/// tests/allocations/idle.rs. Bytes.
const NOISE: u64 = 1 << 20;

/// Requests to create a stream or a consumer without an answer.
const IN_FLIGHT: usize = 64;

/// Bytes of a message, with its entry about a buffer of 256 KiB; and how many of them fill the caches of two logs.
const FILL_MESSAGE_LEN: usize = 250_000;
const FILL_MESSAGES: u64 = 256;

/// Share of one core, in percent.
const CPU_MAX: f64 = 0.5;

/// Measured over `MILLRACE_IDLE` seconds, 20 by default.
#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn five_thousand_idle_connections_streams_and_consumers_cost_next_to_nothing() {
    let open_files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if open_files.current.is_some_and(|limit| limit < CONNECTIONS + 1000) {
        return skipped("idle costs", "too few files may be open (ulimit -n)");
    }
    println!("fixed memory   executors     Pss KiB   anonymous KiB");
    for executors in [1, 2, 4] {
        let folder = Folder::new("idle-fixed");
        let broker = Broker::start(folder.path(), executors);
        settle();
        let (pss, anonymous) = (broker.memory() >> 10, broker.memory_field("Pss_Anon:") >> 10);
        println!("               {executors:>9} {pss:>11} {anonymous:>15}");
        broker.terminate();
    }

    let folder = Folder::new("idle");
    let broker = Broker::start(folder.path(), 2);
    let mut client = Client::connect(broker.port).expect("a running broker");
    // What is counted is the difference between as many streams and twice as many, once everything of a fixed size is full
    // that is no part of a stream: each log's tail cache and buffers, and what creations and checkpoints hold for a moment.
    // Consumers are counted likewise.
    create_streams(&mut client, 0..2);
    fill_logs(&mut client);
    create_streams(&mut client, 2..STREAMS);
    create_consumers(&mut client, 0..STREAMS);
    settle();
    let empty = broker.memory();
    create_streams(&mut client, STREAMS..2 * STREAMS);
    settle();
    let with_streams = broker.memory();
    create_consumers(&mut client, STREAMS..2 * STREAMS);
    settle();
    let with_consumers = broker.memory();
    let mut guests = Vec::new();
    for number in 0..CONNECTIONS {
        let mut guest = Client::open(broker.port).expect("a running broker");
        guest.send(b"CONNECT {\"verbose\":false}\r\n");
        guest.subscribe(&format!("idle.{number}"), 1);
        guest.flush().expect("an open connection");
        guests.push(guest);
    }
    client.ping().expect("an open connection");
    // The first PINGs go out within three seconds, and the deadlines of their writes pass within ten more.
    pause(Duration::from_secs(15));
    let with_all = broker.memory();
    let time = Duration::from_secs(setting("MILLRACE_IDLE", 20));
    let before = broker.cpu_time();
    pause(time);
    let cpu = 100.0 * (broker.cpu_time() - before).as_secs_f64() / time.as_secs_f64();
    let (stream, consumer) = ((with_streams - empty) / STREAMS, (with_consumers - with_streams) / STREAMS);
    let connection = (with_all - with_consumers) / CONNECTIONS;
    println!("{STREAMS} streams      {stream} B each, at most {STREAM_MAX}");
    println!("{STREAMS} consumers    {consumer} B each, at most {CONSUMER_MAX}");
    println!("{CONNECTIONS} connections  {connection} B each, at most {CONNECTION_MAX}");
    println!("idle over {time:?}  {cpu:.2} % of a core, at most {CPU_MAX}");
    broker.terminate();
    let (stream_max, consumer_max) = (STREAM_MAX + NOISE / STREAMS, CONSUMER_MAX + NOISE / STREAMS);
    assert!(
        stream <= stream_max && consumer <= consumer_max && connection <= CONNECTION_MAX && cpu < CPU_MAX
    );
}

fn create_streams(client: &mut Client, numbers: Range<u64>) {
    create(client, numbers, |number| {
        let name = format!("stream-{number}");
        let config = json!({ "name": name, "subjects": [name] });
        (format!("$JS.API.STREAM.CREATE.{name}"), config.to_string())
    });
}

/// A durable pull consumer of each of these streams.
fn create_consumers(client: &mut Client, numbers: Range<u64>) {
    create(client, numbers, |number| {
        let stream = format!("stream-{number}");
        let config = json!({ "durable_name": "worker", "ack_policy": "explicit" });
        let request = json!({ "stream_name": stream, "config": config });
        (format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.worker"), request.to_string())
    });
}

/// Some at a time, so that it does not take a write of the disk for each. `request`: its subject and its text.
fn create(client: &mut Client, numbers: Range<u64>, request: impl Fn(u64) -> (String, String)) {
    let reply = format!("{}created", client.inbox);
    for start in numbers.clone().step_by(IN_FLIGHT) {
        let some = start..numbers.end.min(start + IN_FLIGHT as u64);
        for number in some.clone() {
            let (subject, text) = request(number);
            client.publish(&subject, &reply, &[], text.as_bytes());
        }
        client.flush().expect("an open connection");
        for _ in some {
            let answer = answer(client);
            assert!(!answer.contains("\"error\""), "{answer}");
        }
    }
}

/// The next message.
fn answer(client: &mut Client) -> String {
    match client.next(Duration::from_secs(20)).expect("an open connection") {
        Some(Event::Message(message)) => String::from_utf8_lossy(&message.payload).into_owned(),
        other => panic!("{other:?} instead of an answer"),
    }
}

/// Enough for the tail cache of both logs: the first two streams lie in one each.
fn fill_logs(client: &mut Client) {
    let payload = vec![b'x'; FILL_MESSAGE_LEN];
    let reply = format!("{}fill", client.inbox);
    for number in 0..FILL_MESSAGES {
        client.publish(&format!("stream-{}", number % 2), &reply, &[], &payload);
        client.flush().expect("an open connection");
        let answer = answer(client);
        assert!(answer.contains("\"seq\""), "no pub ack: {answer}");
    }
}

/// Work that was begun comes to its end.
fn settle() {
    pause(Duration::from_secs(2));
}
