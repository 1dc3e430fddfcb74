//! What applying a change did, for the consumers of the stream.

use crate::ids::StreamSeq;
use crate::limits::EFFECTS_REMOVED_MAX;
use crate::messages::SubjectId;

/// Filled by `Stream::apply`, read by the shard after each entry, then cleared for reuse. Lives on: its shard's core.
#[derive(Debug, Default)]
pub struct Effects {
    /// First and last sequence stored.
    stored: Option<(StreamSeq, StreamSeq)>,
    removed: Vec<RemovedRun>,
    purges: Vec<Purge>,
    /// Subjects of `removed` and filters of `purges`.
    names: Vec<u8>,
    overflow: bool,
}

/// Why messages left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A limit on count or bytes, of the stream or of the subject.
    Limit,
    /// `max_age` or the message's own time to live.
    Expired,
    /// `Nats-Rollup` of a later message.
    Rollup,
    /// A request to delete one message.
    Deleted,
}

/// Neighbouring messages on one subject that left for one reason.
#[derive(Clone, Copy, Debug)]
pub struct RemovedRun {
    pub first: StreamSeq,
    pub last: StreamSeq,
    pub reason: Reason,
    pub subject: SubjectId,
    name_at: u32,
    name_len: u32,
}

/// A purge that was applied.
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// Messages that went.
    pub purged: u64,
    filter_at: u32,
    filter_len: u32,
}

impl Effects {
    /// First and last sequence stored since the last `clear`.
    pub fn stored(&self) -> Option<(StreamSeq, StreamSeq)> {
        self.stored
    }

    /// What left for any other reason than a purge, in the order in which it did. A `SubjectId` in it may already belong
    /// to nobody; the name is still in `subject_of`.
    pub fn removed(&self) -> &[RemovedRun] {
        &self.removed
    }

    /// Subject of the messages of a run.
    pub fn subject_of(&self, run: &RemovedRun) -> &[u8] {
        &self.names[run.name_at as usize..][..run.name_len as usize]
    }

    /// Purges, in order. What they removed is not in `removed`.
    pub fn purges(&self) -> &[Purge] {
        &self.purges
    }

    /// Filter of a purge; empty: every subject.
    pub fn filter_of(&self, purge: &Purge) -> &[u8] {
        &self.names[purge.filter_at as usize..][..purge.filter_len as usize]
    }

    /// True: more left than `removed` may hold, so that it is not complete; consumers count again, as after a purge.
    pub fn overflow(&self) -> bool {
        self.overflow
    }

    /// Empties everything and keeps the memory.
    pub fn clear(&mut self) {
        self.stored = None;
        self.removed.clear();
        self.purges.clear();
        self.names.clear();
        self.overflow = false;
    }

    pub(super) fn store(&mut self, seq: StreamSeq) {
        self.stored = Some((self.stored.map_or(seq, |(first, _)| first), seq));
    }

    pub(super) fn remove(&mut self, seq: StreamSeq, reason: Reason, subject: SubjectId, name: &[u8]) {
        if let Some(run) = self.removed.last_mut()
            && run.last.0 + 1 == seq.0
            && (run.subject, run.reason) == (subject, reason)
            && &self.names[run.name_at as usize..][..run.name_len as usize] == name
        {
            run.last = seq;
            return;
        }
        if self.removed.len() >= EFFECTS_REMOVED_MAX {
            return self.overflow_removed();
        }
        let (name_at, name_len) = self.keep(name);
        self.removed.push(RemovedRun { first: seq, last: seq, reason, subject, name_at, name_len });
    }

    pub(super) fn overflow_removed(&mut self) {
        self.overflow = true;
    }

    pub(super) fn purge(&mut self, filter: &[u8], purged: u64) {
        let (filter_at, filter_len) = self.keep(filter);
        self.purges.push(Purge { purged, filter_at, filter_len });
    }

    fn keep(&mut self, name: &[u8]) -> (u32, u32) {
        let at = self.names.len() as u32;
        self.names.extend_from_slice(name);
        (at, name.len() as u32)
    }
}
