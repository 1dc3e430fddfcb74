//! A schedule as a text file: lines `SECONDS RATE`, each a rate that holds from that time on.

use crate::failure::Failure;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// From `from` on, `rate` operations per second; 0 is a pause.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Since the start of the load, warm-up included.
    pub from: Duration,
    pub rate: f64,
}

/// Reads a file. Empty lines and what follows `#` do not count. Errors: BadOptions with file and line.
pub fn read(path: &Path) -> Result<Vec<Step>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::BadOptions(format!("schedule {}: {error}", path.display())))?;
    parse(&text).map_err(|error| Failure::BadOptions(format!("schedule {}:{error}", path.display())))
}

fn parse(text: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let wrong = |what: &str| format!("{}: {what}", n + 1);
        let (from, rate) = line.split_once(char::is_whitespace).ok_or_else(|| wrong("SECONDS RATE"))?;
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| *number >= 0.0);
        let (Some(from), Some(rate)) = (number(from), number(rate)) else {
            return Err(wrong("two numbers of at least 0"));
        };
        let from = Duration::try_from_secs_f64(from).map_err(|_| wrong("the time is too large"))?;
        if steps.last().is_some_and(|last| last.from >= from) {
            return Err(wrong("the times do not increase"));
        }
        steps.push(Step { from, rate });
    }
    match steps.iter().any(|step| step.rate > 0.0) {
        true => Ok(steps),
        false => Err("1: no rate above 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_in_order() {
        let steps = parse("# warm\n0 100\n\n2.5 5000 # peak\n").unwrap();
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[1], Step { from: Duration::from_millis(2500), rate: 5000.0 });
    }

    #[test]
    fn a_wrong_line_is_named() {
        assert_eq!(parse("0 10\n0 20\n").unwrap_err(), "2: the times do not increase");
        assert_eq!(parse("0 x\n").unwrap_err(), "1: two numbers of at least 0");
        assert!(parse("0 0\n").is_err() && parse("").is_err() && parse("5\n").is_err());
    }
}
