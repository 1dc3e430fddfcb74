//! The judge before a server whose faults are known: it measures what is there, and finds what is wrong.
#![forbid(unsafe_code)]

mod background;
mod command;
mod fake;
mod faults;
mod stall;
mod workloads;

use fake::{Fault, Server};
use perf::failure::Failure;
use perf::measured::Measured;
use perf::runner::{self, Target};
use perf::watch::{Unwatched, Watch};
use perf::workload::Workload;

/// Not a test: the process that the others measure.
#[test]
#[ignore = "it serves until it is killed"]
fn serve() {
    fake::serve();
}

fn target(server: &Server) -> Target {
    Target {
        address: server.address.parse().unwrap(),
        pid: Some(server.pid()),
        data_dir: None,
        durability: Some("none: it is a fake".into()),
    }
}

/// Runs a workload, a TOML table, against a server with a fault.
fn judge(fault: Fault, workload: &str) -> Result<Measured, Failure> {
    let server = Server::start(fault);
    judge_at(&server, workload, &mut Unwatched)
}

fn judge_at(server: &Server, workload: &str, watch: &mut dyn Watch) -> Result<Measured, Failure> {
    runner::run(&target(server), &Workload::from_toml(workload).unwrap(), watch)
}

/// Publishes with `x` as reply subject and returns the first answer.
fn ask(server: &Server, publishes: &str) -> serde_json::Value {
    use std::io::{BufRead, BufReader, Write};
    let mut socket = std::net::TcpStream::connect(&server.address).unwrap();
    socket.write_all(format!("CONNECT {{}}\r\nSUB x 1\r\n{publishes}").as_bytes()).unwrap();
    let mut lines = BufReader::new(socket).lines().map(Result::unwrap);
    let answer = lines.find(|line| line.starts_with('{')).unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// A stream with messages that the judge has not published.
fn make_stream(server: &Server, name: &str, messages: usize) {
    let config = format!("{{\"subjects\":[\"{name}\"]}}");
    ask(server, &format!("PUB $JS.API.STREAM.CREATE.{name} x {}\r\n{config}\r\n", config.len()));
    let publish = format!("PUB {name} 3\r\nabc\r\n").repeat(messages);
    ask(server, &format!("{publish}PUB $JS.API.STREAM.INFO.{name} x 0\r\n\r\n"));
}

/// Streams on the server.
fn streams(server: &Server) -> Vec<String> {
    let answer = ask(server, "PUB $JS.API.STREAM.NAMES x 0\r\n\r\n");
    answer["streams"].as_array().unwrap().iter().map(|name| name.to_string()).collect()
}
