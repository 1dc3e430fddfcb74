//! One generator thread: starts operations when they are due, writes, reads, counts.

use super::connections::{Connection, Role};
use super::fetcher::Delivered;
use super::plan::{Plan, Shared};
use super::tally::{Tally, Totals, Window};
use crate::failure::Failure;
use crate::schedule::Schedule;
use crate::sequences::Sequences;
use crate::workload::{Kind, Length, Pace};
use rustix::event::{PollFd, PollFlags, Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::num::NonZeroU64;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

pub struct Worker<'a> {
    plan: &'a Plan<'a>,
    shared: &'a Shared,
    connections: Vec<Connection<'a>>,
    /// Places of the senders among the connections.
    senders: Vec<usize>,
    /// The sender whose turn it is in an open loop.
    turn: usize,
    schedule: Option<Schedule>,
    /// Intended times up to this were held back by a server that took nothing more: their lateness is its own.
    held_until: u64,
    tally: Tally,
    delivered: Delivered,
    clock: Instant,
    phase: Phase,
    /// When the answers that are missing by then are given up.
    drain_until: u64,
    stopped_at: Option<u64>,
    /// A number that changes with everything that happens, and when it last did.
    moved: i64,
    moved_at: u64,
    /// Connections with something to read: edges come once, a full buffer leaves more behind.
    readable: Vec<usize>,
    /// Connections that may have something to start or to write.
    dirty: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// Nothing more is started, but for what was due before the end.
    Draining,
}

/// Longest that the last answers are waited for; where a count is to be reached, longest without any progress.
const DRAIN_TIME_MAX: u64 = 5_000_000_000;
/// Longest that nothing at all may happen in a run that has no end in time.
const STALL_TIME_MAX: u64 = 30_000_000_000;
/// Longest wait for the last answers after a signal.
const STOPPED_TIME_MAX: u64 = 1_000_000_000;
/// Longest wait for sockets, and where another thread may make room.
const WAIT_MAX: u64 = 20_000_000;
const SHARED_WAIT_MAX: u64 = 100_000;
/// Operations started between two looks at the sockets.
const BATCH_MAX: usize = 512;

impl<'a> Worker<'a> {
    pub fn new(
        plan: &'a Plan<'a>,
        shared: &'a Shared,
        thread: u32,
        connections: Vec<Connection<'a>>,
        windows: SyncSender<Window>,
        clock: Instant,
    ) -> Worker<'a> {
        let is_sender = |n: &usize| matches!(connections[*n].role, Role::Sender(_));
        let senders: Vec<usize> = (0..connections.len()).filter(is_sender).collect();
        let schedule = match &plan.workload.pace {
            Pace::Open { rate, arrivals } if !senders.is_empty() => {
                let threads = plan.threads().min(plan.senders());
                Some(Schedule::new(*rate, arrivals, plan.workload.seed, thread, threads))
            }
            _ => None,
        };
        Worker {
            plan,
            shared,
            senders,
            turn: 0,
            schedule,
            held_until: 0,
            tally: Tally::new(plan, thread, windows),
            delivered: (0..plan.consumer_count()).map(|_| Sequences::default()).collect(),
            clock,
            phase: Phase::Running,
            drain_until: 0,
            stopped_at: None,
            moved: 0,
            moved_at: 0,
            readable: Vec::new(),
            dirty: (0..connections.len()).collect(),
            connections,
        }
    }

    /// Until the end of the load. Whatever the outcome, the other threads come to an end too.
    pub fn run(mut self) -> Result<Totals, Failure> {
        let outcome = self.drive();
        if let Err(failure) = outcome {
            self.shared.stop();
            self.leave_running();
            return Err(failure);
        }
        self.tally.advance(self.now());
        self.give_up();
        Ok(self.tally.conclude())
    }

    fn drive(&mut self) -> Result<(), Failure> {
        // An open loop's wake-ups are to be on time; without the call they may be 50 µs late.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let poll = self.register().map_err(|error| Failure::Machine(format!("epoll: {error}")))?;
        let mut events = Vec::with_capacity(self.connections.len());
        let now = self.now();
        for connection in &mut self.connections {
            if let Role::Fetcher(fetcher) = &mut connection.role {
                fetcher.begin(now, connection.peer.output());
            }
        }
        loop {
            let now = self.now();
            self.tally.advance(now);
            if self.is_over(now) {
                return Ok(());
            }
            self.start(now);
            self.write()?;
            self.wait(&poll, &mut events)?;
            self.read()?;
        }
    }

    fn register(&self) -> Result<OwnedFd, Errno> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (n, connection) in self.connections.iter().enumerate() {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(&poll, &connection.peer, epoll::EventData::new_u64(n as u64), flags)?;
        }
        Ok(poll)
    }

    fn now(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }

    /// Goes from phase to phase; true: this thread has done its part.
    fn is_over(&mut self, now: u64) -> bool {
        let stopped = self.shared.is_stopped();
        if stopped && self.stopped_at.is_none() {
            self.stopped_at = Some(now);
            self.tally.end_now();
        }
        self.watch_progress(now);
        if self.phase == Phase::Running && (stopped || self.has_started_all(now)) {
            self.leave_running();
            self.drain_until = now + DRAIN_TIME_MAX;
        }
        if self.phase == Phase::Running {
            return now > self.moved_at + STALL_TIME_MAX;
        }
        if self.plan.workload.kind == Kind::Consume && (stopped || self.is_timed()) {
            self.tally.end_now();
            return true;
        }
        if !self.is_timed() {
            self.drain_until = self.moved_at + DRAIN_TIME_MAX;
        }
        let until = self.stopped_at.map_or(u64::MAX, |at| at + STOPPED_TIME_MAX).min(self.drain_until);
        let quiet = self.shared.all_are_draining() && self.shared.open() <= 0 && self.due(now).is_none();
        quiet || now > until
    }

    /// Notes when something last happened anywhere in a run that has no end in time.
    fn watch_progress(&mut self, now: u64) {
        let moved = self.tally.progress() as i64 - self.shared.open();
        if moved != self.moved || self.is_timed() {
            (self.moved, self.moved_at) = (moved, now);
        }
    }

    fn is_timed(&self) -> bool {
        matches!(self.plan.workload.length, Length::Time(_))
    }

    fn has_started_all(&self, now: u64) -> bool {
        if self.plan.workload.kind == Kind::Consume {
            return now >= self.tally.end() || self.shared.open() <= 0;
        }
        if self.is_timed() {
            return now >= self.tally.end();
        }
        let through =
            |n: &usize| matches!(&self.connections[*n].role, Role::Sender(sender) if sender.is_through());
        self.senders.iter().all(through) || self.schedule.as_ref().is_some_and(|plan| plan.next().is_none())
    }

    fn leave_running(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Draining;
            self.shared.begin_draining();
        }
    }

    /// The next intended time of an open loop that has come, if it lies before the end of the measured part.
    fn due(&self, now: u64) -> Option<u64> {
        let next =
            self.schedule.as_ref().filter(|_| self.is_timed() || self.phase == Phase::Running)?.next()?;
        (next <= now && next < self.tally.end()).then_some(next)
    }

    fn start(&mut self, now: u64) {
        match self.plan.workload.pace {
            Pace::Open { .. } => self.start_due(now),
            Pace::Closed { .. } if self.phase == Phase::Running => self.fill(now),
            Pace::Closed { .. } => {}
        }
    }

    /// Open loop: whatever is due, from senders in turn.
    fn start_due(&mut self, now: u64) {
        let mut open = 0;
        for _ in 0..BATCH_MAX {
            let Some(intended) = self.due(now) else { break };
            let Some(n) = self.next_sender() else {
                self.held_until = now;
                break;
            };
            let connection = &mut self.connections[n];
            let Role::Sender(sender) = &mut connection.role else { break };
            sender.start(intended, connection.peer.output());
            open += sender.open_per_message();
            self.tally.started((intended > self.held_until).then(|| now - intended));
            if self.dirty.last() != Some(&n) {
                self.dirty.push(n);
            }
            if let Some(schedule) = &mut self.schedule {
                schedule.advance();
            }
        }
        self.shared.add_open(open);
    }

    /// The first sender from the turn on that has room.
    fn next_sender(&mut self) -> Option<usize> {
        for _ in 0..self.senders.len() {
            let n = self.senders[self.turn];
            self.turn = (self.turn + 1) % self.senders.len();
            let connection = &self.connections[n];
            if matches!(&connection.role, Role::Sender(sender) if sender.has_room(connection.peer.unwritten()))
            {
                return Some(n);
            }
        }
        None
    }

    /// Closed loop: whatever has room.
    fn fill(&mut self, now: u64) {
        if self.plan.fan() > 0 {
            // Deliveries to one connection make room on another.
            self.dirty.extend_from_slice(&self.senders);
        }
        for n in &self.dirty {
            let connection = &mut self.connections[*n];
            let unwritten = connection.peer.unwritten();
            let Role::Sender(sender) = &mut connection.role else { continue };
            if !sender.has_room(unwritten) {
                continue;
            }
            let count = sender.room();
            // Before the first of them can be answered.
            self.shared.add_open(count as i64 * sender.open_per_message());
            for _ in 0..count {
                sender.start(now, connection.peer.output());
                self.tally.started(None);
            }
        }
    }

    fn write(&mut self) -> Result<(), Failure> {
        for n in self.dirty.drain(..) {
            let connection = &mut self.connections[n];
            if connection.writable && connection.peer.unwritten() > 0 {
                connection.peer.flush()?;
                connection.writable = connection.peer.unwritten() == 0;
            }
        }
        Ok(())
    }

    /// Waits for sockets, unless some are known to be readable or an operation is due.
    fn wait(&mut self, poll: &OwnedFd, events: &mut Vec<epoll::Event>) -> Result<(), Failure> {
        let nanos = if self.readable.is_empty() { self.idle_time() } else { 0 };
        let until = |nanos: u64| Timespec { tv_sec: 0, tv_nsec: nanos as i64 };
        let mut wait = until(nanos);
        if nanos > 0 && self.schedule.is_some() {
            // Exact, where epoll's own timeout is rounded up to a millisecond.
            match rustix::event::poll(&mut [PollFd::new(poll, PollFlags::IN)], Some(&wait)) {
                Ok(_) | Err(Errno::INTR) => wait = until(0),
                Err(error) => return Err(Failure::Machine(format!("poll: {error}"))),
            }
        }
        events.clear();
        match epoll::wait(poll, rustix::buffer::spare_capacity(events), Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(Failure::Machine(format!("epoll: {error}"))),
        }
        for event in events.iter() {
            // Copied out: the kernel's layout of an event is packed.
            let (n, flags) = (event.data.u64() as usize, event.flags);
            if flags.contains(epoll::EventFlags::OUT) && !self.connections[n].writable {
                self.connections[n].writable = true;
                self.dirty.push(n);
            }
            let ended = epoll::EventFlags::HUP | epoll::EventFlags::ERR;
            if flags.intersects(epoll::EventFlags::IN | ended) && !self.connections[n].readable {
                self.connections[n].readable = true;
                self.readable.push(n);
            }
        }
        Ok(())
    }

    /// How long nothing is due. Nanoseconds.
    fn idle_time(&self) -> u64 {
        let shares_room = self.plan.fan() > 0 && self.shared.threads() > 1 && !self.plan.is_open_loop();
        let most = if shares_room { SHARED_WAIT_MAX } else { WAIT_MAX };
        let next = self.schedule.as_ref().and_then(Schedule::next).filter(|next| *next < self.tally.end());
        match next {
            // What is held back waits for a socket.
            Some(next) if next > self.held_until => next.saturating_sub(self.now()).min(most),
            _ => most,
        }
    }

    /// Each readable connection once.
    fn read(&mut self) -> Result<(), Failure> {
        let mut still = 0;
        for at in 0..self.readable.len() {
            let n = self.readable[at];
            let now = self.clock.elapsed().as_nanos() as u64;
            self.tally.advance(now);
            let connection = &mut self.connections[n];
            connection.readable = connection.read(now, &mut self.tally, &mut self.delivered)?;
            if connection.readable {
                self.readable[still] = n;
                still += 1;
            }
            self.dirty.push(n);
        }
        self.readable.truncate(still);
        Ok(())
    }

    /// What was started and not answered, and what was due and not started.
    fn give_up(&mut self) {
        for connection in &self.connections {
            if let Role::Sender(sender) = &connection.role {
                sender.give_up(&mut self.tally);
            }
        }
        let is_timed = self.is_timed();
        if let Some(schedule) = self.schedule.as_mut().filter(|_| is_timed) {
            while let Some(next) = schedule.next().filter(|next| *next < self.tally.end()) {
                self.tally.never_ended("not sent", next);
                schedule.advance();
            }
        }
    }
}
