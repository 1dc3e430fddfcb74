//! Starts one executor per core and says what the machine allows.
//! May import: nothing.
//! Must not know: what runs on a core.

use glommio::{LocalExecutorBuilder, Placement, PoolPlacement};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

/// Memory that each executor registers with its rings for direct I/O. Bytes. Used up: glommio takes ordinary memory.
pub const ARENA_LEN: usize = 16 << 20;

/// Rings of one executor; glommio registers the arena with each.
const RINGS: u64 = 3;

/// Below this glommio refuses to start. Bytes.
const MEMLOCK_MIN: u64 = 512 << 10;

/// How long tasks may run before glommio wants to look at completions. Longer than any of ours: the loop of a core gives
/// way after each turn, and the tasks of the disks are short. It must never fire, for glommio 0.9 goes to sleep for good,
/// runnable tasks or not, when it fires between arming it and running the first task; with 500 µs, a busy machine that
/// takes the CPU away at that place is enough.
const PREEMPT_TIMER: Duration = Duration::from_secs(10);

/// An executor that went to sleep with runnable tasks all the same (another thread's wake in that place does it too) wakes
/// after this. Short enough for a client to wait, long enough to cost an idle core less than a thousandth of its time.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);

/// Operations that each ring of an executor takes at once.
const RING_DEPTH: usize = 256;

/// Where the executors run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The CPU of each executor; `None`: wherever the scheduler puts it.
    pub cpus: Vec<Option<usize>>,
    /// More executors than CPUs: none is pinned, and they take time from each other.
    pub crowded: bool,
}

/// Why executors cannot be placed or started: one sentence for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unable(String);

impl fmt::Display for Unable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unable {}

/// The CPUs that this process may use, ascending.
pub fn inherited_cpus() -> Result<Vec<usize>, Unable> {
    let mut cpus = affinity::get_thread_affinity()
        .map_err(|error| Unable(format!("the CPUs of this process cannot be asked for: {error}")))?;
    cpus.sort_unstable();
    Ok(cpus)
}

/// Places executors. `wanted`: the CPUs named by the user, all of which must be `inherited`; `executors`: how many,
/// where the user says so; else one per CPU.
pub fn plan(inherited: &[usize], wanted: Option<&[usize]>, executors: Option<usize>) -> Result<Plan, Unable> {
    let cpus: BTreeSet<usize> = match wanted {
        Some(wanted) => wanted.iter().copied().collect(),
        None => inherited.iter().copied().collect(),
    };
    if let Some(outside) = cpus.iter().find(|cpu| !inherited.contains(cpu)) {
        return Err(Unable(format!(
            "core {outside} is not among those this process may use ({inherited:?})"
        )));
    }
    let executors = executors.unwrap_or(cpus.len());
    if executors == 0 || executors > usize::from(u16::MAX) {
        return Err(Unable(format!(
            "{executors} executors cannot be run; at least 1 and at most {}",
            u16::MAX
        )));
    }
    let crowded = executors > cpus.len();
    let cpus =
        if crowded { vec![None; executors] } else { cpus.into_iter().map(Some).take(executors).collect() };
    Ok(Plan { cpus, crowded })
}

/// Asks once whether io_uring may be used here, as an executor would find out by a panic.
pub fn check_io_uring() -> Result<(), Unable> {
    let refused = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "; allow it (sysctl kernel.io_uring_disabled=0, in a container a seccomp profile with io_uring_setup, \
                 io_uring_enter and io_uring_register)"
            }
            io::ErrorKind::Unsupported => "; Linux 5.8 or later is needed, built with io_uring",
            io::ErrorKind::OutOfMemory => "; raise the limit of locked memory (ulimit -l)",
            _ => "",
        };
        Unable(format!("io_uring is not available: {error}{hint}"))
    };
    let ring = io_uring::IoUring::new(8).map_err(refused)?;
    let mut probe = io_uring::Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(refused)?;
    use io_uring::opcode;
    let needed =
        [opcode::PollAdd::CODE, opcode::Fsync::CODE, opcode::ReadFixed::CODE, opcode::WriteFixed::CODE];
    if needed.iter().all(|&operation| probe.is_supported(operation)) {
        Ok(())
    } else {
        Err(Unable(
            "io_uring of this kernel lacks operations that are needed; Linux 5.8 or later has them".into(),
        ))
    }
}

/// The limit of locked memory, against which registered memory counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memlock {
    /// What was found; `None`: no limit. Bytes.
    pub before: Option<u64>,
    /// What holds now. Bytes.
    pub after: Option<u64>,
    /// What the executors need to register their memory. Bytes.
    pub needed: u64,
    /// The process may lock memory regardless of the limit.
    pub privileged: bool,
}

impl Memlock {
    /// Whether the executors' memory will be registered; otherwise writes cost more CPU.
    pub fn suffices(self) -> bool {
        self.privileged || self.after.is_none_or(|limit| limit >= self.needed)
    }
}

/// Raises the limit of locked memory, as far as that is allowed, to what `executors` need.
/// Errors: it stays so low that no executor can start.
pub fn raise_memlock(executors: usize) -> Result<Memlock, Unable> {
    // A little more than the arenas: the rings themselves count on older kernels.
    let needed = executors as u64 * (RINGS * ARENA_LEN as u64 + (1 << 20));
    let privileged = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    let before = getrlimit(Resource::Memlock);
    if before.current.is_some_and(|limit| limit < needed) {
        let soft_only = before.maximum.map_or(needed, |hard| hard.min(needed));
        let both = Rlimit { current: Some(needed), maximum: before.maximum.map(|hard| hard.max(needed)) };
        if setrlimit(Resource::Memlock, both).is_err() {
            let most = Rlimit { current: Some(soft_only), maximum: before.maximum };
            // If this fails too, the limit stays; it is reported as it is.
            let _ = setrlimit(Resource::Memlock, most);
        }
    }
    let after = getrlimit(Resource::Memlock).current;
    if let Some(limit) = after.filter(|&limit| limit < MEMLOCK_MIN) {
        return Err(Unable(format!(
            "the limit of locked memory is {limit} bytes and cannot be raised; at least {MEMLOCK_MIN} are needed (ulimit -l)"
        )));
    }
    Ok(Memlock { before: before.current, after, needed, privileged })
}

/// Raises the limit of open files to the hard limit. Returns what holds now; `None`: no limit.
pub fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    // Raising a soft limit to the hard one is always allowed; if not, the old one is reported.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current
}

/// From now on a panic on any thread ends the whole process, in every build profile: half a broker is worse than none.
pub fn abort_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        eprintln!("the process ends: a core has failed");
        std::process::abort();
    }));
}

/// A running executor.
#[derive(Debug)]
pub struct Executor {
    thread: JoinHandle<Result<(), Unable>>,
}

impl Executor {
    /// Starts thread `name`, pinned to `cpu` if there is one, and runs there the future that `main` makes. With
    /// `spin_before_park` the core spins for so long before it sleeps; only for cores that do nothing else.
    /// Errors: no thread can be started; what fails later is told by `join`.
    pub fn start<F, T>(
        name: &str,
        cpu: Option<usize>,
        spin_before_park: Option<Duration>,
        main: F,
    ) -> io::Result<Executor>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Future<Output = ()> + 'static,
    {
        let label = name.to_owned();
        let run = move || {
            let unable = |what: &str, error: &dyn fmt::Display| Unable(format!("{label}: {what}: {error}"));
            if let Some(cpu) = cpu {
                affinity::set_thread_affinity([cpu]).map_err(|error| unable("cannot be pinned", &error))?;
            }
            let mut builder = LocalExecutorBuilder::new(Placement::Unbound)
                .name(&label)
                .io_memory(ARENA_LEN)
                .ring_depth(RING_DEPTH)
                .preempt_timer(PREEMPT_TIMER)
                .blocking_thread_pool_placement(PoolPlacement::Unbound(1));
            if let Some(spin) = spin_before_park {
                builder = builder.spin_before_park(spin);
            }
            let executor = builder.make().map_err(|error| unable("cannot be started", &error))?;
            executor.run(async {
                glommio::spawn_local(watch()).detach();
                main().await;
            });
            Ok(())
        };
        Ok(Executor { thread: std::thread::Builder::new().name(name.to_owned()).spawn(run)? })
    }

    /// Waits until the executor has ended. Errors: it could not be started.
    pub fn join(self) -> Result<(), Unable> {
        self.thread.join().unwrap_or_else(|_| Err(Unable("a core has failed".into())))
    }
}

/// Never ends, does nothing, and wakes its executor now and then.
async fn watch() {
    loop {
        glommio::timer::sleep(WATCH_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_inherited_core_gets_an_executor_unless_told_otherwise() {
        assert_eq!(plan(&[1, 3], None, None).unwrap().cpus, [Some(1), Some(3)]);
        assert_eq!(plan(&[1, 3], None, Some(1)).unwrap().cpus, [Some(1)]);
        assert_eq!(plan(&[1, 3], Some(&[3]), None).unwrap().cpus, [Some(3)]);
    }

    #[test]
    fn a_core_outside_the_inherited_mask_is_refused() {
        let error = plan(&[1, 3], Some(&[1, 2]), None).unwrap_err();
        assert_eq!(error.to_string(), "core 2 is not among those this process may use ([1, 3])");
    }

    #[test]
    fn more_executors_than_cores_are_not_pinned() {
        let plan = plan(&[0, 1], None, Some(8)).unwrap();
        assert!(plan.crowded);
        assert_eq!(plan.cpus, [None; 8]);
    }

    #[test]
    fn an_executor_runs_its_future_and_ends() {
        check_io_uring().unwrap();
        raise_memlock(1).unwrap();
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let executor = Executor::start("test-core", None, None, move || async move {
            sender.send(std::thread::current().name().map(str::to_owned)).unwrap();
        });
        assert_eq!(receiver.recv().unwrap().as_deref(), Some("test-core"));
        executor.unwrap().join().unwrap();
    }
}
