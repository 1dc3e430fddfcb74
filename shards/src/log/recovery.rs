//! From segment files to a log that may be appended to: what a scan keeps, what it cuts, what it reports as damage.

use super::disk_op::{DiskDone, DiskOp, SegmentFile};
use super::entry::EntryPlace;
use super::live::{Log, StorageError};
use super::options::LogOptions;
use crate::ids::{EntryIndex, GroupId, Term};

/// The opening of a log. Drive it: `poll_op` to the disk, `handle_disk` back, `poll_item` to the shard, until `is_done`.
#[derive(Debug)]
pub struct Recovery {}

/// What recovery hands over, in this order: group states of the checkpoint, then the entries behind it.
#[derive(Debug)]
pub enum RecoveredItem {
    /// A group's state after its entry `covers`.
    Group { group: GroupId, covers: EntryIndex, state: Vec<u8> },
    /// An entry, possibly one that the group's state covers already. Parse `bytes` with `EntryView::parse`, which has
    /// succeeded once; a change may still be damaged (it is in the report then).
    Entry { place: EntryPlace, bytes: Vec<u8> },
}

/// Why a log cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// No segment can be prepared: the disk is full.
    Full,
    /// A read, write or sync failed.
    Io,
    /// A later version wrote the log.
    LaterVersion,
}

/// What recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Ranges below the synced mark that cannot be read; nothing of them was cut.
    pub damage: Vec<StorageError>,
    /// Bytes of writes above the synced mark that were cut: torn, or behind a torn one.
    pub bytes_cut: u64,
    /// Entries handed over.
    pub entries: u64,
    /// Bytes of the tail that was read.
    pub tail_len: u64,
    /// Bytes above the synced mark that were written and synced again.
    pub bytes_copied: u64,
    /// Files that belong to another log; they are left alone.
    pub foreign_files: Vec<SegmentFile>,
}

impl Recovery {
    /// Opens the log in these files (number and length in bytes; any order). No files: a new log.
    pub fn open(options: LogOptions, files: Vec<(SegmentFile, u64)>) -> Self {
        let _ = (options, files);
        unimplemented!()
    }

    /// The next operation for the disk.
    pub fn poll_op(&mut self) -> Option<DiskOp> {
        unimplemented!()
    }

    /// An operation has ended.
    pub fn handle_disk(&mut self, done: DiskDone) {
        let _ = done;
        unimplemented!()
    }

    /// The next recovered item, if one is ready.
    pub fn poll_item(&mut self) -> Option<RecoveredItem> {
        unimplemented!()
    }

    /// The epoch of the life that begins: the term of groups of one. Known as soon as the first item is.
    pub fn epoch(&self) -> Term {
        unimplemented!()
    }

    /// Whether everything was handed over and the kept tail is synced, or why it never will.
    pub fn is_done(&self) -> Result<bool, OpenError> {
        unimplemented!()
    }

    /// The log, ready to be appended to. Only when `is_done` says `Ok(true)`.
    pub fn finish(self) -> (Log, RecoveryReport) {
        unimplemented!()
    }
}
