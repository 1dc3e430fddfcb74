//! Messages with a time to live of their own (NATS ADR-43).

use crate::go_duration;
use crate::record::Ttl;
use crate::time::WallTime;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Reads the value of `Nats-TTL`; `None`: malformed. An empty value is no TTL.
/// Source: nats-server, server/stream.go (`parseMessageTTL`).
pub fn parse(value: &[u8]) -> Option<Ttl> {
    if value.is_empty() {
        return Some(Ttl::None);
    }
    if value.eq_ignore_ascii_case(b"never") {
        return Some(Ttl::Never);
    }
    let seconds = match go_duration::parse(value) {
        // A negative one is not longer than a second.
        Some(nanoseconds) => u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(0),
        None => super::publish_headers::parse_number(value)?,
    };
    (seconds > 0).then_some(Ttl::Seconds(seconds))
}

/// When each of them goes.
#[derive(Debug, Default)]
pub struct Ttls {
    by_seq: BTreeMap<u64, u64>,
    /// (nanoseconds since 1970, sequence); those that never expire are not here.
    by_time: BTreeSet<(u64, u64)>,
}

/// Stands for `never`.
const NEVER: u64 = u64::MAX;

impl Ttls {
    pub fn insert(&mut self, seq: u64, stored: WallTime, ttl: Ttl) {
        let expiry = match ttl {
            Ttl::None => return,
            Ttl::Seconds(seconds) => (stored + Duration::from_secs(seconds)).0.min(NEVER - 1),
            Ttl::Never => NEVER,
        };
        self.insert_at(seq, expiry);
    }

    pub fn insert_at(&mut self, seq: u64, expiry: u64) {
        self.by_seq.insert(seq, expiry);
        if expiry != NEVER {
            self.by_time.insert((expiry, seq));
        }
    }

    pub fn remove(&mut self, seq: u64) {
        if let Some(expiry) = self.by_seq.remove(&seq) {
            self.by_time.remove(&(expiry, seq));
        }
    }

    /// Whether `max_age` does not apply to this message.
    pub fn is_never(&self, seq: u64) -> bool {
        self.by_seq.get(&seq) == Some(&NEVER)
    }

    /// Earliest expiry.
    pub fn next(&self) -> Option<WallTime> {
        self.by_time.first().map(|&(expiry, _)| WallTime(expiry))
    }

    /// Messages that have expired, in the order of their expiry.
    pub fn expired(&self, now: WallTime) -> impl Iterator<Item = u64> + '_ {
        self.by_time.iter().take_while(move |&&(expiry, _)| expiry <= now.0).map(|&(_, seq)| seq)
    }

    /// (sequence, expiry), ascending by sequence.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.by_seq.iter().map(|(&seq, &expiry)| (seq, expiry))
    }

    pub fn len(&self) -> usize {
        self.by_seq.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_seq.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_seconds_a_go_duration_or_never() {
        assert_eq!(parse(b""), Some(Ttl::None));
        assert_eq!(parse(b"5"), Some(Ttl::Seconds(5)));
        assert_eq!(parse(b"1500ms"), Some(Ttl::Seconds(1)));
        assert_eq!(parse(b"1h"), Some(Ttl::Seconds(3600)));
        assert_eq!(parse(b"NeVer"), Some(Ttl::Never));
        for bad in [&b"0"[..], b"-1", b"0.5s", b"soon", b"1.5", b"-2s"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
