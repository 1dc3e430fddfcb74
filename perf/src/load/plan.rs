//! What all threads of a load know: the workload, the names of what was made for it, and the few counters that they share.

use crate::content::Content;
use crate::sequences::Sequences;
use crate::workload::{Kind, Length, Pace, Workload};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// One load. Its numbers are those of the workload; the names are of this run alone.
pub struct Plan<'a> {
    pub workload: &'a Workload,
    pub content: &'a Content,
    pub names: &'a Names,
    /// Of `consume`: messages that the consumers have to get in all, those of each consumer counted.
    pub expected: u64,
    /// Of `consume`: the sequence before the first of each stream, and what was filled in, where that is known.
    pub first: &'a [u64],
    pub filled: Option<&'a [Sequences]>,
}

/// Of streams and consumers on the server, and of subjects.
#[derive(Clone, Debug)]
pub struct Names {
    pub streams: Vec<String>,
    /// Of each stream.
    pub consumers: Vec<String>,
    /// Subjects begin with it.
    pub prefix: String,
    /// Inboxes begin with it.
    pub inbox: String,
}

/// Counters between threads. All but `stop` are for the end of a load and for closed loops, so that no one of them orders
/// anything else.
pub struct Shared {
    stop: AtomicBool,
    threads: usize,
    /// Threads that start nothing any more.
    draining: AtomicUsize,
    /// What is still to come: answers, deliveries.
    open: AtomicI64,
    /// Deliveries of the messages of each sender.
    delivered: Vec<AtomicU64>,
}

impl Plan<'_> {
    /// Connections that publish or request.
    pub fn senders(&self) -> u32 {
        match self.workload.kind {
            Kind::Consume => 0,
            _ => self.workload.connections,
        }
    }

    /// Deliveries of each message.
    pub fn fan(&self) -> u64 {
        match self.workload.kind {
            Kind::Publish | Kind::Consume | Kind::Request => 0,
            Kind::Mixed => u64::from(self.workload.pull.consumers),
            Kind::PubSub if self.workload.queue_groups > 0 => u64::from(self.workload.queue_groups),
            Kind::PubSub => u64::from(self.workload.subscribers),
        }
    }

    /// Answers to each message, to its sender.
    pub fn answers(&self) -> u64 {
        match self.workload.kind {
            Kind::Publish | Kind::Request | Kind::Mixed => 1,
            Kind::Consume | Kind::PubSub => 0,
        }
    }

    pub fn is_open_loop(&self) -> bool {
        matches!(self.workload.pace, Pace::Open { .. })
    }

    /// Start and end of the measured part, nanoseconds; a count has no end in time.
    pub fn part(&self) -> (u64, u64) {
        let start = self.workload.warm_up.as_nanos() as u64;
        match self.workload.length {
            Length::Time(time) => (start, start + time.as_nanos() as u64),
            Length::Count(_) | Length::All => (0, u64::MAX),
        }
    }

    /// Messages that a sender starts at most.
    pub fn share(&self, sender: u32) -> u64 {
        let senders = u64::from(self.senders().max(1));
        match self.workload.length {
            Length::Count(count) => count / senders + u64::from(u64::from(sender) < count % senders),
            Length::Time(_) | Length::All => u64::MAX,
        }
    }

    /// Threads, no more than there is work for.
    pub fn threads(&self) -> u32 {
        let most = match self.workload.kind {
            Kind::PubSub | Kind::Request => self.workload.connections + self.workload.subscribers,
            Kind::Consume => self.consumer_count(),
            Kind::Publish => self.workload.connections,
            Kind::Mixed => self.workload.connections.max(self.consumer_count()),
        };
        self.workload.threads.min(most)
    }

    /// The core of a thread; None: any.
    pub fn core(&self, thread: usize) -> Option<usize> {
        let cores = &self.workload.cores;
        cores.get(thread % cores.len().max(1)).copied()
    }

    /// Every message has been consumed, so that the time that is left tells nothing.
    pub fn is_consumed_early(&self, shared: &Shared) -> bool {
        let is_timed = matches!(self.workload.length, Length::Time(_));
        self.workload.kind == Kind::Consume && is_timed && shared.open() <= 0
    }

    /// Consumers of all streams.
    pub fn consumer_count(&self) -> u32 {
        (self.names.streams.len() * self.names.consumers.len()) as u32
    }
}

impl Shared {
    pub fn new(plan: &Plan<'_>) -> Shared {
        let expected = match plan.workload.length {
            Length::Count(count) => count.min(plan.expected),
            Length::Time(_) | Length::All => plan.expected,
        };
        Shared {
            stop: AtomicBool::new(false),
            threads: plan.threads() as usize,
            draining: AtomicUsize::new(0),
            open: AtomicI64::new(expected as i64),
            delivered: (0..plan.senders()).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub fn begin_draining(&self) {
        self.draining.fetch_add(1, Ordering::SeqCst);
    }

    pub fn all_are_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst) == self.threads
    }

    pub fn add_open(&self, change: i64) {
        self.open.fetch_add(change, Ordering::SeqCst);
    }

    pub fn open(&self) -> i64 {
        self.open.load(Ordering::SeqCst)
    }

    pub fn add_delivered(&self, sender: u64, count: u64) {
        self.delivered[sender as usize].fetch_add(count, Ordering::Relaxed);
    }

    pub fn delivered(&self, sender: u32) -> u64 {
        self.delivered[sender as usize].load(Ordering::Relaxed)
    }
}

/// A plan for tests: a workload, its content and names.
#[cfg(test)]
pub fn with_plan(table: &str, test: impl FnOnce(&Plan<'_>)) {
    let workload = Workload::from_toml(table).expect("a workload");
    let content = Content::new(&workload, "p", "r");
    let names = Names {
        streams: if workload.uses_streams() { vec!["S".into()] } else { Vec::new() },
        consumers: vec!["C".into()],
        prefix: "p".into(),
        inbox: "_I".into(),
    };
    let expected = if workload.kind == Kind::Consume { 10 } else { 0 };
    let plan =
        Plan { workload: &workload, content: &content, names: &names, expected, first: &[], filled: None };
    test(&plan);
}
