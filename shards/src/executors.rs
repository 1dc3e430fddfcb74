//! Starts one executor per core and says what the machine allows.
//! May import: nothing.
//! Must not know: what runs on a core.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::thread::JoinHandle;

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

/// Asks whether io_uring may be used here, before a core finds out. Errors: a sentence on what to allow.
pub fn check_io_uring() -> Result<(), Unable> {
    let refused = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "; allow it (sysctl kernel.io_uring_disabled=0, in a container a seccomp profile with io_uring_setup, \
                 io_uring_enter and io_uring_register)"
            }
            io::ErrorKind::Unsupported => "; Linux 5.11 or later is needed, built with io_uring",
            io::ErrorKind::OutOfMemory => "; raise the limit of locked memory (ulimit -l)",
            _ => "",
        };
        Unable(format!("io_uring is not available: {error}{hint}"))
    };
    let ring = io_uring::IoUring::new(8).map_err(refused)?;
    let mut probe = io_uring::Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(refused)?;
    use io_uring::opcode;
    let needed = [
        opcode::PollAdd::CODE,
        opcode::Read::CODE,
        opcode::Write::CODE,
        opcode::Fsync::CODE,
        opcode::OpenAt::CODE,
    ];
    // Waiting with a time limit in one call came last, with 5.11.
    if ring.params().is_feature_ext_arg() && needed.iter().all(|&operation| probe.is_supported(operation)) {
        Ok(())
    } else {
        Err(Unable(
            "io_uring of this kernel lacks operations that are needed; Linux 5.11 or later has them".into(),
        ))
    }
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
    /// Starts thread `name`, pinned to `cpu` if there is one, and runs `main` there.
    /// Errors: no thread can be started; what fails later is told by `join`.
    pub fn start(
        name: &str,
        cpu: Option<usize>,
        main: impl FnOnce() + Send + 'static,
    ) -> io::Result<Executor> {
        let label = name.to_owned();
        let run = move || {
            if let Some(cpu) = cpu {
                affinity::set_thread_affinity([cpu])
                    .map_err(|error| Unable(format!("{label}: cannot be pinned: {error}")))?;
            }
            main();
            Ok(())
        };
        Ok(Executor { thread: std::thread::Builder::new().name(name.to_owned()).spawn(run)? })
    }

    /// Waits until the executor has ended. Errors: it could not be started.
    pub fn join(self) -> Result<(), Unable> {
        self.thread.join().unwrap_or_else(|_| Err(Unable("a core has failed".into())))
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
    fn an_executor_runs_what_it_is_given_and_ends() {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let executor = Executor::start("test-core", None, move || {
            sender.send(std::thread::current().name().map(str::to_owned)).unwrap();
        });
        assert_eq!(receiver.recv().unwrap().as_deref(), Some("test-core"));
        executor.unwrap().join().unwrap();
    }
}
