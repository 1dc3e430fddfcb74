//! When a peer is asked whether it is still there, and when waiting for it ends.

use super::Client;
use super::close::CloseReason;
use crate::protocol::write;
use shards::hashing::hash_bytes;
use shards::time::{Instant, Now};
use std::time::Duration;

/// Deadlines of one client and what they are judged by.
#[derive(Debug)]
pub(super) struct Timers {
    /// When the next PING is considered.
    ping_at: Instant,
    /// When a CONNECT must have authenticated; none once it did or if it need not.
    auth_at: Option<Instant>,
    /// When the write that is under way must have ended.
    write_at: Option<Instant>,
    accepted: Instant,
    /// Last time that the peer did more than answer.
    last_in: Instant,
    /// When the last PING left.
    ping_sent: Option<Instant>,
    unanswered: u32,
    round_trip: Option<Duration>,
}

impl Timers {
    pub(super) fn new(now: Now, ping_interval: Duration, auth_timeout: Option<Duration>) -> Self {
        Timers {
            ping_at: now.monotonic + ping_interval,
            auth_at: auth_timeout.map(|timeout| now.monotonic + timeout),
            write_at: None,
            accepted: now.monotonic,
            last_in: now.monotonic,
            ping_sent: None,
            unanswered: 0,
            round_trip: None,
        }
    }

    /// The peer published, subscribed or pinged.
    #[inline]
    pub(super) fn active(&mut self, now: Now) {
        self.last_in = now.monotonic;
    }

    /// A CONNECT was read. The first PING comes soon, so that the round trip is known; `id` spreads the first PINGs of many
    /// clients that connect at once.
    pub(super) fn connected(&mut self, now: Now, ping_interval: Duration, id: u64) {
        self.auth_at = None;
        self.round_trip = Some(now.monotonic - self.accepted);
        let first = ping_interval.min(FIRST_PING);
        let jitter = first.mul_f64(0.2 * (hash_bytes(&id.to_le_bytes()) >> 48) as f64 / 65536.0);
        self.ping_at = now.monotonic + first + jitter;
    }

    pub(super) fn pong(&mut self, now: Now) {
        self.unanswered = 0;
        if let Some(sent) = self.ping_sent {
            self.round_trip = Some(now.monotonic - sent);
        }
    }

    pub(super) fn write_started(&mut self, now: Now, write_deadline: Duration) {
        self.write_at = Some(now.monotonic + write_deadline);
    }

    pub(super) fn write_ended(&mut self) {
        self.write_at = None;
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    fn next(&self) -> Instant {
        [self.auth_at, self.write_at].into_iter().flatten().fold(self.ping_at, Instant::min)
    }

    /// Whether the PING that is due can be left out: the peer was heard of, and the round trip is known well enough.
    fn is_ping_needless(&self, now: Now, ping_interval: Duration) -> bool {
        let measured = self.ping_sent.is_some_and(|sent| now.monotonic - sent <= ROUND_TRIP_AGE_MAX);
        now.monotonic - self.last_in < ping_interval && measured && self.round_trip.is_some()
    }
}

impl Client {
    /// Earliest moment at which `handle_timeout` has something to do; `None` once the connection has ended.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.closed {
            // Only the last write still has a deadline.
            Some(_) => self.timers.write_at,
            None => Some(self.timers.next()),
        }
    }

    /// Pings, stale connections, late CONNECTs and overlong writes.
    pub fn handle_timeout(&mut self, now: Now) {
        let is_due = |at: Instant| at <= now.monotonic;
        if self.timers.write_at.is_some_and(is_due) {
            self.timers.write_at = None;
            self.close(CloseReason::SlowConsumerWriteDeadline);
        }
        if self.closed.is_some() {
            return;
        }
        if self.timers.auth_at.is_some_and(is_due) {
            self.fail("Authentication Timeout", CloseReason::AuthenticationTimeout);
        } else if is_due(self.timers.ping_at) {
            self.handle_ping_due(now);
        }
    }

    fn handle_ping_due(&mut self, now: Now) {
        let interval = self.settings.ping_interval;
        if !self.timers.is_ping_needless(now, interval) {
            if self.timers.unanswered >= self.settings.ping_max {
                self.fail("Stale Connection", CloseReason::StaleConnection);
                return;
            }
            self.timers.unanswered += 1;
            self.timers.ping_sent = Some(now.monotonic);
            self.queue(write::PING);
        }
        self.timers.ping_at = now.monotonic + interval;
    }
}

/// The first PING after a CONNECT comes after this long, or the interval if that is shorter, and up to a fifth later.
/// Source: nats-server, server/client.go (`setFirstPingTimer`).
const FIRST_PING: Duration = Duration::from_secs(2);

/// A round trip older than this is measured again, however busy the peer is.
const ROUND_TRIP_AGE_MAX: Duration = Duration::from_secs(3600);
