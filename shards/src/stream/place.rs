//! Where a stored message lies.

use crate::ids::Position;

/// Where an entry lies: in the shard's log, or in the memory of a stream with memory storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EntryPlace {
    /// Position in the log; for memory storage the number that `Stream::keep_in_memory` gave.
    pub position: Position,
    /// Length of the entry as the log wants it for a read. Bytes.
    pub len: u32,
}

/// Where the body of one change lies: a record, if the change is a publish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    pub entry: EntryPlace,
    /// Index of the change in the entry's table of changes.
    pub change: u32,
    /// Start of the body within the entry. Bytes.
    pub offset: u32,
    /// Length of the body. Bytes.
    pub len: u32,
}
