//! What a core tells about its pace: as JSON for whoever asks, as a table for the end.
//! May import: `shards`.
//! Must not know: who asks, where the figures come from.

use serde::Serialize;
use shards::histogram::Histogram;
use shards::ids::{CoreId, ShardId};
use shards::shard::stages::ShardReport;
use std::fmt;

/// What happens to pub acks and messages between cores on one core. Times in nanoseconds, once per pub ack.
#[derive(Clone, Debug, Default)]
pub struct ClientStages {
    /// From the turn that heard of the sync until the pub ack is with its connection's socket.
    pub acked: Histogram,
    /// The whole way: from the read of the socket that brought the first message of the entry.
    pub total: Histogram,
    /// Messages from other cores that a turn found in the lanes; turns that found none do not count.
    pub lane_messages: Histogram,
}

/// Everything that one core tells.
#[derive(Clone, Debug)]
pub struct CoreReport {
    pub core: CoreId,
    pub cores: u16,
    pub clients: ClientStages,
    pub shards: Vec<(ShardId, ShardReport)>,
}

/// Who tells it; the names are those of nats-server's system events (nats-server, server/events.go: `ServerInfo`).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ServerName<'a> {
    pub name: &'a str,
    pub host: &'a str,
    pub id: &'a str,
    pub ver: &'a str,
    pub jetstream: bool,
}

impl CoreReport {
    /// The reply to a request, in the shape of nats-server's `$SYS.REQ.SERVER.PING.…`.
    pub fn to_json(&self, server: ServerName<'_>) -> Vec<u8> {
        let shard = |(id, report): &(ShardId, ShardReport)| Shard {
            shard: id.0,
            stages: Stages {
                admitted: Figures::of(&report.stages.admitted),
                written: Figures::of(&report.stages.written),
                synced: Figures::of(&report.stages.synced),
            },
            entry_messages: Figures::of(&report.stages.entry_messages),
            waiting_items: Figures::of(&report.stages.waiting_items),
            write_messages: Figures::of(&report.log.write_messages),
            write_time: Figures::of(&report.log.write),
            sync_time: Figures::of(&report.log.sync),
        };
        let data = Data {
            core: self.core.0,
            cores: self.cores,
            clients: Clients {
                acked: Figures::of(&self.clients.acked),
                total: Figures::of(&self.clients.total),
                lane_messages: Figures::of(&self.clients.lane_messages),
            },
            shards: self.shards.iter().map(shard).collect(),
        };
        serde_json::to_vec(&Reply { server, data }).expect("names and numbers are always JSON")
    }
}

#[derive(Serialize)]
struct Reply<'a> {
    server: ServerName<'a>,
    data: Data,
}

#[derive(Serialize)]
struct Data {
    core: u16,
    cores: u16,
    clients: Clients,
    shards: Vec<Shard>,
}

#[derive(Serialize)]
struct Clients {
    acked: Figures,
    total: Figures,
    lane_messages: Figures,
}

#[derive(Serialize)]
struct Shard {
    shard: u16,
    stages: Stages,
    entry_messages: Figures,
    waiting_items: Figures,
    write_messages: Figures,
    write_time: Figures,
    sync_time: Figures,
}

#[derive(Serialize)]
struct Stages {
    admitted: Figures,
    written: Figures,
    synced: Figures,
}

/// A histogram in a few numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Figures {
    count: u64,
    mean: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    p99_9: u64,
    max: u64,
}

impl Figures {
    fn of(histogram: &Histogram) -> Figures {
        Figures {
            count: histogram.count(),
            mean: histogram.mean(),
            p50: histogram.at_quantile(0.5),
            p90: histogram.at_quantile(0.9),
            p99: histogram.at_quantile(0.99),
            p99_9: histogram.at_quantile(0.999),
            max: histogram.max(),
        }
    }
}

/// A table: times in microseconds, whatever is counted as it is.
impl fmt::Display for CoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = ["count", "mean", "p50", "p90", "p99", "p99.9", "max"];
        write!(f, "{:32}", format!("Core {} of {}", self.core, self.cores))?;
        columns.iter().try_for_each(|column| write!(f, "{column:>11}"))?;
        for (id, ShardReport { stages, log, .. }) in &self.shards {
            write!(f, "\n  shard {id}")?;
            time(f, "read to admitted, us", &stages.admitted)?;
            time(f, "admitted to written, us", &stages.written)?;
            time(f, "written to synced, us", &stages.synced)?;
            time(f, "a write, us", &log.write)?;
            time(f, "a sync, us", &log.sync)?;
            count(f, "messages of an entry", &stages.entry_messages)?;
            count(f, "messages of a write", &log.write_messages)?;
            count(f, "requests waiting at a turn", &stages.waiting_items)?;
        }
        write!(f, "\n  clients")?;
        time(f, "synced to acked, us", &self.clients.acked)?;
        time(f, "read to acked, us", &self.clients.total)?;
        count(f, "lane messages at a turn", &self.clients.lane_messages)
    }
}

fn time(f: &mut fmt::Formatter<'_>, name: &str, histogram: &Histogram) -> fmt::Result {
    row(f, name, histogram, |nanoseconds| format!("{:.1}", nanoseconds as f64 / 1e3))
}

fn count(f: &mut fmt::Formatter<'_>, name: &str, histogram: &Histogram) -> fmt::Result {
    row(f, name, histogram, |value| value.to_string())
}

fn row(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    histogram: &Histogram,
    shown: impl Fn(u64) -> String,
) -> fmt::Result {
    let Figures { count, mean, p50, p90, p99, p99_9, max } = Figures::of(histogram);
    write!(f, "\n    {name:28}{count:>11}")?;
    [mean, p50, p90, p99, p99_9, max].iter().try_for_each(|value| write!(f, "{:>11}", shown(*value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> CoreReport {
        let mut shard = ShardReport::default();
        shard.stages.synced.record(1_500_000, 256);
        shard.stages.entry_messages.record(256, 1);
        let clients = ClientStages::default();
        CoreReport { core: CoreId(1), cores: 2, clients, shards: vec![(ShardId(1), shard)] }
    }

    #[test]
    fn the_reply_names_server_core_and_shards() {
        let server = ServerName { name: "n1", host: "0.0.0.0", id: "NID", ver: "2.15.2", jetstream: true };
        let reply: serde_json::Value = serde_json::from_slice(&report().to_json(server)).unwrap();
        assert_eq!((&reply["server"]["name"], &reply["data"]["core"]), (&"n1".into(), &1.into()));
        let synced = &reply["data"]["shards"][0]["stages"]["synced"];
        assert_eq!((&synced["count"], &synced["p99_9"]), (&256.into(), &1_500_000.into()));
        assert_eq!(reply["data"]["clients"]["acked"]["count"], 0);
    }

    #[test]
    fn the_table_has_a_line_for_each_histogram() {
        let text = report().to_string();
        assert!(text.starts_with("Core 1 of 2 "), "{text}");
        let synced = text.lines().find(|line| line.contains("written to synced")).unwrap();
        assert_eq!(synced.split_whitespace().rev().take(2).collect::<Vec<_>>(), ["1500.0", "1500.0"]);
        assert_eq!(text.lines().count(), 1 + 1 + 8 + 1 + 3);
    }
}
