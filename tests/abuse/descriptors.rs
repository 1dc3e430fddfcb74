//! More connections than there are descriptors.

use crate::support::broker::Broker;
use crate::support::folder::Folder;
use crate::support::nats::Client;
use crate::support::{pause, wait_for};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use std::fs;
use std::net::TcpStream;
use std::time::Duration;

/// Descriptors that the broker may open besides those it has.
const SPARE: u64 = 20;
const CONNECTIONS: usize = 60;

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn without_descriptors_guests_are_turned_away_and_nothing_spins() {
    let folder = Folder::new("descriptors");
    let broker = Broker::start(folder.path(), 2);
    let mut guest = Client::connect(broker.port).expect("a running broker");
    // What the start had open for a moment is closed.
    pause(Duration::from_secs(1));
    let open = fs::read_dir(format!("/proc/{}/fd", broker.pid())).expect("its descriptors").count() as u64;
    let limit = Rlimit { current: Some(open + SPARE), ..getrlimit(Resource::Nofile) };
    prlimit(Some(broker.pid()), Resource::Nofile, limit).expect("the limit of an own child");

    let connect = |_| TcpStream::connect(("127.0.0.1", broker.port)).expect("a place in the queue");
    let crowd: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect();
    let line = "Client connection refused: Too many open files";
    wait_for(line, Duration::from_secs(5), || broker.log_tail().contains(line).then_some(()));
    pause(Duration::from_millis(200));
    let before = broker.cpu_time();
    pause(Duration::from_secs(1));
    let spent = broker.cpu_time() - before;
    assert!(spent < Duration::from_millis(100), "{spent:?} of CPU in a second of nothing");
    guest.ping().expect("who is here is served");

    drop(crowd);
    wait_for("room for another", Duration::from_secs(5), || Client::connect(broker.port).ok());
    let _crowd: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect();
    broker.terminate();
}
