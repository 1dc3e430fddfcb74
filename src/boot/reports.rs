//! The reports of all cores at the end, on stderr (I/O).

use super::cores::Cores;
use super::now;
use crate::report::CoreReport;
use crate::serving::letters::{Letter, Notice};
use std::io::Write;
use std::sync::mpsc::Receiver;
use std::time::Instant;

/// Asks every core and prints what has come until the deadline, in the order of the cores.
pub fn print(cores: &Cores, notices: &Receiver<Notice>, deadline: Instant) {
    cores.tell_all(|| Letter::Report);
    let mut reports: Vec<CoreReport> = Vec::new();
    while reports.len() < cores.count() {
        match notices.recv_timeout(deadline.saturating_duration_since(now())) {
            Ok(Notice::Report(report)) => reports.push(*report),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    reports.sort_by_key(|report| report.core);
    let mut stderr = std::io::stderr().lock();
    for report in reports {
        // Nobody is left who could be told that stderr is closed.
        let _ = writeln!(stderr, "{report}");
    }
}
