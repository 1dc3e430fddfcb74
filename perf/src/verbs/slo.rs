//! `slo`: a file's objectives, held against one run, or the rate up to which they hold.

use super::TargetFlags;
use crate::document::{Document, Section};
use crate::failure::Failure;
use crate::output::{self, Artifact};
use crate::provenance::Provenance;
use crate::slo::{self, KneeFlags, SloFile};
use crate::terminal::Terminal;
use crate::toml_file::Text;
use crate::{runner, units};
use hdrhistogram::Histogram;
use std::cell::LazyCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Slo {
    /// TOML: [workload], [objectives] and perhaps [knee]; perf/slo/ has examples
    file: PathBuf,
    #[command(flatten)]
    target: TargetFlags,
    /// Search for the highest rate at which the objectives hold: doubling, then bisection
    #[arg(long)]
    knee: bool,
    #[command(flatten)]
    bounds: KneeFlags,
    #[command(flatten)]
    output: output::Flags,
}

impl Slo {
    /// Whether the objectives hold, or hold at any rate. Errors: there is no verdict.
    pub fn run(self) -> Result<bool, Failure> {
        // The device is timed once, before the load: either because a limit is in syncs, or to stand beside the figures.
        let provenance = LazyCell::new(|| Provenance::gather(Some(&self.target.data_dir)));
        let sync = || Some(Duration::from_nanos(provenance.storage.as_ref()?.sync_p99_ns?));
        let file = slo::parse(&Text::read(&self.file)?, &sync)?;
        self.output.check()?;
        if !self.knee && self.bounds != KneeFlags::default() {
            return Err(Failure::BadOptions("the bounds of a search belong to --knee".into()));
        }
        match self.knee {
            true => self.search(&file, &provenance),
            false => self.judge(&file, &provenance),
        }
    }

    fn judge(&self, file: &SloFile, provenance: &Provenance) -> Result<bool, Failure> {
        let mut terminal = Terminal::new()?;
        let outcome = runner::run(&self.target.target(), &file.workload, &mut terminal);
        terminal.clear();
        let judged = slo::judge(file, outcome?);
        let document = slo::show::verdict(&self.name(), file, &judged);
        self.write(file, document, super::json_of(&judged)?, Some(&judged.measured.latency), provenance)?;
        judged.outcome()
    }

    fn search(&self, file: &SloFile, provenance: &Provenance) -> Result<bool, Failure> {
        let bounds = self.bounds.clone().or(file.knee.clone()).bounds(&file.workload)?;
        let mut terminal = Terminal::new()?;
        let target = self.target.target();
        let mut run = |workload: &_| {
            let measured = runner::run(&target, workload, &mut terminal);
            terminal.clear();
            measured
        };
        let begin = Instant::now();
        let mut told = |point: &slo::CurvePoint| {
            let p99 = units::nanoseconds(point.p99_ns as f64);
            let (rate, outcome) = (units::number(point.rate.round()), slo::show::outcome(point.outcome));
            eprintln!("{rate}/s: {outcome} (p99 {p99}) {}", point.why);
        };
        let result = slo::search(file, bounds, &mut run, &mut || begin.elapsed(), &mut told);
        let document = slo::show::knee(&self.name(), file, &result);
        let latency = result.best.as_ref().map(|measured| &measured.latency);
        self.write(file, document, super::json_of(&result)?, latency, provenance)?;
        match (result.failure, result.then) {
            (Some(failure), _) => Err(failure),
            (None, Some(after)) => after.judged.outcome(),
            (None, None) => Ok(result.knee.is_some()),
        }
    }

    fn name(&self) -> String {
        self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn write(
        &self,
        file: &SloFile,
        mut document: Document,
        json: serde_json::Value,
        latency: Option<&Histogram<u64>>,
        provenance: &Provenance,
    ) -> Result<(), Failure> {
        // Below every table of limits that may be in syncs; the first section of a search has the search's own.
        let has_limits =
            |(n, section): &(usize, &mut Section)| *n == 0 || section.heading.starts_with("Objectives");
        let sections = document.sections.iter_mut().enumerate().filter(has_limits);
        for (_, section) in sections.filter(|_| file.workload.uses_streams()) {
            section.notes.extend(provenance.sync_sentence());
        }
        self.output.show(&document.text());
        if !self.output.wants_anything() {
            return Ok(());
        }
        let kind = if self.knee { "knee" } else { "slo" };
        let histograms = latency.map(|latency| ("latency".to_owned(), latency)).into_iter().collect();
        let artifact = Artifact {
            name: format!("{kind}-{}", self.name()),
            document: &document,
            brief: 1,
            json,
            histograms,
        };
        self.output.write(&artifact, provenance)
    }
}
