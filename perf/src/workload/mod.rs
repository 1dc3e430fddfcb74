//! What load is put on a server: one typed description, from flags or from a TOML table with the same names.
//! May import: failure, units.
//! Must not know: sockets, servers, results.

mod flags;
mod payload;
mod schedule_file;

pub use flags::{Flags, STAMP_LEN};
pub use payload::Payload;
pub use schedule_file::Step;

use crate::failure::Failure;
use crate::units;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Checked: whatever stands in one can be run. Made from [`Flags`], by serde as well, so that a key of an SLO file's
/// `[workload]` is the name of a flag with `_` for `-`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Flags")]
pub struct Workload {
    pub kind: Kind,
    /// Connections that publish, request or fetch; in `pubsub` the publishers. 1 to 10,000.
    pub connections: u32,
    /// Generator threads; connections are spread over them.
    pub threads: u32,
    pub streams: Streams,
    pub subjects: Subjects,
    pub payload: Payload,
    /// Headers of each message, beside a message id.
    pub headers: u32,
    /// Every message has a `Nats-Msg-Id` of its own.
    pub message_ids: bool,
    pub pull: Pull,
    /// Of `pubsub`: connections that subscribe; of `request`: connections that respond.
    pub subscribers: u32,
    /// Of `pubsub`: queue groups that the subscribers are spread over; 0: each is on its own.
    pub queue_groups: u32,
    pub pace: Pace,
    /// What publishes beside the measured operations; None: they are alone.
    pub background: Option<Background>,
    pub length: Length,
    /// Load before the measured part; none where a count is given.
    pub warm_up: Duration,
    /// Cores for the generator's threads, in turn; empty: wherever the scheduler likes.
    pub cores: Vec<usize>,
    /// Read back and compare.
    pub verify: bool,
    /// Decides payloads, subjects and arrivals.
    pub seed: u64,
    /// An open loop whose 99th percentile of lateness is above this is invalid.
    pub lateness_max: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Kind {
    /// To streams, acked. An operation is a right pub ack.
    Publish,
    /// From streams, pulled. An operation is a message, delivered once (and its ack confirmed, with `ack_sync`).
    Consume,
    /// Core NATS. An operation is a delivery to one subscriber.
    PubSub,
    /// Core NATS. An operation is an answered request.
    Request,
    /// To streams and from them at once. An operation is a message, delivered once.
    Mixed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Streams {
    /// Streams to make; messages go to them in turn.
    pub count: u32,
    /// A stream that exists already: nothing is made, filled or deleted but consumers.
    pub existing: Option<String>,
    pub storage: Storage,
    pub replicas: u32,
    /// Unlimited without.
    pub max_msgs_per_subject: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Storage {
    File,
    Memory,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subjects {
    /// First tokens; a name of the run's own without.
    pub prefix: Option<String>,
    /// Of each stream; in `pubsub` and `request`, in all.
    pub count: u32,
    pub distribution: Distribution,
}

/// Which subject the next message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum Distribution {
    InTurn,
    Uniform,
    /// The n-th is 1/n as frequent as the first.
    Zipf,
}

/// Of `consume` and `mixed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pull {
    /// Consumers of each stream; each gets every message.
    pub consumers: u32,
    /// Messages of one pull request.
    pub fetch: u32,
    /// Pull requests that a connection keeps open.
    pub pulls: u32,
    pub ack: AckKind,
    /// An ack has a reply of its own and the message counts when that has come.
    pub ack_sync: bool,
    /// Of `consume`: messages that each stream is filled with, or must hold.
    pub fill: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum AckKind {
    None,
    Explicit,
    /// One ack, for the last message of each pull request.
    All,
}

/// When the next operation starts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// A connection starts one when fewer than `in_flight` of its own are under way.
    Closed { in_flight: u32 },
    /// At intended times, whatever the server does; latency counts from them. Operations per second in all.
    Open { rate: f64, arrivals: Arrivals },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    Constant,
    /// Independent: exponential gaps.
    Poisson,
    /// At a constant rate; what is due within this time arrives together, at its beginning.
    Burst(Duration),
    /// Constant from each step's time on; `rate` is the largest of them.
    Schedule(Vec<Step>),
}

/// Connections that publish to streams, closed loop. They are no part of rate and latency and have figures of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Background {
    pub connections: u32,
    /// Of each connection.
    pub in_flight: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    Time(Duration),
    Count(u64),
    /// Of `consume`: until every consumer has got every message.
    All,
}

impl Workload {
    /// The same at another rate (operations per second), open loop; a schedule becomes constant.
    pub fn at_rate(&self, rate: f64) -> Workload {
        let arrivals = match &self.pace {
            Pace::Open { arrivals: arrivals @ (Arrivals::Poisson | Arrivals::Burst(_)), .. } => {
                arrivals.clone()
            }
            _ => Arrivals::Constant,
        };
        Workload { pace: Pace::Open { rate, arrivals }, ..self.clone() }
    }

    /// The background as a load of its own: to the streams of this one if it publishes to some and nothing else, so that both
    /// meet there; else to as many that nobody else has.
    pub fn background(&self) -> Option<Workload> {
        let Background { connections, in_flight } = self.background?;
        let mut cores = self.cores.clone();
        // Its thread follows those of the measured operations.
        cores.rotate_left(self.threads as usize % self.cores.len().max(1));
        Some(Workload {
            kind: Kind::Publish,
            connections,
            threads: 1,
            streams: Streams { existing: None, ..self.streams.clone() },
            pace: Pace::Closed { in_flight },
            background: None,
            cores,
            ..self.clone()
        })
    }

    /// Background and measured operations meet in the same streams.
    pub fn shares_streams(&self) -> bool {
        self.kind == Kind::Publish
    }

    /// From a TOML table's text. Errors: BadOptions with the place and the name of what is wrong.
    pub fn from_toml(text: &str) -> Result<Workload, Failure> {
        toml::from_str(text).map_err(|error| Failure::BadOptions(error.to_string()))
    }

    /// Whether the measured operations need streams.
    pub fn uses_streams(&self) -> bool {
        matches!(self.kind, Kind::Publish | Kind::Consume | Kind::Mixed)
    }
}

/// One line: what and how much, as it stands above a result.
impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            Kind::Publish => "publish",
            Kind::Consume => "consume",
            Kind::PubSub => "pubsub",
            Kind::Request => "request",
            Kind::Mixed => "mixed",
        };
        write!(f, "{kind}: ")?;
        // What an existing stream holds has sizes of its own.
        if self.streams.existing.is_none() {
            write!(f, "{} B, ", self.payload)?;
        }
        write!(f, "{}", units::count(self.connections, "connection"))?;
        match &self.pace {
            Pace::Closed { in_flight } if self.kind != Kind::Consume => {
                write!(f, " × {in_flight} in flight")?
            }
            Pace::Closed { .. } => {}
            Pace::Open { rate, arrivals } => {
                let arrivals = match arrivals {
                    Arrivals::Constant => "constant".into(),
                    Arrivals::Poisson => "Poisson".into(),
                    Arrivals::Burst(time) => {
                        format!("in bursts of {},", units::nanoseconds(time.as_nanos() as f64))
                    }
                    Arrivals::Schedule(_) => "by schedule, at most".to_owned(),
                };
                write!(f, ", open loop, {arrivals} {rate:.0}/s")?;
            }
        }
        if self.uses_streams() {
            let storage = match self.streams.storage {
                Storage::File => "file",
                Storage::Memory => "memory",
            };
            match &self.streams.existing {
                Some(stream) => write!(f, ", stream {stream}")?,
                None => write!(f, ", {}", units::count(self.streams.count, &format!("{storage} stream")))?,
            }
        }
        if self.subjects.count > 1 {
            write!(f, ", {} subjects", self.subjects.count)?;
        }
        if let Some(max) = self.streams.max_msgs_per_subject {
            write!(f, ", at most {max} per subject")?;
        }
        match self.kind {
            Kind::Consume | Kind::Mixed => {
                let ack = match self.pull.ack {
                    AckKind::None => "no acks",
                    AckKind::Explicit => "explicit acks",
                    AckKind::All => "acks of all",
                };
                let confirmed = if self.pull.ack_sync { ", confirmed" } else { "" };
                let Pull { consumers, fetch, .. } = self.pull;
                let consumers = units::count(consumers, "consumer");
                write!(f, ", {consumers}, fetches of {fetch}, {ack}{confirmed}")?;
            }
            Kind::PubSub if self.queue_groups > 0 => {
                let groups = units::count(self.queue_groups, "queue group");
                write!(f, ", {} in {groups}", units::count(self.subscribers, "subscriber"))?;
            }
            Kind::PubSub => write!(f, ", {}", units::count(self.subscribers, "subscriber"))?,
            Kind::Request => write!(f, ", {}", units::count(self.subscribers, "responder"))?,
            Kind::Publish => {}
        }
        if self.headers > 0 {
            write!(f, ", {}", units::count(self.headers, "header"))?;
        }
        if self.message_ids {
            write!(f, ", with message ids")?;
        }
        if let Some(Background { connections, in_flight }) = self.background {
            let connections = units::count(connections, "connection");
            write!(f, "; in the background {connections} × {in_flight} in flight")?;
        }
        Ok(())
    }
}
