//! A stream as its clients know it, and the oracle of its messages.

use super::{Certainty, Model, Verdict};
use crate::sim::op::{Kind, Op, OpId, Outcome, Publish, Rollup};
use crate::stream::config::{Storage, StreamConfig};
use crate::subject;
use crate::time::WallTime;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
pub struct StreamModel {
    /// What an answer has confirmed last, or the creation asks for.
    pub config: StreamConfig,
    /// Every configuration that it may have had.
    configs: Vec<StreamConfig>,
    /// Updates that were asked for since the last one that was confirmed.
    pub maybe: Vec<StreamConfig>,
    /// The outcome of an update of this life is open: the next start may bring it.
    pub is_half_done: bool,
    pub created: Certainty,
    pub deleted: Certainty,
    /// What was seen at each sequence, and the event of the first time.
    seqs: BTreeMap<u64, (OpId, u64)>,
    of_op: BTreeMap<OpId, u64>,
    publishes: Vec<OpId>,
    /// Purges and deletes.
    pub removals: Vec<OpId>,
    rollups: Vec<OpId>,
    /// Message id that lies at a sequence, according to a pub ack of a duplicate.
    duplicates: BTreeMap<u64, String>,
    by_msg_id: BTreeMap<String, u64>,
}

impl StreamModel {
    pub fn new(config: StreamConfig) -> Self {
        StreamModel {
            configs: vec![config.clone()],
            config,
            maybe: Vec::new(),
            is_half_done: false,
            created: Certainty::Maybe,
            deleted: Certainty::No,
            seqs: BTreeMap::new(),
            of_op: BTreeMap::new(),
            publishes: Vec::new(),
            removals: Vec::new(),
            rollups: Vec::new(),
            duplicates: BTreeMap::new(),
            by_msg_id: BTreeMap::new(),
        }
    }

    /// It was asked for, and nobody has said that it is there.
    pub fn is_uncreated(&self) -> bool {
        self.created != Certainty::Yes && self.deleted == Certainty::No
    }

    pub fn is_memory(&self) -> bool {
        self.config.storage == Storage::Memory
    }

    /// A restart: a stream with memory storage comes back empty.
    pub fn forget_messages(&mut self) {
        let (created, deleted) = (self.created, self.deleted);
        let (configs, maybe) = (std::mem::take(&mut self.configs), std::mem::take(&mut self.maybe));
        *self = StreamModel { created, deleted, configs, maybe, ..StreamModel::new(self.config.clone()) };
    }

    pub fn update_asked(&mut self, config: StreamConfig) {
        self.configs.push(config.clone());
        self.maybe.push(config);
    }

    /// The node says that this is the configuration.
    pub fn confirmed(&mut self, config: &StreamConfig) {
        self.config = config.clone();
        self.maybe.clear();
    }

    pub fn published(&mut self, id: OpId, publish: &Publish) {
        self.publishes.push(id);
        if publish.rollup != Rollup::None {
            self.rollups.push(id);
        }
    }

    /// The last sequence that was seen.
    pub fn last_seen(&self) -> u64 {
        self.seqs.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    /// Sequences that were seen, with their operations.
    pub fn seen(&self) -> impl DoubleEndedIterator<Item = (u64, OpId)> {
        self.seqs.iter().map(|(seq, (id, _))| (*seq, *id))
    }

    pub fn between(&self, above: u64, below: u64) -> impl Iterator<Item = (u64, OpId)> {
        let above = above.min(below);
        self.seqs.range(above + 1..below.max(above + 1)).map(|(seq, (id, _))| (*seq, *id))
    }

    pub fn observe(&mut self, name: &str, seq: u64, id: OpId, event: u64) -> Verdict {
        match self.seqs.get(&seq) {
            Some((other, _)) if *other != id => {
                return Err(format!("{name} has operation {id} at sequence {seq}, where {other} was before"));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        if let Some(other) = self.of_op.insert(id, seq) {
            return Err(format!("{name} has operation {id} at sequence {seq} and at {other}"));
        }
        self.seqs.insert(seq, (id, event));
        Ok(())
    }

    /// A pub ack of a duplicate says where the original is.
    pub fn duplicate_told(&mut self, seq: u64, msg_id: &str) -> Verdict {
        let before = self.duplicates.insert(seq, msg_id.to_owned());
        if before.is_some_and(|before| before != msg_id) {
            return Err(format!("two message ids are told to be at sequence {seq}"));
        }
        match self.by_msg_id.insert(msg_id.to_owned(), seq) {
            Some(other) if other != seq => {
                Err(format!("message id {msg_id} is told to be at {other} and {seq}"))
            }
            _ => Ok(()),
        }
    }

    pub fn subject_of<'a>(&self, model: &'a Model, id: OpId) -> Option<&'a str> {
        match model.ops.get(&id) {
            Some(Op { kind: Kind::Publish(publish), .. }) => Some(&publish.subject),
            _ => None,
        }
    }

    /// Whether a limit, a request or a rollup may have removed the message.
    pub fn may_be_gone(&self, model: &Model, seq: u64, id: OpId, now: WallTime) -> bool {
        let Some(op @ Op { kind: Kind::Publish(publish), .. }) = model.ops.get(&id) else { return true };
        self.removals.iter().any(|r| self.removal_covers(model, *r, seq, op, publish))
            || self.rollups.iter().any(|r| self.rollup_covers(model, *r, seq, publish))
            || self.is_expired(op, publish, now)
            || self.is_over_limits(model, seq, publish)
    }

    /// Whether an answer says that the message is gone.
    fn must_be_gone(&self, model: &Model, seq: u64, id: OpId) -> bool {
        let Some(Op { kind: Kind::Publish(publish), .. }) = model.ops.get(&id) else { return false };
        let Some((_, seen)) = self.seqs.get(&seq) else { return false };
        self.removals.iter().any(|r| {
            let Some(op) = model.ops.get(r) else { return false };
            let (Outcome::Done(_), earlier) = (op.outcome, *seen < op.issued) else { return false };
            match &op.kind {
                Kind::Delete { seq: deleted, .. } => *deleted == seq,
                Kind::Purge { filter, seq: below, keep, .. } => {
                    earlier
                        && *keep == 0
                        && (*below == 0 || seq < *below)
                        && matches(filter, &publish.subject)
                }
                _ => false,
            }
        })
    }

    fn removal_covers(
        &self,
        model: &Model,
        removal: OpId,
        seq: u64,
        message: &Op,
        publish: &Publish,
    ) -> bool {
        let Some(op) = model.ops.get(&removal).filter(|op| op.may_count()) else { return false };
        match &op.kind {
            Kind::Delete { seq: deleted, .. } => *deleted == seq,
            Kind::Purge { filter, seq: below, .. } => {
                message.issued < op.ended(&model.ends_of_lives)
                    && (*below == 0 || seq < *below)
                    && matches(filter, &publish.subject)
            }
            _ => false,
        }
    }

    fn rollup_covers(&self, model: &Model, rollup: OpId, seq: u64, publish: &Publish) -> bool {
        let Some(op) = model.ops.get(&rollup).filter(|op| op.may_count()) else { return false };
        let Kind::Publish(rolled) = &op.kind else { return false };
        let later = self.of_op.get(&rollup).is_none_or(|at| *at > seq);
        later && (rolled.rollup == Rollup::All || rolled.subject == publish.subject)
    }

    fn is_expired(&self, op: &Op, publish: &Publish, now: WallTime) -> bool {
        let ages = self.configs.iter().map(|c| c.max_age).filter(|age| !age.is_zero());
        ages.chain(publish.ttl).any(|age| op.issued_at + age <= now)
    }

    fn is_over_limits(&self, model: &Model, seq: u64, publish: &Publish) -> bool {
        let may_be_later = |id: &&OpId| {
            let known = self.of_op.get(id);
            known.map_or_else(|| model.ops.get(id).is_some_and(Op::may_count), |at| *at > seq)
        };
        let on_subject = |id: &&OpId| self.subject_of(model, **id) == Some(publish.subject.as_str());
        self.configs.iter().any(|config| {
            let behind = || self.publishes.iter().filter(may_be_later);
            let by_count = config.max_msgs > 0 && behind().count() as i64 >= config.max_msgs;
            let per_subject = config.max_msgs_per_subject;
            let by_subject = per_subject > 0 && behind().filter(on_subject).count() as i64 >= per_subject;
            by_count || by_subject || config.max_bytes > 0
        })
    }

    /// Everything that is there, against everything that was promised.
    pub fn audit(
        &self,
        model: &Model,
        name: &str,
        found: &[(u64, OpId)],
        last_seq: u64,
        now: WallTime,
    ) -> Verdict {
        let here: BTreeSet<u64> = found.iter().map(|(seq, _)| *seq).collect();
        for (seq, id) in found {
            if self.must_be_gone(model, *seq, *id) && !model.is_damaged_anywhere {
                return Err(format!("{name} has message {seq} again, which was deleted or purged"));
            }
        }
        // Its deletion may be lost in the catalog, and not on its own disk: then it is there again, and empty.
        let is_half_deleted = model.is_relaxed && self.deleted == Certainty::Maybe;
        if model.is_damaged || is_half_deleted {
            return Ok(());
        }
        for (seq, (id, _)) in self.seqs.iter().filter(|(seq, _)| !here.contains(seq)) {
            if !self.may_be_gone(model, *seq, *id, now) {
                return Err(format!("{name} has lost message {seq} of operation {id}"));
            }
        }
        if last_seq < self.last_seen() {
            return Err(format!("{name} ends at {last_seq}; sequence {} was seen", self.last_seen()));
        }
        self.check_gaps(model, name, &here, last_seq, now)?;
        self.check_duplicates(model, name, &here, now)?;
        self.check_limits(model, name, found)
    }

    /// Sequences have no gaps: one that is missing held a publish of unknown outcome that something removed.
    fn check_gaps(
        &self,
        model: &Model,
        name: &str,
        here: &BTreeSet<u64>,
        last_seq: u64,
        now: WallTime,
    ) -> Verdict {
        let open: Vec<OpId> =
            self.publishes.iter().copied().filter(|id| !self.of_op.contains_key(id)).collect();
        let held = |seq| open.iter().any(|id| self.may_be_gone(model, seq, *id, now));
        let mut missing = (1..=last_seq).filter(|seq| !here.contains(seq) && !self.seqs.contains_key(seq));
        match missing.find(|seq| !held(*seq)) {
            Some(seq) => Err(format!("{name} has a gap at {seq}")),
            None => Ok(()),
        }
    }

    /// Where a pub ack said that the original is, there it is.
    fn check_duplicates(&self, model: &Model, name: &str, here: &BTreeSet<u64>, now: WallTime) -> Verdict {
        for (seq, msg_id) in &self.duplicates {
            let at = self.seqs.get(seq).and_then(|(id, _)| model.ops.get(id));
            match at.map(|op| &op.kind) {
                Some(Kind::Publish(publish)) if publish.msg_id.as_ref() != Some(msg_id) => {
                    return Err(format!(
                        "{name} told that message id {msg_id} is at {seq}, where another one is"
                    ));
                }
                Some(_) => {}
                None if here.contains(seq) => {}
                None => {
                    let originals = self.publishes.iter().filter(|id| {
                        let publish = model.ops.get(id).map(|op| &op.kind);
                        matches!(publish, Some(Kind::Publish(p)) if p.msg_id.as_ref() == Some(msg_id))
                    });
                    let mut originals = originals.copied();
                    if !originals.any(|id| self.may_be_gone(model, *seq, id, now)) {
                        return Err(format!(
                            "{name} has lost message {seq} with id {msg_id}, told to be there"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn check_limits(&self, model: &Model, name: &str, found: &[(u64, OpId)]) -> Verdict {
        let certain = self.configs.len() == 1;
        if certain && self.config.max_msgs > 0 && found.len() as i64 > self.config.max_msgs {
            return Err(format!("{name} has {} messages, more than its limit", found.len()));
        }
        let mut on: BTreeMap<&str, i64> = BTreeMap::new();
        for (_, id) in found {
            *on.entry(self.subject_of(model, *id).unwrap_or_default()).or_default() += 1;
        }
        let per_subject = self.config.max_msgs_per_subject;
        match on.into_iter().find(|(_, count)| certain && per_subject > 0 && *count > per_subject) {
            Some((subject, count)) => {
                Err(format!("{name} has {count} messages on {subject}, more than its limit"))
            }
            None => Ok(()),
        }
    }
}

fn matches(filter: &str, subject: &str) -> bool {
    filter.is_empty() || subject::matches(filter.as_bytes(), subject.as_bytes())
}
