//! Where the time of a publish goes: how long messages stay in each stage on their way through the shard.

use crate::histogram::Histogram;
use crate::ids::ShardId;
use crate::log::Timings;
use crate::time::Instant;

/// Of all messages that were committed, those of memory storage excepted: nothing of them is written. Stamps are the times of
/// turns and travel with the entry, so that a message costs nothing; times are nanoseconds and count once per message. In the
/// relaxed mode an entry counts as synced when its write has ended, as its ack does.
#[derive(Clone, Debug, Default)]
pub struct Stages {
    /// From the read of the socket that brought the first message of the entry to the turn that admitted it.
    pub admitted: Histogram,
    /// From there until the turn that heard that the entry is written.
    pub written: Histogram,
    /// From there until the turn that heard that it is synced, applied it and sent its pub acks.
    pub synced: Histogram,
    /// Messages of each entry.
    pub entry_messages: Histogram,
    /// Hot requests that wait for the shard when a turn comes to them; turns without any do not count.
    pub waiting_items: Histogram,
}

/// Everything that a shard tells about its pace.
#[derive(Clone, Debug, Default)]
pub struct ShardReport {
    pub shard: ShardId,
    pub stages: Stages,
    pub log: Timings,
}

/// When an entry came through each stage.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamps {
    /// Messages in the entry.
    pub messages: u32,
    pub read: Instant,
    pub admitted: Instant,
    /// None: not yet.
    pub written: Option<Instant>,
}

impl Stages {
    /// An entry of the log is committed.
    pub(super) fn note_committed(&mut self, now: Instant, stamps: &Stamps) {
        let messages = u64::from(stamps.messages);
        if messages == 0 {
            return;
        }
        let written = stamps.written.unwrap_or(now);
        self.admitted.record(nanoseconds(stamps.read, stamps.admitted), messages);
        self.written.record(nanoseconds(stamps.admitted, written), messages);
        self.synced.record(nanoseconds(written, now), messages);
        self.entry_messages.record(messages, 1);
    }
}

fn nanoseconds(from: Instant, to: Instant) -> u64 {
    to.0.saturating_sub(from.0)
}
