//! Groups with few publishes each wait for the write that could take them: their entries hold more, and there are fewer.
//!
//! What an entry costs, it costs once, however many messages are in it. A write or a sync that is out keeps the next write from
//! starting unless that is long, so whoever is small waits here instead of in the log's buffer and loses nothing. With many such
//! groups their entries cost more than a write takes, and then they wait for the sync to end however much they are together.
//! Reasons: docs/decisions/0011-entries-that-gather.md.

use super::engine::Engine;
use super::group::{Machine, Pending};
use crate::ids::{GroupId, Position};
use crate::limits::{GATHER_GROUPS_MIN, GATHER_MESSAGES_MAX, WRITE_LEN_MAX};
use crate::time::Instant;

/// The groups that wait. Their publishes lie in the batches of this and earlier turns.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// In the order in which they came. Each is marked dirty.
    pub groups: Vec<GroupId>,
    /// End of the log's complete writes when the first came: once that is committed they have waited long enough.
    until: Position,
}

impl Engine {
    /// Whether groups with few publishes may wait now. Never in the way of anything: not while the log fails, is stuck or closes,
    /// nor of a checkpoint, which takes the state of consumers as the log has it.
    pub fn may_gather(&self, now: Instant) -> bool {
        let is_in_the_way =
            self.has_failed || self.is_closing || self.checkpoint.is_some() || self.log.is_stuck(now);
        if is_in_the_way || self.log.is_poisoned() {
            return false;
        }
        if self.log.is_holding_back(now, self.turn_bytes) {
            return true;
        }
        let Gathering { groups, until } = &self.gathering;
        groups.len() + self.dirty.len() >= GATHER_GROUPS_MIN
            && self.turn_bytes < WRITE_LEN_MAX
            && (groups.is_empty() || self.log.committed() < *until)
            && self.log.is_syncing(now)
    }

    /// Has the group wait, if it has nothing but few publishes for the log and what follows from them.
    pub fn gather(&mut self, id: GroupId) -> bool {
        let Some(group) = self.groups.get(&id) else { return false };
        if !matches!(&group.machine, Machine::Stream(stream) if !stream.is_memory()) {
            return false;
        }
        let mut messages = 0;
        for pending in &group.pending {
            match pending {
                Pending::Publishes(publishes) => messages += publishes.admitted.count,
                Pending::After(_) | Pending::Done => {}
                Pending::Change { .. } => return false,
            }
            if messages > GATHER_MESSAGES_MAX {
                return false;
            }
        }
        if messages == 0 {
            return false;
        }
        if self.gathering.groups.is_empty() {
            self.gathering.until = self.log.sealed();
        }
        self.gathering.groups.push(id);
        true
    }
}
