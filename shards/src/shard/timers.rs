//! What is due: expiry of messages, deadlines of consumers, progress that waits for the log; and the end.

use super::Totals;
use super::engine::Engine;
use super::group::Machine;
use super::outputs::Outputs;
use crate::ids::GroupId;
use crate::time::{Instant, Now};

impl Engine {
    /// Whatever is due now.
    pub fn run_timers(&mut self, now: Now, out: &mut impl Outputs) {
        if self.is_closing {
            return;
        }
        let mut due = Vec::new();
        while let Some(&(at, id)) = self.timers.first()
            && at <= now.monotonic
        {
            self.timers.pop_first();
            if let Some(group) = self.groups.get_mut(&id) {
                group.deadline = None;
            }
            due.push(id);
        }
        for id in due {
            self.run_group_timers(now, id, out);
        }
        self.log_due_progress(now, false);
    }

    fn run_group_timers(&mut self, now: Now, id: GroupId, out: &mut impl Outputs) {
        let may_expire = self.clock.may_expire(now);
        let Some(group) = self.groups.get_mut(&id) else { return };
        let Machine::Stream(stream) = &mut group.machine else { return };
        if stream.is_leaving {
            return;
        }
        let mut body = Vec::new();
        let mut expiries = Vec::new();
        while let Some(kind) = stream.stream.handle_timeout(now, may_expire, &mut body) {
            expiries.push((kind, std::mem::take(&mut body)));
        }
        let (slots, _) = stream.all();
        let mut ended = Vec::new();
        let mut ready = Vec::new();
        for (index, slot) in slots.filter(|(_, slot)| slot.is_open) {
            if slot.consumer.poll_timeout().is_some_and(|at| at <= now.monotonic) {
                slot.consumer.handle_timeout(now, out);
                ready.push(index);
            }
            if slot.consumer.poll_delete() {
                ended.push(slot.consumer.name().to_owned());
            }
        }
        let any = !expiries.is_empty();
        for (kind, body) in expiries {
            group.push_change(&mut self.spare_pending, kind as u8, |bodies| bodies.extend_from_slice(&body));
        }
        if any {
            self.mark_dirty(id);
        }
        for index in ready {
            self.mark_ready(id, index);
        }
        for name in ended {
            self.delete_consumer(id, &name, None, out);
        }
        self.note_progress(now, id);
        self.touch(id);
    }

    /// When `run_timers` or the log has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_closing {
            return self.log.poll_timeout();
        }
        let group = self.timers.first().map(|(at, _)| *at);
        let stuck = self.log.stuck_at().filter(|_| !self.is_stalled);
        [group, self.poll_progress_timeout(), self.log.poll_timeout(), stuck].into_iter().flatten().min()
    }

    /// Whether a turn must come at once.
    pub fn has_pending(&self) -> bool {
        !self.dirty.is_empty() || !self.refused.is_empty() || !self.unread.is_empty()
    }

    /// Begins to stop: nothing new is taken, waiting pulls are told. What is admitted goes on until `step_close`.
    pub fn close(&mut self, now: Now, out: &mut impl Outputs) {
        if self.is_closing {
            return;
        }
        self.handle_items(now, out);
        self.is_closing = true;
        for group in self.groups.values_mut() {
            let Some(stream) = group.stream() else { continue };
            let (slots, _) = stream.all();
            for (_, slot) in slots {
                slot.consumer.handle_shutdown(out);
            }
        }
    }

    /// Ends the log once everything is applied and all progress is in it: applying may move consumers, too.
    pub fn step_close(&mut self) {
        let is_gathering = !self.gathering.groups.is_empty();
        let is_flying = !self.in_flight.is_empty() || !self.immediate.is_empty();
        let is_busy = is_flying || is_gathering || self.has_pending();
        if !self.is_closing || self.is_drained || is_busy {
            return;
        }
        let mut ids: Vec<GroupId> = self.groups.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            // What the log has no room for now is lost with this life, as in a crash: nobody was told otherwise.
            if !self.groups.get_mut(&id).and_then(|g| g.stream()).is_some_and(|s| s.owes()) {
                self.log_progress(id);
            }
        }
        if !self.has_pending() {
            self.is_drained = true;
            self.log.close();
        }
    }

    /// What is here, as clients count it.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for group in self.groups.values().chain(self.aside.values()) {
            let Machine::Stream(s) = &group.machine else { continue };
            let state = s.stream.state(false, "", 0, 0);
            totals.streams += 1;
            totals.consumers += s.consumer_count() as u64;
            totals.messages += state.messages;
            totals.bytes += state.bytes;
        }
        totals
    }

    /// Of the committed state of each stream and its logged consumers, by group.
    pub fn state_hashes(&self) -> Vec<(GroupId, u64)> {
        let mut hashes: Vec<(GroupId, u64)> = Vec::new();
        for (id, group) in self.groups.iter().chain(&self.aside) {
            let Machine::Stream(stream) = &group.machine else { continue };
            hashes.push((*id, stream.state_hash()));
        }
        hashes.sort_unstable();
        hashes
    }
}
