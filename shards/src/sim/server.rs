//! The server of a simulated core: no protocol, only what clients ask and hear.

use crate::core_server::{CoreServer, ShardInput};
use crate::ids::{AccountId, CoreId, GroupId, Origin, Revision, ShardId};
use crate::lanes::{CoreMessage, Lane};
use crate::shard::answer::{Advisory, Answer, PubAcks, StreamChange, TableChange};
use crate::shard::outputs::{Delivery, Interest, Outputs, Subscribers};
use crate::shard::request::{Batch, ReplyTo, Request};
use crate::shard::{CATALOG_SHARD, ShardMessage};
use crate::time::{Instant, Now};
use std::collections::{BTreeMap, VecDeque};

/// Where an answer or a message goes when it has arrived: what a client heard.
#[derive(Debug)]
pub struct Heard {
    /// Order of what the shards of one core have sent; numbers of different cores or lives say nothing about each other.
    pub sent: u64,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    PubAck { reply: Vec<u8>, stream: Vec<u8>, seq: u64, duplicate: bool },
    Answer { reply: Vec<u8>, answer: Box<Answer> },
    Delivery(Box<Delivered>),
}

/// A message on the way to a subscriber.
#[derive(Debug)]
pub struct Delivered {
    /// Number that its core gave it.
    pub sent: u64,
    pub to: Vec<u8>,
    pub subject: Vec<u8>,
    pub reply: Vec<u8>,
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
}

/// A stream in a core's copy of the table.
#[derive(Clone, Debug)]
pub struct Known {
    pub group: GroupId,
    pub shard: ShardId,
}

/// Lives on: its simulated core.
pub struct SimServer {
    core: CoreId,
    cores: u16,
    /// Core of each shard.
    homes: Vec<CoreId>,
    table: BTreeMap<GroupId, (Revision, String, Option<Known>)>,
    inputs: VecDeque<(ShardId, ShardInput)>,
    lanes: BTreeMap<(CoreId, usize), VecDeque<CoreMessage<Box<Delivered>>>>,
    pub heard: Vec<Heard>,
    sent: u64,
    /// Whether subscribers of push consumers are there.
    pub is_subscribed: bool,
    /// A consumer was told that the way is full.
    was_full: std::cell::Cell<bool>,
}

/// Deliveries that may wait for a lane before consumers are told that it is full.
const WAITING_MAX: usize = 8;

impl SimServer {
    /// `homes`: the core of each shard. `first_sent`: above every number of earlier lives.
    pub fn new(core: CoreId, cores: u16, homes: Vec<CoreId>, first_sent: u64) -> Self {
        SimServer {
            core,
            cores,
            homes,
            table: BTreeMap::new(),
            inputs: VecDeque::new(),
            lanes: BTreeMap::new(),
            heard: Vec::new(),
            sent: first_sent,
            is_subscribed: true,
            was_full: std::cell::Cell::new(false),
        }
    }

    /// The stream of this name in this core's copy of the table.
    pub fn stream(&self, name: &str) -> Option<Known> {
        self.table.values().find(|(_, n, known)| n == name && known.is_some()).and_then(|(_, _, k)| k.clone())
    }

    /// The group of the last stream of this name, which may have left the table.
    pub fn group_of(&self, name: &str) -> Option<GroupId> {
        self.table.iter().rev().find(|(_, (_, n, _))| n == name).map(|(group, _)| *group)
    }

    /// A client's batch.
    pub fn send_batch(&mut self, shard: ShardId, mut batch: Box<Batch>) {
        batch.origin = self.core;
        match self.home(shard) {
            home if home == self.core => self.inputs.push_back((shard, ShardInput::Batch(batch))),
            home => self.queue(home, Lane::Requests, CoreMessage::Batch(shard, batch)),
        }
    }

    /// A client's request.
    pub fn send_request(&mut self, shard: ShardId, to: ReplyTo, request: Box<Request>) {
        match self.home(shard) {
            home if home == self.core => self.inputs.push_back((shard, ShardInput::Request(to, request))),
            home => self.queue(home, Lane::Requests, CoreMessage::Request(shard, to, request)),
        }
    }

    /// Subscribers of push consumers come or go.
    pub fn set_subscribed(&mut self, is_subscribed: bool) {
        self.is_subscribed = is_subscribed;
        self.wake_shards();
    }

    fn wake_shards(&mut self) {
        for (shard, home) in self.homes.iter().enumerate() {
            if *home == self.core {
                self.inputs.push_back((ShardId(shard as u16), ShardInput::SubscribersChanged));
            }
        }
    }

    fn home(&self, shard: ShardId) -> CoreId {
        self.homes[usize::from(shard.0)]
    }

    fn queue(&mut self, to: CoreId, lane: Lane, message: CoreMessage<Box<Delivered>>) {
        self.lanes.entry((to, lane as usize)).or_default().push_back(message);
    }

    fn next_sent(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    fn hear(&mut self, sent: u64, what: What) {
        self.heard.push(Heard { sent, what });
    }

    fn hear_acks(&mut self, sent: u64, acks: &PubAcks) {
        let stream = acks.bytes[..acks.stream_len as usize].to_vec();
        let mut at = acks.stream_len as usize;
        for ack in &acks.acks {
            let reply = acks.bytes[at..at + ack.reply_len as usize].to_vec();
            at += ack.reply_len as usize;
            let (stream, seq, duplicate) = (stream.clone(), ack.seq.0, ack.duplicate);
            self.hear(sent, What::PubAck { reply, stream, seq, duplicate });
        }
    }

    fn apply_table(&mut self, change: TableChange) {
        let stream = change.stream().to_owned();
        let TableChange { revision, group, change, .. } = change;
        let newer = self.table.get(&group).is_none_or(|(have, ..)| *have < revision);
        if newer {
            let known = match change {
                StreamChange::Put { shard, .. } => Some(Known { group, shard }),
                StreamChange::Removed { .. } => None,
            };
            self.table.insert(group, (revision, stream, known));
        }
        let core = self.core;
        self.send(CATALOG_SHARD, ShardMessage::TableConfirmed { core, revision });
    }

    /// The core on which the subscriber of a subject lives: `_INBOX.<core>.…`, `push.<core>.…`.
    fn core_of(&self, subject: &[u8]) -> CoreId {
        let token = subject.split(|&b| b == b'.').nth(1).and_then(|t| std::str::from_utf8(t).ok());
        CoreId(token.and_then(|t| t.parse::<u16>().ok()).unwrap_or(0) % self.cores)
    }
}

impl Subscribers for SimServer {
    fn interest(&self, _account: AccountId, subject: &[u8]) -> Interest {
        if subject.starts_with(b"push.") && !self.is_subscribed {
            return Interest::None;
        }
        let home = self.core_of(subject);
        let waiting = self.lanes.get(&(home, Lane::Messages as usize)).map_or(0, VecDeque::len);
        if waiting >= WAITING_MAX {
            self.was_full.set(true);
            return Interest::Full;
        }
        Interest::Ready
    }

    fn bound(&self, _account: AccountId, subject: &[u8], _queue: &[u8]) -> bool {
        subject.starts_with(b"push.") && self.is_subscribed
    }

    fn deliver(&mut self, delivery: Delivery<'_>) -> Interest {
        if delivery.to.starts_with(b"push.") && !self.is_subscribed {
            return Interest::None;
        }
        let sent = self.next_sent();
        let delivered = Box::new(Delivered {
            sent,
            to: delivery.to.to_vec(),
            subject: delivery.subject.to_vec(),
            reply: delivery.reply.to_vec(),
            headers: delivery.headers.to_vec(),
            payload: delivery.payload.to_vec(),
        });
        match self.core_of(delivery.to) {
            home if home == self.core => self.hear(sent, What::Delivery(delivered)),
            home => self.queue(home, Lane::Messages, CoreMessage::Server(delivered)),
        }
        self.interest(delivery.account, delivery.to)
    }

    fn advise(&mut self, _account: AccountId, _advisory: Advisory) {}
}

impl Outputs for SimServer {
    fn pub_acks(&mut self, core: CoreId, acks: &mut PubAcks) {
        if core == self.core {
            let sent = self.next_sent();
            self.hear_acks(sent, acks);
        } else {
            self.queue(core, Lane::Replies, CoreMessage::PubAcks(std::mem::take(acks)));
        }
    }

    fn answer(&mut self, to: &ReplyTo, answer: Answer) {
        let answer = Box::new(answer);
        if to.origin.core == self.core {
            let sent = self.next_sent();
            self.hear(sent, What::Answer { reply: to.reply.to_vec(), answer });
        } else {
            // The number travels in the tag: the asker compares it with deliveries of the same shard.
            let to = ReplyTo { tag: self.next_sent(), ..to.clone() };
            self.queue(to.origin.core, Lane::Replies, CoreMessage::Answer(to, answer));
        }
    }

    fn send(&mut self, shard: ShardId, message: ShardMessage) {
        match self.home(shard) {
            home if home == self.core => self.inputs.push_back((shard, ShardInput::Message(message))),
            home => self.queue(home, Lane::Replies, CoreMessage::Shard(shard, message)),
        }
    }

    fn table(&mut self, change: TableChange) {
        let core = self.core;
        for to in (0..self.cores).map(CoreId).filter(|&to| to != core) {
            self.queue(to, Lane::Replies, CoreMessage::Table(change.clone()));
        }
        self.apply_table(change);
    }
}

impl CoreServer for SimServer {
    type Mail = Box<Delivered>;

    fn begin_turn(&mut self, _now: Now) {}

    fn handle_message(&mut self, _from: CoreId, message: CoreMessage<Self::Mail>) {
        match message {
            CoreMessage::Batch(shard, batch) => self.inputs.push_back((shard, ShardInput::Batch(batch))),
            CoreMessage::Request(shard, to, request) => {
                self.inputs.push_back((shard, ShardInput::Request(to, request)))
            }
            CoreMessage::PubAcks(acks) => self.hear_acks(0, &acks),
            CoreMessage::Answer(to, answer) => {
                self.hear(to.tag, What::Answer { reply: to.reply.to_vec(), answer })
            }
            CoreMessage::BatchDone(_) => {}
            CoreMessage::Shard(shard, message) => {
                self.inputs.push_back((shard, ShardInput::Message(message)))
            }
            CoreMessage::Table(change) => self.apply_table(change),
            CoreMessage::Server(delivered) => self.hear(delivered.sent, What::Delivery(delivered)),
        }
    }

    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_shard_input(&mut self) -> Option<(ShardId, ShardInput)> {
        self.inputs.pop_front()
    }

    fn has_shard_input(&self) -> bool {
        !self.inputs.is_empty()
    }

    fn return_batch(&mut self, batch: Box<Batch>) {
        if batch.origin != self.core {
            self.queue(batch.origin, Lane::Replies, CoreMessage::BatchDone(batch));
        }
    }

    fn end_turn(&mut self) {
        if self.was_full.get() && self.lanes.values().all(|lane| lane.len() < WAITING_MAX / 2) {
            self.was_full.set(false);
            self.wake_shards();
        }
    }

    fn poll_lane(&mut self, to: CoreId, lane: Lane) -> Option<CoreMessage<Self::Mail>> {
        self.lanes.get_mut(&(to, lane as usize))?.pop_front()
    }

    fn wants_wake(&mut self, _to: CoreId) -> bool {
        true
    }
}

/// Who asks, for answers that must find their way to `core`.
pub fn origin(core: CoreId) -> Origin {
    Origin { core, slot: 1, generation: 1 }
}
