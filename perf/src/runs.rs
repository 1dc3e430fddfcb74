//! One run as sections: its figures, its latency by percentile, its seconds.
//! May import: document, measured, plot, units.
//! Must not know: what the run was for.

use crate::document::{Section, Table};
use crate::measured::{Measured, Second, Validity, Verification};
use crate::plot::{Axis, Lines, Mark, Plot, Point, Scale, Series, Unit};
use crate::units;
use hdrhistogram::Histogram;

/// Points of a line over time; longer runs are thinned to it.
const POINTS_MAX: usize = 600;

/// What percentiles are shown by name.
pub const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

/// A run under `heading`, with its plots.
pub fn section(heading: &str, measured: &Measured) -> Section {
    let mut plots = vec![percentile_plot(&[("latency".to_owned(), &measured.latency)])];
    plots.extend(time_plots(measured));
    Section { table: Some(figures(measured)), notes: notes(measured), plots, ..Section::new(heading) }
}

/// Figures of a run, a row each.
pub fn figures(measured: &Measured) -> Table {
    let mut table = Table::new(["Figure", "Value"]);
    let mut row = |name: &str, value: String| table.row([name.into(), value]);
    row(
        "operations",
        format!("{} in {:.1} s", units::number(measured.operations as f64), measured.elapsed.as_secs_f64()),
    );
    row("rate", format!("{}/s", units::number(measured.rate())));
    row(
        "payload",
        format!("{:.1} MB/s", measured.bytes as f64 / measured.elapsed.as_secs_f64().max(1e-9) / 1e6),
    );
    for (name, share) in PERCENTILES {
        row(&format!("latency {name}"), units::nanoseconds(measured.latency.value_at_quantile(share) as f64));
    }
    row("latency max", units::nanoseconds(measured.latency.max() as f64));
    if !measured.lateness.is_empty() {
        let lateness = measured.lateness.value_at_quantile(0.99) as f64;
        row("generator late, p99", units::nanoseconds(lateness));
    }
    if let Some(background) = &measured.background {
        row("background rate", format!("{}/s", units::number(background.rate.round())));
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let nanos = background.latency.value_at_quantile(share) as f64;
            row(&format!("background latency {name}"), units::nanoseconds(nanos));
        }
    }
    if let Some(device) = &measured.device {
        row(
            &format!("flushes of {}", device.name),
            format!("{}/s", units::number(device.flushes_per_second.round())),
        );
        row(
            &format!("written to {}", device.name),
            format!("{:.1} MB/s", device.written_bytes_per_second / 1e6),
        );
    }
    if let (Some(cores), Some(each)) = (measured.server_cores, measured.server_cpu_ns_per_operation) {
        row("server CPU", format!("{cores:.2} cores, {} an operation", units::nanoseconds(each)));
    }
    row("generator CPU", format!("{:.2} cores", measured.own_cores));
    let network = &measured.network;
    row(
        "TCP",
        format!(
            "{} retransmits, {} window probes, {} from zero window",
            network.retransmits, network.window_probes, network.from_zero_window
        ),
    );
    row("errors", errors(measured));
    if let Some(text) = verification(measured) {
        row("verified", text);
    }
    let server = &measured.server;
    row("server", format!("{} {} at {}", server.name, server.version, server.address));
    row("acks", server.durability.clone());
    table
}

fn errors(measured: &Measured) -> String {
    let kinds: Vec<String> = measured
        .errors
        .iter()
        .map(|(kind, count)| format!("{} {kind}", units::number(*count as f64)))
        .collect();
    if kinds.is_empty() { "0".into() } else { kinds.join(", ") }
}

fn verification(measured: &Measured) -> Option<String> {
    match &measured.verification {
        Verification::NotAsked => None,
        Verification::NotDone => Some("not done".into()),
        Verification::Passed { messages } => Some(format!("{} messages", units::number(*messages as f64))),
        Verification::Failed { messages, mismatches, first } => {
            Some(format!("{mismatches} of {messages} messages differ, the first: {first}"))
        }
    }
}

fn notes(measured: &Measured) -> Vec<String> {
    let mut notes = Vec::new();
    if let Validity::Invalid(why) = &measured.validity {
        notes.push(format!("INVALID: {why}. These figures say nothing about the server."));
    }
    if measured.interrupted {
        notes.push("Interrupted: this is what was measured until then.".into());
    }
    notes.extend(measured.first_error.as_ref().map(|text| format!("First error: {text}")));
    notes
}

/// Latency by percentile, a line for each histogram.
pub fn percentile_plot(histograms: &[(String, &Histogram<u64>)]) -> Plot {
    let line = |(name, histogram): &(String, &Histogram<u64>)| {
        // The slowest of n operations is the 1 - 1/n: no point lies beyond what was counted.
        let last = 1.0 - 1.0 / histogram.len().max(2) as f64;
        let mut points: Vec<Point> = Vec::new();
        for step in histogram.iter_quantiles(8) {
            let (x, y) = (step.quantile().min(last), step.value_iterated_to() as f64);
            match points.last_mut() {
                Some(point) if point.x >= x => point.y = y,
                _ => points.push(Point { x, y, mark: Mark::Nothing }),
            }
        }
        Series { name: name.clone(), points }
    };
    Plot::Lines(Lines {
        title: "Latency by percentile".into(),
        x: Axis {
            label: "share of operations that are no slower".into(),
            scale: Scale::Percentile,
            unit: Unit::Percent,
        },
        y: Axis { label: "latency".into(), scale: Scale::Log, unit: Unit::Nanoseconds },
        series: histograms.iter().filter(|(_, histogram)| !histogram.is_empty()).map(line).collect(),
    })
}

/// Rate and latency of each second. A drain has latencies and no rate: nothing is started in it.
pub fn time_plots(measured: &Measured) -> Vec<Plot> {
    let loaded: Vec<&Second> = measured.series.iter().filter(|second| !second.draining).collect();
    let all: Vec<&Second> = measured.series.iter().collect();
    let rate = line(&loaded, "rate", |chunk| {
        Some(chunk.iter().map(|second| second.rate).sum::<f64>() / chunk.len().max(1) as f64)
    });
    let background = measured.background.as_ref().map(|background| {
        let point = |&(at, rate): &(i64, f64)| Point { x: at as f64, y: rate, mark: Mark::Nothing };
        let step = background.rates.len().div_ceil(POINTS_MAX).max(1);
        Series {
            name: "background".into(),
            points: background.rates.iter().step_by(step).map(point).collect(),
        }
    });
    let slowest = |name: &str, of: fn(&Second) -> u64| {
        // A second in which nothing ended has no latency.
        line(&all, name, |chunk| {
            chunk.iter().map(|second| of(second)).max().filter(|ns| *ns > 0).map(|ns| ns as f64)
        })
    };
    let seconds = || Axis {
        label: "seconds since the measured part began".into(),
        scale: Scale::Linear,
        unit: Unit::Plain,
    };
    vec![
        Plot::Lines(Lines {
            title: "Rate over time".into(),
            x: seconds(),
            y: Axis { label: "operations per second".into(), scale: Scale::Linear, unit: Unit::Plain },
            series: std::iter::once(rate).chain(background).collect(),
        }),
        Plot::Lines(Lines {
            title: "Latency over time: what ended in each second".into(),
            x: seconds(),
            y: Axis { label: "latency".into(), scale: Scale::Log, unit: Unit::Nanoseconds },
            series: vec![
                slowest("p50", |second| second.p50_ns),
                slowest("p99", |second| second.p99_ns),
                slowest("p99.9", |second| second.p999_ns),
                slowest("max", |second| second.max_ns),
            ],
        }),
    ]
}

/// A point for each second, or for several where there are too many.
fn line(seconds: &[&Second], name: &str, value: impl Fn(&[&Second]) -> Option<f64>) -> Series {
    let chunks = seconds.chunks(seconds.len().div_ceil(POINTS_MAX).max(1));
    let point = |chunk: &[&Second]| {
        let (x, y) = (chunk.first()?.at as f64, value(chunk)?);
        Some(Point { x, y, mark: Mark::Nothing })
    };
    Series { name: name.into(), points: chunks.filter_map(point).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::measured;

    fn lines(plot: &Plot) -> &Lines {
        match plot {
            Plot::Lines(lines) => lines,
            Plot::Rows(_) => panic!("lines are expected"),
        }
    }

    #[test]
    fn an_invalid_run_says_so_where_its_figures_stand() {
        let mut run = measured(&[(100, 5)]);
        run.validity = Validity::Invalid("the generator was 3 ms late".into());
        let section = section("Run", &run);
        assert!(section.notes[0].contains("INVALID: the generator was 3 ms late"), "{:?}", section.notes);
    }

    #[test]
    fn a_percentile_line_ends_at_the_slowest_operation() {
        let run = measured(&[(1000, 200); 3]);
        let plot = percentile_plot(&[("a".into(), &run.latency)]);
        let points = &lines(&plot).series[0].points;
        let last = points.last().unwrap();
        assert_eq!(last.y, run.latency.max() as f64);
        assert!(last.x < 0.9997 && last.x > 0.999, "{last:?}");
        assert!(points.is_sorted_by(|a, b| a.x < b.x && a.y <= b.y));
    }

    #[test]
    fn a_long_run_is_thinned_and_keeps_its_worst_second() {
        let mut seconds = vec![(100, 10); 1300];
        seconds[777] = (100, 70_000);
        let plots = time_plots(&measured(&seconds));
        let latency = lines(&plots[1]);
        assert!(latency.series[0].points.len() <= POINTS_MAX);
        assert!(latency.series[3].points.iter().any(|point| point.y >= 699e6));
    }

    #[test]
    fn a_drain_has_latencies_and_no_rate() {
        let mut run = measured(&[(100, 10), (5000, 90)]);
        run.series[1].draining = true;
        let plots = time_plots(&run);
        assert_eq!(lines(&plots[0]).series[0].points.len(), 1);
        assert_eq!(lines(&plots[1]).series[0].points.len(), 2);
    }

    #[test]
    fn a_background_has_a_line_of_its_own_beside_the_rate() {
        let mut run = measured(&[(100, 10), (100, 10)]);
        run.background = Some(crate::fixture::background(7000.0));
        let rates = &time_plots(&run)[0];
        let names: Vec<&str> = lines(rates).series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!((names, lines(rates).series[1].points[1].y), (vec!["rate", "background"], 7000.0));
        let table = figures(&run);
        assert!(table.rows.contains(&vec!["background rate".into(), "7,000/s".into()]), "{:?}", table.rows);
    }

    #[test]
    fn a_second_without_operations_is_a_gap_in_latency_and_a_zero_in_rate() {
        let plots = time_plots(&measured(&[(100, 10), (0, 0), (100, 10)]));
        assert_eq!(lines(&plots[0]).series[0].points[1].y, 0.0);
        assert_eq!(lines(&plots[1]).series[0].points.len(), 2);
    }
}
