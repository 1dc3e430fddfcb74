//! The subcommands: flags in, results shown and written, one exit code out.
//! May import: every room.
//! Must not know: how anything is measured or judged.

pub mod compare;
pub mod load;
pub mod slo;

use crate::address::Address;
use crate::failure::Failure;
use crate::runner::Target;
use std::path::PathBuf;
use std::process::ExitCode;

/// Which server is driven, and what its owner knows about it.
#[derive(Clone, Debug, clap::Args)]
pub struct TargetFlags {
    /// The server, as nats://HOST:PORT or nats://USER:PASS@HOST:PORT
    #[arg(long, visible_alias = "url", default_value = "nats://127.0.0.1:4222")]
    pub server: Address,
    /// The server's process, for its processor time
    #[arg(long)]
    pub pid: Option<u32>,
    /// A path on the server's data device, for its flushes
    #[arg(long, default_value = ".")]
    pub data_dir: PathBuf,
    /// What the server's acks promise, to stand beside the figures
    #[arg(long, value_name = "TEXT")]
    pub durability: Option<String>,
}

impl TargetFlags {
    pub fn target(&self) -> Target {
        let TargetFlags { server, pid, data_dir, durability } = self.clone();
        Target { address: server, pid, data_dir: Some(data_dir), durability }
    }
}

/// What a subcommand comes to: a verdict that holds, one that does not, or a failure with a code of its own.
pub fn exit_code(outcome: Result<bool, Failure>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("millrace-perf: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Errors: Machine; it has not been seen.
fn json_of(value: &impl serde::Serialize) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::Machine(format!("JSON: {error}")))
}
