//! Reads from the disk, and who waits for them: consumers, and gets of messages.

use super::answer::{Answer, StoredMessage};
use super::deliver::{Entries, Lookup, lookup};
use super::engine::{ConsumerKey, Engine};
use super::outputs::Outputs;
use super::request::ReplyTo;
use crate::ids::{EntryPlace, GroupId, Position, StreamSeq};
use crate::limits::READ_AHEAD_ENTRIES;
use crate::log::ReadDone;
use crate::messages::MessageView;
use crate::rejection::Rejection;
use crate::stream::place::Place;
use crate::stream::read::{Selected, Selection};
use crate::time::Now;
use std::collections::BTreeMap;

/// Who waits for a read.
pub(super) enum Waiter {
    Consumer(ConsumerKey),
    Get(Box<Get>),
}

/// Reads under way.
#[derive(Default)]
pub(super) struct Reads {
    waiters: BTreeMap<u64, Vec<Waiter>>,
    /// Token of the read that brings the entry at a position.
    by_position: BTreeMap<Position, u64>,
}

/// Messages that a request gets, one after another.
pub(super) struct Get {
    to: ReplyTo,
    group: GroupId,
    form: GetForm,
    selection: Selection,
    /// Index of the next message in the selection.
    at: usize,
    /// Last message that was sent; 0: none.
    last: StreamSeq,
}

/// What the answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GetForm {
    /// MSG.GET.
    Message,
    /// DIRECT.GET of one message.
    Direct,
    /// DIRECT.GET of a batch, or of the last message of several subjects.
    Many,
}

impl Engine {
    /// Lets someone wait for the entry at a place; neighbours that will be wanted next are read with it.
    pub fn start_read(&mut self, id: GroupId, place: Place, waiter: Waiter) {
        let first = place.entry;
        if let Some(token) = self.reads.by_position.get(&first.position) {
            self.reads.waiters.entry(*token).or_default().push(waiter);
            return;
        }
        let last = self.read_ahead(id, place);
        match self.log.read(first, last) {
            Ok(token) => {
                self.reads.by_position.insert(first.position, token);
                self.reads.waiters.entry(token).or_default().push(waiter);
            }
            // Not in the log at all: the waiter looks again and finds the damage.
            Err(_) => self.unread.push(waiter),
        }
    }

    /// Those whose read could not start look again: what they want is gone, or damaged.
    pub fn serve_unread(&mut self, now: Now, out: &mut impl Outputs) {
        for waiter in std::mem::take(&mut self.unread) {
            self.resume(now, waiter, out);
        }
    }

    /// A read has ended.
    pub fn handle_read(&mut self, now: Now, done: ReadDone, out: &mut impl Outputs) {
        self.reads.by_position.retain(|_, token| *token != done.token);
        for waiter in self.reads.waiters.remove(&done.token).unwrap_or_default() {
            self.resume(now, waiter, out);
        }
    }

    fn resume(&mut self, now: Now, waiter: Waiter, out: &mut impl Outputs) {
        match waiter {
            Waiter::Consumer(key) => self.ready.push_front(key),
            Waiter::Get(get) => self.run_get(now, get, out),
        }
    }

    /// Sends what is in memory, waits for the rest.
    pub fn run_get(&mut self, _now: Now, mut get: Box<Get>, out: &mut impl Outputs) {
        loop {
            let Some(known) = self.groups.get_mut(&get.group).and_then(|g| g.stream()) else {
                return out.answer(&get.to, Answer::Rejected(Rejection::StreamNotFound));
            };
            let Some(&Selected { seq, num_pending }) = get.selection.messages.get(get.at) else {
                return get.finish(out);
            };
            match lookup(&known.stream, &mut Entries::of(&self.log), seq) {
                Lookup::Here(message) => {
                    get.at += 1;
                    get.send(message, num_pending, out);
                }
                Lookup::Cold(place) => {
                    let group = get.group;
                    return self.start_read(group, place, Waiter::Get(get));
                }
                Lookup::Gone => get.at += 1,
                Lookup::Damaged(place) => {
                    get.at += 1;
                    known.stream.note_damaged(seq, place.len);
                }
            }
        }
    }

    /// The furthest entry of the stream behind `place` that one read can bring too.
    fn read_ahead(&mut self, id: GroupId, place: Place) -> EntryPlace {
        let first = place.entry;
        let Some(stream) = self.groups.get_mut(&id).and_then(|g| g.stream()) else { return first };
        let behind = stream.stream.entries_behind(place).take(READ_AHEAD_ENTRIES);
        let entries = behind.map(|entry| EntryPlace { position: entry.position, len: entry.len });
        entries.take_while(|entry| self.log.may_read_together(first, *entry)).last().unwrap_or(first)
    }
}

impl Get {
    pub fn new(to: ReplyTo, group: GroupId, form: GetForm, selection: Selection) -> Self {
        Get { to, group, form, selection, at: 0, last: StreamSeq(0) }
    }

    fn send(&mut self, message: MessageView<'_>, num_pending: u64, out: &mut impl Outputs) {
        let stored = StoredMessage {
            subject: message.subject.to_vec(),
            seq: message.seq,
            time: message.time,
            headers: message.headers.to_vec(),
            payload: message.payload.to_vec(),
        };
        let last_seq = std::mem::replace(&mut self.last, message.seq);
        let answer = match self.form {
            GetForm::Message => Answer::Message(stored),
            GetForm::Direct => Answer::DirectMessage { message: stored, num_pending: None, last_seq },
            GetForm::Many => {
                Answer::DirectMessage { message: stored, num_pending: Some(num_pending), last_seq }
            }
        };
        out.answer(&self.to, answer);
    }

    /// What follows the last message.
    fn finish(&self, out: &mut impl Outputs) {
        let answer = match self.form {
            GetForm::Message if self.last == StreamSeq(0) => Answer::Rejected(Rejection::NoMessageFound),
            GetForm::Direct if self.last == StreamSeq(0) => Answer::DirectNotFound { multi: false },
            GetForm::Message | GetForm::Direct => return,
            GetForm::Many => {
                let Selection { num_pending, up_to_seq, .. } = self.selection;
                Answer::DirectEnd { num_pending, last_seq: self.last, up_to_seq }
            }
        };
        out.answer(&self.to, answer);
    }
}
