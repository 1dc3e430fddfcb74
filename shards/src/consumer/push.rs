//! Delivery to a subject of the consumer's own: who is bound, idle heartbeats, the window of flow control.

use super::config::ConsumerConfig;
use super::pull::{idle_heartbeat, send};
use crate::hashing::hash_bytes;
use crate::headers;
use crate::ids::AccountId;
use crate::subscribers::{Delivery, Subscribers};
use crate::time::{Instant, Now};
use std::time::Duration;

/// The volatile state of a push consumer.
#[derive(Debug)]
pub struct Push {
    /// Where messages go.
    pub subject: Box<str>,
    /// The queue group that subscribers must be members of; empty: none.
    pub group: Box<str>,
    /// Whether somebody subscribes to the deliver subject as it must be (`Subscribers::bound`).
    pub active: bool,
    /// Zero: none.
    heartbeat: Duration,
    /// When a heartbeat is due, unless something is delivered before. Only while active.
    pub heartbeat_at: Option<Instant>,
    pub window: Option<Window>,
}

/// The window of flow control. Sizes in bytes.
#[derive(Debug)]
pub struct Window {
    /// Begins with `$JS.FC.<stream>.<consumer>.`; then the token of the outstanding request.
    reply: Vec<u8>,
    prefix_len: usize,
    /// Whether a request is outstanding.
    outstanding: bool,
    requests: u64,
    /// Sent and not yet confirmed.
    sent: usize,
    /// What the answer to the outstanding request confirms.
    requested: usize,
    size: usize,
}

impl Push {
    pub fn new(config: &ConsumerConfig, stream: &str) -> Push {
        Push {
            subject: config.deliver_subject.as_str().into(),
            group: config.deliver_group.as_str().into(),
            active: false,
            heartbeat: Duration::from_nanos(u64::try_from(config.idle_heartbeat).unwrap_or(0)),
            heartbeat_at: None,
            window: config.flow_control.then(|| Window::new(stream, &config.name)),
        }
    }

    /// Messages go to where this configuration says.
    pub fn take_target(&mut self, config: &ConsumerConfig) {
        self.subject = config.deliver_subject.as_str().into();
        self.group = config.deliver_group.as_str().into();
    }

    pub fn set_active(&mut self, now: Now, active: bool) {
        if active && !self.active && !self.heartbeat.is_zero() {
            self.heartbeat_at = Some(now.monotonic + self.heartbeat);
        }
        if !active {
            self.heartbeat_at = None;
        }
        self.active = active;
    }

    /// Whether the window lets another message through.
    pub fn is_open(&self) -> bool {
        self.active && self.window.as_ref().is_none_or(|window| window.sent <= window.size)
    }

    /// A message of `size` bytes was sent; asks for flow control when half of the window is used.
    pub fn sent(&mut self, now: Now, account: AccountId, size: usize, out: &mut impl Subscribers) {
        if self.heartbeat_at.is_some() {
            self.heartbeat_at = Some(now.monotonic + self.heartbeat);
        }
        if let Some(window) = &mut self.window
            && window.count(now, size)
        {
            let headers = b"NATS/1.0 100 FlowControl Request\r\n\r\n";
            let (to, reply) = (self.subject.as_bytes(), &window.reply);
            out.deliver(Delivery { account, to, subject: to, reply, headers, payload: b"" });
        }
    }

    /// Sends a heartbeat if one is due.
    pub fn handle_timeout(
        &mut self,
        now: Now,
        account: AccountId,
        last: (u64, u64),
        out: &mut impl Subscribers,
    ) {
        if self.heartbeat_at.is_none_or(|at| at > now.monotonic) {
            return;
        }
        self.heartbeat_at = Some(now.monotonic + self.heartbeat);
        let mut block = Vec::new();
        idle_heartbeat(&mut block, last);
        if let Some(window) = self.window.as_ref().filter(|window| window.outstanding) {
            headers::field(&mut block, b"Nats-Consumer-Stalled", &window.reply);
        }
        headers::end(&mut block);
        send(account, self.subject.as_bytes(), &block, out);
    }
}

impl Window {
    fn new(stream: &str, consumer: &str) -> Window {
        let reply = [PREFIX, stream.as_bytes(), b".", consumer.as_bytes(), b"."].concat();
        Window {
            prefix_len: reply.len(),
            reply,
            outstanding: false,
            requests: 0,
            sent: 0,
            requested: 0,
            size: WINDOW_MAX / 16,
        }
    }

    /// Counts a message. True if a request is to be sent with the reply subject that is now in `reply`.
    fn count(&mut self, now: Now, size: usize) -> bool {
        self.sent += size;
        if !self.outstanding && self.sent > self.size / 2 {
            self.requests += 1;
            self.requested = self.sent;
            self.outstanding = true;
            self.reply.truncate(self.prefix_len);
            put_token(&mut self.reply, now.wall.0 ^ self.requests);
            return true;
        }
        // A whole window more behind an open request: one answer must be able to clear it.
        if self.outstanding && self.sent - self.requested >= self.size {
            self.requested += size;
        }
        false
    }

    /// The client reached the request that was answered on `subject`. False: not the outstanding one.
    pub fn handle_reply(&mut self, subject: &[u8]) -> bool {
        let ours = self.outstanding && same_tail(subject, &self.reply);
        if ours {
            self.size = (self.size * 2).min(WINDOW_MAX);
            self.sent = self.sent.saturating_sub(self.requested);
            self.requested = 0;
            self.outstanding = false;
        }
        ours
    }
}

/// Stream, consumer and token must be ours; a domain and an account hash may stand before them.
fn same_tail(subject: &[u8], reply: &[u8]) -> bool {
    let (Some(rest), Some(own)) = (subject.strip_prefix(PREFIX), reply.strip_prefix(PREFIX)) else {
        return false;
    };
    rest.strip_suffix(own).is_some_and(|scope| scope.is_empty() || scope.ends_with(b"."))
}

/// Four characters, so that a late answer to an earlier request hardly ever fits.
fn put_token(out: &mut Vec<u8>, number: u64) {
    let mut mixed = hash_bytes(&number.to_le_bytes());
    for _ in 0..4 {
        out.push(BASE62[(mixed % 62) as usize]);
        mixed /= 62;
    }
}

const PREFIX: &[u8] = b"$JS.FC.";

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Largest window; the first is a sixteenth of it. Bytes. nats-server: `JsFlowControlMaxPending`.
const WINDOW_MAX: usize = 32 << 20;

#[cfg(test)]
#[path = "push_test.rs"]
mod tests;
