//! Whether the wall clock may be trusted to expire messages.
//! May import: time, limits.
//! Must not know: what expires.

use crate::time::{Instant, Now};
use std::time::Duration;

/// Compares the two clocks. When they disagree by seconds, expiry pauses until the new time has held for a minute: a
/// clock that was set a year ahead by mistake must not remove a year of messages. One per shard.
#[derive(Debug, Default)]
pub struct ClockWatch {
    /// Wall clock less monotonic clock, nanoseconds, as last seen.
    difference: Option<i128>,
    paused_until: Option<Instant>,
    event: Option<ClockEvent>,
}

/// Something for the server log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockEvent {
    /// The wall clock was set by this many milliseconds; expiry pauses.
    Stepped { by_ms: i64 },
    /// The new time has held; expiry goes on.
    Settled,
}

/// Greatest step that is taken for drift.
const STEP_MIN: Duration = Duration::from_secs(2);

/// How long a new time must hold.
const PAUSE: Duration = Duration::from_secs(60);

impl ClockWatch {
    /// Looks at both clocks, at least once a minute, and says whether messages may be found too old now.
    pub fn may_expire(&mut self, now: Now) -> bool {
        self.event = self.handle_now(now).or(self.event);
        self.paused_until.is_none()
    }

    /// What happened last and was not asked for yet.
    pub fn poll_event(&mut self) -> Option<ClockEvent> {
        self.event.take()
    }

    fn handle_now(&mut self, now: Now) -> Option<ClockEvent> {
        let difference = i128::from(now.wall.0) - i128::from(now.monotonic.0);
        let step = self.difference.map_or(0, |before| difference - before);
        self.difference = Some(difference);
        if step.unsigned_abs() >= STEP_MIN.as_nanos() {
            self.paused_until = Some(now.monotonic + PAUSE);
            return Some(ClockEvent::Stepped { by_ms: i64::try_from(step / 1_000_000).unwrap_or(i64::MAX) });
        }
        if self.paused_until.is_some_and(|until| until <= now.monotonic) {
            self.paused_until = None;
            return Some(ClockEvent::Settled);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallTime;

    fn at(monotonic_s: u64, wall_s: u64) -> Now {
        Now { monotonic: Instant(monotonic_s * 1_000_000_000), wall: WallTime(wall_s * 1_000_000_000) }
    }

    #[test]
    fn expiry_pauses_until_a_new_time_has_held_for_a_minute() {
        let mut watch = ClockWatch::default();
        assert!(watch.may_expire(at(1, 1_000)) && watch.may_expire(at(2, 1_001)));
        assert!(!watch.may_expire(at(3, 90_002)));
        assert_eq!(watch.poll_event(), Some(ClockEvent::Stepped { by_ms: 89_000_000 }));
        assert!(!watch.may_expire(at(62, 90_061)));
        assert!(watch.may_expire(at(63, 90_062)));
        assert_eq!((watch.poll_event(), watch.poll_event()), (Some(ClockEvent::Settled), None));
    }

    #[test]
    fn drift_is_no_step() {
        let mut watch = ClockWatch::default();
        for second in 0..100 {
            assert!(watch.may_expire(at(second, 1_000 + second * 2)));
        }
    }
}
