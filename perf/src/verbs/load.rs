//! `publish`, `consume`, `pubsub`, `request`, `mixed`: one run.

use super::TargetFlags;
use crate::document::Document;
use crate::failure::Failure;
use crate::output::{self, Artifact};
use crate::provenance::Provenance;
use crate::summary::Summary;
use crate::terminal::Terminal;
use crate::workload::{Flags, Kind, Workload};
use crate::{runner, runs};

#[derive(clap::Args)]
pub struct Load {
    #[command(flatten)]
    target: TargetFlags,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    output: output::Flags,
}

impl Load {
    /// Shows the summary and writes the files, whatever the verdict on the run is.
    pub fn run(self, kind: Kind) -> Result<bool, Failure> {
        let workload = Workload::try_from(Flags { kind: Some(kind), ..self.flags })?;
        self.output.check()?;
        let mut terminal = Terminal::new()?;
        let outcome = runner::run(&self.target.target(), &workload, &mut terminal);
        terminal.clear();
        let measured = outcome?;
        self.output.show(&Summary(&measured).to_string());
        if self.output.wants_anything() {
            // What stands against a run is to be seen before its figures.
            let verdict = measured.verdict().err().map(|failure| (failure.to_string(), false));
            let section = runs::section("The run", &measured);
            let document = Document { title: measured.title.clone(), verdict, sections: vec![section] };
            let name = measured.title.split(':').next().unwrap_or("run").to_owned();
            let json = super::json_of(&measured)?;
            let histograms = vec![("latency".to_owned(), &measured.latency)];
            let artifact = Artifact { name, document: &document, brief: 1, json, histograms };
            self.output.write(&artifact, &Provenance::gather(Some(&self.target.data_dir)))?;
        }
        measured.verdict().map(|()| true)
    }
}
