//! What the log asks of a disk, and what comes back.

use std::rc::Rc;

/// Number of a segment file in the shard's directory; files are reused, numbers are not given twice to live files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentFile(pub u32);

/// Memory for direct I/O: aligned to and a multiple of `BLOCK_LEN`.
pub use super::buffer::AlignedBuffer;

/// One operation. Completions carry the token back, in any order; no order between operations may be assumed.
#[derive(Clone, Debug)]
pub enum DiskOp {
    /// Writes the whole buffer at a block border.
    Write { token: u64, file: SegmentFile, offset: u64, data: Rc<AlignedBuffer> },
    /// Makes everything durable that completed before in these files.
    Sync { token: u64, files: Vec<SegmentFile> },
    /// Reads whole blocks.
    Read { token: u64, file: SegmentFile, offset: u64, len: usize },
    /// Creates the file if need be, really writes zeros over its whole length and syncs it and the directory.
    Prepare { token: u64, file: SegmentFile, len: u64 },
}

/// The end of one operation.
#[derive(Debug)]
pub struct DiskDone {
    pub token: u64,
    pub result: Result<DiskData, DiskError>,
}

/// What a successful operation brings.
#[derive(Debug)]
pub enum DiskData {
    Nothing,
    Read(AlignedBuffer),
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskError {
    /// No room on the device (ENOSPC, EDQUOT).
    Full,
    /// Everything else.
    Io,
}
