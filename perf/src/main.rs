//! `millrace-perf`, the judge: drives any NATS server from outside and measures what it does.
//! May import: nothing of `millrace` or `shards`; it has a codec of its own, so that it shares no bug with the accused.
//! Must not know: which server it drives.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "the judge measures time")]

use clap::Parser;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "millrace-perf", version, about = "Measures a NATS server from outside")]
enum Command {
    /// Publishes to streams with a bounded number of acknowledgements in flight (closed loop) and counts only right ones.
    Publish(perf::load::publish::Settings),
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Publish(settings) => perf::load::publish::run(&settings),
    };
    match outcome {
        Ok(report) => {
            print!("{report}");
            if report.faultless() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("millrace-perf: {error}");
            ExitCode::FAILURE
        }
    }
}
