//! What a result has to say of the place and the day: machine, kernel, device and how long its sync takes, command, commit.
//! May import: document, machine, units.
//! Must not know: results.

use crate::document::{Section, Table};
use crate::machine::{Device, SyncTimes};
use crate::units;
use serde::Serialize;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone, Debug, Default, Serialize)]
pub struct Provenance {
    /// `2026-11-21`, UTC.
    pub date: String,
    pub cpu: String,
    pub cores: usize,
    pub memory_bytes: u64,
    pub kernel: String,
    /// Where the data lay; None where no path was named.
    pub storage: Option<Storage>,
    pub command: String,
    /// Of the working directory; None outside of a repository.
    pub commit: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Storage {
    /// Of the mount that the path lies on.
    pub file_system: String,
    pub device: Option<String>,
    /// `write back` or `write through`, as the kernel knows it.
    pub write_cache: Option<String>,
    /// Of writing 4 KiB into a file that is all written, and fdatasync; None where it could not be tried.
    pub sync_p50_ns: Option<u64>,
    pub sync_p99_ns: Option<u64>,
    /// These writes went past the page cache.
    pub sync_direct: bool,
}

impl Provenance {
    /// Of now and here; the device under `data_dir` is timed, which takes up to two seconds.
    pub fn gather(data_dir: Option<&Path>) -> Provenance {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let memory_kib: u64 = memory.split(' ').next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Provenance {
            date: date(since.as_secs() / 86_400),
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory_kib * 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().into(),
            storage: data_dir.map(storage),
            command: command_line(std::env::args()),
            commit: commit(),
        }
    }

    /// All of it in one sentence, with the command behind it.
    pub fn sentence(&self) -> String {
        let memory = self.memory_bytes as f64 / f64::from(1 << 30);
        let storage = self.storage.as_ref().map_or(String::new(), |storage| {
            let sync = storage
                .sync_text()
                .map_or(String::new(), |text| format!(" ({}: {text})", storage.sync_name()));
            format!(", {}{sync}", storage.text())
        });
        let commit = self.commit.as_ref().map_or(String::new(), |commit| format!(", commit {commit}"));
        format!(
            "{}: {}, {} cores, {memory:.0} GiB, kernel {}{storage}{commit}. Command: `{}`",
            self.date, self.cpu, self.cores, self.kernel, self.command
        )
    }

    /// How long the device's own sync takes; None where it could not be timed.
    pub fn sync_sentence(&self) -> Option<String> {
        let storage = self.storage.as_ref()?;
        Some(format!("{} here, without load: {}.", storage.sync_name(), storage.sync_text()?))
    }

    pub fn section(&self) -> Section {
        let mut table = Table::new(["Fact", "Value"]);
        let mut row = |name: &str, value: String| table.row([name.into(), value]);
        row("date", self.date.clone());
        let memory = self.memory_bytes as f64 / f64::from(1 << 30);
        row("machine", format!("{}, {} cores, {memory:.0} GiB", self.cpu, self.cores));
        row("kernel", self.kernel.clone());
        if let Some(storage) = &self.storage {
            row("storage", storage.text());
            if let Some(text) = storage.sync_text() {
                row(storage.sync_name(), text);
            }
        }
        row("commit", self.commit.clone().unwrap_or_else(|| "unknown".into()));
        row("command", self.command.clone());
        Section { table: Some(table), ..Section::new("Where and how") }
    }
}

impl Storage {
    fn text(&self) -> String {
        let mut text = self.file_system.clone();
        if let Some(device) = &self.device {
            text.push_str(&format!(" on {device}"));
        }
        if let Some(cache) = &self.write_cache {
            text.push_str(&format!(", {cache} cache"));
        }
        text
    }

    /// What the sync times are of.
    fn sync_name(&self) -> &'static str {
        if self.sync_direct { "4 KiB direct write and sync" } else { "4 KiB write and sync" }
    }

    fn sync_text(&self) -> Option<String> {
        let (p50, p99) = (self.sync_p50_ns?, self.sync_p99_ns?);
        Some(format!("p50 {}, p99 {}", units::nanoseconds(p50 as f64), units::nanoseconds(p99 as f64)))
    }
}

fn storage(path: &Path) -> Storage {
    let device = Device::of(path).map(|device| device.name);
    let cache = device
        .as_ref()
        .and_then(|name| fs::read_to_string(format!("/sys/block/{name}/queue/write_cache")).ok());
    let syncs = SyncTimes::of(path).ok();
    let at = |share: f64| syncs.as_ref().map(|syncs| syncs.at(share));
    Storage {
        file_system: file_system(path).unwrap_or_else(|| "unknown file system".into()),
        device,
        write_cache: cache.map(|cache| cache.trim().to_owned()),
        sync_p50_ns: at(0.5),
        sync_p99_ns: at(0.99),
        sync_direct: syncs.as_ref().is_some_and(|syncs| syncs.direct),
    }
}

/// Of the mount with the longest path above `path`; fields as in proc_pid_mountinfo(5).
fn file_system(path: &Path) -> Option<String> {
    let path = fs::canonicalize(path).ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        Some((mount.split(' ').nth(4)?, source.split(' ').next()?))
    });
    let above = mounts.filter(|(point, _)| path.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind.to_owned())
}

/// As it can be pasted into a shell.
pub fn command_line(words: impl Iterator<Item = String>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    let quoted = |word: String| match !word.is_empty() && word.chars().all(plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

/// Short, with a mark if the work tree differs from it.
fn commit() -> Option<String> {
    let git = |words: &[&str]| {
        let output =
            Command::new("git").args(words).output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|files| !files.is_empty());
    Some(format!("{}{}", commit.trim(), if changed { ", with changes" } else { "" }))
}

/// Year, month and day of a number of days since 1970 (proleptic Gregorian calendar).
fn date(days: u64) -> String {
    // Counted from 1 March of year 0, so that a leap day is the last day of its year.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        let cases = [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (19_782, "2024-02-29"),
            (20_778, "2026-11-21"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ];
        for (days, expected) in cases {
            assert_eq!(date(days), expected, "{days}");
        }
    }

    #[test]
    fn a_command_can_be_pasted_again() {
        let words = ["perf", "--a", "broker -p {port}", "it's", ""].map(str::to_owned);
        assert_eq!(command_line(words.into_iter()), "perf --a 'broker -p {port}' 'it'\\''s' ''");
    }
}
