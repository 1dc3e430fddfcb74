//! Messages whose ack is overdue: the redelivery queue, and the end of it at `max_deliver`.

use super::{Consumer, ProgressChange};
use crate::ids::StreamSeq;
use crate::messages::Messages;
use crate::subscribers::{Advisory, Subscribers};
use crate::time::{Instant, Now};
use std::time::Duration;

impl Consumer {
    /// Queues what is overdue, in the order of the stream. With `max_deliver` 1 it is given up at once; with more, when
    /// it comes to its turn (nats-server, server/consumer.go: `checkPending`, `hasMaxDeliveries`).
    pub(super) fn queue_overdue(&mut self, now: Now, out: &mut impl Subscribers) {
        if self.overdue_at.is_none_or(|at| at > now.monotonic) {
            return;
        }
        let mut given_up = Vec::new();
        let mut nearest = None;
        for entry in self.state.ack_pending.iter_mut().filter(|entry| !entry.queued) {
            if entry.due > now.monotonic {
                nearest = Some(nearest.map_or(entry.due, |at| entry.due.min(at)));
            } else if self.settings.max_deliver == 1 {
                given_up.push(entry.stream_seq);
            } else {
                entry.queued = true;
                self.redelivery.push_back(entry.stream_seq);
            }
        }
        // Looking through many costs time: not again at once.
        let pause = LOOK_COST * u32::try_from(self.state.ack_pending.len()).unwrap_or(u32::MAX);
        self.overdue_at = nearest.map(|at| at.max(now.monotonic + pause));
        for seq in given_up {
            self.give_up(seq, out);
        }
    }

    /// Takes a message to the end of the queue, unless it is there already.
    pub(super) fn queue_redelivery(&mut self, seq: u64) {
        if let Some(entry) = self.state.ack_pending.get_mut(seq).filter(|entry| !entry.queued) {
            entry.queued = true;
            self.redelivery.push_back(seq);
        }
    }

    /// Takes every unacked message to the queue, in the order of the stream.
    pub(super) fn queue_all(&mut self) {
        self.redelivery.clear();
        for entry in self.state.ack_pending.iter_mut() {
            entry.queued = true;
            self.redelivery.push_back(entry.stream_seq);
        }
    }

    /// The message becomes overdue after `wait`, and not before.
    pub(super) fn postpone(&mut self, now: Now, seq: u64, wait: Duration) {
        let Some(entry) = self.state.ack_pending.get_mut(seq) else { return };
        let due = now.monotonic + wait;
        entry.due = due;
        if entry.queued {
            entry.queued = false;
            self.redelivery.retain(|&other| other != seq);
        }
        self.expect_overdue(due);
    }

    /// The message was delivered, or is being worked on.
    pub(super) fn start_ack_timer(&mut self, now: Now, seq: u64) {
        let redeliveries = self.state.redelivered.get(&seq).copied().unwrap_or(0);
        let wait = self.settings.ack_wait_after(redeliveries);
        if let Some(entry) = self.state.ack_pending.get_mut(seq) {
            let due = now.monotonic + wait;
            entry.due = due;
            self.expect_overdue(due);
        }
    }

    /// Works out anew when each unacked message is overdue, from when its timer was started.
    pub(super) fn restart_timers(&mut self, now: Now) {
        for entry in self.state.ack_pending.iter_mut() {
            let redeliveries = self.state.redelivered.get(&entry.stream_seq).copied().unwrap_or(0);
            let due = entry.started + self.settings.ack_wait_after(redeliveries);
            entry.due = now.monotonic + (due - now.wall);
        }
        self.overdue_at = self.state.ack_pending.iter().map(|entry| entry.due).min();
    }

    /// The head of the queue, after what has been acknowledged meanwhile or is out of deliveries.
    pub(super) fn next_redelivery(
        &mut self,
        messages: &impl Messages,
        out: &mut impl Subscribers,
    ) -> Option<u64> {
        loop {
            let &seq = self.redelivery.front()?;
            let queued = self.state.ack_pending.get(seq).is_some_and(|entry| entry.queued);
            let max = u64::try_from(self.settings.max_deliver).unwrap_or(u64::MAX);
            if queued && messages.contains(StreamSeq(seq)) && self.state.delivery_count(seq) < max {
                return Some(seq);
            }
            self.redelivery.pop_front();
            if queued && messages.contains(StreamSeq(seq)) {
                self.give_up(seq, out);
            } else if queued {
                self.settle_removed(seq, self.state.delivery_count(seq), out);
            }
        }
    }

    /// Up to `limit`, how many messages are to be delivered again.
    pub(super) fn count_redeliveries(&self, limit: usize) -> usize {
        let queued = |seq: &&u64| self.state.ack_pending.get(**seq).is_some_and(|entry| entry.queued);
        self.redelivery.iter().filter(queued).take(limit).count()
    }

    fn give_up(&mut self, seq: u64, out: &mut impl Subscribers) {
        let deliveries = self.state.delivery_count(seq);
        self.record(ProgressChange::GivenUp { stream_seq: seq, deliveries });
        if !out.hears_events(self.account) {
            return;
        }
        let (stream, consumer) = self.names();
        out.advise(self.account, Advisory::MaxDeliveries { stream, consumer, stream_seq: seq, deliveries });
    }

    fn expect_overdue(&mut self, due: Instant) {
        self.overdue_at = Some(self.overdue_at.map_or(due, |at| at.min(due)));
    }

    /// For advisories.
    pub(super) fn names(&self) -> (String, String) {
        (self.stream.to_string(), self.name().to_owned())
    }
}

/// About ten times what it takes to look at one unacked message.
const LOOK_COST: Duration = Duration::from_nanos(20);

#[cfg(test)]
#[path = "redelivery_test.rs"]
mod tests;
