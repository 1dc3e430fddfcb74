//! What was admitted and is not applied yet, as an overlay over the committed state.
//!
//! Thrown away as a whole when a term or a log ends. Subjects are kept by name, neighbouring messages on one subject
//! once, so that a later expected sequence sees every message before it.

use crate::record::Rollup;
use crate::subject;
use std::collections::VecDeque;

/// Where the stream will be once everything admitted is committed. Lives on: the leader's shard.
#[derive(Debug, Default)]
pub struct InFlight {
    /// Last sequence given out; the committed one if nothing is in flight.
    pub last_seq: u64,
    /// Timestamp of that message. Nanoseconds.
    pub last_time: u64,
    /// From the first message on. Kept when nothing is in flight any more, for the next one.
    overlay: Option<Box<Overlay>>,
}

/// What is in flight.
#[derive(Debug, Default)]
struct Overlay {
    /// Message id of the last message; empty: it has none.
    last_msg_id: Vec<u8>,
    /// Sequence of the last message in flight with `Nats-Rollup: all`, 0 if none.
    rollup_all: u64,
    /// What messages in flight add to the count of messages.
    messages: u64,
    /// What messages in flight add to the accounted bytes; less than nothing when they replace larger ones.
    bytes: i64,
    runs: VecDeque<Run>,
    /// Subjects of the runs, one behind another.
    names: Vec<u8>,
    /// Bytes of names that were dropped from the front since the overlay was empty.
    names_base: u64,
}

/// Neighbouring messages on one subject that each add the same.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u64,
    last: u64,
    name_at: u64,
    name_len: u32,
    added: Added,
}

/// Neighbouring messages on one subject that ask for nothing and whose sizes nothing depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct InFlightRun<'a> {
    pub first: u64,
    pub count: u64,
    pub subject: &'a [u8],
}

/// What one message adds to the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// 1, or 0 if it replaces another.
    pub messages: u64,
    /// Accounted bytes, less those of the message that it replaces.
    pub bytes: i64,
}

impl InFlight {
    /// Takes the next messages; the caller sets their time.
    pub fn push_run(&mut self, run: InFlightRun<'_>) {
        if run.count == 0 {
            return;
        }
        self.last_seq = run.first + run.count - 1;
        let overlay = self.overlay.get_or_insert_default();
        overlay.last_msg_id.clear();
        overlay.push(run.first, self.last_seq, run.subject, Added::default());
    }

    /// Says more of the last message of a run: its time, and its message id, empty if it has none.
    pub fn set_last(&mut self, time: u64, msg_id: &[u8]) {
        self.last_time = time;
        if let Some(overlay) = &mut self.overlay {
            overlay.last_msg_id.clear();
            overlay.last_msg_id.extend_from_slice(msg_id);
        }
    }

    /// Takes the next message. `msg_id`: empty if it has none.
    pub fn push(&mut self, seq: u64, time: u64, subject: &[u8], msg_id: &[u8], rollup: Rollup, added: Added) {
        self.last_seq = seq;
        self.last_time = time;
        let overlay = self.overlay.get_or_insert_default();
        if rollup == Rollup::All {
            overlay.rollup_all = seq;
        }
        overlay.last_msg_id.clear();
        overlay.last_msg_id.extend_from_slice(msg_id);
        overlay.messages += added.messages;
        overlay.bytes += added.bytes;
        overlay.push(seq, seq, subject, added);
    }

    /// A message was applied: it is committed state now.
    pub fn applied(&mut self, seq: u64) {
        if let Some(overlay) = &mut self.overlay {
            overlay.applied(seq);
        }
    }

    /// Message id of the last message; empty: it has none.
    pub fn last_msg_id(&self) -> &[u8] {
        self.overlay.as_ref().map_or(&[], |overlay| &overlay.last_msg_id)
    }

    /// Sequence of the last message in flight with `Nats-Rollup: all`, 0 if none.
    pub fn rollup_all(&self) -> u64 {
        self.overlay.as_ref().map_or(0, |overlay| overlay.rollup_all)
    }

    /// What messages in flight add to the count of messages and to the accounted bytes.
    pub fn added(&self) -> Added {
        let overlay = self.overlay.as_ref();
        overlay.map_or(Added::default(), |overlay| Added { messages: overlay.messages, bytes: overlay.bytes })
    }

    /// Last message in flight on a subject, or on any that matches if `is_pattern`.
    pub fn last_on(&self, wanted: &[u8], is_pattern: bool) -> Option<u64> {
        self.overlay.as_ref()?.on(wanted, is_pattern).next_back().map(|run| run.last)
    }

    /// Messages in flight on a subject.
    pub fn count_on(&self, wanted: &[u8]) -> u64 {
        let runs = self.overlay.iter().flat_map(|overlay| overlay.on(wanted, false));
        runs.map(|run| run.last - run.first + 1).sum()
    }

    /// Forgets everything; the committed state is what counts.
    pub fn reset(&mut self, last_seq: u64, last_time: u64, last_msg_id: &[u8]) {
        (self.last_seq, self.last_time) = (last_seq, last_time);
        if self.overlay.is_some() || !last_msg_id.is_empty() {
            self.overlay.get_or_insert_default().reset(last_msg_id);
        }
    }

    /// Gives back memory that is not in use.
    pub fn shrink(&mut self) {
        self.overlay = self.overlay.take().filter(|all| !all.runs.is_empty() || !all.last_msg_id.is_empty());
        if let Some(overlay) = &mut self.overlay {
            overlay.runs.shrink_to_fit();
            overlay.names.shrink_to_fit();
        }
    }
}

impl Overlay {
    /// Adds neighbouring messages; what they add is counted by the caller.
    fn push(&mut self, first: u64, last: u64, subject: &[u8], added: Added) {
        let (names, base) = (&self.names, self.names_base);
        if let Some(run) = self.runs.back_mut()
            && run.last + 1 == first
            && run.added == added
            && run.name(names, base) == subject
        {
            run.last = last;
            return;
        }
        let name_at = self.names_base + self.names.len() as u64;
        self.names.extend_from_slice(subject);
        self.runs.push_back(Run { first, last, name_at, name_len: subject.len() as u32, added });
    }

    fn applied(&mut self, seq: u64) {
        while let Some(run) = self.runs.front_mut() {
            if run.first > seq {
                return;
            }
            let count = run.last.min(seq) - run.first + 1;
            self.messages -= run.added.messages * count;
            self.bytes -= run.added.bytes * count as i64;
            if run.last > seq {
                run.first = seq + 1;
                return;
            }
            self.runs.pop_front();
            self.drop_names();
        }
        if self.rollup_all <= seq {
            self.rollup_all = 0;
        }
    }

    /// Runs on a subject, or on any that matches if `is_pattern`, in the order of their sequences.
    fn on<'a>(&'a self, wanted: &'a [u8], is_pattern: bool) -> impl DoubleEndedIterator<Item = &'a Run> {
        self.runs.iter().filter(move |run| {
            let name = run.name(&self.names, self.names_base);
            if is_pattern { subject::matches(wanted, name) } else { name == wanted }
        })
    }

    fn reset(&mut self, last_msg_id: &[u8]) {
        self.runs.clear();
        self.names.clear();
        self.names_base = 0;
        (self.messages, self.bytes, self.rollup_all) = (0, 0, 0);
        self.last_msg_id.clear();
        self.last_msg_id.extend_from_slice(last_msg_id);
    }

    /// Drops the names of runs that have gone, once they are half of all.
    fn drop_names(&mut self) {
        let end = self.names_base + self.names.len() as u64;
        let start = self.runs.front().map_or(end, |run| run.name_at);
        let gone = (start - self.names_base) as usize;
        if gone * 2 >= self.names.len() {
            self.names.drain(..gone);
            self.names_base = start;
        }
    }
}

impl Run {
    fn name<'a>(&self, names: &'a [u8], base: u64) -> &'a [u8] {
        &names[(self.name_at - base) as usize..][..self.name_len as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Added = Added { messages: 1, bytes: 10 };

    #[test]
    fn the_last_message_on_a_subject_is_found_until_it_is_applied() {
        let mut overlay = InFlight::default();
        for (seq, subject) in [(1, "a.x"), (2, "a.x"), (3, "b"), (4, "a.y")] {
            overlay.push(seq, seq, subject.as_bytes(), b"", Rollup::None, ONE);
        }
        assert_eq!(overlay.last_on(b"a.x", false), Some(2));
        assert_eq!(overlay.last_on(b"a.*", true), Some(4));
        assert_eq!((overlay.count_on(b"a.x"), overlay.added()), (2, Added { messages: 4, bytes: 40 }));
        overlay.applied(1);
        assert_eq!((overlay.count_on(b"a.x"), overlay.added().messages), (1, 3));
        overlay.applied(3);
        assert_eq!((overlay.last_on(b"b", false), overlay.last_on(b"a.y", false)), (None, Some(4)));
        overlay.applied(4);
        assert!(overlay.overlay.as_ref().is_some_and(|all| all.runs.is_empty() && all.names.is_empty()));
        assert_eq!(overlay.added(), Added::default());
    }
}
