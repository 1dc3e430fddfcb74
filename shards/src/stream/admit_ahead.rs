//! The short way of publishes with headers that ask for no more than not to be stored twice.
//!
//! Nearly every look-up of a message id misses the caches: the table is large, and hashes are spread over all of it. So the ids of
//! the next publishes are read first, then their places are touched one right behind the other, which has the processor wait
//! for all of them at once, and only then is each decided, in order and on what those before it left.

use super::Stream;
use super::admit::{AdmittedRun, Publish, is_fast_batch};
use super::in_flight::InFlightRun;
use super::msg_ids::{MsgId, Seen};
use super::publish_headers;
use crate::ids::StreamSeq;
use crate::limits::PLAIN_LEN_MAX;
use crate::record::{HEADER_BLOCK_LEN_MAX, SUBJECT_LEN_MAX, StoredHeaders, Ttl, encoded_len};
use crate::time::{Now, WallTime};

/// Publishes that are looked at before the first of them is decided: about as many misses as a processor has under way.
const AHEAD_MAX: usize = 16;

/// What became of the next publishes.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// They are stored.
    Run(AdmittedRun),
    /// One is a duplicate of the message with this sequence.
    Duplicate(StreamSeq),
}

/// A publish that is not decided yet.
#[derive(Clone, Copy, Default)]
struct Ahead<'a> {
    subject: &'a [u8],
    /// Empty: none.
    msg_id: &'a [u8],
    id: MsgId,
    /// Length of its parts as they were sent. Bytes.
    len: usize,
    record_len: usize,
}

impl Stream {
    /// Admits the publishes in front, if there is room, up to the first that asks for more than not to be stored twice or against
    /// which something else can be said: with the outcome of `admit` for each. `fits`: whether there is room for a message of so
    /// many bytes behind records of so many. `take` gets what becomes of them, in order. Returns how many they are.
    pub fn admit_ahead<'a>(
        &mut self,
        now: Now,
        mut publishes: impl Iterator<Item = Publish<'a>>,
        fits: impl Fn(usize, usize) -> bool,
        mut take: impl FnMut(Step),
    ) -> usize {
        if !self.has_short_way() {
            return 0;
        }
        let max_msg_size = usize::try_from(self.config.max_msg_size).unwrap_or(usize::MAX);
        let window = self.duplicate_window();
        let first = (self.in_flight.last_seq + 1, self.next_time(now));
        // Of all that are stored, whatever lies between them.
        let (mut count, mut records_len, mut last_msg_id) = (0, 0, &b""[..]);
        let mut run = AdmittedRun::new(StreamSeq(first.0), first.1, false);
        let mut on_subject = InFlightRun::default();
        let mut done = 0;
        let mut ahead = [Ahead::default(); AHEAD_MAX];
        'all: loop {
            let mut len = 0;
            for (to, publish) in ahead.iter_mut().zip(&mut publishes) {
                let Some(publish) = Ahead::of(&publish, max_msg_size) else { break };
                *to = publish;
                len += 1;
            }
            if let Some(ids) = self.ids.as_ref().filter(|_| len > 1) {
                ids.touch(ahead[..len].iter().map(|publish| publish.id));
            }
            for publish in &ahead[..len] {
                let (seq, time) = (first.0 + count, first.1.0 + count);
                if !fits(records_len, publish.len) {
                    break 'all;
                }
                let has_msg_id = !publish.msg_id.is_empty();
                if has_msg_id && window > 0 {
                    let since = self.committed.ids_since.max(time.saturating_sub(window));
                    let ids = self.ids.get_or_insert_default();
                    if let Some(seen) = ids.find(publish.id, since) {
                        if run.count > 0 {
                            take(Step::Run(run));
                            run.count = 0;
                        }
                        take(Step::Duplicate(StreamSeq(seen.seq)));
                        done += 1;
                        continue;
                    }
                    if ids.is_full() {
                        break 'all;
                    }
                    ids.insert(Seen { id: publish.id, seq, time }, window);
                }
                let is_long = run.records_len + publish.record_len > PLAIN_LEN_MAX;
                if run.count > 0 && (is_long || run.has_msg_id() != has_msg_id) {
                    take(Step::Run(run));
                    run.count = 0;
                }
                if run.count == 0 {
                    run = AdmittedRun::new(StreamSeq(seq), WallTime(time), has_msg_id);
                }
                run.count += 1;
                run.records_len += publish.record_len;
                if on_subject.count == 0 || on_subject.subject != publish.subject {
                    self.in_flight.push_run(on_subject);
                    on_subject = InFlightRun { first: seq, count: 0, subject: publish.subject };
                }
                on_subject.count += 1;
                count += 1;
                records_len += publish.record_len;
                last_msg_id = publish.msg_id;
                done += 1;
            }
            if len < AHEAD_MAX {
                break;
            }
        }
        if run.count > 0 {
            take(Step::Run(run));
        }
        if count > 0 {
            self.in_flight.push_run(on_subject);
            self.in_flight.set_last(first.1.0 + count - 1, last_msg_id);
            self.schedule_expiry(now, Ttl::None);
        }
        done
    }
}

impl<'a> Ahead<'a> {
    /// `None`: the publish may ask for more, or may have to be refused.
    #[inline]
    fn of(publish: &Publish<'a>, max_msg_size: usize) -> Option<Self> {
        let Publish { subject, headers, payload, .. } = *publish;
        if headers.is_empty() {
            return None;
        }
        let headers_len = StoredHeaders::of(headers).len();
        let is_sound = headers_len <= HEADER_BLOCK_LEN_MAX
            && headers_len + payload.len() <= max_msg_size
            && subject.len() <= SUBJECT_LEN_MAX
            && !is_fast_batch(publish);
        if !is_sound {
            return None;
        }
        let msg_id = publish_headers::only_msg_id(headers)?;
        let id = if msg_id.is_empty() { MsgId::default() } else { MsgId::of(msg_id) };
        let len = subject.len() + headers.len() + payload.len();
        let record_len = encoded_len(subject.len(), headers_len, payload.len(), false);
        Some(Ahead { subject, msg_id, id, len, record_len })
    }
}
