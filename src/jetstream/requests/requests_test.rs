use super::*;
use crate::jetstream::endpoint::{CreateForm, Target};
use messages::{DirectGetRequest, DirectRefusal};
use shards::consumer::config::{AckPolicy, CreateAction, DeliverPolicy};
use shards::shard::request::{DirectGet, Selector};
use shards::stream::config::{Discard, Storage};
use shards::time::WallTime;
use std::time::Duration;

fn refused(result: Result<stream::StreamRequest, ApiError>) -> (u16, String) {
    let error = result.unwrap_err();
    (error.err_code, error.description.into_owned())
}

#[test]
fn a_stream_is_read_with_all_its_fields() {
    let body = br#"{"name":"S","description":"d","subjects":["a","b.>"],"retention":"limits","max_consumers":1,
        "max_msgs":2,"max_bytes":3,"max_age":4000000000,"max_msgs_per_subject":5,"max_msg_size":6,"discard":"NEW",
        "storage":"memory","num_replicas":1,"no_ack":true,"duplicate_window":7000000000,"first_seq":8,
        "allow_direct":true,"discard_new_per_subject":true,"deny_delete":true,"deny_purge":true,
        "allow_rollup_hdrs":true,"consumer_limits":{"inactive_threshold":9000000000,"max_ack_pending":10},
        "allow_msg_ttl":true,"metadata":{"z":"1","a":"2"},"pedantic":true}"#;
    let stream::StreamRequest { config, pedantic } = stream::create("S", body).unwrap();
    assert!(
        pedantic && config.no_ack && config.allow_direct && config.allow_rollup_hdrs && config.allow_msg_ttl
    );
    assert!(config.deny_delete && config.deny_purge && config.discard_new_per_subject);
    assert_eq!(config.subjects, ["a", "b.>"]);
    assert_eq!((config.discard, config.storage), (Discard::New, Storage::Memory));
    assert_eq!((config.max_consumers, config.max_msgs, config.max_bytes), (1, 2, 3));
    assert_eq!((config.max_age, config.duplicate_window), (Duration::from_secs(4), Duration::from_secs(7)));
    assert_eq!((config.max_msgs_per_subject, config.max_msg_size, config.first_seq), (5, 6, 8));
    assert_eq!(config.consumer_limits.inactive_threshold, Duration::from_secs(9));
    assert_eq!(config.consumer_limits.max_ack_pending, 10);
    assert_eq!(config.metadata, [("a".to_owned(), "2".to_owned()), ("z".to_owned(), "1".to_owned())]);
}

#[test]
fn what_a_stream_is_not_served_with_is_refused_unless_it_is_off() {
    let off = br#"{"name":"S","retention":"limits","mirror":null,"sources":[],"subject_transform":null,"republish":null,
        "compression":"none","allow_msg_counter":false,"allow_msg_schedules":null,"allow_atomic":false,
        "allow_batched":false,"subject_delete_marker_ttl":0,"persist_mode":"default","placement":{"tags":[]}}"#;
    assert!(stream::create("S", off).is_ok());
    for (field, value) in [
        ("retention", "\"workqueue\""),
        ("retention", "\"interest\""),
        ("mirror", "{\"name\":\"O\"}"),
        ("sources", "[{\"name\":\"O\"}]"),
        ("subject_transform", "{\"src\":\"a\",\"dest\":\"b\"}"),
        ("republish", "{\"dest\":\"b\"}"),
        ("compression", "\"s2\""),
        ("allow_msg_counter", "true"),
        ("allow_msg_schedules", "true"),
        ("allow_atomic", "true"),
        ("allow_batched", "true"),
        ("subject_delete_marker_ttl", "1000000000"),
        ("persist_mode", "\"async\""),
        ("placement", "{\"cluster\":\"C\"}"),
    ] {
        let body = format!("{{\"name\":\"S\",\"{field}\":{value}}}");
        let sentence = format!("{field} is not supported by this server yet");
        assert_eq!(refused(stream::create("S", body.as_bytes())), (10052, sentence.clone()), "{body}");
        assert_eq!(refused(stream::update("S", body.as_bytes())), (10052, sentence), "{body}");
    }
    assert!(stream::create("S", br#"{"name":"S","retention":"interest","retention":"limits"}"#).is_ok());
}

/// Texts and codes of a running nats-server.
#[test]
fn what_nats_server_refuses_too_is_refused_in_its_words() {
    let create =
        |fields: &str| refused(stream::create("S", format!("{{\"name\":\"S\",{fields}}}").as_bytes()));
    for (fields, text) in [
        (
            r#""allow_msg_counter":true,"allow_msg_schedules":true"#,
            "counter stream cannot use message schedules",
        ),
        (
            r#""allow_msg_counter":true,"retention":"interest""#,
            "counter stream can only use limits retention",
        ),
        (r#""subject_delete_marker_ttl":1000000"#, "subject delete marker TTL must be at least 1 second"),
        (r#""subject_delete_marker_ttl":-1"#, "subject delete marker TTL must not be negative"),
        (r#""allow_msg_schedules":true,"discard":"new""#, "message scheduling cannot use discard new"),
        (
            r#""persist_mode":"async","storage":"memory""#,
            "async persist mode is only supported on file storage",
        ),
        (r#""placement":{"preferred":"x"}"#, "preferred server not permitted in placement"),
        (
            r#""subject_delete_marker_ttl":1000000000,"pedantic":true"#,
            "subject delete marker cannot be set if message TTLs are disabled",
        ),
        (
            r#""allow_msg_schedules":true,"pedantic":true"#,
            "message scheduling cannot be set if roll-ups are disabled",
        ),
    ] {
        assert_eq!(create(fields), (10052, text.to_owned()), "{fields}");
    }
    for (fields, err_code) in [
        (r#""mirror":{}"#, 10142),
        (r#""mirror":{"name":"A"},"first_seq":5"#, 10143),
        (r#""mirror":{"name":"A"},"sources":[{"name":"B"}]"#, 10031),
        (r#""mirror":{"name":"A"},"allow_atomic":true"#, 10198),
        (r#""mirror":{"name":"A","filter_subject":"a","subject_transforms":[{"src":"a"}]}"#, 10150),
        (r#""sources":[{"name":"A"},null]"#, 10141),
        (r#""republish":{"dest":"r.>"},"pedantic":true"#, 10157),
        (r#""mirror":{"zz":1}"#, 10025),
    ] {
        assert_eq!(create(fields).0, err_code, "{fields}");
    }
}

#[test]
fn a_stream_is_checked_against_its_subject() {
    let create = |body: &str| refused(stream::create("S", body.as_bytes()));
    assert_eq!(create("").0, 10056);
    assert_eq!(create(r#"{"name":"T"}"#).0, 10056);
    assert_eq!(refused(stream::create("a/b", br#"{"name":"a/b"}"#)).0, 10128);
    assert_eq!(
        create(r#"{"name":"S","sealed":true}"#),
        (10052, "stream configuration for create can not be sealed".into())
    );
    assert_eq!(
        create(r#"{"name":"S","mirror_direct":true}"#),
        (10052, "stream has no mirror but does have mirror direct".into())
    );
    let update = |body: &str| refused(stream::update("S", body.as_bytes()));
    assert_eq!(update(r#"{"name":"T"}"#).0, 10056);
    assert_eq!(update(r#"{"name":"T","max_age":-1}"#), (10052, "max age can not be negative".into()));
    assert!(stream::update("S", br#"{"name":"S","sealed":true}"#).is_ok());
}

fn consumer(form: CreateForm, subject: &str, config: &str) -> Result<consumer::ConsumerRequest, ApiError> {
    let consumer = if form == CreateForm::Ephemeral { "" } else { "c" };
    let body = format!("{{\"stream_name\":\"K\",\"config\":{config}}}");
    consumer::create(form, Target { stream: "K", consumer, subject }, body.as_bytes())
}

#[test]
fn a_consumer_is_named_by_its_subject() {
    let name = |form, config: &str| consumer(form, "", config).map(|request| request.config.name.clone());
    assert_eq!(name(CreateForm::Named, r#"{"name":"other"}"#), Ok("c".into()));
    assert_eq!(name(CreateForm::Durable, r#"{"durable_name":"c","name":"other"}"#), Ok("c".into()));
    assert_eq!(name(CreateForm::Ephemeral, r#"{"name":"mine"}"#), Ok("mine".into()));
    assert_eq!(name(CreateForm::Ephemeral, "{}"), Ok(String::new()));
    let code = |form, config: &str| name(form, config).map_err(|error| error.err_code);
    assert_eq!(code(CreateForm::Durable, "{}"), Err(10018));
    assert_eq!(code(CreateForm::Durable, r#"{"durable_name":"z"}"#), Err(10017));
    assert_eq!(code(CreateForm::Named, r#"{"durable_name":"z"}"#), Err(10017));
    assert_eq!(code(CreateForm::Ephemeral, r#"{"durable_name":"z"}"#), Err(10020));
    assert_eq!(code(CreateForm::Ephemeral, r#"{"name":"a/b"}"#), Err(10127));
    assert_eq!(code(CreateForm::Named, r#"{"num_replicas":3}"#), Err(10074));
}

#[test]
fn a_filter_in_the_subject_must_be_the_one_in_the_body() {
    let code = |config| consumer(CreateForm::Named, "k.1", config).map(drop).map_err(|error| error.err_code);
    assert_eq!(code(r#"{"filter_subject":"k.1"}"#), Ok(()));
    assert_eq!(code(r#"{"filter_subject":"k.2"}"#), Err(10131));
    assert_eq!(code("{}"), Err(10131));
    assert_eq!(code(r#"{"filter_subjects":["k.1"]}"#), Err(10137));
}

#[test]
fn a_consumer_is_read_with_its_policies() {
    let config = r#"{"deliver_policy":"by_start_time","opt_start_time":"1970-01-01T00:00:01Z","ack_policy":"explicit",
        "backoff":[1,2],"max_waiting":-3,"replay_policy":"instant","metadata":{"b":"","a":"x"}}"#;
    let request = consumer(CreateForm::Named, "", config).unwrap();
    assert_eq!(request.config.deliver_policy, DeliverPolicy::ByStartTime);
    assert_eq!(request.config.opt_start_time, Some(WallTime(1_000_000_000)));
    assert_eq!(request.config.ack_policy, AckPolicy::Explicit);
    assert_eq!((request.config.backoff.as_slice(), request.config.max_waiting), ([1, 2].as_slice(), -3));
    assert_eq!(request.config.metadata[0], ("a".into(), "x".into()));
    assert_eq!((request.action, request.pedantic), (CreateAction::Upsert, false));
}

#[test]
fn what_a_consumer_is_not_served_with_is_refused_unless_it_is_off() {
    let off = r#"{"replay_policy":"instant","rate_limit_bps":0,"direct":false,"sourcing":null,"pause_until":null,
        "pause_until":"0001-01-01T00:00:00Z","priority_groups":[],"priority_policy":"none","priority_timeout":0}"#;
    assert!(consumer(CreateForm::Named, "", off).is_ok());
    for (field, value) in [
        ("replay_policy", "\"original\""),
        ("rate_limit_bps", "1000"),
        ("direct", "true"),
        ("sourcing", "true"),
        ("pause_until", "\"2099-01-01T00:00:00Z\""),
        ("priority_groups", "[\"g\"]"),
        ("priority_policy", "\"overflow\""),
        ("priority_timeout", "1"),
        ("ack_policy", "\"flow_control\""),
    ] {
        let error = consumer(CreateForm::Named, "", &format!("{{\"{field}\":{value}}}")).unwrap_err();
        assert_eq!(error.err_code, 10012);
        assert_eq!(error.description, format!("{field} is not supported by this server yet"));
    }
}

#[test]
fn a_message_is_chosen_in_one_way() {
    let select =
        |body: &str| messages::get(body.as_bytes()).map(|get| get.select).map_err(|error| error.err_code);
    let subject = || "s.>".to_owned();
    assert_eq!(select(r#"{"seq":5}"#), Ok(Selector::Seq(5)));
    assert_eq!(select(r#"{"last_by_subj":"s.>"}"#), Ok(Selector::LastBySubject(subject())));
    assert_eq!(
        select(r#"{"next_by_subj":"s.>"}"#),
        Ok(Selector::NextBySubject { subject: subject(), seq: 0 })
    );
    assert_eq!(
        select(r#"{"next_by_subj":"s.>","seq":6}"#),
        Ok(Selector::NextBySubject { subject: subject(), seq: 6 })
    );
    let time = WallTime(1_577_836_800_000_000_000);
    assert_eq!(select(r#"{"start_time":"2020-01-01T00:00:00Z"}"#), Ok(Selector::FromTime(time)));
    assert_eq!(
        select(r#"{"next_by_subj":"s.>","start_time":"2020-01-01T00:00:00Z"}"#),
        Ok(Selector::NextBySubjectFrom { subject: subject(), time })
    );
    for bad in [
        "",
        "{}",
        "null",
        r#"{"seq":0}"#,
        r#"{"no_hdr":true}"#,
        r#"{"seq":5,"last_by_subj":"x"}"#,
        r#"{"seq":5,"start_time":"2020-01-01T00:00:00Z"}"#,
        r#"{"last_by_subj":"x","next_by_subj":"x"}"#,
        r#"{"seq":5,"batch":1}"#,
        r#"{"seq":5,"max_bytes":1}"#,
        r#"{"multi_last":["x"]}"#,
    ] {
        assert_eq!(select(bad), Err(10003), "{bad}");
    }
}

#[test]
fn direct_gets_have_their_own_rules() {
    let get = |body: &str| messages::direct_get("", body.as_bytes());
    let one = |select, no_hdr| Ok(DirectGetRequest { get: DirectGet::One { select }, no_hdr });
    assert_eq!(get(r#"{"zz":1,"seq":1,"no_hdr":true}"#), one(Selector::Seq(1), true));
    let batch = DirectGet::Batch { select: Selector::Seq(1), batch: 2, max_bytes: 9 };
    assert_eq!(
        get(r#"{"batch":2,"seq":1,"max_bytes":9}"#),
        Ok(DirectGetRequest { get: batch, no_hdr: false })
    );
    let multi = DirectGet::MultiLast {
        subjects: vec!["k.*".into()],
        up_to_seq: 7,
        up_to_time: None,
        seq: 2,
        batch: 1,
        max_bytes: 0,
    };
    assert_eq!(
        get(r#"{"multi_last":["k.*"],"batch":1,"seq":2,"up_to_seq":7,"no_hdr":true}"#),
        Ok(DirectGetRequest { get: multi, no_hdr: false })
    );
    for (body, refusal) in [
        ("", DirectRefusal::Empty),
        ("{}", DirectRefusal::Empty),
        (r#"{"batch":2}"#, DirectRefusal::Empty),
        (r#"{"multi_last":[]}"#, DirectRefusal::Empty),
        ("{", DirectRefusal::Malformed),
        (r#"{"seq":"x"}"#, DirectRefusal::Malformed),
        (r#"{"seq":1,"last_by_subj":"x"}"#, DirectRefusal::Bad),
        (r#"{"last_by_subj":"k.1","batch":2}"#, DirectRefusal::Bad),
        (r#"{"last_by_subj":"k.1","multi_last":["k.1"]}"#, DirectRefusal::Bad),
        (r#"{"up_to_seq":1,"up_to_time":"2020-01-01T00:00:00Z","multi_last":["k.1"]}"#, DirectRefusal::Bad),
    ] {
        assert_eq!(get(body), Err(refusal), "{body}");
    }
}

#[test]
fn a_direct_get_by_subject_takes_no_other_choice() {
    let get = |body: &str| messages::direct_get("k.1", body.as_bytes()).map(|get| get.no_hdr);
    assert_eq!((get(""), get("{}"), get(r#"{"no_hdr":true}"#)), (Ok(false), Ok(false), Ok(true)));
    assert_eq!(get(r#"{"seq":1}"#), Err(DirectRefusal::Bad));
    assert_eq!(get(r#"{"batch":2}"#), Err(DirectRefusal::Bad));
    assert_eq!(get("x"), Err(DirectRefusal::Malformed));
}

#[test]
fn bodies_that_may_be_left_out_are_ignored_unless_they_begin_like_json() {
    let purge =
        |body: &str| messages::purge(body.as_bytes()).map(|purge| purge.keep).map_err(|error| error.err_code);
    assert_eq!(
        (purge(""), purge("garbage"), purge("null"), purge(" {\"keep\":2}")),
        (Ok(0), Ok(0), Ok(0), Ok(2))
    );
    assert_eq!((purge("[]"), purge("{\"limit\":1}")), (Err(10025), Err(10025)));
    assert_eq!(purge("{\"seq\":5,\"keep\":1}"), Err(10003));
    let empty = |body: &str| expect_empty(body.as_bytes()).is_ok();
    assert!(empty("") && empty("{}") && empty("{ } "));
    assert!(!empty(" ") && !empty("null") && !empty("[]") && !empty("{\"a\":1}"));
}

#[test]
fn a_level_above_ours_is_not_served() {
    let served = |level: &str| {
        level_is_served(format!("NATS/1.0\r\nNats-Required-Api-Level: {level}\r\n\r\n").as_bytes())
    };
    assert!(level_is_served(b"") && served("5") && served("0"));
    assert!(!served("6") && !served("x"));
}

/// Whatever a client sends, a decoder answers: bodies are cut, doubled and overwritten at random places.
#[test]
fn no_body_makes_a_decoder_panic() {
    let seeds: [&[u8]; 6] = [
        br#"{"name":"S","subjects":["a",null],"max_age":-1,"consumer_limits":{"max_ack_pending":5},"discard":"OLD"}"#,
        br#"{"stream_name":"S","config":{"durable_name":"c","opt_start_time":"2020-01-01T00:00:00.5+01:00"},"action":""}"#,
        br#"{"seq":18446744073709551615,"last_by_subj":"\ud83d\ude00\u00e4","multi_last":["a",{"b":[1e5,-0]}]}"#,
        b"{\"metadata\":{\"a\\\\\":\"\\\"\",\"\xff\":\"\xf0\x9f\"},\"mirror\":{\"name\":[]},\"placement\":{}}",
        b"[[[{}]]] nul tru \"\\u12",
        br#"{"offset":5,"subject":"s.>","filter":"x","keep":1,"no_erase":true} {"seq":1}"#,
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound.max(1) as u64) as usize
    };
    for round in 0..20_000 {
        let mut body = seeds[round % seeds.len()].to_vec();
        for _ in 0..=random(4) {
            let at = random(body.len());
            match random(4) {
                0 => body.truncate(at),
                1 => body.extend_from_within(at..),
                2 if at < body.len() => body[at] = random(256) as u8,
                _ => body.insert(at, b"{}[]\",:\\u0e-."[random(13)]),
            }
        }
        decode_as_everything(&body);
    }
}
