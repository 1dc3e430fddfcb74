//! What is delivered next, and its delivery. Two steps, because the bytes of a message may have to be read first.

use super::ack_subject::AckSubjectWriter;
use super::pull::Taker;
use super::{Consumer, Mode, ProgressChange};
use crate::ids::StreamSeq;
use crate::messages::{MessageView, Messages};
use crate::subscribers::{Delivery, Interest, Subscribers};
use crate::time::Now;

/// What a consumer wants to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This message: hand its bytes to `deliver`, or call `gone`. Asked again before that, the answer is the same unless
    /// something was acknowledged or removed meanwhile.
    Message(StreamSeq),
    /// Nothing, until the next call of any `handle_…`.
    Idle,
    /// Something, but the way to the subscriber has no credit: ask again when woken.
    Blocked,
}

/// Deliveries of one consumer in a row, with nothing else between them: what was found out for one holds for the next.
#[derive(Debug)]
pub struct Round<'a> {
    ack_subject: &'a mut AckSubjectWriter,
    /// Whoever got the last message can take the next one too.
    is_ready: bool,
}

/// A message that is to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub seq: u64,
    pub again: bool,
}

/// What there is to deliver.
enum Choice {
    Message(Chosen),
    /// `max_ack_pending` is reached.
    AckPendingFull,
    /// Everything was delivered.
    End,
}

impl Consumer {
    /// Begins a round, for `next` and `deliver`. `writer` is nobody else's until it ends.
    pub fn round<'a>(&self, writer: &'a mut AckSubjectWriter) -> Round<'a> {
        writer.begin(&self.stream, self.name());
        Round { ack_subject: writer, is_ready: false }
    }

    /// What to deliver next: first what is to be delivered again, then what is new.
    pub fn next(
        &mut self,
        now: Now,
        round: &mut Round<'_>,
        messages: &impl Messages,
        out: &mut impl Subscribers,
    ) -> Next {
        if !std::mem::take(&mut round.is_ready) {
            match self.find_taker(now, out) {
                Taker::None => return Next::Idle,
                Taker::Full => return Next::Blocked,
                Taker::Ready => {}
            }
        }
        if let Some(chosen) = self.chosen.filter(|&chosen| self.is_due(chosen, messages)) {
            return Next::Message(StreamSeq(chosen.seq));
        }
        match self.choose(messages, out) {
            Choice::Message(chosen) => {
                self.chosen = Some(chosen);
                Next::Message(StreamSeq(chosen.seq))
            }
            Choice::AckPendingFull => Next::Idle,
            Choice::End => {
                if let Mode::Pull(Some(pull)) = &mut self.mode
                    && pull.end_no_wait(self.account, out)
                {
                    self.show_life(now);
                }
                Next::Idle
            }
        }
    }

    /// Delivers the message that `next` named and that is there. Does nothing if it was acknowledged meanwhile. If nobody
    /// takes the message it stays the next one.
    pub fn deliver(
        &mut self,
        now: Now,
        round: &mut Round<'_>,
        message: MessageView<'_>,
        messages: &impl Messages,
        out: &mut impl Subscribers,
    ) {
        let Some(chosen) = self.chosen.filter(|chosen| chosen.seq == message.seq.0) else { return };
        if !self.is_wanted(chosen) {
            return;
        }
        let left = self.count_pending(messages).saturating_sub(u64::from(!chosen.again));
        let count = if chosen.again { self.state.delivery_count(chosen.seq) + 1 } else { 1 };
        let consumer_seq = self.state.delivered.consumer_seq + 1;
        let numbers = [count, chosen.seq, consumer_seq, message.time.0, left];
        if !self.hand_over(now, round, &message, numbers, out) {
            return;
        }
        self.chosen = None;
        if chosen.again {
            self.delivered_again(now, chosen.seq, consumer_seq, count - 1);
        } else {
            self.delivered_first(now, chosen.seq, consumer_seq, left);
        }
        self.last_delivered = now.wall;
        self.show_life(now);
    }

    /// The message that `next` named cannot be read any more; it is skipped.
    pub fn gone(&mut self, seq: StreamSeq, out: &mut impl Subscribers) {
        let Some(chosen) = self.chosen.take_if(|chosen| chosen.seq == seq.0) else { return };
        if chosen.again {
            self.settle_removed(chosen.seq, self.state.delivery_count(chosen.seq), out);
        } else {
            self.step_over(chosen.seq);
            self.num_pending = None;
        }
    }

    fn find_taker(&mut self, now: Now, out: &mut impl Subscribers) -> Taker {
        match &mut self.mode {
            Mode::Pull(None) => Taker::None,
            Mode::Pull(Some(pull)) => pull.find_taker(now, self.account, out),
            Mode::Push(push) if !push.is_open() => Taker::None,
            Mode::Push(push) => match out.interest(self.account, push.subject.as_bytes()) {
                Interest::None => Taker::None,
                Interest::Ready => Taker::Ready,
                Interest::Full => Taker::Full,
            },
        }
    }

    fn choose(&mut self, messages: &impl Messages, out: &mut impl Subscribers) -> Choice {
        if let Some(seq) = self.next_redelivery(messages, out) {
            return Choice::Message(Chosen { seq, again: true });
        }
        let max = usize::try_from(self.settings.max_ack_pending).unwrap_or(0);
        if max > 0 && self.state.ack_pending.len() >= max {
            return Choice::AckPendingFull;
        }
        while let Some(&seq) = self.listed.last() {
            if messages.contains(StreamSeq(seq)) {
                return Choice::Message(Chosen { seq, again: false });
            }
            self.step_over(seq);
        }
        match messages.next(&mut self.filter, StreamSeq(self.next)) {
            Some(seq) => {
                self.next = seq.0;
                Choice::Message(Chosen { seq: seq.0, again: false })
            }
            None => {
                self.next = self.next.max(messages.last_seq().0 + 1);
                Choice::End
            }
        }
    }

    /// Sends the message to whoever is next. `numbers` are those of its ack subject. False: nobody took it.
    fn hand_over(
        &mut self,
        now: Now,
        round: &mut Round<'_>,
        message: &MessageView<'_>,
        numbers: [u64; 5],
        out: &mut impl Subscribers,
    ) -> bool {
        let (reply, block, payload): (&[u8], &[u8], &[u8]) = if self.settings.headers_only {
            let size = message.payload.len();
            let (reply, block) = round.ack_subject.write_headers_only(numbers, message.headers, size);
            (reply, block, b"")
        } else {
            (round.ack_subject.write(numbers), message.headers, message.payload)
        };
        let rest = reply.len() + block.len() + payload.len();
        let delivery = |to| Delivery {
            account: self.account,
            to,
            subject: message.subject,
            reply,
            headers: block,
            payload,
        };
        match &mut self.mode {
            Mode::Pull(pull) => {
                let Some(pull) = pull else { return false };
                let Some(head) = pull.head().filter(|head| !head.is_expired(now)) else { return false };
                let size = message.subject.len() + rest;
                if head.bounded && i64::try_from(size).is_ok_and(|size| size > head.bytes_left) {
                    pull.end_head(self.account, Some(b"409 Message Size Exceeds MaxBytes"), out);
                    return false;
                }
                let interest = out.deliver(delivery(&head.reply));
                if interest == Interest::None {
                    pull.end_head(self.account, None, out);
                    return false;
                }
                let is_same = pull.head_served(now, self.account, size, out);
                round.is_ready = is_same && interest == Interest::Ready;
            }
            Mode::Push(push) => {
                if !push.is_open() {
                    return false;
                }
                let to = push.subject.as_bytes();
                let size = to.len() + rest;
                let interest = out.deliver(delivery(to));
                if interest == Interest::None {
                    push.set_active(now, false);
                    self.restart_inactivity(now);
                    return false;
                }
                push.sent(now, self.account, size, out);
                // A request for flow control may have taken the room.
                round.is_ready = interest == Interest::Ready && push.window.is_none();
            }
        }
        true
    }

    fn delivered_first(&mut self, now: Now, seq: u64, consumer_seq: u64, left: u64) {
        self.record(ProgressChange::Delivered { consumer_seq, stream_seq: seq, count: 1, time: now.wall });
        self.step_over(seq);
        self.num_pending = Some(left);
        self.start_ack_timer(now, seq);
    }

    fn delivered_again(&mut self, now: Now, seq: u64, consumer_seq: u64, redeliveries: u64) {
        self.record(ProgressChange::Redelivered {
            consumer_seq,
            stream_seq: seq,
            redeliveries,
            time: now.wall,
        });
        if let Some(entry) = self.state.ack_pending.get_mut(seq) {
            entry.queued = false;
        }
        self.redelivery.pop_front_if(|&mut first| first == seq);
        self.start_ack_timer(now, seq);
    }

    /// Whether what was chosen is still to be delivered.
    fn is_due(&self, chosen: Chosen, messages: &impl Messages) -> bool {
        self.is_wanted(chosen) && messages.contains(StreamSeq(chosen.seq))
    }

    /// Whether what was chosen is still to be delivered, if it is there.
    fn is_wanted(&self, chosen: Chosen) -> bool {
        match chosen.again {
            true => self.state.ack_pending.get(chosen.seq).is_some_and(|entry| entry.queued),
            false => chosen.seq >= self.next,
        }
    }

    /// The message is not to be considered for a first delivery any more.
    fn step_over(&mut self, seq: u64) {
        self.next = seq + 1;
        if self.listed.last() == Some(&seq) {
            self.listed.pop();
            self.leave_list();
        }
    }

    /// The list is done: everything behind it follows.
    pub(super) fn leave_list(&mut self) {
        if self.listed.is_empty() {
            self.next = self.next.max(self.state.resume + 1);
            self.listed = Vec::new();
        }
    }
}

#[cfg(test)]
#[path = "deliver_test.rs"]
mod tests;
