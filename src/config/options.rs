//! Every setting with its default, and the rules that no single value can break.

use super::error::Refusal;
use crate::accounts::nkey::UserKey;
use shards::limits::{MAX_PAYLOAD_MAX, UNSYNCED_LEN_MAX};
use std::path::PathBuf;
use std::time::Duration;

/// What the broker runs with. `Options::default()` is the one place where defaults are written down; `config.toml` in the
/// repository repeats them and a test compares the two.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Address to listen on: an IP address or a host name.
    pub host: String,
    /// Port for clients; 0 lets the system choose.
    pub port: u16,
    /// Without spaces. None: the server's id.
    pub server_name: Option<String>,
    /// Where the process id is written at start. Not removed at the end, as nats-server does.
    pub pid_file: Option<PathBuf>,
    pub debug: bool,
    /// Log every protocol operation.
    pub trace: bool,
    /// Log lines carry the time.
    pub logtime: bool,
    /// ... in UTC instead of the local time zone.
    pub logtime_utc: bool,

    /// Bytes of a protocol line's arguments.
    pub max_control_line: usize,
    /// Bytes of a message, headers included. At most `MAX_PAYLOAD_MAX` and `max_pending`.
    pub max_payload: usize,
    /// Bytes waiting to be written to one connection; beyond it the connection is a slow consumer and is dropped.
    pub max_pending: u64,
    /// Client connections at a time; 0 lets nobody in.
    pub max_connections: u32,
    /// Subscriptions of one connection; 0: no limit of its own.
    pub max_subscriptions: u32,
    pub ping_interval: Duration,
    /// PINGs that may stay unanswered before a connection is stale.
    pub ping_max: u32,
    /// Longest that one socket write may take.
    pub write_deadline: Duration,
    /// Clients may use headers.
    pub headers: bool,
    /// Time over which clients are closed in lame duck mode. At least 30 s.
    pub lame_duck_duration: Duration,
    /// Time between the notice and the first close. Shorter than `lame_duck_duration`.
    pub lame_duck_grace_period: Duration,

    pub authorization: Authorization,
    /// Time a client has to log in.
    pub auth_timeout: Duration,

    pub jetstream: JetStream,

    /// Executors to start; None: one per core. More than the cores: they are not pinned.
    pub executors: Option<usize>,
    /// Cores to run on, within the inherited affinity mask; None: all of the mask.
    pub cores: Option<Vec<usize>>,
    /// At the end, tell on stderr what messages took in each stage.
    pub report: bool,
}

/// Who may connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    #[default]
    Anyone,
    /// Plain, or a bcrypt hash.
    Token(String),
    /// Names and keys are distinct.
    Users(Vec<User>),
}

/// How a user is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// The password is plain, or a bcrypt hash.
    Named { name: String, password: String },
    /// Signs with this key.
    Keyed(UserKey),
}

/// Settings of streams and their log.
#[derive(Clone, Debug, PartialEq)]
pub struct JetStream {
    /// The parent of the data directory when given (`DIR/millrace/`); None: `./millrace-data`.
    pub store_dir: Option<PathBuf>,
    /// Bytes of all messages in memory storage; None: three quarters of the machine's memory.
    pub max_memory: Option<u64>,
    /// Bytes of all messages in file storage; None: no limit but the disk's own.
    pub max_file: Option<u64>,
    /// Longest that a written record waits for the sync that covers it. Zero: none, the sync starts at once.
    pub sync_interval: Duration,
    pub acks: Acks,
}

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acks {
    /// The message is on stable storage.
    #[default]
    Synced,
    /// The message was handed to the system; a power cut may lose what is younger or more than this.
    Written { unsynced_time_max: Duration, unsynced_bytes_max: u64 },
}

impl Default for Options {
    fn default() -> Self {
        Options {
            host: "0.0.0.0".into(),
            port: 4222,
            server_name: None,
            pid_file: None,
            debug: false,
            trace: false,
            logtime: true,
            logtime_utc: false,
            max_control_line: 4096,
            max_payload: 1 << 20,
            max_pending: 64 << 20,
            max_connections: 65_536,
            max_subscriptions: 0,
            ping_interval: Duration::from_secs(120),
            ping_max: 2,
            write_deadline: Duration::from_secs(10),
            headers: true,
            lame_duck_duration: Duration::from_secs(120),
            lame_duck_grace_period: Duration::from_secs(10),
            authorization: Authorization::Anyone,
            auth_timeout: Duration::from_secs(2),
            jetstream: JetStream::default(),
            executors: None,
            cores: None,
            report: false,
        }
    }
}

impl Default for JetStream {
    fn default() -> Self {
        JetStream {
            store_dir: None,
            max_memory: None,
            max_file: None,
            sync_interval: Duration::ZERO,
            acks: Acks::Synced,
        }
    }
}

/// Longest `sync_interval`: it delays every ack.
const SYNC_INTERVAL_MAX: Duration = Duration::from_millis(100);
/// Shortest `lame_duck_duration`. Source: nats-server, server/opts.go.
const LAME_DUCK_DURATION_MIN: Duration = Duration::from_secs(30);
/// Longest and most that the relaxed mode may leave unsynced.
const UNSYNCED_TIME_MAX: Duration = Duration::from_secs(10);
const UNSYNCED_BYTES_MAX: u64 = UNSYNCED_LEN_MAX;

impl Options {
    /// Checks what one value alone cannot tell. Errors: the first rule that is broken.
    pub fn check(&self) -> Result<(), Refusal> {
        let refuse = |keys, reason: String| Err(Refusal { keys, reason });
        if self.max_payload > MAX_PAYLOAD_MAX {
            let reason =
                format!("max_payload ({}) cannot be higher than {MAX_PAYLOAD_MAX}", self.max_payload);
            return refuse(&["max_payload"], reason);
        }
        if self.max_payload as u64 > self.max_pending {
            let reason = format!(
                "max_payload ({}) cannot be higher than max_pending ({})",
                self.max_payload, self.max_pending
            );
            return refuse(&["max_payload", "max_pending"], reason);
        }
        if self.lame_duck_duration < LAME_DUCK_DURATION_MIN {
            let reason =
                format!("invalid lame_duck_duration of {:?}, minimum is 30 seconds", self.lame_duck_duration);
            return refuse(&["lame_duck_duration"], reason);
        }
        if self.lame_duck_grace_period >= self.lame_duck_duration {
            let reason = format!(
                "lame duck grace period ({:?}) should be strictly lower than lame duck duration ({:?})",
                self.lame_duck_grace_period, self.lame_duck_duration
            );
            return refuse(&["lame_duck_grace_period", "lame_duck_duration"], reason);
        }
        if self.server_name.as_deref().is_some_and(|name| name.contains(' ')) {
            return refuse(&["server_name"], "server name cannot contain spaces".into());
        }
        if self.server_name.as_deref() == Some("") {
            return refuse(&["server_name"], "server name cannot be empty".into());
        }
        if self.executors == Some(0) {
            return refuse(&["millrace.executors"], "executors cannot be 0".into());
        }
        self.jetstream.check()
    }
}

impl JetStream {
    fn check(&self) -> Result<(), Refusal> {
        if self.sync_interval > SYNC_INTERVAL_MAX {
            let reason = format!(
                "sync_interval ({:?}) delays every ack and cannot be longer than {SYNC_INTERVAL_MAX:?}; for acks that do not \
                 wait for a sync set millrace.ack = \"written\"",
                self.sync_interval
            );
            return Err(Refusal { keys: &["jetstream.sync_interval"], reason });
        }
        let Acks::Written { unsynced_time_max, unsynced_bytes_max } = self.acks else { return Ok(()) };
        if unsynced_time_max.is_zero() || unsynced_time_max > UNSYNCED_TIME_MAX {
            let reason = format!("unsynced_time_max must be above 0 and at most {UNSYNCED_TIME_MAX:?}");
            return Err(Refusal { keys: &["millrace.unsynced_time_max", "millrace.ack"], reason });
        }
        if unsynced_bytes_max == 0 || unsynced_bytes_max > UNSYNCED_BYTES_MAX {
            let reason = format!("unsynced_bytes_max must be above 0 and at most {UNSYNCED_BYTES_MAX} bytes");
            return Err(Refusal { keys: &["millrace.unsynced_bytes_max", "millrace.ack"], reason });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_rules() {
        assert_eq!(Options::default().check(), Ok(()));
    }

    #[test]
    fn a_payload_above_the_engine_limit_is_refused() {
        let options = Options { max_payload: MAX_PAYLOAD_MAX + 1, ..Options::default() };
        assert_eq!(options.check().unwrap_err().keys, ["max_payload"]);
    }

    #[test]
    fn a_payload_above_max_pending_is_refused_as_nats_server_says_it() {
        let options = Options { max_payload: 2000, max_pending: 1000, ..Options::default() };
        let reason = options.check().unwrap_err().reason;
        assert_eq!(reason, "max_payload (2000) cannot be higher than max_pending (1000)");
    }

    #[test]
    fn a_grace_period_must_end_before_the_lame_duck_does() {
        let options = Options { lame_duck_grace_period: Duration::from_secs(120), ..Options::default() };
        assert!(options.check().is_err());
    }

    #[test]
    fn a_sync_interval_above_100_ms_is_refused() {
        let jetstream = JetStream { sync_interval: Duration::from_secs(120), ..JetStream::default() };
        let options = Options { jetstream, ..Options::default() };
        assert_eq!(options.check().unwrap_err().keys, ["jetstream.sync_interval"]);
    }

    #[test]
    fn the_relaxed_mode_has_a_bounded_loss_window() {
        let acks = Acks::Written { unsynced_time_max: Duration::ZERO, unsynced_bytes_max: 1 };
        let options = Options { jetstream: JetStream { acks, ..JetStream::default() }, ..Options::default() };
        assert!(options.check().is_err());
    }
}
