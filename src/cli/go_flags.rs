//! Go's flag syntax on top of clap: `-x`, `--x`, `-x=v`, `-x v`; the first bare argument or `--` ends the flags.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Parser};
use std::fmt;

/// Why flags are refused, in the words of Go's `flag` package.
#[derive(Debug, PartialEq)]
pub enum FlagError {
    NotDefined(String),
    NeedsArgument(String),
    BadValue {
        flag: String,
        value: String,
    },
    /// A flag that is known and not served, as it was written.
    Unserved(String),
    /// What clap says beyond these.
    Other(String),
}

/// Reads flags into `F` and returns what stands behind them. In `F` every flag has long names only, aliases included.
/// Given twice, the last one holds.
pub fn parse<F: Parser>(
    args: impl IntoIterator<Item = String>,
    unserved: &[&str],
) -> Result<(F, Vec<String>), FlagError> {
    let command = F::command().args_override_self(true);
    let mut args = args.into_iter();
    let mut normal = Vec::new();
    let mut rest = Vec::new();
    while let Some(arg) = args.next() {
        if arg == "--" {
            break;
        }
        let Some(flag) = arg.strip_prefix("--").or(arg.strip_prefix('-')).filter(|flag| !flag.is_empty())
        else {
            rest.push(arg);
            break;
        };
        let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        if unserved.contains(&name) {
            return Err(FlagError::Unserved(arg.split('=').next().unwrap_or(&arg).to_owned()));
        }
        let Some(known) = command.get_arguments().find(|known| has_name(known, name)) else {
            return Err(FlagError::NotDefined(name.to_owned()));
        };
        // Flag and value become one argument, so that a value may start with a dash.
        normal.push(match value {
            None if takes_value(known) => {
                let value = args.next().ok_or_else(|| FlagError::NeedsArgument(name.to_owned()))?;
                format!("--{name}={value}")
            }
            _ => format!("--{flag}"),
        });
    }
    rest.extend(args);
    let matches = command.try_get_matches_from(&normal).map_err(flag_error)?;
    F::from_arg_matches(&matches).map(|flags| (flags, rest)).map_err(flag_error)
}

fn has_name(arg: &Arg, name: &str) -> bool {
    arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
}

/// A switch takes one only behind an equals sign.
fn takes_value(arg: &Arg) -> bool {
    !arg.is_require_equals_set()
}

fn flag_error(error: clap::Error) -> FlagError {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            // clap names the flag in its usage form, such as `--port <PORT>`.
            let shown = text(ContextKind::InvalidArg);
            let flag = shown.split(['=', ' ', '[']).next().unwrap_or_default().trim_start_matches('-');
            FlagError::BadValue { flag: flag.to_owned(), value: text(ContextKind::InvalidValue) }
        }
        _ => FlagError::Other(error.to_string()),
    }
}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FlagError::NotDefined(name) => write!(f, "flag provided but not defined: -{name}"),
            FlagError::NeedsArgument(name) => write!(f, "flag needs an argument: -{name}"),
            FlagError::BadValue { flag, value } => {
                write!(f, "invalid value \"{value}\" for flag -{flag}: parse error")
            }
            FlagError::Unserved(flag) => write!(f, "{flag} is not supported by this server yet"),
            FlagError::Other(text) => f.write_str(text),
        }
    }
}
