//! One shard on a disk in memory, with a world that writes down what it is told.

use super::answer::{Answer, PubAcks, TableChange};
use super::outputs::{Advisory, Delivery, Interest, Outputs, Subscribers};
use super::request::{Batch, Item, ItemKind, ReplyTo, Request, Span};
use super::{Shard, ShardMessage, ShardOptions};
use crate::consumer::config::{AckPolicy, ConsumerConfig, CreateAction};
use crate::ids::{AccountId, CoreId, GroupId, Origin, ShardId};
use crate::log::LogOptions;
use crate::log::disk_op::DiskOp;
use crate::log::fake_disk::{Crash, FakeDisk, Random};
use crate::rejection::Rejection;
use crate::stream::config::{ServerLimits, StreamConfig};
use crate::time::{Instant, Now, WallTime};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// Writes down everything, in order.
#[derive(Default)]
pub struct World {
    /// Reply subject, sequence, whether it is a duplicate's.
    pub acks: Vec<(String, u64, bool)>,
    /// Reply subject and answer.
    pub answers: Vec<(String, Answer)>,
    pub sent: VecDeque<ShardMessage>,
    pub table: Vec<TableChange>,
    /// Subject, reply subject (of an ack), payload.
    pub deliveries: Vec<(String, String, Vec<u8>)>,
}

impl Subscribers for World {
    fn interest(&self, _: AccountId, _: &[u8]) -> Interest {
        Interest::Ready
    }

    fn bound(&self, _: AccountId, _: &[u8], _: &[u8]) -> bool {
        true
    }

    fn deliver(&mut self, delivery: Delivery<'_>) -> Interest {
        self.deliveries.push((text(delivery.subject), text(delivery.reply), delivery.payload.to_vec()));
        Interest::Ready
    }

    fn advise(&mut self, _: AccountId, _: Advisory) {}
}

impl Outputs for World {
    fn pub_acks(&mut self, _: CoreId, acks: &mut PubAcks) {
        let mut at = acks.stream_len as usize;
        for ack in &acks.acks {
            let reply = &acks.bytes[at..at + ack.reply_len as usize];
            at += ack.reply_len as usize;
            self.acks.push((text(reply), ack.seq.0, ack.duplicate));
        }
    }

    fn answer(&mut self, to: &ReplyTo, answer: Answer) {
        self.answers.push((text(&to.reply), answer));
    }

    fn send(&mut self, _: ShardId, message: ShardMessage) {
        self.sent.push_back(message);
    }

    fn table(&mut self, change: TableChange) {
        self.table.push(change);
    }
}

/// A hot request, by its parts.
#[derive(Clone, Copy)]
pub struct Hot<'a> {
    pub kind: ItemKind,
    pub subject: &'a str,
    pub reply: &'a str,
    pub headers: &'a str,
    pub payload: &'a [u8],
}

impl<'a> Hot<'a> {
    pub fn publish(subject: &'a str, reply: &'a str) -> Self {
        Hot { kind: ItemKind::Publish, subject, reply, headers: "", payload: b"payload" }
    }

    pub fn with_id(subject: &'a str, reply: &'a str) -> Self {
        Hot { headers: "NATS/1.0\r\nNats-Msg-Id: one\r\n\r\n", ..Hot::publish(subject, reply) }
    }
}

pub struct Bench {
    pub shard: Shard,
    pub disk: FakeDisk,
    pub world: World,
    pub now: Now,
    /// Messages between shards stay where they are.
    pub holds_messages: bool,
    random: Random,
    lives: u64,
    confirmed: usize,
}

impl Bench {
    /// A new shard, all alone, open and settled.
    pub fn new() -> Self {
        Bench::on(FakeDisk::default())
    }

    pub fn on(disk: FakeDisk) -> Self {
        let now = Now { monotonic: Instant(1_000_000_000), wall: WallTime(1_700_000_000_000_000_000) };
        let shard = Shard::open(options(1), disk.files());
        let (world, random) = (World::default(), Random(5));
        let mut bench =
            Bench { shard, disk, world, now, holds_messages: false, random, lives: 1, confirmed: 0 };
        bench.settle();
        assert!(bench.shard.is_settled());
        bench
    }

    /// The power goes, and comes back: what was not synced is lost.
    pub fn crash(&mut self) {
        self.disk.crash(Crash::LoseAll, &mut self.random);
        self.restart();
    }

    /// Another life on what the disk holds.
    pub fn restart(&mut self) {
        self.lives += 1;
        self.world = World::default();
        self.confirmed = 0;
        self.holds_messages = false;
        self.shard = Shard::open(options(self.lives), self.disk.files());
        self.settle();
        assert!(self.shard.is_serving() && self.shard.is_settled());
    }

    /// One turn: words between shards, the table's confirmation, `poll`, operations to the disk.
    pub fn turn(&mut self) {
        while !self.holds_messages
            && let Some(message) = self.world.sent.pop_front()
        {
            self.shard.handle_message(self.now, message, &mut self.world);
        }
        if let Some(change) = self.world.table.get(self.confirmed) {
            self.confirmed += 1;
            let message = ShardMessage::TableConfirmed { core: CoreId(0), revision: change.revision };
            self.shard.handle_message(self.now, message, &mut self.world);
        }
        while self.shard.poll(self.now, &mut self.world) {}
        while self.shard.poll_batch_done().is_some() {}
        while let Some(op) = self.shard.poll_disk(self.now) {
            self.disk.submit(op);
        }
    }

    /// One turn, and one operation of the disk.
    pub fn step(&mut self) {
        self.turn();
        if let Some(done) = self.disk.complete_first(|_| true) {
            self.shard.handle_disk(self.now, done, &mut self.world);
        }
    }

    /// Turns until nothing moves any more.
    pub fn settle(&mut self) {
        self.settle_but(|_| false);
    }

    /// Turns until nothing moves any more but operations that are held.
    pub fn settle_but(&mut self, held: impl Fn(&DiskOp) -> bool) {
        for _ in 0..100_000 {
            self.turn();
            if let Some(done) = self.disk.complete_first(|op| !held(op)) {
                self.shard.handle_disk(self.now, done, &mut self.world);
            } else if (self.holds_messages || self.world.sent.is_empty())
                && self.confirmed == self.world.table.len()
            {
                return;
            }
        }
        panic!("the shard does not come to rest");
    }

    /// Time goes by.
    pub fn pass(&mut self, time: Duration) {
        self.now = Now { monotonic: self.now.monotonic + time, wall: self.now.wall + time };
    }

    /// Hot requests in one batch; no turn yet.
    pub fn hot(&mut self, group: GroupId, items: &[Hot<'_>]) {
        let mut chunk = Vec::new();
        let mut span = |bytes: &[u8]| {
            let start = chunk.len() as u32;
            chunk.extend_from_slice(bytes);
            Span { start, len: bytes.len() as u32 }
        };
        let items = items.iter().map(|hot| Item {
            kind: hot.kind,
            group,
            origin: Origin::default(),
            chunk: 0,
            subject: span(hot.subject.as_bytes()),
            reply: span(hot.reply.as_bytes()),
            headers: span(hot.headers.as_bytes()),
            payload: span(hot.payload),
        });
        let items = items.collect();
        let read_at = self.now.monotonic;
        let batch = Batch { chunks: vec![Bytes::from(chunk)], items, read_at, ..Batch::default() };
        self.shard.handle_batch(self.now, Box::new(batch), &mut self.world);
    }

    /// `count` publishes on `subject`, answered to `p`.
    pub fn publish(&mut self, group: GroupId, subject: &str, count: usize) {
        self.hot(group, &vec![Hot::publish(subject, "p"); count]);
    }

    /// A request; no turn yet.
    pub fn ask(&mut self, reply: &str, request: Request) {
        let to = ReplyTo { reply: reply.as_bytes().into(), ..ReplyTo::default() };
        self.shard.handle_request(self.now, to, Box::new(request), &mut self.world);
    }

    /// A request and its answer, which has come when everything has settled.
    pub fn get(&mut self, request: Request) -> Answer {
        self.ask("get", request);
        self.settle();
        self.answer("get")
    }

    /// Creates a stream on `<name in small letters>.>`; `also` changes its configuration.
    pub fn stream(&mut self, name: &str, also: impl FnOnce(&mut StreamConfig)) -> GroupId {
        let mut config = config(name);
        also(&mut config);
        let answer = self.get(Request::StreamCreate { config: Box::new(config), pedantic: false });
        assert!(matches!(answer, Answer::StreamCreated(_)), "{answer:?}");
        self.group(name)
    }

    /// The group of a stream, as the table has it.
    pub fn group(&self, name: &str) -> GroupId {
        let last = self.world.table.iter().rev().find(|change| change.stream() == name);
        last.expect("the stream is in the table").group
    }

    /// Creates a durable pull consumer with explicit acks.
    pub fn consumer(&mut self, group: GroupId, name: &str) {
        let answer = self.get(create_consumer(group, name));
        assert!(matches!(answer, Answer::ConsumerCreated(_)), "{answer:?}");
    }

    /// A pull request; what it delivers goes to `inbox`.
    pub fn fetch(&mut self, group: GroupId, subject: &str, batch: &str) {
        let hot =
            Hot { kind: ItemKind::Fetch, subject, reply: "inbox", headers: "", payload: batch.as_bytes() };
        self.hot(group, &[hot]);
    }

    /// Takes the one answer to this reply subject.
    pub fn answer(&mut self, reply: &str) -> Answer {
        let at = self.world.answers.iter().position(|(to, _)| to == reply);
        self.world.answers.remove(at.unwrap_or_else(|| panic!("{reply} is answered"))).1
    }

    pub fn is_answered(&self, reply: &str) -> bool {
        self.world.answers.iter().any(|(to, _)| to == reply)
    }

    /// Messages and last sequence of a stream.
    pub fn state(&mut self, group: GroupId) -> (u64, u64) {
        match self.get(info(group)) {
            Answer::StreamInfo(info) => (info.state.messages, info.state.last_seq),
            other => panic!("{other:?}"),
        }
    }
}

pub fn info(group: GroupId) -> Request {
    Request::StreamInfo { group, deleted_details: false, subjects_filter: String::new(), offset: 0 }
}

pub fn config(name: &str) -> StreamConfig {
    let subjects = vec![format!("{}.>", name.to_lowercase())];
    StreamConfig { name: name.to_owned(), subjects, ..StreamConfig::default() }
}

pub fn create_consumer(group: GroupId, name: &str) -> Request {
    let config = ConsumerConfig {
        durable_name: name.to_owned(),
        name: name.to_owned(),
        ack_policy: AckPolicy::Explicit,
        ..ConsumerConfig::default()
    };
    Request::ConsumerCreate {
        group,
        config: Box::new(config),
        action: CreateAction::Upsert,
        pedantic: false,
        generated_name: String::new(),
    }
}

/// The refusal that a publish or a request got.
pub fn rejection(answer: Answer) -> Rejection {
    match answer {
        Answer::PublishRejected { rejection, .. } | Answer::Rejected(rejection) => rejection,
        other => panic!("{other:?} is no refusal"),
    }
}

pub fn is_sync(op: &DiskOp) -> bool {
    matches!(op, DiskOp::Sync { .. })
}

pub fn is_write(op: &DiskOp) -> bool {
    matches!(op, DiskOp::Write { .. })
}

fn options(life: u64) -> ShardOptions {
    let log = LogOptions {
        segment_len: 256 << 10,
        first_segment_len: 64 << 10,
        tail_cache_len: 64 << 10,
        read_cache_len: 16 << 10,
        ..LogOptions::new(0xabcd, life)
    };
    ShardOptions {
        id: ShardId(0),
        shards: 1,
        cores: 1,
        limits: ServerLimits { memory_max: 1 << 20, file_max: 1 << 40, ..ServerLimits::default() },
        log,
        defect: super::defect::Defect::None,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
