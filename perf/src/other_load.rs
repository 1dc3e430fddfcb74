//! What else the machine did meanwhile: processor time of processes that have no part in a run.
//! May import: nothing.
//! Must not know: what is measured.

use std::fs;
use std::time::{Duration, Instant};

/// Processor times of the machine at one moment, since it started.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    at: Instant,
    /// All processors, kernel and interrupts included.
    busy: Duration,
    /// Of processes outside of the run, with those that they waited for.
    others: Duration,
    /// Of the processes of the run.
    own: Duration,
    /// Kernel threads; they work for the run as well, and cannot be told apart.
    kernel: Duration,
}

/// Processor time of one process, from `/proc/PID/stat`; fields as in proc_pid_stat(5).
struct Process {
    group: u32,
    is_kernel: bool,
    own: u64,
    /// Of ended children that were waited for.
    children: u64,
}

/// A kernel thread, in the flags of a process. Source: Linux, include/linux/sched.h.
const PF_KTHREAD: u32 = 0x0020_0000;

impl Moment {
    /// Of now. The run is this process and the process groups of its servers.
    pub fn now(server_groups: &[u32]) -> Moment {
        let mut moment = Moment {
            at: Instant::now(),
            busy: busy(&fs::read_to_string("/proc/stat").unwrap_or_default()).unwrap_or_default(),
            others: Duration::ZERO,
            own: Duration::ZERO,
            kernel: Duration::ZERO,
        };
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // A process that is gone by now is counted with whoever waits for it.
            let text = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let Some(process) = parse(&text) else { continue };
            if process.is_kernel {
                moment.kernel += ticks(process.own);
            } else if pid == std::process::id() || server_groups.contains(&process.group) {
                moment.own += ticks(process.own);
            } else {
                moment.others += ticks(process.own + process.children);
            }
        }
        moment
    }

    /// Cores that others used since `earlier`: what their processes show, or, if it is more, what is left of the machine's
    /// work without the run and the kernel (processes that cannot be seen from here).
    pub fn other_cores_since(&self, earlier: &Moment) -> f64 {
        let seconds = (self.at - earlier.at).as_secs_f64().max(1e-3);
        let seen = self.others.saturating_sub(earlier.others);
        let own = self.own.saturating_sub(earlier.own) + self.kernel.saturating_sub(earlier.kernel);
        let unseen = self.busy.saturating_sub(earlier.busy).saturating_sub(own);
        seen.max(unseen).as_secs_f64() / seconds
    }
}

fn parse(text: &str) -> Option<Process> {
    // The name in brackets may hold blanks and brackets.
    let (_, rest) = text.rsplit_once(") ")?;
    let field = |n: usize| rest.split(' ').nth(n)?.parse::<u64>().ok();
    Some(Process {
        group: field(2)? as u32,
        is_kernel: field(6)? as u32 & PF_KTHREAD != 0,
        own: field(11)? + field(12)?,
        children: field(13)? + field(14)?,
    })
}

/// user, nice, system, irq and softirq of the first line; waiting, other guests and nothing do not count.
fn busy(stat: &str) -> Option<Duration> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    Some(ticks([0, 1, 2, 5, 6].iter().filter_map(|n| fields.get(*n)).sum()))
}

fn ticks(count: u64) -> Duration {
    Duration::from_secs_f64(count as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let text = "17 (a) b (c) S 1 99 5 0 -1 4194304 1 2 3 4 100 20 7 3 20 0 1 0";
        let process = parse(text).unwrap();
        assert_eq!((process.group, process.is_kernel, process.own, process.children), (99, false, 120, 10));
        let kernel = parse("9 (kworker/0:1) I 2 0 0 0 -1 2129984 0 0 0 0 5 6 0 0 20").unwrap();
        assert!(kernel.is_kernel);
    }

    #[test]
    fn only_work_counts_as_busy() {
        let busy = busy("cpu  100 10 50 99999 88888 5 5 777 0 0\ncpu0 1 1\n").unwrap();
        assert_eq!(busy, ticks(170));
    }

    #[test]
    fn others_count_by_what_is_seen_or_by_what_is_left() {
        let at = Instant::now();
        let second = Duration::from_secs;
        let before = Moment { at, busy: second(100), others: second(10), own: second(20), kernel: second(5) };
        let after = Moment {
            at: at + second(10),
            busy: second(113),
            others: second(11),
            own: second(28),
            kernel: second(6),
        };
        assert!((after.other_cores_since(&before) - 0.4).abs() < 1e-9);
        let after = Moment { others: second(16), ..after };
        assert!((after.other_cores_since(&before) - 0.6).abs() < 1e-9);
    }

    #[test]
    fn a_busy_child_is_own_work_in_its_group_and_foreign_outside_of_it() {
        use std::os::unix::process::CommandExt;
        let work = "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done; kill -STOP $$";
        let mut child = std::process::Command::new("sh").args(["-c", work]).process_group(0).spawn().unwrap();
        let group = child.id();
        let stopped = || parse(&fs::read_to_string(format!("/proc/{group}/stat")).unwrap());
        while !fs::read_to_string(format!("/proc/{group}/stat")).unwrap().contains(") T ") {
            std::thread::yield_now();
        }
        let used = ticks(stopped().unwrap().own);
        let (with, without) = (Moment::now(&[group]), Moment::now(&[]));
        assert!(used > Duration::ZERO);
        assert!(with.own >= used && without.others >= used);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
