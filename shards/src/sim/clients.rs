//! The clients: they ask, hear, and hold the node to what it said.

use super::model::{Certainty, Model, Verdict};
use super::node::Node;
use super::op::{AckForm, Kind, Op, OpId, Outcome, Publish};
use super::server::{Delivered, Heard, What, origin};
use super::trace::Trace;
use crate::consumer::config::CreateAction;
use crate::ids::{AccountId, CoreId, GroupId, Origin, ShardId};
use crate::rejection::Rejection;
use crate::shard::CATALOG_SHARD;
use crate::shard::answer::{Answer, StoredMessage, StreamInfo};
use crate::shard::request::{Batch, DirectGet, Item, ItemKind, ReplyTo, Request, Selector, Span};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// All clients of a node, on whatever core.
#[derive(Debug, Default)]
pub struct Clients {
    pub model: Model,
    pub trace: Trace,
    next_op: OpId,
    /// What an audit has brought so far.
    audits: BTreeMap<OpId, Vec<(u64, OpId)>>,
    /// Sequences that the last audit of each stream has brought.
    pub found: BTreeMap<String, BTreeSet<u64>>,
    infos: BTreeMap<String, StreamInfo>,
    /// Of the last answers: messages and acks that wait for their ack, by stream and consumer.
    pub backlog: BTreeMap<(String, String), u64>,
}

impl Clients {
    /// Asks on a core. `None`: the core does not know the stream.
    pub fn ask(&mut self, node: &mut Node, core: CoreId, kind: Kind) -> Option<OpId> {
        let id = self.next_op + 1;
        let reply = format!("_INBOX.{core}.{id}");
        let server = &mut node.cores[usize::from(core.0)].server;
        let known = match stream_of(&kind) {
            Some(stream) => server.stream(stream)?,
            None => super::server::Known { group: GroupId::CATALOG, shard: CATALOG_SHARD },
        };
        self.next_op = id;
        self.trace.note(node.now, format_args!("{id} on core {core}: {}", Shown(&kind)));
        let asked = asked(&kind, known.group, &self.model);
        match asked {
            Asked::Item(item) => {
                let batch = batch(origin(core), known.group, item, reply.as_bytes());
                server.send_batch(known.shard, batch);
            }
            Asked::Request(request) => {
                let to = ReplyTo {
                    origin: origin(core),
                    account: AccountId::GLOBAL,
                    reply: reply.as_bytes().into(),
                    tag: id,
                };
                let shard: ShardId = known.shard;
                server.send_request(shard, to, Box::new(request));
            }
        }
        let wall = node.clocks().wall;
        self.model.issue(id, wall, kind);
        node.wake(core);
        Some(id)
    }

    /// The number that the next operation gets.
    pub fn next_op(&self) -> OpId {
        self.next_op + 1
    }

    /// What the last info of a stream names as lost.
    pub fn lost(&self, stream: &str) -> &[u64] {
        self.infos.get(stream).map_or(&[], |info| &info.state.lost)
    }

    /// Takes in what clients hear.
    pub fn hear(&mut self, node: &mut Node) -> Verdict {
        for Heard { sent, what } in node.heard() {
            match what {
                What::PubAck { reply, seq, duplicate, .. } => {
                    let id = op_of(&reply)?;
                    let what = if duplicate { "duplicate of" } else { "stored at" };
                    self.trace.note(node.now, format_args!("{id} {what} {seq}"));
                    self.once(id)?;
                    self.model.pub_acked(id, seq, duplicate)?;
                }
                What::Answer { reply, answer } => {
                    let id = op_of(&reply)?;
                    self.answered(node, id, sent, *answer)?;
                }
                What::Delivery(delivered) => self.delivered(node, &delivered)?,
            }
        }
        Ok(())
    }

    fn once(&self, id: OpId) -> Verdict {
        match self.model.ops.get(&id).map(|op| op.outcome) {
            Some(Outcome::Waiting) => Ok(()),
            _ => Err(format!("operation {id} is answered, and nobody waits for it")),
        }
    }

    fn answered(&mut self, node: &Node, id: OpId, sent: u64, answer: Answer) -> Verdict {
        if !matches!(answer, Answer::DirectMessage { .. }) {
            self.trace.note(node.now, format_args!("{id} answered: {}", name_of(&answer)));
        }
        let Some(op) = self.model.ops.get(&id).cloned() else {
            return Err(format!("an answer for operation {id}, which nobody asked"));
        };
        let wall = node.latest_wall();
        self.model.is_far_off = node.wall_steps > MESSAGE_IDS_SURELY_KEPT;
        match (answer, &op.kind) {
            (Answer::PublishRejected { rejection, .. } | Answer::Rejected(rejection), kind) => {
                let outcome = if leaves_open(&rejection) { Outcome::Unknown } else { Outcome::Refused };
                let was_waiting = op.outcome == Outcome::Waiting;
                self.model.end(id, |_| if was_waiting { outcome } else { op.outcome });
                self.refused(id, kind, &rejection, wall)?;
                if let Kind::StreamUpdate(config) = kind
                    && outcome == Outcome::Unknown
                    && let Some(stream) = self.model.streams.get_mut(&config.name)
                {
                    stream.is_half_done = true;
                }
                if outcome == Outcome::Refused {
                    self.undo(kind, &rejection);
                }
            }
            (Answer::NoResponders { .. }, kind) => {
                self.model.end(id, |_| Outcome::Refused);
                self.check_gone(id, kind, false)?;
            }
            (Answer::StreamCreated(info), Kind::StreamCreate(config)) => {
                self.once(id)?;
                self.model.end(id, Outcome::Done);
                if let Some(stream) = self.model.streams.get_mut(&config.name) {
                    stream.created = Certainty::Yes;
                    stream.confirmed(&info.config);
                }
            }
            (Answer::StreamUpdated(info), Kind::StreamUpdate(config)) => {
                self.once(id)?;
                self.model.end(id, Outcome::Done);
                if let Some(stream) = self.model.streams.get_mut(&config.name) {
                    stream.confirmed(&info.config);
                }
            }
            (Answer::StreamDeleted, Kind::StreamDelete { stream }) => {
                self.once(id)?;
                self.model.end(id, Outcome::Done);
                if let Some(stream) = self.model.streams.get_mut(stream) {
                    stream.deleted = Certainty::Yes;
                }
            }
            (Answer::Purged(_), Kind::Purge { .. }) | (Answer::MessageDeleted, Kind::Delete { .. }) => {
                self.once(id)?;
                self.model.end(id, Outcome::Done);
            }
            (Answer::StreamInfo(info), Kind::StreamInfo { stream }) => {
                self.once(id)?;
                self.model.end(id, Outcome::Done);
                self.stream_told(stream, *info)?;
            }
            (Answer::Message(message), Kind::Get { stream, seq }) => {
                self.once(id)?;
                self.model.end(id, Outcome::Done);
                if message.seq.0 != *seq {
                    return Err(format!("operation {id} asked for {seq} and got {}", message.seq));
                }
                self.seen(stream, &message)?;
            }
            (Answer::DirectMessage { message, .. }, Kind::Audit { stream }) => {
                let found = self.seen(stream, &message)?;
                self.audits.entry(id).or_default().push((message.seq.0, found));
            }
            (Answer::DirectEnd { .. } | Answer::DirectNotFound { .. }, Kind::Audit { stream }) => {
                self.once(id)?;
                self.model.end(id, Outcome::Done);
                let found = self.audits.remove(&id).unwrap_or_default();
                let last = self.infos.get(stream).map_or(0, |info| info.state.last_seq);
                self.found.insert(stream.clone(), found.iter().map(|(seq, _)| *seq).collect());
                self.model.audit(stream, &found, last, wall)?;
            }
            (Answer::ConsumerCreated(info), Kind::ConsumerCreate { stream, config }) => {
                self.once(id)?;
                self.model.end(id, Outcome::Done);
                let key = (stream.clone(), config.name.clone());
                if let Some(consumer) = self.model.consumers.get_mut(&key) {
                    consumer.created = Certainty::Yes;
                    consumer.config = info.config.clone();
                }
            }
            (Answer::ConsumerDeleted, Kind::ConsumerDelete { stream, consumer }) => {
                self.once(id)?;
                self.model.end(id, Outcome::Done);
                if let Some(consumer) = self.model.consumers.get_mut(&(stream.clone(), consumer.clone())) {
                    consumer.deleted = Certainty::Yes;
                }
            }
            (Answer::ConsumerInfo(info), Kind::ConsumerInfo { stream, consumer }) => {
                self.once(id)?;
                self.model.end(id, Outcome::Done);
                let key = (stream.clone(), consumer.clone());
                self.backlog.insert(key.clone(), info.num_pending + info.num_ack_pending);
                let is_deleted = self.model.consumers.get(&key).is_some_and(|c| c.deleted == Certainty::Yes);
                if is_deleted && !self.model.is_damaged_anywhere {
                    return Err(format!("{stream}/{consumer} is there again, and was deleted"));
                }
            }
            (Answer::Empty, Kind::Ack { stream, consumer, seq, consumer_seq, form, .. }) => {
                self.once(id)?;
                self.model.end(id, Outcome::Done);
                let key = (stream.clone(), consumer.clone());
                if let Some(model) = self.model.consumers.get_mut(&key).filter(|_| form.settles()) {
                    model.ack_answered(*seq, *consumer_seq, sent);
                }
            }
            (answer, kind) => {
                return Err(format!(
                    "operation {id} ({}) is answered with {}",
                    Shown(kind),
                    name_of(&answer)
                ));
            }
        }
        Ok(())
    }

    /// A refusal must have a reason that clients know of.
    fn refused(
        &mut self,
        id: OpId,
        kind: &Kind,
        rejection: &Rejection,
        wall: crate::time::WallTime,
    ) -> Verdict {
        match (rejection, kind) {
            (Rejection::StreamNotFound | Rejection::ConsumerNotFound, kind) => {
                self.check_gone(id, kind, true)?;
                if let Kind::ConsumerInfo { stream, consumer } = kind {
                    self.backlog.insert((stream.clone(), consumer.clone()), 0);
                }
                Ok(())
            }
            (Rejection::NoMessageFound, Kind::Get { stream, seq }) if !self.model.is_damaged => {
                let Some(model) = self.model.streams.get(stream) else { return Ok(()) };
                let known = model.seen().find(|(at, _)| at == seq);
                match known {
                    Some((_, op)) if !model.may_be_gone(&self.model, *seq, op, wall) => {
                        Err(format!("{stream} does not find message {seq}, which must be there"))
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// What was refused did not happen.
    fn undo(&mut self, kind: &Kind, rejection: &Rejection) {
        match kind {
            // Somebody else's of that name may be there.
            Kind::StreamCreate(_) if *rejection == Rejection::StreamNameExist => {}
            Kind::StreamCreate(config) => {
                if let Some(stream) = self.model.streams.get_mut(&config.name)
                    && stream.created == Certainty::Maybe
                {
                    stream.created = Certainty::No;
                }
            }
            Kind::StreamDelete { stream } => {
                if let Some(stream) = self.model.streams.get_mut(stream)
                    && stream.deleted == Certainty::Maybe
                    && stream.created == Certainty::Maybe
                {
                    stream.deleted = Certainty::Yes;
                }
            }
            _ => {}
        }
    }

    /// The node says that a stream or consumer is not there.
    fn check_gone(&self, id: OpId, kind: &Kind, is_answer: bool) -> Verdict {
        if self.model.is_damaged {
            return Ok(());
        }
        let Some(stream) = stream_of(kind) else { return Ok(()) };
        let alive = |name: &str| self.model.live_streams().any(|(s, _)| s == name);
        let consumer = match kind {
            Kind::ConsumerInfo { consumer, .. } | Kind::Fetch { consumer, .. } => Some(consumer),
            _ => None,
        };
        let gone = match consumer {
            Some(consumer) => !self.model.live_consumers().any(|((s, c), _)| s == stream && c == consumer),
            None => !alive(stream) || matches!(kind, Kind::Ack { .. } | Kind::ConsumerDelete { .. }),
        };
        match gone {
            true => Ok(()),
            false if is_answer => Err(format!("operation {id} ({}) finds nothing", Shown(kind))),
            false => Err(format!("operation {id} ({}) has no responder", Shown(kind))),
        }
    }

    fn stream_told(&mut self, name: &str, info: StreamInfo) -> Verdict {
        let of_this = |op: &Op| matches!(&op.kind, Kind::StreamUpdate(config) if config.name == name);
        let is_changing = self.model.waiting().any(|(_, op)| of_this(op));
        if let Some(stream) = self.model.streams.get_mut(name) {
            if stream.deleted == Certainty::Yes && !self.model.is_damaged_anywhere {
                return Err(format!("{name} is there again, and was deleted"));
            }
            let is_possible = stream.maybe.iter().chain([&stream.config]).any(|c| c.is_same(&info.config));
            if !self.model.is_damaged && !is_possible {
                return Err(format!(
                    "{name} has a configuration that is not the last one: {:?}",
                    info.config
                ));
            }
            if !is_changing && !stream.is_half_done {
                stream.confirmed(&info.config);
            }
        }
        self.infos.insert(name.to_owned(), info);
        Ok(())
    }

    fn seen(&mut self, stream: &str, message: &StoredMessage) -> Result<OpId, String> {
        let id = self.model.identify(stream, &message.subject, &message.headers, &message.payload)?;
        self.model.event += 1;
        self.model.observe(stream, message.seq.0, id)?;
        Ok(id)
    }

    fn delivered(&mut self, node: &Node, delivered: &Delivered) -> Verdict {
        if !delivered.reply.starts_with(b"$JS.ACK.") {
            let text = String::from_utf8_lossy(&delivered.headers);
            self.trace.note(node.now, format_args!("status {}", text.lines().next().unwrap_or_default()));
            return Ok(());
        }
        let reply = String::from_utf8_lossy(&delivered.reply).into_owned();
        self.trace.note(node.now, format_args!("delivered {reply}"));
        let mut tokens = reply.split('.').skip(2);
        let (Some(stream), Some(consumer)) = (tokens.next(), tokens.next()) else {
            return Err(format!("a delivery with the reply subject {reply}"));
        };
        self.model.delivered(stream, consumer, delivered)
    }
}

/// Within less than this the duplicate window of every stream keeps a message id.
const MESSAGE_IDS_SURELY_KEPT: Duration = Duration::from_secs(60);

/// What an operation sends.
enum Asked {
    Item(Spoken),
    Request(Request),
}

/// The parts of an item.
struct Spoken {
    kind: ItemKind,
    subject: Vec<u8>,
    headers: Vec<u8>,
    payload: Vec<u8>,
    wants_reply: bool,
}

fn asked(kind: &Kind, group: GroupId, model: &Model) -> Asked {
    let item = |kind, subject: Vec<u8>, payload: Vec<u8>, wants_reply| {
        Asked::Item(Spoken { kind, subject, headers: Vec::new(), payload, wants_reply })
    };
    Asked::Request(match kind.clone() {
        Kind::Publish(Publish { subject, headers, payload, .. }) => {
            let (kind, subject) = (ItemKind::Publish, subject.into_bytes());
            return Asked::Item(Spoken { kind, subject, headers, payload, wants_reply: true });
        }
        Kind::Fetch { stream, consumer, batch } => {
            let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}").into_bytes();
            let payload = format!("{{\"batch\":{batch},\"expires\":2000000000}}").into_bytes();
            return item(ItemKind::Fetch, subject, payload, true);
        }
        Kind::Ack { stream, consumer, seq, form, is_awaited, .. } => {
            let model = model.consumers.get(&(stream, consumer));
            let subject = model.and_then(|c| c.unacked.get(&seq).cloned()).unwrap_or_default();
            let wants_reply = is_awaited || form == AckForm::Next;
            return item(ItemKind::Ack, subject, form.payload().to_vec(), wants_reply);
        }
        Kind::StreamCreate(config) => Request::StreamCreate { config, pedantic: false },
        Kind::StreamUpdate(config) => Request::StreamUpdate { config, pedantic: false },
        Kind::StreamDelete { stream } => Request::StreamDelete { name: stream },
        Kind::StreamInfo { .. } => {
            Request::StreamInfo { group, deleted_details: true, subjects_filter: String::new(), offset: 0 }
        }
        Kind::Purge { filter, seq, keep, .. } => Request::StreamPurge { group, filter, seq, keep },
        Kind::Delete { seq, .. } => Request::MessageDelete { group, seq, no_erase: seq % 2 == 0 },
        Kind::Get { seq, .. } => Request::MessageGet { group, select: Selector::Seq(seq) },
        Kind::Audit { .. } => Request::DirectGet {
            group,
            get: DirectGet::Batch {
                select: Selector::NextBySubject { subject: ">".to_owned(), seq: 1 },
                batch: 100_000,
                max_bytes: 0,
            },
        },
        Kind::ConsumerCreate { config, .. } => Request::ConsumerCreate {
            group,
            config,
            action: CreateAction::Upsert,
            pedantic: false,
            generated_name: String::new(),
        },
        Kind::ConsumerDelete { consumer, .. } => Request::ConsumerDelete { group, consumer },
        Kind::ConsumerInfo { consumer, .. } => Request::ConsumerInfo { group, consumer },
    })
}

/// A batch of one item, its parts in one chunk.
fn batch(origin: Origin, group: GroupId, spoken: Spoken, reply: &[u8]) -> Box<Batch> {
    let mut chunk = Vec::new();
    let mut put = |part: &[u8]| {
        let start = chunk.len() as u32;
        chunk.extend_from_slice(part);
        Span { start, len: part.len() as u32 }
    };
    let item = Item {
        kind: spoken.kind,
        group,
        origin,
        chunk: 0,
        subject: put(&spoken.subject),
        reply: put(if spoken.wants_reply { reply } else { b"" }),
        headers: put(&spoken.headers),
        payload: put(&spoken.payload),
    };
    let chunks = vec![Bytes::from(chunk)];
    Box::new(Batch { chunks, items: vec![item], ..Batch::default() })
}

/// The stream to whose shard an operation goes; none: to the catalog.
fn stream_of(kind: &Kind) -> Option<&str> {
    match kind {
        Kind::StreamCreate(_) | Kind::StreamUpdate(_) | Kind::StreamDelete { .. } => None,
        Kind::Publish(publish) => Some(&publish.stream),
        Kind::StreamInfo { stream }
        | Kind::Purge { stream, .. }
        | Kind::Delete { stream, .. }
        | Kind::Get { stream, .. }
        | Kind::Audit { stream }
        | Kind::ConsumerCreate { stream, .. }
        | Kind::ConsumerDelete { stream, .. }
        | Kind::ConsumerInfo { stream, .. }
        | Kind::Fetch { stream, .. }
        | Kind::Ack { stream, .. } => Some(stream),
    }
}

/// The operation in whose inbox something arrived.
fn op_of(reply: &[u8]) -> Result<OpId, String> {
    let text = String::from_utf8_lossy(reply);
    let id = text.rsplit('.').next().and_then(|id| id.parse().ok());
    id.ok_or_else(|| format!("an answer to {text}"))
}

/// Whether the engine leaves open what became of the request.
fn leaves_open(rejection: &Rejection) -> bool {
    match rejection {
        Rejection::StreamStoreFailed(text)
        | Rejection::StreamCreate(text)
        | Rejection::ConsumerCreate(text) => {
            ["log of this stream failed", "has not answered", "done in part", "consumer closed"]
                .iter()
                .any(|open| text.contains(open))
        }
        _ => false,
    }
}

fn name_of(answer: &Answer) -> String {
    match answer {
        Answer::Rejected(rejection) | Answer::PublishRejected { rejection, .. } => {
            format!("refused, {rejection:?}")
        }
        Answer::StreamInfo(info) => {
            let state = &info.state;
            format!(
                "{}: {} messages, {} to {}",
                info.config.name, state.messages, state.first_seq, state.last_seq
            )
        }
        Answer::ConsumerInfo(info) => format!(
            "{}/{}: delivered {:?}, floor {:?}, {} ack pending, {} pending",
            info.stream_name,
            info.name,
            (info.delivered.consumer_seq, info.delivered.stream_seq),
            (info.ack_floor.consumer_seq, info.ack_floor.stream_seq),
            info.num_ack_pending,
            info.num_pending
        ),
        other => {
            let text = format!("{other:?}");
            text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
        }
    }
}

/// An operation in a line of the trace.
struct Shown<'a>(&'a Kind);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Kind::Publish(p) => {
                write!(f, "publish {} ({} bytes)", p.subject, p.payload.len())?;
                if let Some(id) = &p.msg_id {
                    write!(f, " id {id}")?;
                }
                if let Some(seq) = p.expected_last {
                    write!(f, " expects last {seq}")?;
                }
                if let Some(seq) = p.expected_last_on_subject {
                    write!(f, " expects {seq} on its subject")?;
                }
                match p.rollup {
                    super::op::Rollup::None => Ok(()),
                    rollup => write!(f, " rollup {rollup:?}"),
                }
            }
            Kind::StreamCreate(config) => write!(f, "create stream {}", config.name),
            Kind::StreamUpdate(config) => write!(f, "update stream {} ({})", config.name, config.description),
            Kind::ConsumerCreate { stream, config } => write!(f, "create consumer {stream}/{}", config.name),
            other => write!(f, "{other:?}"),
        }
    }
}

/// Operations that have no answer, for a message.
pub fn unanswered<'a>(waiting: impl Iterator<Item = (OpId, &'a Op)>) -> String {
    let shown: Vec<String> = waiting.take(5).map(|(id, op)| format!("{id} ({})", Shown(&op.kind))).collect();
    shown.join(", ")
}
