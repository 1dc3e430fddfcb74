//! A disk without room.

use crate::support::api::number;
use crate::support::broker::Broker;
use crate::support::folder::Folder;
use crate::support::loop_device::{self, LoopDevice};
use crate::support::nats::{Client, Event};
use crate::support::{now, skipped, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// Bytes of the disk, and of the file on it that is not the broker's.
const DISK_LEN: u64 = 1200 << 20;
const BALLAST_LEN: usize = 300 << 20;

/// Few enough that no segment becomes free.
const PURGED: u64 = 2;

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn on_a_full_disk_publishes_are_refused_everything_else_works_and_room_helps_within_a_second() {
    let folder = Folder::new("disk-full");
    let image = folder.join("disk.img");
    let disk = loop_device::unavailable().map_or(Ok(()), Err);
    let disk = disk.and_then(|()| loop_device::format(&image, DISK_LEN));
    let disk = match disk.and_then(|()| LoopDevice::mount(&image, &folder.join("disk"))) {
        Ok(disk) => disk,
        Err(reason) => return skipped("full disk", &reason),
    };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; BALLAST_LEN]).expect("room for a ballast");

    let broker = Broker::start(disk.path(), 1);
    let mut client = Client::connect(broker.port).expect("a running broker");
    client.create_stream("full", &json!({}));
    client.create_durable("full", "reader", &json!({}));
    let payload = vec![b'x'; 512 << 10];
    let mut stored = 0;
    let refusal = loop {
        let answer = client.publish_and_wait("full.one", &payload);
        if answer["error"].is_object() {
            break answer["error"].clone();
        }
        stored = number(&answer["seq"]);
        assert!(stored * payload.len() as u64 <= DISK_LEN, "more is stored than the disk holds");
    };
    println!("{stored} messages of {} KiB, then {refusal}", payload.len() >> 10);
    assert_eq!((&refusal["code"], &refusal["err_code"]), (&json!(503), &json!(10023)));
    assert!(stored > 100, "refused while there is room");

    stored = fill_up(&mut client, stored);
    everything_else_works(&mut client, stored);
    stored = fill_up(&mut client, stored);

    fs::remove_file(&ballast).expect("a ballast");
    let start = now();
    wait_for("a publish after there is room", Duration::from_millis(1500), || {
        client.publish_and_wait("full.one", b"small")["error"].is_null().then_some(())
    });
    println!("publishing resumes {:.0?} after there is room", start.elapsed());
    broker.terminate();

    let broker = Broker::start(disk.path(), 2);
    let mut client = Client::connect(broker.port).expect("a running broker");
    let state = client.stream_state("full");
    assert_eq!(number(&state["last_seq"]), stored + 1, "{state}");
    assert_eq!(number(&state["first_seq"]), PURGED + 1, "{state}");
    broker.terminate();
}

/// Small messages until they are refused too. The last sequence.
fn fill_up(client: &mut Client, stored: u64) -> u64 {
    (stored..stored + 2000)
        .find(|seq| {
            let answer = client.publish_and_wait("full.one", b"small");
            assert!(answer["seq"] == seq + 1 || answer["error"]["err_code"] == 10023, "{answer}");
            answer["error"].is_object()
        })
        .expect("a full disk refuses small messages too")
}

/// Fetch, awaited ack, message delete, purge, a new consumer: all of them have room.
fn everything_else_works(client: &mut Client, stored: u64) {
    let reply = format!("{}fetch", client.inbox);
    client.pull("full", "reader", &reply, &json!({ "batch": 1, "expires": 5_000_000_000u64 }));
    client.flush().expect("an open connection");
    let message = match client.next(Duration::from_secs(10)) {
        Ok(Some(Event::Message(message))) => message,
        other => panic!("{other:?} instead of a message"),
    };
    assert_eq!(message.delivery().map(|delivery| delivery.stream_seq), Some(1));
    client.request(&message.reply, b"+ACK").expect("a confirmed ack on a full disk");
    client.must("STREAM.MSG.DELETE.full", &json!({ "seq": stored }));
    let purged = client.must("STREAM.PURGE.full", &json!({ "seq": PURGED + 1 }));
    assert_eq!(purged["purged"], PURGED, "{purged}");
    client.create_durable("full", "second", &json!({}));
    client.must("CONSUMER.DELETE.full.second", &Value::Null);
}
