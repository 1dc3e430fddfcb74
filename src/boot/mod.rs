//! Wires options, data directory, cores and listener; the order of start and stop in one place (I/O).
//! May import: every room; nobody but `main` imports it.
//! Must not know: how any of them works inside.

mod cores;
mod data_directory;
mod identity;
mod lame_duck;
mod machine;
mod recovered;
mod reports;
mod signals;

use crate::accounts::{Authorization, Secret, User};
use crate::client::nonce::NonceKey;
use crate::client::settings::Settings;
use crate::config::{self, Options};
use crate::listener::{Bound, Listener};
use crate::protocol::connect::ServerInfo;
use crate::server_log::{LogTime, ServerLog};
use crate::serving::letters::{Letter, Notice, Notices};
use cores::{Cores, Wiring};
use data_directory::DataDirectory;
use recovered::Summary;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Why the broker does not start, or ends: one sentence.
#[derive(Debug)]
pub struct Stopped(String);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Any error of a start, as its sentence.
fn stopped(error: impl fmt::Display) -> Stopped {
    Stopped(error.to_string())
}

/// Notices that wait for this thread. All that the cores ever send at once fit.
const NOTICES_MAX: usize = 64 << 10;

/// Longest that a stop may take; then the process ends as it is, which is as safe as a power cut.
const STOP_TIME_MAX: Duration = Duration::from_secs(4);

/// Runs the broker until a signal ends it. Everything that goes wrong on the way is one line of the log and exit code 1.
pub fn run(options: &Options, config_file: Option<&Path>) -> ExitCode {
    shards::executors::abort_on_panic();
    let time = match (options.logtime, options.logtime_utc) {
        (false, _) => LogTime::Absent,
        (true, true) => LogTime::Utc,
        (true, false) => LogTime::Local,
    };
    let log = ServerLog::new(time, options.debug, options.trace);
    match serve(options, config_file, log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.fatal(error);
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &Options, config_file: Option<&Path>, log: ServerLog) -> Result<(), Stopped> {
    let (sender, notices) = sync_channel(NOTICES_MAX);
    let sender = Notices::new(sender);
    signals::listen(sender.clone()).map_err(stopped)?;

    let info = identify(options)?;
    log.info("Starting millrace");
    log.info(format_args!(
        "  Version:  {} (as nats-server {})",
        env!("CARGO_PKG_VERSION"),
        crate::cli::NATS_SERVER_VERSION
    ));
    log.info(format_args!("  Name:     {}", info.server_name));
    log.info(format_args!("  ID:       {}", info.server_id));
    if let Some(file) = config_file {
        log.info(format_args!("Using configuration file: {}", file.display()));
    }
    let plan = machine::prepare(options, log)?;
    let bound = Bound::bind((options.host.as_str(), options.port)).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "; stop what listens there, or choose another port with -p",
            io::ErrorKind::AddrNotAvailable => "; choose an address of this machine with -a",
            io::ErrorKind::PermissionDenied => {
                "; choose a port from 1024 on with -p, or allow the lower ones"
            }
            _ => "",
        };
        let (host, port) = (&options.host, options.port);
        Stopped(format!("Error listening on port: {host}:{port}, \"{error}\"{hint}"))
    })?;
    let directory =
        DataDirectory::open(options.jetstream.store_dir.as_deref(), plan.cpus.len()).map_err(stopped)?;
    let detected = machine::inspect(&directory, log)?;
    if let Some(file) = &options.pid_file {
        write_pid(file)?;
    }

    let authorization = Arc::new(authorization(&options.authorization));
    if authorization.has_plain_secrets() {
        log.warn("Plaintext passwords detected, use bcrypt");
    }
    let port = bound.address().map_err(stopped)?;
    let info = ServerInfo { port: port.port(), ..info };
    let settings = Arc::new(settings(options, info, &authorization)?);
    let start = now();
    let wiring = Wiring {
        options,
        plan: &plan,
        directory: &directory,
        detected: &detected,
        settings,
        authorization,
        log,
    };
    let cores = cores::start(&wiring, &sender)?;
    let Some(summary) = await_recovery(&notices, directory.shards().len(), log)? else {
        return stop(cores, None, &notices, options, log);
    };
    summary.log(&directory, start.elapsed(), log);
    machine::explain_acks(&options.jetstream, &detected, log);

    let listener = listen(bound, &cores, options, log)?;
    log.info(format_args!("Listening for client connections on {}", listener.address()));
    log.info("Server is ready");
    await_end(cores, listener, &notices, options, log)
}

/// Names for this start.
fn identify(options: &Options) -> Result<ServerInfo, Stopped> {
    let server_id = identity::server_id().map_err(stopped)?;
    Ok(ServerInfo {
        server_name: options.server_name.clone().unwrap_or_else(|| server_id.clone()),
        server_id,
        host: options.host.clone(),
        port: options.port,
        headers: options.headers,
        auth_required: options.authorization != config::Authorization::Anyone,
        max_payload: options.max_payload,
        jetstream: true,
        xkey: identity::curve_id().map_err(stopped)?,
    })
}

fn authorization(configured: &config::Authorization) -> Authorization {
    match configured {
        config::Authorization::Anyone => Authorization::Open,
        config::Authorization::Token(token) => Authorization::Token(Secret::new(token)),
        config::Authorization::Users(users) => {
            let user = |user: &config::User| match user {
                config::User::Named { name, password } => {
                    User::Named { name: name.clone(), password: Secret::new(password) }
                }
                config::User::Keyed(key) => User::Keyed(key.clone()),
            };
            Authorization::Users(users.iter().map(user).collect())
        }
    }
}

fn settings(options: &Options, info: ServerInfo, authorization: &Authorization) -> Result<Settings, Stopped> {
    let nonce_key = match authorization.has_keys() {
        true => Some(NonceKey::new(identity::random().map_err(stopped)?)),
        false => None,
    };
    Ok(Settings {
        info,
        max_payload: options.max_payload,
        max_control_line: options.max_control_line,
        max_pending: usize::try_from(options.max_pending).unwrap_or(usize::MAX),
        max_subscriptions: options.max_subscriptions as usize,
        ping_interval: options.ping_interval,
        ping_max: options.ping_max,
        auth_timeout: options.auth_timeout,
        write_deadline: options.write_deadline,
        nonce_key,
        anonymous: authorization.anonymous(),
    })
}

/// As nats-server writes it: digits alone, readable by the owner.
fn write_pid(file: &Path) -> Result<(), Stopped> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let written = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut open| write!(open, "{}", std::process::id()));
    written.map_err(|error| Stopped(format!("could not write pidfile {}: {error}", file.display())))
}

fn listen(bound: Bound, cores: &Cores, options: &Options, log: ServerLog) -> Result<Listener, Stopped> {
    let max_connections = Some(options.max_connections as usize);
    bound.serve(cores.senders(), Letter::Connection, max_connections, log).map_err(stopped)
}

/// Waits until every shard serves and every core knows every stream. None: a signal wants the end.
fn await_recovery(
    notices: &Receiver<Notice>,
    shards: usize,
    log: ServerLog,
) -> Result<Option<Summary>, Stopped> {
    let mut summary = Summary::default();
    loop {
        match notices.recv().map_err(stopped)? {
            Notice::Recovered(recovered) => summary.add(&recovered, log),
            Notice::CannotOpen(shard, error) => {
                return Err(Stopped(format!(
                    "the log of shard {shard} cannot be opened: {}",
                    recovered::reason(error)
                )));
            }
            Notice::Settled => summary.settled = true,
            Notice::Failed(reason) => return Err(Stopped(reason)),
            Notice::Signal(signal @ (SIGTERM | SIGINT)) => {
                signals::log(signal, log);
                return Ok(None);
            }
            Notice::Signal(_) | Notice::Clients(..) | Notice::Closed | Notice::Report(_) => {}
        }
        if summary.settled && summary.shards == shards {
            return Ok(Some(summary));
        }
    }
}

/// Serves until a signal ends it.
fn await_end(
    cores: Cores,
    listener: Listener,
    notices: &Receiver<Notice>,
    options: &Options,
    log: ServerLog,
) -> Result<(), Stopped> {
    loop {
        match notices.recv().map_err(stopped)? {
            Notice::Signal(signal) => {
                signals::log(signal, log);
                match signal {
                    SIGHUP | SIGUSR1 => {}
                    SIGUSR2 => {
                        log.info("Entering lame duck mode, stop accepting new clients");
                        listener.stop();
                        lame_duck::run(&cores, notices, options, log)?;
                        return stop(cores, None, notices, options, log);
                    }
                    _ => return stop(cores, Some(listener), notices, options, log),
                }
            }
            Notice::Failed(reason) => return Err(Stopped(reason)),
            _ => {}
        }
    }
}

/// Syncs and answers what was admitted, says goodbye, and waits for the threads.
fn stop(
    cores: Cores,
    listener: Option<Listener>,
    notices: &Receiver<Notice>,
    options: &Options,
    log: ServerLog,
) -> Result<(), Stopped> {
    log.info("Initiating Shutdown...");
    let deadline = now() + STOP_TIME_MAX;
    let (done, watched) = sync_channel::<()>(0);
    let watch = move || {
        // An answer, or the end of the other side, means that the stop came to its end.
        if watched.recv_timeout(STOP_TIME_MAX) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            log.fatal("the stop takes too long; the next start will recover");
            std::process::exit(1);
        }
    };
    std::thread::Builder::new().name("stop".into()).spawn(watch).map_err(stopped)?;
    drop(listener);
    cores.tell_all(|| Letter::Close);
    let mut open = cores.count();
    while open > 0 {
        match notices.recv_timeout(deadline.saturating_duration_since(now())) {
            Ok(Notice::Closed) => open -= 1,
            Ok(Notice::Failed(reason)) => return Err(Stopped(reason)),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    if options.report {
        reports::print(&cores, notices, deadline);
    }
    cores.tell_all(|| Letter::End);
    let result = cores.join();
    drop(done);
    log.info("Server Exiting..");
    result
}

#[expect(
    clippy::disallowed_methods,
    reason = "bounds the start and the stop, decides nothing that a client sees"
)]
fn now() -> Instant {
    Instant::now()
}
