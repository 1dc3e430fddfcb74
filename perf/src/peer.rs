//! One connection to the server under test: a non-blocking socket with its buffers.
//! May import: address, failure, wire.
//! Must not know: what is measured.

use crate::address::Address;
use crate::failure::Failure;
use crate::wire::{self, Message, Operation};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt;
use serde::Deserialize;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

pub struct Peer {
    socket: TcpStream,
    info: Info,
    /// Bytes that still have to be written start at `written`.
    output: Vec<u8>,
    written: usize,
    /// Bytes that were read and not handled; the rest of the buffer is room to read into.
    input: Vec<u8>,
    filled: usize,
}

/// What the server's INFO says, as much of it as matters here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Info {
    pub version: String,
    pub jetstream: bool,
    /// Bytes.
    pub max_payload: usize,
    /// Millrace names its own version here.
    pub millrace: Option<String>,
}

/// Bytes read at a time.
const INPUT_LEN: usize = 256 << 10;

/// Longest that the server may take for one answer outside of the measured load.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

impl Peer {
    /// Connects and logs in; returns after the PONG. The socket's congestion control is cubic or reno: with BBR a
    /// saturated loopback stalls for seconds, whoever serves. Errors: Unreachable, Refused, Lost, Machine.
    pub fn connect(address: &Address) -> Result<Peer, Failure> {
        let socket = open(&address.host)?;
        let machine =
            |what: &str, error: &dyn std::fmt::Display| Failure::Machine(format!("{what}: {error}"));
        socket.set_nodelay(true).map_err(|error| machine("socket", &error))?;
        sockopt::set_tcp_congestion(&socket, "cubic")
            .or_else(|_| sockopt::set_tcp_congestion(&socket, "reno"))
            .map_err(|error| machine("neither cubic nor reno congestion control", &error))?;
        socket.set_nonblocking(true).map_err(|error| machine("socket", &error))?;
        let (output, input) = (Vec::new(), vec![0; INPUT_LEN]);
        let mut peer = Peer { socket, info: Info::default(), output, written: 0, input, filled: 0 };
        peer.output.extend_from_slice(wire::connect(&address.user, &address.pass, &address.token).as_bytes());
        peer.output.extend_from_slice(b"PING\r\n");
        let mut info = Info::default();
        peer.until(|operation| match operation {
            Operation::Info(json) => {
                info = serde_json::from_slice(json).unwrap_or_default();
                None
            }
            Operation::Pong => Some(()),
            _ => None,
        })?;
        peer.info = info;
        Ok(peer)
    }

    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Subscribes; `queue` is a queue group or empty.
    pub fn subscribe(&mut self, subject: &str, queue: &str, sid: u64) {
        let blank = if queue.is_empty() { "" } else { " " };
        self.output.extend_from_slice(format!("SUB {subject} {queue}{blank}{sid}\r\n").as_bytes());
    }

    /// Returns when the server has handled everything queued so far. Messages that come meanwhile are dropped.
    pub fn settle(&mut self) -> Result<(), Failure> {
        self.output.extend_from_slice(b"PING\r\n");
        self.until(|operation| matches!(operation, Operation::Pong).then_some(()))
    }

    /// Publishes with a reply subject and hands each message that follows to `take`, until it returns something.
    pub fn request<T>(
        &mut self,
        subject: &str,
        reply: &str,
        payload: &[u8],
        mut take: impl FnMut(&Message<'_>) -> Option<T>,
    ) -> Result<T, Failure> {
        wire::publish(subject.as_bytes(), reply.as_bytes(), payload, &mut self.output);
        self.until(|operation| match operation {
            Operation::Message(message) => take(message),
            _ => None,
        })
    }

    /// Room to build output in, in place.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Bytes that the socket has not taken.
    pub fn unwritten(&self) -> usize {
        self.output.len() - self.written
    }

    /// Writes what the socket takes.
    pub fn flush(&mut self) -> Result<(), Failure> {
        while self.unwritten() > 0 {
            match self.socket.write(&self.output[self.written..]) {
                Ok(0) => return Err(closed()),
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::Lost(format!("write: {error}"))),
            }
        }
        if self.unwritten() == 0 {
            self.output.clear();
            self.written = 0;
        } else if self.written > INPUT_LEN && self.written > self.output.len() / 2 {
            self.output.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    /// Reads once and hands over every whole operation, with room for output; PINGs are answered here. False: nothing is
    /// left to read.
    pub fn read(&mut self, mut handle: impl FnMut(Operation<'_>, &mut Vec<u8>)) -> Result<bool, Failure> {
        if self.filled == self.input.len() {
            self.input.resize(self.filled * 2, 0);
        }
        match self.socket.read(&mut self.input[self.filled..]) {
            Ok(0) => return Err(closed()),
            Ok(len) => self.filled += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(Failure::Lost(format!("read: {error}"))),
        }
        // Less than there was room for: the socket had no more.
        let more = self.filled == self.input.len();
        let mut start = 0;
        while let Some((operation, len)) = wire::read(&self.input[start..self.filled])
            .map_err(|_| Failure::Lost("it sends garbage".into()))?
        {
            match operation {
                Operation::Ping => self.output.extend_from_slice(b"PONG\r\n"),
                Operation::Error(text) => {
                    return Err(Failure::Refused(format!("-ERR {}", String::from_utf8_lossy(text))));
                }
                other => handle(other, &mut self.output),
            }
            start += len;
        }
        self.input.copy_within(start..self.filled, 0);
        self.filled -= start;
        Ok(more)
    }

    /// Waits for the first operation that `find` accepts.
    fn until<T>(&mut self, mut find: impl FnMut(&Operation<'_>) -> Option<T>) -> Result<T, Failure> {
        let mut end = Instant::now() + ANSWER_TIME_MAX;
        let mut found = None;
        loop {
            self.flush()?;
            let mut heard = false;
            let more = self.read(|operation, _| {
                heard = true;
                if found.is_none() {
                    found = find(&operation);
                }
            })?;
            if let Some(found) = found {
                return Ok(found);
            }
            if heard {
                end = Instant::now() + ANSWER_TIME_MAX;
            } else if Instant::now() > end {
                return Err(Failure::Lost(format!("no answer within {ANSWER_TIME_MAX:?}")));
            }
            if !more {
                self.wait()?;
            }
        }
    }

    fn wait(&self) -> Result<(), Failure> {
        let writable = if self.unwritten() > 0 { PollFlags::OUT } else { PollFlags::empty() };
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN | writable)];
        match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 100_000_000 })) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(Failure::Machine(format!("poll: {error}"))),
        }
    }
}

impl AsFd for Peer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The first address of the name that takes a connection.
fn open(host: &str) -> Result<TcpStream, Failure> {
    let unreachable = |why: &dyn std::fmt::Display| Failure::Unreachable(format!("{host}: {why}"));
    let addresses = host.to_socket_addrs().map_err(|error| unreachable(&error))?;
    let mut last = unreachable(&"the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_TIME_MAX) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = unreachable(&error),
        }
    }
    Err(last)
}

fn closed() -> Failure {
    Failure::Lost("it closed the connection".into())
}
