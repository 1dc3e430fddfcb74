//! The end of consumers that nobody uses (nats-server, server/consumer.go: `deleteNotActive`).

use super::{Consumer, Mode};
use crate::subscribers::Subscribers;
use crate::time::Now;
use std::time::Duration;

impl Consumer {
    /// True if the consumer has been inactive for too long: its owner deletes it.
    pub fn poll_delete(&self) -> bool {
        self.delete
    }

    /// Starts the timer anew, or stops it.
    pub(super) fn restart_inactivity(&mut self, now: Now) {
        let bound = matches!(&self.mode, Mode::Push(push) if push.active);
        let after = self.inactive_after();
        self.inactive_at = (!after.is_zero() && !bound).then(|| now.monotonic + after);
    }

    /// Looks whether there was any sign of life.
    pub(super) fn check_inactivity(&mut self, now: Now, out: &mut impl Subscribers) {
        if self.inactive_at.is_none_or(|at| at > now.monotonic) {
            return;
        }
        let after = self.inactive_after();
        let mut until = self.active_at + after;
        if let Mode::Pull(pull) = &mut self.mode {
            if let Some(pull) = pull {
                pull.sweep(now, self.account, out);
                if !pull.is_empty() {
                    until = until.max(now.monotonic + after);
                }
            }
            // A client may still be working on what it has.
            let latest = self.state.ack_pending.iter().map(|entry| entry.due).max();
            if let Some(latest) = latest.filter(|&due| due > now.monotonic) {
                until = until.max(latest + after);
            }
        }
        self.delete = until <= now.monotonic;
        self.inactive_at = (!self.delete).then_some(until);
    }

    /// Zero: never. Pull clients get a little more than they asked for, as nats-server gives them.
    fn inactive_after(&self) -> Duration {
        let after = self.settings.inactive_after;
        if after.is_zero() || self.is_push() { after } else { after + GRACE }
    }
}

const GRACE: Duration = Duration::from_millis(100);

#[cfg(test)]
#[path = "inactivity_test.rs"]
mod tests;
