use crate::ids::StreamSeq;
use crate::limits::PLAIN_LEN_MAX;
use crate::messages::Messages;
use crate::rejection::Rejection;
use crate::stream::admit::AdmittedRun;
use crate::stream::admit_ahead::Step;
use crate::stream::config::{Discard, Storage};
use crate::stream::fixture::Fixture;
use crate::stream::{Admission, Publish};
use std::time::Duration;

const LAST: &str = "Nats-Expected-Last-Sequence";
const LAST_ON: &str = "Nats-Expected-Last-Subject-Sequence";
const LAST_ON_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

fn stored(admission: &Admission) -> u64 {
    match admission {
        Admission::Store(admitted) => admitted.seq.0,
        other => panic!("{other:?}"),
    }
}

fn refused(rejection: Rejection, rests_on: u64) -> Admission {
    Admission::Refused { rejection, rests_on: StreamSeq(rests_on) }
}

fn full(text: &'static str) -> Rejection {
    Rejection::StreamStoreFailed(text.into())
}

#[test]
fn timestamps_ascend_also_when_the_clock_stands_or_goes_back() {
    let mut fixture = Fixture::new(|_| {});
    let start = fixture.now.wall.0;
    (0..2).for_each(|_| _ = fixture.admit("s.1", &[], b""));
    fixture.commit();
    fixture.now.wall.0 -= 1_000_000;
    fixture.publish("s.1", &[], b"").unwrap();
    let times: Vec<u64> = (1..=3).map(|seq| fixture.stream.time(StreamSeq(seq)).unwrap().0).collect();
    assert_eq!(times, [start, start + 1, start + 2]);
}

#[test]
fn a_message_id_is_a_duplicate_within_the_window_also_after_a_purge() {
    let mut fixture = Fixture::new(|config| config.duplicate_window = Duration::from_secs(10));
    let id = [("Nats-Msg-Id", "a")];
    assert_eq!(stored(&fixture.admit("s.1", &id, b"")), 1);
    let waiting = Admission::Duplicate { seq: StreamSeq(1), rests_on: StreamSeq(1) };
    assert_eq!(fixture.admit("s.1", &id, b""), waiting);
    fixture.commit();
    let settled = Admission::Duplicate { seq: StreamSeq(1), rests_on: StreamSeq(0) };
    assert_eq!(fixture.admit("s.2", &id, b""), settled);
    fixture.purge("", 0, 0).unwrap();
    assert_eq!(fixture.admit("s.2", &id, b""), settled);
    fixture.advance(Duration::from_secs(11));
    assert_eq!(fixture.publish("s.2", &id, b""), Ok(2));
}

#[test]
fn an_id_that_was_in_flight_and_lost_is_new_again() {
    let mut fixture = Fixture::new(|_| {});
    fixture.admit("s.1", &[("Nats-Msg-Id", "a")], b"");
    fixture.drop_in_flight();
    assert_eq!(fixture.publish("s.1", &[("Nats-Msg-Id", "a")], b""), Ok(1));
}

#[test]
fn a_longer_window_does_not_bring_back_what_was_forgotten() {
    let mut fixture = Fixture::new(|config| config.duplicate_window = Duration::from_secs(1));
    fixture.publish("s.1", &[("Nats-Msg-Id", "a")], b"").unwrap();
    fixture.advance(Duration::from_secs(2));
    fixture.publish("s.1", &[], b"").unwrap();
    fixture.update(|config| config.duplicate_window = Duration::from_secs(100)).unwrap();
    assert_eq!(fixture.publish("s.1", &[("Nats-Msg-Id", "a")], b""), Ok(3));
}

#[test]
fn expected_sequences_see_what_is_in_flight() {
    let mut fixture = Fixture::new(|_| {});
    fixture.publish("s.a", &[], b"").unwrap();
    assert_eq!(stored(&fixture.admit("s.a", &[(LAST, "1")], b"")), 2);
    let wrong = |last, rests_on| refused(Rejection::WrongLastSequence(last), rests_on);
    assert_eq!(fixture.admit("s.a", &[(LAST, "1")], b""), wrong(2, 2));
    assert_eq!(fixture.admit("s.a", &[(LAST_ON, "1")], b""), wrong(2, 2));
    assert_eq!(fixture.admit("s.b", &[(LAST_ON, "7")], b""), wrong(0, 0));
    assert_eq!(fixture.admit("s.a", &[(LAST, "x")], b""), wrong(2, 2));
    assert_eq!(stored(&fixture.admit("s.a", &[(LAST_ON, "2")], b"")), 3);
    assert_eq!(stored(&fixture.admit("s.b", &[(LAST_ON, "3"), (LAST_ON_SUBJECT, "s.*")], b"")), 4);
    fixture.commit();
    assert_eq!(fixture.admit("s.b", &[(LAST_ON, "0")], b""), wrong(4, 0));
    let alone = refused(Rejection::ExpectedSubjectWithoutSequence, 0);
    assert_eq!(fixture.admit("s.b", &[(LAST_ON_SUBJECT, "s.a")], b""), alone);
}

#[test]
fn a_rollup_of_everything_in_flight_hides_what_it_will_remove() {
    let mut fixture = Fixture::new(|config| config.allow_rollup_hdrs = true);
    fixture.publish("s.a", &[], b"").unwrap();
    fixture.admit("s.b", &[("Nats-Rollup", "all")], b"");
    let answer = refused(Rejection::WrongLastSequence(0), 2);
    assert_eq!(fixture.admit("s.a", &[(LAST_ON, "1")], b""), answer);
    assert_eq!(stored(&fixture.admit("s.a", &[(LAST_ON, "0")], b"")), 3);
    fixture.commit();
    assert_eq!(fixture.seqs(), [2, 3]);
}

#[test]
fn the_expected_last_message_id_is_that_of_the_last_message_also_in_flight() {
    let mut fixture = Fixture::new(|_| {});
    let expected = |id| [("Nats-Expected-Last-Msg-Id", id)];
    let wrong = |id: &str, rests_on| refused(Rejection::WrongLastMsgId(id.into()), rests_on);
    assert_eq!(fixture.admit("s.1", &expected("a"), b""), wrong("", 0));
    fixture.admit("s.1", &[("Nats-Msg-Id", "a")], b"");
    assert_eq!(stored(&fixture.admit("s.1", &expected("a"), b"")), 2);
    assert_eq!(fixture.admit("s.1", &expected("a"), b""), wrong("", 2));
    fixture.commit();
    assert_eq!(fixture.admit("s.1", &expected("a"), b""), wrong("", 0));
}

#[test]
fn rollups_need_leave_and_a_known_value() {
    let mut fixture = Fixture::new(|_| {});
    let failed = |text: &str| Err(Rejection::RollupFailed(text.to_owned().into()));
    assert_eq!(fixture.publish("s.1", &[("Nats-Rollup", "sub")], b""), failed("rollup not permitted"));
    fixture.update(|config| config.allow_rollup_hdrs = true).unwrap();
    let value = "rollup value invalid: \"some\"";
    assert_eq!(fixture.publish("s.1", &[("Nats-Rollup", "Some")], b""), failed(value));
    (0..3).for_each(|n| _ = fixture.publish(&format!("s.{}", n % 2), &[], b""));
    fixture.publish("s.0", &[("Nats-Rollup", "SUB")], b"").unwrap();
    assert_eq!(fixture.seqs(), [2, 4]);
    fixture.publish("s.0", &[("Nats-Rollup", "all")], b"").unwrap();
    assert_eq!(fixture.seqs(), [5]);
}

#[test]
fn a_full_stream_that_discards_new_messages_refuses_them() {
    let mut fixture = Fixture::new(|config| (config.discard, config.max_msgs) = (Discard::New, 2));
    fixture.publish("s.1", &[], b"").unwrap();
    fixture.admit("s.1", &[], b"");
    let answer = refused(full("maximum messages exceeded"), 2);
    assert_eq!(fixture.admit("s.1", &[], b""), answer);
    fixture.drop_in_flight();
    assert_eq!(fixture.publish("s.1", &[], b""), Ok(2));
    fixture.delete(1).unwrap();
    assert_eq!(fixture.publish("s.1", &[], b""), Ok(3));

    let mut fixture = Fixture::new(|config| (config.discard, config.max_bytes) = (Discard::New, 100));
    fixture.publish("s.1", &[], &[0; 40]).unwrap();
    assert_eq!(fixture.publish("s.1", &[], &[0; 40]), Err(full("maximum bytes exceeded")));
}

#[test]
fn at_the_limit_of_its_subject_a_message_takes_the_place_of_the_oldest() {
    let mut fixture = Fixture::new(|config| {
        config.discard = Discard::New;
        (config.max_msgs, config.max_msgs_per_subject, config.max_bytes) = (2, 1, 120);
    });
    fixture.publish("s.a", &[], &[0; 20]).unwrap();
    fixture.publish("s.b", &[], &[0; 20]).unwrap();
    assert_eq!(fixture.publish("s.a", &[], &[0; 20]), Ok(3));
    assert_eq!(fixture.publish("s.c", &[], b""), Err(full("maximum messages exceeded")));
    assert_eq!(fixture.publish("s.a", &[], &[0; 40]), Err(full("maximum bytes exceeded")));
    assert_eq!(fixture.seqs(), [2, 3]);
    fixture.update(|config| config.discard_new_per_subject = true).unwrap();
    assert_eq!(fixture.publish("s.a", &[], b""), Err(full("maximum messages per subject exceeded")));
    fixture.update(|config| (config.allow_rollup_hdrs, config.max_bytes) = (true, -1)).unwrap();
    assert_eq!(fixture.publish("s.a", &[("Nats-Rollup", "sub")], b""), Ok(4));
    assert_eq!(fixture.seqs(), [2, 4]);
}

#[test]
fn sizes_are_checked_before_headers() {
    let mut fixture = Fixture::new(|config| config.max_msg_size = 50);
    let id = [("Nats-Expected-Stream", "other")];
    assert_eq!(fixture.publish("s.1", &id, &[0; 60]), Err(Rejection::MessageExceedsMaximum));
    assert_eq!(fixture.publish("s.1", &id, b""), Err(Rejection::StreamNotMatch));
    assert_eq!(fixture.publish("s.1", &[("Nats-Expected-Stream", "S")], b""), Ok(1));
    let mut fixture = Fixture::new(|_| {});
    let long = "x".repeat(70_000);
    assert_eq!(fixture.publish("s.1", &[("A", &long)], b""), Err(Rejection::HeaderExceedsMaximum));
}

#[test]
fn a_ttl_needs_leave_and_is_then_checked() {
    let mut fixture = Fixture::new(|_| {});
    for ttl in ["5", "never", "soon"] {
        assert_eq!(fixture.publish("s.1", &[("Nats-TTL", ttl)], b""), Err(Rejection::TtlDisabled));
    }
    let mut fixture = Fixture::new(|config| config.allow_msg_ttl = true);
    assert_eq!(fixture.publish("s.1", &[("Nats-TTL", "soon")], b""), Err(Rejection::TtlInvalid));
    assert_eq!(fixture.publish("s.1", &[("Nats-TTL", "")], b""), Ok(1));
}

#[test]
fn headers_of_features_that_are_off_are_refused_as_such() {
    let mut fixture = Fixture::new(|_| {});
    for (key, value, code) in [
        ("Nats-Incr", "+5", 10168),
        ("Nats-Incr", "much", 10171),
        ("Nats-Batch-Id", "b", 10174),
        ("Nats-Schedule", "@at now", 10188),
        ("Nats-Schedule-Next", "purge", 10188),
        ("Nats-Scheduler", "s.2", 10188),
    ] {
        assert_eq!(fixture.publish("s.1", &[(key, value)], b""), Err(Rejection::Code(code)), "{key}");
    }
    let source = [("Nats-Stream-Source", "x")];
    assert_eq!(fixture.publish("s.1", &source, b""), Err(Rejection::StreamSourceHeaderReserved));
    let publish = Publish { subject: b"s.1", reply: b"_INBOX.a.1.10.ok.1.0.$FI", headers: b"", payload: b"" };
    let answer = fixture.stream.admit(fixture.now, &publish, true);
    assert_eq!(answer, refused(Rejection::Code(10205), 0));
}

#[test]
fn a_known_message_id_is_a_duplicate_before_anything_expected_is_looked_at() {
    let mut fixture = Fixture::new(|_| {});
    fixture.publish("s.1", &[("Nats-Msg-Id", "a"), (LAST, "0")], b"").unwrap();
    assert_eq!(fixture.publish("s.1", &[("Nats-Msg-Id", "a"), (LAST, "0")], b""), Ok(1));
    let source = [("Nats-Msg-Id", "a"), ("Nats-Stream-Source", "x")];
    assert_eq!(fixture.publish("s.1", &source, b""), Ok(1));
}

#[test]
fn without_room_only_a_sealed_stream_says_something_else() {
    let mut fixture = Fixture::new(|_| {});
    let publish = Publish { subject: b"s.1", reply: b"", headers: b"", payload: b"" };
    let answer = fixture.stream.admit(fixture.now, &publish, false);
    assert_eq!(answer, refused(Rejection::InsufficientResources, 0));
    fixture.update(|config| config.sealed = true).unwrap();
    let answer = fixture.stream.admit(fixture.now, &publish, false);
    assert_eq!(answer, refused(Rejection::StreamSealed, 0));
}

#[test]
fn bytes_are_accounted_as_nats_server_does() {
    for (storage, plain, with_headers) in [(Storage::File, 30, 34), (Storage::Memory, 16, 16)] {
        let mut fixture = Fixture::new(|config| config.storage = storage);
        fixture.publish("s.1", &[], &[0; 10]).unwrap();
        assert_eq!(fixture.stream.bytes(), plain + 3 + 10);
        fixture.purge("", 0, 0).unwrap();
        fixture.publish("s.1", &[("A", "b")], b"").unwrap();
        let block = b"NATS/1.0\r\nA: b\r\n\r\n".len() as u64;
        assert_eq!(fixture.stream.bytes(), with_headers + 3 + block);
    }
}

#[test]
fn what_is_in_flight_is_dropped_as_a_whole() {
    let mut fixture = Fixture::new(|_| {});
    fixture.publish("s.1", &[("Nats-Msg-Id", "one")], b"").unwrap();
    let hash = fixture.stream.state_hash();
    for n in 0..10 {
        fixture.admit("s.1", &[("Nats-Msg-Id", &n.to_string())], b"");
    }
    assert_eq!(fixture.stream.admitted_seq(), StreamSeq(11));
    fixture.drop_in_flight();
    assert_eq!((fixture.stream.admitted_seq(), fixture.stream.state_hash()), (StreamSeq(1), hash));
    assert_eq!(stored(&fixture.admit("s.1", &[("Nats-Expected-Last-Msg-Id", "one")], b"")), 2);
}

#[test]
fn what_is_admitted_the_short_way_is_admitted_likewise_with_care() {
    type Change = fn(&mut crate::stream::config::StreamConfig);
    let configs: [Change; 7] = [
        |_| {},
        |config| config.max_msg_size = 3,
        |config| config.discard = Discard::New,
        |config| (config.discard, config.max_msgs) = (Discard::New, 2),
        |config| config.sealed = true,
        |config| config.max_age = Duration::from_secs(5),
        |config| config.max_msgs_per_subject = 1,
    ];
    let mut plain = 0;
    for change in configs {
        let (mut short, mut long) = (Fixture::new(|_| {}), Fixture::new(|_| {}));
        for fixture in [&mut short, &mut long] {
            let mut config = fixture.stream.config().clone();
            change(&mut config);
            fixture.stream.config = config.into_shared();
        }
        let long_subject = "s.".to_owned() + &"x".repeat(70_000);
        let mut publishes = Vec::new();
        for subject in ["s.1", "s.1", "s.2", &long_subject] {
            for headers in ["", "NATS/1.0\r\n\r\n", "NATS/1.0\r\nNats-Msg-Id: 1\r\n\r\n"] {
                for (reply, payload) in [("", ""), ("_INBOX.1", "1234"), ("_INBOX.$FI", ""), ("$FI", "12")] {
                    let [subject, reply] = [subject, reply].map(str::as_bytes);
                    let [headers, payload] = [headers, payload].map(str::as_bytes);
                    publishes.push(Publish { subject, reply, headers, payload });
                }
            }
        }
        let large = vec![7; 20_000];
        let large = Publish { subject: b"s.1", reply: b"", headers: b"", payload: &large };
        publishes.extend([large; 3]);
        let mut left = &publishes[..];
        while !left.is_empty() {
            let fits = |taken: usize, _: usize| taken < 25_000;
            let Some(run) = short.stream.admit_plain(short.now, left.iter().copied(), fits) else {
                let admissions = [&mut short, &mut long].map(|f| f.stream.admit(f.now, &left[0], true));
                assert_eq!(admissions[0], admissions[1]);
                left = &left[1..];
                continue;
            };
            assert_stored_alike(&run, left, &mut long);
            plain += run.count;
            left = &left[run.count as usize..];
            let overlays = [&short, &long].map(|fixture| format!("{:?}", fixture.stream.in_flight));
            assert_eq!(overlays[0], overlays[1]);
            assert_eq!(short.stream.poll_timeout(), long.stream.poll_timeout());
        }
    }
    assert!(plain > 40, "{plain}");
}

#[test]
fn what_is_looked_at_ahead_is_admitted_likewise_one_by_one() {
    type Change = fn(&mut crate::stream::config::StreamConfig);
    let configs: [Change; 6] = [
        |config| config.duplicate_window = Duration::from_nanos(40),
        |config| config.duplicate_window = Duration::from_secs(10),
        |config| config.duplicate_window = Duration::ZERO,
        |config| (config.max_msg_size, config.max_age) = (70, Duration::from_secs(5)),
        |config| config.discard = Discard::New,
        |config| config.sealed = true,
    ];
    let headers = |round: u64, n: u64| {
        let id = format!("Nats-Msg-Id: {}\r\n", n % 97 + round * 50);
        let mut fields = vec![id.as_str()];
        match n % 61 {
            7 => fields.push("Nats-Expected-Stream: S\r\n"),
            8 => fields.push("Nats-Expected-Last-Msg-Id: x\r\n"),
            9 => fields.insert(0, "Nats-Msg-Id: \r\n"),
            10 => fields.insert(0, "Nats-Rollup: sub\r\n"),
            11..15 => fields = vec!["A: b\r\n", "Nats: c\r\n"],
            15..30 => fields.insert(0, "A: b\r\n"),
            30 => return String::new(),
            _ => {}
        }
        format!("NATS/1.0{}\r\n{}\r\n", if n % 13 == 5 { " 503 text" } else { "" }, fields.concat())
    };
    let (mut ahead, mut duplicates) = (0, 0);
    for change in configs {
        let (mut short, mut long) = (Fixture::new(|_| {}), Fixture::new(|_| {}));
        for fixture in [&mut short, &mut long] {
            let mut config = fixture.stream.config().clone();
            change(&mut config);
            fixture.stream.config = config.into_shared();
        }
        for round in 0..3 {
            let blocks: Vec<String> = (0..300).map(|n| headers(round, n)).collect();
            let publishes: Vec<Publish<'_>> = (0..)
                .zip(&blocks)
                .map(|(n, block)| Publish {
                    subject: if n % 25 < 20 { b"s.1" } else { b"s.2" },
                    reply: if n % 45 == 44 { b"_INBOX.1.$FI" } else { b"" },
                    headers: block.as_bytes(),
                    payload: if n % 50 == 0 { &[7; 20_000] } else { b"payload" },
                })
                .collect();
            let mut left = &publishes[..];
            while !left.is_empty() {
                let mut steps = Vec::new();
                let fits = |taken: usize, _: usize| taken < 70_000;
                let publishes = left.iter().copied();
                let count = short.stream.admit_ahead(short.now, publishes, fits, |step| steps.push(step));
                ahead += count;
                if count == 0 {
                    let admissions = [&mut short, &mut long].map(|f| f.stream.admit(f.now, &left[0], true));
                    assert_eq!(admissions[0], admissions[1]);
                    left = &left[1..];
                    continue;
                }
                let before = left.len();
                for step in steps {
                    let Step::Run(run) = step else {
                        let Step::Duplicate(seq) = step else { unreachable!() };
                        let admission = long.stream.admit(long.now, &left[0], true);
                        let is_same =
                            matches!(admission, Admission::Duplicate { seq: other, .. } if other == seq);
                        assert!(is_same, "{seq:?} {admission:?}");
                        duplicates += 1;
                        left = &left[1..];
                        continue;
                    };
                    assert_stored_alike(&run, left, &mut long);
                    left = &left[run.count as usize..];
                }
                assert_eq!(before - left.len(), count);
                let states = [&short, &long].map(|fixture| {
                    let ids: Vec<_> =
                        fixture.stream.ids.iter().flat_map(|ids| ids.iter(0, u64::MAX)).collect();
                    format!("{:?} {ids:?} {:?}", fixture.stream.in_flight, fixture.stream.poll_timeout())
                });
                assert_eq!(states[0], states[1]);
            }
            for fixture in [&mut short, &mut long] {
                fixture.advance(Duration::from_secs(6));
            }
        }
    }
    assert!(ahead > 1500 && duplicates > 300, "{ahead} {duplicates}");
}

/// A run stores what admission one by one does, record by record.
fn assert_stored_alike(run: &AdmittedRun, publishes: &[Publish<'_>], long: &mut Fixture) {
    let mut records_len = 0;
    for (nth, publish) in (0..run.count).zip(publishes) {
        let Admission::Store(admitted) = long.stream.admit(long.now, publish, true) else {
            panic!("{publish:?} is not stored one by one");
        };
        let [one, other] = [run.record(nth, publish), admitted.record(publish)];
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
        records_len += admitted.record_len;
    }
    assert_eq!(records_len, run.records_len);
    assert!(run.count == 1 || run.records_len <= PLAIN_LEN_MAX);
}
