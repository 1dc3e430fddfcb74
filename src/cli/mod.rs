//! The command line: nats-server's flags, with one dash or two, and a few of our own.
//! May import: config.
//! Must not know: what happens after the options are complete.

mod go_flags;

use crate::config::{Authorization, ConfigError, Options, User, from_toml, not_supported, parse_cores};
use clap::Parser;
use go_flags::FlagError;
use std::fmt;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Serve with these options; the file they came from, if any.
    Run(Box<Options>, Option<PathBuf>),
    /// The configuration was read and found valid: say so and end.
    Tested(PathBuf),
    /// Print this on stdout and end.
    Print(String),
}

/// Why the command line is refused; a sentence for stderr.
#[derive(Debug, PartialEq)]
pub enum CliError {
    /// Shown with the usage, and without the program's name, as Go programs do.
    Flag(FlagError),
    Refused(String),
    Config(ConfigError),
}

/// The version of nats-server whose behaviour this server copies; what `INFO` reports.
pub const NATS_SERVER_VERSION: &str = "2.15.2";

/// Every flag is long for clap; `go_flags` turns `-p` and `--p` into that, so one dash or two are the same.
#[derive(Debug, Parser)]
#[command(disable_help_flag = true, no_binary_name = true)]
struct Flags {
    #[arg(long = "addr", visible_aliases = ["a", "net"])]
    addr: Option<String>,
    #[arg(long = "port", visible_alias = "p", allow_negative_numbers = true)]
    port: Option<i32>,
    #[arg(long = "name", visible_aliases = ["n", "server_name"])]
    name: Option<String>,
    #[arg(long = "pid", visible_alias = "P")]
    pid: Option<PathBuf>,
    #[arg(long = "config", visible_alias = "c")]
    config: Option<PathBuf>,
    #[command(flatten)]
    switches: Switches,
    #[arg(long = "store_dir", visible_alias = "sd")]
    store_dir: Option<PathBuf>,
    #[arg(long = "user")]
    user: Option<String>,
    #[arg(long = "pass")]
    pass: Option<String>,
    #[arg(long = "auth")]
    auth: Option<String>,
    #[arg(long = "cores")]
    cores: Option<String>,
    #[arg(long = "executors")]
    executors: Option<usize>,
}

/// Flags without a value, or with `=true` or `=false`.
#[derive(Debug, clap::Args)]
struct Switches {
    #[arg(long = "t", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    test: Option<bool>,
    #[arg(long = "debug", visible_alias = "D", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    debug: Option<bool>,
    #[arg(long = "trace", visible_alias = "V", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    trace: Option<bool>,
    #[arg(long = "DV", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    debug_and_trace: Option<bool>,
    #[arg(long = "jetstream", visible_alias = "js", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    jetstream: Option<bool>,
    #[arg(long = "logtime", visible_alias = "T", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    logtime: Option<bool>,
    #[arg(long = "logtime_utc", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    logtime_utc: Option<bool>,
    #[arg(long = "report", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    report: Option<bool>,
    #[arg(long = "version", visible_alias = "v", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    version: Option<bool>,
    #[arg(long = "help", visible_alias = "h", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    help: Option<bool>,
}

/// Reads flags (without the program's name) and the file they name, through `read_file`. Errors: a sentence each.
pub fn parse(
    args: impl IntoIterator<Item = String>,
    read_file: impl FnOnce(&PathBuf) -> std::io::Result<String>,
) -> Result<Command, CliError> {
    let (flags, rest) = go_flags::parse::<Flags>(args, UNSERVED)?;
    match rest.first().map(String::as_str) {
        Some("help") => return Ok(Command::Print(USAGE.into())),
        Some("version") => return Ok(Command::Print(version())),
        Some(word) => return Err(CliError::Refused(format!("unrecognized command: \"{word}\""))),
        None => {}
    }
    let switched = |switch: Option<bool>| switch.unwrap_or(false);
    if switched(flags.switches.help) {
        return Ok(Command::Print(USAGE.into()));
    }
    if switched(flags.switches.version) {
        return Ok(Command::Print(version()));
    }
    let mut options = match &flags.config {
        Some(file) => {
            let text = read_file(file)
                .map_err(|error| CliError::Refused(format!("open {}: {error}", file.display())))?;
            from_toml(file, &text).map_err(CliError::Config)?
        }
        None => Options::default(),
    };
    let (test, config) = (switched(flags.switches.test), flags.config.clone());
    flags.apply(&mut options)?;
    options.check().map_err(|refusal| CliError::Refused(refusal.reason))?;
    match (test, config) {
        (false, config) => Ok(Command::Run(Box::new(options), config)),
        (true, Some(config)) => Ok(Command::Tested(config)),
        (true, None) => {
            let reason = "must specify [-c, --config] option to check configuration file syntax";
            Err(CliError::Refused(reason.into()))
        }
    }
}

impl Flags {
    /// Flags override the file.
    fn apply(self, options: &mut Options) -> Result<(), CliError> {
        let refuse = |reason: String| Err(CliError::Refused(reason));
        options.host = self.addr.unwrap_or(std::mem::take(&mut options.host));
        match self.port {
            None => {}
            Some(-1) => options.port = 0,
            Some(0) => options.port = Options::default().port,
            Some(port) => match u16::try_from(port) {
                Ok(port) => options.port = port,
                Err(_) => return refuse(format!("{port} is not a port")),
            },
        }
        options.server_name = self.name.or(options.server_name.take());
        options.pid_file = self.pid.or(options.pid_file.take());
        let both = self.switches.debug_and_trace;
        options.debug = self.switches.debug.or(both).unwrap_or(options.debug);
        options.trace = self.switches.trace.or(both).unwrap_or(options.trace);
        options.logtime = self.switches.logtime.unwrap_or(options.logtime);
        options.logtime_utc = self.switches.logtime_utc.unwrap_or(options.logtime_utc);
        if self.switches.jetstream == Some(false) {
            return refuse(not_supported("a server without JetStream"));
        }
        options.jetstream.store_dir = self.store_dir.or(options.jetstream.store_dir.take());
        match (self.user, self.pass, self.auth) {
            (None, None, None) => {}
            (None, None, Some(token)) => options.authorization = Authorization::Token(token),
            (None, Some(_), None) => return refuse("--pass needs --user".into()),
            (Some(name), password, None) => {
                let password = password.unwrap_or_default();
                options.authorization = Authorization::Users(vec![User::Named { name, password }]);
            }
            _ => return refuse("Cannot have a user/pass and token".into()),
        }
        options.report = self.switches.report.unwrap_or(options.report);
        if let Some(list) = self.cores {
            options.cores = Some(parse_cores(&list).map_err(CliError::Refused)?);
        }
        options.executors = self.executors.or(options.executors);
        Ok(())
    }
}

/// Both versions: scripts look for the first line.
fn version() -> String {
    format!("nats-server: v{NATS_SERVER_VERSION}\nmillrace: v{}\n", env!("CARGO_PKG_VERSION"))
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CliError::Flag(FlagError::Unserved(flag)) => write!(f, "millrace: {}", not_supported(flag)),
            CliError::Flag(error) => write!(f, "{error}\n{USAGE}"),
            CliError::Refused(reason) => write!(f, "millrace: {reason}"),
            CliError::Config(error) => write!(f, "millrace: {error}"),
        }
    }
}

impl From<FlagError> for CliError {
    fn from(error: FlagError) -> Self {
        CliError::Flag(error)
    }
}

/// Flags of nats-server that are not served. Source: nats-server, main.go and server/opts.go.
const UNSERVED: &[&str] = &[
    "m",
    "http_port",
    "ms",
    "https_port",
    "sl",
    "signal",
    "client_advertise",
    "ports_file_dir",
    "l",
    "log",
    "s",
    "syslog",
    "r",
    "remote_syslog",
    "VV",
    "DVV",
    "log_size_limit",
    "max_traced_msg_len",
    "tls",
    "tlscert",
    "tlskey",
    "tlsverify",
    "tlscacert",
    "help_tls",
    "routes",
    "cluster",
    "cluster_name",
    "cluster_listen",
    "cluster_advertise",
    "no_advertise",
    "connect_retries",
    "profile",
];

/// A test compares it with the flags that are read.
const USAGE: &str = "
Usage: millrace [options]

Server Options:
    -a, --addr, --net <host>         Bind to host address (default: 0.0.0.0)
    -p, --port <port>                Use port for clients (default: 4222, -1: any free port)
    -n, --name
        --server_name <server_name>  Server name (default: auto)
    -P, --pid <file>                 File to store PID
    -c, --config <file>              Configuration file (TOML)
    -t                               Test configuration and exit
        --cores <list>               Cores to run on, such as 0,2-3 (default: all that may be used)
        --executors <number>         Executors to start (default: one per core)
        --report                     At the end, tell on stderr what messages took in each stage

Logging Options:
    -T, --logtime                    Timestamp log entries (default: true)
        --logtime_utc                Timestamps in UTC instead of local timezone (default: false)
    -D, --debug                      Enable debugging output
    -V, --trace                      Trace the raw protocol
    -DV                              Debug and trace

JetStream Options:
    -js, --jetstream                 Enable JetStream functionality (always on)
    -sd, --store_dir <dir>           Keep everything in <dir>/millrace (default: ./millrace-data)

Authorization Options:
        --user <user>                User required for connections
        --pass <password>            Password required for connections
        --auth <token>               Authorization token required for connections

Common Options:
    -h, --help                       Show this message
    -v, --version                    Show version
";

#[cfg(test)]
#[path = "cli_test.rs"]
mod tests;
