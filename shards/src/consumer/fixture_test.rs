//! A consumer with a stream and subscribers around it, for tests. Every step is replayed on a second consumer, which must
//! come to the same state.

use super::ack_subject::{AckSubject, AckSubjectWriter};
use super::config::{AckPolicy, ConsumerConfig, Limits};
use super::{AckOutcome, Consumer, Next, Purged, Removed};
use crate::ids::{AccountId, StreamSeq};
use crate::messages::{MessageView, Messages, SubjectFilter, SubjectId};
use crate::subscribers::{Advisory, Delivery, Interest, Subscribers};
use crate::time::{Instant, Now, WallTime};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub struct Stored {
    pub subject: String,
    pub time: WallTime,
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
}

#[derive(Default)]
pub struct Stream {
    pub messages: BTreeMap<u64, Stored>,
    pub last: u64,
    pub max_per_subject: i64,
    pub subjects: Vec<String>,
}

impl Stream {
    fn id(&self, subject: &str) -> SubjectId {
        SubjectId(self.subjects.iter().position(|other| other == subject).unwrap() as u32)
    }

    fn wanted<'a>(&'a self, filter: &'a mut dyn SubjectFilter) -> impl DoubleEndedIterator<Item = u64> + 'a {
        let wanted = |(&seq, stored): (&u64, &Stored)| {
            let id = self.id(&stored.subject);
            (filter.is_all() || filter.matches(1, id, stored.subject.as_bytes())).then_some(seq)
        };
        self.messages.iter().filter_map(wanted)
    }
}

impl Messages for Stream {
    fn first_seq(&self) -> StreamSeq {
        StreamSeq(self.messages.keys().next().copied().unwrap_or(if self.last == 0 {
            0
        } else {
            self.last + 1
        }))
    }
    fn last_seq(&self) -> StreamSeq {
        StreamSeq(self.last)
    }
    fn count(&self) -> u64 {
        self.messages.len() as u64
    }
    fn contains(&self, seq: StreamSeq) -> bool {
        self.messages.contains_key(&seq.0)
    }
    fn time(&self, seq: StreamSeq) -> Option<WallTime> {
        self.messages.get(&seq.0).map(|stored| stored.time)
    }
    fn subject(&self, seq: StreamSeq) -> Option<(SubjectId, &[u8])> {
        let stored = self.messages.get(&seq.0)?;
        Some((self.id(&stored.subject), stored.subject.as_bytes()))
    }
    fn subject_epoch(&self) -> u64 {
        1
    }
    fn next(&self, filter: &mut dyn SubjectFilter, from: StreamSeq) -> Option<StreamSeq> {
        self.wanted(filter).find(|&seq| seq >= from.0).map(StreamSeq)
    }
    fn last(&self, filter: &mut dyn SubjectFilter) -> Option<StreamSeq> {
        self.wanted(filter).last().map(StreamSeq)
    }
    fn count_from(&self, filter: &mut dyn SubjectFilter, from: StreamSeq) -> u64 {
        self.wanted(filter).filter(|&seq| seq >= from.0).count() as u64
    }
    fn last_per_subject(&self, filter: &mut dyn SubjectFilter) -> Vec<StreamSeq> {
        let last = |seq: &u64| {
            let subject = &self.messages[seq].subject;
            !self.messages.range(seq + 1..).any(|(_, other)| other.subject == *subject)
        };
        self.wanted(filter).filter(last).map(StreamSeq).collect()
    }
    fn seq_at(&self, time: WallTime) -> StreamSeq {
        let first = self.messages.iter().find(|(_, stored)| stored.time >= time);
        StreamSeq(first.map_or(self.last + 1, |(&seq, _)| seq))
    }
    fn max_msgs_per_subject(&self) -> i64 {
        self.max_per_subject
    }
}

/// A message that a subscriber got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    pub to: String,
    pub subject: String,
    pub reply: String,
    pub headers: String,
    pub payload: Vec<u8>,
}

impl Got {
    /// Numbers of the ack subject: delivery count, stream sequence, consumer sequence, time, pending.
    pub fn numbers(&self) -> [u64; 5] {
        let numbers: Vec<u64> = self.reply.split('.').skip(4).map(|token| token.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    }

    pub fn is_message(&self) -> bool {
        self.reply.starts_with("$JS.ACK.")
    }
}

#[derive(Default)]
pub struct World {
    pub got: Vec<Got>,
    pub advisories: Vec<Advisory>,
    /// Subjects nobody subscribes to.
    pub deaf: BTreeSet<String>,
    /// Subjects whose subscribers have no credit.
    pub full: BTreeSet<String>,
    /// Messages that there is room for, to all subjects together; `None`: no end of it.
    pub room: Option<usize>,
    pub bound: bool,
}

impl Subscribers for World {
    fn interest(&self, _: AccountId, subject: &[u8]) -> Interest {
        let subject = std::str::from_utf8(subject).unwrap();
        match (self.deaf.contains(subject), self.full.contains(subject)) {
            (true, _) => Interest::None,
            (_, true) => Interest::Full,
            _ if self.room == Some(0) => Interest::Full,
            _ => Interest::Ready,
        }
    }
    fn bound(&self, _: AccountId, _: &[u8], _: &[u8]) -> bool {
        self.bound
    }
    fn deliver(&mut self, delivery: Delivery<'_>) -> Interest {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        if self.deaf.contains(&text(delivery.to)) {
            return Interest::None;
        }
        self.room = self.room.map(|room| room.checked_sub(1).expect("nothing is sent without room"));
        self.got.push(Got {
            to: text(delivery.to),
            subject: text(delivery.subject),
            reply: text(delivery.reply),
            headers: text(delivery.headers),
            payload: delivery.payload.to_vec(),
        });
        self.interest(delivery.account, delivery.to)
    }
    fn advise(&mut self, _: AccountId, advisory: Advisory) {
        self.advisories.push(advisory);
    }
}

pub struct Bench {
    pub consumer: Consumer,
    shadow: Consumer,
    pub stream: Stream,
    pub world: World,
    pub now: Now,
}

/// Explicit acks, pull.
pub fn explicit() -> ConsumerConfig {
    ConsumerConfig { durable_name: "C".into(), ack_policy: AckPolicy::Explicit, ..ConsumerConfig::default() }
}

/// Explicit acks, push to `d`.
pub fn push() -> ConsumerConfig {
    ConsumerConfig { deliver_subject: "d".into(), ..explicit() }
}

impl Bench {
    /// A stream with these subjects, one message each, and a consumer of it.
    pub fn new(subjects: &[&str], config: ConsumerConfig) -> Bench {
        let mut stream = Stream { max_per_subject: -1, ..Stream::default() };
        let now = Now { monotonic: Instant(5_000_000_000), wall: WallTime(1_700_000_000_000_000_000) };
        for subject in subjects {
            store(&mut stream, now, subject, b"");
        }
        Bench::over(stream, now, config)
    }

    /// A stream of `count` messages on `s`.
    pub fn filled(count: usize, config: ConsumerConfig) -> Bench {
        Bench::new(&vec!["s"; count], config)
    }

    pub fn over(stream: Stream, now: Now, config: ConsumerConfig) -> Bench {
        let config = config.complete(&Limits::default(), false, "generated").unwrap();
        let consumer = Consumer::create(now, AccountId(0), "S", config, &stream);
        let mut bytes = Vec::new();
        consumer.encode(&mut bytes);
        let shadow = Consumer::decode(AccountId(0), "S", &bytes).unwrap();
        let world = World { bound: true, ..World::default() };
        let mut bench = Bench { consumer, shadow, stream, world, now };
        bench.consumer.handle_interest_changed(now, &bench.world);
        bench
    }

    pub fn publish(&mut self, subject: &str) -> u64 {
        let seq = store(&mut self.stream, self.now, subject, b"");
        self.consumer.handle_stored(StreamSeq(seq), StreamSeq(seq), &self.stream);
        self.run();
        seq
    }

    pub fn delete(&mut self, seq: u64) {
        let gone = self.stream.messages.remove(&seq).unwrap();
        let subject = Some((self.stream.id(&gone.subject), gone.subject.as_bytes()));
        self.consumer.handle_removed(Removed { seq: StreamSeq(seq), subject }, &mut self.world);
        self.run();
    }

    /// Purges what `gone` says.
    pub fn purge(&mut self, subject: &str, gone: impl Fn(u64, &str) -> bool) {
        self.stream.messages.retain(|&seq, stored| !gone(seq, &stored.subject));
        self.consumer.handle_purged(Purged { subject }, &self.stream);
        self.run();
    }

    pub fn fetch(&mut self, payload: &str, reply: &str) {
        self.fetch_with(payload, "", reply);
    }

    pub fn fetch_with(&mut self, payload: &str, headers: &str, reply: &str) {
        let (payload, headers, reply) = (payload.as_bytes(), headers.as_bytes(), reply.as_bytes());
        self.consumer.handle_fetch(self.now, payload, headers, reply, &self.stream, &mut self.world);
        self.run();
    }

    /// Acknowledges by stream sequence as of its first delivery without gaps.
    pub fn ack(&mut self, stream_seq: u64, payload: &str) {
        self.ack_by([1, stream_seq, stream_seq, 0, 0], payload);
    }

    /// Acknowledges with these numbers in the subject. True if an answer is due.
    pub fn ack_by(&mut self, numbers: [u64; 5], payload: &str) -> bool {
        let [count, seq, consumer_seq, time, left] = numbers;
        let subject = format!("$JS.ACK.S.C.{count}.{seq}.{consumer_seq}.{time}.{left}");
        let payload = payload.as_bytes().to_vec();
        let outcome = self.handle_ack(subject.as_bytes(), &payload, true);
        let answered = outcome == AckOutcome::Reply;
        if let AckOutcome::Fetch(request) = outcome {
            let request = request.to_vec();
            let (now, world) = (self.now, &mut self.world);
            self.consumer.handle_fetch(now, &request, b"", b"next", &self.stream, world);
        }
        self.run();
        answered
    }

    /// A message to an ack subject, as the shard hands it on.
    pub fn handle_ack<'a>(
        &mut self,
        subject: &[u8],
        payload: &'a [u8],
        reply_wanted: bool,
    ) -> AckOutcome<'a> {
        let Some(ack) = AckSubject::parse(subject) else { return AckOutcome::NoAckListener };
        self.consumer.handle_ack(self.now, &ack, payload, reply_wanted, &mut self.world)
    }

    /// What would be delivered next.
    pub fn next(&mut self) -> Next {
        let mut writer = AckSubjectWriter::default();
        let mut round = self.consumer.round(&mut writer);
        self.consumer.next(self.now, &mut round, &self.stream, &mut self.world)
    }

    /// Lets time pass, with every timeout on the way.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now.monotonic + duration;
        for _ in 0..10_000 {
            let Some(at) = self.consumer.poll_timeout().filter(|&at| at <= end) else { break };
            self.move_to(at.max(self.now.monotonic));
            self.consumer.handle_timeout(self.now, &mut self.world);
            self.run();
        }
        self.move_to(end);
    }

    pub fn pass_ms(&mut self, milliseconds: u64) {
        self.pass(Duration::from_millis(milliseconds));
    }

    fn move_to(&mut self, at: Instant) {
        self.now.wall = self.now.wall + (at - self.now.monotonic);
        self.now.monotonic = at;
    }

    pub fn interest(&mut self) {
        self.consumer.handle_interest_changed(self.now, &self.world);
        self.run();
    }

    pub fn update(&mut self, config: ConsumerConfig) {
        let config = config.complete(&Limits::default(), false, "generated").unwrap();
        self.shadow.replay_update(&config);
        self.consumer.update(self.now, config, &self.world);
        self.run();
    }

    /// Delivers as long as there is something to deliver; then compares with the replica.
    pub fn run(&mut self) {
        let mut writer = AckSubjectWriter::default();
        let mut round = self.consumer.round(&mut writer);
        for _ in 0..100_000 {
            match self.consumer.next(self.now, &mut round, &self.stream, &mut self.world) {
                Next::Idle | Next::Blocked => break,
                Next::Message(seq) => {
                    let stored = &self.stream.messages[&seq.0];
                    let message = MessageView {
                        seq,
                        time: stored.time,
                        subject: stored.subject.as_bytes(),
                        headers: &stored.headers,
                        payload: &stored.payload,
                    };
                    self.consumer.deliver(self.now, &mut round, message, &self.stream, &mut self.world);
                }
            }
        }
        let mut progress = Vec::new();
        self.consumer.take_progress(&mut progress);
        assert!(!self.consumer.has_progress());
        // A checkpoint may hold changes that are in the log behind it too.
        for _ in 0..2 {
            self.shadow.replay(&progress).unwrap();
            assert_eq!(self.consumer.state_hash(), self.shadow.state_hash());
        }
    }

    /// Crash and recovery, with everything logged.
    pub fn restart(&mut self) {
        let mut bytes = Vec::new();
        self.shadow.encode(&mut bytes);
        self.consumer = Consumer::decode(AccountId(0), "S", &bytes).unwrap();
        self.consumer.recover(self.now, &self.stream);
        self.interest();
    }

    /// Stream sequences of the messages that came since the last look.
    pub fn messages(&mut self) -> Vec<u64> {
        self.take().iter().filter(|got| got.is_message()).map(|got| got.numbers()[1]).collect()
    }

    /// (delivery count, stream sequence, consumer sequence) of the same.
    pub fn deliveries(&mut self) -> Vec<(u64, u64, u64)> {
        let numbers = |got: &Got| got.is_message().then(|| got.numbers());
        self.take()
            .iter()
            .filter_map(numbers)
            .map(|[count, seq, consumer, ..]| (count, seq, consumer))
            .collect()
    }

    /// Header blocks of what is no message.
    pub fn statuses(&mut self) -> Vec<String> {
        self.take().into_iter().filter(|got| !got.is_message()).map(|got| got.headers).collect()
    }

    /// `statuses`, of one line each.
    pub fn status_lines(&mut self) -> Vec<String> {
        let line =
            |block: String| block.split("\r\n").next().unwrap().trim_start_matches("NATS/1.0 ").to_owned();
        self.statuses().into_iter().map(line).collect()
    }

    pub fn take(&mut self) -> Vec<Got> {
        std::mem::take(&mut self.world.got)
    }

    /// delivered and floor as (consumer, stream), ack pending, redelivered.
    pub fn state(&mut self) -> ((u64, u64), (u64, u64), u64, u64) {
        let info = self.info();
        (
            (info.delivered.consumer_seq, info.delivered.stream_seq),
            (info.ack_floor.consumer_seq, info.ack_floor.stream_seq),
            info.num_ack_pending,
            info.num_redelivered,
        )
    }

    pub fn info(&mut self) -> super::info::ConsumerInfo {
        self.consumer.info(self.now, &self.stream, &mut self.world)
    }
}

/// Stores a message and returns its sequence.
pub fn store(stream: &mut Stream, now: Now, subject: &str, payload: &[u8]) -> u64 {
    stream.last += 1;
    if !stream.subjects.iter().any(|other| other == subject) {
        stream.subjects.push(subject.to_owned());
    }
    let stored =
        Stored { subject: subject.into(), time: now.wall, headers: Vec::new(), payload: payload.to_vec() };
    stream.messages.insert(stream.last, stored);
    stream.last
}

/// A small generator of numbers for seeded tests.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }
}
