//! A broker as a child process: started, asked how it does, stopped in every way there is.

use crate::support::now;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

pub struct Broker {
    child: Child,
    pub port: u16,
    log: PathBuf,
    reader: Option<JoinHandle<()>>,
    ended: bool,
}

/// Longest that a start may take here.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// The binary under test: `MILLRACE`, or the one that was built with this test.
pub fn program() -> PathBuf {
    let built = option_env!("CARGO_BIN_EXE_millrace").unwrap_or("target/release/millrace");
    std::env::var_os("MILLRACE").map_or_else(|| built.into(), PathBuf::from)
}

/// Whether the binary is this broker, with its own flags, or another one that the tests are tried on.
pub fn is_millrace() -> bool {
    program().file_name().is_some_and(|name| name == "millrace")
}

impl Broker {
    /// Starts one on `store` (`-sd`), on any free port, with this many executors, and waits until it serves. Its log is
    /// appended to `<store>/broker.log`.
    pub fn start(store: &Path, executors: usize) -> Broker {
        let executors = executors.to_string();
        let own: &[&str] = if is_millrace() { &["--executors", &executors] } else { &[] };
        Broker::start_with(store, own)
    }

    pub fn start_with(store: &Path, more: &[&str]) -> Broker {
        Broker::try_start(store, &[&["-a", "127.0.0.1", "-p", "-1"], more].concat())
            .unwrap_or_else(|(status, log)| panic!("the broker does not start: {status}\n{log}"))
    }

    /// As the flags say. Errors: it ended instead; its status and what it logged.
    pub fn try_start(store: &Path, flags: &[&str]) -> Result<Broker, (ExitStatus, String)> {
        fs::create_dir_all(store).expect("a place for the data directory");
        let mut child = Command::new(program())
            .args(["-js", "-sd"])
            .arg(store)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program().display()));
        let log = store.join("broker.log");
        let lines = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, ready) = sync_channel(1);
        let copy = copy_log(lines, &log, sender);
        let reader = std::thread::spawn(copy);
        let mut broker = Broker { child, port: 0, log, reader: Some(reader), ended: false };
        match await_ready(&ready) {
            Some(port) => {
                broker.port = port;
                Ok(broker)
            }
            None => {
                let status = broker.wait(Duration::from_secs(1));
                let status = status
                    .unwrap_or_else(|| panic!("not ready within {START_TIME_MAX:?}:\n{}", broker.log_tail()));
                Err((status, broker.log_tail()))
            }
        }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a running broker");
    }

    /// `kill -9`, and waits for the end.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait(Duration::from_secs(10)).expect("a killed process ends");
    }

    /// SIGTERM. Panics unless it ends with 0 within 5 s. How long it took.
    pub fn terminate(mut self) -> Duration {
        let start = now();
        self.signal(Signal::TERM);
        let status = self.wait(Duration::from_secs(5));
        let status = status.unwrap_or_else(|| panic!("still there 5 s after SIGTERM\n{}", self.log_tail()));
        assert_eq!(status.code(), Some(0), "the end after SIGTERM: {status}\n{}", self.log_tail());
        start.elapsed()
    }

    /// Panics if it has ended by itself.
    pub fn must_run(&mut self) {
        if let Some(status) = self.wait(Duration::ZERO) {
            panic!("the broker ended by itself: {status}\n{}", self.log_tail());
        }
    }

    /// None: it runs on.
    pub fn wait(&mut self, time: Duration) -> Option<ExitStatus> {
        let descriptor = pidfd_open(self.pid(), PidfdFlags::empty());
        if let Ok(descriptor) = descriptor {
            let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
            let _ = poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&time));
        }
        let status = self.child.try_wait().expect("an own child");
        if status.is_some() && !self.ended {
            self.ended = true;
            self.reader.take().map(JoinHandle::join);
        }
        status
    }

    /// Its proportional share of memory. Bytes.
    pub fn memory(&self) -> u64 {
        self.memory_field("Pss:")
    }

    pub fn memory_field(&self, name: &str) -> u64 {
        let text = self.proc("smaps_rollup");
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a line of smaps_rollup");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB") << 10
    }

    /// Time on cores since the start, in user and kernel mode.
    pub fn cpu_time(&self) -> Duration {
        let text = self.proc("stat");
        let fields: Vec<&str> = text.rsplit(") ").next().expect("a stat").split(' ').collect();
        let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
            if std::thread::panicking() {
                eprintln!("the broker's last lines:\n{}", self.log_tail());
            }
        }
    }
}

/// The port, as soon as it serves.
fn await_ready(ready: &Receiver<u16>) -> Option<u16> {
    ready.recv_timeout(START_TIME_MAX).ok()
}

/// Copies lines to the file, and tells the port when the broker is ready.
fn copy_log(
    lines: impl BufRead + Send + 'static,
    path: &Path,
    ready: SyncSender<u16>,
) -> impl FnOnce() + Send + 'static {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a log file");
    move || {
        let mut ready = Some(ready);
        let mut port = 0;
        for line in lines.lines().map_while(Result::ok) {
            let _ = writeln!(file, "{line}");
            if let Some((_, address)) = line.split_once("Listening for client connections on ") {
                port = address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
            }
            if line.contains("Server is ready")
                && let Some(ready) = ready.take()
            {
                let _ = ready.send(port);
            }
        }
    }
}
