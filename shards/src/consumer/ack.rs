//! Acknowledgements of clients (NATS ADR-15; nats-server, server/consumer.go: `processAck`).

use super::ack_subject::AckSubject;
use super::config::AckPolicy;
use super::fetch_request;
use super::{Consumer, Mode, ProgressChange};
use crate::go_duration;
use crate::hashing::hash_bytes;
use crate::subscribers::{Advisory, Subscribers};
use crate::time::{Now, WallTime};
use std::borrow::Cow;
use std::time::Duration;

/// What is owed for a consumer ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckOutcome<'a> {
    /// Nothing.
    Done,
    /// An empty message to the ack's reply subject, once all progress so far is synced (at once if the consumer is not
    /// logged).
    Reply,
    /// `+NXT`: a pull request with this payload for the ack's reply subject, to be handed to `handle_fetch` once all
    /// progress so far is synced.
    Fetch(&'a [u8]),
    /// Nobody listens on this subject: `503` if the asker wants it.
    NoAckListener,
}

impl Consumer {
    /// A message to an ack subject of this consumer. The caller has found the consumer by it, and in its long form checked
    /// the account hash.
    pub fn handle_ack<'a>(
        &mut self,
        now: Now,
        ack: &AckSubject<'_>,
        payload: &'a [u8],
        reply_wanted: bool,
        out: &mut impl Subscribers,
    ) -> AckOutcome<'a> {
        if self.settings.ack_policy == AckPolicy::None {
            return AckOutcome::NoAckListener;
        }
        self.last_acked = now.wall;
        self.show_life(now);
        let answered = match payload {
            b"" | b"+ACK" | b"+OK" => self.acknowledge(now, ack, true, out),
            b"+WPI" => self.in_progress(now, ack.stream_seq),
            _ => {
                if let Some(request) = payload.strip_prefix(b"+NXT") {
                    self.acknowledge(now, ack, true, out);
                    return if reply_wanted { AckOutcome::Fetch(request) } else { AckOutcome::Done };
                }
                if let Some(reason) = payload.strip_prefix(b"+TERM") {
                    self.terminate(now, ack, reason.trim_ascii(), out)
                } else if let Some(delay) = payload.strip_prefix(b"-NAK") {
                    self.nak(now, ack, delay.trim_ascii(), out)
                } else {
                    true
                }
            }
        };
        let names_a_message = ack.stream_seq != 0;
        if answered && reply_wanted && names_a_message { AckOutcome::Reply } else { AckOutcome::Done }
    }

    /// A message to `$JS.FC.<stream>.<consumer>.<token>`: the client has come to the request for flow control. `subject`
    /// is the whole subject.
    pub fn handle_flow_control(&mut self, subject: &[u8]) {
        if let Mode::Push(push) = &mut self.mode
            && let Some(window) = &mut push.window
        {
            window.handle_reply(subject);
        }
    }

    /// False if the message was never delivered by this state: then there is no answer.
    fn acknowledge(
        &mut self,
        now: Now,
        ack: &AckSubject<'_>,
        sampled: bool,
        out: &mut impl Subscribers,
    ) -> bool {
        let seq = ack.stream_seq;
        if seq >= self.next {
            return false;
        }
        if self.settings.ack_policy == AckPolicy::All {
            let floor = self.state.ack_floor;
            if ack.consumer_seq > floor.consumer_seq && seq > floor.stream_seq {
                // A client can write anything into the subject.
                let consumer_seq = ack.consumer_seq.min(self.state.delivered.consumer_seq);
                self.record(ProgressChange::AckedAll { consumer_seq, stream_seq: seq });
            }
        } else if self.state.ack_pending.contains(seq) {
            if sampled {
                self.sample(now, ack, out);
            }
            self.record(ProgressChange::Acked { stream_seq: seq, count: 1 });
        } else if self.state.redelivered.contains_key(&seq) {
            self.record(ProgressChange::Acked { stream_seq: seq, count: 1 });
        }
        true
    }

    fn in_progress(&mut self, now: Now, seq: u64) -> bool {
        if self.state.ack_pending.contains(seq) {
            self.record(ProgressChange::Restarted { stream_seq: seq, time: now.wall });
            self.start_ack_timer(now, seq);
        }
        true
    }

    fn terminate(
        &mut self,
        now: Now,
        ack: &AckSubject<'_>,
        reason: &[u8],
        out: &mut impl Subscribers,
    ) -> bool {
        let answered = self.acknowledge(now, ack, false, out);
        let reason = String::from_utf8_lossy(reason);
        self.advise_terminated(ack.stream_seq, ack.consumer_seq, ack.delivery_count, reason, out);
        answered
    }

    fn nak(&mut self, now: Now, ack: &AckSubject<'_>, delay: &[u8], out: &mut impl Subscribers) -> bool {
        let seq = ack.stream_seq;
        let known = ack.consumer_seq > self.state.ack_floor.consumer_seq
            && ack.consumer_seq <= self.state.delivered.consumer_seq
            && self.state.ack_pending.contains(seq);
        if !known {
            return true;
        }
        if out.hears_events(self.account) {
            let (stream, consumer) = self.names();
            let (consumer_seq, deliveries) = (ack.consumer_seq, ack.delivery_count);
            let advisory =
                Advisory::MessageNaked { stream, consumer, consumer_seq, stream_seq: seq, deliveries };
            out.advise(self.account, advisory);
        }
        match nak_delay(delay) {
            Some(delay) => {
                // Stored as a start so long ago, or ahead, that the timer ends after the delay.
                let wait = self.settings.ack_wait_after(self.state.delivery_count(seq) - 1);
                let time = WallTime((now.wall + delay).0.saturating_sub(wait.as_nanos() as u64));
                self.record(ProgressChange::Restarted { stream_seq: seq, time });
                self.postpone(now, seq, delay);
            }
            None => self.queue_redelivery(seq),
        }
        true
    }

    pub(super) fn advise_terminated(
        &self,
        stream_seq: u64,
        consumer_seq: u64,
        deliveries: u64,
        reason: Cow<'_, str>,
        out: &mut impl Subscribers,
    ) {
        if !out.hears_events(self.account) {
            return;
        }
        let ((stream, consumer), reason) = (self.names(), reason.into_owned());
        out.advise(
            self.account,
            Advisory::MessageTerminated { stream, consumer, consumer_seq, stream_seq, deliveries, reason },
        );
    }

    /// The metric of a sampled ack. Which acks are sampled depends on the stream sequence alone.
    fn sample(&self, now: Now, ack: &AckSubject<'_>, out: &mut impl Subscribers) {
        let percent = u64::from(self.settings.sampled);
        if percent == 0 || !out.hears_events(self.account) {
            return;
        }
        let drawn = hash_bytes(&ack.stream_seq.to_le_bytes()) % 100;
        if percent < 100 && drawn > percent {
            return;
        }
        let Some(entry) = self.state.ack_pending.get(ack.stream_seq) else { return };
        let ack_time = u64::try_from((now.wall - entry.started).as_nanos()).unwrap_or(u64::MAX);
        let (stream, consumer) = self.names();
        out.advise(
            self.account,
            Advisory::AckSample {
                stream,
                consumer,
                consumer_seq: ack.consumer_seq,
                stream_seq: ack.stream_seq,
                ack_time,
                deliveries: ack.delivery_count,
            },
        );
    }
}

/// What follows `-NAK`: `{"delay":<nanoseconds>}` or a duration as text. `None`: no delay, or not readable.
fn nak_delay(text: &[u8]) -> Option<Duration> {
    let nanoseconds = match text.first()? {
        b'{' => fetch_request::delay(text)?,
        _ => go_duration::parse(text)?,
    };
    Some(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)))
}

#[cfg(test)]
#[path = "ack_test.rs"]
mod tests;
