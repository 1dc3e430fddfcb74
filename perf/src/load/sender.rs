//! A connection that publishes or requests.

use super::plan::{Plan, Shared};
use super::slots::{SLOT_DIGITS, SLOTS_MAX, Slots, Waiting};
use super::tally::{REFUSED, Tally};
use crate::content::Content;
use crate::digits;
use crate::pub_ack::{self, PubAck};
use crate::wire::{self, Message};
use crate::workload::{Kind, Pace};

pub struct Sender<'a> {
    plan: &'a Plan<'a>,
    shared: &'a Shared,
    /// Which sender of the load; its messages have the numbers `index`, `index + senders`, ….
    index: u32,
    started: u64,
    /// Messages that it starts at most.
    share: u64,
    /// Messages that may be under way.
    under_way_max: u64,
    slots: Slots,
    /// Reply subjects begin with it; empty if there are no answers.
    reply: Vec<u8>,
    /// What stands before the slot and after it, where that is the same in all messages.
    head: Option<Vec<u8>>,
    tail: Option<Vec<u8>>,
}

/// Bytes that a socket has not taken, beyond which an open loop holds back its operations. Their intended times stay.
const UNWRITTEN_MAX: usize = 128 << 20;

impl<'a> Sender<'a> {
    /// `inbox` is its own; it listens to `inbox.*`.
    pub fn new(plan: &'a Plan<'a>, shared: &'a Shared, index: u32, inbox: &str) -> Sender<'a> {
        let under_way_max = match plan.workload.pace {
            Pace::Closed { in_flight } => u64::from(in_flight),
            Pace::Open { .. } => SLOTS_MAX as u64,
        };
        let mut sender = Sender {
            plan,
            shared,
            index,
            started: 0,
            share: plan.share(index),
            under_way_max,
            slots: Slots::new(under_way_max as usize),
            reply: if plan.answers() > 0 { format!("{inbox}.").into_bytes() } else { Vec::new() },
            head: None,
            tail: None,
        };
        let piece = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = Vec::new();
            write(&mut bytes);
            bytes
        };
        sender.head = plan.content.has_one_subject().then(|| piece(&|out| sender.write_head(0, out)));
        sender.tail = plan.content.has_one_size().then(|| piece(&|out| sender.write_tail(0, out)));
        sender
    }

    /// It has started all that it ever will.
    pub fn is_through(&self) -> bool {
        self.started >= self.share
    }

    /// One more may start. In a closed loop a socket has to have taken everything before; `unwritten` is in bytes.
    pub fn has_room(&self, unwritten: usize) -> bool {
        let unwritten_max = if self.plan.is_open_loop() { UNWRITTEN_MAX } else { 0 };
        !self.is_through() && unwritten <= unwritten_max && self.room() > 0
    }

    /// Messages that may start now.
    pub fn room(&self) -> u64 {
        let delivered =
            self.shared.delivered(self.index).checked_div(self.plan.fan()).unwrap_or(self.started);
        let undelivered = self.started - delivered.min(self.started);
        let under_way = undelivered.max(self.slots.len() as u64);
        self.under_way_max.saturating_sub(under_way).min(self.share - self.started)
    }

    /// Appends the next message.
    pub fn start(&mut self, intended: u64, out: &mut Vec<u8>) {
        let Plan { content, .. } = self.plan;
        let number = self.started * u64::from(self.plan.senders()) + u64::from(self.index);
        self.started += 1;
        match &self.head {
            Some(head) => out.extend_from_slice(head),
            None => self.write_head(number, out),
        }
        if !self.reply.is_empty() {
            let slot = self.slots.take(Waiting { number, intended });
            digits::push(out, u64::from(slot), SLOT_DIGITS);
        }
        match &self.tail {
            Some(tail) => out.extend_from_slice(tail),
            None => self.write_tail(number, out),
        }
        content.write_body(number, intended, out);
    }

    /// Up to the slot: operation, subject, the reply subject's beginning.
    fn write_head(&self, number: u64, out: &mut Vec<u8>) {
        let Plan { content, .. } = self.plan;
        out.extend_from_slice(if content.headers_len() > 0 { b"HPUB " } else { b"PUB " });
        content.write_subject(number, out);
        out.push(b' ');
        out.extend_from_slice(&self.reply);
    }

    /// From the slot to the end of the line: lengths.
    fn write_tail(&self, number: u64, out: &mut Vec<u8>) {
        let (size, headers) = (self.plan.content.size(number), self.plan.content.headers_len());
        if !self.reply.is_empty() {
            out.push(b' ');
        }
        if headers > 0 {
            digits::push_short(out, headers as u64);
            out.push(b' ');
        }
        digits::push_short(out, (headers + size) as u64);
        out.extend_from_slice(b"\r\n");
    }

    /// What each started message adds to what is still to come.
    pub fn open_per_message(&self) -> i64 {
        (self.plan.fan() + self.plan.answers()) as i64
    }

    /// An answer.
    pub fn handle(&mut self, message: &Message<'_>, tally: &mut Tally) {
        let Some(waiting) = self.slots.complete(message.subject) else {
            return tally.error("wrong answer", || "an answer that nothing waits for".into());
        };
        self.shared.add_open(-1);
        let good = match self.plan.workload.kind {
            Kind::Request => self.is_echo(&waiting, message, tally),
            _ => self.is_right_ack(&waiting, message, tally),
        };
        if !good && self.plan.fan() > 0 {
            // What is not stored is not delivered.
            self.shared.add_open(-(self.plan.fan() as i64));
            self.shared.add_delivered(u64::from(self.index), self.plan.fan());
        }
        if good && self.plan.fan() == 0 {
            tally.finished(waiting.intended, self.plan.content.size(waiting.number));
        }
    }

    fn is_right_ack(&self, waiting: &Waiting, message: &Message<'_>, tally: &mut Tally) -> bool {
        let stream = self.plan.content.stream(waiting.number);
        match pub_ack::read(message, &self.plan.names.streams[stream]) {
            PubAck::Stored(seq) if tally.acked(stream, seq, waiting.number) => return true,
            PubAck::Stored(seq) => {
                tally.error("sequence given twice", || format!("sequence {seq} was given twice"));
            }
            PubAck::Duplicate(_) => tally.error("duplicate", || "the server had the message already".into()),
            PubAck::Refused(None, text) => tally.error(REFUSED, || text),
            PubAck::Refused(Some(code), text) => tally.error(format!("{REFUSED} ({code})"), || text),
            PubAck::Wrong(text) => tally.error("wrong answer", || text),
        }
        false
    }

    fn is_echo(&self, waiting: &Waiting, message: &Message<'_>, tally: &mut Tally) -> bool {
        if wire::status(message) == Some(503) {
            tally.error("no responders", || "nobody listens to the requests".into());
            return false;
        }
        let Plan { content, workload, .. } = self.plan;
        let stamp = Content::stamp(message.payload);
        let good = stamp.is_some_and(|stamp| stamp.number == waiting.number)
            && message.payload.len() == content.size(waiting.number);
        if !good {
            tally.error("wrong answer", || "the response is not the request's payload".into());
        } else if workload.verify {
            let same = content.is_payload(waiting.number, message.payload);
            tally.checked(same, || format!("the response to request {} has other bytes", waiting.number));
        }
        good
    }

    /// The end: whatever still waits was not answered.
    pub fn give_up(&self, tally: &mut Tally) {
        for waiting in self.slots.iter() {
            tally.never_ended("unanswered", waiting.intended);
        }
    }
}

#[cfg(test)]
#[path = "sender_test.rs"]
mod tests;
