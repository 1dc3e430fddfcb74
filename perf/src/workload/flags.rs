//! The description as it is written: every flag of the command line, every key of a TOML table. What is not given has a
//! default; what the kind of load does not have is refused by name.

use super::{
    AckKind, Arrivals, Background, Distribution, Kind, Length, Pace, Payload, Pull, Storage, Streams,
    Subjects, Workload, schedule_file,
};
use crate::failure::Failure;
use crate::units;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, Default, PartialEq, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub struct Flags {
    /// The command line has a subcommand for it.
    #[arg(skip)]
    pub kind: Option<Kind>,
    /// Connections that publish, request or fetch [default: 4]
    #[arg(long, value_name = "N")]
    pub connections: Option<u32>,
    /// Generator threads [default: 1]
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,
    /// Streams to make and to spread the messages over [default: 1]
    #[arg(long, value_name = "N")]
    pub streams: Option<u32>,
    /// A stream that exists already, instead of making some
    #[arg(long, value_name = "NAME", conflicts_with = "streams")]
    pub stream: Option<String>,
    /// First tokens of the subjects [default: perf and a number of this run's own]
    #[arg(long, value_name = "PREFIX")]
    pub subject: Option<String>,
    /// Subjects of each stream [default: 1]
    #[arg(long, value_name = "N")]
    pub subjects: Option<u32>,
    /// Which subject the next message has [default: in-turn]
    #[arg(long)]
    pub distribution: Option<Distribution>,
    /// Bytes of a payload: SIZE, MIN..MAX (uniform) or SIZE,SIZE,… (equally often) [default: 128]
    #[arg(long, visible_alias = "payload", value_name = "BYTES")]
    #[serde(alias = "payload")]
    pub size: Option<Payload>,
    /// Headers of each message [default: 0]
    #[arg(long, value_name = "N")]
    pub headers: Option<u32>,
    /// Every message has a Nats-Msg-Id of its own
    #[arg(long)]
    pub msg_id: bool,
    /// Storage of the streams [default: file]
    #[arg(long)]
    pub storage: Option<Storage>,
    /// Replicas of the streams [default: 1]
    #[arg(long, value_name = "N")]
    pub replicas: Option<u32>,
    /// Messages that a stream keeps of each subject [default: unlimited]
    #[arg(long, value_name = "N")]
    pub max_msgs_per_subject: Option<u64>,
    /// Consumers of each stream [default: 1]
    #[arg(long, value_name = "N")]
    pub consumers: Option<u32>,
    /// Messages of one pull request [default: 256]
    #[arg(long, value_name = "N")]
    pub fetch: Option<u32>,
    /// Pull requests that a connection keeps open [default: 2]
    #[arg(long, value_name = "N")]
    pub pulls: Option<u32>,
    /// How messages are acked [default: explicit]
    #[arg(long)]
    pub ack: Option<AckKind>,
    /// Ask for a reply to each ack, and count a message when it has come
    #[arg(long)]
    pub ack_sync: bool,
    /// Messages that each stream is filled with before, or must hold [default: what --count takes, else 1000000; what an
    /// existing stream holds]
    #[arg(long, value_name = "N")]
    pub fill: Option<u64>,
    /// Connections that publish [default: 1]
    #[arg(long, value_name = "N")]
    pub publishers: Option<u32>,
    /// Connections that subscribe [default: 1]
    #[arg(long, value_name = "N")]
    pub subscribers: Option<u32>,
    /// Queue groups that the subscribers are spread over; 0: none [default: 0]
    #[arg(long, value_name = "N")]
    pub queue_groups: Option<u32>,
    /// Connections that respond, in one queue group [default: 1]
    #[arg(long, value_name = "N")]
    pub responders: Option<u32>,
    /// Closed loop: operations of one connection that are under way at once [default: 4096; request: 1]
    #[arg(long, value_name = "N", conflicts_with = "rate")]
    pub in_flight: Option<u32>,
    /// Connections that publish to streams beside the measured ones, closed loop: publish: to the same streams, else to some of
    /// their own; they count apart [default: 0]
    #[arg(long, value_name = "N")]
    pub background: Option<u32>,
    /// Operations of a background connection that are under way at once [default: 4096]
    #[arg(long, value_name = "N", requires = "background")]
    pub background_in_flight: Option<u32>,
    /// Open loop: operations per second in all; latency counts from the intended times
    #[arg(long, value_name = "PER_SECOND")]
    pub rate: Option<f64>,
    /// How an open loop's operations follow each other [default: constant]
    #[arg(long)]
    pub arrivals: Option<ArrivalsName>,
    /// With arrivals in bursts: what is due within this time arrives together, at its beginning [default: 1ms]
    #[arg(long, value_name = "TIME")]
    pub burst: Option<String>,
    /// Open loop by a file of lines `SECONDS RATE`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "arrivals", "in_flight"])]
    pub schedule: Option<PathBuf>,
    /// Seconds to measure [default: 10; consume: until every message was delivered]
    #[arg(long, value_name = "SECONDS", conflicts_with = "count")]
    pub duration: Option<f64>,
    /// Operations to start, instead of a time; there is no warm-up then
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// Seconds of load before the measured part [default: 1]
    #[arg(long, value_name = "SECONDS", conflicts_with = "count")]
    pub warmup: Option<f64>,
    /// Cores to run on, one thread each in turn: 1 or 2,3
    #[arg(long, visible_alias = "core", value_name = "CORES", value_delimiter = ',')]
    pub cores: Option<Vec<usize>>,
    /// Read every acked message back, or check every delivery, and compare sequence, subject and bytes
    #[arg(long)]
    pub verify: bool,
    /// Decides payloads, subjects and arrivals [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Open loop: milliseconds of lateness, 99th percentile, beyond which the run is invalid [default: 1]
    #[arg(long, value_name = "MS")]
    pub lateness_max: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum ArrivalsName {
    Constant,
    /// Independent: exponential gaps
    Poisson,
    /// Several at once, at a constant rate
    Burst,
}

/// Longest run and longest time anywhere. Seconds; a week.
const SECONDS_MAX: f64 = 604_800.0;
/// Most operations per second that can be asked for.
const RATE_MAX: f64 = 100e6;
const BURST_DEFAULT: Duration = Duration::from_millis(1);

impl TryFrom<Flags> for Workload {
    type Error = Failure;

    fn try_from(flags: Flags) -> Result<Workload, Failure> {
        let kind =
            flags.kind.ok_or_else(|| bad("kind is missing: publish, consume, pubsub, request or mixed"))?;
        refuse_foreign(&flags, kind)?;
        let (pace, background) = (pace(&flags, kind)?, background(&flags)?);
        if let Some(name) = flags.stream.as_ref().and_then(|_| chosen_of_a_stream(&flags)) {
            return Err(bad(format!("{name}: a stream that exists is not made and not filled")));
        }
        let payload = flags.size.unwrap_or(Payload::Fixed(128));
        let stamped = matches!(kind, Kind::PubSub | Kind::Request | Kind::Mixed);
        if stamped && payload.min() < STAMP_LEN {
            return Err(bad(format!(
                "size: this load keeps its time in the payload, which takes {STAMP_LEN} bytes"
            )));
        }
        if flags.stream.is_some() && flags.verify && kind == Kind::Consume {
            return Err(bad("verify: what an existing stream should hold is not known"));
        }
        if flags.ack_sync && flags.ack.is_some_and(|ack| ack != AckKind::Explicit) {
            return Err(bad("ack_sync: only explicit acks are confirmed one by one"));
        }
        let connections = match kind {
            Kind::PubSub => within("publishers", flags.publishers, 1, 1..=10_000)?,
            _ => within("connections", flags.connections, 4, 1..=10_000)?,
        };
        let subscribers = match kind {
            Kind::Request => within("responders", flags.responders, 1, 1..=10_000)?,
            _ => within("subscribers", flags.subscribers, 1, 1..=10_000)?,
        };
        let queue_groups = within("queue_groups", flags.queue_groups, 0, 0..=subscribers)?;
        let count =
            flags.count.map(|count| within("count", Some(count), 1, 1..=u64::MAX >> 8)).transpose()?;
        let length = match count {
            Some(_) if flags.duration.is_some() => return Err(bad("count and duration: only one of them")),
            Some(count) => Length::Count(count),
            None if kind == Kind::Consume && flags.duration.is_none() => Length::All,
            None => Length::Time(seconds("duration", flags.duration, 10.0)?),
        };
        if background.is_some() && !matches!(length, Length::Time(_)) {
            return Err(bad("background: it lasts as long as the load, which needs a duration"));
        }
        let warm_up = match length {
            Length::Time(_) => seconds("warmup", flags.warmup, 1.0)?,
            Length::Count(_) | Length::All => Duration::ZERO,
        };
        if length == Length::Time(Duration::ZERO) {
            return Err(bad("duration: more than 0 seconds"));
        }
        Ok(Workload {
            kind,
            connections,
            threads: within("threads", flags.threads, 1, 1..=256)?,
            streams: Streams {
                count: within("streams", flags.streams, 1, 1..=100_000)?,
                existing: flags.stream,
                storage: flags.storage.unwrap_or(Storage::File),
                replicas: within("replicas", flags.replicas, 1, 1..=5)?,
                max_msgs_per_subject: flags
                    .max_msgs_per_subject
                    .map(|max| within("max_msgs_per_subject", Some(max), 1, 1..=i64::MAX as u64))
                    .transpose()?,
            },
            subjects: Subjects {
                prefix: flags.subject.map(checked_prefix).transpose()?,
                count: within("subjects", flags.subjects, 1, 1..=10_000_000)?,
                distribution: flags.distribution.unwrap_or(Distribution::InTurn),
            },
            payload,
            headers: within("headers", flags.headers, 0, 0..=64)?,
            message_ids: flags.msg_id,
            pull: Pull {
                consumers: within("consumers", flags.consumers, 1, 1..=10_000)?,
                fetch: within("fetch", flags.fetch, 256, 1..=1_000_000)?,
                pulls: within("pulls", flags.pulls, 2, 1..=512)?,
                ack: flags.ack.unwrap_or(AckKind::Explicit),
                ack_sync: flags.ack_sync,
                fill: flags.fill.map(|fill| within("fill", Some(fill), 1, 1..=10_000_000_000)).transpose()?,
            },
            subscribers,
            queue_groups,
            pace,
            background,
            length,
            warm_up,
            cores: flags.cores.unwrap_or_default(),
            verify: flags.verify,
            seed: flags.seed.unwrap_or(1),
            lateness_max: seconds("lateness_max", flags.lateness_max.map(|ms| ms / 1e3), 1e-3)?,
        })
    }
}

/// Bytes of a payload that say which message it is and when it was meant to be sent.
pub const STAMP_LEN: usize = 16;

fn pace(flags: &Flags, kind: Kind) -> Result<Pace, Failure> {
    let open = flags.rate.is_some() || flags.schedule.is_some();
    if flags.burst.is_some() && flags.arrivals != Some(ArrivalsName::Burst) {
        return Err(bad("burst belongs to arrivals in bursts: give arrivals burst"));
    }
    if open && flags.in_flight.is_some() {
        return Err(bad("in_flight is a closed loop, rate and schedule are an open one: only one of them"));
    }
    if let Some(path) = &flags.schedule {
        if flags.rate.is_some() || flags.arrivals.is_some() {
            return Err(bad("schedule: it has its own rates and arrivals"));
        }
        let steps = schedule_file::read(path)?;
        let rate = steps.iter().map(|step| step.rate).fold(0.0, f64::max);
        return Ok(Pace::Open { rate: rate_within(rate)?, arrivals: Arrivals::Schedule(steps) });
    }
    let Some(rate) = flags.rate else {
        if flags.arrivals.is_some() {
            return Err(bad("arrivals belong to an open loop: give a rate"));
        }
        let default = if kind == Kind::Request { 1 } else { 4096 };
        return Ok(Pace::Closed { in_flight: within("in_flight", flags.in_flight, default, 1..=1_000_000)? });
    };
    let arrivals = match flags.arrivals {
        Some(ArrivalsName::Poisson) => Arrivals::Poisson,
        Some(ArrivalsName::Burst) => Arrivals::Burst(burst(flags.burst.as_deref())?),
        Some(ArrivalsName::Constant) | None => Arrivals::Constant,
    };
    Ok(Pace::Open { rate: rate_within(rate)?, arrivals })
}

fn background(flags: &Flags) -> Result<Option<Background>, Failure> {
    let connections = within("background", flags.background, 0, 0..=10_000)?;
    if connections == 0 && flags.background_in_flight.is_some() {
        return Err(bad("background_in_flight: there is no background"));
    }
    let in_flight = within("background_in_flight", flags.background_in_flight, 4096, 1..=1_000_000)?;
    Ok((connections > 0).then_some(Background { connections, in_flight }))
}

fn burst(text: Option<&str>) -> Result<Duration, Failure> {
    let time =
        text.map_or(Ok(BURST_DEFAULT), units::duration).map_err(|what| bad(format!("burst: {what}")))?;
    let good = (Duration::from_micros(1)..=Duration::from_secs(1)).contains(&time);
    good.then_some(time).ok_or_else(|| bad("burst: within 1us and 1s"))
}

fn rate_within(rate: f64) -> Result<f64, Failure> {
    let good = rate > 0.0 && rate <= RATE_MAX;
    good.then_some(rate).ok_or_else(|| bad(format!("rate: above 0 and at most {RATE_MAX:.0} per second")))
}

/// A setting of streams or of what they are filled with; a background has both.
fn chosen_of_a_stream(flags: &Flags) -> Option<&'static str> {
    let made = [
        ("storage", flags.storage.is_some()),
        ("replicas", flags.replicas.is_some()),
        ("size", flags.size.is_some()),
        ("headers", flags.headers.is_some()),
        ("msg_id", flags.msg_id),
        ("subject", flags.subject.is_some()),
        ("subjects", flags.subjects.is_some()),
        ("distribution", flags.distribution.is_some()),
    ];
    let alone = flags.background.is_none();
    let set = made.into_iter().filter(|_| alone).chain([("streams", flags.streams.is_some())]);
    set.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
}

/// Names what was given and means nothing to this kind.
fn refuse_foreign(flags: &Flags, kind: Kind) -> Result<(), Failure> {
    use Kind::{Consume, Mixed, PubSub, Publish, Request};
    let table: [(&str, bool, &[Kind]); 24] = [
        ("connections", flags.connections.is_some(), &[Publish, Consume, Request, Mixed]),
        ("streams", flags.streams.is_some(), &[Publish, Consume, Mixed]),
        ("stream", flags.stream.is_some(), &[Consume]),
        ("storage", flags.storage.is_some(), &[Publish, Consume, Mixed]),
        ("replicas", flags.replicas.is_some(), &[Publish, Consume, Mixed]),
        ("max_msgs_per_subject", flags.max_msgs_per_subject.is_some(), &[Publish]),
        ("headers", flags.headers.is_some(), &[Publish, Consume, PubSub, Request, Mixed]),
        ("msg_id", flags.msg_id, &[Publish, Consume, Mixed]),
        ("consumers", flags.consumers.is_some(), &[Consume, Mixed]),
        ("fetch", flags.fetch.is_some(), &[Consume, Mixed]),
        ("pulls", flags.pulls.is_some(), &[Consume, Mixed]),
        ("ack", flags.ack.is_some(), &[Consume, Mixed]),
        ("ack_sync", flags.ack_sync, &[Consume, Mixed]),
        ("fill", flags.fill.is_some(), &[Consume]),
        ("publishers", flags.publishers.is_some(), &[PubSub]),
        ("subscribers", flags.subscribers.is_some(), &[PubSub]),
        ("queue_groups", flags.queue_groups.is_some(), &[PubSub]),
        ("responders", flags.responders.is_some(), &[Request]),
        ("in_flight", flags.in_flight.is_some(), &[Publish, PubSub, Request, Mixed]),
        ("rate", flags.rate.is_some(), &[Publish, PubSub, Request, Mixed]),
        ("schedule", flags.schedule.is_some(), &[Publish, PubSub, Request, Mixed]),
        ("arrivals", flags.arrivals.is_some(), &[Publish, PubSub, Request, Mixed]),
        ("burst", flags.burst.is_some(), &[Publish, PubSub, Request, Mixed]),
        ("lateness_max", flags.lateness_max.is_some(), &[Publish, PubSub, Request, Mixed]),
    ];
    match table.into_iter().find(|(_, given, kinds)| *given && !kinds.contains(&kind)) {
        Some((name, ..)) => Err(bad(format!("{name} means nothing to this kind of load"))),
        None => Ok(()),
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    name: &str,
    given: Option<T>,
    default: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, Failure> {
    let value = given.unwrap_or(default);
    match range.contains(&value) {
        true => Ok(value),
        false => Err(bad(format!("{name}: {value} is not within {} to {}", range.start(), range.end()))),
    }
}

fn seconds(name: &str, given: Option<f64>, default: f64) -> Result<Duration, Failure> {
    let value = given.unwrap_or(default);
    match (0.0..=SECONDS_MAX).contains(&value) {
        true => Ok(Duration::from_secs_f64(value)),
        false => Err(bad(format!("{name}: not within 0 and a week"))),
    }
}

fn checked_prefix(prefix: String) -> Result<String, Failure> {
    let token = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let good = prefix.split('.').all(token) && !prefix.contains(['*', '>']) && prefix.len() <= 200;
    good.then_some(prefix).ok_or_else(|| bad("subject: tokens with dots between them, and no wildcards"))
}

fn bad(text: impl Into<String>) -> Failure {
    Failure::BadOptions(text.into())
}
