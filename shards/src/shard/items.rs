//! Hot requests: publishes, consumer acks, pull requests, flow control replies.

use super::answer::Answer;
use super::engine::Engine;
use super::group::{After, Machine, Pending, PendingPublish};
use super::outputs::Outputs;
use super::request::{Batch, Item, ItemKind, ReplyTo};
use super::stall::refusal_of;
use crate::consumer::AckOutcome;
use crate::consumer::ack_subject::AckSubject;
use crate::ids::GroupId;
use crate::limits::TURN_LEN_MAX;
use crate::log::{Admission as LogAdmission, Allowance};
use crate::rejection::Rejection;
use crate::stream::admit::{Admission, Publish};
use crate::stream::config::Storage;
use crate::time::Now;

impl Engine {
    /// Counts what waits at the beginning of a turn.
    pub fn note_waiting(&mut self) {
        let waiting: usize = self.inbox.iter().map(|batch| batch.items.len()).sum();
        if waiting > 0 {
            self.stages.waiting_items.record((waiting - self.inbox_at) as u64, 1);
        }
    }

    /// Handles batches until none is left or the log is behind.
    pub fn handle_items(&mut self, now: Now, out: &mut impl Outputs) {
        while let Some(batch) = self.inbox.pop_front() {
            let done = self.handle_batch_from(now, &batch, out);
            if done < batch.items.len() {
                self.inbox_at = done;
                self.inbox.push_front(batch);
                return;
            }
            self.inbox_at = 0;
            self.batches.push(batch);
        }
    }

    /// Returns how far it came.
    fn handle_batch_from(&mut self, now: Now, batch: &Batch, out: &mut impl Outputs) -> usize {
        let allowance = self.log.allowance(now.monotonic);
        for at in self.inbox_at..batch.items.len() {
            let item = &batch.items[at];
            let chunk = &batch.chunks[item.chunk as usize][..];
            match item.kind {
                // It could not be logged any more. Who published hears that the connection ends.
                _ if self.is_closing => {}
                ItemKind::Publish => {
                    if !self.handle_publish(now, allowance, batch, at, chunk, out) {
                        return at;
                    }
                }
                ItemKind::Ack => self.handle_ack(now, batch, item, chunk, out),
                ItemKind::Fetch => self.handle_fetch(now, batch, item, chunk, out),
                ItemKind::FlowControl => self.handle_flow_control(item, chunk),
            }
        }
        batch.items.len()
    }

    /// False: the log is behind, the publish has to wait where it is.
    fn handle_publish(
        &mut self,
        now: Now,
        allowance: Allowance,
        batch: &Batch,
        at: usize,
        chunk: &[u8],
        out: &mut impl Outputs,
    ) -> bool {
        let item = &batch.items[at];
        let publish = Publish {
            subject: item.subject.of(chunk),
            reply: item.reply.of(chunk),
            headers: item.headers.of(chunk),
            payload: item.payload.of(chunk),
        };
        let Some(group) = self.groups.get_mut(&item.group) else {
            // Deleted while the publish was under way: nobody captures the subject any more.
            no_responders(batch, item, chunk, out);
            return true;
        };
        group.take_memory(&mut self.spare_pending);
        let Machine::Stream(stream) = &mut group.machine else { return true };
        if stream.is_leaving {
            no_responders(batch, item, chunk, out);
            return true;
        }
        if self.is_closing {
            let rejection = Rejection::StreamStoreFailed(super::SHUTTING_DOWN.into());
            refuse(stream.stream.config().name.clone(), batch, item, chunk, rejection, out);
            return true;
        }
        let has_room = if stream.stream.config().storage == Storage::File {
            let len = publish.subject.len() + publish.headers.len() + publish.payload.len();
            if self.turn_bytes > TURN_LEN_MAX {
                return false;
            }
            match allowance.admits(self.turn_bytes + len) {
                LogAdmission::Yes => self.room.has_file(&self.options.limits),
                LogAdmission::Behind => return false,
                LogAdmission::Reserve => false,
                refused @ (LogAdmission::Stuck | LogAdmission::Poisoned) => {
                    if let Some(rejection) = refusal_of(refused) {
                        refuse(stream.stream.config().name.clone(), batch, item, chunk, rejection, out);
                    }
                    return true;
                }
            }
        } else {
            self.room.has_memory(&self.options.limits)
        };
        match stream.stream.admit(now, &publish, has_room) {
            Admission::Store(admitted) => {
                self.turn_bytes += admitted.record_len;
                group.pending.push(Pending::Publish(PendingPublish {
                    batch: self.batches.len() as u32,
                    item: at as u32,
                    admitted,
                }));
            }
            Admission::Duplicate { seq, rests_on: _ } => {
                if item.reply.len == 0 || stream.stream.config().no_ack {
                    return true;
                }
                group
                    .pending
                    .push(Pending::After(After::Duplicate { to: reply_to(batch, item, chunk), seq }));
            }
            Admission::Refused { rejection, rests_on: _ } => {
                if item.reply.len == 0 || stream.stream.config().no_ack {
                    return true;
                }
                let to = reply_to(batch, item, chunk);
                group.pending.push(Pending::After(After::Refused { to, rejection }));
            }
        }
        if !group.is_dirty {
            group.is_dirty = true;
            self.dirty.push(item.group);
        }
        true
    }

    fn handle_ack(&mut self, now: Now, batch: &Batch, item: &Item, chunk: &[u8], out: &mut impl Outputs) {
        let subject = item.subject.of(chunk);
        let payload = item.payload.of(chunk);
        let wants_reply = item.reply.len > 0;
        let parsed = AckSubject::parse(subject);
        let consumer = parsed.as_ref().and_then(|ack| std::str::from_utf8(ack.consumer).ok());
        let group = self.groups.get_mut(&item.group);
        let stream = group.and_then(|g| g.stream());
        let found = stream.and_then(|s| s.find(consumer?));
        let Some((index, slot, messages)) = found else {
            return no_responders(batch, item, chunk, out);
        };
        let outcome = slot.consumer.handle_ack(now, subject, payload, wants_reply, out);
        let is_volatile = slot.is_volatile;
        match outcome {
            AckOutcome::Done => {}
            AckOutcome::NoAckListener => return no_responders(batch, item, chunk, out),
            AckOutcome::Reply if is_volatile => out.answer(&reply_to(batch, item, chunk), Answer::Empty),
            AckOutcome::Reply => {
                let to = reply_to(batch, item, chunk);
                if super::defect::is(self.options.defect, super::defect::Defect::AnswersAwaitedAckEarly) {
                    out.answer(&to, Answer::Empty);
                } else {
                    self.await_progress(item.group, After::Answer(to, Box::new(Answer::Empty)));
                }
            }
            AckOutcome::Fetch(request) if is_volatile => {
                let reply = item.reply.of(chunk);
                slot.consumer.handle_fetch(now, request, &[], reply, messages, out);
            }
            AckOutcome::Fetch(request) => {
                let to = reply_to(batch, item, chunk);
                let request = request.into();
                self.await_progress(item.group, After::Fetch { to, index, headers: Box::default(), request });
            }
        }
        self.mark_ready(item.group, index);
        self.note_progress(now, item.group);
        self.touch(item.group);
    }

    fn handle_fetch(&mut self, now: Now, batch: &Batch, item: &Item, chunk: &[u8], out: &mut impl Outputs) {
        let subject = item.subject.of(chunk);
        // `$JS.API.CONSUMER.MSG.NEXT.<stream>.<consumer>`: names have no dots.
        let name = subject.rsplit(|&b| b == b'.').next().and_then(|n| std::str::from_utf8(n).ok());
        let group = self.groups.get_mut(&item.group);
        // Who asks while the disk does not answer gets what is committed.
        let is_settled = self.is_stalled || group.as_ref().is_none_or(|g| g.is_settled());
        let stream = group.and_then(|g| g.stream());
        let found = stream.and_then(|s| s.find(name?));
        let Some((index, slot, messages)) = found else {
            return no_responders(batch, item, chunk, out);
        };
        let (payload, headers) = (item.payload.of(chunk), item.headers.of(chunk));
        if !is_settled && memchr::memmem::find(payload, b"no_wait").is_some() {
            // "What is there now" includes what the asker has published before.
            let (to, headers, request) = (reply_to(batch, item, chunk), headers.into(), payload.into());
            return self.await_progress(item.group, After::Fetch { to, index, headers, request });
        }
        slot.consumer.handle_fetch(now, payload, headers, item.reply.of(chunk), messages, out);
        self.mark_ready(item.group, index);
        self.touch(item.group);
    }

    fn handle_flow_control(&mut self, item: &Item, chunk: &[u8]) {
        let subject = item.subject.of(chunk);
        // `$JS.FC.<stream>.<consumer>.<token>`, or with domain and account hash before the stream.
        let name = subject.rsplit(|&b| b == b'.').nth(1).and_then(|n| std::str::from_utf8(n).ok());
        let stream = self.groups.get_mut(&item.group).and_then(|g| g.stream());
        let Some((index, slot, _)) = stream.and_then(|s| s.find(name?)) else { return };
        slot.consumer.handle_flow_control(subject);
        self.mark_ready(item.group, index);
    }

    /// Something that follows once all progress of the group's consumers so far is synced.
    fn await_progress(&mut self, group: GroupId, after: After) {
        self.log_progress(group);
        if let Some(known) = self.groups.get_mut(&group) {
            known.pending.push(Pending::After(after));
        }
        self.mark_dirty(group);
    }
}

/// Where the answer to an item goes.
pub(super) fn reply_to(batch: &Batch, item: &Item, chunk: &[u8]) -> ReplyTo {
    ReplyTo { origin: item.origin, account: batch.account, reply: item.reply.of(chunk).into(), tag: 0 }
}

fn no_responders(batch: &Batch, item: &Item, chunk: &[u8], out: &mut impl Outputs) {
    if item.reply.len > 0 {
        let subject = item.subject.of(chunk).into();
        out.answer(&reply_to(batch, item, chunk), Answer::NoResponders { subject });
    }
}

fn refuse(
    stream: String,
    batch: &Batch,
    item: &Item,
    chunk: &[u8],
    rejection: Rejection,
    out: &mut impl Outputs,
) {
    if item.reply.len > 0 {
        out.answer(&reply_to(batch, item, chunk), Answer::PublishRejected { stream, rejection });
    }
}
