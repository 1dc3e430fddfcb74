use super::*;
use shards::ids::{GroupId, Revision, StreamSeq};
use shards::rejection::Rejection;
use shards::shard::answer::{StoredMessage, StreamChange, StreamInfo, StreamState, TableChange, Usage};
use shards::stream::config::StreamConfig;
use shards::time::WallTime;
use std::time::Duration;

const AT_START: Now = Now { monotonic: Instant(0), wall: WallTime(0) };

/// An API with two shards, and streams `A` (subjects `a.>`, shard 0) and `K` (`k.>`, shard 1, direct gets allowed).
struct Bench {
    api: Api,
    table: StreamTable,
}

impl Bench {
    fn new() -> Self {
        let settings = Settings { server_name: "n1".into(), shards: 2, seed: 7 };
        let mut bench = Bench { api: Api::new(settings), table: StreamTable::default() };
        bench.add("A", "a.>", 0, false);
        bench.add("K", "k.>", 1, true);
        bench
    }

    fn add(&mut self, stream: &str, subject: &str, shard: u16, allow_direct: bool) {
        let revision = Revision(self.table.revision().0 + 1);
        let (name, subjects) = (stream.to_owned(), vec![subject.to_owned()]);
        let config = StreamConfig { name, subjects, allow_direct, ..StreamConfig::default() };
        let change =
            StreamChange::Put { shard: ShardId(shard), created: WallTime(1), config: config.into_shared() };
        let (account, group) = (AccountId::GLOBAL, GroupId(revision.0));
        self.table.apply(TableChange { revision, account, group, change });
    }

    fn request(&mut self, subject: &str, body: &str) -> Handling {
        self.request_with(subject, b"", body)
    }

    fn request_with(&mut self, subject: &str, headers: &[u8], body: &str) -> Handling {
        let subject = format!("$JS.API.{subject}");
        let request = ApiRequest {
            account: AccountId::GLOBAL,
            origin: Origin::default(),
            subject: subject.as_bytes(),
            reply: b"_INBOX.1",
            headers,
            payload: body.as_bytes(),
        };
        self.api.handle_request(AT_START, &self.table, request)
    }

    /// Text of a reply that comes at once.
    fn reply(&mut self, subject: &str, body: &str) -> String {
        match self.request(subject, body) {
            Handling::Reply(response) => text(&response),
            other => panic!("{other:?}"),
        }
    }

    /// Tag of a request and what the shards are asked.
    fn ask(&mut self, subject: &str, body: &str) -> (u64, Vec<(ShardId, Request)>) {
        match self.request(subject, body) {
            Handling::Ask { to, questions } => (to.tag, questions),
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, tag: u64, answer: Answer) -> Option<String> {
        self.api.handle_answer(tag, answer).map(|response| text(&response))
    }

    fn counts(&mut self) -> String {
        let (tag, _) = self.ask("INFO", "");
        self.answer(tag, Answer::Usage(Usage::default()));
        let info = self.answer(tag, Answer::Usage(Usage::default())).unwrap();
        info[info.find("\"api\"").unwrap()..].to_owned()
    }
}

fn text(response: &Response) -> String {
    let bytes = [response.headers.as_slice(), &response.payload].concat();
    String::from_utf8(bytes).unwrap().replace("io.nats.jetstream.api.v1.", "")
}

fn stream_info(name: &str) -> Answer {
    let config = StreamConfig { name: name.into(), ..StreamConfig::default() }.into_shared();
    let (created, state, ts) = (WallTime(1), StreamState::default(), WallTime(1));
    Answer::StreamInfo(Box::new(StreamInfo { config, created, state, ts }))
}

fn message(seq: u64) -> StoredMessage {
    StoredMessage {
        subject: b"k.1".to_vec(),
        seq: StreamSeq(seq),
        payload: b"v".to_vec(),
        ..StoredMessage::default()
    }
}

/// Each was answered so by a running nats-server.
#[test]
fn refusals_read_like_those_of_nats_server() {
    let mut bench = Bench::new();
    for (subject, body, expected) in [
        (
            "STREAM.INFO.X",
            "",
            r#"{"type":"stream_info_response","error":{"code":404,"err_code":10059,"description":"stream not found"},"total":0,"offset":0,"limit":0}"#,
        ),
        (
            "STREAM.LIST",
            r#"{"limit":4}"#,
            r#"{"type":"stream_list_response","error":{"code":400,"err_code":10025,"description":"invalid JSON: json: unknown field \"limit\""},"total":0,"offset":0,"limit":0,"streams":[]}"#,
        ),
        (
            "STREAM.CREATE.S",
            r#"{"name":"S","max_age":"1s"}"#,
            r#"{"type":"stream_create_response","error":{"code":400,"err_code":10025,"description":"invalid JSON: json: cannot unmarshal string into Go struct field StreamConfigRequest.StreamConfig.max_age of type time.Duration"}}"#,
        ),
        (
            "STREAM.CREATE.S",
            r#"{"name":"S","storage":null}"#,
            r#"{"type":"stream_create_response","error":{"code":400,"err_code":10025,"description":"invalid JSON: can not unmarshal \"null\""}}"#,
        ),
        (
            "STREAM.CREATE.S",
            r#"{"name":"S","compression":"x"}"#,
            r#"{"type":"stream_create_response","error":{"code":400,"err_code":10025,"description":"invalid JSON: unknown compression algorithm"}}"#,
        ),
        (
            "STREAM.CREATE.S",
            r#"{"name":"S","consumer_limits":{"max_ack_pending":"x"}}"#,
            r#"{"type":"stream_create_response","error":{"code":400,"err_code":10025,"description":"invalid JSON: json: cannot unmarshal string into Go struct field StreamConsumerLimits.StreamConfig.consumer_limits.max_ack_pending of type int"}}"#,
        ),
        (
            "STREAM.UPDATE.A",
            r#"{"name":"B"}"#,
            r#"{"type":"stream_update_response","error":{"code":400,"err_code":10056,"description":"stream name in subject does not match request"}}"#,
        ),
        (
            "STREAM.DELETE.A",
            r#"{"seq":1}"#,
            r#"{"type":"stream_delete_response","error":{"code":400,"err_code":10038,"description":"expected an empty request payload"}}"#,
        ),
        (
            "STREAM.MSG.GET.A",
            "",
            r#"{"type":"stream_msg_get_response","error":{"code":400,"err_code":10003,"description":"bad request"}}"#,
        ),
        (
            "STREAM.MSG.GET.A",
            r#"{"start_time":5}"#,
            r#"{"type":"stream_msg_get_response","error":{"code":400,"err_code":10025,"description":"invalid JSON: Time.UnmarshalJSON: input is not a JSON string"}}"#,
        ),
        (
            "STREAM.PURGE.A",
            r#"{"seq":5,"keep":1}"#,
            r#"{"type":"stream_purge_response","error":{"code":400,"err_code":10003,"description":"bad request"},"purged":0}"#,
        ),
        (
            "STREAM.LEADER.STEPDOWN.A",
            "",
            r#"{"type":"stream_leader_stepdown_response","error":{"code":503,"err_code":10010,"description":"JetStream clustering support required"}}"#,
        ),
        (
            "CONSUMER.NAMES.X",
            "",
            r#"{"type":"consumer_names_response","error":{"code":404,"err_code":10059,"description":"stream not found"},"total":0,"offset":0,"limit":0,"consumers":[]}"#,
        ),
        (
            "CONSUMER.CREATE.K.c",
            r#"{"stream_name":"K","config":{"priority_policy":5}}"#,
            r#"{"type":"consumer_create_response","error":{"code":400,"err_code":10025,"description":"invalid JSON: unknown priority policy: 5"}}"#,
        ),
        (
            "CONSUMER.CREATE.K.c",
            r#"{"stream_name":"K","config":{},"action":null}"#,
            r#"{"type":"consumer_create_response","error":{"code":400,"err_code":10025,"description":"invalid JSON: unknown consumer action: null"}}"#,
        ),
        (
            "CONSUMER.CREATE.K.c",
            r#"{"stream_name":"K","config":[]}"#,
            r#"{"type":"consumer_create_response","error":{"code":400,"err_code":10025,"description":"invalid JSON: json: cannot unmarshal array into Go struct field CreateConsumerRequest.config of type server.ConsumerConfig"}}"#,
        ),
        (
            "CONSUMER.CREATE.zz.q",
            r#"{"stream_name":"zz","config":{"num_replicas":3}}"#,
            r#"{"type":"consumer_create_response","error":{"code":500,"err_code":10074,"description":"replicas \u003e 1 not supported in non-clustered mode"}}"#,
        ),
    ] {
        assert_eq!(bench.reply(subject, body), expected, "{subject} {body}");
    }
}

#[test]
fn endpoints_that_are_not_served_say_so() {
    let mut bench = Bench::new();
    for (subject, body, err_code) in [
        ("STREAM.SNAPSHOT.A", "{\"deliver_subject\":\"x\"}", 10064),
        ("STREAM.RESTORE.X", "{\"config\":{}}", 10062),
        ("CONSUMER.PAUSE.A.c", "", 10012),
        ("CONSUMER.UNPIN.A.c", "{\"group\":\"g\"}", 10160),
        ("CONSUMER.RESET.A.c", "", 10204),
    ] {
        let reply = bench.reply(subject, body);
        assert!(reply.contains(&format!("\"err_code\":{err_code}")), "{reply}");
        assert!(reply.contains(" is not supported by this server yet"), "{reply}");
    }
    assert!(bench.reply("STREAM.SNAPSHOT.A", "").contains("10003"));
    assert!(bench.reply("CONSUMER.PAUSE.X.c", "").contains("10059"));
    assert!(matches!(bench.request("CONSUMER.RESET.X.c", ""), Handling::Silent));
    assert!(matches!(bench.request("META.LEADER.STEPDOWN", ""), Handling::Silent));
}

#[test]
fn a_required_level_above_ours_is_refused() {
    let mut bench = Bench::new();
    let header = b"NATS/1.0\r\nNats-Required-Api-Level: 9\r\n\r\n";
    let Handling::Reply(reply) = bench.request_with("INFO", header, "") else { panic!() };
    assert!(text(&reply).contains(r#""code":412,"err_code":10185"#));
    let Handling::Reply(reply) = bench.request_with("DIRECT.GET.K", header, "{}") else { panic!() };
    assert_eq!(text(&reply), "NATS/1.0 412 Required Api Level\r\n\r\n");
}

#[test]
fn names_come_from_the_table_and_filter_by_colliding_subjects() {
    let mut bench = Bench::new();
    let mut streams = |body: &str| {
        let reply = bench.reply("STREAM.NAMES", body);
        reply[reply.find("\"total\"").unwrap()..].to_owned()
    };
    assert_eq!(streams(""), r#""total":2,"offset":0,"limit":1024,"streams":["A","K"]}"#);
    assert_eq!(streams(r#"{"subject":"*.x"}"#), r#""total":2,"offset":0,"limit":1024,"streams":["A","K"]}"#);
    assert_eq!(streams(r#"{"subject":"k.1"}"#), r#""total":1,"offset":0,"limit":1024,"streams":["K"]}"#);
    assert_eq!(streams(r#"{"offset":1}"#), r#""total":2,"offset":1,"limit":1024,"streams":["K"]}"#);
    assert_eq!(streams(r#"{"offset":9}"#), r#""total":2,"offset":2,"limit":1024,"streams":null}"#);
    assert_eq!(
        streams(r#"{"offset":-9,"subject":"zz"}"#),
        r#""total":0,"offset":0,"limit":1024,"streams":null}"#
    );
}

#[test]
fn the_catalog_and_the_home_of_a_stream_are_asked() {
    let mut bench = Bench::new();
    let (_, create) = bench.ask("STREAM.CREATE.N", r#"{"name":"N"}"#);
    assert!(matches!(&create[..], [(ShardId(0), Request::StreamCreate { .. })]));
    let (_, delete) = bench.ask("STREAM.DELETE.K", "{}");
    assert!(matches!(&delete[..], [(ShardId(0), Request::StreamDelete { name })] if name == "K"));
    let (_, purge) = bench.ask("STREAM.PURGE.K", "garbage");
    assert!(matches!(
        &purge[..],
        [(ShardId(1), Request::StreamPurge { group: GroupId(2), seq: 0, keep: 0, .. })]
    ));
    let (_, names) = bench.ask("CONSUMER.NAMES.K", r#"{"offset":-3}"#);
    assert!(matches!(&names[..], [(ShardId(1), Request::ConsumerNames { offset: 0, .. })]));
}

#[test]
fn a_consumer_without_a_name_is_given_one() {
    let mut bench = Bench::new();
    let mut generated = |subject: &str, config: &str| {
        let (_, questions) = bench.ask(subject, &format!(r#"{{"stream_name":"K","config":{config}}}"#));
        match &questions[0].1 {
            Request::ConsumerCreate { generated_name, .. } => generated_name.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(generated("CONSUMER.CREATE.K", "{}").len(), 8);
    assert_ne!(generated("CONSUMER.CREATE.K", "{}"), generated("CONSUMER.CREATE.K", "{}"));
    assert_eq!(generated("CONSUMER.CREATE.K.c", "{}"), "");
    assert_eq!(generated("CONSUMER.CREATE.K", r#"{"name":"c"}"#), "");
}

#[test]
fn an_answer_becomes_the_response_of_its_endpoint_once() {
    let mut bench = Bench::new();
    let (tag, _) = bench.ask("STREAM.MSG.DELETE.K", r#"{"seq":3}"#);
    let refused = bench.answer(tag, Answer::Rejected(Rejection::SequenceNotFound(3))).unwrap();
    assert_eq!(
        refused,
        r#"{"type":"stream_msg_delete_response","error":{"code":400,"err_code":10043,"description":"sequence 3 not found"}}"#
    );
    assert_eq!(bench.answer(tag, Answer::MessageDeleted), None);
    let (tag, _) = bench.ask("CONSUMER.DELETE.K.c", "");
    assert_eq!(
        bench.answer(tag, Answer::ConsumerDeleted).unwrap(),
        r#"{"type":"consumer_delete_response","success":true}"#
    );
    let (tag, _) = bench.ask("STREAM.INFO.K", r#"{"subjects_filter":">"}"#);
    assert!(bench.answer(tag, stream_info("K")).unwrap().contains(r#""cluster":{"leader":"n1"}"#));
}

#[test]
fn a_list_waits_for_every_stream_and_leaves_out_those_that_have_gone() {
    let mut bench = Bench::new();
    let (tag, questions) = bench.ask("STREAM.LIST", "");
    assert_eq!(questions.iter().map(|(shard, _)| shard.0).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(bench.answer(tag, stream_info("K")), None);
    let list = bench.answer(tag, Answer::Rejected(Rejection::StreamNotFound)).unwrap();
    assert!(list.starts_with(
        r#"{"type":"stream_list_response","total":2,"offset":0,"limit":256,"streams":[{"config":{"name":"K""#
    ));
    assert!(!list.contains("missing") && !list.contains("\"A\""), "{list}");
    assert!(
        bench
            .reply("STREAM.LIST", r#"{"offset":9}"#)
            .ends_with(r#""total":2,"offset":2,"limit":256,"streams":[]}"#)
    );
}

#[test]
fn a_list_names_the_streams_that_did_not_answer_in_time() {
    let mut bench = Bench::new();
    let (tag, _) = bench.ask("STREAM.LIST", "");
    bench.answer(tag, stream_info("K"));
    let deadline = bench.api.poll_timeout().unwrap();
    assert_eq!(deadline, AT_START.monotonic + Duration::from_secs(4));
    assert!(bench.api.handle_timeout(AT_START).is_none());
    let now = Now { monotonic: deadline, wall: WallTime(1) };
    let (to, response) = bench.api.handle_timeout(now).unwrap();
    assert_eq!(&*to.reply, b"_INBOX.1");
    assert!(text(&response).ends_with(r#","missing":["A"]}"#));
    assert_eq!((bench.api.poll_timeout(), bench.answer(tag, stream_info("A"))), (None, None));
}

#[test]
fn an_answer_that_never_comes_is_given_up() {
    let mut bench = Bench::new();
    bench.ask("STREAM.PURGE.K", "");
    bench.ask("DIRECT.GET.K", r#"{"seq":1}"#);
    let now = Now { monotonic: Instant(u64::MAX), wall: WallTime(1) };
    let (_, response) = bench.api.handle_timeout(now).unwrap();
    assert!(text(&response).contains(r#""code":503,"err_code":10008"#));
    assert!(bench.api.handle_timeout(now).is_none() && bench.api.poll_timeout().is_none());
}

#[test]
fn the_use_of_an_account_is_the_sum_over_shards() {
    let mut bench = Bench::new();
    let (tag, questions) = bench.ask("INFO", "");
    assert_eq!(questions.len(), 2);
    let usage = Usage { storage: 5, streams: 1, consumers: 2, ..Usage::default() };
    assert_eq!(bench.answer(tag, Answer::Usage(usage)), None);
    let info = bench.answer(tag, Answer::Usage(usage)).unwrap();
    assert!(info.contains(
        r#""memory":0,"storage":10,"reserved_memory":0,"reserved_storage":0,"streams":2,"consumers":4"#
    ));
}

#[test]
fn answered_requests_and_errors_are_counted_but_not_messages() {
    let mut bench = Bench::new();
    assert_eq!(bench.counts(), r#""api":{"level":5,"total":0,"errors":0}}"#);
    bench.reply("STREAM.NAMES", "");
    bench.reply("STREAM.INFO.X", "");
    let (tag, _) = bench.ask("STREAM.MSG.GET.K", r#"{"seq":1}"#);
    bench.answer(tag, Answer::Message(message(1)));
    assert_eq!(bench.counts(), r#""api":{"level":5,"total":3,"errors":1}}"#);
}

#[test]
fn a_direct_get_needs_a_stream_that_allows_it() {
    let mut bench = Bench::new();
    assert!(matches!(bench.request("DIRECT.GET.A", r#"{"seq":1}"#), Handling::NoResponders));
    assert!(matches!(bench.request("DIRECT.GET.X.a", ""), Handling::NoResponders));
    assert_eq!(bench.reply("DIRECT.GET.K", ""), "NATS/1.0 408 Empty Request\r\n\r\n");
    assert_eq!(bench.reply("DIRECT.GET.K", "{"), "NATS/1.0 408 Malformed Request\r\n\r\n");
    assert_eq!(bench.reply("DIRECT.GET.K.k.1", r#"{"seq":1}"#), "NATS/1.0 408 Bad Request\r\n\r\n");
    let (tag, questions) = bench.ask("DIRECT.GET.K.k.1", "");
    assert!(matches!(&questions[..], [(ShardId(1), Request::DirectGet { get: DirectGet::One { .. }, .. })]));
    let not_found = bench.answer(tag, Answer::DirectNotFound { multi: false });
    assert_eq!(not_found.as_deref(), Some("NATS/1.0 404 Message Not Found\r\n\r\n"));
}

#[test]
fn a_batch_is_answered_message_by_message_up_to_its_end() {
    let mut bench = Bench::new();
    let (tag, _) = bench.ask("DIRECT.GET.K", r#"{"batch":2,"seq":1}"#);
    for (seq, left) in [(1, 3), (2, 2)] {
        let last_seq = StreamSeq(seq - 1);
        let part = bench
            .answer(tag, Answer::DirectMessage { message: message(seq), num_pending: Some(left), last_seq });
        let place = format!("Nats-Num-Pending: {left}\r\nNats-Last-Sequence: {}\r\n\r\nv", seq - 1);
        assert!(part.unwrap().ends_with(&place));
    }
    let end = Answer::DirectEnd { num_pending: 2, last_seq: StreamSeq(2), up_to_seq: None };
    let eob = "NATS/1.0 204 EOB\r\nNats-Num-Pending: 2\r\nNats-Last-Sequence: 2\r\n\r\n";
    assert_eq!(bench.answer(tag, end.clone()).as_deref(), Some(eob));
    assert_eq!(bench.answer(tag, end), None);
}

#[test]
fn requests_under_way_are_bounded() {
    let mut bench = Bench::new();
    for _ in 0..API_REQUESTS_MAX {
        bench.ask("STREAM.PURGE.K", "");
    }
    assert!(bench.reply("STREAM.PURGE.K", "").contains(r#""code":503,"err_code":10023"#));
    bench.answer(1, Answer::Purged(0));
    bench.ask("STREAM.PURGE.K", "");
}
