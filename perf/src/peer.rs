//! One connection to the server under test: a non-blocking socket with its buffers.
//! May import: address, wire.
//! Must not know: what is measured.

use crate::address::Address;
use crate::wire::{self, Operation};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

pub struct Peer {
    socket: TcpStream,
    /// Bytes that still have to be written start at `written`.
    output: Vec<u8>,
    written: usize,
    /// Bytes that were read and not handled; the rest of the buffer is room to read into.
    input: Vec<u8>,
    filled: usize,
}

/// Bytes read at a time.
const INPUT_LEN: usize = 256 << 10;

/// Longest that the server may take for one answer outside of the measured load.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

impl Peer {
    /// Connects, logs in and subscribes to `inbox` with sid 1; returns after the PONG. The socket's congestion control
    /// is cubic or reno: with BBR a saturated loopback stalls for seconds, whoever serves.
    pub fn connect(address: &Address, inbox: &str) -> Result<Peer, String> {
        let say = |what: &str, error: &dyn std::fmt::Display| format!("{what} {}: {error}", address.host);
        let socket = TcpStream::connect(&address.host).map_err(|error| say("cannot connect to", &error))?;
        socket.set_nodelay(true).map_err(|error| say("socket to", &error))?;
        sockopt::set_tcp_congestion(&socket, "cubic")
            .or_else(|_| sockopt::set_tcp_congestion(&socket, "reno"))
            .map_err(|error| say("neither cubic nor reno congestion control for the socket to", &error))?;
        socket.set_nonblocking(true).map_err(|error| say("socket to", &error))?;
        let mut peer = Peer { socket, output: Vec::new(), written: 0, input: vec![0; INPUT_LEN], filled: 0 };
        peer.send(wire::connect(&address.user, &address.pass, &address.token).as_bytes());
        peer.send(format!("SUB {inbox} 1\r\nPING\r\n").as_bytes());
        peer.until(|operation| matches!(operation, Operation::Pong).then_some(()))?;
        Ok(peer)
    }

    /// Asks for something and returns the first answer's payload.
    pub fn request(&mut self, subject: &str, inbox: &str, payload: &[u8]) -> Result<Vec<u8>, String> {
        self.send(&wire::publish(subject, inbox, "", payload));
        self.until(|operation| match operation {
            Operation::Message(message) => Some(message.payload.to_vec()),
            _ => None,
        })
    }

    /// Queues bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Room to build output in, in place.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Something is queued that the socket has not taken.
    pub fn is_blocked(&self) -> bool {
        self.written < self.output.len()
    }

    /// Writes what the socket takes.
    pub fn flush(&mut self) -> Result<(), String> {
        while self.is_blocked() {
            match self.socket.write(&self.output[self.written..]) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("write to the server: {error}")),
            }
        }
        if !self.is_blocked() {
            self.output.clear();
            self.written = 0;
        } else if self.written > INPUT_LEN {
            self.output.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    /// Reads once and hands over every whole operation; PINGs are answered here. False: nothing was there to read.
    pub fn read(
        &mut self,
        mut handle: impl FnMut(Operation<'_>) -> Result<(), String>,
    ) -> Result<bool, String> {
        if self.filled == self.input.len() {
            self.input.resize(self.filled * 2, 0);
        }
        match self.socket.read(&mut self.input[self.filled..]) {
            Ok(0) => return Err("the server closed the connection".into()),
            Ok(len) => self.filled += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(format!("read from the server: {error}")),
        }
        let mut start = 0;
        while let Some((operation, len)) =
            wire::read(&self.input[start..self.filled]).map_err(|_| "the server sends garbage".to_owned())?
        {
            match operation {
                Operation::Ping => self.output.extend_from_slice(b"PONG\r\n"),
                Operation::Error(text) => {
                    return Err(format!("the server says -ERR {}", String::from_utf8_lossy(text)));
                }
                other => handle(other)?,
            }
            start += len;
        }
        self.input.copy_within(start..self.filled, 0);
        self.filled -= start;
        Ok(true)
    }

    /// Waits for the first operation that `find` accepts.
    fn until<T>(&mut self, find: impl Fn(&Operation<'_>) -> Option<T>) -> Result<T, String> {
        let end = Instant::now() + ANSWER_TIME_MAX;
        let mut found = None;
        loop {
            self.flush()?;
            let read = self.read(|operation| {
                found = found.take().or_else(|| find(&operation));
                Ok(())
            })?;
            if let Some(found) = found {
                return Ok(found);
            }
            if Instant::now() > end {
                return Err(format!("no answer within {ANSWER_TIME_MAX:?}"));
            }
            if !read {
                self.wait()?;
            }
        }
    }

    fn wait(&self) -> Result<(), String> {
        let writable = if self.is_blocked() { PollFlags::OUT } else { PollFlags::empty() };
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN | writable)];
        match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 100_000_000 })) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(format!("poll: {error}")),
        }
    }
}

impl AsFd for Peer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
