//! One stream: what it admits, how committed changes move its state, what its limits remove.
//! May import: ids, time, limits, subject, headers, go_duration, hashing, rejection, encoding, messages, record, change.
//! Must not know: consumers, connections, JSON, how the log stores entries.

pub mod admit;
pub mod admit_ahead;
pub mod apply;
pub mod config;
mod config_bytes;
mod config_check;
pub mod effects;
mod id_table;
mod in_flight;
mod index;
pub mod info;
mod lost;
mod memory;
mod messages;
mod msg_ids;
pub mod place;
mod publish_headers;
pub mod purge;
pub mod read;
mod retention;
pub mod select;
mod state;
mod ttl;

pub use admit::{Admission, Admitted, Publish};
pub use msg_ids::KeptIds;

use crate::ids::{AccountId, EntryPlace, StreamSeq};
use crate::time::WallTime;
use config::{Storage, StreamConfig};
use in_flight::InFlight;
use index::Index;
use lost::Lost;
use memory::MemoryStore;
use msg_ids::MsgIds;
use place::Place;
use retention::Retention;
use std::sync::Arc;
use ttl::Ttls;

/// One stream: what is committed, and an overlay of what is in flight. Lives on: its shard's core.
///
/// The leader asks `admit…` and `handle_timeout`, which decide and change the overlay only; whatever they decide becomes
/// a change of the group, and `apply` moves the committed state when it commits. The same changes in the same order give
/// the same state, whoever applies them and whenever.
#[derive(Debug)]
pub struct Stream {
    account: AccountId,
    created: WallTime,
    /// Shared with the catalog and the table of streams.
    config: Arc<StreamConfig>,
    committed: Committed,
    index: Index,
    /// Only once a message had an id.
    ids: Option<Box<MsgIds>>,
    /// Only if some message has a TTL of its own.
    ttls: Option<Box<Ttls>>,
    /// Only with memory storage.
    memory: Option<Box<MemoryStore>>,
    /// Only if something was found damaged.
    lost: Option<Box<Lost>>,
    in_flight: InFlight,
    retention: Retention,
}

/// Counters of the committed state. What is not here is in the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Committed {
    /// First message; last + 1 if there is none, 0 if there never was one.
    first_seq: u64,
    last_seq: u64,
    /// Timestamp of the last message ever stored. Nanoseconds, 0 if there never was one.
    last_time: u64,
    /// Accounted bytes.
    bytes: u64,
    /// Message id of the last message ever stored; empty: it had none.
    last_msg_id: Vec<u8>,
    /// Message ids with older timestamps are forgotten, whatever the duplicate window becomes. Nanoseconds.
    ids_since: u64,
    /// What is left up to here never gets too old.
    expired_through: u64,
}

impl Stream {
    /// A stream at its beginning: what `ChangeKind::GroupCreate` makes.
    pub fn new(account: AccountId, config: Arc<StreamConfig>, created: WallTime) -> Stream {
        let mut committed = Committed::default();
        if config.first_seq > 0 {
            (committed.first_seq, committed.last_seq) = (config.first_seq, config.first_seq - 1);
        }
        let mut in_flight = InFlight::default();
        in_flight.last_seq = committed.last_seq;
        let memory = (config.storage == Storage::Memory).then(Box::default);
        Stream {
            account,
            created,
            config,
            committed,
            index: Index::default(),
            ids: None,
            ttls: None,
            memory,
            in_flight,
            lost: None,
            retention: Retention::default(),
        }
    }

    pub fn config(&self) -> &StreamConfig {
        &self.config
    }

    /// Takes an equal configuration in place of its own, so that memory holds it once. False: it is another one.
    pub fn share_config(&mut self, config: &Arc<StreamConfig>) -> bool {
        let is_same = self.config == *config;
        if is_same {
            self.config = config.clone();
        }
        is_same
    }

    pub fn account(&self) -> AccountId {
        self.account
    }

    pub fn created(&self) -> WallTime {
        self.created
    }

    /// Accounted bytes of the committed messages.
    pub fn bytes(&self) -> u64 {
        self.committed.bytes
    }

    /// Last sequence given to a publish; the committed one if nothing is in flight.
    pub fn admitted_seq(&self) -> StreamSeq {
        StreamSeq(self.in_flight.last_seq)
    }

    /// Forgets everything that was admitted and not applied.
    pub fn drop_in_flight(&mut self) {
        let Committed { last_seq, last_time, ref last_msg_id, .. } = self.committed;
        self.in_flight.reset(last_seq, last_time, last_msg_id);
        if let Some(ids) = &mut self.ids {
            ids.drop_behind(last_seq);
        }
        self.retention.drop_in_flight();
        self.check();
    }

    /// Where a message lies.
    pub fn place(&self, seq: StreamSeq) -> Option<Place> {
        self.index.get(seq.0).map(|message| message.place)
    }

    /// Calls with every entry that holds messages, in the order of their sequences, and the bytes of their records in it.
    /// An entry may come several times.
    pub fn for_each_live(&self, call: &mut dyn FnMut(EntryPlace, u64)) {
        self.index.for_each_live(call);
    }

    /// Gives the messages from `first` to `last` new places: their records were moved, byte for byte.
    pub fn relocate(
        &mut self,
        first: StreamSeq,
        last: StreamSeq,
        place: &mut dyn FnMut(StreamSeq, Place) -> Place,
    ) {
        self.index.relocate(first.0, last.0, &mut |message| place(message.seq, message.place));
    }

    /// Places of the entries behind the one at `place` that hold messages, in order: what a reader will want next.
    pub fn entries_behind(&self, place: Place) -> impl Iterator<Item = EntryPlace> + '_ {
        self.index.entries_behind(place.entry)
    }

    /// Place of the next entry of a stream with memory storage. Its changes are applied with it, then `keep_in_memory`
    /// takes it.
    pub fn next_memory_place(&self, len: usize) -> EntryPlace {
        self.memory.as_ref().map_or(EntryPlace::default(), |memory| memory.next_place(len))
    }

    /// Takes an entry, unless nothing in it is left after its changes were applied.
    pub fn keep_in_memory(&mut self, place: EntryPlace, entry: Box<[u8]>) {
        if let Some(memory) = &mut self.memory {
            memory.keep(place, entry);
        }
    }

    /// Record of a message with memory storage.
    pub fn memory_record(&self, place: Place) -> Option<&[u8]> {
        self.memory.as_ref()?.record(place)
    }

    /// Bytes that messages with memory storage take.
    pub fn memory_used(&self) -> u64 {
        self.memory.as_ref().map_or(0, |memory| memory.bytes())
    }

    /// Gives back memory that an idle stream does not need. Costs a later burst a few allocations.
    pub fn shrink(&mut self) {
        self.in_flight.shrink();
        self.index.shrink();
    }

    /// Nanoseconds.
    fn duplicate_window(&self) -> u64 {
        u64::try_from(self.config.duplicate_window.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Sequence of the last message that has an id in the duplicate window.
    fn last_seq_with_id(&self) -> u64 {
        self.ids.as_ref().map_or(0, |ids| ids.last_seq())
    }

    fn check(&self) {
        let Committed { first_seq, last_seq, bytes, .. } = self.committed;
        assert!(first_seq <= last_seq + 1);
        assert!(self.in_flight.last_seq >= last_seq);
        assert!((self.index.count() == 0) == (first_seq == last_seq + 1 || first_seq == 0));
        assert!((self.index.count() == 0) == (bytes == 0));
    }
}

#[cfg(test)]
mod fixture;

#[cfg(test)]
#[path = "stream_test.rs"]
mod tests;
