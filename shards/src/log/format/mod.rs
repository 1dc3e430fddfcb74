//! The log's bytes: envelopes of writes, segment headers, frames of items, pieces of checkpoints (docs/formats.md).
//! May import: ids, limits, encoding.
//! Must not know: when anything is written or read.

mod checkpoint;
mod envelope;
mod item;
mod segment_header;

pub use checkpoint::{CheckpointBegin, CheckpointEnd, CheckpointPiece, CheckpointRef, Pin};
pub use envelope::{ENVELOPE_LEN, Envelope, FLAG_CLOSED, FLAG_FREE, FLAG_SEGMENT, Identity};
pub use item::{FRAME_LEN, Frame, Item, ItemKind, Items, Seal, framed_len};
pub use segment_header::{HEADER_COPY_LEN, HeaderError, SEGMENT_HEADER_LEN, SegmentHeader};

/// Version of everything outside entries.
pub const LOG_FORMAT: u16 = 1;

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the range has this length")
}

#[cfg(test)]
#[path = "format_test.rs"]
mod tests;
