//! One consumer: what it delivers next, to whom, and what has been acknowledged.
//! May import: ids, time, limits, subject, headers, rejection, encoding, messages, subscribers.
//! Must not know: how the stream stores messages, connections, JSON.

pub mod ack_subject;
pub mod config;
pub mod info;
pub mod validate;

use crate::encoding::Malformed;
use crate::ids::{AccountId, StreamSeq};
use crate::messages::{MessageView, Messages, SubjectId};
use crate::subscribers::Subscribers;
use crate::time::{Instant, Now, WallTime};
use config::ConsumerConfig;
use info::ConsumerInfo;

/// One consumer of one stream, as a plain state machine. Lives on: its shard's core.
///
/// Its owner calls `next` while there is something to deliver, fetches the bytes of the message that it names and hands
/// them to `deliver` (or says `gone`). Persistent changes are in force at once; `take_progress` gives them to the log.
pub struct Consumer {
    config: ConsumerConfig,
}

/// What a consumer wants to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This message: hand its bytes to `deliver`, or call `gone`. Asked again before that, the answer is the same.
    Message(StreamSeq),
    /// Nothing, until the next call of any `handle_…`.
    Idle,
    /// Something, but the way to the subscriber has no credit: ask again when woken.
    Blocked,
}

/// What is owed for a consumer ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckOutcome<'a> {
    /// Nothing.
    Done,
    /// An empty message to the ack's reply subject, once all progress so far is synced (at once if the consumer is volatile).
    Reply,
    /// `+NXT`: a pull request with this payload for the ack's reply subject, to be handed to `handle_fetch` once all
    /// progress so far is synced.
    Fetch(&'a [u8]),
    /// Nobody listens on this subject: `503` if the asker wants it.
    NoAckListener,
}

/// A message that has left the stream for any other reason than a purge.
#[derive(Clone, Copy, Debug)]
pub struct Removed<'a> {
    pub seq: StreamSeq,
    /// Unknown: a filtered consumer counts again.
    pub subject: Option<(SubjectId, &'a [u8])>,
}

/// What a purge removed.
#[derive(Clone, Copy, Debug)]
pub struct Purged<'a> {
    /// Filter of the purge; empty: every subject.
    pub subject: &'a str,
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
        unimplemented!()
    }

    /// The consumer in a checkpoint or in the entry of its creation. To be followed by `replay` of each later progress
    /// and one `recover`.
    pub fn decode(account: AccountId, stream: &str, bytes: &[u8]) -> Result<Consumer, Malformed> {
        unimplemented!()
    }

    /// Appends configuration, creation time and persistent state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        unimplemented!()
    }

    /// Repeats what `take_progress` gave.
    pub fn replay(&mut self, progress: &[u8]) -> Result<(), Malformed> {
        unimplemented!()
    }

    /// After the last `replay`: works out what is not stored. Timers of unacknowledged messages go on.
    pub fn recover(&mut self, now: Now, messages: &impl Messages) {
        unimplemented!()
    }

    /// Of the persistent state: equal hashes before a crash and after recovery, if all progress was logged.
    pub fn state_hash(&self) -> u64 {
        unimplemented!()
    }

    /// Whether there are persistent changes that the log does not have.
    pub fn has_progress(&self) -> bool {
        unimplemented!()
    }

    /// Size of what `take_progress` would give, at least. Bytes.
    pub fn progress_bytes(&self) -> usize {
        unimplemented!()
    }

    /// Moves the persistent changes since the last call to the end of `out`.
    pub fn take_progress(&mut self, out: &mut Vec<u8>) {
        unimplemented!()
    }

    /// A new configuration that `config::check_update` let through.
    pub fn update(
        &mut self,
        now: Now,
        config: ConsumerConfig,
        messages: &impl Messages,
        out: &mut impl Subscribers,
    ) {
        unimplemented!()
    }

    pub fn name(&self) -> &str {
        &self.config.name
    }

    pub fn config(&self) -> &ConsumerConfig {
        &self.config
    }

    pub fn created(&self) -> WallTime {
        unimplemented!()
    }

    /// As clients see it. Sweeps waiting requests first, as nats-server does.
    pub fn info(&mut self, now: Now, messages: &impl Messages, out: &mut impl Subscribers) -> ConsumerInfo {
        unimplemented!()
    }

    /// A pull request: `$JS.API.CONSUMER.MSG.NEXT.<stream>.<consumer>`. `headers` is the whole block, empty: none.
    pub fn handle_fetch(
        &mut self,
        now: Now,
        payload: &[u8],
        headers: &[u8],
        reply: &[u8],
        messages: &impl Messages,
        out: &mut impl Subscribers,
    ) {
        unimplemented!()
    }

    /// A message to an ack subject of this consumer. `subject` is the whole subject.
    pub fn handle_ack<'a>(
        &mut self,
        now: Now,
        subject: &[u8],
        payload: &'a [u8],
        reply_wanted: bool,
        messages: &impl Messages,
        out: &mut impl Subscribers,
    ) -> AckOutcome<'a> {
        unimplemented!()
    }

    /// A message to `$JS.FC.<stream>.<consumer>.<token>`. `subject` is the whole subject.
    pub fn handle_flow_control(&mut self, now: Now, subject: &[u8], headers: &[u8]) {
        unimplemented!()
    }

    /// Messages `first..=last` of the stream were committed.
    pub fn handle_stored(&mut self, now: Now, first: StreamSeq, last: StreamSeq, messages: &impl Messages) {
        unimplemented!()
    }

    /// A message was deleted, expired or pushed out by a limit; `messages` no longer has it.
    pub fn handle_removed(
        &mut self,
        now: Now,
        removed: Removed<'_>,
        messages: &impl Messages,
        out: &mut impl Subscribers,
    ) {
        unimplemented!()
    }

    /// The stream was purged; `messages` no longer has what went.
    pub fn handle_purged(&mut self, now: Now, purged: Purged<'_>, messages: &impl Messages) {
        unimplemented!()
    }

    /// Subscriptions came or went. Only push consumers care.
    pub fn handle_interest_changed(&mut self, now: Now, out: &mut impl Subscribers) {
        unimplemented!()
    }

    /// A deadline given by `poll_timeout` has passed. Safe to call early.
    pub fn handle_timeout(&mut self, now: Now, messages: &impl Messages, out: &mut impl Subscribers) {
        unimplemented!()
    }

    /// The consumer, or its stream, is being deleted: tells waiting pull requests.
    pub fn handle_deleted(&mut self, out: &mut impl Subscribers) {
        unimplemented!()
    }

    /// The server stops: tells waiting pull requests.
    pub fn handle_shutdown(&mut self, out: &mut impl Subscribers) {
        unimplemented!()
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        unimplemented!()
    }

    /// True if the consumer has been inactive for too long: its owner deletes it.
    pub fn poll_delete(&self) -> bool {
        unimplemented!()
    }

    /// What to deliver next.
    pub fn next(&mut self, now: Now, messages: &impl Messages, out: &mut impl Subscribers) -> Next {
        unimplemented!()
    }

    /// Delivers the message that `next` named. Does nothing if that has been overtaken by an ack or a removal.
    pub fn deliver(
        &mut self,
        now: Now,
        message: MessageView<'_>,
        messages: &impl Messages,
        out: &mut impl Subscribers,
    ) {
        unimplemented!()
    }

    /// The message that `next` named cannot be read any more; it is skipped.
    pub fn gone(&mut self, now: Now, seq: StreamSeq, messages: &impl Messages, out: &mut impl Subscribers) {
        unimplemented!()
    }
}
