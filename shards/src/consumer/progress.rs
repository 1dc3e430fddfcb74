//! Changes of a consumer's persistent state on their way to the log: coalesced, encoded, decoded.

use crate::encoding::{Malformed, Reader, Write};
use crate::time::WallTime;

/// A change of the persistent state. Each holds its result, not its cause, so that it can be repeated without the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressChange {
    /// First deliveries: `count` messages with consecutive consumer and stream sequences at one time.
    Delivered { consumer_seq: u64, stream_seq: u64, count: u64, time: WallTime },
    /// A later delivery; `redeliveries` includes it.
    Redelivered { consumer_seq: u64, stream_seq: u64, redeliveries: u64, time: WallTime },
    /// `count` messages with consecutive stream sequences are settled: acknowledged, terminated, or deleted unacked.
    Acked { stream_seq: u64, count: u64 },
    /// Policy `all`: everything up to here is acknowledged.
    AckedAll { consumer_seq: u64, stream_seq: u64 },
    /// The ack timer was started again (in progress, nak with delay).
    Restarted { stream_seq: u64, time: WallTime },
    /// `max_deliver` is used up.
    GivenUp { stream_seq: u64, deliveries: u64 },
    /// A purge of some subjects took an unacked message.
    Dropped { stream_seq: u64 },
    /// A purge took everything below `first`; the next delivery is at `next` or above.
    Purged { first: u64, next: u64 },
}

impl ProgressChange {
    /// Messages of a run; 1 for everything else.
    pub fn units(&self) -> u64 {
        match *self {
            ProgressChange::Delivered { count, .. } | ProgressChange::Acked { count, .. } => count,
            _ => 1,
        }
    }

    /// What is left behind the first `units`.
    pub fn after(self, units: u64) -> Option<ProgressChange> {
        if units >= self.units() {
            return None;
        }
        Some(match self {
            ProgressChange::Delivered { consumer_seq, stream_seq, count, time } => {
                ProgressChange::Delivered {
                    consumer_seq: consumer_seq + units,
                    stream_seq: stream_seq + units,
                    count: count - units,
                    time,
                }
            }
            ProgressChange::Acked { stream_seq, count } => {
                ProgressChange::Acked { stream_seq: stream_seq + units, count: count - units }
            }
            other => other,
        })
    }

    /// Whether every sequence is one that a stream or consumer can have.
    fn is_sane(&self) -> bool {
        let least = match *self {
            ProgressChange::Delivered { consumer_seq, stream_seq, .. } => consumer_seq.min(stream_seq),
            ProgressChange::Redelivered { stream_seq, .. } | ProgressChange::GivenUp { stream_seq, .. } => {
                stream_seq
            }
            _ => 1,
        };
        let (a, b) = match *self {
            ProgressChange::Delivered { consumer_seq, stream_seq, count, .. } => {
                (consumer_seq.saturating_add(count), stream_seq.saturating_add(count))
            }
            ProgressChange::Redelivered { consumer_seq, stream_seq, .. }
            | ProgressChange::AckedAll { consumer_seq, stream_seq } => (consumer_seq, stream_seq),
            ProgressChange::Acked { stream_seq, count } => (stream_seq.saturating_add(count), 0),
            ProgressChange::Restarted { stream_seq, .. }
            | ProgressChange::GivenUp { stream_seq, .. }
            | ProgressChange::Dropped { stream_seq } => (stream_seq, 0),
            ProgressChange::Purged { first, next } => (first, next),
        };
        least > 0 && a.max(b) <= SEQUENCE_MAX
    }
}

/// The changes that the log does not have yet, as bytes. A run of deliveries or acks is one record.
#[derive(Debug, Default)]
pub struct Progress {
    /// Made with the first change, so that an idle consumer is small.
    batch: Option<Box<Batch>>,
    /// Nothing is kept.
    volatile: bool,
}

impl Progress {
    /// A log for changes, or none: then nothing is kept.
    pub fn new(volatile: bool) -> Progress {
        Progress { volatile, ..Progress::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.batch.as_ref().is_none_or(|batch| batch.open.is_none())
    }

    /// Bytes that `take` would append, but for one short record.
    pub fn len(&self) -> usize {
        self.batch.as_ref().map_or(0, |batch| batch.bytes.len())
    }

    /// Gives back memory if there is nothing.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            self.batch = None;
        }
    }

    /// `number`: changes before this one, in the consumer's whole life.
    pub fn push(&mut self, number: u64, change: ProgressChange) {
        if !self.volatile {
            self.batch.get_or_insert_default().push(number, change);
        }
    }

    /// Moves everything to the end of `out`.
    pub fn take(&mut self, out: &mut Vec<u8>) {
        if let Some(batch) = &mut self.batch {
            batch.take(out);
        }
    }
}

/// Encoded changes, and the newest one, which may still grow.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    open: Option<ProgressChange>,
    context: Context,
}

impl Batch {
    fn push(&mut self, number: u64, change: ProgressChange) {
        if let Some(open) = &mut self.open {
            if extend(open, &change) {
                return;
            }
            self.close();
        } else {
            self.bytes.put_u8(VERSION);
            self.bytes.put_varint(number);
        }
        self.open = Some(change);
    }

    fn take(&mut self, out: &mut Vec<u8>) {
        self.close();
        out.extend_from_slice(&self.bytes);
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_WHEN_EMPTY);
        self.context = Context::default();
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        self.context.encode(&open, &mut self.bytes);
    }
}

/// Reads what `take` wrote and hands each change to `apply`, with the number of changes before it.
pub fn decode(bytes: &[u8], mut apply: impl FnMut(u64, ProgressChange)) -> Result<(), Malformed> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut reader = Reader::new(bytes);
    if reader.u8()? != VERSION {
        return Err(Malformed);
    }
    let mut number = reader.varint()?;
    if number > SEQUENCE_MAX {
        return Err(Malformed);
    }
    let mut context = Context::default();
    while reader.remaining() > 0 {
        let change = context.decode(&mut reader)?;
        if !change.is_sane() || number + change.units() > SEQUENCE_MAX {
            return Err(Malformed);
        }
        apply(number, change);
        number += change.units();
    }
    Ok(())
}

/// Grows `open` by `change` if both make one run.
fn extend(open: &mut ProgressChange, change: &ProgressChange) -> bool {
    match (open, change) {
        (
            ProgressChange::Delivered { consumer_seq, stream_seq, count, time },
            ProgressChange::Delivered { consumer_seq: c, stream_seq: s, count: 1, time: t },
        ) if *c == *consumer_seq + *count && *s == *stream_seq + *count && t == time && *count < RUN_MAX => {
            *count += 1;
            true
        }
        (ProgressChange::Acked { stream_seq, count }, ProgressChange::Acked { stream_seq: s, count: 1 })
            if *s == *stream_seq + *count && *count < RUN_MAX =>
        {
            *count += 1;
            true
        }
        _ => false,
    }
}

/// The last values in a batch of records, to which the next ones are differences.
#[derive(Debug, Default)]
struct Context {
    consumer_seq: u64,
    stream_seq: u64,
    acked: u64,
    time: u64,
}

impl Context {
    fn encode(&mut self, change: &ProgressChange, out: &mut Vec<u8>) {
        match *change {
            ProgressChange::Delivered { consumer_seq, stream_seq, count, time } => {
                out.put_u8(DELIVERED);
                put_difference(out, &mut self.consumer_seq, consumer_seq);
                put_difference(out, &mut self.stream_seq, stream_seq);
                out.put_varint(count);
                put_difference(out, &mut self.time, time.0);
                self.consumer_seq += count - 1;
                self.stream_seq += count - 1;
            }
            ProgressChange::Redelivered { consumer_seq, stream_seq, redeliveries, time } => {
                out.put_u8(REDELIVERED);
                put_difference(out, &mut self.consumer_seq, consumer_seq);
                put_difference(out, &mut self.acked, stream_seq);
                out.put_varint(redeliveries);
                put_difference(out, &mut self.time, time.0);
            }
            ProgressChange::Acked { stream_seq, count } => {
                out.put_u8(ACKED);
                put_difference(out, &mut self.acked, stream_seq);
                out.put_varint(count);
                self.acked += count - 1;
            }
            ProgressChange::AckedAll { consumer_seq, stream_seq } => {
                out.put_u8(ACKED_ALL);
                out.put_varint(consumer_seq);
                put_difference(out, &mut self.acked, stream_seq);
            }
            ProgressChange::Restarted { stream_seq, time } => {
                out.put_u8(RESTARTED);
                put_difference(out, &mut self.acked, stream_seq);
                put_difference(out, &mut self.time, time.0);
            }
            ProgressChange::GivenUp { stream_seq, deliveries } => {
                out.put_u8(GIVEN_UP);
                put_difference(out, &mut self.acked, stream_seq);
                out.put_varint(deliveries);
            }
            ProgressChange::Dropped { stream_seq } => {
                out.put_u8(DROPPED);
                put_difference(out, &mut self.acked, stream_seq);
            }
            ProgressChange::Purged { first, next } => {
                out.put_u8(PURGED);
                out.put_varint(first);
                out.put_varint(next);
            }
        }
    }

    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<ProgressChange, Malformed> {
        Ok(match reader.u8()? {
            DELIVERED => {
                let consumer_seq = difference(reader, &mut self.consumer_seq)?;
                let stream_seq = difference(reader, &mut self.stream_seq)?;
                let count = run(reader)?;
                let time = WallTime(difference(reader, &mut self.time)?);
                if consumer_seq == 0 || stream_seq == 0 {
                    return Err(Malformed);
                }
                self.consumer_seq = consumer_seq.checked_add(count - 1).ok_or(Malformed)?;
                self.stream_seq = stream_seq.checked_add(count - 1).ok_or(Malformed)?;
                ProgressChange::Delivered { consumer_seq, stream_seq, count, time }
            }
            REDELIVERED => {
                let consumer_seq = difference(reader, &mut self.consumer_seq)?;
                let stream_seq = difference(reader, &mut self.acked)?;
                let redeliveries = reader.varint()?;
                let time = WallTime(difference(reader, &mut self.time)?);
                ProgressChange::Redelivered { consumer_seq, stream_seq, redeliveries, time }
            }
            ACKED => {
                let stream_seq = difference(reader, &mut self.acked)?;
                let count = run(reader)?;
                self.acked = stream_seq.checked_add(count - 1).ok_or(Malformed)?;
                ProgressChange::Acked { stream_seq, count }
            }
            ACKED_ALL => {
                let consumer_seq = reader.varint()?;
                ProgressChange::AckedAll { consumer_seq, stream_seq: difference(reader, &mut self.acked)? }
            }
            RESTARTED => {
                let stream_seq = difference(reader, &mut self.acked)?;
                ProgressChange::Restarted { stream_seq, time: WallTime(difference(reader, &mut self.time)?) }
            }
            GIVEN_UP => {
                let stream_seq = difference(reader, &mut self.acked)?;
                ProgressChange::GivenUp { stream_seq, deliveries: reader.varint()? }
            }
            DROPPED => ProgressChange::Dropped { stream_seq: difference(reader, &mut self.acked)? },
            PURGED => ProgressChange::Purged { first: reader.varint()?, next: reader.varint()? },
            _ => return Err(Malformed),
        })
    }
}

/// Writes `value` as the zigzag difference to `last`, and makes it the last.
fn put_difference(out: &mut Vec<u8>, last: &mut u64, value: u64) {
    let difference = value.wrapping_sub(*last).cast_signed();
    out.put_varint(((difference << 1) ^ (difference >> 63)).cast_unsigned());
    *last = value;
}

fn difference(reader: &mut Reader<'_>, last: &mut u64) -> Result<u64, Malformed> {
    let zigzag = reader.varint()?;
    let difference = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
    *last = last.wrapping_add(difference);
    Ok(*last)
}

fn run(reader: &mut Reader<'_>) -> Result<u64, Malformed> {
    let count = reader.varint()?;
    if (1..=RUN_MAX).contains(&count) { Ok(count) } else { Err(Malformed) }
}

/// First byte of every batch.
const VERSION: u8 = 1;

/// Above it no sequence is believed. Far beyond what a stream can hold, and one more does not overflow.
pub const SEQUENCE_MAX: u64 = 1 << 62;

/// Longest run in one record. Messages. A longer one makes several records.
const RUN_MAX: u64 = 65_536;

/// Room that is kept for the next batch. Bytes.
const KEPT_WHEN_EMPTY: usize = 1024;

const DELIVERED: u8 = 1;
const REDELIVERED: u8 = 2;
const ACKED: u8 = 3;
const ACKED_ALL: u8 = 4;
const RESTARTED: u8 = 5;
const GIVEN_UP: u8 = 6;
const DROPPED: u8 = 7;
const PURGED: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(seq: u64) -> ProgressChange {
        ProgressChange::Delivered { consumer_seq: seq, stream_seq: seq + 100, count: 1, time: WallTime(7) }
    }

    #[test]
    fn a_run_of_deliveries_and_one_of_acks_are_two_records() {
        let mut progress = Progress::default();
        (1..=1000).for_each(|seq| progress.push(0, delivered(seq)));
        (101..=1100).for_each(|stream_seq| progress.push(0, ProgressChange::Acked { stream_seq, count: 1 }));
        let mut bytes = Vec::new();
        progress.take(&mut bytes);
        assert!(progress.is_empty() && bytes.len() < 20, "{}", bytes.len());
        let mut changes = Vec::new();
        decode(&bytes, |_, change| changes.push(change)).unwrap();
        assert_eq!(
            changes,
            [
                ProgressChange::Delivered {
                    consumer_seq: 1,
                    stream_seq: 101,
                    count: 1000,
                    time: WallTime(7)
                },
                ProgressChange::Acked { stream_seq: 101, count: 1000 },
            ]
        );
    }

    #[test]
    fn every_kind_is_read_back() {
        let changes = [
            delivered(5),
            ProgressChange::Redelivered {
                consumer_seq: 9,
                stream_seq: 4,
                redeliveries: 2,
                time: WallTime(u64::MAX),
            },
            ProgressChange::Acked { stream_seq: 1 << 60, count: 1 },
            ProgressChange::AckedAll { consumer_seq: 3, stream_seq: 1 },
            ProgressChange::Restarted { stream_seq: 6, time: WallTime(0) },
            ProgressChange::GivenUp { stream_seq: 6, deliveries: 5 },
            ProgressChange::Dropped { stream_seq: 8 },
            ProgressChange::Purged { first: 7, next: 12 },
        ];
        let mut progress = Progress::default();
        changes.iter().for_each(|&change| progress.push(0, change));
        let mut bytes = Vec::new();
        progress.take(&mut bytes);
        let mut read = Vec::new();
        decode(&bytes, |_, change| read.push(change)).unwrap();
        assert_eq!(read, changes);
    }
}
