//! Servers as command lines: started on a free port with a fresh directory, and never left behind.
//! May import: failure, machine, watch.
//! Must not know: what is measured, NATS beyond the first word that a server sends.

mod guard;
mod words;

use crate::failure::Failure;
use crate::machine;
use crate::watch::Watch;
use guard::Guard;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How a server is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// Words as in a shell, with quotes but nothing else of it; `{port}`, `{dir}` and `{config}` are put in.
    pub command: String,
    /// Text of the file that `{config}` names; `{port}` and `{dir}` are put in.
    pub config: Option<String>,
    /// Cores to run on; empty: all.
    pub cores: Vec<usize>,
    /// A command that makes the program, run once before everything.
    pub build: Option<String>,
    /// How to get the program where it is missing.
    pub how_to_get: Option<String>,
}

/// A server that listens. Dropping it stops it and removes its directory; so does the end of this process, however it comes.
#[derive(Debug)]
pub struct Running {
    child: Child,
    alive: OwnedFd,
    port: u16,
    folder: PathBuf,
    guard: Option<Guard>,
}

/// Longest that a server may take until it listens, and from being asked to end to its end.
const START_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_secs(15);
/// Between two looks whether it listens.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes at the end of a server's output that are worth showing.
const OUTPUT_SHOWN: usize = 600;

/// What is said where nats-server is missing.
const GET_NATS_SERVER: &str = "go install github.com/nats-io/nats-server/v2@v2.15.2";

impl Recipe {
    /// Makes the program, where there is a command for it. Errors: BadOptions, NotStarted.
    pub fn build(&self) -> Result<(), Failure> {
        let Some(build) = &self.build else { return Ok(()) };
        let words = words::split(build)?;
        // What it prints is for people: results may go to standard output.
        let status =
            Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).stdout(std::io::stderr()).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::NotStarted(format!("\"{build}\" ended with {status}"))),
            Err(error) => Err(Failure::NotStarted(format!("\"{build}\": {error}"))),
        }
    }

    /// Whether it can be started at all. Errors: BadOptions, MissingProgram.
    pub fn check(&self) -> Result<(), Failure> {
        let config = self.config.as_deref().unwrap_or_default();
        let words = words::split(&self.command)?;
        if !self.command.contains("{port}") && !config.contains("{port}") {
            return Err(Failure::BadOptions(format!("\"{}\": it has no {{port}}", self.command)));
        }
        if self.command.contains("{config}") != self.config.is_some() {
            return Err(Failure::BadOptions(format!(
                "\"{}\": {{config}} and a text for it belong together",
                self.command
            )));
        }
        let program = &words[0];
        if words::find_program(program).is_some() {
            return Ok(());
        }
        let is_nats_server = Path::new(program).file_name().is_some_and(|name| name == "nats-server");
        let get = self.how_to_get.as_deref().or(is_nats_server.then_some(GET_NATS_SERVER));
        let get = get.map_or(String::new(), |get| format!("; to get it: {get}"));
        Err(Failure::MissingProgram(format!("there is no {program} on the PATH{get}")))
    }

    /// Starts it with a new directory under `directory` and waits until it greets. Errors: BadOptions, MissingProgram,
    /// NotStarted with the end of what it printed, Machine, Interrupted.
    pub fn start(&self, directory: &Path, watch: &dyn Watch) -> Result<Running, Failure> {
        self.check()?;
        let machine = |error: std::io::Error| Failure::Machine(format!("{}: {error}", directory.display()));
        let folder = new_folder(directory).map_err(machine)?;
        let started = self.start_in(&folder);
        if started.is_err() {
            // The reason is worth more than what cannot be removed.
            let _ = fs::remove_dir_all(&folder);
        }
        let running = started?;
        running.wait_until_it_greets(watch)?;
        Ok(running)
    }

    fn start_in(&self, folder: &Path) -> Result<Running, Failure> {
        let machine = |error: std::io::Error| Failure::Machine(format!("{}: {error}", folder.display()));
        let (data, config) = (folder.join("data"), folder.join("server.conf"));
        fs::create_dir(&data).map_err(machine)?;
        let port = free_port().map_err(machine)?;
        let fill = |text: &str| {
            text.replace("{port}", &port.to_string())
                .replace("{dir}", &data.to_string_lossy())
                .replace("{config}", &config.to_string_lossy())
        };
        if let Some(text) = &self.config {
            fs::write(&config, fill(text)).map_err(machine)?;
        }
        let output = fs::File::create(folder.join("output")).map_err(machine)?;
        let words: Vec<String> = words::split(&self.command)?.iter().map(|word| fill(word)).collect();
        let program = words::find_program(&words[0]).unwrap_or_else(|| PathBuf::from(&words[0]));
        let mut command = Command::new(program);
        command.args(&words[1..]).stdin(Stdio::null());
        command.stdout(output.try_clone().map_err(machine)?).stderr(output);
        // A group of its own: Ctrl-C in the terminal is not for it.
        command.process_group(0);
        let child = self.spawn(&mut command)?;
        let guard = Guard::over(child.id(), folder).map_err(machine)?;
        let alive = pidfd_open(pid_of(&child), PidfdFlags::empty())
            .map_err(|error| Failure::Machine(format!("pidfd: {error}")))?;
        Ok(Running { child, alive, port, folder: folder.to_owned(), guard: Some(guard) })
    }

    /// A child is born on the cores of its parent, so that it never counts more of them than it has.
    fn spawn(&self, command: &mut Command) -> Result<Child, Failure> {
        let _pinned = machine::Pinned::to(&self.cores)?;
        command.spawn().map_err(|error| Failure::NotStarted(format!("{}: {error}", self.command)))
    }
}

impl Running {
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Also of its process group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its data is.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The end of what it printed.
    pub fn output(&self) -> String {
        let output = fs::read(self.folder.join("output")).unwrap_or_default();
        let end = &output[output.len().saturating_sub(OUTPUT_SHOWN)..];
        String::from_utf8_lossy(end).trim().to_owned()
    }

    fn wait_until_it_greets(&self, watch: &dyn Watch) -> Result<(), Failure> {
        let end = Instant::now() + START_MAX;
        loop {
            if greets(self.port) {
                return Ok(());
            }
            if watch.wants_stop() {
                return Err(Failure::Interrupted);
            }
            if self.has_ended_within(LOOK_EVERY) {
                return Err(Failure::NotStarted(format!("it ended at once and said: {}", self.output())));
            }
            if Instant::now() >= end {
                return Err(Failure::NotStarted(format!(
                    "nothing listens on port {} after {START_MAX:?}; it said: {}",
                    self.port,
                    self.output()
                )));
            }
        }
    }

    /// Waits at most so long for its end.
    fn has_ended_within(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            let timeout = Timespec { tv_sec: rest.as_secs() as i64, tv_nsec: rest.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&self.alive, PollFlags::IN)], Some(&timeout)) {
                Ok(0) => return false,
                Ok(_) => return true,
                // A signal may be why this waits.
                Err(_) if rest.is_zero() => return false,
                Err(_) => {}
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = pid_of(&self.child);
        // Errors mean that it has ended already.
        let _ = kill_process(pid, Signal::TERM);
        self.has_ended_within(STOP_MAX);
        let _ = kill_process_group(pid, Signal::KILL);
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
        if let Some(guard) = self.guard.take() {
            guard.dismiss();
        }
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Whether something on the port says INFO.
fn greets(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut socket) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
    let mut word = [0; 5];
    socket.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
        && socket.read_exact(&mut word).is_ok()
        && &word == b"INFO "
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn new_folder(directory: &Path) -> std::io::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = fs::canonicalize(directory)?.join(format!("millrace-perf-{}-{count}", std::process::id()));
    fs::create_dir(&folder)?;
    Ok(folder)
}

#[cfg(test)]
#[path = "launch_test.rs"]
mod tests;
