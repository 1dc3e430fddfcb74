//! Old messages give their place to new ones.

use crate::support::api::number;
use crate::support::broker::Broker;
use crate::support::folder::{Folder, bytes_on_disk};
use crate::support::nats::{Client, Event};
use crate::support::{now, pause, setting, wait_for};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes of a segment.
const SEGMENT_LEN: u64 = 64 << 20;

/// Segments' worth of messages that are written.
const SEGMENTS: u64 = 20;

/// Bytes per second: what is younger than `max_age` fills two segments.
const RATE: u64 = 48 << 20;

/// What the design comes to. Files are reused and not deleted, so the most that was ever needed stays on disk:
///
/// - 6 that are prepared: the reserve of 4 (`SEGMENT_RESERVE`) and 2 ahead, filled up again as soon as one is taken;
/// - 5 that are used. Of the two checkpoints that are kept the older was written two segment changes ago and refers to what
///   lived then, 2 s at `RATE`, in 2 segments; 2 were filled since, and the next checkpoint is written into one more before it
///   sets the oldest free;
/// - 1 while a checkpoint takes longer than usual, on a disk that others use, and 1 after a restart, which begins a new segment;
/// - less than 1 in short ones from the log's youth.
///
/// On a quiet machine 11.4 are measured, on a busy one 11.9, and 12.9 after the restart.
const SEGMENTS_MAX: u64 = 14;

const MESSAGE_LEN: u64 = 16 << 10;

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn twenty_segments_of_messages_that_age_hold_a_handful_of_segments_on_disk() {
    let folder = Folder::new("disk-use");
    let broker = Broker::start(folder.path(), 1);
    let mut client = Client::connect(broker.port).expect("a running broker");
    client.create_stream(
        "aging",
        &json!({ "max_age": 2_000_000_000u64, "duplicate_window": 1_000_000_000u64 }),
    );
    client.create_durable("aging", "reader", &json!({ "max_ack_pending": 10_000 }));
    let stop = Arc::new(AtomicBool::new(false));
    let reader = start_reader(broker.port, Arc::clone(&stop));

    let rate = setting("MILLRACE_RATE", RATE);
    let mut largest = 0;
    let (start, mut written) = (now(), 0);
    while written < SEGMENTS * SEGMENT_LEN {
        written += publish_some(&mut client, 64);
        keep_pace(start, written, rate);
        largest = largest.max(bytes_on_disk(folder.path()));
    }
    let seconds = start.elapsed().as_secs_f64();
    stop.store(true, Ordering::Release);
    let acked = reader.join().expect("a reader that ends well");
    println!(
        "{SEGMENTS} segments in {seconds:.0} s, {acked} messages acked: at most {:.1} segments on disk",
        largest as f64 / SEGMENT_LEN as f64
    );
    assert!(largest <= SEGMENTS_MAX * SEGMENT_LEN, "{largest} bytes on disk");
    broker.terminate();

    let broker = Broker::start(folder.path(), 1);
    let mut client = Client::connect(broker.port).expect("a running broker");
    wait_for("an empty stream after its max_age", Duration::from_secs(10), || {
        (number(&client.stream_state("aging")["messages"]) == 0).then_some(())
    });
    let again = (now(), 0);
    let (start, mut written) = again;
    let mut largest = bytes_on_disk(folder.path());
    while written < 4 * SEGMENT_LEN {
        written += publish_some(&mut client, 64);
        keep_pace(start, written, rate);
        largest = largest.max(bytes_on_disk(folder.path()));
    }
    println!("after a restart and 4 segments more: at most {:.1}", largest as f64 / SEGMENT_LEN as f64);
    assert!(largest <= SEGMENTS_MAX * SEGMENT_LEN, "{largest} bytes on disk after a restart");
    broker.terminate();
}

/// Publishes so many messages and waits for their pub acks. Bytes of payload.
fn publish_some(client: &mut Client, count: u64) -> u64 {
    let payload = vec![b'x'; MESSAGE_LEN as usize];
    let reply = format!("{}ack", client.inbox);
    for _ in 0..count {
        client.publish("aging.one", &reply, &[], &payload);
    }
    client.flush().expect("an open connection");
    for _ in 0..count {
        match client.next(Duration::from_secs(20)).expect("an open connection") {
            Some(Event::Message(message)) => {
                let text = String::from_utf8_lossy(&message.payload);
                assert!(text.contains("\"seq\""), "no pub ack: {text}");
            }
            other => panic!("{other:?} instead of a pub ack"),
        }
    }
    count * MESSAGE_LEN
}

fn keep_pace(start: Instant, written: u64, rate: u64) {
    let due = start + Duration::from_secs_f64(written as f64 / rate as f64);
    pause(due.saturating_duration_since(now()));
}

/// Fetches and acks until it is told to stop. Messages that it acked.
fn start_reader(port: u16, stop: Arc<AtomicBool>) -> JoinHandle<u64> {
    let mut client = Client::connect(port).expect("a running broker");
    std::thread::spawn(move || {
        let mut acked = 0;
        let reply = format!("{}fetch", client.inbox);
        while !stop.load(Ordering::Acquire) {
            client.pull("aging", "reader", &reply, &json!({ "batch": 200, "expires": 300_000_000u64 }));
            client.flush().expect("an open connection");
            let mut left = 200;
            while left > 0 {
                match client.next(Duration::from_secs(5)).expect("an open connection") {
                    Some(Event::Message(message)) if message.status().is_some() => break,
                    Some(Event::Message(message)) => {
                        client.publish(&message.reply, "", &[], b"+ACK");
                        acked += 1;
                        left -= 1;
                    }
                    other => panic!("{other:?} instead of a message"),
                }
            }
        }
        client.flush().expect("an open connection");
        acked
    })
}
