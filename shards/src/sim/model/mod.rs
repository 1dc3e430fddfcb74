//! What clients know: every operation, and from the answers what the node has promised. The oracles hold it to that.

mod consumers;
mod streams;

pub use consumers::ConsumerModel;
pub use streams::StreamModel;

use super::op::{Kind, Op, OpId, Outcome};
use super::server::Delivered;
use crate::time::WallTime;
use std::collections::BTreeMap;

/// A broken promise, as a sentence; or none.
pub type Verdict = Result<(), String>;

/// Whether something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    #[default]
    No,
    /// It was asked for and not answered.
    Maybe,
    Yes,
}

/// Everything that clients know. Outlives crashes.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub ops: BTreeMap<OpId, Op>,
    pub streams: BTreeMap<String, StreamModel>,
    /// By stream and name.
    pub consumers: BTreeMap<(String, String), ConsumerModel>,
    /// Order of everything that clients did and heard.
    pub event: u64,
    /// Last event of each life; the first is of a life 0 that was none.
    pub ends_of_lives: Vec<u64>,
    pub life: u64,
    /// Bits were flipped below what is acked: what is missing must be reported, what is there must be right.
    pub is_damaged: bool,
    /// And not only in payloads: what was deleted may be there again, consumers may have forgotten.
    pub is_damaged_anywhere: bool,
    /// A power cut has taken what was acknowledged.
    pub is_relaxed: bool,
    /// The wall clock was set by more than the duplicate window.
    pub is_far_off: bool,
}

impl Model {
    pub fn begin_life(&mut self, life: u64) {
        self.life = life;
        self.ends_of_lives.push(self.event);
        assert_eq!(self.ends_of_lives.len() as u64, life, "lives are counted from 1");
        for stream in self.streams.values_mut() {
            stream.is_half_done = false;
        }
        for stream in self.streams.values_mut().filter(|s| s.is_memory()) {
            stream.forget_messages();
        }
        let streams = &self.streams;
        self.consumers.retain(|(stream, _), _| streams.get(stream).is_some_and(|s| !s.is_memory()));
        for consumer in self.consumers.values_mut() {
            consumer.begin_life();
        }
    }

    /// The node is down: what was not answered stays open.
    pub fn end_life(&mut self) {
        self.event += 1;
        for op in self.ops.values_mut().filter(|op| op.outcome == Outcome::Waiting) {
            op.outcome = Outcome::Unknown;
        }
    }

    /// A client asks.
    pub fn issue(&mut self, id: OpId, now: WallTime, kind: Kind) {
        self.event += 1;
        match &kind {
            Kind::Publish(publish) => {
                if let Some(stream) = self.streams.get_mut(&publish.stream) {
                    stream.published(id, publish);
                }
            }
            Kind::StreamCreate(config) => {
                self.consumers.retain(|(stream, _), _| *stream != config.name);
                match self.streams.get_mut(&config.name).filter(|stream| stream.is_uncreated()) {
                    Some(again) => again.created = Certainty::Maybe,
                    None => {
                        self.streams.insert(config.name.clone(), StreamModel::new((**config).clone()));
                    }
                }
            }
            Kind::StreamUpdate(config) => {
                if let Some(stream) = self.streams.get_mut(&config.name) {
                    stream.update_asked((**config).clone());
                }
            }
            Kind::StreamDelete { stream } => {
                if let Some(stream) = self.streams.get_mut(stream) {
                    stream.deleted = stream.deleted.max(Certainty::Maybe);
                }
            }
            Kind::Purge { stream, .. } | Kind::Delete { stream, .. } => {
                if let Some(stream) = self.streams.get_mut(stream) {
                    stream.removals.push(id);
                }
            }
            Kind::ConsumerCreate { stream, config } => {
                let key = (stream.clone(), config.name.clone());
                self.consumers.entry(key).or_default().asked(&self.streams, stream, config);
            }
            Kind::ConsumerDelete { stream, consumer } => {
                if let Some(consumer) = self.consumers.get_mut(&(stream.clone(), consumer.clone())) {
                    consumer.deleted = consumer.deleted.max(Certainty::Maybe);
                }
            }
            Kind::Ack { stream, consumer, seq, form, .. } => {
                if let Some(consumer) = self.consumers.get_mut(&(stream.clone(), consumer.clone()))
                    && form.settles()
                {
                    consumer.ack_sent(*seq);
                }
            }
            _ => {}
        }
        let (life, issued) = (self.life, self.event);
        self.ops.insert(id, Op { life, issued, issued_at: now, outcome: Outcome::Waiting, kind });
    }

    /// The operation is over.
    pub fn end(&mut self, id: OpId, outcome: impl FnOnce(u64) -> Outcome) {
        self.event += 1;
        if let Some(op) = self.ops.get_mut(&id) {
            op.outcome = outcome(self.event);
        }
    }

    /// Operations of this life that have no answer and should have one.
    pub fn waiting(&self) -> impl Iterator<Item = (OpId, &Op)> {
        let waiting = self.ops.iter().rev().take_while(|(_, op)| op.life == self.life);
        waiting
            .filter(|(_, op)| op.outcome == Outcome::Waiting)
            .filter(|(_, op)| !matches!(op.kind, Kind::Fetch { .. } | Kind::Ack { .. }))
            .map(|(id, op)| (*id, op))
    }

    /// Streams that exist for certain, as far as clients know.
    pub fn live_streams(&self) -> impl Iterator<Item = (&String, &StreamModel)> {
        self.streams.iter().filter(|(_, s)| s.created == Certainty::Yes && s.deleted == Certainty::No)
    }

    /// Streams of the catalog's workload of which nobody knows whether they exist, or that were refused, and about which no
    /// answer is due.
    pub fn unsettled_streams(&self) -> impl Iterator<Item = (&String, &StreamModel)> {
        let is_unsettled = |s: &StreamModel| s.created != Certainty::Yes || s.deleted == Certainty::Maybe;
        let is_asked = |name: &str| {
            self.waiting().any(|(_, op)| match &op.kind {
                Kind::StreamCreate(config) | Kind::StreamUpdate(config) => config.name == name,
                Kind::StreamDelete { stream } => stream == name,
                _ => false,
            })
        };
        let unsettled =
            self.streams.iter().filter(move |(name, s)| name.starts_with("EXTRA") && is_unsettled(s));
        unsettled.filter(move |(name, _)| !is_asked(name))
    }

    /// Consumers that exist for certain on streams that do.
    pub fn live_consumers(&self) -> impl Iterator<Item = (&(String, String), &ConsumerModel)> {
        self.consumers.iter().filter(|((stream, _), c)| {
            let stream = self.streams.get(stream);
            stream.is_some_and(|s| s.created == Certainty::Yes && s.deleted == Certainty::No)
                && c.created == Certainty::Yes
                && c.deleted == Certainty::No
        })
    }

    /// A pub ack: this message is at this sequence from now on.
    pub fn pub_acked(&mut self, id: OpId, seq: u64, is_duplicate: bool) -> Verdict {
        self.end(id, Outcome::Done);
        let Some(Op { kind: Kind::Publish(publish), .. }) = self.ops.get(&id) else {
            return Err(format!("a pub ack for operation {id}, which is no publish"));
        };
        let publish = publish.clone();
        if is_duplicate {
            return self.duplicate_acked(id, &publish, seq);
        }
        self.observe(&publish.stream, seq, id)?;
        self.check_expected(id, &publish, seq)
    }

    /// A message was seen at a sequence: in a pub ack, a get, a delivery, an audit.
    pub fn observe(&mut self, stream: &str, seq: u64, id: OpId) -> Verdict {
        let event = self.event;
        let Some(model) = self.streams.get_mut(stream) else { return Ok(()) };
        model.observe(stream, seq, id, event)
    }

    /// Message bytes as they came: they must be those of a publish, every one of them. Returns the operation.
    pub fn identify(
        &self,
        stream: &str,
        subject: &[u8],
        headers: &[u8],
        payload: &[u8],
    ) -> Result<OpId, String> {
        let id = payload.get(..16).and_then(|hex| std::str::from_utf8(hex).ok());
        let id = id.and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let op = id.and_then(|id| Some((id, self.ops.get(&id)?)));
        let Some((id, Op { kind: Kind::Publish(publish), .. })) = op else {
            return Err(format!("{stream} serves a message that nobody published"));
        };
        if publish.stream != stream {
            return Err(format!(
                "{stream} serves the message of operation {id}, which went to {}",
                publish.stream
            ));
        }
        let right =
            publish.subject.as_bytes() == subject && publish.headers == headers && publish.payload == payload;
        if !right {
            return Err(format!("{stream} serves other bytes than operation {id} published"));
        }
        Ok(id)
    }

    /// A delivery to the client of a consumer.
    pub fn delivered(&mut self, stream: &str, consumer: &str, delivery: &Delivered) -> Verdict {
        self.event += 1;
        let id = self.identify(stream, &delivery.subject, &delivery.headers, &delivery.payload)?;
        let Some(model) = self.consumers.get_mut(&(stream.to_owned(), consumer.to_owned())) else {
            return Ok(());
        };
        if self.is_damaged_anywhere {
            return Ok(());
        }
        let seq = model.delivered(&format!("{stream}/{consumer}"), delivery)?;
        self.observe(stream, seq, id)
    }

    /// What a stream holds according to an audit, against everything that was promised.
    pub fn audit(&mut self, stream: &str, found: &[(u64, OpId)], last_seq: u64, now: WallTime) -> Verdict {
        for (seq, id) in found {
            self.observe(stream, *seq, *id)?;
        }
        let Some(model) = self.streams.get(stream) else { return Ok(()) };
        model.audit(self, stream, found, last_seq, now)
    }

    fn duplicate_acked(&mut self, id: OpId, publish: &Publish, seq: u64) -> Verdict {
        let Some(msg_id) = &publish.msg_id else {
            return Err(format!("operation {id} has no message id and is answered as a duplicate"));
        };
        let Some(stream) = self.streams.get_mut(&publish.stream) else { return Ok(()) };
        if self.is_far_off { Ok(()) } else { stream.duplicate_told(seq, msg_id) }
    }

    /// What a publish expected must have been so.
    fn check_expected(&self, id: OpId, publish: &Publish, seq: u64) -> Verdict {
        if let Some(expected) = publish.expected_last
            && expected + 1 != seq
        {
            return Err(format!("operation {id} expected last sequence {expected} and got {seq}"));
        }
        let Some(expected) = publish.expected_last_on_subject else { return Ok(()) };
        let Some(stream) = self.streams.get(&publish.stream) else { return Ok(()) };
        for (at, other) in stream.between(expected, seq) {
            let same = stream.subject_of(self, other) == Some(publish.subject.as_str());
            if same && !stream.may_be_gone(self, at, other, WallTime(u64::MAX)) {
                return Err(format!(
                    "operation {id} expected {expected} on its subject and got {seq} behind {at}"
                ));
            }
        }
        Ok(())
    }
}

use super::op::Publish;
