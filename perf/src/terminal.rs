//! Shows progress on standard error and turns signals into a wish to stop.
//! May import: failure, watch.
//! Must not know: what is measured.

use crate::failure::Failure;
use crate::watch::{Phase, Progress, Watch};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io::{IsTerminal, Write, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A bar where standard error is a terminal, else a line every five seconds.
pub struct Terminal {
    is_terminal: bool,
    stop: Arc<AtomicBool>,
    /// When and in which phase the last line was written.
    last: Option<(Instant, Phase)>,
}

const LINE_EVERY: Duration = Duration::from_secs(5);
const BAR_LEN: usize = 30;

impl Terminal {
    /// The first SIGINT or SIGTERM asks to stop, the second ends the process at once. Errors: Machine.
    pub fn new() -> Result<Terminal, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let exit_code = 128 + signal;
            flag::register_conditional_shutdown(signal, exit_code, Arc::clone(&stop))
                .and_then(|_| flag::register(signal, Arc::clone(&stop)))
                .map_err(|error| Failure::Machine(format!("signal handler: {error}")))?;
        }
        Ok(Terminal { is_terminal: stderr().is_terminal(), stop, last: None })
    }

    /// Removes the bar, so that what is printed next stands alone.
    pub fn clear(&mut self) {
        if self.is_terminal && self.last.is_some() {
            write("\r\x1b[K");
        }
    }
}

impl Watch for Terminal {
    fn progress(&mut self, progress: &Progress<'_>) {
        let now = Instant::now();
        let line = line(progress, self.is_terminal);
        if self.is_terminal {
            write(&format!("\r\x1b[K{line}"));
            self.last = Some((now, progress.phase));
        } else if self.last.is_none_or(|(at, _)| now >= at + LINE_EVERY) {
            // The first line is due five seconds from now, not at once.
            if self.last.is_some() {
                write(&format!("{line}\n"));
            }
            self.last = Some((now, progress.phase));
        }
    }

    fn wants_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn line(progress: &Progress<'_>, with_bar: bool) -> String {
    let phase = match progress.phase {
        Phase::Prepare => "preparing",
        Phase::WarmUp => "warming up",
        Phase::Measure => "measuring",
        Phase::Drain => "draining",
        Phase::Verify => "verifying",
        Phase::CleanUp => "cleaning up",
    };
    let full = ((progress.share * BAR_LEN as f64) as usize).min(BAR_LEN);
    let bar = match with_bar {
        true => format!("[{}{}] ", "#".repeat(full), " ".repeat(BAR_LEN - full)),
        false => format!("{:3.0} % ", progress.share * 100.0),
    };
    let figures = progress.last.map_or(String::new(), |second| {
        let us = |nanos: u64| nanos / 1000;
        let errors = if second.errors > 0 { format!(", {} ERRORS", second.errors) } else { String::new() };
        format!("  {:.0}/s, p50 {} µs, p99 {} µs{errors}", second.rate, us(second.p50_ns), us(second.p99_ns))
    });
    format!("{phase:<11} {bar}{:.0} s{figures}", progress.elapsed.as_secs_f64())
}

/// Progress is a courtesy: where nobody can read it, nothing is lost.
fn write(text: &str) {
    let mut stderr = stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
