//! What the machine tells: flushes of a device and how long one takes, processor times, trouble of TCP; and the cores to run on.
//! May import: failure, measured.
//! Must not know: what is measured.

mod network;
mod sync;

pub use network::network_counters;
pub use sync::SyncTimes;

use crate::failure::Failure;
use std::fs;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole device that carries a path.
#[derive(Debug)]
pub struct Device {
    pub name: String,
    stat: PathBuf,
}

/// Since the machine started.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeviceCounters {
    pub writes: u64,
    pub written_bytes: u64,
    pub flushes: u64,
}

impl Device {
    /// None where no block device is behind the path (tmpfs, network), or `/sys` is not there.
    pub fn of(path: &Path) -> Option<Device> {
        let number = fs::metadata(path).ok()?.st_dev();
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        let place = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
        // Flushes are counted for whole devices only.
        let place = if place.join("partition").exists() { place.parent()?.to_path_buf() } else { place };
        let name = place.file_name()?.to_string_lossy().into_owned();
        Some(Device { name, stat: place.join("stat") })
    }

    /// Fields as in the kernel's Documentation/block/stat.rst.
    pub fn counters(&self) -> DeviceCounters {
        let text = fs::read_to_string(&self.stat).unwrap_or_default();
        let field =
            |n: usize| text.split_whitespace().nth(n).and_then(|field| field.parse().ok()).unwrap_or(0u64);
        DeviceCounters { writes: field(4), written_bytes: field(6) * 512, flushes: field(15) }
    }
}

impl std::ops::Sub for DeviceCounters {
    type Output = DeviceCounters;
    fn sub(self, earlier: DeviceCounters) -> DeviceCounters {
        DeviceCounters {
            writes: self.writes.saturating_sub(earlier.writes),
            written_bytes: self.written_bytes.saturating_sub(earlier.written_bytes),
            flushes: self.flushes.saturating_sub(earlier.flushes),
        }
    }
}

/// Binds the calling thread to cores; to none in particular if there are none.
pub fn pin(cores: &[usize]) -> Result<(), Failure> {
    if cores.is_empty() {
        return Ok(());
    }
    let mut set = rustix::thread::CpuSet::new();
    for core in cores {
        if *core >= rustix::thread::CpuSet::MAX_CPU {
            return Err(Failure::BadOptions(format!("cores: there is no core {core}")));
        }
        set.set(*core);
    }
    rustix::thread::sched_setaffinity(None, &set).map_err(|error| {
        let list: Vec<String> = cores.iter().map(usize::to_string).collect();
        Failure::BadOptions(format!("cores: this process may not run on {}: {error}", list.join(", ")))
    })
}

/// The calling thread on some cores, until this is dropped: then it is where it was before.
#[derive(Debug)]
pub struct Pinned {
    before: Option<rustix::thread::CpuSet>,
}

impl Pinned {
    /// See `pin`.
    pub fn to(cores: &[usize]) -> Result<Pinned, Failure> {
        let before = rustix::thread::sched_getaffinity(None).ok().filter(|_| !cores.is_empty());
        pin(cores)?;
        Ok(Pinned { before })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // The cores were there before; if one has gone, the thread may stay where it is.
            let _ = rustix::thread::sched_setaffinity(None, before);
        }
    }
}

/// Time on a processor of all threads of this process, those that have ended too. To the nanosecond: `/proc` counts in steps of
/// 10 ms, which in a run of a millisecond is ten cores.
pub fn own_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Time on a processor of all threads of a process; zero if it is gone.
pub fn process_time(pid: u32) -> Duration {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Duration::ZERO };
    let nanos = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_is_where_it_was_when_the_pin_is_gone() {
        let now = || rustix::thread::sched_getaffinity(None).unwrap();
        let before = now();
        let core = (0..rustix::thread::CpuSet::MAX_CPU).find(|core| before.is_set(*core)).unwrap();
        let pinned = Pinned::to(&[core]).unwrap();
        assert_eq!(now().count(), 1);
        drop(pinned);
        assert_eq!(now(), before);
        assert_eq!(Pinned::to(&[5000]).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn own_time_is_fine_and_keeps_that_of_threads_that_have_ended() {
        let before = own_time();
        let step = || {
            let start = own_time();
            std::iter::repeat_with(own_time).find(|now| *now > start).unwrap() - start
        };
        let least = std::thread::spawn(move || (0..100).map(|_| step()).min().unwrap()).join().unwrap();
        assert!(least < Duration::from_millis(1), "{least:?}");
        assert!(own_time() - before >= 100 * least);
    }
}
