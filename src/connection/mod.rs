//! The connections of one core: reads what is ready into lent memory, writes what the server has for each (I/O).
//! May import: client, listener, server, `shards` (net, time).
//! Must not know: what the bytes mean.
//!
//! No connection has a task or memory of its own while it is idle. A turn reads every socket that has something, within a
//! budget; then the core decides; then each connection with output gets one write. A connection that could not be read to
//! the end stays in line and comes again in the next turn, behind the others.

mod blocks;

use crate::client::close::CloseReason;
use crate::listener::{Accepted, Seat};
use crate::server::{ClientKey, Reading};
use blocks::Blocks;
use bytes::BytesMut;
use shards::net::{Poller, Ready, Socket};
use shards::time::{Instant, Now};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// What connections need of the server of their core; the methods of `Server`.
pub trait Clients {
    fn accept(&mut self, now: Now, id: u64, peer: SocketAddr, admitted: bool) -> ClientKey;
    fn handle_bytes(&mut self, now: Now, key: ClientKey, buffer: &mut BytesMut) -> Reading;
    fn handle_closed(&mut self, key: ClientKey, reason: CloseReason);
    fn poll_dirty(&mut self) -> Option<ClientKey>;
    fn poll_resumed(&mut self) -> Option<ClientKey>;
    fn poll_closing(&mut self) -> Option<ClientKey>;
    fn take_output(&mut self, now: Now, key: ClientKey, spare: Vec<u8>) -> Vec<u8>;
    fn handle_written(&mut self, key: ClientKey, bytes: usize);

    /// Whether something of the client's output waits for other cores; it will be dirty when that comes.
    fn awaits_confirmation(&self, key: ClientKey) -> bool;

    /// Whether what is queued should still be written, now that the client has ended.
    fn flushes(&self, key: ClientKey) -> bool;
}

/// The connections of one core. Lives on: its core.
#[derive(Default)]
pub struct Connections {
    /// By the slot of their key.
    slots: Vec<Option<Connection>>,
    /// To be read, in this order. Each is here at most once, which its `queued` tells.
    reading: VecDeque<ClientKey>,
    /// Blocked writes that may go on.
    unblocked: Vec<ClientKey>,
    /// Connections that end as soon as their output is written, and when they end without; soonest first.
    ending: VecDeque<(Instant, ClientKey)>,
    blocks: Blocks,
    /// Written buffers, empty, for reuse.
    spares: Vec<Vec<u8>>,
}

struct Connection {
    key: ClientKey,
    socket: Socket,
    _seat: Seat,
    /// What was read and not consumed. Empty while the connection is idle.
    kept: BytesMut,
    /// Length of `kept` below which the server can do nothing more with it.
    at_least: usize,
    /// Bytes to ask for with the next read.
    read_len: usize,
    /// Being written: the socket was full after `written` bytes of it.
    output: Vec<u8>,
    written: usize,
    last_write: Instant,
    /// There may be something to read.
    readable: bool,
    /// The peer has ended or the connection is broken: a short read does not mean that nothing is left.
    ended: bool,
    /// In `reading`.
    queued: bool,
    paused: bool,
    /// Was paused: what was kept is handed in even if nothing more has come.
    resumed: bool,
    /// Not read any more.
    closed: bool,
    /// In `ending`.
    ending: bool,
}

/// What became of a connection that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing more to read now, or not to be read now.
    Enough,
    /// Its budget is used up.
    More,
    /// The peer has ended, or the connection is broken.
    Gone(CloseReason),
}

/// Bytes read from one connection in one turn. Beyond it the others come first.
const CONNECTION_BUDGET: usize = 256 << 10;

/// Bytes read from all connections in one turn. Beyond it the rest of them waits for the next turn, in line.
const TURN_BUDGET: usize = 4 << 20;

/// Least and most bytes asked for with one read. A connection starts with the least and is asked for more as it brings more.
const READ_LEN: std::ops::RangeInclusive<usize> = 4 << 10..=128 << 10;

/// An operation of which at least this much is awaited is gathered where it lies, not moved from block to block.
const LARGE: usize = 64 << 10;

/// Most bytes that are read and thrown away when a connection is closed, so that what it was told last arrives.
const DRAIN_MAX: usize = 64 << 10;

/// How long an ended client's socket may take for what it was told last.
const ENDING_MAX: Duration = Duration::from_secs(2);

/// Written buffers kept for reuse, and the largest of them. Bytes.
const SPARES_MAX: usize = 64;
const SPARE_LEN_MAX: usize = 1 << 20;

/// A client that was written to within this time is given a buffer with room in exchange; an idle one shall hold none.
const BUSY: Duration = Duration::from_millis(10);

impl Connections {
    /// Takes a connection over. One that broke in the meantime is dropped.
    pub fn open(&mut self, now: Now, accepted: Accepted, poller: &Poller, server: &mut impl Clients) {
        let Accepted { stream, seat, id, admitted } = accepted;
        let Ok((socket, peer)) = Socket::new(stream).and_then(|socket| {
            let peer = socket.peer_addr()?;
            Ok((socket, peer))
        }) else {
            return;
        };
        let key = server.accept(now, id, peer, admitted);
        if poller.add(&socket, token(key)).is_err() {
            server.handle_closed(key, CloseReason::ReadError);
            return;
        }
        let slot = key.slot as usize;
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        assert!(self.slots[slot].is_none(), "the server gives no slot twice");
        self.slots[slot] = Some(Connection::new(key, socket, seat));
    }

    /// Connections that are open.
    pub fn count(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// What the poller reported.
    pub fn note(&mut self, ready: &[Ready]) {
        for one in ready {
            let key = ClientKey { slot: one.token as u32, generation: (one.token >> 32) as u32 };
            let Some(connection) = get(&mut self.slots, key) else { continue };
            connection.ended |= one.ended;
            connection.readable |= one.readable || one.ended;
            if one.writable && !connection.output.is_empty() {
                self.unblocked.push(key);
            }
            enqueue(connection, &mut self.reading);
        }
    }

    /// Reads what is ready, within the budgets. True: something is left to read.
    pub fn read(&mut self, now: Now, server: &mut impl Clients) -> bool {
        while let Some(key) = server.poll_resumed() {
            if let Some(connection) = get(&mut self.slots, key) {
                connection.paused = false;
                connection.resumed = true;
                enqueue(connection, &mut self.reading);
            }
        }
        let mut budget = TURN_BUDGET;
        for _ in 0..self.reading.len() {
            if budget == 0 {
                break;
            }
            let Some(key) = self.reading.pop_front() else { break };
            let Some(connection) = get(&mut self.slots, key) else { continue };
            connection.queued = false;
            match connection.read(now, &mut budget, &mut self.blocks, server) {
                Outcome::Enough => {}
                Outcome::More => enqueue(connection, &mut self.reading),
                // A peer that closed only its half hears what it asked for before.
                Outcome::Gone(CloseReason::ClientClosed) if server.awaits_confirmation(key) => {
                    self.end_when_written(now, key, server);
                }
                Outcome::Gone(reason) => {
                    if reason == CloseReason::ClientClosed {
                        self.write(now, key, server);
                    }
                    self.close(key, reason, server);
                }
            }
        }
        !self.reading.is_empty()
    }

    /// Writes what the server has for its clients, and closes those that have ended.
    pub fn flush(&mut self, now: Now, server: &mut impl Clients) {
        while let Some(key) = self.unblocked.pop() {
            self.write(now, key, server);
        }
        while let Some(key) = server.poll_dirty() {
            self.write(now, key, server);
        }
        while let Some(key) = server.poll_closing() {
            self.begin_end(now, key, server);
        }
        while let Some((_, key)) = self.ending.pop_front_if(|(due, _)| *due <= now.monotonic) {
            self.close(key, CloseReason::WriteError, server);
        }
    }

    /// When `flush` has something to do even if nothing happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.ending.front().map(|(due, _)| *due)
    }

    /// Closes a connection once its output is written.
    fn begin_end(&mut self, now: Now, key: ClientKey, server: &mut impl Clients) {
        if !server.flushes(key) {
            self.close(key, CloseReason::WriteError, server);
            return;
        }
        self.end_when_written(now, key, server);
    }

    fn end_when_written(&mut self, now: Now, key: ClientKey, server: &mut impl Clients) {
        let Some(connection) = get(&mut self.slots, key) else { return };
        (connection.closed, connection.ending) = (true, true);
        self.ending.push_back((now.monotonic + ENDING_MAX, key));
        self.write(now, key, server);
    }

    /// Writes as much as the socket takes. A connection that ends does so when everything is written.
    fn write(&mut self, now: Now, key: ClientKey, server: &mut impl Clients) {
        let Some(connection) = get(&mut self.slots, key) else { return };
        match connection.write(now, &mut self.spares, server) {
            Ok(true) if connection.ending && !server.awaits_confirmation(key) => {
                self.close(key, CloseReason::ClientClosed, server)
            }
            Ok(_) => {}
            Err(_) => self.close(key, CloseReason::WriteError, server),
        }
    }

    /// `reason` counts only if the client had not ended before.
    fn close(&mut self, key: ClientKey, reason: CloseReason, server: &mut impl Clients) {
        if get(&mut self.slots, key).is_none() {
            return;
        }
        if let Some(connection) = self.slots[key.slot as usize].take() {
            connection.end(&mut self.blocks);
        }
        server.handle_closed(key, reason);
    }
}

impl Connection {
    fn new(key: ClientKey, socket: Socket, seat: Seat) -> Self {
        Connection {
            key,
            socket,
            _seat: seat,
            kept: BytesMut::new(),
            at_least: 1,
            read_len: *READ_LEN.start(),
            output: Vec::new(),
            written: 0,
            last_write: Instant::default(),
            readable: false,
            ended: false,
            queued: false,
            paused: false,
            resumed: false,
            closed: false,
            ending: false,
        }
    }

    fn read(
        &mut self,
        now: Now,
        turn_budget: &mut usize,
        blocks: &mut Blocks,
        server: &mut impl Clients,
    ) -> Outcome {
        let mut budget = CONNECTION_BUDGET.min(*turn_budget);
        if std::mem::take(&mut self.resumed) && !self.kept.is_empty() {
            let mut rest = std::mem::take(&mut self.kept);
            let reading = server.handle_bytes(now, self.key, &mut rest);
            if let Some(outcome) = self.keep(rest, reading) {
                return outcome;
            }
        }
        while self.readable && !self.paused && !self.closed {
            if budget == 0 {
                return Outcome::More;
            }
            let (asked, n, bytes) = match self.read_once(blocks) {
                Ok(Some(read)) => read,
                Ok(None) => {
                    self.readable = false;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Outcome::Gone(CloseReason::ClientClosed);
                }
                Err(_) => return Outcome::Gone(CloseReason::ReadError),
            };
            budget = budget.saturating_sub(n);
            *turn_budget = turn_budget.saturating_sub(n);
            self.adapt(asked, n);
            let mut bytes = bytes;
            let reading = if bytes.len() < self.at_least {
                Reading::Continue { at_least: self.at_least }
            } else {
                server.handle_bytes(now, self.key, &mut bytes)
            };
            if let Some(outcome) = self.keep(bytes, reading) {
                return outcome;
            }
        }
        Outcome::Enough
    }

    /// One read: how much was asked for, how much came, and that with what was kept before it. `None`: nothing is there.
    /// Errors: the connection is broken, or the peer has ended (`UnexpectedEof`).
    fn read_once(&mut self, blocks: &mut Blocks) -> io::Result<Option<(usize, usize, BytesMut)>> {
        let (before, mut len) = (self.kept.len(), self.read_len);
        let some = |n| if n == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(n) };
        if self.at_least >= LARGE {
            // The room for the whole operation was reserved when its length became known.
            len = len.min(self.kept.capacity() - before).max(*READ_LEN.start());
            self.kept.reserve(len);
            return match self.socket.try_read(&mut self.kept, len)? {
                Some(n) => Ok(Some((len, some(n)?, std::mem::take(&mut self.kept)))),
                None => Ok(None),
            };
        }
        let block = blocks.with_room(before + len);
        block.extend_from_slice(&self.kept);
        let read = self.socket.try_read(block, len);
        let Ok(Some(n @ 1..)) = read else {
            block.clear();
            return match read? {
                Some(n) => some(n).map(|_| None),
                None => Ok(None),
            };
        };
        self.kept = BytesMut::new();
        Ok(Some((len, n, block.split())))
    }

    /// Asks for more next time if the socket had as much as was asked for, and for less if it had little. A socket with
    /// less than was asked for is empty, unless its end is what comes next.
    fn adapt(&mut self, asked: usize, n: usize) {
        if n == asked {
            self.read_len = (asked * 4).min(*READ_LEN.end());
        } else {
            self.readable = self.ended;
            if n < asked / 4 {
                self.read_len = (asked / 2).max(*READ_LEN.start());
            }
        }
    }

    /// Keeps what the server left. `Some`: this connection is not read any further in this turn.
    fn keep(&mut self, rest: BytesMut, reading: Reading) -> Option<Outcome> {
        let outcome = match reading {
            Reading::Continue { at_least } => {
                self.at_least = at_least.max(1);
                None
            }
            Reading::Pause => {
                self.paused = true;
                self.at_least = 1;
                Some(Outcome::Enough)
            }
            Reading::Closed => {
                self.closed = true;
                return Some(Outcome::Enough);
            }
        };
        if self.at_least >= LARGE {
            self.kept = rest;
            self.kept.reserve(self.at_least.saturating_sub(self.kept.len()) + self.read_len);
        } else if !rest.is_empty() {
            // A copy, so that a few bytes do not keep their whole block from being used again.
            self.kept = BytesMut::from(&rest[..]);
        }
        outcome
    }

    /// Writes what is left of the output, and then what the server has. True: everything is written.
    fn write(&mut self, now: Now, spares: &mut Vec<Vec<u8>>, server: &mut impl Clients) -> io::Result<bool> {
        loop {
            let was_blocked = !self.output.is_empty();
            if !was_blocked {
                let is_busy = now.monotonic - self.last_write < BUSY;
                let spare = if is_busy { spares.pop().unwrap_or_default() } else { Vec::new() };
                self.output = server.take_output(now, self.key, spare);
                self.written = 0;
                self.last_write = now.monotonic;
            }
            while self.written < self.output.len() {
                let Some(n) = self.socket.try_write(&self.output[self.written..])? else { return Ok(false) };
                self.written += n;
                server.handle_written(self.key, n);
            }
            let mut spare = std::mem::take(&mut self.output);
            spare.clear();
            if spares.len() < SPARES_MAX && (1..=SPARE_LEN_MAX).contains(&spare.capacity()) {
                spares.push(spare);
            }
            if !was_blocked {
                return Ok(true);
            }
        }
    }

    /// Ends the connection so that the peer can still read what it was told last: the system would throw that away if
    /// bytes of the peer were left unread.
    fn end(self, blocks: &mut Blocks) {
        if self.ended || self.socket.end().is_err() {
            return;
        }
        let block = blocks.with_room(DRAIN_MAX);
        // Nothing can be done about a failure; the connection is closed either way.
        let _ = self.socket.try_read(block, DRAIN_MAX);
        block.clear();
    }
}

/// The number under which a connection is registered with the poller. Never that of the bell: no server has 2^32 slots.
fn token(key: ClientKey) -> u64 {
    u64::from(key.generation) << 32 | u64::from(key.slot)
}

fn get(slots: &mut [Option<Connection>], key: ClientKey) -> Option<&mut Connection> {
    slots.get_mut(key.slot as usize)?.as_mut().filter(|connection| connection.key == key)
}

fn enqueue(connection: &mut Connection, reading: &mut VecDeque<ClientKey>) {
    let has_something = connection.readable || connection.resumed;
    if has_something && !connection.queued && !connection.paused && !connection.closed {
        connection.queued = true;
        reading.push_back(connection.key);
    }
}

#[cfg(test)]
#[path = "connection_test.rs"]
mod tests;
