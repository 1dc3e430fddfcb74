//! What clients do: drawn from the seed and from what they know.

use super::clients::Clients;
use super::model::Certainty;
use super::node::Node;
use super::op::{AckForm, Kind, Publish, Rollup};
use super::random::Random;
use crate::consumer::config::{AckPolicy, ConsumerConfig};
use crate::headers;
use crate::ids::CoreId;
use crate::stream::config::{Discard, Storage, StreamConfig};
use std::time::Duration;

/// Draws operations. Outlives crashes.
#[derive(Debug)]
pub struct Workload {
    pub random: Random,
    /// Streams and consumers with a number in their name, so far.
    extras: u64,
    has_age: bool,
    /// Most of what clients do concerns the catalog.
    pub is_busy_with_streams: bool,
}

/// Operations that may wait for an answer.
const WAITING_MAX: usize = 40;

impl Workload {
    pub fn new(mut random: Random) -> Self {
        let has_age = random.percent(40);
        Workload { random, extras: 0, has_age, is_busy_with_streams: false }
    }

    /// The streams of every run.
    pub fn streams(&mut self) -> Vec<StreamConfig> {
        let plain = stream("PLAIN");
        let mut limited = stream("LIMITED");
        limited.max_msgs = 30;
        limited.max_msgs_per_subject = 8;
        limited.allow_rollup_hdrs = true;
        limited.allow_msg_ttl = true;
        if self.has_age {
            limited.max_age = Duration::from_millis(700);
        }
        let mut memory = stream("MEMORY");
        memory.storage = Storage::Memory;
        memory.max_msgs = 50;
        let mut tight = stream("TIGHT");
        tight.discard = Discard::New;
        tight.max_msgs = 40;
        tight.max_msgs_per_subject = 10;
        tight.discard_new_per_subject = true;
        tight.allow_rollup_hdrs = true;
        vec![plain, limited, memory, tight]
    }

    /// The consumers of every run, with their streams.
    pub fn consumers(&mut self) -> Vec<(&'static str, ConsumerConfig)> {
        let mut pusher = consumer("pusher");
        pusher.deliver_subject = format!("push.{}.pusher", self.random.below(4));
        pusher.ack_policy = *self.random.pick(&[AckPolicy::All, AckPolicy::Explicit]);
        pusher.max_ack_pending = 20;
        vec![("PLAIN", consumer("worker")), ("LIMITED", pusher), ("MEMORY", consumer("reader"))]
    }

    /// Until the next operation.
    pub fn pause(&mut self) -> Duration {
        match self.random.below(100) {
            0..60 => Duration::from_micros(self.random.below(60)),
            60..95 => Duration::from_micros(self.random.below(2000)),
            95..99 => Duration::from_millis(self.random.below(60)),
            _ => Duration::from_millis(self.random.below(600)),
        }
    }

    /// Does something. False: there was nothing to do.
    pub fn act(&mut self, clients: &mut Clients, node: &mut Node) -> bool {
        let core = CoreId(self.random.below(node.cores.len() as u64) as u16);
        if clients.model.waiting().count() >= WAITING_MAX {
            return false;
        }
        let choice =
            if self.is_busy_with_streams && self.random.percent(40) { 90 } else { self.random.below(100) };
        let kind = match choice {
            0..45 => self.publish(clients),
            45..55 => self.fetch(clients),
            55..78 => self.ack(clients),
            78..83 => self.get(clients),
            83..87 => self.delete(clients),
            87..89 => self.purge(clients),
            89..92 => self.change_stream(clients),
            92..96 => self.change_consumer(clients),
            96..98 => self.info(clients),
            _ => {
                let is_subscribed = self.random.percent(70);
                for core in &mut node.cores {
                    core.server.set_subscribed(is_subscribed);
                }
                for core in 0..node.cores.len() {
                    node.wake(CoreId(core as u16));
                }
                None
            }
        };
        kind.and_then(|kind| clients.ask(node, core, kind)).is_some()
    }

    /// As the last phase: everything that consumers have is fetched and acknowledged.
    pub fn drain(&mut self, clients: &mut Clients, node: &mut Node) {
        let consumers: Vec<(String, String)> =
            clients.model.live_consumers().map(|(key, _)| key.clone()).collect();
        for (stream, consumer) in consumers {
            let core = CoreId(self.random.below(node.cores.len() as u64) as u16);
            let key = (stream.clone(), consumer.clone());
            let Some(model) = clients.model.consumers.get_mut(&key) else { continue };
            let is_push = model.config.is_push();
            let seqs: Vec<(u64, u64)> =
                model.unacked.keys().map(|seq| (*seq, model.consumer_seq_of(*seq))).collect();
            for (seq, consumer_seq) in seqs {
                let (stream, consumer) = key.clone();
                let form = AckForm::Ack;
                let ack = Kind::Ack { stream, consumer, seq, consumer_seq, form, is_awaited: false };
                clients.ask(node, core, ack);
                if let Some(model) = clients.model.consumers.get_mut(&key) {
                    model.unacked.remove(&seq);
                }
            }
            if !is_push {
                let (stream, consumer) = key.clone();
                clients.ask(node, core, Kind::Fetch { stream, consumer, batch: 50 });
            }
            clients.ask(node, core, Kind::ConsumerInfo { stream, consumer });
        }
    }

    fn publish(&mut self, clients: &Clients) -> Option<Kind> {
        let stream = self.pick_stream(clients)?;
        let config = &clients.model.streams.get(&stream)?.config;
        let id = clients.next_op();
        let subject = format!("{}.{}", stream.to_lowercase(), self.random.below(6));
        let len = match self.random.below(20) {
            0 => self.random.between(4000, 9000),
            1..4 => self.random.between(500, 2000),
            _ => self.random.below(120),
        };
        let mut payload = format!("{id:016x}").into_bytes();
        let seed = self.random.next();
        payload.extend((0..len).map(|i| (seed >> (i % 57)) as u8 ^ i as u8));
        let mut publish = Publish {
            stream: stream.clone(),
            subject,
            headers: Vec::new(),
            payload,
            msg_id: None,
            expected_last: None,
            expected_last_on_subject: None,
            rollup: Rollup::None,
            ttl: None,
        };
        match self.random.below(100) {
            0..30 => publish.msg_id = Some(format!("m{}", self.msg_id(id))),
            30..36 => publish.expected_last = Some(self.guess_last(clients, &stream)),
            36..42 => publish.expected_last_on_subject = Some(self.guess_last_on(clients, &publish)),
            42..46 if config.allow_rollup_hdrs => {
                publish.rollup = if self.random.percent(80) { Rollup::Subject } else { Rollup::All };
            }
            46..52 if config.allow_msg_ttl => {
                publish.ttl = Some(Duration::from_secs(self.random.between(1, 2)))
            }
            _ => {}
        }
        publish.headers = header_block(&publish);
        Some(Kind::Publish(publish))
    }

    /// Often one that was used a moment ago, so that its original is in flight.
    fn msg_id(&mut self, id: u64) -> u64 {
        if self.random.percent(50) { (id / 4).saturating_sub(self.random.below(2)) } else { id }
    }

    fn guess_last(&mut self, clients: &Clients, stream: &str) -> u64 {
        let last = clients.model.streams.get(stream).map_or(0, |s| s.last_seen());
        last + self.random.below(3) * u64::from(self.random.percent(40))
    }

    fn guess_last_on(&mut self, clients: &Clients, publish: &Publish) -> u64 {
        let Some(stream) = clients.model.streams.get(&publish.stream) else { return 0 };
        let on = |id| stream.subject_of(&clients.model, id) == Some(publish.subject.as_str());
        let last = stream.seen().rev().find(|(_, id)| on(*id)).map_or(0, |(seq, _)| seq);
        if self.random.percent(20) { last + 1 } else { last }
    }

    fn fetch(&mut self, clients: &Clients) -> Option<Kind> {
        let (stream, consumer) = self.pick_consumer(clients, |config| !config.is_push())?;
        Some(Kind::Fetch { stream, consumer, batch: self.random.between(1, 12) })
    }

    fn ack(&mut self, clients: &mut Clients) -> Option<Kind> {
        let (stream, consumer) =
            self.pick_consumer(clients, |config| config.ack_policy != AckPolicy::None)?;
        let model = clients.model.consumers.get(&(stream.clone(), consumer.clone()))?;
        let seqs: Vec<u64> = model.unacked.keys().copied().collect();
        if seqs.is_empty() {
            return None;
        }
        let seq = *self.random.pick(&seqs);
        let form = match self.random.below(100) {
            0..75 => AckForm::Ack,
            75..85 => AckForm::Nak,
            85..90 => AckForm::Term,
            90..95 => AckForm::InProgress,
            _ => AckForm::Next,
        };
        let is_awaited = self.random.percent(50);
        let consumer_seq = model.consumer_seq_of(seq);
        Some(Kind::Ack { stream, consumer, seq, consumer_seq, form, is_awaited })
    }

    fn get(&mut self, clients: &Clients) -> Option<Kind> {
        let stream = self.pick_stream(clients)?;
        let seq = self.pick_seq(clients, &stream)?;
        Some(Kind::Get { stream, seq })
    }

    fn delete(&mut self, clients: &Clients) -> Option<Kind> {
        let stream = self.pick_stream(clients)?;
        let seq = self.pick_seq(clients, &stream)?;
        Some(Kind::Delete { stream, seq })
    }

    fn purge(&mut self, clients: &Clients) -> Option<Kind> {
        let stream = self.pick_stream(clients)?;
        let by_subject = self.random.percent(70);
        let filter = if by_subject {
            format!("{}.{}", stream.to_lowercase(), self.random.below(6))
        } else {
            String::new()
        };
        let last = clients.model.streams.get(&stream)?.last_seen();
        let (seq, keep) = match self.random.below(4) {
            0 if last > 0 => (self.random.between(1, last), 0),
            1 => (0, self.random.between(1, 5)),
            _ => (0, 0),
        };
        Some(Kind::Purge { stream, filter, seq, keep })
    }

    fn change_stream(&mut self, clients: &Clients) -> Option<Kind> {
        let extra =
            clients.model.live_streams().map(|(name, _)| name.clone()).find(|name| name.starts_with("EXTRA"));
        let mut failed = clients.model.unsettled_streams().filter(|(_, stream)| stream.is_uncreated());
        let failed = failed.next().map(|(_, stream)| Box::new(stream.config.clone()));
        match (extra, self.random.below(3)) {
            (Some(stream), 0) => Some(Kind::StreamDelete { stream }),
            (Some(name), 1) => {
                let model = clients.model.streams.get(&name)?;
                if !model.maybe.is_empty() {
                    // One at a time: answers to two clients say nothing about the order.
                    return None;
                }
                let mut config = model.config.clone();
                config.description = format!("changed by {}", clients.next_op());
                Some(Kind::StreamUpdate(Box::new(config)))
            }
            (None, 0) if failed.is_some() => failed.map(Kind::StreamCreate),
            _ => {
                self.extras += 1;
                let mut config = stream(&format!("EXTRA{}", self.extras));
                if self.random.percent(25) {
                    config.storage = Storage::Memory;
                }
                Some(Kind::StreamCreate(Box::new(config)))
            }
        }
    }

    fn change_consumer(&mut self, clients: &Clients) -> Option<Kind> {
        let extra =
            clients.model.live_consumers().map(|(key, _)| key.clone()).find(|(_, c)| c.starts_with("extra"));
        match (extra, self.random.below(3)) {
            (Some((stream, consumer)), 0) => {
                let creates = |kind: &Kind| matches!(kind, Kind::ConsumerCreate { config, .. } if config.name == consumer);
                // One that overtakes the deletion makes the consumer anew.
                let is_changing = clients.model.waiting().any(|(_, op)| creates(&op.kind));
                (!is_changing).then_some(Kind::ConsumerDelete { stream, consumer })
            }
            (Some(key), 1) => {
                let mut config = clients.model.consumers.get(&key)?.config.clone();
                config.description = format!("changed by {}", clients.next_op());
                Some(Kind::ConsumerCreate { stream: key.0, config: Box::new(config) })
            }
            _ => {
                let stream = self.pick_stream(clients)?;
                self.extras += 1;
                let mut config = consumer(&format!("extra{}", self.extras));
                if self.random.percent(40) {
                    config.filter_subject = format!("{}.{}", stream.to_lowercase(), self.random.below(6));
                }
                Some(Kind::ConsumerCreate { stream, config: Box::new(config) })
            }
        }
    }

    fn info(&mut self, clients: &Clients) -> Option<Kind> {
        if self.random.percent(50) {
            return Some(Kind::StreamInfo { stream: self.pick_stream(clients)? });
        }
        let (stream, consumer) = self.pick_consumer(clients, |_| true)?;
        Some(Kind::ConsumerInfo { stream, consumer })
    }

    fn pick_stream(&mut self, clients: &Clients) -> Option<String> {
        let names: Vec<&String> = clients
            .model
            .streams
            .iter()
            .filter(|(_, s)| s.created == Certainty::Yes)
            .map(|(name, _)| name)
            .collect();
        if names.is_empty() { None } else { Some((*self.random.pick(&names)).clone()) }
    }

    fn pick_consumer(
        &mut self,
        clients: &Clients,
        fits: impl Fn(&ConsumerConfig) -> bool,
    ) -> Option<(String, String)> {
        let consumers = clients.model.live_consumers().filter(|(_, c)| fits(&c.config));
        let keys: Vec<&(String, String)> = consumers.map(|(key, _)| key).collect();
        if keys.is_empty() { None } else { Some((*self.random.pick(&keys)).clone()) }
    }

    fn pick_seq(&mut self, clients: &Clients, stream: &str) -> Option<u64> {
        let seqs: Vec<u64> = clients.model.streams.get(stream)?.seen().map(|(seq, _)| seq).collect();
        if seqs.is_empty() { None } else { Some(*self.random.pick(&seqs)) }
    }
}

/// A stream that captures `<name in small letters>.*`.
fn stream(name: &str) -> StreamConfig {
    StreamConfig {
        name: name.to_owned(),
        subjects: vec![format!("{}.*", name.to_lowercase())],
        max_consumers: -1,
        max_msgs: -1,
        max_bytes: -1,
        max_msgs_per_subject: -1,
        max_msg_size: -1,
        num_replicas: 1,
        allow_direct: true,
        duplicate_window: Duration::from_secs(120),
        ..StreamConfig::default()
    }
}

fn consumer(name: &str) -> ConsumerConfig {
    ConsumerConfig {
        durable_name: name.to_owned(),
        name: name.to_owned(),
        ack_policy: AckPolicy::Explicit,
        ack_wait: 150_000_000,
        max_ack_pending: 30,
        ..ConsumerConfig::default()
    }
}

fn header_block(publish: &Publish) -> Vec<u8> {
    let number = |n: Option<u64>| n.map(|n| n.to_string());
    let rollup = match publish.rollup {
        Rollup::None => None,
        Rollup::Subject => Some("sub".to_owned()),
        Rollup::All => Some("all".to_owned()),
    };
    let fields: [(&[u8], Option<String>); 5] = [
        (b"Nats-Msg-Id", publish.msg_id.clone()),
        (b"Nats-Expected-Last-Sequence", number(publish.expected_last)),
        (b"Nats-Expected-Last-Subject-Sequence", number(publish.expected_last_on_subject)),
        (b"Nats-Rollup", rollup),
        (b"Nats-TTL", publish.ttl.map(|ttl| format!("{}s", ttl.as_secs()))),
    ];
    if fields.iter().all(|(_, value)| value.is_none()) {
        return Vec::new();
    }
    let mut block = Vec::new();
    headers::start(&mut block);
    for (key, value) in fields {
        if let Some(value) = value {
            headers::field(&mut block, key, value.as_bytes());
        }
    }
    headers::end(&mut block);
    block
}
