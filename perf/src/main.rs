//! `millrace-perf`: the judge's command line.
#![forbid(unsafe_code)]

use clap::Parser;
use perf::verbs::{self, compare::Compare, load::Load, slo::Slo};
use perf::workload::Kind;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "millrace-perf", version, about = "Measures a NATS server from outside")]
enum Command {
    /// Publishes to streams; counts acks with the right stream and a sequence of their own
    Publish(Box<Load>),
    /// Pulls from streams that it has filled, or from one that exists
    Consume(Box<Load>),
    /// Core NATS: publishers and subscribers, alone or in queue groups
    Pubsub(Box<Load>),
    /// Core NATS: requests and responders
    Request(Box<Load>),
    /// Publishes to streams and pulls from them at once; latency is end to end
    Mixed(Box<Load>),
    /// Holds a run against the objectives of a file, or finds the highest rate at which they hold
    Slo(Box<Slo>),
    /// Puts the same loads on several servers in turn, round after round, and tells how far they lie apart
    Compare(Box<Compare>),
}

fn main() -> ExitCode {
    verbs::exit_code(match Command::parse() {
        Command::Publish(load) => load.run(Kind::Publish),
        Command::Consume(load) => load.run(Kind::Consume),
        Command::Pubsub(load) => load.run(Kind::PubSub),
        Command::Request(load) => load.run(Kind::Request),
        Command::Mixed(load) => load.run(Kind::Mixed),
        Command::Slo(slo) => slo.run(),
        Command::Compare(compare) => compare.run(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_of_every_subcommand_get_along() {
        Command::command().debug_assert();
    }
}
