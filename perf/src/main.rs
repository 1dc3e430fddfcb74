//! `millrace-perf`: the judge's command line.
#![forbid(unsafe_code)]

use clap::Parser;
use perf::address::Address;
use perf::failure::Failure;
use perf::runner::{self, Target};
use perf::summary::Summary;
use perf::terminal::Terminal;
use perf::workload::{Flags, Kind, Workload};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "millrace-perf", version, about = "Measures a NATS server from outside")]
enum Command {
    /// Publishes to streams; counts acks with the right stream and a sequence of their own
    Publish(Load),
    /// Pulls from streams that it has filled, or from one that exists
    Consume(Load),
    /// Core NATS: publishers and subscribers, alone or in queue groups
    Pubsub(Load),
    /// Core NATS: requests and responders
    Request(Load),
    /// Publishes to streams and pulls from them at once; latency is end to end
    Mixed(Load),
}

#[derive(clap::Args)]
struct Load {
    #[command(flatten)]
    target: TargetFlags,
    #[command(flatten)]
    flags: Flags,
}

#[derive(clap::Args)]
struct TargetFlags {
    /// The server, as nats://HOST:PORT or nats://USER:PASS@HOST:PORT
    #[arg(long, visible_alias = "url", default_value = "nats://127.0.0.1:4222")]
    server: Address,
    /// The server's process, for its processor time
    #[arg(long)]
    pid: Option<u32>,
    /// A path on the server's data device, for its flushes
    #[arg(long, default_value = ".")]
    data_dir: PathBuf,
    /// What the server's acks promise, to stand beside the figures
    #[arg(long, value_name = "TEXT")]
    durability: Option<String>,
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Publish(load) => load.run(Kind::Publish),
        Command::Consume(load) => load.run(Kind::Consume),
        Command::Pubsub(load) => load.run(Kind::PubSub),
        Command::Request(load) => load.run(Kind::Request),
        Command::Mixed(load) => load.run(Kind::Mixed),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("millrace-perf: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

impl Load {
    /// Prints the summary, whatever the verdict on it is.
    fn run(self, kind: Kind) -> Result<(), Failure> {
        let workload = Workload::try_from(Flags { kind: Some(kind), ..self.flags })?;
        let TargetFlags { server, pid, data_dir, durability } = self.target;
        let target = Target { address: server, pid, data_dir: Some(data_dir), durability };
        let mut terminal = Terminal::new()?;
        let outcome = runner::run(&target, &workload, &mut terminal);
        terminal.clear();
        let measured = outcome?;
        print!("{}", Summary(&measured));
        measured.verdict()
    }
}
