//! What a broker tells of its stages: on request, and at its end.

use crate::support::broker::Broker;
use crate::support::folder::Folder;
use crate::support::nats::{Client, Event};
use serde_json::{Value, json};
use std::time::Duration;

const PUBLISHES: u64 = 500;

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn the_report_counts_each_acked_message_and_times_each_sync() {
    for executors in [1, 3] {
        let folder = Folder::new("report");
        let broker = Broker::start_with(folder.path(), &["--executors", &executors.to_string(), "--report"]);
        let mut client = Client::connect(broker.port).expect("a running broker");
        client.create_stream("one", &json!({}));
        for number in 1..=PUBLISHES {
            assert_eq!(client.publish_and_wait("one.a", b"0123456789")["seq"], number);
        }
        let reports = ask(&mut client, executors);
        for stage in ["/stages/admitted", "/stages/written", "/stages/synced", "/acked", "/total"] {
            assert_eq!(sum(&reports, &format!("{stage}/count")), PUBLISHES, "{stage}: {reports:#?}");
        }
        // One after another, so each has a sync of its own, which takes most of the way.
        assert!(sum(&reports, "/sync_time/count") >= PUBLISHES);
        assert!(sum(&reports, "/total/p50") >= sum(&reports, "/stages/synced/p50") / 2);
        let log = folder.join("broker.log");
        broker.terminate();
        let log = std::fs::read_to_string(log).expect("the broker's log");
        for core in 0..executors {
            assert!(log.contains(&format!("\nCore {core} of {executors} ")), "{log}");
        }
        let acked: u64 = log.lines().filter_map(|line| count(line, "read to acked, us")).sum();
        assert_eq!(acked, PUBLISHES, "{log}");
    }
}

/// One reply of each executor.
fn ask(client: &mut Client, executors: usize) -> Vec<Value> {
    client.subscribe("_INBOX.report", 77);
    client.publish("$SYS.REQ.SERVER.PING.STAGES", "_INBOX.report", &[], b"");
    client.flush().expect("a running broker");
    let mut reports = Vec::new();
    while reports.len() < executors {
        let event = client.next(Duration::from_secs(5)).expect("a running broker");
        if let Event::Message(message) = event.expect("a reply of each executor") {
            reports.push(serde_json::from_slice(&message.payload).expect("JSON"));
        }
    }
    reports
}

/// A field of all shards, or of all executors' clients, summed up.
fn sum(reports: &[Value], pointer: &str) -> u64 {
    let shards = reports.iter().flat_map(|report| report["data"]["shards"].as_array().expect("shards"));
    let clients = reports.iter().map(|report| &report["data"]["clients"]);
    shards.chain(clients).filter_map(|part| part.pointer(pointer)?.as_u64()).sum()
}

/// The first number behind a name in a line of the table.
fn count(line: &str, name: &str) -> Option<u64> {
    line.trim().strip_prefix(name)?.split_whitespace().next()?.parse().ok()
}
