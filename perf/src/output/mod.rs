//! Where results go: the terminal, and files in the forms that were asked for.
//! May import: document, provenance, failure, plot.
//! Must not know: what was measured.

mod hgrm;
mod html;

use crate::document::Document;
use crate::failure::Failure;
use crate::provenance::Provenance;
use hdrhistogram::Histogram;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The forms that were asked for.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "outputs")]
pub struct Flags {
    /// Write everything as JSON; "-": to standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write latencies as HdrHistogram percentile text; several get a name each before the extension
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,
    /// Write one page with plots that opens without network
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the main table as Markdown, with a sentence on where it comes from; "-": to standard output
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write dated Markdown with machine, device, command and commit into a folder
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = "perf/results")]
    pub results: Option<PathBuf>,
}

/// One result in every form that it can be written in.
pub struct Artifact<'a> {
    /// Short name for files: `slo-publish`, `compare`.
    pub name: String,
    pub document: &'a Document,
    /// Sections from the start that `--markdown` writes: what stands in a README.
    pub brief: usize,
    pub json: serde_json::Value,
    /// Latencies in nanoseconds, each with a short name.
    pub histograms: Vec<(String, &'a Histogram<u64>)>,
}

impl Flags {
    /// Whether everything can be written, before anything is measured. Errors: BadOptions.
    pub fn check(&self) -> Result<(), Failure> {
        let bad = |text: String| Err(Failure::BadOptions(text));
        if self.json.as_deref().is_some_and(is_standard) && self.markdown.as_deref().is_some_and(is_standard)
        {
            return bad("json and markdown: only one of them can go to standard output".into());
        }
        for path in [&self.json, &self.hgrm, &self.html, &self.markdown].into_iter().flatten() {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if !is_standard(path) && folder.is_some_and(|folder| !folder.is_dir()) {
                return bad(format!("{}: its folder does not exist", path.display()));
            }
        }
        match &self.results {
            Some(folder) if !folder.is_dir() => {
                bad(format!("results: there is no folder {}", folder.display()))
            }
            _ => Ok(()),
        }
    }

    /// A form goes to standard output, so what people read goes to standard error.
    pub fn takes_standard_output(&self) -> bool {
        [&self.json, &self.markdown].into_iter().flatten().any(|path| is_standard(path))
    }

    /// Shows what people read.
    pub fn show(&self, text: &str) {
        match self.takes_standard_output() {
            true => eprint!("{text}"),
            false => print!("{text}"),
        }
    }

    /// Whether anything is to be written.
    pub fn wants_anything(&self) -> bool {
        let files = [&self.json, &self.hgrm, &self.html, &self.markdown, &self.results];
        files.into_iter().any(|file| file.is_some())
    }

    /// Writes every form that was asked for. Errors: Machine, with the file that cannot be written.
    pub fn write(&self, artifact: &Artifact<'_>, provenance: &Provenance) -> Result<(), Failure> {
        let document = artifact.document;
        if let Some(path) = &self.json {
            let whole = json!({ "title": document.title, "provenance": provenance, "result": artifact.json });
            put(path, &format!("{whole:#}\n"))?;
        }
        if let Some(path) = &self.hgrm {
            for (name, histogram) in &artifact.histograms {
                let path = if artifact.histograms.len() == 1 { path.clone() } else { hgrm_path(path, name) };
                put(&path, &hgrm::text(histogram))?;
            }
        }
        let mut whole = document.clone();
        whole.sections.push(provenance.section());
        if let Some(path) = &self.html {
            put(path, &html::page(&whole))?;
        }
        if let Some(path) = &self.markdown {
            let mut brief = document.clone();
            brief.sections.truncate(artifact.brief);
            put(path, &format!("{}\n{}\n", brief.markdown(3), provenance.sentence()))?;
        }
        if let Some(folder) = &self.results {
            let path = free_path(folder, &format!("{}-{}", provenance.date, artifact.name));
            put(&path, &whole.markdown(1))?;
            eprintln!("written to {}", path.display());
        }
        Ok(())
    }
}

fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

fn put(path: &Path, text: &str) -> Result<(), Failure> {
    if is_standard(path) {
        print!("{text}");
        return Ok(());
    }
    std::fs::write(path, text).map_err(|error| Failure::Machine(format!("{}: {error}", path.display())))
}

/// `out.hgrm` and `a` are `out-a.hgrm`.
fn hgrm_path(path: &Path, name: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map_or("hgrm".into(), |extension| extension.to_string_lossy());
    path.with_file_name(format!("{stem}-{}.{extension}", file_name(name)))
}

/// Results are never written over: the second one of a day has a number.
fn free_path(folder: &Path, name: &str) -> PathBuf {
    let name = file_name(name);
    let numbered = (2..).map(|n| format!("{name}-{n}.md"));
    let mut names = std::iter::once(format!("{name}.md")).chain(numbered);
    let free = names.find(|name| !folder.join(name).exists());
    folder.join(free.expect("some number is free"))
}

/// Letters, digits and dashes.
pub fn file_name(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

#[cfg(test)]
#[path = "output_test.rs"]
mod tests;
