//! Hot requests: publishes, consumer acks, pull requests, flow control replies.

use super::answer::Answer;
use super::engine::Engine;
use super::group::{After, Group, Machine, Pending, PendingPublishes, take_memory};
use super::outputs::Outputs;
use super::request::{Batch, Item, ItemKind, ReplyTo};
use super::stall::refusal_of;
use crate::consumer::AckOutcome;
use crate::consumer::ack_subject::AckSubject;
use crate::ids::GroupId;
use crate::limits::TURN_LEN_MAX;
use crate::log::{Admission as LogAdmission, Allowance};
use crate::rejection::Rejection;
use crate::stream::admit::Admission;
use crate::stream::admit_ahead::Step;
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
        while let Some(mut batch) = self.inbox.pop_front() {
            batch.admitted_at = now.monotonic;
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
        let mut at = self.inbox_at;
        while let Some(item) = batch.items.get(at) {
            let chunk = chunk_of(batch, item);
            match item.kind {
                // It could not be logged any more. Who published hears that the connection ends.
                _ if self.is_closing => {}
                ItemKind::Publish => match self.handle_publishes(now, allowance, batch, at, out) {
                    Ok(next) => {
                        at = next;
                        continue;
                    }
                    Err(LogIsBehind(waiting)) => return waiting,
                },
                ItemKind::Ack => self.handle_ack(now, batch, item, chunk, out),
                ItemKind::Fetch => self.handle_fetch(now, batch, item, chunk, out),
                ItemKind::FlowControl => self.handle_flow_control(item, chunk),
            }
            at += 1;
        }
        batch.items.len()
    }

    /// Handles the publishes to one stream that follow one another from an item on: what they share is looked up once. Returns the
    /// first item behind them.
    fn handle_publishes(
        &mut self,
        now: Now,
        allowance: Allowance,
        batch: &Batch,
        from: usize,
        out: &mut impl Outputs,
    ) -> Result<usize, LogIsBehind> {
        let id = batch.items[from].group;
        let group = self.groups.get_mut(&id).map(Box::as_mut);
        let Some(Group { machine: Machine::Stream(stream), pending, bodies, is_dirty, .. }) =
            group.filter(|group| matches!(&group.machine, Machine::Stream(stream) if !stream.is_leaving))
        else {
            // Deleted while the publish was under way: nobody captures the subject any more.
            let item = &batch.items[from];
            no_responders(batch, item, chunk_of(batch, item), out);
            return Ok(from + 1);
        };
        take_memory(pending, bodies, &mut self.spare_pending);
        let stream = &mut stream.stream;
        let is_file = stream.config().storage == Storage::File;
        let has_room = match is_file {
            true => self.room.has_file(&self.options.limits),
            false => self.room.has_memory(&self.options.limits),
        };
        let is_silent = stream.config().no_ack;
        let number = self.batches.len() as u32;
        let belongs = |item: &&Item| item.group == id && item.kind == ItemKind::Publish;
        let mut at = from;
        let end = loop {
            let items = &batch.items[at..];
            let Some(item) = items.first().filter(belongs) else { break Ok(at) };
            let before = self.turn_bytes;
            let fits = |taken: usize, len: usize| {
                let so_far = before + taken;
                !is_file || so_far <= TURN_LEN_MAX && allowance.admits(so_far + len) == LogAdmission::Yes
            };
            let mut publishes =
                items.iter().take_while(belongs).map(|item| item.publish(chunk_of(batch, item)));
            let may_be_plain = has_room && item.headers.len == 0;
            if may_be_plain && let Some(admitted) = stream.admit_plain(now, &mut publishes, fits) {
                self.turn_bytes += admitted.records_len;
                pending.push(Pending::Publishes(PendingPublishes {
                    batch: number,
                    item: at as u32,
                    admitted,
                }));
                at += admitted.count as usize;
                continue;
            }
            let is_heard = |item: &Item| item.reply.len > 0 && !is_silent;
            if has_room && item.headers.len > 0 {
                let mut next = at;
                let turn_bytes = &mut self.turn_bytes;
                let count = stream.admit_ahead(now, publishes, fits, |step| match step {
                    Step::Run(admitted) => {
                        *turn_bytes += admitted.records_len;
                        let item = next as u32;
                        pending.push(Pending::Publishes(PendingPublishes { batch: number, item, admitted }));
                        next += admitted.count as usize;
                    }
                    Step::Duplicate(seq) => {
                        let item = &batch.items[next];
                        if is_heard(item) {
                            let to = reply_to(batch, item, chunk_of(batch, item));
                            pending.push(Pending::After(After::Duplicate { to, seq }));
                        }
                        next += 1;
                    }
                });
                if count > 0 {
                    at += count;
                    continue;
                }
            }
            let chunk = chunk_of(batch, item);
            let publish = item.publish(chunk);
            let mut has_room = has_room;
            if is_file {
                if self.turn_bytes > TURN_LEN_MAX {
                    break Err(LogIsBehind(at));
                }
                let len = publish.subject.len() + publish.headers.len() + publish.payload.len();
                match allowance.admits(self.turn_bytes + len) {
                    LogAdmission::Yes => {}
                    LogAdmission::Behind => break Err(LogIsBehind(at)),
                    LogAdmission::Reserve => has_room = false,
                    refused @ (LogAdmission::Stuck | LogAdmission::Poisoned) => {
                        if let Some(rejection) = refusal_of(refused) {
                            refuse(stream.config().name.clone(), batch, item, chunk, rejection, out);
                        }
                        at += 1;
                        continue;
                    }
                }
            }
            let is_heard = is_heard(item);
            match stream.admit(now, &publish, has_room) {
                Admission::Store(admitted) => {
                    self.turn_bytes += admitted.record_len;
                    let admitted = admitted.into();
                    pending.push(Pending::Publishes(PendingPublishes {
                        batch: number,
                        item: at as u32,
                        admitted,
                    }));
                }
                Admission::Duplicate { seq, rests_on: _ } if is_heard => {
                    let to = reply_to(batch, item, chunk);
                    pending.push(Pending::After(After::Duplicate { to, seq }));
                }
                Admission::Refused { rejection, rests_on: _ } if is_heard => {
                    let to = reply_to(batch, item, chunk);
                    pending.push(Pending::After(After::Refused { to, rejection }));
                }
                Admission::Duplicate { .. } | Admission::Refused { .. } => {}
            }
            at += 1;
        };
        if !pending.is_empty() && !*is_dirty {
            *is_dirty = true;
            self.dirty.push(id);
        }
        end
    }

    fn handle_ack(&mut self, now: Now, batch: &Batch, item: &Item, chunk: &[u8], out: &mut impl Outputs) {
        let payload = item.payload.of(chunk);
        let wants_reply = item.reply.len > 0;
        let Some(ack) = AckSubject::parse(item.subject.of(chunk)) else {
            return no_responders(batch, item, chunk, out);
        };
        let stream = self.groups.get_mut(&item.group).and_then(|g| g.stream());
        let Some((index, slot, messages)) = stream.and_then(|s| s.find(ack.consumer)) else {
            return no_responders(batch, item, chunk, out);
        };
        let outcome = slot.consumer.handle_ack(now, &ack, payload, wants_reply, out);
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
        self.note_consumer(now, item.group, index);
    }

    fn handle_fetch(&mut self, now: Now, batch: &Batch, item: &Item, chunk: &[u8], out: &mut impl Outputs) {
        let subject = item.subject.of(chunk);
        // `$JS.API.CONSUMER.MSG.NEXT.<stream>.<consumer>`: names have no dots.
        let name = subject.rsplit(|&b| b == b'.').next();
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
        let name = subject.rsplit(|&b| b == b'.').nth(1);
        let stream = self.groups.get_mut(&item.group).and_then(|g| g.stream());
        let Some((index, slot, _)) = stream.and_then(|s| s.find(name?)) else { return };
        slot.consumer.handle_flow_control(subject);
        self.mark_ready(item.group, index);
    }

    /// Something that follows once all progress of the group's consumers so far is synced.
    fn await_progress(&mut self, group: GroupId, after: After) {
        self.log_progress(group);
        if let Some(known) = self.groups.get_mut(&group) {
            known.push_after(&mut self.spare_pending, after);
        }
        self.mark_dirty(group);
    }
}

/// The log is behind: publishes wait where they are, from this item on.
struct LogIsBehind(usize);

/// The bytes that an item's parts lie in.
#[inline]
pub(super) fn chunk_of<'a>(batch: &'a Batch, item: &Item) -> &'a [u8] {
    &batch.chunks[item.chunk as usize]
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
