//! Each text was sent by a running nats-server 2.15.2; times are shortened.

use super::*;
use shards::consumer::config::{AckPolicy, ConsumerConfig, DeliverPolicy};
use shards::ids::StreamSeq;
use shards::shard::answer::{ConsumerInfo, SequenceInfo, StreamInfo, StreamState, Usage};
use shards::stream::config::{ConsumerLimits, Storage, StreamConfig};
use shards::time::WallTime;
use std::time::Duration;

const CREATED: WallTime = WallTime(1_000_000_000_000_000_000);
const CREATED_TEXT: &str = "2001-09-09T01:46:40Z";

fn text(json: Vec<u8>) -> String {
    String::from_utf8(json).unwrap()
}

fn stream() -> StreamInfo {
    let config = StreamConfig {
        name: "S".into(),
        description: "d".into(),
        subjects: vec!["s.>".into()],
        max_consumers: -1,
        max_msgs: -1,
        max_bytes: -1,
        max_msgs_per_subject: -1,
        max_msg_size: 100,
        storage: Storage::Memory,
        num_replicas: 1,
        duplicate_window: Duration::from_secs(120),
        first_seq: 5,
        allow_direct: true,
        consumer_limits: ConsumerLimits { inactive_threshold: Duration::from_secs(3), max_ack_pending: 7 },
        metadata: vec![
            ("_nats.req.level".into(), "0".into()),
            ("a".into(), "2".into()),
            ("b".into(), "<1>".into()),
        ],
        ..StreamConfig::default()
    };
    let state = StreamState { first_seq: 5, last_seq: 4, ..StreamState::default() };
    StreamInfo { config: config.into_shared(), created: CREATED, state, ts: CREATED }
}

fn config_text(metadata: &str) -> String {
    format!(
        concat!(
            r#""config":{{"name":"S","description":"d","subjects":["s.\u003e"],"retention":"limits","#,
            r#""max_consumers":-1,"max_msgs":-1,"max_bytes":-1,"max_age":0,"max_msgs_per_subject":-1,"#,
            r#""max_msg_size":100,"discard":"old","storage":"memory","num_replicas":1,"#,
            r#""duplicate_window":120000000000,"compression":"none","first_seq":5,"allow_direct":true,"#,
            r#""mirror_direct":false,"sealed":false,"deny_delete":false,"deny_purge":false,"#,
            r#""allow_rollup_hdrs":false,"consumer_limits":{{"inactive_threshold":3000000000,"max_ack_pending":7}},"#,
            r#""allow_msg_ttl":false,"metadata":{{{}"_nats.req.level":"0",{}"a":"2","b":"\u003c1\u003e"}}}},"#,
            r#""created":"{}","state":"#
        ),
        if metadata.is_empty() { "" } else { r#""_nats.level":"5","# },
        metadata,
        CREATED_TEXT
    )
}

const VERSION: &str = r#""_nats.ver":"2.15.2","#;
const EMPTY_STATE: &str = r#"{"messages":0,"bytes":0,"first_seq":5,"first_ts":"0001-01-01T00:00:00Z","last_seq":4,"last_ts":"0001-01-01T00:00:00Z","consumer_count":0}"#;

#[test]
fn a_created_stream_is_shown_with_version_and_level() {
    assert_eq!(
        text(super::stream::created(&stream())),
        format!(
            r#"{{"type":"io.nats.jetstream.api.v1.stream_create_response",{}{EMPTY_STATE},"ts":"{CREATED_TEXT}","did_create":true}}"#,
            config_text(VERSION)
        )
    );
}

#[test]
fn a_stream_of_defaults_leaves_out_what_is_empty() {
    let mut info = stream();
    let config = StreamConfig {
        description: String::new(),
        metadata: Vec::new(),
        duplicate_window: Duration::ZERO,
        ..StreamConfig::clone(&info.config)
    };
    info.config = config.into_shared();
    let text = text(super::stream::updated(&info));
    for absent in
        ["description", "duplicate_window", "no_ack", "discard_new_per_subject", "did_create", "cluster"]
    {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    assert!(text.contains(r#""metadata":{"_nats.level":"5","_nats.ver":"2.15.2"}"#), "{text}");
}

#[test]
fn info_has_a_page_of_subjects_only_if_the_filter_matched() {
    let mut info = stream();
    info.state = StreamState {
        messages: 3,
        bytes: 82,
        first_seq: 5,
        first_ts: CREATED,
        last_seq: 8,
        last_ts: CREATED,
        num_subjects: 2,
        num_deleted: 1,
        deleted: Some(vec![6]),
        lost: vec![6],
        lost_bytes: 40,
        subjects: vec![("s.0".into(), 2), ("s.2".into(), 1)],
        subjects_total: 2,
        ..StreamState::default()
    };
    let state = format!(
        concat!(
            r#"{{"messages":3,"bytes":82,"first_seq":5,"first_ts":"{t}","last_seq":8,"last_ts":"{t}","num_subjects":2,"#,
            r#""subjects":{{"s.0":2,"s.2":1}},"num_deleted":1,"deleted":[6],"lost":{{"msgs":[6],"bytes":40}},"consumer_count":0}}"#
        ),
        t = CREATED_TEXT
    );
    assert_eq!(
        text(super::stream::info(&info, 0, "NAF3")),
        format!(
            r#"{{"type":"io.nats.jetstream.api.v1.stream_info_response","total":2,"offset":0,"limit":100000,{}{state},"cluster":{{"leader":"NAF3"}},"ts":"{CREATED_TEXT}"}}"#,
            config_text(VERSION)
        )
    );
    info.state.subjects_total = 0;
    assert!(text(super::stream::info(&info, 9, "n")).contains(r#""total":0,"offset":0,"limit":0,"config""#));
}

#[test]
fn lists_leave_version_and_level_out() {
    assert_eq!(
        text(super::stream::list(1, 0, &[&stream()], &["T"])),
        format!(
            r#"{{"type":"io.nats.jetstream.api.v1.stream_list_response","total":1,"offset":0,"limit":256,"streams":[{{{}{EMPTY_STATE},"ts":"{CREATED_TEXT}"}}],"missing":["T"]}}"#,
            config_text("")
        )
    );
    assert_eq!(
        text(super::stream::list(0, 0, &[], &[])),
        r#"{"type":"io.nats.jetstream.api.v1.stream_list_response","total":0,"offset":0,"limit":256,"streams":[]}"#
    );
}

#[test]
fn no_names_are_null_for_streams_and_a_list_for_consumers() {
    assert_eq!(
        text(super::stream::names(1, 1, &[])),
        r#"{"type":"io.nats.jetstream.api.v1.stream_names_response","total":1,"offset":1,"limit":1024,"streams":null}"#
    );
    assert_eq!(
        text(super::stream::names(1, 0, &["S"])),
        r#"{"type":"io.nats.jetstream.api.v1.stream_names_response","total":1,"offset":0,"limit":1024,"streams":["S"]}"#
    );
    assert_eq!(
        text(super::consumer::names(1, 1, &[])),
        r#"{"type":"io.nats.jetstream.api.v1.consumer_names_response","total":1,"offset":1,"limit":1024,"consumers":[]}"#
    );
}

fn consumer() -> ConsumerInfo {
    let config = ConsumerConfig {
        name: "p".into(),
        deliver_policy: DeliverPolicy::ByStartSequence,
        opt_start_seq: 2,
        ack_policy: AckPolicy::All,
        ack_wait: 1_000_000_000,
        max_deliver: 5,
        backoff: vec![1_000_000_000, 2_000_000_000],
        filter_subjects: vec!["k.1".into(), "k.2".into()],
        sample_freq: "30%".into(),
        max_ack_pending: 1000,
        flow_control: true,
        headers_only: true,
        deliver_subject: "x.y".into(),
        deliver_group: "g".into(),
        idle_heartbeat: 1_000_000_000,
        inactive_threshold: 5_000_000_000,
        mem_storage: true,
        metadata: vec![("_nats.req.level".into(), "0".into())],
        ..ConsumerConfig::default()
    };
    ConsumerInfo {
        stream_name: "K".into(),
        name: "p".into(),
        created: CREATED,
        config,
        delivered: SequenceInfo { consumer_seq: 0, stream_seq: 1, last_active: None },
        ack_floor: SequenceInfo { consumer_seq: 0, stream_seq: 1, last_active: None },
        num_ack_pending: 0,
        num_redelivered: 0,
        num_waiting: 0,
        num_pending: 2,
        push_bound: false,
        ts: CREATED,
    }
}

fn consumer_text(dynamic: &str, level: &str) -> String {
    format!(
        concat!(
            r#""stream_name":"K","name":"p","created":"{t}","config":{{"name":"p","deliver_policy":"by_start_sequence","#,
            r#""opt_start_seq":2,"ack_policy":"all","ack_wait":1000000000,"max_deliver":5,"#,
            r#""backoff":[1000000000,2000000000],"filter_subjects":["k.1","k.2"],"replay_policy":"instant","#,
            r#""sample_freq":"30%","max_ack_pending":1000,"flow_control":true,"headers_only":true,"#,
            r#""deliver_subject":"x.y","deliver_group":"g","idle_heartbeat":1000000000,"#,
            r#""inactive_threshold":5000000000,"num_replicas":0,"mem_storage":true,"#,
            r#""metadata":{{{level}"_nats.req.level":"0"{dynamic}}}}},"#,
            r#""delivered":{{"consumer_seq":0,"stream_seq":1}},"ack_floor":{{"consumer_seq":0,"stream_seq":1}},"#,
            r#""num_ack_pending":0,"num_redelivered":0,"num_waiting":0,"num_pending":2,"ts":"{t}""#
        ),
        t = CREATED_TEXT,
        dynamic = dynamic,
        level = level
    )
}

#[test]
fn a_consumer_is_shown_with_all_its_fields_in_order() {
    assert_eq!(
        text(super::consumer::info(Endpoint::ConsumerInfo, &consumer())),
        format!(
            r#"{{"type":"io.nats.jetstream.api.v1.consumer_info_response",{}}}"#,
            consumer_text(r#","_nats.ver":"2.15.2""#, r#""_nats.level":"5","#)
        )
    );
    assert_eq!(
        text(super::consumer::list(1, 0, &[consumer()])),
        format!(
            r#"{{"type":"io.nats.jetstream.api.v1.consumer_list_response","total":1,"offset":0,"limit":256,"consumers":[{{{}}}]}}"#,
            consumer_text("", "")
        )
    );
}

#[test]
fn a_message_is_base64_and_leaves_out_what_it_has_not() {
    let mut stored = StoredMessage {
        subject: b"s.0".to_vec(),
        seq: StreamSeq(8),
        time: CREATED,
        headers: b"NATS/1.0\r\nA: 1\r\n\r\n".to_vec(),
        payload: b"<b>".to_vec(),
    };
    let shown = |stored: &StoredMessage, no_hdr| text(message(stored, no_hdr));
    let head =
        r#"{"type":"io.nats.jetstream.api.v1.stream_msg_get_response","message":{"subject":"s.0","seq":8"#;
    let time = format!(r#","time":"{CREATED_TEXT}"}}}}"#);
    assert_eq!(
        shown(&stored, false),
        format!(r#"{head},"hdrs":"TkFUUy8xLjANCkE6IDENCg0K","data":"PGI+"{time}"#)
    );
    assert_eq!(shown(&stored, true), format!(r#"{head},"data":"PGI+"{time}"#));
    stored.payload.clear();
    stored.headers.clear();
    assert_eq!(shown(&stored, false), format!("{head}{time}"));
}

#[test]
fn small_responses_have_their_type_first() {
    let named =
        |name: &str, rest: &str| format!(r#"{{"type":"io.nats.jetstream.api.v1.{name}_response",{rest}}}"#);
    assert_eq!(text(purged(3)), named("stream_purge", r#""success":true,"purged":3"#));
    assert_eq!(text(success(Endpoint::MessageDelete)), named("stream_msg_delete", r#""success":true"#));
    let refused = |endpoint| text(error(endpoint, &ApiError::new(10059)));
    let not_found = r#""error":{"code":404,"err_code":10059,"description":"stream not found"}"#;
    assert_eq!(refused(Endpoint::StreamDelete), named("stream_delete", not_found));
    assert_eq!(
        refused(Endpoint::StreamInfo),
        named("stream_info", &format!(r#"{not_found},"total":0,"offset":0,"limit":0"#))
    );
    assert_eq!(refused(Endpoint::StreamPurge), named("stream_purge", &format!(r#"{not_found},"purged":0"#)));
    assert_eq!(
        refused(Endpoint::ConsumerPause),
        named(
            "consumer_pause",
            &format!(r#"{not_found},"paused":false,"pause_until":"0001-01-01T00:00:00Z""#)
        )
    );
}

#[test]
fn an_account_without_limits_is_shown_with_its_use() {
    let usage =
        Usage { memory: 1, storage: 2, reserved_memory: 3, reserved_storage: 4, streams: 5, consumers: 6 };
    let counts = super::account::ApiCounts { total: 359, errors: 309 };
    assert_eq!(
        text(super::account::info(&usage, counts)),
        concat!(
            r#"{"type":"io.nats.jetstream.api.v1.account_info_response","memory":1,"storage":2,"reserved_memory":3,"#,
            r#""reserved_storage":4,"streams":5,"consumers":6,"limits":{"max_memory":-1,"max_storage":-1,"#,
            r#""max_streams":-1,"max_consumers":-1,"max_ack_pending":-1,"memory_max_stream_bytes":-1,"#,
            r#""storage_max_stream_bytes":-1,"max_bytes_required":false},"api":{"level":5,"total":359,"errors":309}}"#
        )
    );
}
