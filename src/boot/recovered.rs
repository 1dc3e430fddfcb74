//! What the shards found at the start, as lines of the log.

use super::data_directory::DataDirectory;
use crate::server_log::ServerLog;
use crate::serving::letters::Recovered;
use shards::log::recovery::OpenError;
use shards::shard::Totals;
use std::time::Duration;

/// Over all shards.
#[derive(Debug, Default)]
pub struct Summary {
    /// Shards that serve.
    pub shards: usize,
    /// Every core knows every stream.
    pub settled: bool,
    totals: Totals,
    bytes_on_disk: u64,
}

impl Summary {
    /// Counts a shard in, and warns of what it could not read.
    pub fn add(&mut self, recovered: &Recovered, log: ServerLog) {
        let Recovered { shard, report, unreadable, totals, bytes_on_disk } = recovered;
        self.shards += 1;
        self.totals.streams += totals.streams;
        self.totals.consumers += totals.consumers;
        self.totals.messages += totals.messages;
        self.totals.bytes += totals.bytes;
        self.bytes_on_disk += bytes_on_disk;
        for damage in &report.damage {
            log.error(format_args!(
                "Shard {shard}: damage between positions {} and {} of the log, below what was known to be synced; what \
                 lies there is not served",
                damage.from, damage.to
            ));
        }
        if *unreadable > 0 {
            log.error(format_args!(
                "Shard {shard}: {unreadable} stored changes cannot be read and are not served"
            ));
        }
        if report.bytes_cut > 0 {
            log.info(format_args!(
                "Shard {shard}: {} of writes that no sync had covered were cut",
                size(report.bytes_cut)
            ));
        }
        for file in &report.foreign_files {
            log.warn(format_args!(
                "Shard {shard}: segment {} belongs to another log and is left alone",
                file.0
            ));
        }
    }

    pub fn log(&self, directory: &DataDirectory, elapsed: Duration, log: ServerLog) {
        let Totals { streams, consumers, messages, bytes } = self.totals;
        let what = if directory.is_new() { "Created an empty data directory" } else { "Recovered" };
        log.info(format_args!(
            "{what}: {} shards, {streams} streams, {consumers} consumers, {messages} messages in {elapsed:.1?}; {} of \
             messages, {} on disk",
            self.shards,
            size(bytes),
            size(self.bytes_on_disk)
        ));
    }
}

/// Why a log does not open, as the end of a sentence.
pub fn reason(error: OpenError) -> &'static str {
    match error {
        OpenError::Full => "the disk is full",
        OpenError::Io => "a read, write or sync failed",
        OpenError::LaterVersion => "a later version of Millrace wrote it",
    }
}

/// Bytes for people.
pub fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (0..units.len() - 1).find(|n| bytes >> (10 * n) < 1024).unwrap_or(units.len() - 1);
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{:.1} {}", bytes as f64 / (1u64 << (10 * unit)) as f64, units[unit]),
    }
}

#[test]
fn sizes_are_for_people() {
    assert_eq!(
        [0, 1023, 1536, 64 << 20, 5 << 40].map(size),
        ["0 B", "1023 B", "1.5 KiB", "64.0 MiB", "5.0 TiB"]
    );
}
