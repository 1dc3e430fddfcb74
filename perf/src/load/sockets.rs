//! The connections of one thread and their readiness: what may be read, what has to be written.

use super::connections::{Connection, Role};
use super::fetcher::Delivered;
use super::tally::Tally;
use crate::failure::Failure;
use rustix::event::{PollFd, PollFlags, Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

pub struct Sockets<'a> {
    pub connections: Vec<Connection<'a>>,
    /// Places of the senders among them.
    pub senders: Vec<usize>,
    poll: OwnedFd,
    events: Vec<epoll::Event>,
    /// Connections with something to read: edges come once, a full buffer leaves more behind.
    readable: Vec<usize>,
    /// Connections that may have something to start or to write; a place may stand here twice.
    dirty: Vec<usize>,
}

impl<'a> Sockets<'a> {
    pub fn new(connections: Vec<Connection<'a>>) -> Result<Sockets<'a>, Failure> {
        let machine = |error: Errno| Failure::Machine(format!("epoll: {error}"));
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(machine)?;
        for (n, connection) in connections.iter().enumerate() {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(&poll, &connection.peer, epoll::EventData::new_u64(n as u64), flags)
                .map_err(machine)?;
        }
        let is_sender = |n: &usize| matches!(connections[*n].role, Role::Sender(_));
        Ok(Sockets {
            poll,
            events: Vec::with_capacity(connections.len()),
            readable: Vec::new(),
            dirty: (0..connections.len()).collect(),
            senders: (0..connections.len()).filter(is_sender).collect(),
            connections,
        })
    }

    /// Something is known to be there to read.
    pub fn has_readable(&self) -> bool {
        !self.readable.is_empty()
    }

    pub fn mark_dirty(&mut self, n: usize) {
        if self.dirty.last() != Some(&n) {
            self.dirty.push(n);
        }
    }

    pub fn mark_senders_dirty(&mut self) {
        self.dirty.extend_from_slice(&self.senders);
    }

    /// Calls `fill` for each connection that may have something to start.
    pub fn each_dirty(&mut self, mut fill: impl FnMut(&mut Connection<'a>)) {
        for n in &self.dirty {
            fill(&mut self.connections[*n]);
        }
    }

    /// Writes what the sockets take.
    pub fn write(&mut self) -> Result<(), Failure> {
        for n in self.dirty.drain(..) {
            let connection = &mut self.connections[n];
            if connection.writable && connection.peer.unwritten() > 0 {
                connection.peer.flush()?;
                connection.writable = connection.peer.unwritten() == 0;
            }
        }
        Ok(())
    }

    /// Waits until a socket is ready, at most for some nanoseconds, less than a second. `exact`: not rounded up to a
    /// millisecond, which epoll does.
    pub fn wait(&mut self, nanos: u64, exact: bool) -> Result<(), Failure> {
        let until = |nanos: u64| Timespec { tv_sec: 0, tv_nsec: nanos as i64 };
        let mut wait = until(nanos);
        if nanos > 0 && exact {
            match rustix::event::poll(&mut [PollFd::new(&self.poll, PollFlags::IN)], Some(&wait)) {
                Ok(_) | Err(Errno::INTR) => wait = until(0),
                Err(error) => return Err(Failure::Machine(format!("poll: {error}"))),
            }
        }
        self.events.clear();
        match epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut self.events), Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(Failure::Machine(format!("epoll: {error}"))),
        }
        for event in &self.events {
            // Copied out: the kernel's layout of an event is packed.
            let (n, flags) = (event.data.u64() as usize, event.flags);
            let connection = &mut self.connections[n];
            if flags.contains(epoll::EventFlags::OUT) && !connection.writable {
                connection.writable = true;
                self.dirty.push(n);
            }
            let ended = epoll::EventFlags::HUP | epoll::EventFlags::ERR;
            if flags.intersects(epoll::EventFlags::IN | ended) && !connection.readable {
                connection.readable = true;
                self.readable.push(n);
            }
        }
        Ok(())
    }

    /// Each readable connection once; `now` tells the time before each.
    pub fn read(
        &mut self,
        now: impl Fn() -> u64,
        tally: &mut Tally,
        delivered: &mut Delivered,
    ) -> Result<(), Failure> {
        let mut still = 0;
        for at in 0..self.readable.len() {
            let n = self.readable[at];
            let now = now();
            tally.advance(now);
            let connection = &mut self.connections[n];
            connection.readable = connection.read(now, tally, delivered)?;
            if connection.readable {
                self.readable[still] = n;
                still += 1;
            }
            self.dirty.push(n);
        }
        self.readable.truncate(still);
        Ok(())
    }
}
