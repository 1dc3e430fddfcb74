//! The device is told to flush for every lone publish.

use crate::support::broker::Broker;
use crate::support::folder::Folder;
use crate::support::loop_device::{self, LoopDevice, flushes};
use crate::support::nats::Client;
use crate::support::skipped;
use serde_json::json;
use std::path::Path;

const PUBLISHES: u64 = 200;

/// On a disk of its own if there may be one, so that nobody else's flushes are counted.
#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn two_hundred_publishes_one_after_another_flush_the_device_two_hundred_times() {
    let folder = Folder::new("flushes");
    let image = folder.join("disk.img");
    let disk = loop_device::unavailable().map_or(Ok(()), Err);
    let disk = disk.and_then(|()| loop_device::format(&image, 1 << 30));
    match disk.and_then(|()| LoopDevice::mount(&image, &folder.join("disk"))) {
        Ok(disk) => count(disk.path(), "a loop device"),
        Err(_) => count(&folder.join("data"), "the shared device of the data directory"),
    }
}

fn count(store: &Path, device: &str) {
    let broker = Broker::start(store, 1);
    let Some(before) = flushes(store) else {
        return skipped("flush counter", "the device does not count flushes");
    };
    let mut client = Client::connect(broker.port).expect("a running broker");
    client.create_stream("lone", &json!({}));
    for number in 1..=PUBLISHES {
        let answer = client.publish_and_wait("lone.one", b"0123456789");
        assert_eq!(answer["seq"], number);
    }
    let counted = flushes(store).expect("the counter is still there") - before;
    println!("{PUBLISHES} publishes, {counted} flushes of {device}");
    assert!(counted >= PUBLISHES, "{PUBLISHES} publishes, but {counted} flushes");
    broker.terminate();
}
