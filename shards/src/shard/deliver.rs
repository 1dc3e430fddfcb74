//! Consumers that may deliver get their messages: from memory at once, from the disk when the read is done.

use super::engine::{ConsumerKey, Engine};
use super::outputs::Outputs;
use super::reads::Waiter;
use super::stream_group::{SlotIndex, StreamGroup};
use crate::consumer::Next;
use crate::consumer::ack_subject::AckSubjectWriter;
use crate::ids::{EntryPlace, GroupId, StreamSeq};
use crate::limits::{DELIVERIES_PER_CONSUMER, DELIVERIES_PER_TURN};
use crate::log::entry::EntryView;
use crate::log::{Log, StorageError};
use crate::messages::MessageView;
use crate::record::RecordView;
use crate::stream::Stream;
use crate::stream::config::Storage;
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

/// The log as somebody reads it who takes one message after another: neighbours mostly lie in one entry, which is found once.
pub(super) struct Entries<'a> {
    log: &'a Log,
    last: Option<(EntryPlace, EntryView<'a>)>,
}

/// What ended a consumer's round.
enum RoundEnd {
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
        let mut entries = Entries::of(&self.log);
        let end = serve_round(now, stream, index, &mut entries, &mut self.ack_subject, &mut share, out);
        *left += share;
        match end {
            RoundEnd::Idle => {
                if let Some((slot, _)) = stream.at(index) {
                    slot.is_ready = false;
                }
            }
            RoundEnd::Blocked => self.blocked.push(key),
            RoundEnd::Reading(place) => self.start_read(id, place, Waiter::Consumer(key)),
            RoundEnd::More => self.ready.push_back(key),
        }
        self.note_progress(now, id);
        self.touch(id);
    }
}

fn serve_round(
    now: Now,
    group: &mut StreamGroup,
    index: SlotIndex,
    entries: &mut Entries<'_>,
    writer: &mut AckSubjectWriter,
    share: &mut usize,
    out: &mut impl Outputs,
) -> RoundEnd {
    let Some((mut slot, mut stream)) = group.at(index) else { return RoundEnd::Idle };
    let mut round = slot.consumer.round(writer);
    loop {
        if *share == 0 {
            return RoundEnd::More;
        }
        match slot.consumer.next(now, &mut round, stream, out) {
            Next::Idle => return RoundEnd::Idle,
            Next::Blocked => return RoundEnd::Blocked,
            Next::Message(seq) => match lookup(stream, entries, seq) {
                Lookup::Here(message) => slot.consumer.deliver(now, &mut round, message, stream, out),
                Lookup::Cold(place) => return RoundEnd::Reading(place),
                Lookup::Gone => slot.consumer.gone(seq, out),
                Lookup::Damaged(place) => {
                    slot.consumer.gone(seq, out);
                    group.stream.note_damaged(seq, place.len);
                    match group.at(index) {
                        Some(again) => (slot, stream) = again,
                        None => return RoundEnd::Idle,
                    }
                }
            },
        }
        *share -= 1;
    }
}

impl<'a> Entries<'a> {
    pub fn of(log: &'a Log) -> Self {
        Entries { log, last: None }
    }

    /// As `Log::entry`.
    fn at(&mut self, place: EntryPlace) -> Result<Option<EntryView<'a>>, StorageError> {
        if let Some((_, view)) = self.last.filter(|(last, _)| *last == place) {
            return Ok(Some(view));
        }
        let found = self.log.entry(place)?;
        self.last = found.map(|view| (place, view));
        Ok(found)
    }
}

/// Finds the bytes of a message.
pub(super) fn lookup<'a, 'log: 'a>(
    stream: &'a Stream,
    entries: &mut Entries<'log>,
    seq: StreamSeq,
) -> Lookup<'a> {
    let Some(place) = stream.place(seq) else { return Lookup::Gone };
    let record = if stream.config().storage == Storage::Memory {
        stream.memory_record(place)
    } else {
        match entries.at(place.entry) {
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
