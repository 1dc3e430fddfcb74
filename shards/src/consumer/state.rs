//! What a consumer must not forget, and the one function that changes it.

use super::config::AckPolicy;
use super::pending::{AckPending, Unacked};
use super::progress::{ProgressChange, SEQUENCE_MAX};
use crate::encoding::{Malformed, Reader, Write};
use crate::time::{Instant, WallTime};
use std::collections::BTreeMap;

/// A consumer sequence with the stream sequence that belongs to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequencePair {
    pub consumer_seq: u64,
    pub stream_seq: u64,
}

/// The persistent state of a consumer. Every change is a `ProgressChange`, applied when it is decided and once more,
/// with the same result, when it is read from the log.
#[derive(Debug, Default)]
pub struct State {
    /// Last delivery. After a purge the stream sequence may be ahead of anything delivered.
    pub delivered: SequencePair,
    /// Everything up to here is settled. Neither half ever goes back, nor beyond `delivered`.
    pub ack_floor: SequencePair,
    pub ack_pending: AckPending,
    /// Stream sequence → deliveries after the first; for messages that were given up: all deliveries.
    pub redelivered: BTreeMap<u64, u64>,
    /// Policy `last_per_subject`: the stream's last sequence at creation, up to which only the last message of each
    /// subject is delivered. 0: none.
    pub resume: u64,
    /// Changes so far; each message of a run counts.
    pub changes: u64,
}

impl State {
    /// A consumer that starts at `start`.
    pub fn starting_at(start: u64) -> State {
        let before = SequencePair { consumer_seq: 0, stream_seq: start.saturating_sub(1) };
        State { delivered: before, ack_floor: before, ..State::default() }
    }

    /// Deliveries of a message so far, if it is pending.
    pub fn delivery_count(&self, stream_seq: u64) -> u64 {
        1 + self.redelivered.get(&stream_seq).copied().unwrap_or(0)
    }

    /// Applies a change from the log, as far as it is not part of the state. `number`: changes before it.
    pub fn replay(&mut self, policy: AckPolicy, number: u64, change: ProgressChange) {
        let known = self.changes.saturating_sub(number);
        if let Some(rest) = change.after(known) {
            self.changes = self.changes.max(number);
            self.apply(policy, &rest);
        }
    }

    pub fn apply(&mut self, policy: AckPolicy, change: &ProgressChange) {
        self.changes += change.units();
        match *change {
            ProgressChange::Delivered { consumer_seq, stream_seq, count, time } => {
                for n in 0..count {
                    self.delivered_first(policy, consumer_seq + n, stream_seq + n, time);
                }
            }
            ProgressChange::Redelivered { consumer_seq, stream_seq, redeliveries, time } => {
                self.delivered.consumer_seq = self.delivered.consumer_seq.max(consumer_seq);
                self.redelivered.insert(stream_seq, redeliveries);
                if let Some(entry) = self.ack_pending.get_mut(stream_seq) {
                    entry.started = time;
                }
            }
            ProgressChange::Acked { stream_seq, count } => {
                for n in 0..count {
                    self.settle(stream_seq + n);
                    self.redelivered.remove(&(stream_seq + n));
                }
            }
            ProgressChange::AckedAll { consumer_seq, stream_seq } => {
                self.ack_pending.remove_through(stream_seq, |_| {});
                self.forget_redelivered_through(stream_seq);
                self.raise_floor(SequencePair { consumer_seq, stream_seq });
            }
            ProgressChange::Restarted { stream_seq, time } => {
                if let Some(entry) = self.ack_pending.get_mut(stream_seq) {
                    entry.started = time;
                }
            }
            ProgressChange::GivenUp { stream_seq, deliveries } => {
                self.ack_pending.remove(stream_seq);
                self.redelivered.insert(stream_seq, deliveries);
            }
            ProgressChange::Dropped { stream_seq } => {
                if let Some(entry) = self.ack_pending.remove(stream_seq) {
                    self.raise_floor(SequencePair { consumer_seq: entry.consumer_seq, stream_seq: 0 });
                }
                self.redelivered.remove(&stream_seq);
                if self.ack_pending.is_empty() {
                    self.ack_floor = self.delivered;
                }
            }
            ProgressChange::Purged { first, next } => self.purge(first, next),
        }
        self.check();
    }

    fn delivered_first(&mut self, policy: AckPolicy, consumer_seq: u64, stream_seq: u64, time: WallTime) {
        self.delivered.consumer_seq = self.delivered.consumer_seq.max(consumer_seq);
        self.delivered.stream_seq = self.delivered.stream_seq.max(stream_seq);
        if policy == AckPolicy::None {
            self.ack_floor = self.delivered;
            return;
        }
        let entry =
            Unacked { stream_seq, consumer_seq, started: time, due: Instant(u64::MAX), queued: false };
        self.ack_pending.insert(entry);
    }

    /// Removes a message from the pending ones. If it was the lowest, the floor moves to just before the next that is
    /// pending, or to the last delivery if there is none.
    fn settle(&mut self, stream_seq: u64) {
        let was_lowest = self.ack_pending.first().is_some_and(|first| first.stream_seq == stream_seq);
        let is_pending = match was_lowest {
            true => self.ack_pending.pop_first().is_some(),
            false => self.ack_pending.remove(stream_seq).is_some(),
        };
        if !is_pending || !was_lowest {
            return;
        }
        let floor = match self.ack_pending.first() {
            Some(next) => {
                SequencePair { consumer_seq: next.consumer_seq - 1, stream_seq: next.stream_seq - 1 }
            }
            None => self.delivered,
        };
        // After a purge of some subjects the floor's consumer sequence may be ahead; then it waits for the others.
        if floor.consumer_seq >= self.ack_floor.consumer_seq && floor.stream_seq >= self.ack_floor.stream_seq
        {
            self.ack_floor = floor;
        }
    }

    /// nats-server, server/consumer.go: `purge`. Everything below `first` has gone; delivery goes on at `next`.
    fn purge(&mut self, first: u64, next: u64) {
        let below = first.saturating_sub(1);
        let mut highest = 0;
        self.ack_pending.remove_through(below, |entry| highest = highest.max(entry.consumer_seq));
        self.forget_redelivered_through(below);
        self.delivered.stream_seq = self.delivered.stream_seq.max(next.saturating_sub(1));
        if self.ack_pending.is_empty() {
            self.redelivered.clear();
            self.ack_floor = self.delivered;
        } else {
            self.raise_floor(SequencePair { consumer_seq: highest, stream_seq: below });
        }
    }

    fn forget_redelivered_through(&mut self, stream_seq: u64) {
        while self.redelivered.first_key_value().is_some_and(|(&seq, _)| seq <= stream_seq) {
            self.redelivered.pop_first();
        }
    }

    /// Raises each half that is below, as far as was delivered.
    fn raise_floor(&mut self, to: SequencePair) {
        let (floor, last) = (&mut self.ack_floor, self.delivered);
        floor.consumer_seq = floor.consumer_seq.max(to.consumer_seq.min(last.consumer_seq));
        floor.stream_seq = floor.stream_seq.max(to.stream_seq.min(last.stream_seq));
    }

    /// An acknowledgement must not cover what was never delivered.
    fn check(&self) {
        assert!(self.ack_floor.consumer_seq <= self.delivered.consumer_seq);
        assert!(self.ack_floor.stream_seq <= self.delivered.stream_seq);
    }

    /// Appends the state. See docs/formats.md, "Consumers".
    pub fn encode(&self, out: &mut Vec<u8>) {
        for pair in [self.delivered, self.ack_floor] {
            out.put_varint(pair.consumer_seq);
            out.put_varint(pair.stream_seq);
        }
        out.put_varint(self.resume);
        out.put_varint(self.changes);
        out.put_varint(self.ack_pending.len() as u64);
        let mut previous = 0;
        for entry in self.ack_pending.iter() {
            out.put_varint(entry.stream_seq - previous);
            out.put_varint(entry.consumer_seq);
            out.put_varint(entry.started.0);
            previous = entry.stream_seq;
        }
        out.put_varint(self.redelivered.len() as u64);
        previous = 0;
        for (&seq, &count) in &self.redelivered {
            out.put_varint(seq - previous);
            out.put_varint(count);
            previous = seq;
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<State, Malformed> {
        let mut pair = || -> Result<SequencePair, Malformed> {
            Ok(SequencePair { consumer_seq: reader.varint()?, stream_seq: reader.varint()? })
        };
        let (delivered, ack_floor) = (pair()?, pair()?);
        if ack_floor.consumer_seq > delivered.consumer_seq || ack_floor.stream_seq > delivered.stream_seq {
            return Err(Malformed);
        }
        let (resume, changes) = (reader.varint()?, reader.varint()?);
        if [delivered.consumer_seq, delivered.stream_seq, resume, changes].iter().any(|&n| n > SEQUENCE_MAX) {
            return Err(Malformed);
        }
        let mut state = State { delivered, ack_floor, resume, changes, ..State::default() };
        let mut seq = 0u64;
        for _ in 0..reader.varint()? {
            seq = next_key(seq, reader.varint()?)?;
            let consumer_seq = reader.varint()?;
            if consumer_seq == 0 || consumer_seq > delivered.consumer_seq || seq > delivered.stream_seq {
                return Err(Malformed);
            }
            let started = WallTime(reader.varint()?);
            let (due, queued) = (Instant(u64::MAX), false);
            state.ack_pending.insert(Unacked { stream_seq: seq, consumer_seq, started, due, queued });
        }
        seq = 0;
        for _ in 0..reader.varint()? {
            seq = next_key(seq, reader.varint()?)?;
            state.redelivered.insert(seq, reader.varint()?);
        }
        Ok(state)
    }
}

/// Keys are stored as differences, the first as the difference to 0; none is 0.
fn next_key(previous: u64, difference: u64) -> Result<u64, Malformed> {
    if difference == 0 {
        return Err(Malformed);
    }
    previous.checked_add(difference).ok_or(Malformed)
}
