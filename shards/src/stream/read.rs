//! Which messages a get means. Their bytes are read by the shard.

use super::Stream;
use super::select::{DirectGet, Selector};
use crate::ids::StreamSeq;
use crate::limits::{DIRECT_BATCH_MAX, MULTI_LAST_MAX};
use crate::messages::{Messages, SubjectFilter, SubjectId};
use crate::subject;

/// What a direct get means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Direct {
    /// One message.
    One(StreamSeq),
    /// Messages of a batch or multi get, then the end.
    Many(Selection),
    /// 404; `multi`: `No Results`, else `Message Not Found`.
    NotFound { multi: bool },
    /// 413.
    TooManyResults,
}

/// The messages of a batch or multi get, at one point in time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub messages: Vec<Selected>,
    /// Matching messages left behind the last one.
    pub num_pending: u64,
    /// The last one, 0 if none.
    pub last_seq: StreamSeq,
    /// Only of a multi get.
    pub up_to_seq: Option<u64>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    pub seq: StreamSeq,
    /// Matching messages left behind this one.
    pub num_pending: u64,
}

impl Stream {
    /// The message that a get asks for.
    pub fn find(&self, select: &Selector) -> Option<StreamSeq> {
        match select {
            Selector::Seq(seq) => self.index.contains(*seq).then_some(StreamSeq(*seq)),
            Selector::LastBySubject(subject) => self.last_on(subject.as_bytes()),
            Selector::NextBySubject { subject, seq } => self.next_on(subject, *seq),
            Selector::NextBySubjectFrom { subject, time } => self.next_on(subject, self.seq_at(*time).0),
            Selector::FromTime(time) => self.find(&Selector::Seq(self.seq_at(*time).0)),
        }
    }

    /// The messages that a direct get asks for. `max_bytes_default`: where the request names none. Bytes of subject,
    /// headers and payload; the message that reaches the limit is the last one.
    /// Source: nats-server, server/stream.go (`getDirectRequest`, `getDirectMulti`).
    pub fn direct(&self, get: &DirectGet, max_bytes_default: u64) -> Direct {
        let or_default = |max_bytes: u64| if max_bytes == 0 { max_bytes_default } else { max_bytes };
        match get {
            DirectGet::One { select } => {
                self.find(select).map_or(Direct::NotFound { multi: false }, Direct::One)
            }
            DirectGet::Batch { select, batch, max_bytes } => {
                self.direct_batch(select, *batch, or_default(*max_bytes))
            }
            DirectGet::MultiLast { subjects, up_to_seq, up_to_time, seq, batch, max_bytes } => {
                let up_to_seq = match up_to_time {
                    Some(time) => self.seq_at(*time).0.saturating_sub(1),
                    None if *up_to_seq == 0 => self.committed.last_seq,
                    None => *up_to_seq,
                };
                self.direct_multi(subjects, up_to_seq, *seq, *batch, or_default(*max_bytes))
            }
        }
    }

    fn direct_batch(&self, select: &Selector, batch: u64, max_bytes: u64) -> Direct {
        let first = match select {
            // A batch steps over what was deleted, also at its start.
            Selector::Seq(seq) => self.next_on(">", *seq),
            _ => self.find(select),
        };
        let Some(first) = first else { return Direct::NotFound { multi: false } };
        let pattern = match select {
            Selector::NextBySubject { subject, .. } | Selector::NextBySubjectFrom { subject, .. } => subject,
            _ => ">",
        };
        let mut filter = Patterns::new(&[pattern]);
        let mut selection =
            Selection { num_pending: self.count_from(&mut filter, first), ..Selection::default() };
        let mut budget = Budget::new(batch, max_bytes);
        let mut next = Some(first);
        while let Some(seq) = next {
            if !budget.take(self, seq) {
                break;
            }
            selection.push(seq);
            next = self.next(&mut filter, StreamSeq(seq.0 + 1));
        }
        Direct::Many(selection)
    }

    fn direct_multi(
        &self,
        patterns: &[String],
        up_to_seq: u64,
        from: u64,
        batch: u64,
        max_bytes: u64,
    ) -> Direct {
        let seqs = self.last_per_subject_up_to(&mut Patterns::new(patterns), StreamSeq(up_to_seq));
        if seqs.len() > MULTI_LAST_MAX {
            return Direct::TooManyResults;
        }
        if seqs.is_empty() {
            return Direct::NotFound { multi: true };
        }
        let wanted: Vec<StreamSeq> = seqs.into_iter().filter(|seq| seq.0 >= from).collect();
        let mut selection = Selection {
            num_pending: wanted.len() as u64,
            up_to_seq: Some(up_to_seq),
            ..Selection::default()
        };
        let mut budget = Budget::new(if batch == 0 { u64::MAX } else { batch }, max_bytes);
        for seq in wanted {
            if !budget.take(self, seq) {
                break;
            }
            selection.push(seq);
        }
        Direct::Many(selection)
    }

    /// Last message at or below `up_to` of every matching subject, ascending. Ends early when there are more than
    /// `MULTI_LAST_MAX`.
    pub fn last_per_subject_up_to(&self, filter: &mut dyn SubjectFilter, up_to: StreamSeq) -> Vec<StreamSeq> {
        let subjects = &self.index.subjects;
        let last = |id: SubjectId| subjects.at_or_below(id, up_to.0).map(StreamSeq);
        let literals: Option<Vec<StreamSeq>> =
            self.literals(filter.patterns()).map(|ids| ids.filter_map(last).collect());
        let mut seqs = literals.unwrap_or_else(|| {
            let (all, epoch) = (filter.is_all(), subjects.epoch());
            let matching = subjects.iter().filter(|&(id, name)| all || filter.matches(epoch, id, name));
            matching.filter_map(|(id, _)| last(id)).take(MULTI_LAST_MAX + 1).collect()
        });
        seqs.sort_unstable();
        seqs.dedup();
        seqs
    }

    fn next_on(&self, pattern: &str, from: u64) -> Option<StreamSeq> {
        self.next(&mut Patterns::new(&[pattern]), StreamSeq(from))
    }
}

impl Selection {
    fn push(&mut self, seq: StreamSeq) {
        self.num_pending = self.num_pending.saturating_sub(1);
        self.last_seq = seq;
        self.messages.push(Selected { seq, num_pending: self.num_pending });
    }
}

/// How much more a reply may hold.
struct Budget {
    messages: u64,
    bytes: u64,
}

impl Budget {
    fn new(messages: u64, bytes: u64) -> Budget {
        Budget { messages: messages.min(DIRECT_BATCH_MAX as u64), bytes }
    }

    /// Whether this message still goes out.
    fn take(&mut self, stream: &Stream, seq: StreamSeq) -> bool {
        if self.messages == 0 || self.bytes == 0 {
            return false;
        }
        let len = stream.index.get(seq.0).map_or(0, |message| message.shape.message_len());
        self.messages -= 1;
        self.bytes = self.bytes.saturating_sub(len);
        true
    }
}

/// A filter without a memory. A pattern that is not valid matches nothing.
struct Patterns {
    patterns: Box<[Box<str>]>,
    is_all: bool,
}

impl Patterns {
    fn new(patterns: &[impl AsRef<str>]) -> Self {
        let valid = patterns.iter().map(AsRef::as_ref).filter(|text| subject::is_valid(text.as_bytes()));
        let patterns: Box<[Box<str>]> = valid.map(Box::from).collect();
        let is_all = patterns.iter().any(|pattern| &**pattern == ">");
        Patterns { patterns, is_all }
    }
}

impl SubjectFilter for Patterns {
    fn is_all(&self) -> bool {
        self.is_all
    }

    fn patterns(&self) -> &[Box<str>] {
        &self.patterns
    }

    fn matches(&mut self, _epoch: u64, _id: SubjectId, subject: &[u8]) -> bool {
        self.patterns.iter().any(|pattern| subject::matches(pattern.as_bytes(), subject))
    }
}
