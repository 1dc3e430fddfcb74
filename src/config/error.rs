//! Why a configuration stops the start.

use std::fmt;
use std::path::PathBuf;

/// A place in a configuration file and a sentence. Shown as `file:line:column: sentence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub file: PathBuf,
    /// From 1. Both are 0 if the whole file is meant: only the file is shown then.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub reason: String,
}

/// A setting whose value makes no sense, alone or beside another, before its place in a file is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Keys the refusal may be about, as paths such as `jetstream.sync_interval`; the first that a file holds is where
    /// the error is shown.
    pub keys: &'static [&'static str],
    pub reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, 0) => write!(f, "{}: {}", self.file.display(), self.reason),
            (line, column) => write!(f, "{}:{line}:{column}: {}", self.file.display(), self.reason),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for ConfigError {}
impl std::error::Error for Refusal {}
