//! A NATS server as small as it can be, with faults on request: whatever the judge says about it is known beforehand.
//!
//! It runs as a process of its own, so that it can be stopped with SIGSTOP as a real one. The process is this test's binary,
//! started with the name of the one test that serves.

mod broker;
mod operation;
mod sockets;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// What the server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    NoJetStream,
    /// Every hundredth pub ack has the sequence of the one before.
    SameSequence,
    /// Every hundredth pub ack does not come.
    LostAck,
    /// Every hundredth stored message has a wrong last byte.
    WrongByte,
    /// Every hundredth message is acked and not stored; the sequences go on.
    NotStored,
    /// Every hundredth message is delivered a second time.
    Twice,
}

const FAULTS: [Fault; 7] = [
    Fault::Nothing,
    Fault::NoJetStream,
    Fault::SameSequence,
    Fault::LostAck,
    Fault::WrongByte,
    Fault::NotStored,
    Fault::Twice,
];

/// Ends with the test.
pub struct Server {
    process: Child,
    pub address: String,
}

/// What the process that serves says first.
const LISTENING: &str = "listening on ";
const FAULT: &str = "FAKE_SERVER_FAULT";

impl Server {
    pub fn start(fault: Fault) -> Server {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "serve", "--nocapture"])
            .env(FAULT, format!("{fault:?}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines
            .map(Result::unwrap)
            .find_map(|line| line.split(LISTENING).nth(1).map(str::to_owned))
            .expect("the server says where it listens");
        Server { process, address }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The serving process; it is killed when its test ends.
pub fn serve() {
    let name = std::env::var(FAULT).unwrap_or_default();
    // Without a name this is somebody who runs ignored tests, and there is nobody to serve.
    let Some(fault) = FAULTS.into_iter().find(|fault| format!("{fault:?}") == name) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{LISTENING}{}", listener.local_addr().unwrap());
    sockets::serve(&listener, broker::Broker::new(fault));
}
