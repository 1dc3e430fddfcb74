//! What happened in a run, as text and as a hash: the same seed gives the same.

use crate::hashing::hash_bytes;
use crate::time::Instant;
use std::fmt::Write;

/// Lives as long as its run.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    line: String,
    /// Whether lines are printed as they come.
    pub is_verbose: bool,
}

impl Trace {
    /// Something happened.
    pub fn note(&mut self, now: Instant, what: std::fmt::Arguments<'_>) {
        self.line.clear();
        let micros = now.0 / 1000;
        // Writing into a string does not fail.
        _ = write!(self.line, "{:>7}.{:06} {what}", micros / 1_000_000, micros % 1_000_000);
        if self.is_verbose {
            println!("{}", self.line);
        }
        self.hash = self.hash.rotate_left(5) ^ hash_bytes(self.line.as_bytes());
    }

    /// Of everything so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }
}
