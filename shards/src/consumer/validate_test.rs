use super::*;
use crate::consumer::fixture::{explicit, push};
use crate::time::WallTime;
use std::time::Duration;

fn complete(config: ConsumerConfig) -> Result<ConsumerConfig, Rejection> {
    config.complete(&Limits::default(), false, "generated")
}

fn code(config: ConsumerConfig) -> u16 {
    match complete(config) {
        Err(Rejection::Consumer(code, _)) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults_are_those_of_nats_server() {
    let config = complete(explicit()).unwrap();
    assert_eq!((config.max_deliver, config.max_waiting, config.max_ack_pending), (-1, 512, 1000));
    assert_eq!((config.ack_wait, config.inactive_threshold), (30_000_000_000, 0));
    assert_eq!((config.name.as_str(), config.metadata), ("C", vec![("_nats.req.level".into(), "0".into())]));
    let config = complete(ConsumerConfig::default()).unwrap();
    assert_eq!((config.ack_wait, config.max_ack_pending, config.inactive_threshold), (0, 0, 5_000_000_000));
    assert_eq!(config.name, "generated");
    let config = complete(push()).unwrap();
    assert_eq!(config.max_waiting, 0);
    let config = complete(ConsumerConfig { backoff: vec![5, 6], ..explicit() }).unwrap();
    assert_eq!(config.ack_wait, 5);
}

#[test]
fn the_streams_limits_are_defaults_and_bounds() {
    let limits = Limits {
        stream_max_ack_pending: 15,
        stream_inactive_threshold: Duration::from_secs(10),
        ..Limits::default()
    };
    let config = explicit().complete(&limits, false, "").unwrap();
    assert_eq!((config.max_ack_pending, config.inactive_threshold), (15, 10_000_000_000));
    let more = ConsumerConfig { max_ack_pending: 16, ..explicit() };
    assert_eq!(more.complete(&limits, false, ""), Err(Rejection::Consumer(10121, "15".into())));
    let longer = ConsumerConfig { inactive_threshold: 10_000_000_001, ..explicit() };
    assert_eq!(longer.complete(&limits, false, ""), Err(Rejection::Consumer(10153, "10s".into())));
    let none = ConsumerConfig { ack_policy: AckPolicy::None, ..push() };
    assert_eq!(none.complete(&limits, false, ""), Err(Rejection::Consumer(10082, String::new())));
}

#[test]
fn pedantic_refuses_what_would_be_corrected() {
    let pedantic = |config: ConsumerConfig, limits: Limits<'_>| match config.complete(&limits, true, "x") {
        Err(Rejection::Pedantic(text)) => text.into_owned(),
        other => panic!("{other:?}"),
    };
    let none = Limits::default();
    for (config, text) in [
        (ConsumerConfig { max_deliver: -2, ..explicit() }, "max_deliver must be set to -1"),
        (ConsumerConfig { max_waiting: -1, ..explicit() }, "max_waiting must not be negative"),
        (ConsumerConfig { max_ack_pending: -2, ..explicit() }, "max_ack_pending must be set to -1"),
        (ConsumerConfig { max_batch: -1, ..explicit() }, "max_batch must not be negative"),
        (ConsumerConfig { max_expires: -1, ..explicit() }, "max_expires must not be negative"),
        (ConsumerConfig { max_bytes: -1, ..explicit() }, "max_bytes must not be negative"),
        (ConsumerConfig { idle_heartbeat: -1, ..push() }, "idle_heartbeat must not be negative"),
        (ConsumerConfig { inactive_threshold: -1, ..explicit() }, "inactive_threshold must not be negative"),
        (ConsumerConfig { backoff: vec![5], ..explicit() }, "first backoff value has to equal batch AckWait"),
    ] {
        assert_eq!(pedantic(config, none), text);
    }
    let limits = Limits { stream_max_ack_pending: 5, ..none };
    assert_eq!(
        pedantic(explicit(), limits),
        "max_ack_pending must be set if it's configured in stream limits"
    );
    let limits = Limits { stream_inactive_threshold: Duration::from_secs(1), ..none };
    assert_eq!(
        pedantic(explicit(), limits),
        "inactive_threshold must be set if it's configured in stream limits"
    );
    let limits = Limits { server_max_request_batch: 5, ..none };
    assert_eq!(
        pedantic(explicit(), limits),
        "max_request_batch must be set if it's JetStream limits are set"
    );
    assert!(explicit().complete(&none, true, "x").is_ok());
}

#[test]
fn bad_configurations_are_refused_with_their_codes() {
    let subjects = |filters: &[&str]| filters.iter().map(|&filter| filter.to_owned()).collect::<Vec<_>>();
    let filters = |list: &[&str]| ConsumerConfig { filter_subjects: subjects(list), ..explicit() };
    for (config, expected) in [
        (ConsumerConfig { num_replicas: 3, ..explicit() }, 10126),
        (ConsumerConfig { backoff: vec![-1], ..explicit() }, 10184),
        (ConsumerConfig { ack_wait: -1, ..explicit() }, 10183),
        (ConsumerConfig { backoff: vec![1, 2, 3], max_deliver: 2, ..explicit() }, 10116),
        (ConsumerConfig { description: "x".repeat(4097), ..explicit() }, 10107),
        (ConsumerConfig { deliver_subject: "d.*".into(), max_waiting: 5, ..explicit() }, 10079),
        (ConsumerConfig { deliver_subject: "d..x".into(), ..explicit() }, 10112),
        (ConsumerConfig { max_waiting: 5, ..push() }, 10080),
        (ConsumerConfig { ack_policy: AckPolicy::None, max_ack_pending: 5, ..push() }, 10082),
        (ConsumerConfig { idle_heartbeat: 99_999_999, ..push() }, 10083),
        (ConsumerConfig { idle_heartbeat: 1_000_000_000, ..explicit() }, 10088),
        (ConsumerConfig { flow_control: true, ..explicit() }, 10089),
        (ConsumerConfig { max_expires: 999_999, ..explicit() }, 10115),
        (ConsumerConfig { filter_subject: "a".into(), ..filters(&["b"]) }, 10136),
        (filters(&[""]), 10139),
        (filters(&["a", "a"]), 10138),
        (filters(&["a.*", "a.b"]), 10138),
        (ConsumerConfig { sample_freq: "x".into(), ..explicit() }, 10095),
        (ConsumerConfig { flow_control: true, ..push() }, 10108),
        (ConsumerConfig { name: "other".into(), ..explicit() }, 10132),
        (ConsumerConfig { metadata: vec![("k".into(), "v".repeat(131_072))], ..explicit() }, 10135),
        (ConsumerConfig { durable_name: "x".repeat(256), ..explicit() }, 10102),
    ] {
        assert_eq!(code(config), expected);
    }
    assert!(complete(filters(&["a.*.x", "a.b.*"])).is_ok());
    assert!(complete(ConsumerConfig { backoff: vec![1, 2], max_deliver: 2, ..explicit() }).is_ok());
}

#[test]
fn names_and_filters_are_refused_as_stream_configurations() {
    for bad in ["a.b", "a b", "a*", "a>", "a/b", "a\\b"] {
        let config = ConsumerConfig { durable_name: bad.into(), ..explicit() };
        let text = r"consumer durable name can not contain '.', '*', '>', '\', '/'";
        assert_eq!(complete(config), Err(Rejection::StreamInvalidConfig(text.into())));
    }
    let config = ConsumerConfig { filter_subject: "a..b".into(), ..explicit() };
    assert_eq!(complete(config), Err(Rejection::StreamInvalidConfig("invalid subject".into())));
    let config = ConsumerConfig { num_replicas: -1, ..explicit() };
    assert_eq!(complete(config), Err(Rejection::ReplicasCountCannotBeNegative));
}

#[test]
fn a_deliver_subject_inside_the_stream_makes_a_cycle() {
    let subjects = ["d.>".to_owned(), "d".to_owned()];
    let limits = Limits { subjects: &subjects, ..Limits::default() };
    assert_eq!(push().complete(&limits, false, ""), Err(Rejection::Consumer(10081, String::new())));
}

#[test]
fn start_positions_that_contradict_the_policy_are_named() {
    let seq = |deliver_policy| ConsumerConfig { deliver_policy, opt_start_seq: 1, ..explicit() };
    let time =
        |deliver_policy| ConsumerConfig { deliver_policy, opt_start_time: Some(WallTime(1)), ..explicit() };
    let none = |deliver_policy| ConsumerConfig { deliver_policy, ..explicit() };
    for (config, text) in [
        (seq(DeliverPolicy::All), "all, but optional start sequence is also set"),
        (time(DeliverPolicy::Last), "last, but optional start time is also set"),
        (time(DeliverPolicy::New), "new, but optional start time is also set"),
        (seq(DeliverPolicy::LastPerSubject), "last per subject, but optional start sequence is also set"),
        (none(DeliverPolicy::LastPerSubject), "last per subject, but optional filter subject is not set"),
        (time(DeliverPolicy::ByStartSequence), "by start sequence, but optional start time is also set"),
        (none(DeliverPolicy::ByStartSequence), "by start sequence, but optional start sequence is not set"),
        (seq(DeliverPolicy::ByStartTime), "by start time, but optional start start sequence is also set"),
        (none(DeliverPolicy::ByStartTime), "by start time, but optional start time is not set"),
    ] {
        let text = format!("consumer delivery policy is deliver {text}");
        assert_eq!(complete(config), Err(Rejection::ConsumerInvalidPolicy(text.into())));
    }
}

#[test]
fn server_limits_bound_batch_and_ack_pending() {
    let limits = Limits { server_max_ack_pending: 50, server_max_request_batch: 7, ..Limits::default() };
    let config = explicit().complete(&limits, false, "").unwrap();
    assert_eq!((config.max_ack_pending, config.max_batch), (50, 7));
    let more = ConsumerConfig { max_batch: 8, ..explicit() };
    assert_eq!(more.complete(&limits, false, ""), Err(Rejection::Consumer(10125, "7".into())));
    let free = ConsumerConfig { max_ack_pending: -1, ..explicit() };
    assert_eq!(free.complete(&limits, false, "").map(|config| config.max_ack_pending), Ok(-1));
}

#[test]
fn sampling_is_a_percentage() {
    assert_eq!(sample_percent(""), Ok(0));
    assert_eq!(sample_percent("30%"), Ok(30));
    assert_eq!(sample_percent("100"), Ok(100));
    assert_eq!(sample_percent("x%"), Err("strconv.Atoi: parsing \"x\": invalid syntax".into()));
    assert_eq!(sample_percent("-1"), Err("<nil>".into()));
}
