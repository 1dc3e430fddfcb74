//! One group as its shard sees it: what it wants written, what is on the way, who waits for that.

use super::answer::{Answer, PubAcks};
use super::request::{Batch, Item, ReplyTo, Request};
use super::spare::Spare;
use super::stages::Stamps;
use super::stream_group::{SlotIndex, StreamGroup};
use crate::ids::{CoreId, EntryIndex, EntryPlace, GroupId, Position, StreamSeq};
use crate::meta::change::CatalogChange;
use crate::rejection::Rejection;
use crate::stream::admit::AdmittedRun;
use crate::time::Instant;

/// What the shard replicates in this group.
#[expect(
    clippy::large_enum_variant,
    reason = "all groups but one are streams, and each is in a box of its own"
)]
pub(super) enum Machine {
    /// The catalog; its state is beside the groups, in `Shard::catalog`.
    Catalog,
    Stream(StreamGroup),
}

/// A group of one: an entry commits with the sync that covers it. Lives on: its shard's core.
pub(super) struct Group {
    /// Index that the next entry gets.
    pub next_index: EntryIndex,
    /// Last entry that is applied.
    pub applied: EntryIndex,
    /// Position of the last entry of this group in the log.
    pub previous: Position,
    /// Changes and answers of this turn, in order of admission.
    pub pending: Vec<Pending>,
    /// Bytes of the changes in `pending` that are not publishes.
    pub bodies: Vec<u8>,
    /// Entries of this group that are in flight.
    pub flying: u32,
    /// End of its last entry in the log.
    pub end: Position,
    /// Its deadline in the shard's timers.
    pub deadline: Option<Instant>,
    /// Whether the group is in the shard's list of those whose deadline may have moved.
    pub is_touched: bool,
    /// Whether the group is in the shard's list of groups with something pending.
    pub is_dirty: bool,
    pub machine: Machine,
}

/// Something to be written, or to be answered when what was written before it is committed.
pub(super) enum Pending {
    Publishes(PendingPublishes),
    /// A change whose body lies in `Group::bodies`.
    Change {
        kind: u8,
        start: u32,
        len: u32,
    },
    /// Done when the entry before it is committed (at once if nothing is on the way).
    After(After),
    /// Taken over by the entry that it follows from.
    Done,
}

/// Admitted publishes that are neighbours in a batch; their bytes still lie there.
#[derive(Clone, Copy)]
pub(super) struct PendingPublishes {
    pub batch: u32,
    /// The first of them.
    pub item: u32,
    pub admitted: AdmittedRun,
}

impl PendingPublishes {
    /// Their items, and how many stand before each.
    pub fn items<'a>(&self, batch: &'a Batch) -> impl Iterator<Item = (u32, &'a Item)> + use<'a> {
        (0..).zip(&batch.items[self.item as usize..][..self.admitted.count as usize])
    }
}

/// What follows from a committed entry, besides its pub acks.
pub(super) enum After {
    Answer(ReplyTo, Box<Answer>),
    /// A request that is answered from a state that includes everything admitted before it.
    Serve(ReplyTo, Box<Request>),
    /// A duplicate's pub ack: it rests on the original.
    Duplicate {
        to: ReplyTo,
        seq: StreamSeq,
    },
    /// A refused publish: the refusal rests on the messages admitted before.
    Refused {
        to: ReplyTo,
        rejection: Rejection,
    },
    /// The group's first entry: the catalog is told.
    GroupCreated,
    GroupUpdated,
    GroupDeleted,
    /// A pull request that rests on what is in flight: it came with an ack (`+NXT`), or asks what there is now (`no_wait`).
    Fetch {
        to: ReplyTo,
        index: SlotIndex,
        headers: Box<[u8]>,
        request: Box<[u8]>,
    },
    ConsumerCreated {
        to: Option<ReplyTo>,
        name: Box<str>,
        is_fresh: bool,
    },
    ConsumerDeleted {
        to: Option<ReplyTo>,
        name: Box<str>,
    },
    Catalog(CatalogChange),
}

/// An entry that is written and not committed yet.
pub(super) struct InFlight {
    pub group: GroupId,
    pub index: EntryIndex,
    pub place: EntryPlace,
    /// Committed when the log is committed up to here.
    pub end: Position,
    /// The entry itself, if it is one of a stream with memory storage and not in the log.
    pub memory: Option<Box<[u8]>>,
    pub stamps: Stamps,
    pub acks: Vec<(CoreId, PubAcks)>,
    pub after: Vec<After>,
    /// Who waits for it has heard that the disk does not answer.
    pub is_told: bool,
}

impl InFlight {
    /// Not so an entry of memory storage.
    pub fn is_in_log(&self) -> bool {
        self.memory.is_none()
    }
}

/// Most of what a stream without messages takes.
const _: () = assert!(size_of::<Group>() <= 640);

impl Group {
    pub fn new(machine: Machine) -> Self {
        Group {
            next_index: EntryIndex(1),
            applied: EntryIndex(0),
            previous: Position(0),
            pending: Vec::new(),
            bodies: Vec::new(),
            flying: 0,
            end: Position(0),
            deadline: None,
            is_touched: false,
            is_dirty: false,
            machine,
        }
    }

    /// The stream, unless this is the catalog.
    pub fn stream(&mut self) -> Option<&mut StreamGroup> {
        match &mut self.machine {
            Machine::Stream(stream) => Some(stream),
            Machine::Catalog => None,
        }
    }

    /// Adds a change whose body `write` appends.
    pub fn push_change(&mut self, spare: &mut SparePending, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        take_memory(&mut self.pending, &mut self.bodies, spare);
        let start = self.bodies.len();
        write(&mut self.bodies);
        let len = self.bodies.len() - start;
        // Bodies of one turn are bounded by the requests of one turn, far below 4 GiB.
        self.pending.push(Pending::Change { kind, start: start as u32, len: len as u32 });
    }

    /// Adds something that follows once everything before it is committed.
    pub fn push_after(&mut self, spare: &mut SparePending, after: After) {
        take_memory(&mut self.pending, &mut self.bodies, spare);
        self.pending.push(Pending::After(after));
    }

    /// Whether anything of this group is not committed yet.
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.last_proposed() == self.applied
    }

    /// The newest entry.
    pub fn last_proposed(&self) -> EntryIndex {
        EntryIndex(self.next_index.0 - 1)
    }

    /// Index that the next change gets if each pending one becomes an entry of its own, as the catalog's do.
    pub fn index_behind_pending(&self) -> EntryIndex {
        let changes = self.pending.iter().filter(|p| matches!(p, Pending::Change { .. })).count();
        EntryIndex(self.next_index.0 + changes as u64)
    }
}

/// Memory of what was pending in groups.
pub(super) type SparePending = Spare<(Vec<Pending>, Vec<u8>)>;

/// Has memory for what will be pending in a group.
pub(super) fn take_memory(pending: &mut Vec<Pending>, bodies: &mut Vec<u8>, spare: &mut SparePending) {
    if pending.capacity() == 0 && bodies.capacity() == 0 {
        (*pending, *bodies) = spare.take();
    }
}
