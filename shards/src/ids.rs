//! Newtypes for every kind of number, so that none can be taken for another; who asked, and where an entry lies.
//! May import: nothing.
//! Must not know: what the numbers count.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// One executor of this process. Dense from 0.
    CoreId(u16)
}
number! {
    /// One log with the groups in it. Shard 0 holds the catalog. Dense from 0; a core carries one or more.
    ShardId(u16)
}
number! {
    /// An account: a subject space of its own. 0 is the global account `$G`.
    AccountId(u32)
}
number! {
    /// A replicated group: the catalog (1) or one stream. The index of the catalog entry that created it; never reused.
    GroupId(u64)
}
number! {
    /// A consumer within its stream's group: the index of the entry that created it; never reused.
    ConsumerId(u64)
}
number! {
    /// Sequence of a message in its stream, from 1. 0 means "none".
    StreamSeq(u64)
}
number! {
    /// Delivery sequence of a consumer, from 1. 0 means "none".
    ConsumerSeq(u64)
}
number! {
    /// Raft term. For a group of one: the epoch of its shard's log.
    Term(u64)
}
number! {
    /// Index of an entry within its group, from 1.
    EntryIndex(u64)
}
number! {
    /// Place in a shard's log in bytes, over all segments; never reused.
    Position(u64)
}
number! {
    /// Number of a change to something of which every core holds a copy. A late update with a smaller one loses.
    Revision(u64)
}

/// Who asked: a connection on a core. An answer for a connection that has gone is dropped by `generation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Core on which the connection lives.
    pub core: CoreId,
    /// Slot in that core's table of connections.
    pub slot: u32,
    /// Raised each time the slot is given to another connection.
    pub generation: u32,
}

/// Where an entry lies: in its shard's log, or in the memory of a stream with memory storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryPlace {
    /// In the log, of the first byte of the item that holds the entry (its frame); in memory a number of the stream's own.
    pub position: Position,
    /// Length of the entry without the frame. Bytes.
    pub len: u32,
}

impl GroupId {
    /// The catalog of streams, a group of its own on shard 0.
    pub const CATALOG: GroupId = GroupId(1);
}

impl AccountId {
    /// `$G`, the account of clients that are bound to no other.
    pub const GLOBAL: AccountId = AccountId(0);
}
