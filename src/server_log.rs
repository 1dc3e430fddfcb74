//! Log lines in nats-server's shape, on stderr (I/O).
//! May import: nothing.
//! Must not know: what is logged, or why.

use jiff::{Timestamp, Zoned};
use std::fmt;
use std::io::{IsTerminal, Write};

/// Writes lines such as `[81] 2026/11/21 15:47:01.123456 [INF] text`, each with one system call.
/// One copy per core; copies are alike.
#[derive(Clone, Copy, Debug)]
pub struct ServerLog {
    pid: u32,
    time: LogTime,
    debug: bool,
    trace: bool,
    /// stderr is a terminal: labels are coloured.
    color: bool,
}

/// Which clock a line shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogTime {
    Local,
    Utc,
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Info,
    Warning,
    Error,
    Fatal,
    Debug,
    Trace,
}

impl ServerLog {
    /// `debug` and `trace` let lines of these levels through; all other levels always are.
    pub fn new(time: LogTime, debug: bool, trace: bool) -> Self {
        ServerLog { pid: std::process::id(), time, debug, trace, color: std::io::stderr().is_terminal() }
    }

    /// Lines of `trace` are written; ask before building one.
    pub fn traces(&self) -> bool {
        self.trace
    }

    /// Lines of `debug` are written; ask before building one.
    pub fn debugs(&self) -> bool {
        self.debug
    }

    pub fn info(&self, text: impl fmt::Display) {
        self.write(Level::Info, &text);
    }

    pub fn warn(&self, text: impl fmt::Display) {
        self.write(Level::Warning, &text);
    }

    pub fn error(&self, text: impl fmt::Display) {
        self.write(Level::Error, &text);
    }

    /// For a line after which the process ends.
    pub fn fatal(&self, text: impl fmt::Display) {
        self.write(Level::Fatal, &text);
    }

    pub fn debug(&self, text: impl fmt::Display) {
        if self.debug {
            self.write(Level::Debug, &text);
        }
    }

    pub fn trace(&self, text: impl fmt::Display) {
        if self.trace {
            self.write(Level::Trace, &text);
        }
    }

    /// A line that cannot be written is lost: there is nowhere to say so.
    fn write(&self, level: Level, text: &dyn fmt::Display) {
        let _ = std::io::stderr().write_all(self.line(level, text).as_bytes());
    }

    fn line(&self, level: Level, text: &dyn fmt::Display) -> String {
        const FORM: &str = "%Y/%m/%d %H:%M:%S.%6f";
        let label = level.label(self.color);
        let pid = self.pid;
        match self.time {
            LogTime::Local => format!("[{pid}] {} {label} {text}\n", Zoned::now().strftime(FORM)),
            LogTime::Utc => format!("[{pid}] {} {label} {text}\n", Timestamp::now().strftime(FORM)),
            LogTime::Absent => format!("[{pid}] {label} {text}\n"),
        }
    }
}

impl Level {
    /// Source of names and colours: nats-server, logger/log.go.
    fn label(self, color: bool) -> String {
        let (name, code) = match self {
            Level::Info => ("INF", "32"),
            Level::Warning => ("WRN", "0;93"),
            Level::Error => ("ERR", "31"),
            Level::Fatal => ("FTL", "31"),
            Level::Debug => ("DBG", "36"),
            Level::Trace => ("TRC", "33"),
        };
        if color { format!("[\x1b[{code}m{name}\x1b[0m]") } else { format!("[{name}]") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(time: LogTime) -> ServerLog {
        ServerLog { pid: 81, time, debug: false, trace: false, color: false }
    }

    #[test]
    fn a_line_has_the_shape_that_tools_look_for() {
        let line = log(LogTime::Utc).line(Level::Info, &"Server is ready");
        let (head, rest) = line.split_at("[81] 2026/11/21 15:47:01.123456".len());
        assert!(head.starts_with("[81] "));
        let shape: String = head[5..].chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000/00/00 00:00:00.000000");
        assert_eq!(rest, " [INF] Server is ready\n");
    }

    #[test]
    fn without_logtime_a_line_has_no_time() {
        assert_eq!(log(LogTime::Absent).line(Level::Error, &"x"), "[81] [ERR] x\n");
    }

    #[test]
    fn labels_are_coloured_on_a_terminal() {
        assert_eq!(Level::Warning.label(true), "[\x1b[0;93mWRN\x1b[0m]");
    }
}
