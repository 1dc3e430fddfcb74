//! When messages get too old. The leader finds out and proposes a change; `apply` removes.
//!
//! A stream is looked at no more often than every 250 ms, and one expiry is in flight at a time.

use super::Stream;
use crate::change::{ChangeKind, encode_seq_list};
use crate::encoding::Write;
use crate::ids::StreamSeq;
use crate::limits::EXPIRE_LIST_MAX;
use crate::messages::Messages;
use crate::record::Ttl;
use crate::time::{Instant, Now, WallTime};
use std::time::Duration;

/// Least time between two looks at a stream. Source: nats-server, server/filestore.go (`fireIn`).
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// When to look, and whether an expiry is in flight.
#[derive(Debug)]
pub struct Retention {
    next_check: Option<Instant>,
    in_flight: bool,
}

impl Default for Retention {
    /// A new stream, or one just read from a checkpoint, is looked at at once.
    fn default() -> Self {
        Retention { next_check: Some(Instant(0)), in_flight: false }
    }
}

impl Retention {
    /// An expiry was applied.
    pub fn applied(&mut self) {
        self.in_flight = false;
    }

    /// The configuration has changed.
    pub fn wake(&mut self) {
        self.next_check = Some(Instant(0));
    }

    pub fn drop_in_flight(&mut self) {
        self.in_flight = false;
        self.wake();
    }
}

impl Stream {
    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.retention.next_check
    }

    /// If messages are too old, appends the body of the change that removes them. `may_expire`: false while the clocks
    /// disagree (`clock::ClockWatch`).
    pub fn handle_timeout(&mut self, now: Now, may_expire: bool, body: &mut Vec<u8>) -> Option<ChangeKind> {
        if self.retention.next_check.is_none_or(|at| at > now.monotonic) {
            return None;
        }
        if self.retention.in_flight || !may_expire {
            self.retention.next_check = Some(now.monotonic + CHECK_INTERVAL);
            return None;
        }
        let kind = self.expire(now, body);
        self.retention.in_flight = kind.is_some();
        self.retention.next_check = match kind {
            Some(_) => Some(now.monotonic + CHECK_INTERVAL),
            None => self.next_expiry().map(|at| now.monotonic + (at - now.wall).max(CHECK_INTERVAL)),
        };
        kind
    }

    /// A message was admitted: it may be the next one to expire.
    #[inline]
    pub(super) fn schedule_expiry(&mut self, now: Now, ttl: Ttl) {
        if self.config.max_age.is_zero() && ttl == Ttl::None {
            return;
        }
        let max_age = Some(self.config.max_age).filter(|age| !age.is_zero() && ttl != Ttl::Never);
        let own = if let Ttl::Seconds(seconds) = ttl { Some(Duration::from_secs(seconds)) } else { None };
        let at = max_age.into_iter().chain(own).min().map(|age| now.monotonic + age);
        self.retention.next_check = self.retention.next_check.into_iter().chain(at).min();
    }

    fn expire(&self, now: Now, body: &mut Vec<u8>) -> Option<ChangeKind> {
        if let Some(through) = self.too_old(now.wall) {
            body.put_u64(through);
            return Some(ChangeKind::ExpireThrough);
        }
        let ttls = self.ttls.as_ref()?;
        let mut expired: Vec<u64> = ttls.expired(now.wall).take(EXPIRE_LIST_MAX).collect();
        if expired.is_empty() {
            return None;
        }
        expired.sort_unstable();
        encode_seq_list(expired.into_iter().map(StreamSeq), body);
        Some(ChangeKind::ExpireList)
    }

    /// Last message older than `max_age`, if one up to there can go.
    fn too_old(&self, now: WallTime) -> Option<u64> {
        if self.oldest().is_none_or(|(_, time)| time + self.config.max_age > now) {
            return None;
        }
        let max_age = u64::try_from(self.config.max_age.as_nanos()).unwrap_or(u64::MAX);
        let young = self.seq_at(WallTime(now.0.saturating_sub(max_age) + 1));
        Some(young.0 - 1)
    }

    /// First message to which `max_age` applies, if there is a `max_age`.
    fn oldest(&self) -> Option<(u64, WallTime)> {
        if self.config.max_age.is_zero() {
            return None;
        }
        let mut seq = self.committed.first_seq.max(self.committed.expired_through + 1);
        loop {
            seq = self.index.at_or_above(seq)?;
            if !self.is_never(seq) {
                return self.index.get(seq).map(|message| (seq, message.time));
            }
            seq += 1;
        }
    }

    fn next_expiry(&self) -> Option<WallTime> {
        let by_age = self.oldest().map(|(_, time)| time + self.config.max_age);
        let by_ttl = self.ttls.as_ref().and_then(|ttls| ttls.next());
        by_age.into_iter().chain(by_ttl).min()
    }
}
