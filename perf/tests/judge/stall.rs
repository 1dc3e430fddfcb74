//! The proof that nothing is omitted: a server that stands still for a second shows up as a second.

use crate::fake::{Fault, Server};
use crate::judge_at;
use perf::watch::{Phase, Progress, Watch};
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;

/// Stops a process for a second, one second into the measured part.
struct Stopper {
    pid: Pid,
    stopped: bool,
    continued: bool,
}

const STOPPED_AT: Duration = Duration::from_secs(1);
const STOPPED_FOR: Duration = Duration::from_secs(1);

impl Watch for Stopper {
    fn progress(&mut self, progress: &Progress<'_>) {
        if progress.phase != Phase::Measure {
            return;
        }
        if !self.stopped && progress.elapsed >= STOPPED_AT {
            kill_process(self.pid, Signal::STOP).unwrap();
            self.stopped = true;
        }
        if self.stopped && !self.continued && progress.elapsed >= STOPPED_AT + STOPPED_FOR {
            kill_process(self.pid, Signal::CONT).unwrap();
            self.continued = true;
        }
    }
}

#[test]
fn a_server_that_stands_still_for_a_second_shows_up_as_a_second() {
    let server = Server::start(Fault::Nothing);
    let pid = Pid::from_raw(server.pid() as i32).unwrap();
    let mut stopper = Stopper { pid, stopped: false, continued: false };
    // 4 s at 2000/s: what was to start in that second is a quarter of all.
    let table = "kind = \"publish\"\nrate = 2000\nduration = 4\nwarmup = 0.5\nlateness_max = 10000";
    let measured = judge_at(&server, table, &mut stopper).unwrap();
    assert!(stopper.continued);
    assert!(measured.errors.is_empty(), "{:?}", measured.errors);

    // Everything was started, and the generator was not late, though the server took nothing.
    assert!((7_500..=8_500).contains(&measured.started), "{}", measured.started);
    // What was to start in the measured part has a latency, whenever this busy machine let it start.
    assert_eq!(measured.latency.len(), 8_000);
    assert!(
        measured.lateness.value_at_quantile(0.99) < 300_000_000,
        "the generator did not wait for the server"
    );

    // The watch looks every 200 ms, so that the second may be as much shorter.
    let ms = |quantile| measured.latency.value_at_quantile(quantile) / 1_000_000;
    assert!(ms(0.999) >= 700, "p99.9 is {} ms", ms(0.999));
    assert!(ms(0.9) >= 300, "a tenth of all met most of it: p90 is {} ms", ms(0.9));
    assert!(ms(0.5) < 500, "half of all met none of it: p50 is {} ms", ms(0.5));

    // Latencies stand in the second in which the operations ended, which is when the server went on.
    let worst = measured.series.iter().max_by_key(|second| second.max_ns).unwrap();
    assert!(worst.max_ns >= 700_000_000 && worst.p99_ns >= 500_000_000, "{worst:?}");
    assert!((1..=3).contains(&worst.at), "{worst:?}");
    let slowest = measured.series.iter().filter(|second| second.at >= 0 && !second.draining);
    let slowest = slowest.map(|second| second.rate).fold(f64::MAX, f64::min);
    assert!(slowest < 1_500.0, "the rate fell while it stood still: {slowest}");
}
