//! The sockets of a core: readiness of all of them with one query a turn, and reads and writes that never block.
//! May import: nothing.
//! Must not know: what the bytes mean.
//!
//! All sockets of a core are registered once, edge-triggered, with one epoll descriptor, and the ring waits for that one
//! descriptor only. An idle connection costs neither a task nor a request in the ring, and a turn learns of all ready
//! sockets with one system call.

use bytes::BytesMut;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::net::RecvFlags;
use std::io::{self, IoSlice, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What became of a registered descriptor since it was last reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The number it was registered with.
    pub token: u64,
    /// There may be bytes to read: read until `try_read` brings less than was asked for.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The peer has sent all it will send, or the connection is broken: read until the end or the error comes.
    pub ended: bool,
}

/// Knows which of the core's descriptors are ready. Lives on: its core.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
}

/// Most descriptors reported by one query; the others come with the next.
const READY_MAX: usize = 512;

impl Poller {
    /// Errors: no descriptor left.
    pub fn new() -> io::Result<Poller> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Poller { epoll, events: Vec::with_capacity(READY_MAX) })
    }

    /// Reports `descriptor` as `token` from now on, each time its state changes. It ends when the descriptor is closed.
    /// Errors: out of memory, or above the system's limit of watches.
    pub fn add(&self, descriptor: impl AsFd, token: u64) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(&self.epoll, descriptor, EventData::new_u64(token), flags)?)
    }

    /// Appends what is ready now. Never waits.
    pub fn query(&mut self, ready: &mut Vec<Ready>) -> io::Result<()> {
        self.events.clear();
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&now))?;
        ready.extend(self.events.iter().map(|event| {
            let flags = event.flags;
            Ready {
                token: event.data.u64(),
                readable: flags.contains(EventFlags::IN),
                writable: flags.contains(EventFlags::OUT),
                ended: flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR),
            }
        }));
        Ok(())
    }
}

impl AsFd for Poller {
    /// Readable once `query` has something to report.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// A TCP connection whose reads and writes never block.
#[derive(Debug)]
pub struct Socket(TcpStream);

impl Socket {
    /// Takes over an accepted connection. Errors: the connection is broken already.
    pub fn new(stream: TcpStream) -> io::Result<Socket> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Socket(stream))
    }

    /// Appends what is there to `buffer`, at most `len` bytes and what it has room for; `Some(0)`: the peer has ended; `None`:
    /// nothing is there. Errors: the connection is broken.
    #[expect(unsafe_code, reason = "zeroing the room before each read took 5 % of all time")]
    pub fn try_read(&self, buffer: &mut BytesMut, len: usize) -> io::Result<Option<usize>> {
        let room = buffer.spare_capacity_mut();
        let len = len.min(room.len());
        let read = unless_blocked(|| {
            let ((filled, _), _) = rustix::net::recv(&self.0, &mut room[..len], RecvFlags::empty())?;
            Ok(filled.len())
        })?;
        if let Some(filled) = read {
            let len = buffer.len() + filled;
            // SAFETY: `recv` has just initialised so many bytes from the start of the room behind `buffer`.
            unsafe { buffer.set_len(len) };
        }
        Ok(read)
    }

    /// Writes what fits; `None`: nothing does. Errors: the connection is broken.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        unless_blocked(|| (&self.0).write(bytes))
    }

    /// As `try_write`, from several pieces.
    pub fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        unless_blocked(|| (&self.0).write_vectored(pieces))
    }

    /// Tells the peer that nothing more comes; what was written before still arrives.
    pub fn end(&self) -> io::Result<()> {
        self.0.shutdown(std::net::Shutdown::Write)
    }

    /// The other end. Errors: the connection is broken.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// This end. Errors: the connection is broken.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn unless_blocked(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(n) => return Ok(Some(n)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
