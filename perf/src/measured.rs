//! What a run found: figures, errors, whether they are valid, and what was known about the server.
//! May import: failure, values, workload.
//! Must not know: how it is shown.

use crate::failure::Failure;
use crate::values::Values;
use crate::workload::Kind;
use hdrhistogram::Histogram;
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// One run. Rates are `operations` or `started` over `elapsed`; what an operation is, [`crate::workload::Kind`] says.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// The workload in one line.
    pub title: String,
    pub kind: Kind,
    /// Operations that ended well within the measured part.
    pub operations: u64,
    /// Operations that were started within it: messages published, requests sent. Zero for `consume`.
    pub started: u64,
    /// Right pub acks within it; for `publish` these are the operations.
    pub acked: u64,
    /// Payload bytes of the operations.
    pub bytes: u64,
    /// Length of the measured part.
    #[serde(serialize_with = "seconds", rename = "elapsed_seconds")]
    pub elapsed: Duration,
    /// Nanoseconds of each operation: in an open loop from its intended time, else from handing it to the socket. An open
    /// loop's operations count when they were meant to start within the measured part; those that never ended count with
    /// the time that was waited for them.
    #[serde(serialize_with = "percentiles", rename = "latency_ns")]
    pub latency: Histogram<u64>,
    /// Nanoseconds from intended time to handing to the socket, where the generator and not the server was the reason.
    #[serde(serialize_with = "percentiles", rename = "lateness_ns")]
    pub lateness: Histogram<u64>,
    /// By second of the measured part, and of the drain after it.
    pub series: Vec<Second>,
    /// By kind, over the whole run with warm-up and drain: `wrong ack`, `duplicate`, `unanswered`, …; no zeros.
    pub errors: BTreeMap<String, u64>,
    /// The first of the errors that has a text.
    pub first_error: Option<String>,
    pub validity: Validity,
    pub verification: Verification,
    /// Ended by a signal before its time.
    pub interrupted: bool,
    pub server: ServerFacts,
    /// What published beside the measured operations, if something did. Its errors are among the others.
    pub background: Option<Background>,
    /// Of the data device over the measured part.
    pub device: Option<DeviceUse>,
    /// Processor time of the server over the measured part, in cores; where its process is known.
    pub server_cores: Option<f64>,
    /// Nanoseconds of the server's processor time per operation, those of the background counted.
    pub server_cpu_ns_per_operation: Option<f64>,
    /// Processor time of the generator in cores. Near its threads, it is the generator that was measured.
    pub own_cores: f64,
    pub network: NetworkUse,
}

/// One second of the load. Latencies are those of the operations that ended in it, in nanoseconds; 0 where none did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Second {
    /// Seconds since the measured part began; below 0 in the warm-up.
    pub at: i64,
    /// Operations per second: the last second may be shorter than a second.
    pub rate: f64,
    pub operations: u64,
    pub p50_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
    pub max_ns: u64,
    /// All latencies of the second, so that any quantile of any whole number of seconds can be told.
    #[serde(skip)]
    pub latency: Values,
    pub errors: u64,
    /// Of the drain: nothing was started any more.
    pub draining: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "why")]
pub enum Validity {
    Valid,
    /// The figures say nothing about the server.
    Invalid(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Verification {
    NotAsked,
    Passed {
        messages: u64,
    },
    Failed {
        messages: u64,
        mismatches: u64,
        first: String,
    },
    /// The run was stopped before.
    NotDone,
}

/// Publishes beside the measured operations, over the same measured part.
#[derive(Clone, Debug, Serialize)]
pub struct Background {
    pub connections: u32,
    /// Right pub acks.
    pub operations: u64,
    /// Per second.
    pub rate: f64,
    /// Nanoseconds from handing a publish to the socket.
    #[serde(serialize_with = "percentiles", rename = "latency_ns")]
    pub latency: Histogram<u64>,
    /// Seconds since the measured part began, and the rate of each.
    pub rates: Vec<(i64, f64)>,
}

/// What the server says about itself, and what its acks mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServerFacts {
    pub address: String,
    /// Product: `millrace` or `nats-server`.
    pub name: String,
    pub version: String,
    /// What an ack promises, as told by flag or known of the product; `unknown` otherwise.
    pub durability: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceUse {
    pub name: String,
    pub flushes_per_second: f64,
    pub writes_per_second: f64,
    pub written_bytes_per_second: f64,
}

/// Of the whole machine over the measured part, from `/proc/net`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NetworkUse {
    /// `TCPWinProbe`: zero-window probes sent; a stall of the socket, whoever serves.
    pub window_probes: u64,
    /// `TCPFromZeroWindowAdv`.
    pub from_zero_window: u64,
    pub retransmits: u64,
}

impl Measured {
    /// Operations per second.
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    /// What stands against the run, the worst first; Ok: the figures count. An interrupted run is one that counts as
    /// interrupted only if nothing else is wrong.
    pub fn verdict(&self) -> Result<(), Failure> {
        if let Verification::Failed { messages, mismatches, first } = &self.verification {
            return Err(Failure::VerificationFailed(format!("{mismatches} of {messages} messages: {first}")));
        }
        if self.error_count() > 0 {
            let kinds: Vec<String> =
                self.errors.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
            return Err(Failure::Faults(kinds.join(", ")));
        }
        if let Validity::Invalid(why) = &self.validity {
            return Err(Failure::InvalidRun(why.clone()));
        }
        match self.interrupted {
            true => Err(Failure::Interrupted),
            false => Ok(()),
        }
    }
}

/// An empty histogram for nanoseconds: 1 ns to 1 h, three digits. Larger values count as an hour.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("1 < 2 × 1 < 1 h, and 3 digits are allowed")
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// A histogram in JSON: count, mean and percentiles.
fn percentiles<S: Serializer>(histogram: &Histogram<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_struct("Histogram", 9)?;
    fields.serialize_field("count", &histogram.len())?;
    fields.serialize_field("mean", &histogram.mean())?;
    fields.serialize_field("min", &if histogram.is_empty() { 0 } else { histogram.min() })?;
    for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999), ("p99_99", 0.9999)]
    {
        fields.serialize_field(name, &histogram.value_at_quantile(quantile))?;
    }
    fields.serialize_field("max", &histogram.max())?;
    fields.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_written_as_percentiles() {
        #[derive(Serialize)]
        struct Holder(#[serde(serialize_with = "percentiles")] Histogram<u64>);
        let mut values = histogram();
        values.record_n(1000, 99).unwrap();
        values.record(5_000_000).unwrap();
        let json = serde_json::to_value(Holder(values)).unwrap();
        assert_eq!(json["count"], 100);
        assert_eq!(json["p50"], 1000);
        assert!(json["p99_9"].as_u64().unwrap() >= 4_990_000);
    }
}
