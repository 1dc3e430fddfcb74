//! The committed messages, as consumers see them.

use super::{Committed, Stream};
use crate::ids::StreamSeq;
use crate::messages::{Messages, SubjectFilter, SubjectId};
use crate::subject;
use crate::time::WallTime;

/// Messages that are looked at one by one before all subjects are asked instead.
const SCAN_MAX: usize = 4096;

impl Messages for Stream {
    fn first_seq(&self) -> StreamSeq {
        StreamSeq(self.committed.first_seq)
    }

    fn last_seq(&self) -> StreamSeq {
        StreamSeq(self.committed.last_seq)
    }

    fn count(&self) -> u64 {
        self.index.count()
    }

    fn contains(&self, seq: StreamSeq) -> bool {
        if self.is_gapless() {
            return (self.committed.first_seq..=self.committed.last_seq).contains(&seq.0);
        }
        self.index.contains(seq.0)
    }

    fn time(&self, seq: StreamSeq) -> Option<WallTime> {
        self.index.get(seq.0).map(|message| message.time)
    }

    fn subject(&self, seq: StreamSeq) -> Option<(SubjectId, &[u8])> {
        let message = self.index.get(seq.0)?;
        Some((message.subject, self.index.name(message.subject)))
    }

    fn subject_epoch(&self) -> u64 {
        self.index.subjects.epoch()
    }

    fn next(&self, filter: &mut dyn SubjectFilter, from: StreamSeq) -> Option<StreamSeq> {
        if filter.is_all() {
            if self.is_gapless() {
                let seq = from.0.max(self.committed.first_seq);
                return (seq <= self.committed.last_seq).then_some(StreamSeq(seq));
            }
            return self.index.at_or_above(from.0).map(StreamSeq);
        }
        let subjects = &self.index.subjects;
        if let Some(ids) = self.literals(filter.patterns()) {
            return ids.filter_map(|id| subjects.at_or_above(id, from.0)).min().map(StreamSeq);
        }
        let epoch = subjects.epoch();
        let mut seq = from.0;
        for _ in 0..SCAN_MAX.max(subjects.len()) {
            let found = self.index.at_or_above(seq)?;
            let (id, last) = self.index.same_subject(found)?;
            if filter.matches(epoch, id, subjects.name(id)) {
                return Some(StreamSeq(found));
            }
            seq = last + 1;
        }
        let matching = subjects.iter().filter(|&(id, name)| filter.matches(epoch, id, name));
        matching.filter_map(|(id, _)| subjects.at_or_above(id, seq)).min().map(StreamSeq)
    }

    fn last(&self, filter: &mut dyn SubjectFilter) -> Option<StreamSeq> {
        if filter.is_all() {
            return self.index.at_or_below(u64::MAX).map(StreamSeq);
        }
        let subjects = &self.index.subjects;
        if let Some(ids) = self.literals(filter.patterns()) {
            return ids.map(|id| StreamSeq(subjects.last(id))).max();
        }
        let matching = subjects.iter().filter(|&(id, name)| filter.matches(subjects.epoch(), id, name));
        matching.map(|(id, _)| StreamSeq(subjects.last(id))).max()
    }

    fn count_from(&self, filter: &mut dyn SubjectFilter, from: StreamSeq) -> u64 {
        if filter.is_all() {
            return self.index.count_from(from.0);
        }
        let subjects = &self.index.subjects;
        if let Some(ids) = self.literals(filter.patterns()) {
            return ids.map(|id| subjects.count_from(id, from.0)).sum();
        }
        let matching = subjects.iter().filter(|&(id, name)| filter.matches(subjects.epoch(), id, name));
        matching.map(|(id, _)| subjects.count_from(id, from.0)).sum()
    }

    fn last_per_subject(&self, filter: &mut dyn SubjectFilter) -> Vec<StreamSeq> {
        let subjects = &self.index.subjects;
        let mut seqs: Vec<StreamSeq> = if let Some(ids) = self.literals(filter.patterns()) {
            ids.map(|id| StreamSeq(subjects.last(id))).collect()
        } else {
            let all = filter.is_all();
            let matching =
                subjects.iter().filter(|&(id, name)| all || filter.matches(subjects.epoch(), id, name));
            matching.map(|(id, _)| StreamSeq(subjects.last(id))).collect()
        };
        seqs.sort_unstable();
        seqs
    }

    fn seq_at(&self, time: WallTime) -> StreamSeq {
        let (mut low, mut high) = (self.committed.first_seq, self.committed.last_seq + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.index.at_or_above(middle).and_then(|seq| self.index.get(seq)) {
                Some(message) if message.time < time => low = message.seq.0 + 1,
                _ => high = middle,
            }
        }
        StreamSeq(self.index.at_or_above(low).unwrap_or(self.committed.last_seq + 1))
    }

    fn max_msgs_per_subject(&self) -> i64 {
        self.config.max_msgs_per_subject
    }
}

impl Stream {
    /// Whether every message from the first to the last is there, as in most streams: then nothing has to be looked up to
    /// know which.
    fn is_gapless(&self) -> bool {
        let Committed { first_seq, last_seq, .. } = self.committed;
        first_seq > 0 && self.index.count() == last_seq.wrapping_sub(first_seq).wrapping_add(1)
    }

    /// Subjects that match a pattern, in the order of their numbers.
    pub(super) fn matching_subjects<'a>(&'a self, pattern: &'a [u8]) -> impl Iterator<Item = SubjectId> + 'a {
        let subjects = self.index.subjects.iter();
        subjects.filter(move |(_, name)| subject::matches(pattern, name)).map(|(id, _)| id)
    }

    /// Last message on a subject, or on any that matches a pattern.
    pub(super) fn last_on(&self, wanted: &[u8]) -> Option<StreamSeq> {
        let subjects = &self.index.subjects;
        if !subject::has_wildcard(wanted) {
            return subjects.find(wanted).map(|id| StreamSeq(subjects.last(id)));
        }
        self.matching_subjects(wanted).map(|id| StreamSeq(subjects.last(id))).max()
    }

    /// The subjects that have messages, if there are patterns and none has a wildcard.
    pub(super) fn literals<'a>(
        &'a self,
        patterns: &'a [Box<str>],
    ) -> Option<impl Iterator<Item = SubjectId> + 'a> {
        let literal =
            !patterns.is_empty() && !patterns.iter().any(|pattern| subject::has_wildcard(pattern.as_bytes()));
        literal.then(|| patterns.iter().filter_map(|pattern| self.index.subjects.find(pattern.as_bytes())))
    }
}
