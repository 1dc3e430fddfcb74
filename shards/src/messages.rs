//! What a consumer may ask of its stream's committed messages.
//! May import: ids, time, subject.
//! Must not know: where messages are stored.

use crate::ids::StreamSeq;
use crate::time::WallTime;

/// Number of a subject within its stream, for caches of match results. May be given to another subject after its last
/// message has gone; `Messages::subject_epoch` moves when that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubjectId(pub u32);

/// Decides which subjects a consumer wants. Implemented by the consumer's filter, which remembers by `SubjectId`.
pub trait SubjectFilter {
    /// True if everything matches: then no subject is looked at.
    fn is_all(&self) -> bool;

    /// The patterns; empty if `is_all`. A stream uses them to find matching subjects without asking about each message.
    fn patterns(&self) -> &[Box<str>];

    /// Whether a subject matches. `epoch` is the stream's `subject_epoch`.
    fn matches(&mut self, epoch: u64, id: SubjectId, subject: &[u8]) -> bool;
}

/// The committed messages of one stream. No method does I/O.
pub trait Messages {
    /// Sequence of the first message; last + 1 if there is none (0 for a stream that never had one).
    fn first_seq(&self) -> StreamSeq;
    /// Sequence of the last message ever stored.
    fn last_seq(&self) -> StreamSeq;
    /// Messages present.
    fn count(&self) -> u64;
    /// Whether this message is present.
    fn contains(&self, seq: StreamSeq) -> bool;
    /// Its timestamp, if present.
    fn time(&self, seq: StreamSeq) -> Option<WallTime>;
    /// Its subject, if present.
    fn subject(&self, seq: StreamSeq) -> Option<(SubjectId, &[u8])>;
    /// Moves whenever a `SubjectId` is given to another subject.
    fn subject_epoch(&self) -> u64;
    /// First present and matching message at or above `from`.
    fn next(&self, filter: &mut dyn SubjectFilter, from: StreamSeq) -> Option<StreamSeq>;
    /// Last present message that matches.
    fn last(&self, filter: &mut dyn SubjectFilter) -> Option<StreamSeq>;
    /// Number of present and matching messages at or above `from`.
    fn count_from(&self, filter: &mut dyn SubjectFilter, from: StreamSeq) -> u64;
    /// Last message of every matching subject, ascending.
    fn last_per_subject(&self, filter: &mut dyn SubjectFilter) -> Vec<StreamSeq>;
    /// First message at or after `time`; last + 1 if there is none.
    fn seq_at(&self, time: WallTime) -> StreamSeq;
    /// The stream's `max_msgs_per_subject`; -1: no limit.
    fn max_msgs_per_subject(&self) -> i64;
}

/// A stored message, as slices of wherever it is.
#[derive(Clone, Copy, Debug)]
pub struct MessageView<'a> {
    pub seq: StreamSeq,
    pub time: WallTime,
    pub subject: &'a [u8],
    /// The whole header block; empty: none.
    pub headers: &'a [u8],
    pub payload: &'a [u8],
}
