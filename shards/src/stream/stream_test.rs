use super::config::{Discard, StreamConfig};
use super::fixture::Fixture;
use super::select::Selector;
use super::*;
use crate::change::ChangeKind;
use crate::messages::{Messages, SubjectFilter, SubjectId};
use crate::rejection::Rejection;
use crate::subject;
use std::collections::BTreeMap;
use std::time::Duration;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Wants every subject.
struct Everything;

impl SubjectFilter for Everything {
    fn is_all(&self) -> bool {
        true
    }

    fn patterns(&self) -> &[Box<str>] {
        &[]
    }

    fn matches(&mut self, _: u64, _: SubjectId, _: &[u8]) -> bool {
        true
    }
}

/// A stream as simply as it can be said.
#[derive(Default)]
struct Model {
    /// Sequence → (subject, payload length, ttl deadline: 0 none, MAX never, time).
    messages: BTreeMap<u64, (String, usize, u64, u64)>,
    last: u64,
}

impl Model {
    fn accounted(&self, config: &StreamConfig) -> u64 {
        let own = if config.storage == Storage::Memory { 16 } else { 30 };
        // Headers are accounted by the caller's payload length.
        self.messages.values().map(|message| own + message.0.len() as u64 + message.1 as u64).sum()
    }

    fn store(&mut self, config: &StreamConfig, seq: u64, message: (String, usize, u64, u64), rollup: &str) {
        let subject = message.0.clone();
        self.messages.insert(seq, message);
        self.last = seq;
        let on = |model: &Model| -> Vec<u64> {
            model.messages.iter().filter(|(_, m)| m.0 == subject).map(|(&seq, _)| seq).collect()
        };
        while config.max_msgs_per_subject > 0 && on(self).len() as i64 > config.max_msgs_per_subject {
            self.messages.remove(&on(self)[0]);
        }
        let over = |model: &Model| {
            config.max_msgs > 0 && model.messages.len() as i64 > config.max_msgs
                || config.max_bytes > 0 && model.accounted(config) as i64 > config.max_bytes
        };
        while config.discard == Discard::Old && over(self) {
            self.messages.pop_first();
        }
        match rollup {
            "sub" => self.messages.retain(|&other, m| other >= seq || m.0 != subject),
            "all" => self.messages.retain(|&other, _| other >= seq),
            _ => {}
        }
    }
}

fn assert_same(fixture: &Fixture, model: &Model) {
    let stream = &fixture.stream;
    let state = stream.state(false, ">", 0, 0);
    assert_eq!(state.messages, model.messages.len() as u64);
    assert_eq!(fixture.seqs(), model.messages.keys().copied().collect::<Vec<_>>());
    assert_eq!(state.last_seq, model.last);
    assert_eq!(state.bytes, model.accounted(stream.config()));
    let mut subjects: BTreeMap<&str, u64> = BTreeMap::new();
    model.messages.values().for_each(|message| *subjects.entry(&message.0).or_default() += 1);
    let known: Vec<(&str, u64)> =
        state.subjects.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(known, subjects.into_iter().collect::<Vec<_>>());
}

fn random_config(random: &mut Random, config: &mut StreamConfig) {
    config.max_msgs = [-1, -1, 40][random.below(3) as usize];
    config.max_bytes = [-1, -1, 6000][random.below(3) as usize];
    config.max_msgs_per_subject = [-1, 1, 3, 20][random.below(4) as usize];
    config.max_age = Duration::from_secs([0, 0, 30][random.below(3) as usize]);
    config.duplicate_window = Duration::from_secs([0, 5][random.below(2) as usize]);
    config.allow_msg_ttl = true;
    config.allow_rollup_hdrs = true;
}

#[test]
fn a_stream_behaves_as_a_list_of_messages_does() {
    for seed in 0..15 {
        let random = &mut Random(seed);
        let memory = seed % 3 == 0;
        let mut fixture = Fixture::new(|config| {
            random_config(random, config);
            config.storage = if memory { Storage::Memory } else { Storage::File };
        });
        let mut model = Model::default();
        let mut checkpoint: Option<(Vec<u8>, usize)> = None;
        for _ in 0..80 {
            step(random, &mut fixture, &mut model);
            assert_same(&fixture, &model);
            if !memory && random.below(40) == 0 {
                let mut bytes = Vec::new();
                fixture.stream.encode_checkpoint(&mut bytes);
                checkpoint = Some((bytes, fixture.log.len()));
            }
        }
        for seq in model.messages.keys() {
            let record = fixture.record(*seq).expect("a message that is there can be read");
            assert_eq!((record.seq.0, record.subject), (*seq, model.messages[seq].0.as_bytes()));
        }
        if !memory {
            let hash = fixture.stream.state_hash();
            assert_eq!(fixture.replayed(None, 0).state_hash(), hash, "seed {seed}");
            if let Some((bytes, behind)) = checkpoint {
                assert_eq!(fixture.replayed(Some(&bytes), behind).state_hash(), hash, "seed {seed}");
            }
        }
    }
}

fn step(random: &mut Random, fixture: &mut Fixture, model: &mut Model) {
    fixture.advance(Duration::from_millis(random.below(900)));
    match random.below(12) {
        0 => {
            let seq = random.below(model.last + 3);
            assert_eq!(fixture.delete(seq).is_ok(), model.messages.remove(&seq).is_some());
        }
        1 if random.below(3) == 0 => {
            let filter = ["", "s.1", "s.*", "s.a.>"][random.below(4) as usize];
            let (seq, keep) = [(0, 0), (random.below(model.last + 2), 0), (0, 1 + random.below(6))]
                [random.below(3) as usize];
            purge(fixture, model, filter, seq, keep);
        }
        2 => {
            fixture.expire();
            let config = fixture.stream.config();
            let (now, max_age) = (fixture.now.wall.0, config.max_age.as_nanos() as u64);
            // Nothing that may still be there is gone, and nothing that must be gone is there.
            let late = fixture.seqs();
            model.messages.retain(|seq, &mut (_, _, deadline, time)| {
                let too_old = max_age > 0 && deadline != u64::MAX && time + max_age <= now;
                let expired = deadline != 0 && deadline <= now;
                let there = late.contains(seq);
                assert!(there || too_old || expired, "{seq} went too early");
                there
            });
        }
        3 => {
            fixture.admit("s.lost", &[("Nats-Msg-Id", "lost")], b"in flight");
            fixture.drop_in_flight();
        }
        _ => {
            for _ in 0..1 + random.below(20) {
                let subject = match random.below(3) {
                    0 => "s.1".to_owned(),
                    1 => format!("s.a.{}", random.below(5)),
                    _ => format!("s.{}", random.below(60)),
                };
                let payload = vec![7; random.below(150) as usize];
                let ttl = ["", "", "", "2", "never"][random.below(5) as usize];
                let rollup = if random.below(60) == 0 {
                    "all"
                } else {
                    ["", "", "", "", "sub"][random.below(5) as usize]
                };
                let id = random.below(200).to_string();
                let mut headers = Vec::new();
                if !ttl.is_empty() {
                    headers.push(("Nats-TTL", ttl));
                }
                if !rollup.is_empty() {
                    headers.push(("Nats-Rollup", rollup));
                }
                if random.below(3) == 0 {
                    headers.push(("Nats-Msg-Id", &*id));
                }
                if let admit::Admission::Store(admitted) = fixture.admit(&subject, &headers, &payload) {
                    let mut block = Vec::new();
                    headers.iter().for_each(|(key, value)| {
                        crate::headers::append(&mut block, key.as_bytes(), value.as_bytes());
                    });
                    let time = admitted.time.0;
                    let deadline = match ttl {
                        "2" => time + 2_000_000_000,
                        "never" => u64::MAX,
                        _ => 0,
                    };
                    let file = fixture.stream.config().storage == Storage::File;
                    let own = if file && !block.is_empty() { 4 } else { 0 };
                    let message = (subject, payload.len() + block.len() + own, deadline, time);
                    model.store(fixture.stream.config(), admitted.seq.0, message, rollup);
                }
            }
            fixture.commit();
        }
    }
}

fn purge(fixture: &mut Fixture, model: &mut Model, filter: &str, seq: u64, keep: u64) {
    let matching: Vec<u64> = model
        .messages
        .iter()
        .filter(|(_, m)| filter.is_empty() || subject::matches(filter.as_bytes(), m.0.as_bytes()))
        .map(|(&seq, _)| seq)
        .collect();
    let kept = matching.len().saturating_sub(keep as usize);
    let gone: Vec<u64> = matching
        .into_iter()
        .enumerate()
        .filter(|&(at, other)| (seq == 0 || other < seq) && (keep == 0 || at < kept))
        .map(|(_, other)| other)
        .collect();
    gone.iter().for_each(|seq| drop(model.messages.remove(seq)));
    assert_eq!(fixture.purge(filter, seq, keep), Ok(gone.len() as u64));
}

#[test]
fn a_checkpoint_with_damage_is_refused_or_read_but_never_a_panic() {
    let mut fixture = Fixture::new(|config| random_config(&mut Random(4), config));
    let mut model = Model::default();
    let random = &mut Random(9);
    (0..60).for_each(|_| step(random, &mut fixture, &mut model));
    let mut bytes = Vec::new();
    fixture.stream.encode_checkpoint(&mut bytes);
    for _ in 0..500 {
        let mut bad = bytes.clone();
        let at = random.below(bad.len() as u64) as usize;
        bad[at] = random.below(256) as u8;
        if random.below(4) == 0 {
            bad.truncate(at);
        }
        if let Ok(stream) = Stream::decode_checkpoint(&bad) {
            stream.state_hash();
        }
    }
}

#[test]
fn a_delete_that_is_lost_on_replay_shows_in_the_hash() {
    let mut fixture = Fixture::new(|_| {});
    (0..3).for_each(|_| _ = fixture.publish("s.1", &[], b"x"));
    fixture.delete(2).unwrap();
    let hash = fixture.stream.state_hash();
    fixture.log.pop();
    assert_ne!(fixture.replayed(None, 0).state_hash(), hash);
}

#[test]
fn a_message_that_was_lost_to_damage_counts_as_deleted() {
    let mut fixture = Fixture::new(|_| {});
    (0..4).for_each(|n| _ = fixture.publish(&format!("s.{n}"), &[], b"x"));
    fixture.log.remove(1);
    let stream = fixture.replayed(None, 0);
    let state = stream.state(true, "", 0, 0);
    assert_eq!((state.messages, state.last_seq, state.deleted), (3, 4, Some(vec![2])));
}

#[test]
fn the_entries_behind_a_place_come_in_order() {
    let mut fixture = Fixture::new(|_| {});
    for n in 0..6 {
        (0..=n).for_each(|n| _ = fixture.admit(&format!("s.{n}"), &[], b"x"));
        fixture.commit();
    }
    [4, 5, 6].into_iter().for_each(|seq| fixture.delete(seq).unwrap());
    let position = |seq| fixture.stream.place(StreamSeq(seq)).unwrap().entry.position;
    let first = fixture.stream.place(StreamSeq(1)).unwrap();
    let behind: Vec<_> = fixture.stream.entries_behind(first).map(|entry| entry.position).collect();
    assert_eq!(behind, [position(2), position(7), position(11), position(16)]);
    let last = fixture.stream.place(StreamSeq(16)).unwrap();
    assert_eq!(fixture.stream.entries_behind(last).count(), 0);
}

#[test]
fn a_change_that_admission_cannot_have_written_is_an_error() {
    let mut fixture = Fixture::new(|_| {});
    fixture.publish("s.1", &[], b"x").unwrap();
    let (kind, body, place) = fixture.log[0].clone();
    let mut effects = effects::Effects::default();
    assert!(fixture.stream.apply(kind, &body, place, &mut effects).is_err(), "a sequence twice");
    assert!(fixture.stream.apply(ChangeKind::Publish, b"short", place, &mut effects).is_err());
    assert!(fixture.stream.apply(ChangeKind::ConfigUpdate, b"\x09", place, &mut effects).is_err());
}

#[test]
fn an_idle_stream_is_small() {
    assert!(size_of::<Stream>() <= 1024, "{}", size_of::<Stream>());
}

#[test]
fn memory_storage_gives_back_what_has_gone() {
    let mut fixture = Fixture::new(|config| config.storage = Storage::Memory);
    for _ in 0..20 {
        (0..100).for_each(|n| _ = fixture.admit(&format!("s.{n}"), &[], &[1; 100]));
        fixture.commit();
    }
    let full = fixture.stream.memory_used();
    for seq in (1..=2000).filter(|seq| seq % 10 != 0) {
        fixture.delete(seq).unwrap();
    }
    assert!(fixture.stream.memory_used() * 4 < full, "{} of {full}", fixture.stream.memory_used());
    for seq in (10..=2000).step_by(10) {
        assert_eq!(fixture.record(seq).unwrap().payload, [1; 100]);
    }
    fixture.purge("", 0, 0).unwrap();
    assert_eq!(fixture.stream.memory_used(), 0);
}

#[test]
fn a_message_larger_than_max_bytes_is_stored_and_removed_at_once() {
    let mut fixture = Fixture::new(|config| config.max_bytes = 100);
    assert_eq!(fixture.publish("s.1", &[], &[0; 10]), Ok(1));
    assert_eq!(fixture.publish("s.1", &[], &[0; 200]), Ok(2));
    let state = fixture.stream.state(false, "", 0, 0);
    assert_eq!((state.messages, state.bytes, state.first_seq, state.last_seq), (0, 0, 3, 2));
}

#[test]
fn tighter_limits_remove_old_messages_at_once_where_old_ones_are_discarded() {
    let mut fixture = Fixture::new(|_| {});
    (0..10).for_each(|n| _ = fixture.publish(&format!("s.{}", n % 2), &[], b""));
    fixture.update(|config| config.max_msgs_per_subject = 3).unwrap();
    assert_eq!(fixture.seqs(), [5, 6, 7, 8, 9, 10]);
    fixture.update(|config| (config.max_msgs, config.discard) = (2, Discard::New)).unwrap();
    assert_eq!(fixture.seqs().len(), 6);
    fixture.update(|config| config.discard = Discard::Old).unwrap();
    assert_eq!(fixture.seqs(), [9, 10]);
}

#[test]
fn first_seq_is_where_an_empty_stream_starts() {
    let mut fixture = Fixture::new(|config| config.first_seq = 100);
    let state = fixture.stream.state(false, "", 0, 0);
    assert_eq!((state.first_seq, state.last_seq), (100, 99));
    assert_eq!(fixture.publish("s.1", &[], b""), Ok(100));
}

#[test]
fn a_purge_beyond_the_end_moves_it_and_later_publishes_follow() {
    let mut fixture = Fixture::new(|_| {});
    (0..3).for_each(|_| drop(fixture.publish("s.1", &[], b"")));
    assert_eq!(fixture.purge("", 20, 0), Ok(3));
    let state = fixture.stream.state(false, "", 0, 0);
    assert_eq!((state.first_seq, state.last_seq), (20, 19));
    assert_eq!(fixture.publish("s.1", &[], b""), Ok(20));
    assert_eq!(fixture.purge("", 1, 0), Ok(0));
    assert_eq!(fixture.purge("", 3, 1), Err(Rejection::BadRequest));
}

#[test]
fn a_purge_of_a_new_stream_gives_it_a_first_sequence() {
    let mut fixture = Fixture::new(|_| {});
    assert_eq!(fixture.stream.state(false, "", 0, 0).first_seq, 0);
    assert_eq!(fixture.purge("", 0, 0), Ok(0));
    assert_eq!(fixture.stream.state(false, "", 0, 0).first_seq, 1);
}

#[test]
fn a_missing_message_cannot_be_deleted_and_the_error_depends_on_the_storage() {
    let failed = |text: &'static str| Err(Rejection::StreamMsgDeleteFailed(text.into()));
    let mut file = Fixture::new(|_| {});
    let mut memory = Fixture::new(|config| config.storage = Storage::Memory);
    for fixture in [&mut file, &mut memory] {
        (0..4).for_each(|_| drop(fixture.publish("s.1", &[], b"")));
        [1, 3].into_iter().for_each(|seq| fixture.delete(seq).unwrap());
    }
    assert_eq!(file.delete(3), Err(Rejection::SequenceNotFound(3)));
    assert_eq!(file.delete(1), failed("no message found"));
    assert_eq!(file.delete(0), failed("no message found"));
    assert_eq!(file.delete(9), failed("stream store EOF"));
    for seq in [0, 1, 3, 9] {
        assert_eq!(memory.delete(seq), Err(Rejection::SequenceNotFound(seq)));
    }
}

#[test]
fn sealed_and_denied_streams_keep_their_messages() {
    let mut fixture = Fixture::new(|config| (config.deny_delete, config.deny_purge) = (true, true));
    fixture.publish("s.1", &[], b"").unwrap();
    let text = "message delete not permitted";
    assert_eq!(fixture.delete(1), Err(Rejection::StreamMsgDeleteFailed(text.into())));
    assert_eq!(fixture.purge("", 0, 0), Err(Rejection::StreamPurgeNotPermitted));
    fixture.update(|config| config.sealed = true).unwrap();
    assert_eq!(fixture.delete(1), Err(Rejection::StreamSealed));
    assert_eq!(fixture.purge("", 0, 0), Err(Rejection::StreamSealed));
    assert_eq!(fixture.publish("s.1", &[], b""), Err(Rejection::StreamSealed));
}

#[test]
fn what_comes_next_is_told_alike_with_and_without_gaps() {
    let mut fixture = Fixture::new(|_| {});
    let check = |fixture: &Fixture| {
        let seqs = fixture.seqs();
        for from in 0..12 {
            let next = seqs.iter().copied().find(|&seq| seq >= from).map(StreamSeq);
            assert_eq!(fixture.stream.next(&mut Everything, StreamSeq(from)), next);
            assert_eq!(fixture.stream.contains(StreamSeq(from)), seqs.contains(&from));
        }
    };
    check(&fixture);
    for n in 0..9 {
        fixture.publish(&format!("s.{n}"), &[], b"").unwrap();
        check(&fixture);
    }
    for seq in [1, 2, 9, 5, 6, 3, 4, 8, 7] {
        fixture.delete(seq).unwrap();
        check(&fixture);
    }
    fixture.publish("s.1", &[], b"").unwrap();
    check(&fixture);
}

#[test]
fn messages_expire_by_age_and_by_their_own_ttl_and_never_if_they_say_so() {
    let mut fixture = Fixture::new(|config| {
        config.max_age = Duration::from_secs(10);
        config.allow_msg_ttl = true;
    });
    fixture.publish("s.1", &[("Nats-TTL", "never")], b"").unwrap();
    fixture.publish("s.2", &[], b"").unwrap();
    fixture.publish("s.3", &[("Nats-TTL", "3s")], b"").unwrap();
    fixture.expire();
    assert_eq!(fixture.seqs(), [1, 2, 3]);
    fixture.advance(Duration::from_secs(4));
    assert!(fixture.stream.poll_timeout().is_some_and(|at| at <= fixture.now.monotonic));
    fixture.expire();
    assert_eq!(fixture.seqs(), [1, 2]);
    fixture.advance(Duration::from_secs(7));
    let mut body = Vec::new();
    assert_eq!(fixture.stream.handle_timeout(fixture.now, false, &mut body), None, "clocks disagree");
    fixture.advance(Duration::from_secs(1));
    fixture.expire();
    assert_eq!(fixture.seqs(), [1]);
    fixture.advance(Duration::from_secs(1000));
    fixture.expire();
    assert_eq!((fixture.seqs(), fixture.stream.poll_timeout()), (vec![1], None));
}

#[test]
fn gets_find_by_sequence_subject_and_time() {
    let mut fixture = Fixture::new(|_| {});
    let mut times = Vec::new();
    for subject in ["s.a", "s.b", "s.a", "s.c.d"] {
        times.push(fixture.now.wall);
        fixture.publish(subject, &[], b"").unwrap();
        fixture.advance(Duration::from_secs(1));
    }
    fixture.delete(2).unwrap();
    let find = |select: Selector| fixture.stream.find(&select).map(|seq| seq.0);
    let next = |subject: &str, seq| find(Selector::NextBySubject { subject: subject.into(), seq });
    assert_eq!(
        (find(Selector::Seq(1)), find(Selector::Seq(2)), find(Selector::Seq(9))),
        (Some(1), None, None)
    );
    assert_eq!(find(Selector::LastBySubject("s.a".into())), Some(3));
    assert_eq!(find(Selector::LastBySubject("s.>".into())), Some(4));
    assert_eq!(find(Selector::LastBySubject("s.b".into())), None);
    assert_eq!(
        (next("s.a", 0), next("s.a", 2), next("s.*", 2), next("s.a", 4)),
        (Some(1), Some(3), Some(3), None)
    );
    assert_eq!(find(Selector::FromTime(times[1])), Some(3));
    assert_eq!(find(Selector::FromTime(fixture.now.wall)), None);
    let from = Selector::NextBySubjectFrom { subject: ">".into(), time: times[3] };
    assert_eq!(find(from), Some(4));
    assert_eq!(fixture.stream.seq_at(WallTime(0)), StreamSeq(1));
}

#[test]
fn batch_and_multi_gets_tell_what_is_left() {
    use super::read::Direct;
    use super::select::DirectGet;
    let mut fixture = Fixture::new(|_| {});
    (0..5).for_each(|n| _ = fixture.publish(&format!("s.{n}"), &[], b"v"));
    let many = |get: DirectGet| match fixture.stream.direct(&get, 1 << 20) {
        Direct::Many(selection) => {
            let messages: Vec<_> = selection.messages.iter().map(|m| (m.seq.0, m.num_pending)).collect();
            (messages, selection.num_pending, selection.last_seq.0, selection.up_to_seq)
        }
        other => panic!("{other:?}"),
    };
    let batch = |seq, batch, max_bytes| DirectGet::Batch { select: Selector::Seq(seq), batch, max_bytes };
    let multi = |up_to_seq, seq, batch| DirectGet::MultiLast {
        subjects: vec!["s.>".into()],
        up_to_seq,
        up_to_time: None,
        seq,
        batch,
        max_bytes: 0,
    };
    assert_eq!(many(batch(1, 2, 0)), (vec![(1, 4), (2, 3)], 3, 2, None));
    assert_eq!(many(batch(4, 10, 0)), (vec![(4, 1), (5, 0)], 0, 5, None));
    assert_eq!(many(batch(1, 10, 5)), (vec![(1, 4), (2, 3)], 3, 2, None));
    assert_eq!(many(multi(0, 2, 2)), (vec![(2, 3), (3, 2)], 2, 3, Some(5)));
    assert_eq!(many(multi(3, 0, 0)), (vec![(1, 2), (2, 1), (3, 0)], 0, 3, Some(3)));
    assert_eq!(many(multi(0, 10, 0)), (vec![], 0, 0, Some(5)));
    let missing = batch(9, 1, 0);
    assert_eq!(fixture.stream.direct(&missing, 1), Direct::NotFound { multi: false });
}

#[test]
fn a_batch_get_begins_behind_what_was_deleted() {
    use super::read::Direct;
    use super::select::DirectGet;
    let mut fixture = Fixture::new(|config| config.max_msgs_per_subject = 1);
    ["s.a", "s.b", "s.a", "s.b"].iter().for_each(|subject| _ = fixture.publish(subject, &[], b"v"));
    let batch = DirectGet::Batch { select: Selector::Seq(2), batch: 1, max_bytes: 0 };
    let Direct::Many(selection) = fixture.stream.direct(&batch, 1 << 20) else { panic!("nothing found") };
    assert_eq!((selection.last_seq.0, selection.num_pending), (3, 1));
}

#[test]
fn more_than_1024_last_messages_are_too_many() {
    use super::read::Direct;
    let mut fixture = Fixture::new(|_| {});
    (0..1025).for_each(|n| _ = fixture.admit(&format!("s.{n}"), &[], b""));
    fixture.commit();
    let multi = |subject: &str| super::select::DirectGet::MultiLast {
        subjects: vec![subject.into()],
        up_to_seq: 0,
        up_to_time: None,
        seq: 0,
        batch: 0,
        max_bytes: 0,
    };
    assert_eq!(fixture.stream.direct(&multi("s.*"), 1 << 20), Direct::TooManyResults);
    assert_eq!(fixture.stream.direct(&multi("t.*"), 1 << 20), Direct::NotFound { multi: true });
}

#[test]
fn a_rollup_of_very_many_messages_is_told_as_an_overflow() {
    let mut fixture = Fixture::new(|config| config.allow_rollup_hdrs = true);
    (0..20_000).for_each(|n| _ = fixture.admit(&format!("s.{}", n % 3), &[], b""));
    fixture.commit();
    fixture.publish("s.0", &[("Nats-Rollup", "all")], b"x").unwrap();
    assert!(fixture.effects.overflow());
    assert_eq!(fixture.seqs(), [20_001]);
    let state = fixture.stream.state(false, "", 0, 0);
    assert_eq!((state.messages, state.num_subjects, state.first_seq), (1, 1, 20_001));
}

#[test]
fn the_effects_name_what_left_and_why() {
    let mut fixture = Fixture::new(|config| config.max_msgs_per_subject = 2);
    (0..2).for_each(|_| drop(fixture.admit("s.a", &[], b"")));
    (0..4).for_each(|_| drop(fixture.admit("s.b", &[], b"")));
    fixture.commit();
    assert_eq!(fixture.effects.stored(), Some((StreamSeq(1), StreamSeq(6))));
    let removed = fixture.effects.removed();
    assert_eq!(removed.len(), 1);
    assert_eq!((removed[0].first, removed[0].last), (StreamSeq(3), StreamSeq(4)));
    assert_eq!(fixture.effects.subject_of(&removed[0]), b"s.b");
    fixture.purge("s.a", 0, 0).unwrap();
    assert!(fixture.effects.removed().is_empty());
    assert_eq!(fixture.effects.filter_of(&fixture.effects.purges()[0]), b"s.a");
}

#[test]
fn publishes_applied_together_leave_what_they_leave_one_by_one() {
    let plain = |_: &mut StreamConfig| {};
    let few = |config: &mut StreamConfig| config.max_msgs = 70;
    let small = |config: &mut StreamConfig| config.max_bytes = 3000;
    let by_subject = |config: &mut StreamConfig| config.max_msgs_per_subject = 5;
    let both = |config: &mut StreamConfig| (config.max_msgs, config.max_bytes) = (40, 2000);
    let configs: [&dyn Fn(&mut StreamConfig); 5] = [&plain, &few, &small, &by_subject, &both];
    for (at, change) in configs.into_iter().enumerate() {
        let mut random = Random(at as u64);
        let mut fixture = Fixture::new(change);
        for _ in 0..60 {
            for _ in 0..random.below(6) {
                let subject = ["s.a", "s.b", "s.c.d"][random.below(3) as usize];
                let id = random.below(1 << 40).to_string();
                let headers: &[(&str, &str)] = match random.below(5) {
                    0 => &[("Nats-Msg-Id", &id)],
                    1 => &[("Plain", "header")],
                    _ => &[],
                };
                let payload = vec![7; random.below(3) as usize * 5];
                for _ in 0..random.below(60) {
                    fixture.admit(subject, headers, &payload);
                }
                if random.below(4) == 0 {
                    fixture.advance(Duration::from_secs(1));
                }
            }
            fixture.commit();
            let last = fixture.stream.admitted_seq().0;
            if random.below(3) == 0 && last > 0 {
                let _ = fixture.delete(last - random.below(last.min(20)));
            }
            let replayed = fixture.replayed(None, 0);
            assert_eq!(fixture.stream.state_hash(), replayed.state_hash(), "configuration {at}");
            let mut checkpoint = Vec::new();
            fixture.stream.encode_checkpoint(&mut checkpoint);
            let reread = Stream::decode_checkpoint(&checkpoint).expect("a checkpoint is whole");
            assert_eq!(fixture.stream.state_hash(), reread.state_hash());
            assert_eq!(fixture.stream.state(true, ">", 0, 0), replayed.state(true, ">", 0, 0));
            for seq in fixture.seqs() {
                let place = fixture.stream.place(StreamSeq(seq));
                assert_eq!(place, replayed.place(StreamSeq(seq)));
            }
        }
    }
}

#[test]
fn looking_ahead_among_many_subjects_leaves_what_one_by_one_does() {
    let mut random = Random(3);
    let mut fixture = Fixture::new(|config| config.max_msgs_per_subject = 1);
    for nth in 0..24_000 {
        // First each once, then any again and some new ones.
        let subject = if nth < 9000 { nth } else { random.below(10_000) };
        fixture.admit(&format!("s.{subject:04}"), &[], b"hello");
        if nth % 500 == 499 {
            fixture.commit();
        }
    }
    assert_eq!(fixture.stream.state_hash(), fixture.replayed(None, 0).state_hash());
}

#[test]
fn a_run_that_reaches_into_the_next_block_is_found_again() {
    let mut fixture = Fixture::new(|_| {});
    for turn in 0..40 {
        for _ in 0..2000 + turn {
            fixture.admit("s.a", &[], b"");
        }
        fixture.commit();
    }
    let last = fixture.stream.admitted_seq().0;
    assert!(last > 1 << 16);
    for seq in (1..=last).step_by(97).chain([1 << 16, (1 << 16) + 1, last]) {
        assert_eq!(fixture.stream.place(StreamSeq(seq)), Some(fixture.log[seq as usize - 1].2), "{seq}");
    }
}

#[test]
fn a_publish_that_is_no_record_or_has_another_length_is_malformed() {
    let mut fixture = Fixture::new(|_| {});
    fixture.publish("s.a", &[], b"hello").unwrap();
    let (kind, body, place) = fixture.log[0].clone();
    let mut stream = Stream::new(AccountId::GLOBAL, fixture.stream.config.clone(), fixture.stream.created());
    let mut effects = effects::Effects::default();
    let longer = [&body[..], &[0; 8]].concat();
    for wrong in [&b""[..], &body[..24], &longer] {
        assert!(stream.apply(kind, wrong, place, &mut effects).is_err());
        assert!(stream.apply(kind, wrong, Place { len: wrong.len() as u32, ..place }, &mut effects).is_err());
    }
    stream = Stream::new(AccountId::GLOBAL, fixture.stream.config.clone(), fixture.stream.created());
    assert!(stream.apply(kind, &body, place, &mut effects).is_ok());
}

#[test]
fn ids_that_are_applied_in_a_run_are_those_of_one_by_one() {
    let windows = [(Duration::from_nanos(50), 50), (Duration::from_secs(10), 600), (Duration::ZERO, 0)];
    for (window, expected) in windows {
        let mut fixture = Fixture::new(|_| {});
        let mut config = fixture.stream.config().clone();
        config.duplicate_window = window;
        fixture.stream.config = config.into_shared();
        for turn in 0..4 {
            for n in 0..300 {
                fixture.admit("s.a", &[("Nats-Msg-Id", &format!("{turn}-{n:03}"))], b"");
            }
            if turn % 2 == 1 {
                fixture.admit("s.a", &[], b"no id to remember");
            }
            fixture.commit();
            fixture.advance(Duration::from_secs(6));
        }
        let mut in_runs =
            Stream::new(AccountId::GLOBAL, fixture.stream.config.clone(), fixture.stream.created());
        let mut effects = effects::Effects::default();
        for run in fixture.log.chunk_by(|a, b| a.2.entry == b.2.entry && a.2.len == b.2.len) {
            let bodies: Vec<u8> = run.iter().flat_map(|(_, body, _)| body.clone()).collect();
            in_runs
                .apply_publishes(&bodies, run[0].2, &mut effects)
                .expect("what applied once applies again");
        }
        let one_by_one = fixture.replayed(None, 0);
        let ids = |stream: &Stream| -> Vec<_> {
            let ids = stream.ids.iter();
            ids.flat_map(|ids| ids.iter(stream.committed.ids_since, u64::MAX)).collect()
        };
        let known = ids(&fixture.stream);
        assert_eq!(known.len(), expected);
        for stream in [&in_runs, &one_by_one] {
            assert_eq!(ids(stream), known);
            assert_eq!(stream.state_hash(), fixture.stream.state_hash());
            assert_eq!(stream.committed.last_msg_id, fixture.stream.committed.last_msg_id);
        }
    }
}
