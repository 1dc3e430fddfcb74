//! Where a stored message lies.

use crate::ids::EntryPlace;

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
