//! What happens to the stream, as it concerns the consumer (nats-server, server/consumer.go: `decStreamPending`, `purge`).

use super::filter::Filter;
use super::{Consumer, Mode, ProgressChange};
use crate::ids::StreamSeq;
use crate::messages::{Messages, SubjectFilter, SubjectId};
use crate::subscribers::Subscribers;
use crate::time::Now;

/// A message that has left the stream for any other reason than a purge.
#[derive(Clone, Copy, Debug)]
pub struct Removed<'a> {
    pub seq: StreamSeq,
    /// Unknown: a filtered consumer counts again.
    pub subject: Option<(SubjectId, &'a [u8])>,
}

/// What a purge removed.
#[derive(Clone, Copy, Debug)]
pub struct Purged<'a> {
    /// Filter of the purge; empty: every subject.
    pub subject: &'a str,
}

impl Consumer {
    /// Messages `first..=last` of the stream were committed. To be told before what their commit removed.
    pub fn handle_stored(&mut self, first: StreamSeq, last: StreamSeq, messages: &impl Messages) {
        let Some(known) = self.num_pending else { return };
        // A start that lies ahead of the stream: counted when somebody asks.
        if self.next > first.0 {
            self.num_pending = None;
            return;
        }
        if self.filter.is_all() {
            self.num_pending = Some(known + (last.0 - first.0 + 1));
            return;
        }
        let mut matching = 0;
        for seq in first.0..=last.0 {
            let Some((id, subject)) = messages.subject(StreamSeq(seq)) else {
                // Removed by the same commit.
                self.num_pending = None;
                return;
            };
            matching += u64::from(self.filter.matches(messages.subject_epoch(), id, subject));
        }
        self.num_pending = Some(known + matching);
    }

    /// A message was deleted, expired or pushed out by a limit.
    pub fn handle_removed(&mut self, removed: Removed<'_>, out: &mut impl Subscribers) {
        let seq = removed.seq.0;
        if seq >= self.next {
            self.uncount(removed);
        } else if self.state.ack_pending.contains(seq) {
            // As nats-server counts here: without the first delivery, but for one that was the only one.
            let deliveries = (self.state.delivery_count(seq) - 1).max(1);
            self.settle_removed(seq, deliveries, out);
        } else if self.state.redelivered.contains_key(&seq) {
            self.record(ProgressChange::Acked { stream_seq: seq, count: 1 });
        }
    }

    /// The stream was purged; `messages` no longer has what went.
    pub fn handle_purged(&mut self, purged: Purged<'_>, messages: &impl Messages) {
        let first = messages.first_seq().0.max(1);
        let start = if purged.subject.is_empty() {
            first
        } else if self.filter.is_inside(purged.subject) {
            // To this consumer it was a purge of everything, up to what is left of the purged subjects.
            let mut left = Filter::new([purged.subject].into_iter());
            messages.next(&mut left, StreamSeq(first)).map_or(messages.last_seq().0 + 1, |seq| seq.0)
        } else if self.filter.touches(purged.subject) {
            first
        } else {
            return;
        };
        self.next = self.next.max(start);
        self.record(ProgressChange::Purged { first: start, next: self.next });
        for stream_seq in self.missing(messages) {
            self.record(ProgressChange::Dropped { stream_seq });
        }
        self.listed.retain(|&seq| seq >= start && messages.contains(StreamSeq(seq)));
        self.leave_list();
        self.num_pending = None;
    }

    /// Subscriptions came or went. Only push consumers care.
    pub fn handle_interest_changed(&mut self, now: Now, out: &impl Subscribers) {
        let Mode::Push(push) = &mut self.mode else { return };
        let bound = out.bound(self.account, push.subject.as_bytes(), push.group.as_bytes());
        if bound != push.active {
            push.set_active(now, bound);
            self.show_life(now);
            self.restart_inactivity(now);
        }
    }

    /// An unacked message has left the stream: as if it had been terminated.
    pub(super) fn settle_removed(&mut self, seq: u64, deliveries: u64, out: &mut impl Subscribers) {
        let Some(&entry) = self.state.ack_pending.get(seq) else { return };
        self.record(ProgressChange::Acked { stream_seq: seq, count: 1 });
        let reason = "Unacknowledged message was deleted".into();
        self.advise_terminated(seq, entry.consumer_seq, deliveries, reason, out);
    }

    /// After a restart: what the stream removed without this consumer's knowing.
    pub(super) fn settle_missing(&mut self, messages: &impl Messages) {
        for stream_seq in self.missing(messages) {
            self.record(ProgressChange::Acked { stream_seq, count: 1 });
        }
    }

    /// What is remembered here and no longer in the stream.
    fn missing(&self, messages: &impl Messages) -> Vec<u64> {
        let unacked = self.state.ack_pending.iter().map(|entry| entry.stream_seq);
        let known = unacked.chain(self.state.redelivered.keys().copied());
        known.filter(|&seq| !messages.contains(StreamSeq(seq))).collect()
    }

    /// A message that was not considered yet has gone.
    fn uncount(&mut self, removed: Removed<'_>) {
        let seq = removed.seq.0;
        let Some(known) = self.num_pending else { return };
        if self.filter.is_all() && self.listed.is_empty() {
            self.num_pending = Some(known.saturating_sub(1));
            return;
        }
        // Of what the list covers, only the listed messages count.
        if !self.listed.is_empty() && seq <= self.state.resume {
            let listed = self.listed.binary_search_by(|other| seq.cmp(other)).is_ok();
            self.num_pending = Some(known.saturating_sub(u64::from(listed)));
            return;
        }
        // The number of its subject may belong to another by now, so nothing is remembered.
        self.num_pending =
            removed.subject.map(|(_, subject)| known.saturating_sub(u64::from(self.filter.wants(subject))));
    }
}

#[cfg(test)]
#[path = "events_test.rs"]
mod tests;
