//! A disk that does not answer: who waits for it hears so, readers go on. What was admitted stays where it is, and is applied
//! if the disk comes back.

use super::answer::Answer;
use super::engine::Engine;
use super::group::After;
use super::outputs::Outputs;
use super::request::Request;
use super::{LOG_FAILED, LOG_STUCK};
use crate::ids::GroupId;
use crate::log::{Admission, Log};
use crate::rejection::Rejection;
use crate::time::Now;

/// Why this log takes nothing now, not even from the reserve of a full disk.
pub(super) fn refusal(log: &Log, now: Now) -> Option<Rejection> {
    refusal_of(log.may_admit(now.monotonic, 0))
}

/// Why nothing is taken with this answer of the log, not even from the reserve of a full disk.
pub(super) fn refusal_of(admission: Admission) -> Option<Rejection> {
    match admission {
        Admission::Poisoned => Some(Rejection::StreamStoreFailed(LOG_FAILED.into())),
        Admission::Stuck => Some(Rejection::StreamStoreFailed(LOG_STUCK.into())),
        Admission::Yes | Admission::Behind | Admission::Reserve => None,
    }
}

/// The same for a log of which nobody knows what it holds.
pub(super) fn failure_of(log: &Log) -> Option<Rejection> {
    log.is_poisoned().then(|| Rejection::StreamStoreFailed(LOG_FAILED.into()))
}

impl Engine {
    /// The end of a turn while the disk does not answer. True if it has made more to do.
    pub fn step_stall(&mut self, now: Now, out: &mut impl Outputs) -> bool {
        self.is_stalled = self.log.is_stuck(now.monotonic);
        if !self.is_stalled {
            return false;
        }
        let mut in_flight = std::mem::take(&mut self.in_flight);
        for entry in in_flight.iter_mut().filter(|entry| !entry.is_told) {
            entry.is_told = true;
            let acks = std::mem::take(&mut entry.acks);
            self.refuse_acks(entry.group, &acks, &stuck(), out);
            let after = std::mem::take(&mut entry.after);
            entry.after =
                after.into_iter().filter_map(|a| self.stall_after(now, entry.group, a, out)).collect();
        }
        assert!(self.in_flight.is_empty(), "answers put nothing on the way");
        self.in_flight = in_flight;
        if let Some(catalog) = &mut self.catalog {
            catalog.refuse_waiting(LOG_STUCK, out);
        }
        self.has_pending()
    }

    /// Why a request that wants something written is not even tried.
    pub fn refusal_while_stalled(&self, request: &Request) -> Option<Rejection> {
        let (Request::StreamPurge { group, .. }
        | Request::MessageDelete { group, .. }
        | Request::ConsumerCreate { group, .. }
        | Request::ConsumerDelete { group, .. }) = request
        else {
            return None;
        };
        (self.is_stalled && !self.is_in_memory(*group)).then(stuck)
    }

    /// Tells whoever waits for something. Returns what still follows when it is committed.
    fn stall_after(&mut self, now: Now, id: GroupId, after: After, out: &mut impl Outputs) -> Option<After> {
        match after {
            After::Duplicate { to, .. } | After::Refused { to, .. } => self.refuse(id, &to, stuck(), out),
            After::Answer(to, answer) if !matches!(*answer, Answer::Empty) => {
                out.answer(&to, Answer::Rejected(stuck()));
            }
            After::Serve(..) => self.perform(now, id, after, out),
            After::ConsumerCreated { to: Some(to), name, is_fresh } => {
                out.answer(&to, Answer::Rejected(stuck()));
                return Some(After::ConsumerCreated { to: None, name, is_fresh });
            }
            After::ConsumerDeleted { to: Some(to), name } => {
                out.answer(&to, Answer::Rejected(stuck()));
                return Some(After::ConsumerDeleted { to: None, name });
            }
            After::GroupCreated | After::GroupUpdated => self.tell_failed(id, stuck(), out),
            After::GroupDeleted => {
                self.tell_failed(id, stuck(), out);
                return Some(After::GroupDeleted);
            }
            After::Catalog(change) => {
                if let Some(catalog) = &mut self.catalog {
                    catalog.handle_stuck(&change, out);
                }
                return Some(After::Catalog(change));
            }
            // An awaited consumer ack, and a pull that came with one: silence lets the client ask again.
            After::Answer(..)
            | After::Fetch { .. }
            | After::ConsumerCreated { to: None, .. }
            | After::ConsumerDeleted { to: None, .. } => return Some(after),
        }
        None
    }

    fn is_in_memory(&self, group: GroupId) -> bool {
        match self.groups.get(&group).map(|known| &known.machine) {
            Some(super::group::Machine::Stream(stream)) => stream.is_memory(),
            _ => false,
        }
    }
}

fn stuck() -> Rejection {
    Rejection::StreamStoreFailed(LOG_STUCK.into())
}
