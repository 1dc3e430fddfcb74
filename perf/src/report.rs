//! The result of a run as text.
//! May import: machine.
//! Must not know: how it was measured.

use crate::machine::DeviceCounters;
use hdrhistogram::Histogram;
use std::fmt;
use std::time::Duration;

/// What one publish run found.
pub struct Report {
    pub what: String,
    /// Length of the measured part, without the warm-up.
    pub elapsed: Duration,
    /// Right acknowledgements in the measured part.
    pub acked: u64,
    /// In the whole run.
    pub duplicates: u64,
    pub wrong: u64,
    pub first_wrong: Option<String>,
    /// Published and never acknowledged, though waited for.
    pub unacked: u64,
    /// Sequences that other acknowledgements jumped over.
    pub missing: u64,
    pub payload_bytes: usize,
    /// Nanoseconds from handing a publish to the socket to reading its acknowledgement.
    pub latency: Histogram<u64>,
    /// Name and counters of the data device over the measured part.
    pub device: Option<(String, DeviceCounters)>,
    /// Processor time of the server over the measured part.
    pub server_time: Option<Duration>,
    /// The generator's own processor time: near one core, it is the generator that was measured.
    pub own_time: Duration,
}

impl Report {
    /// Every publish was acknowledged once, by the right stream, with a sequence of its own.
    pub fn faultless(&self) -> bool {
        self.wrong == 0 && self.unacked == 0 && self.missing == 0 && self.duplicates == 0 && self.acked > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let rate = self.acked as f64 / seconds;
        let us = |quantile: f64| self.latency.value_at_quantile(quantile) as f64 / 1e3;
        writeln!(f, "{}", self.what)?;
        writeln!(
            f,
            "acked        {rate:.0}/s ({} in {seconds:.2} s, {:.1} MB/s of payload)",
            self.acked,
            rate * self.payload_bytes as f64 / 1e6
        )?;
        writeln!(
            f,
            "latency µs   p50 {:.0}  p90 {:.0}  p99 {:.0}  p99.9 {:.0}  max {:.0}",
            us(0.5),
            us(0.9),
            us(0.99),
            us(0.999),
            self.latency.max() as f64 / 1e3
        )?;
        match &self.device {
            Some((name, counters)) => writeln!(
                f,
                "device {name:<5} {:.0} flushes/s, {:.0} writes/s, {:.1} MB/s written",
                counters.flushes as f64 / seconds,
                counters.writes as f64 / seconds,
                counters.written_bytes as f64 / seconds / 1e6
            )?,
            None => writeln!(f, "device       none known: no flushes counted")?,
        }
        if let Some(time) = self.server_time {
            let each = time.as_nanos() as f64 / (self.acked.max(1)) as f64;
            writeln!(f, "server CPU   {:.2} cores, {each:.0} ns a message", time.as_secs_f64() / seconds)?;
        }
        writeln!(f, "own CPU      {:.2} cores", self.own_time.as_secs_f64() / seconds)?;
        writeln!(
            f,
            "faults       {} wrong, {} duplicate, {} unacked, {} sequences missing",
            self.wrong, self.duplicates, self.unacked, self.missing
        )?;
        match &self.first_wrong {
            Some(text) => writeln!(f, "first wrong  {text}"),
            None => Ok(()),
        }
    }
}
