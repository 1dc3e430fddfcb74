//! One generator thread: starts operations when they are due, writes, reads, counts.

use super::connections::{Connection, Role};
use super::ending::{Ending, Phase, Seen};
use super::fetcher::Delivered;
use super::plan::{Plan, Shared};
use super::sockets::Sockets;
use super::tally::{Tally, Totals, Window};
use crate::failure::Failure;
use crate::schedule::Schedule;
use crate::sequences::Sequences;
use crate::workload::{Length, Pace};
use std::num::NonZeroU64;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

pub struct Worker<'a> {
    plan: &'a Plan<'a>,
    shared: &'a Shared,
    sockets: Sockets<'a>,
    /// The sender whose turn it is in an open loop.
    turn: usize,
    schedule: Option<Schedule>,
    /// Intended times up to this were held back by a server that took nothing more: their lateness is its own.
    held_until: u64,
    tally: Tally,
    delivered: Delivered,
    clock: Instant,
    ending: Ending<'a>,
}

/// Longest wait for sockets, and where another thread may make room. Nanoseconds.
const WAIT_MAX: u64 = 20_000_000;
const SHARED_WAIT_MAX: u64 = 100_000;
/// Operations started between two looks at the sockets.
const BATCH_MAX: usize = 512;

impl<'a> Worker<'a> {
    /// `clock` is the start of the load. Errors: Machine.
    pub fn new(
        plan: &'a Plan<'a>,
        shared: &'a Shared,
        thread: u32,
        connections: Vec<Connection<'a>>,
        windows: SyncSender<Window>,
        clock: Instant,
    ) -> Result<Worker<'a>, Failure> {
        let sockets = Sockets::new(connections)?;
        let schedule = match &plan.workload.pace {
            Pace::Open { rate, arrivals } if !sockets.senders.is_empty() => {
                let threads = plan.threads().min(plan.senders());
                Some(Schedule::new(*rate, arrivals, plan.workload.seed, thread, threads))
            }
            Pace::Open { .. } | Pace::Closed { .. } => None,
        };
        Ok(Worker {
            plan,
            shared,
            sockets,
            turn: 0,
            schedule,
            held_until: 0,
            tally: Tally::new(plan, thread, windows),
            delivered: (0..plan.consumer_count()).map(|_| Sequences::default()).collect(),
            clock,
            ending: Ending::new(plan, shared),
        })
    }

    /// Until the end of the load.
    pub fn run(mut self) -> Result<Totals, Failure> {
        self.drive()?;
        self.tally.advance(self.now());
        self.give_up();
        Ok(self.tally.conclude())
    }

    fn drive(&mut self) -> Result<(), Failure> {
        // An open loop's wake-ups are to be on time; without the call they may be 50 µs late.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let now = self.now();
        for connection in &mut self.sockets.connections {
            if let Role::Fetcher(fetcher) = &mut connection.role {
                fetcher.begin(now, connection.peer.output());
            }
        }
        while !self.is_over() {
            self.start();
            self.sockets.write()?;
            let nanos = if self.sockets.has_readable() { 0 } else { self.idle_time() };
            self.sockets.wait(nanos, self.schedule.is_some())?;
            let clock = self.clock;
            let now = || clock.elapsed().as_nanos() as u64;
            self.sockets.read(now, &mut self.tally, &mut self.delivered)?;
        }
        Ok(())
    }

    fn now(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }

    fn is_over(&mut self) -> bool {
        let now = self.now();
        self.tally.advance(now);
        if self.ending.notices_stop(now) {
            self.tally.end_now();
        }
        let through = |n: &usize| match &self.sockets.connections[*n].role {
            Role::Sender(sender) => sender.is_through(),
            Role::Subscriber(_) | Role::Responder(_) | Role::Fetcher(_) => true,
        };
        let schedule_ended = self.schedule.as_ref().is_some_and(|schedule| schedule.next().is_none());
        let phase = self.ending.advance(Seen {
            now,
            end: self.tally.end(),
            started_all: schedule_ended || self.sockets.senders.iter().all(through),
            is_behind: self.due(now).is_some(),
            progress: self.tally.progress(),
        });
        if phase == Phase::Over && self.plan.is_consumed_early(self.shared) {
            self.tally.end_now();
        }
        phase == Phase::Over
    }

    /// The next intended time of an open loop that has come, if it lies before the end of the measured part.
    fn due(&self, now: u64) -> Option<u64> {
        let is_timed = matches!(self.plan.workload.length, Length::Time(_));
        let schedule = self.schedule.as_ref().filter(|_| is_timed || self.ending.is_running())?;
        schedule.next().filter(|next| *next <= now && *next < self.tally.end())
    }

    fn start(&mut self) {
        let now = self.now();
        match self.plan.workload.pace {
            Pace::Open { .. } => self.start_due(now),
            Pace::Closed { .. } if self.ending.is_running() => self.fill(now),
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
            let connection = &mut self.sockets.connections[n];
            let Role::Sender(sender) = &mut connection.role else { break };
            sender.start(intended, connection.peer.output());
            open += sender.open_per_message();
            self.tally.started((intended > self.held_until).then(|| now - intended));
            self.sockets.mark_dirty(n);
            if let Some(schedule) = &mut self.schedule {
                schedule.advance();
            }
        }
        self.shared.add_open(open);
    }

    /// The first sender from the turn on that has room.
    fn next_sender(&mut self) -> Option<usize> {
        let Sockets { senders, connections, .. } = &self.sockets;
        for _ in 0..senders.len() {
            let n = senders[self.turn];
            self.turn = (self.turn + 1) % senders.len();
            let connection = &connections[n];
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
            self.sockets.mark_senders_dirty();
        }
        let (tally, shared) = (&mut self.tally, self.shared);
        self.sockets.each_dirty(|connection| {
            let unwritten = connection.peer.unwritten();
            let Role::Sender(sender) = &mut connection.role else { return };
            let count = if sender.has_room(unwritten) { sender.room() } else { 0 };
            // Before the first of them can be answered.
            shared.add_open(count as i64 * sender.open_per_message());
            for _ in 0..count {
                sender.start(now, connection.peer.output());
                tally.started(None);
            }
        });
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

    /// What was started and not answered, and what was due and not started.
    fn give_up(&mut self) {
        for connection in &self.sockets.connections {
            if let Role::Sender(sender) = &connection.role {
                sender.give_up(&mut self.tally);
            }
        }
        let is_timed = matches!(self.plan.workload.length, Length::Time(_));
        if let Some(schedule) = self.schedule.as_mut().filter(|_| is_timed) {
            while let Some(next) = schedule.next().filter(|next| *next < self.tally.end()) {
                self.tally.never_ended("not sent", next);
                schedule.advance();
            }
        }
    }
}
