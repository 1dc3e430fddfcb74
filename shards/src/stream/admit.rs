//! What becomes of a publish: a sequence, or a refusal.
//!
//! The checks are those of a replicated stream of nats-server, in its order (server/jetstream_batching.go,
//! `checkMsgHeadersPreClusteredProposal`). Everything is judged against the committed state and what is in flight, and an
//! answer says on which sequence in flight it rests. `Nats-Expected-Last-Msg-Id` is checked here too and not after the
//! commit, where nats-server stops the stream.

use super::Stream;
use super::config::Discard;
use super::in_flight::{Added, InFlightRun};
use super::index::shape::Shape;
use super::msg_ids::{MsgId, Seen};
use super::publish_headers::{PublishHeaders, is_increment, parse_number};
use super::ttl;
use crate::ids::StreamSeq;
use crate::limits::PLAIN_LEN_MAX;
use crate::record::{HEADER_BLOCK_LEN_MAX, Record, Rollup, SUBJECT_LEN_MAX, StoredHeaders, Ttl, encoded_len};
use crate::rejection::Rejection;
use crate::subject;
use crate::time::{Now, WallTime};

/// A message that wants to be stored, as slices of a read buffer.
#[derive(Clone, Copy, Debug)]
pub struct Publish<'a> {
    pub subject: &'a [u8],
    /// Empty: none.
    pub reply: &'a [u8],
    /// The whole header block as it was sent; empty: none.
    pub headers: &'a [u8],
    pub payload: &'a [u8],
}

/// What becomes of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is stored as described; its pub ack leaves when the entry that holds it is applied.
    Store(Admitted),
    /// Its message id was seen within the duplicate window: a pub ack with the original's sequence, once `rests_on` is
    /// applied.
    Duplicate { seq: StreamSeq, rests_on: StreamSeq },
    /// An error, once `rests_on` is applied (0: at once).
    Refused { rejection: Rejection, rests_on: StreamSeq },
}

/// A message that got a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub seq: StreamSeq,
    pub time: WallTime,
    /// Length of its record. Bytes.
    pub record_len: usize,
    rollup: Rollup,
    ttl: Ttl,
    has_msg_id: bool,
}

impl Admitted {
    /// What to write; `publish` is the one that was admitted.
    pub fn record<'a>(&self, publish: &Publish<'a>) -> Record<'a> {
        AdmittedRun::from(*self).record(0, publish)
    }
}

/// Messages that got sequences, one behind the other: in time, too, by a nanosecond. One that asks for something is alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmittedRun {
    first: Admitted,
    pub count: u32,
    /// Sum of the lengths of the records. Bytes.
    pub records_len: usize,
}

impl From<Admitted> for AdmittedRun {
    fn from(alone: Admitted) -> Self {
        AdmittedRun { first: alone, count: 1, records_len: alone.record_len }
    }
}

impl AdmittedRun {
    /// None yet, that ask for nothing besides being stored, and with a message id not to be stored twice.
    pub(super) fn new(seq: StreamSeq, time: WallTime, has_msg_id: bool) -> Self {
        let (rollup, ttl) = (Rollup::None, Ttl::None);
        let first = Admitted { seq, time, record_len: 0, rollup, ttl, has_msg_id };
        AdmittedRun { first, count: 0, records_len: 0 }
    }

    /// Whether each has a message id; otherwise, none has.
    pub(super) fn has_msg_id(&self) -> bool {
        self.first.has_msg_id
    }

    /// Sequence of the message behind so many others.
    #[inline]
    pub fn seq(&self, nth: u32) -> StreamSeq {
        StreamSeq(self.first.seq.0 + u64::from(nth))
    }

    /// What to write of it; `publish` is the one that was admitted.
    #[inline]
    pub fn record<'a>(&self, nth: u32, publish: &Publish<'a>) -> Record<'a> {
        Record {
            seq: self.seq(nth),
            time: WallTime(self.first.time.0 + u64::from(nth)),
            subject: publish.subject,
            headers: StoredHeaders::of(publish.headers),
            payload: publish.payload,
            rollup: self.first.rollup,
            ttl: self.first.ttl,
            has_msg_id: self.first.has_msg_id,
        }
    }
}

/// A refusal or a duplicate, and the sequence in flight on which it rests, 0 if none.
enum No {
    Refused(Rejection, u64),
    Duplicate(Seen),
}

impl From<Rejection> for No {
    /// A refusal that no other message has to do with.
    fn from(rejection: Rejection) -> No {
        No::Refused(rejection, 0)
    }
}

/// What the headers ask for.
#[derive(Default)]
struct Asked<'a> {
    rollup: Rollup,
    ttl: Ttl,
    /// Empty: none.
    msg_id: &'a [u8],
    /// To be remembered for the duplicate window.
    remember: Option<MsgId>,
    /// Message id that the last message must have; empty: any.
    behind: &'a [u8],
}

impl Stream {
    /// Decides about a publish. `has_room`: false while disk or memory take no more messages.
    pub fn admit(&mut self, now: Now, publish: &Publish<'_>, has_room: bool) -> Admission {
        let time = self.next_time(now);
        match self.decide(time, publish, has_room) {
            Ok((asked, added)) => Admission::Store(self.take(now, time, publish, &asked, added)),
            Err(No::Duplicate(seen)) => {
                Admission::Duplicate { seq: StreamSeq(seen.seq), rests_on: self.unless_committed(seen.seq) }
            }
            Err(No::Refused(rejection, seq)) => {
                Admission::Refused { rejection, rests_on: self.unless_committed(seq) }
            }
        }
    }

    /// Admits the publishes in front that ask for nothing and against which nothing can be said if there is room, up to
    /// `PLAIN_LEN_MAX` of them: the short way of most messages, with the outcome of `admit` for each. `fits`: whether there is room
    /// for a message of so many bytes behind records of so many. None: the first is not like that.
    pub fn admit_plain<'a>(
        &mut self,
        now: Now,
        publishes: impl Iterator<Item = Publish<'a>>,
        fits: impl Fn(usize, usize) -> bool,
    ) -> Option<AdmittedRun> {
        if !self.has_short_way() {
            return None;
        }
        let max_msg_size = usize::try_from(self.config.max_msg_size).unwrap_or(usize::MAX);
        let first = (self.in_flight.last_seq + 1, self.next_time(now));
        let mut run = InFlightRun::default();
        let (mut count, mut records_len) = (0, 0);
        for publish in publishes {
            let Publish { subject, headers, payload, .. } = publish;
            let is_plain = headers.is_empty()
                && payload.len() <= max_msg_size
                && subject.len() <= SUBJECT_LEN_MAX
                && !is_fast_batch(&publish);
            let record_len = encoded_len(subject.len(), 0, payload.len(), false);
            let is_long = count > 0 && records_len + record_len > PLAIN_LEN_MAX;
            if !is_plain || is_long || !fits(records_len, subject.len() + payload.len()) {
                break;
            }
            if run.count == 0 || run.subject != subject {
                self.in_flight.push_run(run);
                run = InFlightRun { first: first.0 + u64::from(count), count: 0, subject };
            }
            run.count += 1;
            count += 1;
            records_len += record_len;
        }
        if count == 0 {
            return None;
        }
        self.in_flight.push_run(run);
        // Behind the first, which is not older than the clock, each is a nanosecond younger than the one before.
        self.in_flight.last_time = first.1.0 + u64::from(count) - 1;
        self.schedule_expiry(now, Ttl::None);
        Some(AdmittedRun { count, records_len, ..AdmittedRun::new(StreamSeq(first.0), first.1, false) })
    }

    /// Whether a message that asks for nothing is never refused for what is in the stream.
    pub(super) fn has_short_way(&self) -> bool {
        !self.config.sealed && self.config.discard != Discard::New
    }

    /// Timestamps ascend, whatever the clock does.
    pub(super) fn next_time(&self, now: Now) -> WallTime {
        WallTime(now.wall.0.max(self.in_flight.last_time + 1))
    }

    fn decide<'a>(
        &self,
        time: WallTime,
        publish: &Publish<'a>,
        has_room: bool,
    ) -> Result<(Asked<'a>, Added), No> {
        let headers_len = StoredHeaders::of(publish.headers).len();
        if self.config.sealed {
            return Err(Rejection::StreamSealed.into());
        }
        if !has_room {
            return Err(Rejection::InsufficientResources.into());
        }
        let message_len = headers_len + publish.payload.len();
        if self.config.max_msg_size >= 0 && message_len as u64 > self.config.max_msg_size.unsigned_abs() {
            return Err(Rejection::MessageExceedsMaximum.into());
        }
        if is_fast_batch(publish) {
            return Err(Rejection::Code(FAST_BATCH_DISABLED).into());
        }
        if publish.subject.len() > SUBJECT_LEN_MAX {
            return Err(Rejection::StreamStoreFailed("message too large".into()).into());
        }
        let asked = if publish.headers.is_empty() {
            Asked::default()
        } else {
            self.check_headers(time, publish.subject, headers_len, &PublishHeaders::of(publish.headers))?
        };
        let shape = Shape::new(publish.subject.len(), headers_len, publish.payload.len(), false);
        let mut added = Added::default();
        if self.config.discard == Discard::New {
            added = self.check_room(publish.subject, shape, asked.rollup)?;
        }
        if !asked.behind.is_empty() && asked.behind != self.in_flight.last_msg_id() {
            let last = String::from_utf8_lossy(self.in_flight.last_msg_id()).into_owned();
            return Err(No::Refused(Rejection::WrongLastMsgId(last), self.in_flight.last_seq));
        }
        Ok((asked, added))
    }

    fn check_headers<'a>(
        &self,
        time: WallTime,
        on: &[u8],
        headers_len: usize,
        headers: &PublishHeaders<'a>,
    ) -> Result<Asked<'a>, No> {
        if !headers.batch_id.is_empty() {
            return Err(Rejection::Code(ATOMIC_BATCH_DISABLED).into());
        }
        if headers_len > HEADER_BLOCK_LEN_MAX {
            return Err(Rejection::HeaderExceedsMaximum.into());
        }
        let (msg_id, behind) = (headers.msg_id, headers.expected_last_msg_id);
        let mut asked = Asked { msg_id, behind, ..Asked::default() };
        if !headers.incr.is_empty() {
            let valid = is_increment(headers.incr);
            return Err(Rejection::Code(if valid { COUNTER_DISABLED } else { INCREMENT_INVALID }).into());
        }
        if !headers.expected_stream.is_empty() && headers.expected_stream != self.config.name.as_bytes() {
            return Err(Rejection::StreamNotMatch.into());
        }
        if !headers.ttl.is_empty() {
            if !self.config.allow_msg_ttl {
                return Err(Rejection::TtlDisabled.into());
            }
            asked.ttl = ttl::parse(headers.ttl).ok_or(Rejection::TtlInvalid)?;
        }
        if !headers.msg_id.is_empty() && self.duplicate_window() > 0 {
            let id = MsgId::of(headers.msg_id);
            let since = self.committed.ids_since.max(time.0.saturating_sub(self.duplicate_window()));
            if let Some(seen) = self.ids.as_ref().and_then(|ids| ids.find(id, since)) {
                return Err(No::Duplicate(seen));
            }
            if self.ids.as_ref().is_some_and(|ids| ids.is_full()) {
                return Err(Rejection::StreamStoreFailed("too many message ids".into()).into());
            }
            asked.remember = Some(id);
        }
        if !headers.stream_source.is_empty() {
            return Err(Rejection::StreamSourceHeaderReserved.into());
        }
        self.check_expected(on, headers)?;
        if !headers.schedule.is_empty() || !headers.scheduler.is_empty() || !headers.schedule_next.is_empty()
        {
            return Err(Rejection::Code(SCHEDULES_DISABLED).into());
        }
        asked.rollup = self.check_rollup(headers.rollup)?;
        Ok(asked)
    }

    fn check_expected(&self, on: &[u8], headers: &PublishHeaders<'_>) -> Result<(), No> {
        // An unparsable number is a mismatch.
        if !headers.expected_last_seq.is_empty() {
            let last = self.in_flight.last_seq;
            if parse_number(headers.expected_last_seq) != Some(last) {
                return Err(No::Refused(Rejection::WrongLastSequence(last), last));
            }
        }
        let filter = headers.expected_last_subject_seq_subject;
        if headers.expected_last_subject_seq.is_empty() {
            let alone = !filter.is_empty();
            return if alone { Err(Rejection::ExpectedSubjectWithoutSequence.into()) } else { Ok(()) };
        }
        let last = self.admitted_last_on(if filter.is_empty() { on } else { filter });
        if parse_number(headers.expected_last_subject_seq) != Some(last) {
            // What is not there may be so because a rollup in flight removes it.
            let rests_on = last.max(self.in_flight.rollup_all());
            return Err(No::Refused(Rejection::WrongLastSequence(last), rests_on));
        }
        Ok(())
    }

    fn check_rollup(&self, value: &[u8]) -> Result<Rollup, Rejection> {
        if value.is_empty() {
            return Ok(Rollup::None);
        }
        if !self.config.allow_rollup_hdrs || self.config.deny_purge {
            return Err(Rejection::RollupFailed("rollup not permitted".into()));
        }
        if value.eq_ignore_ascii_case(b"sub") {
            return Ok(Rollup::Subject);
        }
        if value.eq_ignore_ascii_case(b"all") {
            return Ok(Rollup::All);
        }
        let value = String::from_utf8_lossy(value).to_ascii_lowercase();
        Err(Rejection::RollupFailed(format!("rollup value invalid: {value:?}").into()))
    }

    /// Last sequence on a subject, or on any that matches a pattern; 0 if there is none.
    fn admitted_last_on(&self, wanted: &[u8]) -> u64 {
        let is_pattern = subject::has_wildcard(wanted);
        if let Some(seq) = self.in_flight.last_on(wanted, is_pattern) {
            return seq;
        }
        if self.in_flight.rollup_all() > 0 {
            return 0;
        }
        self.last_on(wanted).map_or(0, |seq| seq.0)
    }

    /// Limits of a stream that refuses new messages; gives what the message adds.
    fn check_room(&self, on: &[u8], shape: Shape, rollup: Rollup) -> Result<Added, No> {
        let config = &self.config;
        let accounted = |shape: Shape| shape.accounted(config.storage) as i64;
        let mut added = Added { messages: 1, bytes: accounted(shape) };
        if config.max_msgs_per_subject > 0 {
            let committed = self.index.subjects.find(on);
            let in_flight = self.in_flight.count_on(on);
            let count = committed.map_or(0, |id| self.index.subjects.count(id)) + in_flight;
            if count >= config.max_msgs_per_subject.unsigned_abs() {
                if config.discard_new_per_subject && rollup == Rollup::None {
                    return Err(self.full("maximum messages per subject exceeded"));
                }
                // It takes the place of the oldest one; of those in flight only the lengths of the first are known.
                let oldest = committed.filter(|_| in_flight == 0).map(|id| self.index.subjects.first(id));
                let replaced =
                    oldest.and_then(|seq| self.index.get(seq)).map_or(shape, |message| message.shape);
                added = Added { messages: 0, bytes: accounted(shape) - accounted(replaced) };
            }
        }
        let in_flight = self.in_flight.added();
        let messages = self.index.count() + in_flight.messages;
        if config.max_msgs > 0 && added.messages > 0 && messages >= config.max_msgs.unsigned_abs() {
            return Err(self.full("maximum messages exceeded"));
        }
        let bytes = self.committed.bytes as i64 + in_flight.bytes + accounted(shape);
        if config.max_bytes > 0 && added.bytes > 0 && bytes > config.max_bytes {
            return Err(self.full("maximum bytes exceeded"));
        }
        Ok(added)
    }

    fn full(&self, text: &'static str) -> No {
        No::Refused(Rejection::StreamStoreFailed(text.into()), self.in_flight.last_seq)
    }

    /// Gives the message its sequence.
    fn take(
        &mut self,
        now: Now,
        time: WallTime,
        publish: &Publish<'_>,
        asked: &Asked<'_>,
        added: Added,
    ) -> Admitted {
        let seq = self.in_flight.last_seq + 1;
        self.in_flight.push(seq, time.0, publish.subject, asked.msg_id, asked.rollup, added);
        if let Some(id) = asked.remember {
            let window = self.duplicate_window();
            self.ids.get_or_insert_default().insert(Seen { id, seq, time: time.0 }, window);
        }
        self.schedule_expiry(now, asked.ttl);
        let headers_len = StoredHeaders::of(publish.headers).len();
        let has_ttl = asked.ttl != Ttl::None;
        Admitted {
            seq: StreamSeq(seq),
            time,
            record_len: encoded_len(publish.subject.len(), headers_len, publish.payload.len(), has_ttl),
            rollup: asked.rollup,
            ttl: asked.ttl,
            has_msg_id: !asked.msg_id.is_empty(),
        }
    }

    /// The sequence to wait for: 0 if it is committed.
    fn unless_committed(&self, seq: u64) -> StreamSeq {
        StreamSeq(if seq > self.committed.last_seq { seq } else { 0 })
    }
}

pub(super) fn is_fast_batch(publish: &Publish<'_>) -> bool {
    publish.reply.last_chunk() == Some(b".$FI")
}

/// The errors of nats-server for features that a stream does not have.
const INCREMENT_INVALID: u16 = 10171;
const COUNTER_DISABLED: u16 = 10168;
const ATOMIC_BATCH_DISABLED: u16 = 10174;
const SCHEDULES_DISABLED: u16 = 10188;
const FAST_BATCH_DISABLED: u16 = 10205;

#[cfg(test)]
#[path = "admit_test.rs"]
mod tests;
