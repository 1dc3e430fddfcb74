//! `config.toml`: nats-server's key names and value forms, in TOML.

use super::error::{ConfigError, Refusal};
use super::location::{error_at, locate};
use super::options::{Acks, Authorization, JetStream, Options, User};
use super::units::{DurationValue, SizeValue, StorageSizeValue};
use super::unserved::{not_supported, refuse_unserved};
use crate::accounts::nkey::UserKey;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeTable;

/// The defaults with what the text sets; `file` is only named in errors. Errors: bad TOML, an unknown or unserved key, a
/// wrong type, a value outside its limits; each with its place.
pub fn from_toml(file: &Path, text: &str) -> Result<Options, ConfigError> {
    let syntax = |error: toml::de::Error| {
        let offset = error.span().map_or(0, |span| span.start);
        error_at(file, text, offset, sentence(error.message()))
    };
    let table = DeTable::parse(text).map_err(syntax)?;
    let table = table.get_ref();
    refuse_unserved(file, text, table)?;
    let read: File = toml::from_str(text).map_err(syntax)?;
    let mut options = Options::default();
    let applied = read.apply(&mut options).and_then(|()| options.check());
    applied.map_err(|refusal| locate(refusal, file, text, table))?;
    Ok(options)
}

/// What serde and toml say, for somebody who knows neither: `config.toml` lists every key better, a type has a name without
/// Rust, and a file for nats-server is not TOML.
fn sentence(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return format!("unknown key {}", rest.split(", expected").next().unwrap_or(rest));
    }
    let message = message.replace('\n', " ");
    if message.starts_with("key with no value") {
        return format!("{message}; {}", not_supported("nats-server's own configuration language"));
    }
    match message.rsplit_once(", expected ") {
        Some((found, "i64" | "u32" | "usize" | "u16")) => format!("{found}, expected a whole number"),
        Some((found, rust)) if rust.starts_with("struct ") => format!("{found}, expected a table"),
        _ => message,
    }
}

/// Every key this server knows at the top level, and `millrace` for what nats-server has no name for.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    listen: Option<Listen>,
    #[serde(alias = "net")]
    host: Option<String>,
    port: Option<i64>,
    server_name: Option<String>,
    #[serde(alias = "pidfile")]
    pid_file: Option<PathBuf>,
    debug: Option<bool>,
    trace: Option<bool>,
    logtime: Option<bool>,
    logtime_utc: Option<bool>,
    max_control_line: Option<SizeValue>,
    max_payload: Option<SizeValue>,
    max_pending: Option<SizeValue>,
    #[serde(alias = "max_conn")]
    max_connections: Option<i64>,
    #[serde(alias = "max_subs")]
    max_subscriptions: Option<i64>,
    ping_interval: Option<DurationValue>,
    ping_max: Option<u32>,
    write_deadline: Option<DurationValue>,
    no_header_support: Option<bool>,
    lame_duck_duration: Option<DurationValue>,
    lame_duck_grace_period: Option<DurationValue>,
    authorization: Option<AuthorizationTable>,
    #[serde(alias = "storedir")]
    store_dir: Option<PathBuf>,
    jetstream: Option<JetStreamValue>,
    millrace: Option<MillraceTable>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AuthorizationTable {
    #[serde(alias = "username")]
    user: Option<String>,
    #[serde(alias = "pass")]
    password: Option<String>,
    token: Option<String>,
    timeout: Option<DurationValue>,
    users: Option<Vec<UserTable>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UserTable {
    #[serde(alias = "username")]
    user: Option<String>,
    #[serde(alias = "pass")]
    password: Option<String>,
    nkey: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct JetStreamTable {
    #[serde(alias = "enable")]
    enabled: Option<bool>,
    #[serde(alias = "disable")]
    disabled: Option<bool>,
    #[serde(alias = "store", alias = "storedir")]
    store_dir: Option<PathBuf>,
    #[serde(alias = "max_mem", alias = "max_mem_store")]
    max_memory_store: Option<StorageSizeValue>,
    #[serde(alias = "max_file")]
    max_file_store: Option<StorageSizeValue>,
    #[serde(alias = "sync")]
    sync_interval: Option<SyncInterval>,
    strict: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MillraceTable {
    executors: Option<usize>,
    cores: Option<Cores>,
    report: Option<bool>,
    ack: Option<Ack>,
    unsynced_time_max: Option<DurationValue>,
    unsynced_bytes_max: Option<SizeValue>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Ack {
    Synced,
    Written,
}

/// `listen`: `"host:port"`, `":port"`, or a port.
struct Listen {
    host: Option<String>,
    port: i64,
}

/// `jetstream`: a table, or `true`, `false`, `"enabled"`, `"disabled"`.
struct JetStreamValue(JetStreamTable);

/// `sync_interval`: a duration, or `"always"` for none.
struct SyncInterval(Duration);

/// `cores`: `"0,2-3"`, or a list of numbers.
struct Cores(Vec<usize>);

/// What the relaxed mode may leave unsynced when it is asked for without numbers.
const UNSYNCED_TIME_DEFAULT: Duration = Duration::from_millis(100);
const UNSYNCED_BYTES_DEFAULT: u64 = 16 << 20;

impl File {
    fn apply(self, options: &mut Options) -> Result<(), Refusal> {
        if let Some(listen) = self.listen {
            options.port = port(&["listen"], listen.port)?;
            if let Some(host) = listen.host {
                options.host = host;
            }
        }
        set(&mut options.host, self.host);
        if let Some(number) = self.port {
            options.port = port(&["port"], number)?;
        }
        options.server_name = self.server_name.or(options.server_name.take());
        options.pid_file = self.pid_file.or(options.pid_file.take());
        set(&mut options.debug, self.debug);
        set(&mut options.trace, self.trace);
        set(&mut options.logtime, self.logtime);
        set(&mut options.logtime_utc, self.logtime_utc);
        set_unless_zero(&mut options.max_control_line, self.max_control_line.map(SizeValue::to_usize));
        set_unless_zero(&mut options.max_payload, self.max_payload.map(SizeValue::to_usize));
        set_unless_zero(&mut options.max_pending, self.max_pending.map(|size| size.0));
        // Of connections, a negative number lets nobody in, as 0 does; of subscriptions, it is no limit, as 0 is.
        // Source: nats-server, server/opts.go.
        let number = |n: i64| u32::try_from(n.max(0)).unwrap_or(u32::MAX);
        set(&mut options.max_connections, self.max_connections.map(number));
        set(&mut options.max_subscriptions, self.max_subscriptions.map(number));
        set_unless_zero(&mut options.ping_interval, self.ping_interval.map(|d| d.0));
        set_unless_zero(&mut options.ping_max, self.ping_max);
        set_unless_zero(&mut options.write_deadline, self.write_deadline.map(|d| d.0));
        set(&mut options.headers, self.no_header_support.map(|no| !no));
        set_unless_zero(&mut options.lame_duck_duration, self.lame_duck_duration.map(|d| d.0));
        set_unless_zero(&mut options.lame_duck_grace_period, self.lame_duck_grace_period.map(|d| d.0));
        if let Some(authorization) = self.authorization {
            authorization.apply(options)?;
        }
        options.jetstream.store_dir = self.store_dir.or(options.jetstream.store_dir.take());
        if let Some(JetStreamValue(table)) = self.jetstream {
            table.apply(&mut options.jetstream)?;
        }
        if let Some(table) = self.millrace {
            table.apply(options)?;
        }
        Ok(())
    }
}

impl AuthorizationTable {
    fn apply(self, options: &mut Options) -> Result<(), Refusal> {
        set_unless_zero(&mut options.auth_timeout, self.timeout.map(|d| d.0));
        let refuse = |keys, reason: &str| Err(Refusal { keys, reason: reason.into() });
        let single = self.user.is_some() || self.password.is_some();
        options.authorization = match (self.token, self.users) {
            (Some(_), _) if single => {
                return refuse(&["authorization.token"], "Cannot have a user/pass and token");
            }
            (Some(_), Some(_)) => {
                return refuse(&["authorization.token"], "Can not have a token and a users array");
            }
            (_, Some(_)) if single => {
                return refuse(&["authorization.users"], "Can not have a single user/pass and a users array");
            }
            (Some(token), None) => Authorization::Token(token),
            (None, Some(users)) => Authorization::Users(distinct(users)?),
            (None, None) if single => {
                let (name, password) = (self.user.unwrap_or_default(), self.password.unwrap_or_default());
                Authorization::Users(vec![User::Named { name, password }])
            }
            (None, None) => Authorization::Anyone,
        };
        Ok(())
    }
}

impl JetStreamTable {
    fn apply(self, options: &mut JetStream) -> Result<(), Refusal> {
        if self.disabled.unwrap_or(false) || !self.enabled.unwrap_or(true) {
            let keys = &[
                "jetstream.enabled",
                "jetstream.disabled",
                "jetstream.enable",
                "jetstream.disable",
                "jetstream",
            ];
            return Err(Refusal { keys, reason: not_supported("a server without JetStream") });
        }
        if self.strict == Some(false) {
            let keys = &["jetstream.strict"];
            return Err(Refusal { keys, reason: not_supported("jetstream.strict = false") });
        }
        options.store_dir = self.store_dir.or(options.store_dir.take());
        options.max_memory = self.max_memory_store.and_then(|size| size.0);
        options.max_file = self.max_file_store.and_then(|size| size.0);
        set(&mut options.sync_interval, self.sync_interval.map(|interval| interval.0));
        Ok(())
    }
}

impl MillraceTable {
    fn apply(self, options: &mut Options) -> Result<(), Refusal> {
        options.executors = self.executors;
        options.cores = self.cores.map(|cores| cores.0);
        set(&mut options.report, self.report);
        let relaxed = self.ack == Some(Ack::Written);
        if !relaxed && (self.unsynced_time_max.is_some() || self.unsynced_bytes_max.is_some()) {
            let keys = &["millrace.unsynced_time_max", "millrace.unsynced_bytes_max"];
            return Err(Refusal { keys, reason: "this setting needs ack = \"written\"".into() });
        }
        if relaxed {
            options.jetstream.acks = Acks::Written {
                unsynced_time_max: self.unsynced_time_max.map_or(UNSYNCED_TIME_DEFAULT, |d| d.0),
                unsynced_bytes_max: self.unsynced_bytes_max.map_or(UNSYNCED_BYTES_DEFAULT, |size| size.0),
            };
        }
        Ok(())
    }
}

impl SizeValue {
    fn to_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

fn set<T>(option: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *option = value;
    }
}

/// As `set`, but 0 stands for the default. Source: nats-server, server/opts.go (`setBaselineOptions`).
fn set_unless_zero<T: Default + PartialEq>(option: &mut T, value: Option<T>) {
    set(option, value.filter(|value| *value != T::default()));
}

/// -1 lets the system choose, 0 is the default. Source: nats-server, server/opts.go.
fn port(keys: &'static [&'static str], number: i64) -> Result<u16, Refusal> {
    match number {
        -1 => Ok(0),
        0 => Ok(Options::default().port),
        _ => u16::try_from(number).map_err(|_| Refusal { keys, reason: format!("{number} is not a port") }),
    }
}

fn distinct(users: Vec<UserTable>) -> Result<Vec<User>, Refusal> {
    let mut distinct: Vec<User> = Vec::with_capacity(users.len());
    for table in users {
        let refuse = |reason: String| Refusal { keys: &["authorization.users"], reason };
        let user = table.user().map_err(refuse)?;
        let is_same = |other: &User| match (other, &user) {
            (User::Named { name, .. }, User::Named { name: new, .. }) => name == new,
            (other, new) => other == new,
        };
        if distinct.iter().any(is_same) {
            return Err(refuse(match &user {
                User::Named { name, .. } => format!("Duplicate user \"{name}\" detected"),
                User::Keyed(key) => format!("Duplicate nkey \"{}\" detected", key.text()),
            }));
        }
        distinct.push(user);
    }
    Ok(distinct)
}

impl UserTable {
    /// Errors: a sentence.
    fn user(self) -> Result<User, String> {
        match (self.user, self.password, self.nkey) {
            (None, None, Some(nkey)) => UserKey::parse(&nkey)
                .map(User::Keyed)
                .ok_or_else(|| "Not a valid public nkey for a user".into()),
            (_, _, Some(_)) => Err("Nkey users do not take usernames or passwords".into()),
            (Some(name), password, None) => Ok(User::Named { name, password: password.unwrap_or_default() }),
            (None, _, None) => Err("User entry requires a user".into()),
        }
    }
}

/// Cores as `0,2-3`. Errors: a sentence.
pub fn parse_cores(text: &str) -> Result<Vec<usize>, String> {
    let bad = || format!("invalid list of cores \"{text}\"; write it as 0,2-3");
    let mut cores = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |digits: &str| digits.trim().parse::<u16>().map(usize::from).map_err(|_| bad());
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(bad());
        }
        cores.extend(first..=last);
    }
    cores.sort_unstable();
    cores.dedup();
    Ok(cores)
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl Visitor<'_> for Form {
            type Value = Listen;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"host:port\" or a port")
            }
            fn visit_i64<E: de::Error>(self, port: i64) -> Result<Listen, E> {
                Ok(Listen { host: None, port })
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Listen, E> {
                let bad = || E::custom(format!("could not parse address string \"{text}\""));
                let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
                let host = host.trim_start_matches('[').trim_end_matches(']');
                let host = if host.is_empty() { None } else { Some(host.to_owned()) };
                Ok(Listen { host, port: port.parse().map_err(|_| bad())? })
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl<'de> Deserialize<'de> for JetStreamValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        fn switch(on: bool) -> JetStreamValue {
            JetStreamValue(JetStreamTable { enabled: Some(on), ..JetStreamTable::default() })
        }
        impl<'de> Visitor<'de> for Form {
            type Value = JetStreamValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table, true or false")
            }
            fn visit_bool<E: de::Error>(self, on: bool) -> Result<JetStreamValue, E> {
                Ok(switch(on))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<JetStreamValue, E> {
                match text {
                    "enabled" | "enable" => Ok(switch(true)),
                    "disabled" | "disable" => Ok(switch(false)),
                    _ => Err(E::custom(format!("expected 'enabled' or 'disabled', not \"{text}\""))),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<JetStreamValue, A::Error> {
                JetStreamTable::deserialize(MapAccessDeserializer::new(map)).map(JetStreamValue)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl<'de> Deserialize<'de> for SyncInterval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Word {
            Always,
        }
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a duration such as \"2ms\" or \"always\"")]
        enum Form {
            Word(Word),
            Interval(DurationValue),
        }
        Form::deserialize(deserializer).map(|form| match form {
            Form::Word(Word::Always) => SyncInterval(Duration::ZERO),
            Form::Interval(interval) => SyncInterval(interval.0),
        })
    }
}

impl<'de> Deserialize<'de> for Cores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a list of cores such as \"0,2-3\" or [0, 2, 3]")]
        enum Form {
            Text(String),
            Numbers(Vec<u16>),
        }
        match Form::deserialize(deserializer)? {
            Form::Text(text) => parse_cores(&text).map(Cores).map_err(de::Error::custom),
            Form::Numbers(numbers) => Ok(Cores(numbers.into_iter().map(usize::from).collect())),
        }
    }
}

#[cfg(test)]
#[path = "toml_test.rs"]
mod tests;
