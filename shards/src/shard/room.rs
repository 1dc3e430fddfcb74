//! What the messages of all streams take, against the limits of the whole server. A shard knows its own exactly, and the
//! others' as they last told the catalog's shard: each tells as soon as it has changed by a 64th of a limit.

use crate::ids::ShardId;
use crate::stream::config::ServerLimits;
use std::collections::BTreeMap;

/// Bytes that messages take, by storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Of memory storage, as they lie in memory.
    pub memory: u64,
    /// Of file storage, as clients count them.
    pub file: u64,
}

/// What one shard knows. Lives on: its shard.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// In this shard.
    pub own: Stored,
    /// In all others.
    pub elsewhere: Stored,
    /// Own, as the catalog's shard knows it.
    told: Stored,
}

/// The part of a limit by which a shard may differ from what the others believe.
const UNTOLD_PART: u64 = 64;

impl Room {
    /// Whether one more message may go to memory.
    pub fn has_memory(&self, limits: &ServerLimits) -> bool {
        self.own.memory.saturating_add(self.elsewhere.memory) <= limits.memory_max
    }

    /// Whether one more message may go to the log.
    pub fn has_file(&self, limits: &ServerLimits) -> bool {
        self.own.file.saturating_add(self.elsewhere.file) <= limits.file_max
    }

    /// What the catalog's shard has to be told now.
    pub fn poll_news(&mut self, limits: &ServerLimits) -> Option<Stored> {
        let differs = |own: u64, told: u64, max: u64| own.abs_diff(told) > max / UNTOLD_PART;
        let is_news = differs(self.own.memory, self.told.memory, limits.memory_max)
            || differs(self.own.file, self.told.file, limits.file_max);
        is_news.then(|| {
            self.told = self.own;
            self.own
        })
    }
}

/// What every shard has told. Lives on: the catalog's shard.
#[derive(Debug, Default)]
pub(super) struct RoomOfAll(BTreeMap<ShardId, Stored>);

impl RoomOfAll {
    /// A shard's news.
    pub fn handle_news(&mut self, shard: ShardId, stored: Stored) {
        self.0.insert(shard, stored);
    }

    /// What lies in all shards but this one.
    pub fn elsewhere(&self, shard: ShardId) -> Stored {
        let others = self.0.iter().filter(|(other, _)| **other != shard).map(|(_, stored)| *stored);
        others.fold(Stored::default(), |sum, stored| Stored {
            memory: sum.memory.saturating_add(stored.memory),
            file: sum.file.saturating_add(stored.file),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: fn() -> ServerLimits =
        || ServerLimits { memory_max: 6400, file_max: u64::MAX, ..ServerLimits::default() };

    #[test]
    fn what_lies_elsewhere_counts_against_the_limit() {
        let mut room = Room { own: Stored { memory: 6000, file: 1 }, ..Room::default() };
        assert!(room.has_memory(&LIMITS()) && room.has_file(&LIMITS()));
        room.elsewhere = Stored { memory: 401, file: u64::MAX };
        assert!(!room.has_memory(&LIMITS()));
        assert!(room.has_file(&LIMITS()), "no limit is never reached");
    }

    #[test]
    fn a_shard_tells_what_has_changed_by_a_64th() {
        let mut room = Room::default();
        room.own.memory = 100;
        room.own.file = 1 << 40;
        assert_eq!(room.poll_news(&LIMITS()), None);
        room.own.memory = 101;
        assert_eq!(room.poll_news(&LIMITS()), Some(room.own));
        assert_eq!(room.poll_news(&LIMITS()), None);
        room.own.memory = 0;
        assert_eq!(room.poll_news(&LIMITS()), Some(room.own));
    }

    #[test]
    fn a_shard_hears_the_sum_of_the_others() {
        let mut all = RoomOfAll::default();
        for (shard, memory) in [(0, 1), (1, 2), (2, 4), (1, 8)] {
            all.handle_news(ShardId(shard), Stored { memory, file: memory * 16 });
        }
        assert_eq!(all.elsewhere(ShardId(1)), Stored { memory: 5, file: 80 });
        assert_eq!(all.elsewhere(ShardId(7)), Stored { memory: 13, file: 13 * 16 });
    }
}
