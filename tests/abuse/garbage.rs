//! Bytes that are no NATS, and connections that come and go.

use crate::support::broker::Broker;
use crate::support::folder::Folder;
use crate::support::nats::{Client, Event};
use crate::support::random::Random;
use crate::witness::{Witness, assert_at_most_doubled};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Memory that a minute of abuse may add. Bytes.
const GROWTH_MAX: u64 = 48 << 20;

/// What a client says, and how nats-server's `-ERR` begins. Empty: it closes without one.
const SAYINGS: &[(&[u8], &str)] = &[
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "Unknown Protocol Operation"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", "Unknown Protocol Operation"),
    (b"CONNECT {}\r\nNONSENSE\r\n", "Unknown Protocol Operation"),
    (b"CONNECT {}\r\nPUB foo 99999999\r\n", "Maximum Payload Violation"),
    (b"CONNECT {}\r\nHPUB foo 20 10\r\n", ""),
];

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn garbage_on_the_port_is_answered_and_closed_and_disturbs_nobody() {
    let folder = Folder::new("garbage");
    let mut broker = Broker::start(folder.path(), 2);
    for (said, error) in SAYINGS {
        assert_answered(broker.port, said, error);
    }
    assert_answered(broker.port, &[&b"PUB "[..], &[b'a'; 5000]].concat(), "maximum control line exceeded");

    let mut witness = Witness::start(broker.port, "");
    witness.p99(Duration::from_millis(500));
    let quiet = witness.p99(Duration::from_secs(2));
    let memory = broker.memory();
    let stop = Arc::new(AtomicBool::new(false));
    let (told, port) = (Arc::clone(&stop), broker.port);
    let abuser = std::thread::spawn(move || abuse(port, &told));
    let disturbed = witness.p99(Duration::from_secs(5));
    stop.store(true, Ordering::Release);
    let connections = abuser.join().expect("an abuser that ends");
    broker.must_run();
    let grown = broker.memory().saturating_sub(memory);
    println!("{connections} connections with garbage; memory grew by {} KiB", grown >> 10);
    assert!(grown < GROWTH_MAX, "memory grew by {grown} bytes");
    assert_at_most_doubled("garbage", quiet, disturbed);
    witness.end();
    broker.terminate();
}

#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn half_open_connections_do_not_disturb_and_are_closed_when_their_peer_is() {
    let folder = Folder::new("half-open");
    let broker = Broker::start(folder.path(), 2);
    let mut witness = Witness::start(broker.port, "");
    witness.p99(Duration::from_millis(500));
    let quiet = witness.p99(Duration::from_secs(2));
    // Nothing, half a line, half a message, and a peer that will not write again.
    let beginnings: [&[u8]; 4] =
        [b"", b"CONN", b"CONNECT {}\r\nPUB foo 100\r\nabc", b"CONNECT {}\r\nPING\r\n"];
    let mut open = Vec::new();
    for number in 0..400 {
        let mut socket = TcpStream::connect(("127.0.0.1", broker.port)).expect("the port is open");
        socket.write_all(beginnings[number % 4]).expect("an open connection");
        if number % 4 == 3 {
            socket.shutdown(std::net::Shutdown::Write).expect("an open connection");
        }
        open.push(socket);
    }
    let disturbed = witness.p99(Duration::from_secs(2));
    assert_at_most_doubled("400 half-open connections", quiet, disturbed);
    for socket in open.iter_mut().skip(3).step_by(4) {
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("an open connection");
        let mut said = String::new();
        socket.read_to_string(&mut said).expect("closed, since its peer is");
        assert!(said.contains("PONG"), "what was asked before the end is answered: {said}");
    }
    witness.end();
    broker.terminate();
}

fn assert_answered(port: u16, said: &[u8], error: &str) {
    let mut client = Client::open(port).expect("the port is open");
    client.send(said);
    client.flush().expect("an open connection");
    let mut heard = String::new();
    while let Ok(event) = client.next(Duration::from_secs(5)) {
        match event {
            Some(Event::Error(text)) => heard = text,
            Some(_) => {}
            None => panic!("still open after {:?}", String::from_utf8_lossy(said)),
        }
    }
    let right = heard.starts_with(error) && heard.is_empty() == error.is_empty();
    assert!(right, "{heard:?} instead of {error:?} to {:?}", String::from_utf8_lossy(said));
}

/// Connections with random bytes, some after a proper start. How many.
fn abuse(port: u16, stop: &AtomicBool) -> u64 {
    let mut random = Random(7);
    let mut connections = 0;
    while !stop.load(Ordering::Acquire) {
        let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) else { continue };
        let mut bytes =
            if random.below(2) == 0 { b"CONNECT {}\r\nSUB a 1\r\nPUB a 5\r\n".to_vec() } else { Vec::new() };
        bytes.extend((0..random.below(5000)).map(|_| random.next() as u8));
        // The broker may close before all of it is written.
        let _ = socket.write_all(&bytes);
        connections += 1;
        crate::support::pause(Duration::from_millis(1));
    }
    connections
}
