use crate::consumer::config::ConsumerConfig;
use crate::consumer::fixture::*;

fn ephemeral(ms: i64) -> ConsumerConfig {
    ConsumerConfig {
        durable_name: String::new(),
        name: "C".into(),
        inactive_threshold: ms * 1_000_000,
        ..explicit()
    }
}

#[test]
fn an_unused_pull_consumer_goes_after_its_threshold_and_a_grace() {
    let mut bench = Bench::filled(0, ephemeral(1000));
    bench.pass_ms(1099);
    assert!(!bench.consumer.poll_delete());
    bench.pass_ms(1);
    assert!(bench.consumer.poll_delete());
}

#[test]
fn a_durable_without_threshold_stays() {
    let mut bench = Bench::filled(0, explicit());
    bench.pass_ms(100_000);
    assert!(!bench.consumer.poll_delete() && bench.consumer.poll_timeout().is_none());
}

#[test]
fn requests_that_find_nothing_are_signs_of_life_and_refused_ones_are_not() {
    let mut bench = Bench::filled(0, ephemeral(100));
    for _ in 0..50 {
        bench.pass_ms(25);
        bench.fetch(r#"{"batch":1,"no_wait":true}"#, "r");
    }
    assert!(!bench.consumer.poll_delete());
    for _ in 0..8 {
        bench.pass_ms(25);
        bench.fetch("{", "r");
    }
    assert!(bench.consumer.poll_delete());
}

#[test]
fn a_waiting_request_keeps_it_alive_until_a_threshold_after_its_expiry() {
    let mut bench = Bench::filled(0, ephemeral(800));
    bench.fetch(r#"{"batch":1,"expires":2500000000}"#, "r");
    bench.pass_ms(2500 + 850);
    assert!(!bench.consumer.poll_delete());
    bench.pass_ms(100);
    assert!(bench.consumer.poll_delete());
}

#[test]
fn a_client_that_works_on_a_message_keeps_it_alive() {
    let mut bench = Bench::filled(1, ConsumerConfig { ack_wait: 60_000_000_000, ..ephemeral(500) });
    bench.fetch("1", "r");
    bench.pass_ms(1750);
    assert!(!bench.consumer.poll_delete());
    bench.ack(1, "");
    bench.pass_ms(60_000);
    assert!(bench.consumer.poll_delete());
}

#[test]
fn a_push_consumer_goes_exactly_its_threshold_after_the_last_subscriber() {
    let mut bench = Bench::filled(0, ConsumerConfig { deliver_subject: "d".into(), ..ephemeral(1000) });
    bench.pass_ms(10_000);
    assert!(!bench.consumer.poll_delete());
    bench.world.bound = false;
    bench.interest();
    bench.pass_ms(999);
    assert!(!bench.consumer.poll_delete());
    bench.pass_ms(1);
    assert!(bench.consumer.poll_delete());
}

#[test]
fn a_new_subscriber_stops_the_timer() {
    let mut bench = Bench::filled(0, ConsumerConfig { deliver_subject: "d".into(), ..ephemeral(1000) });
    bench.world.bound = false;
    bench.interest();
    bench.pass_ms(500);
    bench.world.bound = true;
    bench.interest();
    bench.pass_ms(5000);
    assert!(!bench.consumer.poll_delete());
}
