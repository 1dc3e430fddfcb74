//! Defaults and validation of a stream's configuration, in nats-server's order and words.
//!
//! Source: nats-server, server/stream.go (`checkStreamCfg`, `configUpdateCheck`); only what the served fields need.

use super::config::{Discard, ServerLimits, StreamConfig};
use crate::go_duration;
use crate::limits::{DESCRIPTION_LEN_MAX, METADATA_LEN_MAX, NAME_LEN_MAX};
use crate::rejection::Rejection;
use crate::subject;
use std::time::Duration;

impl StreamConfig {
    /// Fills in defaults and checks everything that needs nothing but the configuration. `pedantic`: refuse where a
    /// value would be adjusted.
    pub fn complete(&mut self, limits: &ServerLimits, pedantic: bool) -> Result<(), Rejection> {
        self.check_names()?;
        self.complete_limits(pedantic)?;
        self.complete_duplicate_window(limits, pedantic)?;
        if self.deny_purge && self.allow_rollup_hdrs {
            return invalid("roll-ups require the purge permission");
        }
        if self.discard_new_per_subject {
            if self.discard != Discard::New {
                return invalid("discard new per subject requires discard new policy to be set");
            }
            if self.max_msgs_per_subject <= 0 {
                return invalid("discard new per subject requires max msgs per subject > 0");
            }
        }
        if self.mirror_direct {
            return invalid("stream has no mirror but does have mirror direct");
        }
        if self.subjects.is_empty() {
            self.subjects.push(self.name.clone());
        }
        self.check_subjects()?;
        if self.num_replicas > 1 {
            return Err(Rejection::StreamReplicasNotSupported);
        }
        self.set_required_level();
        Ok(())
    }

    /// Whether `self` may become `new`; both are complete. Applies the effects of `sealed` to `new`.
    pub fn check_update(&self, new: &mut StreamConfig) -> Result<(), Rejection> {
        if self.name != new.name {
            return invalid("stream configuration name must match original");
        }
        if self.storage != new.storage {
            return invalid("stream configuration update can not change storage type");
        }
        if self.sealed && !new.sealed {
            return invalid("stream configuration update can not unseal a sealed stream");
        }
        if self.deny_delete && !new.deny_delete {
            return invalid("stream configuration update can not cancel deny message deletes");
        }
        if self.deny_purge && !new.deny_purge {
            return invalid("stream configuration update can not cancel deny purge");
        }
        if self.allow_msg_ttl && !new.allow_msg_ttl {
            return invalid("message TTL status can not be disabled");
        }
        if new.sealed {
            new.max_age = Duration::ZERO;
            new.discard = Discard::New;
            new.deny_delete = true;
            new.deny_purge = true;
            new.allow_rollup_hdrs = false;
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), Rejection> {
        let forbidden = |c| matches!(c, ' ' | '\t' | '\r' | '\n' | '\x0c' | '.' | '*' | '>' | '\\' | '/');
        if self.name.is_empty() || self.name.contains(forbidden) {
            return invalid("stream name is required and can not contain '.', '*', '>', '\\', '/'");
        }
        if self.name.len() > NAME_LEN_MAX {
            return invalid("stream name is too long, maximum allowed is 255");
        }
        if self.description.len() > DESCRIPTION_LEN_MAX {
            return invalid("stream description is too long, maximum allowed is 4096");
        }
        let metadata_len: usize = self.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        if metadata_len > METADATA_LEN_MAX {
            return invalid("stream metadata exceeds maximum size of 131072 bytes");
        }
        Ok(())
    }

    fn complete_limits(&mut self, pedantic: bool) -> Result<(), Rejection> {
        match self.num_replicas {
            0 => self.num_replicas = 1,
            6.. => return invalid("maximum replicas is 5"),
            ..0 => return Err(Rejection::ReplicasCountCannotBeNegative),
            _ => {}
        }
        let limits = [
            (&mut self.max_msgs, "max_msgs must be set to -1"),
            (&mut self.max_msgs_per_subject, "max_msgs_per_subject must be set to -1"),
            (&mut self.max_bytes, "max_bytes must be set to -1"),
            (&mut self.max_msg_size, "max_msg_size must be set to -1"),
            (&mut self.max_consumers, "max_consumers must be set to -1"),
        ];
        for (limit, text) in limits {
            if *limit < -1 && pedantic {
                return Err(Rejection::Pedantic(text.into()));
            }
            if *limit <= 0 {
                *limit = -1;
            }
        }
        if !self.max_age.is_zero() && self.max_age < SHORTEST {
            return invalid("max age needs to be >= 100ms");
        }
        Ok(())
    }

    fn complete_duplicate_window(&mut self, limits: &ServerLimits, pedantic: bool) -> Result<(), Rejection> {
        let limit = limits.duplicate_window;
        if self.duplicate_window.is_zero() {
            self.duplicate_window = DUPLICATE_WINDOW_DEFAULT;
            if !limit.is_zero() && limit < self.duplicate_window {
                if pedantic {
                    let text = "duplicate window limits are higher than current limits";
                    return Err(Rejection::Pedantic(text.into()));
                }
                self.duplicate_window = limit;
            }
            if !self.max_age.is_zero() && self.max_age < self.duplicate_window {
                if pedantic {
                    return Err(Rejection::Pedantic("duplicate window cannot be bigger than max age".into()));
                }
                self.duplicate_window = self.max_age;
            }
        }
        if !self.max_age.is_zero() && self.duplicate_window > self.max_age {
            return invalid("duplicates window can not be larger then max age");
        }
        if !limit.is_zero() && self.duplicate_window > limit {
            let text = "duplicates window can not be larger then server limit of ";
            return Err(Rejection::StreamInvalidConfig(
                format!("{text}{}", go_duration::text(i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX)))
                    .into(),
            ));
        }
        if self.duplicate_window < SHORTEST {
            return invalid("duplicates window needs to be >= 100ms");
        }
        Ok(())
    }

    fn check_subjects(&self) -> Result<(), Rejection> {
        for (at, text) in self.subjects.iter().enumerate() {
            let own = text.as_bytes();
            if !subject::is_valid(own) {
                return invalid("invalid subject");
            }
            if self.subjects[..at].contains(text) && subject::is_literal(own) {
                return invalid("duplicate subjects detected");
            }
            if own == b">" {
                if !self.no_ack {
                    return invalid("capturing all subjects requires no-ack to be true");
                }
                if self.num_replicas != 1 {
                    return invalid("capturing all subjects requires replicas of 1");
                }
            }
            if !self.no_ack {
                let api = [&b"$JS.>"[..], b"$JSC.>", b"$NRG.>"];
                let in_api = api.iter().any(|api| subject::collide(own, api));
                if in_api && !subject::is_subset(own, b"$JS.EVENT.>") {
                    return invalid("subjects that overlap with jetstream api require no-ack to be true");
                }
                if subject::collide(own, b"$SYS.>") && !subject::is_subset(own, b"$SYS.ACCOUNT.>") {
                    return invalid("subjects that overlap with system api require no-ack to be true");
                }
            }
            for other in self.subjects.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, other)| other) {
                if subject::is_valid(other.as_bytes()) && subject::collide(own, other.as_bytes()) {
                    return Err(Rejection::StreamInvalidConfig(
                        format!("subject {text:?} overlaps with {other:?}").into(),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The API level that a server must have to serve this. Source: NATS ADR-44.
    fn set_required_level(&mut self) {
        let level = if self.allow_msg_ttl { "1" } else { "0" };
        self.metadata.retain(|(key, _)| !DYNAMIC_METADATA.contains(&key.as_str()) && key != REQUIRED_LEVEL);
        self.metadata.push((REQUIRED_LEVEL.to_owned(), level.to_owned()));
        self.metadata.sort();
    }
}

fn invalid<T>(text: &'static str) -> Result<T, Rejection> {
    Err(Rejection::StreamInvalidConfig(text.into()))
}

/// Shortest `max_age` and `duplicate_window`.
const SHORTEST: Duration = Duration::from_millis(100);
const DUPLICATE_WINDOW_DEFAULT: Duration = Duration::from_secs(120);
const REQUIRED_LEVEL: &str = "_nats.req.level";
/// Added to answers where JSON is written, never stored.
const DYNAMIC_METADATA: [&str; 2] = ["_nats.ver", "_nats.level"];

#[cfg(test)]
#[path = "config_test.rs"]
mod tests;
