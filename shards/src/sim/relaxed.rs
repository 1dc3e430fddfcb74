//! Runs in relaxed mode: a power cut may take what was acknowledged within the last sync window, and nothing else. Clients
//! then know what they knew before that window; what they did since may have happened or not.

use super::model::Model;
use super::op::Outcome;
use super::run::Run;
use crate::log::SyncPolicy;
use crate::time::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// What clients knew at some moments of this life, oldest first.
#[derive(Debug, Default)]
pub struct Memories {
    taken: VecDeque<(Instant, Model)>,
    /// What was known then is synced: set when the process ends, until recovery has come to its end.
    certain_until: Option<u64>,
}

/// A sync that is wanted has begun and ended after so long, with one before it, if the disk is well.
const SYNCS: Duration = Duration::from_millis(60);

/// And if it is not: then it is stuck, or has failed, and nothing more is acknowledged.
const SYNCS_OF_BAD_DISK: Duration = Duration::from_secs(4);

/// Between two memories.
const PERIOD: Duration = Duration::from_millis(40);

impl Run {
    /// The node serves: everything that recovery has kept is synced.
    pub(super) fn begin_memories(&mut self) {
        self.memories = Memories::default();
        self.remember(Duration::ZERO);
    }

    /// Now and then what clients know is kept.
    pub(super) fn remember_if_due(&mut self) {
        self.remember(PERIOD);
    }

    /// The process ends, and perhaps the power goes: then only what was known before the sync window is certain.
    pub(super) fn forget_unsynced(&mut self, power: bool) {
        let SyncPolicy::Written { unsynced_max, .. } = self.node.sync else { return };
        let window = unsynced_max + if self.is_faulty { SYNCS_OF_BAD_DISK } else { SYNCS };
        let until = self.node.now.0.saturating_sub(window.as_nanos() as u64);
        let until = *self.memories.certain_until.get_or_insert(until);
        if !power {
            return;
        }
        while self.memories.taken.get(1).is_some_and(|(at, _)| at.0 <= until) {
            self.memories.taken.pop_front();
        }
        let Some((_, before)) = self.memories.taken.pop_front() else { return };
        self.memories.taken.clear();
        let known = std::mem::replace(&mut self.clients.model, before);
        self.clients.model.redo(known);
    }

    fn remember(&mut self, period: Duration) {
        let is_relaxed = matches!(self.node.sync, SyncPolicy::Written { .. });
        let last = self.memories.taken.back().map(|(at, _)| *at);
        if !is_relaxed || last.is_some_and(|last| last + period > self.node.now) {
            return;
        }
        let oldest_wanted = self.node.now.0.saturating_sub((SYNCS_OF_BAD_DISK * 2).as_nanos() as u64);
        while self.memories.taken.len() > 1 && self.memories.taken[1].0.0 < oldest_wanted {
            self.memories.taken.pop_front();
        }
        self.memories.taken.push_back((self.node.now, self.clients.model.clone()));
    }
}

impl Model {
    /// What clients did since is done again in their memory, without the answers. What was refused stays so.
    fn redo(&mut self, known: Model) {
        self.is_relaxed = true;
        self.life = known.life;
        for (id, op) in known.ops {
            if !self.ops.contains_key(&id) {
                self.issue(id, op.issued_at, op.kind);
            }
            if op.outcome == Outcome::Refused {
                self.end(id, |_| Outcome::Refused);
            }
        }
        // A delivery cannot be taken back, and the ack that a client sent may be in the log.
        for (key, consumer) in known.consumers {
            if let Some(mine) = self.consumers.get_mut(&key) {
                mine.ever_delivered.extend(consumer.ever_delivered);
            }
        }
        self.event = self.event.max(known.event);
        self.ends_of_lives = known.ends_of_lives;
    }
}
