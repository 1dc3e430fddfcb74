//! The report of stages counts every acked message once in each stage it went through, on whichever core.

#[path = "../fixture/mod.rs"]
mod fixture;

use fixture::BATCH;
use fixture::cores::Cores;
use fixture::said::captured;
use serde_json::Value;

/// The fixture's surroundings are not counted here.
fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Asks, and returns what each core says, in their order.
fn reports(cores: &mut Cores, client: usize) -> Vec<Value> {
    let heard = cores.request(client, "$SYS.REQ.SERVER.PING.STAGES", "");
    let replies = heard.lines().filter(|line| line.starts_with('{'));
    let mut reports: Vec<Value> = replies.map(|reply| serde_json::from_str(reply).unwrap()).collect();
    reports.sort_by_key(|report| report["data"]["core"].as_u64());
    reports
}

/// A field of all shards, or of all cores' clients, summed up.
fn sum(reports: &[Value], pointer: &str) -> u64 {
    let shards = reports.iter().flat_map(|report| report["data"]["shards"].as_array().unwrap());
    let clients = reports.iter().map(|report| &report["data"]["clients"]);
    shards.chain(clients).filter_map(|part| part.pointer(pointer)?.as_u64()).sum()
}

fn a_client_with_a_stream(cores: u16, options: &str) -> (Cores, usize) {
    let mut cores = Cores::new(cores);
    let client = cores.connect();
    cores.says(client, b"SUB _INBOX.abc.* 1\r\n");
    cores.create_stream(client, options);
    (cores, client)
}

#[test]
fn every_acked_message_is_counted_once_in_each_stage() {
    const BATCHES: u64 = 5;
    for count in [1, 2] {
        let (mut cores, client) = a_client_with_a_stream(count, "");
        for batch in 0..BATCHES {
            cores.says(client, &captured(batch * BATCH, "", 128));
        }
        let reports = reports(&mut cores, client);
        assert_eq!(reports.len(), usize::from(count), "every core answers");
        for stage in ["/stages/admitted", "/stages/written", "/stages/synced", "/acked", "/total"] {
            assert_eq!(sum(&reports, &format!("{stage}/count")), BATCHES * BATCH, "{stage}, {count} cores");
        }
        assert_eq!(sum(&reports, "/entry_messages/count"), BATCHES, "one entry for each batch");
        assert_eq!(sum(&reports, "/entry_messages/max"), BATCH);
        assert_eq!(sum(&reports, "/write_messages/max"), BATCH);
        assert!(sum(&reports, "/sync_time/count") >= BATCHES);
        let arrived = sum(&reports, "/lane_messages/count");
        assert_eq!(arrived > 0, count > 1, "only another core sends something");
    }
}

#[test]
fn the_stages_add_up_to_the_whole_way() {
    let (mut cores, client) = a_client_with_a_stream(1, "");
    cores.says(client, &captured(0, "", 128));
    let reports = reports(&mut cores, client);
    let parts = ["/stages/admitted", "/stages/written", "/stages/synced", "/acked"];
    let whole: u64 = parts.iter().map(|stage| sum(&reports, &format!("{stage}/mean"))).sum();
    assert_eq!(whole, sum(&reports, "/total/mean"));
    // A turn of the fixture is 100 µs: the write ends in the turn after the one that admits, the sync in the one after that.
    assert_eq!(sum(&reports, "/stages/written/mean"), 100_000);
    assert_eq!(sum(&reports, "/stages/synced/mean"), 100_000);
    assert_eq!(sum(&reports, "/write_time/max"), 100_000);
}

#[test]
fn messages_of_memory_storage_are_in_no_stage() {
    let (mut cores, client) = a_client_with_a_stream(1, r#","storage":"memory""#);
    let heard = cores.says(client, &captured(0, "", 128));
    assert!(String::from_utf8_lossy(&heard).contains("\"seq\":256"));
    let reports = reports(&mut cores, client);
    assert_eq!(sum(&reports, "/stages/synced/count") + sum(&reports, "/acked/count"), 0);
}

#[test]
fn a_request_without_a_reply_subject_is_answered_by_nobody() {
    let (mut cores, client) = a_client_with_a_stream(2, "");
    assert!(cores.says(client, b"PUB $SYS.REQ.SERVER.PING.STAGES 0\r\n\r\n").is_empty());
}

#[test]
fn a_subscriber_of_the_subject_hears_the_request_and_changes_no_reply() {
    let (mut cores, client) = a_client_with_a_stream(2, "");
    cores.says(client, b"SUB $SYS.> 2\r\n");
    let other = cores.connect_to(0);
    cores.says(other, b"SUB $SYS.> 2\r\n");
    assert_eq!(reports(&mut cores, client).len(), 2);
}
