use crate::consumer::config::ConsumerConfig;
use crate::consumer::fixture::*;

fn limited() -> ConsumerConfig {
    ConsumerConfig {
        max_batch: 10,
        max_expires: 60_000_000_000,
        max_bytes: 100,
        max_waiting: 2,
        ..explicit()
    }
}

fn refused(config: ConsumerConfig, payload: &str) -> String {
    let mut bench = Bench::filled(0, config);
    bench.fetch(payload, "r");
    assert_eq!(bench.info().num_waiting, 0);
    let mut blocks = bench.statuses();
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    blocks.remove(0)
}

#[test]
fn what_is_refused_is_told_with_the_exact_text() {
    for (payload, status) in [
        (r#"{"batch":11}"#, "409 Exceeded MaxRequestBatch of 10"),
        (r#"{"batch":1,"expires":60000000001}"#, "409 Exceeded MaxRequestExpires of 1m0s"),
        (r#"{"batch":1,"max_bytes":101}"#, "409 Exceeded MaxRequestMaxBytes of 100"),
        (r#"{"batch":1,"expires":100,"idle_heartbeat":51}"#, "400 Bad Request - heartbeat value too large"),
        (r#"{"batch":1,"idle_heartbeat":51}"#, "400 Bad Request - heartbeat value too large"),
        (r#"{"batch":1"#, "400 Bad Request - unexpected end of JSON input"),
        (r#"{"batch":1,"min_pending":5}"#, "400 Bad Request - Not a Overflow Priority consumer"),
        (r#"{"batch":1,"min_ack_pending":5}"#, "400 Bad Request - Not a Overflow Priority consumer"),
        (r#"{"batch":1,"id":"x"}"#, "400 Bad Request - Not a Pinned Client Priority consumer"),
        (r#"{"batch":1,"priority":10}"#, "400 Bad Request - Priority must be between 0 and 9"),
        (r#"{"batch":1,"no_wait":true}"#, "404 No Messages"),
    ] {
        assert_eq!(refused(limited(), payload), format!("NATS/1.0 {status}\r\n\r\n"), "{payload}");
    }
    assert_eq!(refused(push(), ""), "NATS/1.0 409 Consumer is push based\r\n\r\n");
}

#[test]
fn requests_without_expiry_or_budget_are_not_limited_by_those_limits() {
    let mut bench = Bench::filled(0, limited());
    bench.fetch("10", "r");
    assert_eq!((bench.status_lines().len(), bench.info().num_waiting), (0, 1));
}

#[test]
fn a_higher_api_level_than_served_is_refused() {
    for (level, lines) in [("5", 0), ("6", 1), ("x", 1)] {
        let mut bench = Bench::filled(0, explicit());
        bench.fetch_with("1", &format!("NATS/1.0\r\nNats-Required-Api-Level: {level}\r\n\r\n"), "r");
        assert_eq!(bench.status_lines(), vec!["412 Required Api Level"; lines]);
    }
}

#[test]
fn a_full_queue_refuses_the_newcomer_only_and_stays_silent_to_heartbeats() {
    let mut bench = Bench::filled(0, limited());
    bench.fetch("1", "a");
    bench.fetch("1", "b");
    bench.fetch("1", "c");
    bench.fetch(r#"{"batch":1,"expires":1000,"idle_heartbeat":500}"#, "d");
    assert_eq!(bench.statuses(), ["NATS/1.0 409 Exceeded MaxWaiting\r\n\r\n"]);
    assert_eq!(bench.info().num_waiting, 2);
}

#[test]
fn a_full_queue_is_swept_at_most_once_a_second() {
    let mut bench = Bench::filled(0, limited());
    bench.fetch("1", "a");
    bench.fetch("1", "b");
    bench.fetch("1", "c");
    bench.take();
    bench.world.deaf.insert("a".into());
    bench.fetch("1", "d");
    assert_eq!(bench.status_lines(), ["409 Exceeded MaxWaiting"]);
    bench.pass_ms(1001);
    bench.fetch("1", "e");
    assert_eq!(bench.status_lines(), Vec::<String>::new());
}

#[test]
fn a_request_without_reply_subject_is_ignored() {
    let mut bench = Bench::filled(1, explicit());
    bench.fetch("1", "");
    assert_eq!((bench.take().len(), bench.info().num_waiting), (0, 0));
}

const NO_WAIT: &str = r#"{"batch":5,"no_wait":true}"#;
const NO_WAIT_EXPIRES: &str = r#"{"batch":5,"no_wait":true,"expires":1000000000}"#;

#[test]
fn no_wait_gets_what_is_there_and_then_404() {
    for request in [NO_WAIT, NO_WAIT_EXPIRES] {
        let mut bench = Bench::filled(3, explicit());
        bench.fetch(request, "r");
        let got = bench.take();
        assert_eq!(got.iter().filter(|got| got.is_message()).count(), 3);
        assert_eq!(got[3].headers, "NATS/1.0 404 No Messages\r\n\r\n");
        assert_eq!(bench.info().num_waiting, 0);
    }
}

#[test]
fn no_wait_with_expiry_waits_on_an_empty_consumer() {
    let mut bench = Bench::filled(0, explicit());
    bench.fetch(NO_WAIT_EXPIRES, "r");
    bench.pass_ms(1000);
    assert_eq!(bench.status_lines(), ["408 Request Timeout"]);
    bench.fetch(NO_WAIT_EXPIRES, "r");
    bench.publish("s");
    let got = bench.take();
    assert!(got[0].is_message());
    assert_eq!(got[1].headers, "NATS/1.0 404 No Messages\r\n\r\n");
}

#[test]
fn no_wait_at_max_ack_pending_stays_queued() {
    let mut bench = Bench::filled(3, ConsumerConfig { max_ack_pending: 1, ..explicit() });
    bench.fetch("1", "r");
    bench.take();
    bench.fetch(NO_WAIT, "r");
    assert_eq!((bench.take().len(), bench.info().num_waiting), (0, 1));
    bench.ack(1, "");
    assert_eq!(bench.messages(), [2]);
    bench.ack(2, "");
    bench.ack(3, "");
    assert_eq!(bench.take().len(), 2);
    let mut bench = Bench::filled(3, ConsumerConfig { max_ack_pending: 1, ..explicit() });
    bench.fetch("1", "r");
    bench.take();
    bench.fetch(NO_WAIT_EXPIRES, "r");
    bench.pass_ms(1000);
    assert_eq!(bench.status_lines(), ["408 Request Timeout"]);
}

#[test]
fn no_wait_is_refused_while_others_want_more_than_there_is() {
    let mut bench = Bench::filled(3, ConsumerConfig { max_ack_pending: 1, ..explicit() });
    bench.fetch("4", "r");
    bench.take();
    bench.fetch(NO_WAIT, "late");
    assert_eq!(bench.statuses(), ["NATS/1.0 408 Requests Pending\r\n\r\n"]);
}

#[test]
fn no_wait_counts_what_is_to_be_delivered_again() {
    let mut bench = Bench::filled(1, explicit());
    bench.fetch("1", "r");
    bench.ack(1, "-NAK");
    bench.take();
    bench.fetch(NO_WAIT, "r");
    assert_eq!(bench.deliveries(), [(2, 1, 2)]);
}

#[test]
fn a_delayed_nak_is_found_by_polling_without_waiting() {
    let mut bench = Bench::filled(1, explicit());
    bench.fetch("1", "r");
    bench.ack(1, "-NAK 500ms");
    bench.take();
    for _ in 0..5 {
        bench.fetch(NO_WAIT, "r");
        assert_eq!(bench.status_lines(), ["404 No Messages"]);
        bench.pass_ms(100);
    }
    bench.fetch(NO_WAIT, "r");
    assert_eq!(bench.deliveries(), [(2, 1, 2)]);
}
