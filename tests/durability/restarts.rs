//! Ordinary ends and starts: other numbers of executors, SIGTERM under load, two brokers on one thing.

use crate::support::broker::Broker;
use crate::support::folder::Folder;
use crate::support::{pause, wait_for};
use crate::trial::Trial;
use std::time::Duration;

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn what_three_executors_wrote_one_reads_and_the_other_way_round() {
    for (first, second) in [(3, 1), (1, 3)] {
        let folder = Folder::new("executors");
        let mut trial = Trial::default();
        let broker = Broker::start(folder.path(), first);
        trial.prepare(broker.port);
        work(&mut trial, broker.port);
        broker.terminate();
        for executors in [second, first, second] {
            let broker = Broker::start(folder.path(), executors);
            trial.verify(broker.port);
            work(&mut trial, broker.port);
            trial.verify(broker.port);
            trial.drain(broker.port);
            broker.terminate();
        }
    }
}

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn sigterm_under_load_ends_with_0_within_5_seconds_and_nothing_acked_is_lost() {
    let folder = Folder::new("sigterm");
    let mut trial = Trial::default();
    let mut broker = Broker::start(folder.path(), 2);
    trial.prepare(broker.port);
    for executors in [1, 3, 2] {
        let load = trial.load(broker.port, 1_000_000);
        pause(Duration::from_millis(700));
        broker.must_run();
        let took = broker.terminate();
        let ended = load.end(&mut trial);
        println!("ended in {took:.1?}: {} acked, {} in flight", ended.acked, ended.in_flight);
        broker = Broker::start(folder.path(), executors);
        trial.verify(broker.port);
    }
    trial.drain(broker.port);
    broker.terminate();
}

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn a_second_broker_on_the_same_directory_or_port_exits_with_1() {
    let (folder, other) = (Folder::new("first"), Folder::new("second"));
    let mut broker = Broker::start(folder.path(), 1);
    let second = Broker::try_start(folder.path(), &["-a", "127.0.0.1", "-p", "-1"]);
    assert_refused(second.err(), "in use");
    let port = broker.port.to_string();
    let second = Broker::try_start(other.path(), &["-a", "127.0.0.1", "-p", &port]);
    assert_refused(second.err(), "listening on port");
    broker.must_run();
    broker.terminate();
}

fn assert_refused(end: Option<(std::process::ExitStatus, String)>, why: &str) {
    let (status, log) = end.expect("the second broker does not start");
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains(why) && !log.contains("panicked"), "{log}");
}

/// A load that comes to its end.
fn work(trial: &mut Trial, port: u16) {
    let load = trial.load(port, 8000);
    wait_for("the end of a load", Duration::from_secs(60), || load.is_over().then_some(()));
    load.end(trial);
}
