//! One consumer: what it delivers next, to whom, and what has been acknowledged.
//! May import: ids, time, limits, subject, headers, go_duration, hashing, rejection, encoding, messages, subscribers.
//! Must not know: how the stream stores messages, connections, JSON.

mod ack;
pub mod ack_subject;
pub mod config;
mod config_codec;
mod deliver;
mod events;
mod fetch;
pub mod fetch_request;
pub mod filter;
mod inactivity;
pub mod info;
mod pending;
mod progress;
mod pull;
mod push;
mod redelivery;
mod settings;
mod start;
mod state;
pub mod update;
mod validate;

pub use ack::AckOutcome;
pub use deliver::{Next, Round};
pub use events::{Purged, Removed};

use crate::encoding::{Malformed, Reader, Write};
use crate::hashing::hash_bytes;
use crate::ids::{AccountId, StreamSeq};
use crate::messages::Messages;
use crate::subscribers::Subscribers;
use crate::time::{Instant, Now, WallTime};
use config::ConsumerConfig;
use deliver::Chosen;
use filter::Filter;
use progress::{Progress, ProgressChange};
use pull::Pull;
use push::Push;
use settings::Settings;
use state::State;
use std::collections::VecDeque;

/// One consumer of one stream, as a plain state machine. Lives on: its shard's core.
///
/// After each `handle_…` its owner begins a `round` and calls `next` as long as that names a message; it fetches the bytes of
/// the message and hands them to `deliver` (or says `gone`). Persistent changes are in force at once; `take_progress` gives
/// them to the log.
#[derive(Debug)]
pub struct Consumer {
    account: AccountId,
    stream: Box<str>,
    created: WallTime,
    settings: Settings,
    filter: Filter,
    state: State,
    progress: Progress,
    /// First stream sequence that was not considered for a first delivery. Above `state.delivered` by what the filter
    /// skipped.
    next: u64,
    /// Policy `last_per_subject`: what is left of the list, descending. Comes before everything from `state.resume` on.
    listed: Vec<u64>,
    /// Matching messages at or above `next`; `None`: to be counted when somebody asks.
    num_pending: Option<u64>,
    /// Stream sequences to deliver again, in order. Valid if pending and marked as queued.
    redelivery: VecDeque<u64>,
    /// No unacked message is overdue earlier. May be too early.
    overdue_at: Option<Instant>,
    mode: Mode,
    /// What `next` named and `deliver` has not got yet.
    chosen: Option<Chosen>,
    /// 0: not since the start.
    last_delivered: WallTime,
    /// 0: not since the start.
    last_acked: WallTime,
    /// Last sign of life of a client.
    active_at: Instant,
    /// When to look whether the consumer is inactive.
    inactive_at: Option<Instant>,
    delete: bool,
}

/// Most of what an idle consumer takes.
const _: () = assert!(size_of::<Consumer>() <= 480);

/// How messages reach clients.
#[derive(Debug)]
enum Mode {
    /// Made with the first request, so that an idle consumer is small.
    Pull(Option<Box<Pull>>),
    Push(Box<Push>),
}

impl Consumer {
    /// A new consumer of `stream`. `config` has been completed and checked; `messages` is what is committed now.
    /// The initial state, to be logged with its creation, is `encode`.
    pub fn create(
        now: Now,
        account: AccountId,
        stream: &str,
        config: ConsumerConfig,
        messages: &impl Messages,
    ) -> Consumer {
        let mut filter = Filter::new(config.filters());
        let (start, resume) = start::position(&config, &mut filter, messages);
        let state = State { resume, ..State::starting_at(start) };
        let mut consumer = Consumer::assemble(account, stream, now.wall, config, state);
        consumer.begin(now, messages);
        consumer
    }

    /// The consumer in a checkpoint or in the entry of its creation. To be followed by `replay` of each later progress
    /// and one `recover`.
    pub fn decode(account: AccountId, stream: &str, bytes: &[u8]) -> Result<Consumer, Malformed> {
        let mut reader = Reader::new(bytes);
        let config = ConsumerConfig::decode(&mut reader)?;
        let created = WallTime(reader.u64()?);
        let state = State::decode(&mut reader)?;
        reader.finish()?;
        Ok(Consumer::assemble(account, stream, created, config, state))
    }

    /// Appends configuration, creation time and persistent state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.settings.encode(out);
        out.put_u64(self.created.0);
        self.state.encode(out);
    }

    /// Progress is kept in memory only: for consumers of memory storage.
    pub fn without_log(mut self) -> Consumer {
        self.progress = Progress::new(true);
        self
    }

    /// Repeats what `take_progress` gave. Changes that the state has already, because it was encoded after them, are passed
    /// over.
    pub fn replay(&mut self, progress: &[u8]) -> Result<(), Malformed> {
        let (policy, state) = (self.settings.ack_policy, &mut self.state);
        progress::decode(progress, |number, change| state.replay(policy, number, change))
    }

    /// A replayed update: takes the configuration, which `update` was given before the restart.
    pub fn replay_update(&mut self, config: &ConsumerConfig) {
        self.take_config(config);
    }

    /// After the last `replay`: works out what is not stored, and drops what the stream lost meanwhile. Timers of unacked
    /// messages go on.
    pub fn recover(&mut self, now: Now, messages: &impl Messages) {
        self.begin(now, messages);
        self.settle_missing(messages);
        self.restart_timers(now);
    }

    /// Of the persistent state: equal before a crash and after recovery, if all progress was logged.
    pub fn state_hash(&self) -> u64 {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        hash_bytes(&bytes)
    }

    /// Whether there are persistent changes that the log does not have.
    pub fn has_progress(&self) -> bool {
        !self.progress.is_empty()
    }

    /// Size of what `take_progress` would give, but for one short record. Bytes.
    pub fn progress_bytes(&self) -> usize {
        self.progress.len()
    }

    /// Moves the persistent changes since the last call to the end of `out`.
    pub fn take_progress(&mut self, out: &mut Vec<u8>) {
        self.progress.take(out);
    }

    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// As it was given, completed. Made anew with each call.
    pub fn config(&self) -> ConsumerConfig {
        self.settings.config()
    }

    /// What of it is asked for often.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The subject and the queue group that a push consumer delivers to.
    pub fn target(&self) -> Option<(&[u8], &[u8])> {
        match &self.mode {
            Mode::Push(push) => Some((push.subject.as_bytes(), push.group.as_bytes())),
            Mode::Pull(_) => None,
        }
    }

    /// Push consumers send to a subject of their own; pull consumers answer requests.
    pub fn is_push(&self) -> bool {
        matches!(self.mode, Mode::Push(_))
    }

    /// Gives back memory that an idle consumer does not need. Costs a later burst a few allocations.
    pub fn shrink(&mut self) {
        if let Mode::Pull(pull) = &mut self.mode {
            pull.take_if(|pull| pull.is_empty());
        }
        self.state.ack_pending.shrink();
        self.redelivery.shrink_to_fit();
        self.listed.shrink_to_fit();
        self.progress.shrink();
        self.filter.shrink();
    }

    pub fn created(&self) -> WallTime {
        self.created
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let mode = match &self.mode {
            Mode::Pull(pull) => pull.as_ref().and_then(|pull| pull.next_timeout),
            Mode::Push(push) => push.heartbeat_at,
        };
        [self.overdue_at, mode, self.inactive_at].into_iter().flatten().min()
    }

    /// A deadline given by `poll_timeout` has passed. Safe to call early.
    pub fn handle_timeout(&mut self, now: Now, out: &mut impl Subscribers) {
        self.queue_overdue(now, out);
        let last = self.last_sequences();
        match &mut self.mode {
            Mode::Pull(Some(pull)) => {
                if let Some(ended) = pull.handle_timeout(now, self.account, last, out) {
                    self.active_at = self.active_at.max(ended);
                }
            }
            Mode::Pull(None) => {}
            Mode::Push(push) => push.handle_timeout(now, self.account, last, out),
        }
        self.check_inactivity(now, out);
    }

    fn assemble(
        account: AccountId,
        stream: &str,
        created: WallTime,
        config: ConsumerConfig,
        state: State,
    ) -> Consumer {
        let mode = if config.is_push() {
            Mode::Push(Box::new(Push::new(&config, stream)))
        } else {
            Mode::Pull(None)
        };
        Consumer {
            account,
            stream: stream.into(),
            created,
            filter: Filter::new(config.filters()),
            state,
            progress: Progress::new(config.mem_storage),
            next: 0,
            listed: Vec::new(),
            num_pending: None,
            redelivery: VecDeque::new(),
            overdue_at: None,
            mode,
            chosen: None,
            last_delivered: WallTime::default(),
            last_acked: WallTime::default(),
            active_at: Instant::default(),
            inactive_at: None,
            delete: false,
            settings: Settings::of(&config),
        }
    }

    /// Works out where delivery goes on, and starts the inactivity timer.
    fn begin(&mut self, now: Now, messages: &impl Messages) {
        self.next = self.state.delivered.stream_seq + 1;
        if self.next <= self.state.resume {
            self.listed = messages.last_per_subject(&mut self.filter).iter().map(|seq| seq.0).collect();
            self.listed.retain(|seq| (self.next..=self.state.resume).contains(seq));
            self.listed.reverse();
            self.leave_list();
        }
        self.show_life(now);
        self.restart_inactivity(now);
    }

    /// Returns the old settings.
    fn take_config(&mut self, config: &ConsumerConfig) -> Settings {
        self.filter = Filter::new(config.filters());
        self.num_pending = None;
        self.chosen = None;
        if let Mode::Push(push) = &mut self.mode {
            push.take_target(config);
        }
        std::mem::replace(&mut self.settings, Settings::of(config))
    }

    /// Applies a change and queues it for the log.
    fn record(&mut self, change: ProgressChange) {
        self.progress.push(self.state.changes, change);
        self.state.apply(self.settings.ack_policy, &change);
        // An empty set of unacked messages leaves nothing to deliver again.
        if self.state.ack_pending.is_empty() {
            self.redelivery.clear();
        }
    }

    /// For heartbeats: the last consumer sequence, and the stream sequence up to which everything was considered.
    fn last_sequences(&self) -> (u64, u64) {
        (self.state.delivered.consumer_seq, self.next.saturating_sub(1))
    }

    fn show_life(&mut self, now: Now) {
        self.active_at = now.monotonic;
    }

    /// Matching messages that were not considered yet, as clients see it.
    fn count_pending(&mut self, messages: &impl Messages) -> u64 {
        let last = messages.last_seq().0;
        if self.next > last {
            self.num_pending = Some(0);
            return 0;
        }
        let counted = match self.num_pending {
            Some(counted) => counted,
            None => self.count(messages),
        };
        let clamped = counted.min(messages.count()).min(last - self.next + 1);
        self.num_pending = Some(clamped);
        clamped
    }

    fn count(&mut self, messages: &impl Messages) -> u64 {
        let listed = self.listed.iter().filter(|&&seq| messages.contains(StreamSeq(seq))).count() as u64;
        let from = if self.listed.is_empty() { self.next } else { self.state.resume + 1 };
        listed + messages.count_from(&mut self.filter, StreamSeq(from))
    }
}

#[cfg(test)]
#[path = "fixture_test.rs"]
mod fixture;
#[cfg(test)]
mod replay_test;
