//! Consumers that may deliver get their messages: from memory at once, from the disk when the read is done.

use super::engine::{ConsumerKey, Engine};
use super::outputs::Outputs;
use super::reads::Waiter;
use super::stream_group::StreamGroup;
use crate::consumer::Next;
use crate::ids::{GroupId, StreamSeq};
use crate::limits::{DELIVERIES_PER_CONSUMER, DELIVERIES_PER_TURN};
use crate::log::Log;
use crate::messages::MessageView;
use crate::record::RecordView;
use crate::stream::Stream;
use crate::stream::place::Place;
use crate::time::Now;

/// Where the bytes of a message are.
pub(super) enum Lookup<'a> {
    Here(MessageView<'a>),
    /// On the disk.
    Cold(Place),
    /// Removed meanwhile.
    Gone,
    /// It cannot be read: it is never served.
    Damaged(Place),
}

/// What ended a consumer's round.
enum Round {
    Idle,
    Blocked,
    Reading(Place),
    /// Its share of the turn is used up.
    More,
}

impl Engine {
    /// Serves the consumers that are ready, each its share. True if some have more.
    pub fn deliver(&mut self, now: Now, out: &mut impl Outputs) -> bool {
        if self.is_closing {
            return false;
        }
        let mut left = DELIVERIES_PER_TURN;
        for _ in 0..self.ready.len() {
            let Some(key) = self.ready.pop_front() else { break };
            if left == 0 {
                self.ready.push_front(key);
                return true;
            }
            self.serve_consumer(now, key, &mut left, out);
        }
        !self.ready.is_empty()
    }

    /// Every consumer of a group may have something new.
    pub fn wake_consumers(&mut self, id: GroupId) {
        let Some(stream) = self.groups.get_mut(&id).and_then(|g| g.stream()) else { return };
        let (slots, _) = stream.all();
        for (index, slot) in slots {
            if slot.is_open && !slot.is_ready {
                slot.is_ready = true;
                self.ready.push_back((id, index));
            }
        }
    }

    fn serve_consumer(&mut self, now: Now, key: ConsumerKey, left: &mut usize, out: &mut impl Outputs) {
        let (id, index) = key;
        let Some(stream) = self.groups.get_mut(&id).and_then(|g| g.stream()) else { return };
        let mut share = DELIVERIES_PER_CONSUMER.min(*left);
        *left -= share;
        let round = serve_round(now, stream, index, &self.log, &mut share, out);
        *left += share;
        match round {
            Round::Idle => {
                if let Some((slot, _)) = stream.at(index) {
                    slot.is_ready = false;
                }
            }
            Round::Blocked => self.blocked.push(key),
            Round::Reading(place) => self.start_read(id, place, Waiter::Consumer(key)),
            Round::More => self.ready.push_back(key),
        }
        self.note_progress(now, id);
        self.touch(id);
    }
}

fn serve_round(
    now: Now,
    group: &mut StreamGroup,
    index: super::stream_group::SlotIndex,
    log: &Log,
    share: &mut usize,
    out: &mut impl Outputs,
) -> Round {
    let Some((mut slot, mut stream)) = group.at(index) else { return Round::Idle };
    loop {
        if *share == 0 {
            return Round::More;
        }
        match slot.consumer.next(now, stream, out) {
            Next::Idle => return Round::Idle,
            Next::Blocked => return Round::Blocked,
            Next::Message(seq) => match lookup(stream, log, seq) {
                Lookup::Here(message) => slot.consumer.deliver(now, message, stream, out),
                Lookup::Cold(place) => return Round::Reading(place),
                Lookup::Gone => slot.consumer.gone(seq, out),
                Lookup::Damaged(place) => {
                    slot.consumer.gone(seq, out);
                    group.stream.note_damaged(seq, place.len);
                    match group.at(index) {
                        Some(again) => (slot, stream) = again,
                        None => return Round::Idle,
                    }
                }
            },
        }
        *share -= 1;
    }
}

/// Finds the bytes of a message.
pub(super) fn lookup<'a>(stream: &'a Stream, log: &'a Log, seq: StreamSeq) -> Lookup<'a> {
    let Some(place) = stream.place(seq) else { return Lookup::Gone };
    let record = if stream.config().storage == crate::stream::config::Storage::Memory {
        stream.memory_record(place)
    } else {
        match log.entry(place.entry) {
            Ok(Some(view)) => view.change(place.change as usize).ok().map(|change| change.bytes),
            Ok(None) => return Lookup::Cold(place),
            Err(_) => None,
        }
    };
    match record.map(RecordView::parse) {
        // Both sides of the border: what comes back is what was asked for.
        Some(Ok(record)) if record.seq == seq => Lookup::Here(record.message()),
        _ => Lookup::Damaged(place),
    }
}
