//! What a log tells about itself.

use crate::ids::Position;

/// Whether a publish may be admitted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Yes,
    /// Entries or prepared segments are behind, and catching up: leave publishes where they are, refuse nothing.
    Behind,
    /// The disk is full and only the reserve is left: refuse publishes; acks, deletes and purges go on.
    Reserve,
    /// A write or sync has been out for two seconds: refuse publishes.
    Stuck,
    /// A write or sync failed: the log takes nothing more until it is opened again.
    Poisoned,
}

/// How much may be admitted before the log next moves.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Bytes. None: nothing at all.
    pub(super) len: Option<u64>,
    /// What goes for more than that.
    pub(super) beyond: Admission,
}

impl Allowance {
    /// Whether so many bytes, with all that was admitted since, may be admitted.
    #[inline]
    pub fn admits(self, bytes: usize) -> Admission {
        match self.len {
            Some(len) if bytes as u64 <= len => Admission::Yes,
            _ => self.beyond,
        }
    }
}

/// No prepared segment has room, or the log is poisoned or closed; nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// What cannot be read, as a range of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageError {
    pub from: Position,
    pub to: Position,
}

/// The end of a read that `Log::read` started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadDone {
    pub token: u64,
    /// On success `entry` finds the places that were asked for until about `READ_CACHE_LEN` more has been read.
    pub result: Result<(), StorageError>,
}

/// What the log is doing; for monitoring, and for the simulator's choice of where to crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// A write is out.
    pub writing: bool,
    /// Something is written and neither synced nor in a sync that is out.
    pub written_unsynced: bool,
    /// A sync is out.
    pub syncing: bool,
    /// The newest segment's header is not synced yet.
    pub changing_segment: bool,
    /// A checkpoint is being written.
    pub checkpointing: bool,
    /// The newest segment was used before and its header is not synced yet.
    pub recycling: bool,
}

/// Sizes for monitoring and the start-up line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of all segment files.
    pub bytes_on_disk: u64,
    /// Segments that hold something needed.
    pub segments_used: usize,
    /// Prepared segments ready for use.
    pub segments_free: usize,
    /// Bytes of items appended since the start.
    pub appended: u64,
    /// Writes and syncs finished since the start.
    pub writes: u64,
    pub syncs: u64,
    /// Bytes of the last complete checkpoint.
    pub checkpoint_len: u64,
}
