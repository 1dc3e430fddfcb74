//! A result as text, for people.
//! May import: measured, units, workload.
//! Must not know: terminals, other outputs.

use crate::measured::{Measured, Validity, Verification};
use crate::units;
use crate::workload::Kind;
use hdrhistogram::Histogram;
use std::fmt;

/// Displays a result.
pub struct Summary<'a>(pub &'a Measured);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Measured { server, elapsed, operations, bytes, .. } = self.0;
        let (rate, seconds) = (self.0.rate(), elapsed.as_secs_f64());
        writeln!(f, "{}", self.0.title)?;
        writeln!(f, "server       {} {} at {}", server.name, server.version, server.address)?;
        if self.0.acked > 0 || self.0.background.is_some() {
            writeln!(f, "acks mean    {}", server.durability)?;
        }
        if self.0.interrupted {
            writeln!(f, "interrupted  after {seconds:.2} s of the measured part")?;
        }
        if let Validity::Invalid(why) = &self.0.validity {
            writeln!(f, "INVALID      {why}")?;
        }
        let word = match self.0.kind {
            Kind::Publish => "acked",
            Kind::Consume | Kind::PubSub | Kind::Mixed => "delivered",
            Kind::Request => "answered",
        };
        let mega = *bytes as f64 / seconds.max(1e-9) / 1e6;
        writeln!(f, "{word:<12} {rate:.0}/s ({operations} in {seconds:.2} s, {mega:.1} MB/s of payload)")?;
        if matches!(self.0.kind, Kind::PubSub | Kind::Mixed) {
            writeln!(f, "published    {:.0}/s", self.0.started as f64 / seconds.max(1e-9))?;
        }
        if !self.0.latency.is_empty() {
            writeln!(f, "latency µs   {}", percentiles(&self.0.latency))?;
        }
        if !self.0.lateness.is_empty() {
            writeln!(f, "lateness µs  {}", percentiles(&self.0.lateness))?;
        }
        if let Some(background) = &self.0.background {
            let (rate, connections) = (background.rate, units::count(background.connections, "connection"));
            writeln!(f, "background   {rate:.0}/s acked, from {connections}")?;
            writeln!(f, "  latency µs {}", percentiles(&background.latency))?;
        }
        self.write_machine(f)?;
        self.write_faults(f)
    }
}

impl Summary<'_> {
    fn write_machine(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.device {
            Some(device) => writeln!(
                f,
                "device {:<5} {:.0} flushes/s, {:.0} writes/s, {:.1} MB/s written",
                device.name,
                device.flushes_per_second,
                device.writes_per_second,
                device.written_bytes_per_second / 1e6
            )?,
            None => writeln!(f, "device       none known: no flushes counted")?,
        }
        if let (Some(cores), Some(each)) = (self.0.server_cores, self.0.server_cpu_ns_per_operation) {
            writeln!(f, "server CPU   {cores:.2} cores, {each:.0} ns an operation")?;
        }
        writeln!(f, "own CPU      {:.2} cores", self.0.own_cores)?;
        let network = self.0.network;
        if network.window_probes + network.from_zero_window + network.retransmits > 0 {
            writeln!(
                f,
                "network      {} window probes, {} out of a zero window, {} retransmits",
                network.window_probes, network.from_zero_window, network.retransmits
            )?;
        }
        Ok(())
    }

    fn write_faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.errors.is_empty() {
            writeln!(f, "faults       none")?;
        } else {
            let kinds: Vec<String> =
                self.0.errors.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            writeln!(f, "faults       {}", kinds.join(", "))?;
        }
        if let Some(text) = &self.0.first_error {
            writeln!(f, "first fault  {text}")?;
        }
        match &self.0.verification {
            Verification::NotAsked => Ok(()),
            Verification::NotDone => writeln!(f, "verified     not done"),
            Verification::Passed { messages } => {
                writeln!(f, "verified     {messages} messages: sequence, subject and bytes are right")
            }
            Verification::Failed { messages, mismatches, first } => {
                writeln!(f, "verified     {mismatches} of {messages} messages are WRONG: {first}")
            }
        }
    }
}

/// In microseconds.
fn percentiles(histogram: &Histogram<u64>) -> String {
    let us = |nanos: u64| {
        let us = nanos as f64 / 1e3;
        if us < 10.0 { format!("{us:.1}") } else { format!("{us:.0}") }
    };
    let at = |quantile: f64| us(histogram.value_at_quantile(quantile));
    format!(
        "p50 {}  p90 {}  p99 {}  p99.9 {}  p99.99 {}  max {}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(0.9999),
        us(histogram.max())
    )
}
