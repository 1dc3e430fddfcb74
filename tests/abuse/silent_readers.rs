//! Subscribers that never read.

use crate::support::broker::Broker;
use crate::support::folder::Folder;
use crate::support::nats::Client;
use crate::support::{now, wait_for};
use crate::witness::{Witness, assert_at_most_doubled};
use std::time::Duration;

/// Bytes that may wait for one connection: half of the default, to be done sooner.
const MAX_PENDING: u64 = 32 << 20;

/// What a core may hold besides.
const SLACK: u64 = 48 << 20;

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn a_reader_that_never_reads_is_closed_and_slows_nobody_down() {
    let folder = Folder::new("silent-reader");
    let config = folder.join("config.toml");
    std::fs::write(&config, format!("max_pending = {MAX_PENDING}\n")).expect("a configuration");
    let path = config.to_str().expect("a path in UTF-8");
    let mut broker = Broker::start_with(folder.path(), &["-c", path, "--executors", "2"]);
    let mut witness = Witness::start(broker.port, "");
    witness.p99(Duration::from_millis(500));
    let quiet = witness.p99(Duration::from_secs(2));
    let memory = broker.memory();

    let mut reader = Client::connect(broker.port).expect("a running broker");
    reader.subscribe("flood", 2);
    reader.ping().expect("a running broker");
    let port = broker.port;
    let flood = std::thread::spawn(move || {
        let mut publisher = Client::connect(port).expect("a running broker");
        let payload = vec![b'x'; 32 << 10];
        let end = now() + Duration::from_secs(3);
        let mut sent = 0u64;
        while now() < end {
            publisher.publish("flood", "", &[], &payload);
            publisher.flush().expect("the publisher is not thrown out");
            sent += payload.len() as u64;
            crate::support::pause(Duration::from_micros(300));
        }
        publisher.ping().expect("the publisher is not thrown out");
        sent
    });
    let disturbed = witness.p99(Duration::from_secs(3));
    let sent = flood.join().expect("a publisher that ends well");
    broker.must_run();
    let grown = broker.memory().saturating_sub(memory);
    println!("{} MiB for a reader that never reads; memory grew by {} MiB", sent >> 20, grown >> 20);
    assert!(sent > 2 * MAX_PENDING, "the flood was too small to matter: {sent}");
    assert!(grown < MAX_PENDING + SLACK, "memory grew by {grown} bytes");
    assert_at_most_doubled("a reader that never reads", quiet, disturbed);
    wait_for("the end of the slow consumer", Duration::from_secs(20), || {
        reader.next(Duration::from_secs(1)).is_err().then_some(())
    });
    let line = format!("Slow Consumer Detected: MaxPending of {MAX_PENDING} Exceeded");
    assert!(broker.log_tail().contains(&line), "the log says why: {}", broker.log_tail());
    witness.end();
    broker.terminate();
}
