//! A comparison as a document. What an ack means stands beside every figure.

use super::plan::{Origin, Plan, Server};
use super::rounds::{LoadRuns, Rounds, ServerRuns};
use crate::document::{Document, Section, Table};
use crate::failure::Failure;
use crate::measured::{Measured, Validity, histogram};
use crate::plot::{Axis, Plot, Row, Rows, Scale, Style, Unit};
use crate::statistics::{Method, Ratio, Spread};
use crate::{runs, units};
use hdrhistogram::Histogram;

/// A figure of a run, nanoseconds or a rate; None where it is not known.
pub(super) type Figure = fn(&Measured) -> Option<f64>;

const RATE: Figure = |measured| Some(measured.rate());
const P50: Figure = |measured| latency(measured, 0.5);
const P99: Figure = |measured| latency(measured, 0.99);
const P999: Figure = |measured| latency(measured, 0.999);
pub(super) const CPU: Figure = |measured| measured.server_cpu_ns_per_operation;
const FLUSHES: Figure = |measured| measured.device.as_ref().map(|device| device.flushes_per_second);

const BACKGROUND: Figure = |measured| measured.background.as_ref().map(|background| background.rate);

/// What is shown where there is no figure.
const NONE: &str = "–";

pub fn document(plan: &Plan, rounds: &Rounds) -> Document {
    let mut sections = vec![overview(plan, rounds), ratios(plan, rounds)];
    sections.extend(super::against::section(plan, rounds));
    sections.extend(rounds.loads.iter().map(|load| section(plan, load)));
    let verdict =
        rounds.interrupted.then(|| ("Interrupted: these are the rounds until then.".to_owned(), false));
    Document { title: plan.title.clone(), verdict, sections }
}

/// Latencies of all rounds of a server together.
pub fn merged(server: &ServerRuns) -> Histogram<u64> {
    let mut all = histogram();
    for run in server.valid() {
        all.add(&run.measured.latency).expect("histograms of runs have the same bounds");
    }
    all
}

fn overview(plan: &Plan, rounds: &Rounds) -> Section {
    let first = &plan.servers[0].name;
    let ratio_head = format!("{first} against it");
    let mut table = Table::new([
        "Load",
        "Server",
        "Acks",
        "Rate/s",
        "p50",
        "p99",
        "CPU per operation",
        ratio_head.as_str(),
    ]);
    let mut rows = Vec::new();
    for load in &rounds.loads {
        for (n, (server, side)) in plan.servers.iter().zip(&load.servers).enumerate() {
            let ratio = (n > 0).then(|| ratio(&load.servers[0], side, RATE)).flatten();
            table.row([
                load.name.clone(),
                server.name.clone(),
                acks(plan, load, n),
                rate_text(load, side),
                time(side, P50),
                time(side, P99),
                time(side, CPU),
                ratio_text(ratio),
            ]);
            rows.extend(ratio.map(|ratio| Row {
                label: match plan.servers.len() {
                    2 => load.name.clone(),
                    _ => format!("{}, {}", load.name, server.name),
                },
                text: units::ratio(ratio.median),
                value: ratio.median,
                low: ratio.low,
                high: ratio.high,
                colour: n,
            }));
        }
    }
    let against = match &plan.servers[..] {
        [_, other] => format!("against {}", other.name),
        _ => "against the others".into(),
    };
    let plot = Plot::Rows(Rows {
        title: format!("Rate of {first} {against}: how many times as much, with intervals"),
        axis: Axis { label: "times as much".into(), scale: Scale::Log, unit: Unit::Times },
        style: Style::Dots,
        reference: Some(1.0),
        rows,
    });
    Section { table: Some(table), notes: notes(plan, rounds), plots: vec![plot], ..Section::new("All loads") }
}

fn notes(plan: &Plan, rounds: &Rounds) -> Vec<String> {
    let rounds_of = match plan.rounds {
        1 => "One round, so there is no spread".to_owned(),
        count => format!("Medians of {count} rounds in which the servers took turns"),
    };
    let mut notes = vec![format!(
        "{rounds_of}. One server runs at a time; those that the comparison starts are new, with a new directory, in each run."
    )];
    notes.extend(plan.servers.iter().enumerate().map(|(n, server)| identity(server, n, rounds)));
    let sides = || rounds.loads.iter().flat_map(|load| load.servers.iter().map(move |side| (load, side)));
    let mut methods: Vec<Method> = Vec::new();
    for load in &rounds.loads {
        for side in &load.servers[1..] {
            if let Some(ratio) = ratio(&load.servers[0], side, RATE).filter(|_| plan.rounds > 1)
                && !methods.contains(&ratio.method)
            {
                methods.push(ratio.method);
            }
        }
    }
    notes.extend(methods.into_iter().map(|method| method.sentence().to_owned()));
    if rounds.loads.iter().any(|load| load.workload.background.is_some()) {
        notes.push("Behind a +: the rate of what published in the background.".into());
    }
    let repeated: u32 = sides().map(|(_, side)| side.repeated).sum();
    if repeated > 0 {
        notes.push(format!("{repeated} runs were disturbed or invalid and were done again."));
    }
    let disturbed =
        sides().flat_map(|(_, side)| side.runs.iter().flatten()).filter(|run| run.disturbed).count();
    if disturbed > 0 {
        notes.push(format!(
            "{disturbed} runs stayed disturbed: other processes used more than {} cores. Their figures are in the table.",
            plan.disturbance_max
        ));
    }
    let invalid = sides().flat_map(|(_, side)| side.runs.iter().flatten()).filter_map(|run| {
        let Validity::Invalid(why) = &run.measured.validity else { return None };
        Some(why)
    });
    let invalid: Vec<&String> = invalid.collect();
    if let Some(why) = invalid.first() {
        notes.push(format!("{} runs were invalid and have no figures; the first one: {why}.", invalid.len()));
    }
    for load in &rounds.loads {
        for (server, side) in plan.servers.iter().zip(&load.servers) {
            if let Some(failure) = side.failure.as_ref().filter(|failure| **failure != Failure::Interrupted) {
                notes.push(format!("{} on {}: {failure}.", server.name, load.name));
            }
            if server.skip.contains(&load.name) {
                notes.push(format!("{} is spared {} by the file.", server.name, load.name));
            }
        }
    }
    notes
}

/// Which program stands behind a name, and how it was started.
fn identity(server: &Server, n: usize, rounds: &Rounds) -> String {
    let mut runs = rounds.loads.iter().flat_map(|load| load.servers[n].runs.iter().flatten());
    let product = runs.next().map_or("never reached".to_owned(), |run| {
        format!("{} {}", run.measured.server.name, run.measured.server.version)
    });
    let origin = match &server.origin {
        Origin::Address(address) => format!("at {}", address.host),
        Origin::Start(recipe) => {
            let config =
                recipe.config.as_deref().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
            let config = config.map_or(String::new(), |text| format!(", with {{config}} = {text}"));
            let cores = if recipe.cores.is_empty() {
                String::new()
            } else {
                format!(", on cores {:?}", recipe.cores)
            };
            format!("started as: {}{config}{cores}", recipe.command)
        }
    };
    format!("{}: {product}, {origin}.", server.name)
}

fn ratios(plan: &Plan, rounds: &Rounds) -> Section {
    let mut table = Table::new(["Load", "Against", "Acks there", "Rate", "p50", "p99", "CPU per operation"]);
    for load in &rounds.loads {
        for (n, side) in load.servers.iter().enumerate().skip(1) {
            let of = |figure| ratio_text(ratio(&load.servers[0], side, figure));
            let (name, acks) = (plan.servers[n].name.clone(), acks(plan, load, n));
            table.row([load.name.clone(), name, acks, of(RATE), of(P50), of(P99), of(CPU)]);
        }
    }
    let heading = format!("{} as a multiple of the others, with intervals", plan.servers[0].name);
    Section { table: Some(table), ..Section::new(heading) }
}

fn section(plan: &Plan, load: &LoadRuns) -> Section {
    let mut table = Table::new([
        "Server",
        "Acks",
        "Rate/s",
        "Lowest–highest",
        "p50",
        "p99",
        "p99.9",
        "CPU cores",
        "Generator cores",
        "Flushes/s",
        "TCP retransmits, probes, zero windows",
        "Valid rounds",
    ]);
    let mut bars = Vec::new();
    let mut lines = Vec::new();
    for (n, (server, side)) in plan.servers.iter().zip(&load.servers).enumerate() {
        let spread = spread(side, RATE);
        let sum = |of: fn(&Measured) -> u64| match side.valid().count() {
            0 => NONE.into(),
            _ => units::number(side.valid().map(|run| of(&run.measured)).sum::<u64>() as f64),
        };
        table.row([
            server.name.clone(),
            acks(plan, load, n),
            rate_text(load, side),
            spread.map_or(NONE.into(), |spread| {
                format!("{}–{}", units::number(spread.min.round()), units::number(spread.max.round()))
            }),
            time(side, P50),
            time(side, P99),
            time(side, P999),
            cores(side, |measured| measured.server_cores),
            cores(side, |measured| Some(measured.own_cores)),
            count(side, FLUSHES),
            format!(
                "{}, {}, {}",
                sum(|measured| measured.network.retransmits),
                sum(|measured| measured.network.window_probes),
                sum(|measured| measured.network.from_zero_window)
            ),
            format!("{} of {}", side.valid().count(), side.runs.len()),
        ]);
        bars.extend(spread.map(|spread| Row {
            label: server.name.clone(),
            text: format!("{}/s", units::number(spread.median.round())),
            value: spread.median,
            low: spread.min,
            high: spread.max,
            colour: n,
        }));
        lines.push((server.name.clone(), merged(side)));
    }
    let bars = Plot::Rows(Rows {
        title: "Operations per second: median, lowest and highest round".into(),
        axis: Axis { label: "operations per second".into(), scale: Scale::Linear, unit: Unit::Plain },
        style: Style::Bars,
        reference: None,
        rows: bars,
    });
    let lines: Vec<(String, &Histogram<u64>)> = lines.iter().map(|(name, all)| (name.clone(), all)).collect();
    Section {
        table: Some(table),
        notes: vec![load.workload.to_string()],
        plots: vec![bars, runs::percentile_plot(&lines)],
        ..Section::new(load.name.clone())
    }
}

/// What an ack of a server promises: told by the plan, or by the server itself in its first run.
pub(super) fn acks(plan: &Plan, load: &LoadRuns, server: usize) -> String {
    if !load.workload.uses_streams() && load.workload.background.is_none() {
        return "none: core NATS".into();
    }
    let told = plan.servers[server].durability.clone();
    let mut runs = load.servers[server].runs.iter().flatten();
    told.or_else(|| runs.next().map(|run| run.measured.server.durability.clone()))
        .unwrap_or_else(|| "unknown".into())
}

fn latency(measured: &Measured, share: f64) -> Option<f64> {
    quantile(&measured.latency, share)
}

/// Nanoseconds; None: nothing ended.
pub(super) fn quantile(latency: &Histogram<u64>, share: f64) -> Option<f64> {
    (!latency.is_empty()).then(|| latency.value_at_quantile(share) as f64)
}

fn spread(side: &ServerRuns, figure: Figure) -> Option<Spread> {
    let values: Vec<f64> = side.values(figure).into_iter().filter(|value| value.is_finite()).collect();
    Spread::of(&values)
}

fn ratio(first: &ServerRuns, other: &ServerRuns, figure: Figure) -> Option<Ratio> {
    Ratio::of(&first.values(figure), &other.values(figure))
}

pub(super) fn ratio_text(ratio: Option<Ratio>) -> String {
    let text = |ratio: Ratio| {
        let (low, high) = (units::factor(ratio.low), units::factor(ratio.high));
        match low == high {
            true => units::ratio(ratio.median),
            false => format!("{} ({low}–{high})", units::ratio(ratio.median)),
        }
    };
    ratio.map_or(NONE.into(), text)
}

/// Both rates where the load has a background.
fn rate_text(load: &LoadRuns, side: &ServerRuns) -> String {
    let rate = count(side, RATE);
    match load.workload.background {
        Some(_) if side.valid().next().is_some() => format!("{rate} + {}", count(side, BACKGROUND)),
        _ => rate,
    }
}

fn time(side: &ServerRuns, figure: Figure) -> String {
    spread(side, figure).map_or(NONE.into(), |spread| units::nanoseconds(spread.median))
}

fn cores(side: &ServerRuns, figure: Figure) -> String {
    spread(side, figure).map_or(NONE.into(), |spread| format!("{:.2}", spread.median))
}

fn count(side: &ServerRuns, figure: Figure) -> String {
    spread(side, figure).map_or(NONE.into(), |spread| units::number(spread.median.round()))
}

#[cfg(test)]
#[path = "show_test.rs"]
mod tests;
