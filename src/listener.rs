//! The port: bound once, and each accepted connection dealt to the cores in turn (I/O).
//! May import: server_log, `shards` (bell).
//! Must not know: what a core does with a connection.

use crate::server_log::ServerLog;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use shards::bell::{Bell, Sender};
use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A port that is bound but not served yet: a second broker finds it taken from here on.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
}

/// A connection on its way to a core.
#[derive(Debug)]
pub struct Accepted {
    pub stream: TcpStream,
    /// Kept as long as the connection.
    pub seat: Seat,
    /// From 1, in the order in which connections came.
    pub id: u64,
    /// False: `max_connections` were open already when it came. Tell it, and close it.
    pub admitted: bool,
}

/// Counts one open connection until it is dropped.
#[derive(Debug)]
pub struct Seat(Arc<AtomicUsize>);

/// The thread that accepts. It ends when this is stopped or dropped.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    stop: Bell,
    thread: Option<JoinHandle<()>>,
}

/// Connections that wait in the kernel to be accepted.
const BACKLOG: i32 = 4096;

/// Connections that wait for one core. Full: the next core takes it; all full: it is closed.
pub const ACCEPTED_PER_CORE: usize = 1024;

/// How long the acceptor waits after a failure that only time can mend.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// At most one line about failures in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

impl Bound {
    /// Binds the first address that can be bound. Errors: it is taken, not ours, or not allowed.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Bound> {
        // The standard library sets SO_REUSEADDR (a restart need not wait) and not SO_REUSEPORT (two brokers would share
        // the port in silence).
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(Bound { listener })
    }

    /// Where clients connect.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Begins to accept, and deals what comes to `cores` in turn.
    pub fn serve<T: Send + 'static>(
        self,
        cores: Vec<Sender<T>>,
        letter: impl Fn(Accepted) -> T + Send + 'static,
        max_connections: Option<usize>,
        log: ServerLog,
    ) -> io::Result<Listener> {
        let (address, stop) = (self.address()?, Bell::new()?);
        // The acceptor always counts as asleep: each ring must end its wait.
        stop.fall_asleep();
        let spare = Some(spare()?);
        let mut acceptor = Acceptor {
            listener: self.listener,
            stop: stop.clone(),
            cores,
            letter,
            next_core: 0,
            next_id: 1,
            open: Arc::default(),
            max_connections: max_connections.unwrap_or(usize::MAX),
            spare,
            log,
            last_line: None,
        };
        let thread = std::thread::Builder::new().name("listener".into()).spawn(move || acceptor.run())?;
        Ok(Listener { address, stop, thread: Some(thread) })
    }
}

impl Listener {
    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting and closes the port. Open connections stay.
    pub fn stop(self) {}
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.ring();
        if let Some(thread) = self.thread.take() {
            // A panic there has ended the process before this could report it.
            let _ = thread.join();
        }
    }
}

impl Seat {
    /// The seat, and how many were taken before.
    pub(crate) fn take(open: &Arc<AtomicUsize>) -> (Seat, usize) {
        let before = open.fetch_add(1, Ordering::Relaxed);
        (Seat(Arc::clone(open)), before)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lives on: the listener's thread.
struct Acceptor<T, F> {
    listener: TcpListener,
    stop: Bell,
    cores: Vec<Sender<T>>,
    letter: F,
    next_core: usize,
    next_id: u64,
    open: Arc<AtomicUsize>,
    max_connections: usize,
    /// A descriptor to spend when there is none left, so that a connection can at least be refused.
    spare: Option<File>,
    log: ServerLog,
    last_line: Option<Instant>,
}

impl<T, F: Fn(Accepted) -> T> Acceptor<T, F> {
    fn run(&mut self) {
        while self.wait(Some(self.listener.as_fd()), None) {
            while let Some(stream) = self.accept() {
                self.deal(stream);
            }
        }
    }

    /// Waits for a connection, at most `at_most`. False: stop.
    fn wait(&self, listener: Option<std::os::fd::BorrowedFd<'_>>, at_most: Option<&Timespec>) -> bool {
        let stop = PollFd::new(&self.stop, PollFlags::IN);
        let result = match &listener {
            Some(listener) => {
                let mut both = [stop, PollFd::new(listener, PollFlags::IN)];
                poll(&mut both, at_most).map(|_| both[0].revents())
            }
            None => {
                let mut one = [stop];
                poll(&mut one, at_most).map(|_| one[0].revents())
            }
        };
        // An interrupted wait is just a short one.
        result.is_ok_and(|stop| stop.is_empty()) || result == Err(Errno::INTR)
    }

    /// The next connection; `None`: none waits now.
    fn accept(&mut self) -> Option<TcpStream> {
        loop {
            let error = match self.listener.accept() {
                Ok((stream, _)) => return Some(stream),
                Err(error) => error,
            };
            match Errno::from_io_error(&error) {
                Some(Errno::AGAIN) => return None,
                Some(Errno::MFILE | Errno::NFILE) if self.spare.take().is_some() => {
                    let refused = self.listener.accept().map(drop);
                    self.spare = spare().ok();
                    // Without a descriptor the system does not even look whether a connection waits.
                    if refused.is_err() {
                        return None;
                    }
                    self.complain(&format_args!("Client connection refused: {error}"));
                }
                Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    self.complain(&format_args!("Accept failed: {error}"));
                    self.wait(None, Some(&PAUSE));
                    self.spare = self.spare.take().or_else(|| spare().ok());
                    return None;
                }
                // The peer has gone, or the network has: the next connection may be fine.
                _ => {}
            }
        }
    }

    fn deal(&mut self, stream: TcpStream) {
        let (seat, open_before) = Seat::take(&self.open);
        let (id, admitted) = (self.next_id, open_before < self.max_connections);
        self.next_id += 1;
        let mut letter = (self.letter)(Accepted { stream, seat, id, admitted });
        for _ in 0..self.cores.len() {
            let core = self.next_core;
            self.next_core = (core + 1) % self.cores.len();
            match self.cores[core].try_send(letter) {
                Ok(()) => return,
                Err(back) => letter = back,
            }
        }
        self.complain(&"Client connection refused: too many wait to be served");
    }

    #[expect(clippy::disallowed_methods, reason = "bounds the log, decides nothing")]
    fn complain(&mut self, text: &dyn std::fmt::Display) {
        let now = Instant::now();
        if self.last_line.is_none_or(|last| now.duration_since(last) >= LOG_INTERVAL) {
            self.last_line = Some(now);
            self.log.error(text);
        }
    }
}

fn spare() -> io::Result<File> {
    File::open("/dev/null")
}

#[cfg(test)]
#[path = "listener_test.rs"]
mod tests;
