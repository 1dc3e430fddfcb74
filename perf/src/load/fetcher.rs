//! A connection that pulls from consumers and acks.

use super::plan::{Plan, Shared};
use super::slots::{SLOT_DIGITS, SLOTS_MAX, Slots, Waiting};
use super::tally::Tally;
use crate::content::Content;
use crate::delivery::{self, Delivery};
use crate::sequences::Sequences;
use crate::wire::{self, Message};
use crate::workload::{AckKind, Kind, Pull as Pulls};

pub struct Fetcher<'a> {
    plan: &'a Plan<'a>,
    shared: &'a Shared,
    pulls: Vec<Pull>,
    /// Acks that wait for their confirmation.
    confirming: Slots,
    /// Their reply subjects begin with it.
    ack_inbox: String,
    inbox: String,
}

/// One pull request at a time.
struct Pull {
    consumer: u32,
    /// The consumer's API subject.
    subject: String,
    /// Messages that are still to come; 0: none is asked for.
    left: u32,
    asked_at: u64,
}

/// What one thread knows about the consumers that it serves: each message comes once.
pub type Delivered = Vec<Sequences>;

/// The first pull's subscription; those of the others follow.
const PULL_SID: u64 = 10;
const CONFIRM_SID: u64 = 2;
const ACK: &[u8] = b"+ACK";
/// How long a pull request waits at the server; then it is asked again.
const EXPIRES: &str = "30000000000";

impl<'a> Fetcher<'a> {
    /// `consumers` are places in the list of all: streams in order, their consumers in order.
    pub fn new(plan: &'a Plan<'a>, shared: &'a Shared, consumers: &[u32], inbox: &str) -> Fetcher<'a> {
        let pull = |&consumer: &u32| {
            let per_stream = plan.names.consumers.len();
            let stream = &plan.names.streams[consumer as usize / per_stream];
            let name = &plan.names.consumers[consumer as usize % per_stream];
            let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}");
            (0..plan.workload.pull.pulls).map(move |_| Pull {
                consumer,
                subject: subject.clone(),
                left: 0,
                asked_at: 0,
            })
        };
        Fetcher {
            plan,
            shared,
            pulls: consumers.iter().flat_map(pull).collect(),
            confirming: Slots::new(SLOTS_MAX),
            ack_inbox: format!("{inbox}.a."),
            inbox: format!("{inbox}.p."),
        }
    }

    /// Subscriptions that it needs: subject and sid.
    pub fn subscriptions(&self) -> Vec<(String, u64)> {
        let pull = |n: usize| (format!("{}{n:0SLOT_DIGITS$}", self.inbox), PULL_SID + n as u64);
        let confirm = (format!("{}*", self.ack_inbox), CONFIRM_SID);
        (0..self.pulls.len()).map(pull).chain([confirm]).collect()
    }

    /// Asks for everything at once.
    pub fn begin(&mut self, now: u64, out: &mut Vec<u8>) {
        for n in 0..self.pulls.len() {
            self.ask(n, now, out);
        }
    }

    fn ask(&mut self, n: usize, now: u64, out: &mut Vec<u8>) {
        let fetch = self.plan.workload.pull.fetch;
        let pull = &mut self.pulls[n];
        (pull.left, pull.asked_at) = (fetch, now);
        let reply = format!("{}{n:0SLOT_DIGITS$}", self.inbox);
        let request = format!("{{\"batch\":{fetch},\"expires\":{EXPIRES}}}");
        wire::publish(pull.subject.as_bytes(), reply.as_bytes(), request.as_bytes(), out);
    }

    pub fn handle(
        &mut self,
        message: &Message<'_>,
        now: u64,
        out: &mut Vec<u8>,
        tally: &mut Tally,
        delivered: &mut Delivered,
    ) {
        if message.sid == CONFIRM_SID {
            return self.handle_confirmation(message, tally);
        }
        let n = message.sid.wrapping_sub(PULL_SID) as usize;
        if n >= self.pulls.len() {
            return tally.error("wrong delivery", || "for a subscription that is not there".into());
        }
        if let Some(status) = wire::status(message).filter(|_| message.reply.is_empty()) {
            return self.handle_status(n, status, message, now, out, tally);
        }
        let Some(delivery) = delivery::read(message.reply) else {
            return tally.error("wrong delivery", || String::from_utf8_lossy(message.reply).into_owned());
        };
        let consumer = self.pulls[n].consumer;
        let seen = &mut delivered[consumer as usize];
        let intended = self.check(n, &delivery, message, tally, seen);
        let pull = &mut self.pulls[n];
        pull.left = pull.left.saturating_sub(1);
        let is_last = pull.left == 0;
        self.acknowledge(intended, is_last, message, out, tally);
        if is_last {
            self.ask(n, now, out);
        }
    }

    /// When the operation began that this delivery ends; None if it is none.
    fn check(
        &mut self,
        n: usize,
        delivery: &Delivery,
        message: &Message<'_>,
        tally: &mut Tally,
        seen: &mut Sequences,
    ) -> Option<u64> {
        let Plan { content, workload, first, .. } = self.plan;
        let stream = self.pulls[n].consumer as usize / self.plan.names.consumers.len();
        let seq = delivery.stream_seq.saturating_sub(first.get(stream).copied().unwrap_or(0));
        if delivery.times > 1 {
            tally.error("redelivered", || format!("sequence {seq} came {} times", delivery.times));
        }
        if !seen.add(seq, 0) {
            tally.error("delivered twice", || format!("sequence {seq} came twice to one consumer"));
            return None;
        }
        let (intended, number) = if workload.kind == Kind::Mixed {
            let known = Content::stamp(message.payload)
                .filter(|stamp| message.payload.len() == content.size(stamp.number));
            let Some(stamp) = known else {
                tally.error("wrong delivery", || "a message that was not published".into());
                return None;
            };
            self.shared.add_delivered(stamp.number % u64::from(self.plan.senders()), 1);
            (stamp.intended, Some(stamp.number))
        } else {
            let filled = self.plan.filled.and_then(|filled| filled.get(stream));
            (self.pulls[n].asked_at, filled.and_then(|filled| filled.number(seq)))
        };
        if let Some(number) = number.filter(|_| workload.verify) {
            let same =
                content.is_payload(number, message.payload) && content.is_subject(number, message.subject);
            tally.checked(same, || format!("sequence {seq} has another subject or other bytes"));
        }
        Some(intended)
    }

    /// Acks what has to be acked, and counts the operation unless that has to be confirmed first.
    fn acknowledge(
        &mut self,
        intended: Option<u64>,
        is_last: bool,
        message: &Message<'_>,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) {
        let Pulls { ack, ack_sync, .. } = self.plan.workload.pull;
        let bytes = message.payload.len();
        match (ack, intended) {
            (AckKind::Explicit, Some(intended)) if ack_sync && self.confirming.has_room() => {
                let slot = self.confirming.take(Waiting { number: bytes as u64, intended });
                let reply = format!("{}{slot:0SLOT_DIGITS$}", self.ack_inbox);
                return wire::publish(message.reply, reply.as_bytes(), ACK, out);
            }
            (AckKind::Explicit, _) => wire::publish(message.reply, b"", ACK, out),
            (AckKind::All, _) if is_last => wire::publish(message.reply, b"", ACK, out),
            (AckKind::All | AckKind::None, _) => {}
        }
        if let Some(intended) = intended {
            self.shared.add_open(-1);
            tally.finished(intended, bytes);
        }
    }

    fn handle_confirmation(&mut self, message: &Message<'_>, tally: &mut Tally) {
        let Some(waiting) = self.confirming.complete(message.subject) else {
            return tally.error("wrong answer", || "a confirmation that nothing waits for".into());
        };
        self.shared.add_open(-1);
        tally.finished(waiting.intended, waiting.number as usize);
    }

    /// A pull request ended before its last message.
    fn handle_status(
        &mut self,
        n: usize,
        status: u16,
        message: &Message<'_>,
        now: u64,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) {
        match status {
            // A heartbeat.
            100 => {}
            // Nothing came in time.
            404 | 408 => self.ask(n, now, out),
            // Asking again at once would get the same answer.
            _ => tally
                .error("pull refused", || String::from_utf8_lossy(wire::status_text(message)).into_owned()),
        }
    }
}

#[cfg(test)]
#[path = "fetcher_test.rs"]
mod tests;
