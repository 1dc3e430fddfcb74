//! One stream: what it admits, how committed changes move its state, what its limits remove.
//! May import: ids, time, limits, subject, headers, hashing, rejection, encoding, messages, record, change.
//! Must not know: consumers, connections, JSON, how the log stores entries.

pub mod config;
pub mod effects;
pub mod info;
pub mod place;
pub mod select;

use crate::change::ChangeKind;
use crate::encoding::Malformed;
use crate::ids::{AccountId, StreamSeq};
use crate::messages::Messages;
use crate::record::{Record, Rollup, Ttl};
use crate::rejection::Rejection;
use crate::time::{Instant, Now, WallTime};
use config::StreamConfig;
use effects::Effects;
use info::{StreamInfo, StreamState};
use place::{EntryPlace, Place};
use select::Selector;

/// One stream. Lives on: its shard's core.
pub struct Stream {}

/// A message that wants to be stored, as slices of a read buffer.
#[derive(Clone, Copy, Debug)]
pub struct Publish<'a> {
    pub subject: &'a [u8],
    /// Empty: none.
    pub reply: &'a [u8],
    /// The whole header block as it was sent; empty: none.
    pub headers: &'a [u8],
    pub payload: &'a [u8],
}

/// What becomes of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is stored as described; its pub ack leaves when the entry that holds it is applied.
    Store(Admitted),
    /// Its message id was seen within the duplicate window: a pub ack with the original's sequence.
    Duplicate { seq: StreamSeq, rests_on: StreamSeq },
    /// An error. `rests_on`: not committed yet, the answer waits until this sequence is applied (at or below the last
    /// applied one: nothing to wait for).
    Refused { rejection: Rejection, rests_on: StreamSeq },
}

/// A message that got a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub seq: StreamSeq,
    pub time: WallTime,
    /// Length of its record. Bytes.
    pub record_len: usize,
    rollup: Rollup,
    ttl: Ttl,
    has_msg_id: bool,
}

impl Admitted {
    /// What to write; `publish` is the one that was admitted.
    pub fn record<'a>(&self, publish: &Publish<'a>) -> Record<'a> {
        unimplemented!()
    }
}

impl Stream {
    /// A stream at its beginning: what `ChangeKind::GroupCreate` makes.
    pub fn new(account: AccountId, config: StreamConfig, created: WallTime) -> Stream {
        unimplemented!()
    }
    /// From the body of a `GroupCreate` change.
    pub fn decode_create(body: &[u8]) -> Result<Stream, Malformed> {
        unimplemented!()
    }
    /// Appends the whole committed state.
    pub fn encode_checkpoint(&self, out: &mut Vec<u8>) {
        unimplemented!()
    }
    /// What `encode_checkpoint` wrote. Memory storage comes back without messages.
    pub fn decode_checkpoint(bytes: &[u8]) -> Result<Stream, Malformed> {
        unimplemented!()
    }
    /// Of the committed state; equal on all replicas at one index, and after every recovery.
    pub fn state_hash(&self) -> u64 {
        unimplemented!()
    }

    pub fn config(&self) -> &StreamConfig {
        unimplemented!()
    }
    pub fn account(&self) -> AccountId {
        unimplemented!()
    }
    pub fn created(&self) -> WallTime {
        unimplemented!()
    }

    /// Decides about a publish. `has_room`: false while disk or memory take no more messages.
    pub fn admit(&mut self, now: Now, publish: &Publish<'_>, has_room: bool) -> Admission {
        unimplemented!()
    }
    /// Decides about a purge; appends the body of a `Purge` change.
    pub fn admit_purge(
        &mut self,
        filter: &str,
        seq: u64,
        keep: u64,
        body: &mut Vec<u8>,
    ) -> Result<(), Rejection> {
        unimplemented!()
    }
    /// Decides about the deletion of one message; appends the body of a `Delete` change.
    pub fn admit_delete(&mut self, seq: u64, no_erase: bool, body: &mut Vec<u8>) -> Result<(), Rejection> {
        unimplemented!()
    }
    /// Forgets everything that was admitted and not applied.
    pub fn drop_in_flight(&mut self) {
        unimplemented!()
    }
    /// Last sequence given to a publish; the committed one if nothing is in flight.
    pub fn admitted_seq(&self) -> StreamSeq {
        unimplemented!()
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        unimplemented!()
    }
    /// Appends the body of an expiry change to propose, if messages are too old. Called again until it gives `None`.
    /// `may_expire`: false while the clocks disagree (`clock::ClockWatch`).
    pub fn handle_timeout(&mut self, now: Now, may_expire: bool, body: &mut Vec<u8>) -> Option<ChangeKind> {
        unimplemented!()
    }

    /// Applies a committed change of the stream (not of its consumers). The same live and in recovery.
    pub fn apply(
        &mut self,
        kind: ChangeKind,
        body: &[u8],
        place: Place,
        effects: &mut Effects,
    ) -> Result<(), Malformed> {
        unimplemented!()
    }

    /// Takes an entry of a stream with memory storage; the place is for `apply`.
    pub fn keep_in_memory(&mut self, entry: Box<[u8]>) -> EntryPlace {
        unimplemented!()
    }
    /// Record of a message with memory storage.
    pub fn memory_record(&self, place: Place) -> Option<&[u8]> {
        unimplemented!()
    }
    /// Bytes of messages in memory storage.
    pub fn memory_used(&self) -> u64 {
        unimplemented!()
    }

    /// Where a message lies.
    pub fn place(&self, seq: StreamSeq) -> Option<Place> {
        unimplemented!()
    }
    /// Calls with every entry (or part of one) that holds live messages, and the bytes of their records.
    pub fn for_each_live(&self, call: &mut dyn FnMut(EntryPlace, u64)) {
        unimplemented!()
    }

    /// The message that a get asks for.
    pub fn find(&self, select: &Selector) -> Option<StreamSeq> {
        unimplemented!()
    }
    pub fn state(
        &self,
        deleted_details: bool,
        subjects_filter: &str,
        offset: u64,
        consumer_count: u64,
    ) -> StreamState {
        unimplemented!()
    }
    pub fn info(&self, now: Now, state: StreamState) -> StreamInfo {
        unimplemented!()
    }
}
