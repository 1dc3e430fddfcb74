//! Waiting pull requests: a bounded queue, served one message at a time, and the statuses that end a request.

use super::fetch_request::FetchRequest;
use crate::decimal;
use crate::headers;
use crate::ids::AccountId;
use crate::limits::SPARE_REPLY_BUFFERS;
use crate::subscribers::{Delivery, Interest, Subscribers};
use crate::time::{Instant, Now};
use std::collections::VecDeque;
use std::time::Duration;

/// A pull request that waits for messages.
#[derive(Debug)]
pub struct Waiting {
    pub reply: Vec<u8>,
    /// Messages wanted still; 0 or negative from the start for a request of one message without a batch.
    pub batch_left: i64,
    /// Bytes left of the budget.
    pub bytes_left: i64,
    /// Whether there is a budget of bytes.
    pub bounded: bool,
    pub delivered: bool,
    pub no_wait: bool,
    pub deadline: Option<Instant>,
    pub heartbeat: Option<Heartbeat>,
}

/// The heartbeat of one request.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    pub every: Duration,
    /// Moved on by each message to the request.
    pub at: Instant,
}

/// Waiting requests of a pull consumer. Requests live in memory only.
#[derive(Debug, Default)]
pub struct Pull {
    /// The head gets the next message, then goes to the tail if it wants more.
    queue: VecDeque<Waiting>,
    /// No deadline or heartbeat is earlier. May be too early: then a timeout finds nothing to do.
    pub next_timeout: Option<Instant>,
    last_sweep: Option<Instant>,
    spare: Vec<Vec<u8>>,
}

/// Whether a request can take a message now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taker {
    None,
    /// The head of the queue.
    Ready,
    /// All that could are without credit.
    Full,
}

impl Pull {
    /// Requests in the queue.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub fn add(&mut self, now: Now, request: &FetchRequest, reply: &[u8]) {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(reply);
        let after =
            |nanoseconds: i64| now.monotonic + Duration::from_nanos(nanoseconds.max(0).unsigned_abs());
        let heartbeat = (request.heartbeat > 0).then(|| Heartbeat {
            every: Duration::from_nanos(request.heartbeat.unsigned_abs()),
            at: after(request.heartbeat),
        });
        let waiting = Waiting {
            reply: buffer,
            batch_left: request.batch,
            bytes_left: request.max_bytes,
            bounded: request.max_bytes > 0,
            delivered: false,
            no_wait: request.no_wait,
            deadline: (request.expires != 0).then(|| after(request.expires)),
            heartbeat,
        };
        self.expect_timeout(waiting.next_timeout());
        self.queue.push_back(waiting);
    }

    /// Messages that all requests together still want.
    pub fn wanted(&self) -> i64 {
        self.queue.iter().fold(0, |sum, waiting| sum.saturating_add(waiting.batch_left))
    }

    /// Makes a request that can take a message the head. Requests on the way that expired or that nobody waits for any
    /// more are dropped. One without credit keeps its place unless another can be served.
    pub fn find_taker(&mut self, now: Now, account: AccountId, out: &mut impl Subscribers) -> Taker {
        let mut at = 0;
        while let Some(waiting) = self.queue.get(at) {
            if waiting.is_expired(now) {
                self.end(at, account, Some(b"408 Request Timeout"), out);
                continue;
            }
            match out.interest(account, &waiting.reply) {
                Interest::None => self.end(at, account, None, out),
                Interest::Full => at += 1,
                Interest::Ready => {
                    if at > 0
                        && let Some(waiting) = self.queue.remove(at)
                    {
                        self.queue.push_front(waiting);
                    }
                    return Taker::Ready;
                }
            }
        }
        if at == 0 { Taker::None } else { Taker::Full }
    }

    /// The head of the queue.
    pub fn head(&mut self) -> Option<&mut Waiting> {
        self.queue.front_mut()
    }

    /// The head got a message of `size` bytes. It goes to the tail, or ends. True if it is the head again: nobody else waits.
    pub fn head_served(
        &mut self,
        now: Now,
        account: AccountId,
        size: usize,
        out: &mut impl Subscribers,
    ) -> bool {
        let is_alone = self.queue.len() == 1;
        let Some(waiting) = self.queue.front_mut() else { return false };
        waiting.delivered = true;
        waiting.batch_left -= 1;
        if waiting.bounded {
            waiting.bytes_left -= i64::try_from(size).unwrap_or(i64::MAX);
        }
        let spent = waiting.bounded && waiting.bytes_left <= 0;
        if waiting.batch_left > 0 && !spent {
            if let Some(heartbeat) = &mut waiting.heartbeat {
                heartbeat.at = now.monotonic + heartbeat.every;
            }
            if !is_alone {
                self.queue.rotate_left(1);
            }
            return is_alone;
        }
        if waiting.bounded && !spent {
            waiting.send_status(account, b"409 Batch Completed", true, out);
        }
        self.end(0, account, None, out);
        false
    }

    /// Ends the head: with a status that tells what is left, or silently.
    pub fn end_head(&mut self, account: AccountId, status: Option<&[u8]>, out: &mut impl Subscribers) {
        if !self.queue.is_empty() {
            self.end(0, account, status, out);
        }
    }

    /// Drops what has expired and what nobody waits for.
    pub fn sweep(&mut self, now: Now, account: AccountId, out: &mut impl Subscribers) {
        self.last_sweep = Some(now.monotonic);
        let mut at = 0;
        while let Some(waiting) = self.queue.get(at) {
            if waiting.is_expired(now) {
                self.end(at, account, Some(b"408 Request Timeout"), out);
            } else if out.interest(account, &waiting.reply) == Interest::None {
                self.end(at, account, None, out);
            } else {
                at += 1;
            }
        }
    }

    /// As `sweep`, but at most once a second.
    pub fn sweep_now_and_then(&mut self, now: Now, account: AccountId, out: &mut impl Subscribers) {
        if self.last_sweep.is_none_or(|last| now.monotonic - last > SWEEP_INTERVAL) {
            self.sweep(now, account, out);
        }
    }

    /// There is nothing more to deliver: ends `no_wait` requests that got something, or that have no deadline.
    /// True if there was one.
    pub fn end_no_wait(&mut self, account: AccountId, out: &mut impl Subscribers) -> bool {
        let before = self.queue.len();
        let mut at = 0;
        while let Some(waiting) = self.queue.get(at) {
            if waiting.no_wait && (waiting.delivered || waiting.deadline.is_none()) {
                waiting.send_status(account, b"404 No Messages", false, out);
                self.end(at, account, None, out);
            } else {
                at += 1;
            }
        }
        self.queue.len() < before
    }

    /// Ends every request with this status.
    pub fn end_all(
        &mut self,
        account: AccountId,
        status: &[u8],
        with_left: bool,
        out: &mut impl Subscribers,
    ) {
        for waiting in self.queue.drain(..) {
            waiting.send_status(account, status, with_left, out);
        }
        self.next_timeout = None;
    }

    /// Expiries and heartbeats. `last` is the consumer sequence of the last delivery and the stream sequence that the
    /// consumer has advanced to. Returns when the last of the expired requests ended.
    pub fn handle_timeout(
        &mut self,
        now: Now,
        account: AccountId,
        last: (u64, u64),
        out: &mut impl Subscribers,
    ) -> Option<Instant> {
        if self.next_timeout.is_none_or(|at| at > now.monotonic) {
            return None;
        }
        let mut ended = None;
        // Statuses of requests that end in the same turn leave in the order of their deadlines.
        while let Some(at) = self.first_expired(now) {
            ended = ended.max(self.queue[at].deadline);
            self.end(at, account, Some(b"408 Request Timeout"), out);
        }
        for waiting in &mut self.queue {
            waiting.beat(now, account, last, out);
        }
        self.next_timeout = self.queue.iter().filter_map(Waiting::next_timeout).min();
        ended
    }

    fn first_expired(&self, now: Now) -> Option<usize> {
        let expired = self.queue.iter().enumerate().filter(|(_, waiting)| waiting.is_expired(now));
        expired.min_by_key(|(_, waiting)| waiting.deadline).map(|(at, _)| at)
    }

    fn end(&mut self, at: usize, account: AccountId, status: Option<&[u8]>, out: &mut impl Subscribers) {
        let Some(waiting) = self.queue.remove(at) else { return };
        if let Some(status) = status {
            waiting.send_status(account, status, true, out);
        }
        self.recycle(waiting);
    }

    fn recycle(&mut self, waiting: Waiting) {
        if self.spare.len() < SPARE_REPLY_BUFFERS {
            self.spare.push(waiting.reply);
        }
    }

    fn expect_timeout(&mut self, at: Option<Instant>) {
        self.next_timeout = self.next_timeout.into_iter().chain(at).min();
    }
}

impl Waiting {
    pub fn is_expired(&self, now: Now) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now.monotonic)
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadline.into_iter().chain(self.heartbeat.map(|heartbeat| heartbeat.at)).min()
    }

    fn beat(&mut self, now: Now, account: AccountId, last: (u64, u64), out: &mut impl Subscribers) {
        let Some(heartbeat) = &mut self.heartbeat else { return };
        if heartbeat.at > now.monotonic {
            return;
        }
        heartbeat.at = now.monotonic + heartbeat.every;
        let mut block = Vec::new();
        idle_heartbeat(&mut block, last);
        headers::end(&mut block);
        send(account, &self.reply, &block, out);
    }

    /// `with_left`: with what is left of the request.
    fn send_status(&self, account: AccountId, status: &[u8], with_left: bool, out: &mut impl Subscribers) {
        let mut block = Vec::new();
        start(&mut block, status);
        if with_left {
            signed_field(&mut block, b"Nats-Pending-Messages", self.batch_left);
            signed_field(&mut block, b"Nats-Pending-Bytes", self.bytes_left.max(0));
        }
        headers::end(&mut block);
        send(account, &self.reply, &block, out);
    }
}

/// Sends a status that refuses a request: nothing is queued.
pub fn refuse(account: AccountId, reply: &[u8], status: &[u8], out: &mut impl Subscribers) {
    let mut block = Vec::new();
    start(&mut block, status);
    headers::end(&mut block);
    send(account, reply, &block, out);
}

/// Starts the header block of an idle heartbeat. `last`: consumer sequence, stream sequence.
pub fn idle_heartbeat(block: &mut Vec<u8>, last: (u64, u64)) {
    start(block, b"100 Idle Heartbeat");
    number_field(block, b"Nats-Last-Consumer", last.0);
    number_field(block, b"Nats-Last-Stream", last.1);
}

fn start(block: &mut Vec<u8>, status: &[u8]) {
    block.extend_from_slice(headers::VERSION);
    block.push(b' ');
    block.extend_from_slice(status);
    block.extend_from_slice(b"\r\n");
}

fn number_field(block: &mut Vec<u8>, key: &[u8], value: u64) {
    block.extend_from_slice(key);
    block.extend_from_slice(b": ");
    decimal::put(block, value);
    block.extend_from_slice(b"\r\n");
}

fn signed_field(block: &mut Vec<u8>, key: &[u8], value: i64) {
    block.extend_from_slice(key);
    block.extend_from_slice(b": ");
    decimal::put_signed(block, value);
    block.extend_from_slice(b"\r\n");
}

/// A message of nothing but headers; whether anybody gets it does not matter.
pub fn send(account: AccountId, to: &[u8], block: &[u8], out: &mut impl Subscribers) {
    out.deliver(Delivery { account, to, subject: to, reply: b"", headers: block, payload: b"" });
}

/// A full queue is swept at most this often. nats-server, server/consumer.go: `processNextMsgRequest`.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
#[path = "pull_test.rs"]
mod tests;
