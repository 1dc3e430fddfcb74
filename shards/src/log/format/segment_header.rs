//! The header of a segment: its first write, two blocks that say the same, so that one damaged block costs nothing.

use super::array;
use super::checkpoint::CheckpointRef;
use super::envelope::{ENVELOPE_LEN, Envelope, FLAG_FREE, FLAG_SEGMENT, Identity};
use crate::ids::Position;
use crate::limits::BLOCK_LEN;

/// Length of the header's write: two copies, a block each. Bytes.
pub const SEGMENT_HEADER_LEN: usize = 2 * BLOCK_LEN;
/// Bytes of one copy that mean something; the rest of its block is zero.
pub const HEADER_COPY_LEN: usize = ENVELOPE_LEN + 24 + 2 * CheckpointRef::LEN;

/// What a segment says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Of the header's write; its position is the segment's start.
    pub envelope: Envelope,
    /// Length of the segment. Bytes.
    pub len: u64,
    /// Where the log in front of this segment ends. Everything between there and this segment's start is void: the rest
    /// of the segment before, or what the previous life wrote above its synced mark (which this life copied).
    pub previous_end: Position,
    /// Serial of the segment before; 0: none.
    pub previous_serial: u64,
    /// The newest complete checkpoint, then the one before it, as known when the header was built.
    pub checkpoints: [Option<CheckpointRef>; 2],
}

/// Why bytes are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// Zeros, or neither copy passes its checksum.
    None,
    /// A later version of the format wrote it.
    LaterVersion,
}

impl SegmentHeader {
    /// The header of a prepared file that holds nothing yet.
    pub fn free(identity: Identity, len: u64) -> Self {
        let envelope = Envelope { flags: FLAG_FREE, identity, ..Envelope::default() };
        SegmentHeader { envelope, len, ..SegmentHeader::default() }
    }

    /// Whether the file is prepared and holds nothing.
    pub fn is_free(&self) -> bool {
        self.envelope.flags & FLAG_FREE != 0
    }

    /// First position of the segment.
    pub fn start(&self) -> Position {
        self.envelope.position
    }

    /// First position behind the segment.
    pub fn end(&self) -> Position {
        Position(self.start().0 + self.len)
    }

    /// Writes both copies over `out`, which has `SEGMENT_HEADER_LEN` bytes. Returns the checksum, which the next envelope
    /// carries.
    pub fn encode(&self, out: &mut [u8]) -> u32 {
        out.fill(0);
        let (first, second) = out.split_at_mut(BLOCK_LEN);
        self.envelope.write(first);
        first[96..104].copy_from_slice(&self.len.to_le_bytes());
        first[104..112].copy_from_slice(&self.previous_end.0.to_le_bytes());
        first[112..120].copy_from_slice(&self.previous_serial.to_le_bytes());
        for (i, checkpoint) in self.checkpoints.iter().enumerate() {
            let at = 120 + i * CheckpointRef::LEN;
            CheckpointRef::encode(checkpoint.as_ref(), &mut first[at..at + CheckpointRef::LEN]);
        }
        let checksum = crc32c::crc32c(&first[4..HEADER_COPY_LEN]);
        first[..4].copy_from_slice(&checksum.to_le_bytes());
        second[..HEADER_COPY_LEN].copy_from_slice(&first[..HEADER_COPY_LEN]);
        checksum
    }

    /// Reads whichever copy is whole, and its checksum. A crash can leave the copies of two headers: then the newer.
    pub fn decode(bytes: &[u8]) -> Result<(SegmentHeader, u32), HeaderError> {
        let copies = || bytes.chunks(BLOCK_LEN).take(2).filter_map(|copy| copy.get(..HEADER_COPY_LEN));
        let newest = copies()
            .filter_map(SegmentHeader::decode_copy)
            .max_by_key(|(header, _)| header.envelope.identity.serial);
        if let Some(found) = newest {
            return Ok(found);
        }
        let later = copies().any(Envelope::is_later_version);
        Err(if later { HeaderError::LaterVersion } else { HeaderError::None })
    }

    fn decode_copy(bytes: &[u8]) -> Option<(SegmentHeader, u32)> {
        let checksum = u32::from_le_bytes(array(bytes, 0));
        if crc32c::crc32c(&bytes[4..HEADER_COPY_LEN]) != checksum {
            return None;
        }
        let envelope = Envelope::read(bytes)?;
        let len = u64::from_le_bytes(array(bytes, 96));
        let is_header = envelope.flags & (FLAG_SEGMENT | FLAG_FREE) != 0
            && len >= SEGMENT_HEADER_LEN as u64
            && len.is_multiple_of(BLOCK_LEN as u64)
            && envelope.position.0.checked_add(len).is_some();
        if !is_header {
            return None;
        }
        let checkpoint = |i: usize| CheckpointRef::decode(&bytes[120 + i * CheckpointRef::LEN..]);
        let header = SegmentHeader {
            envelope,
            len,
            previous_end: Position(u64::from_le_bytes(array(bytes, 104))),
            previous_serial: u64::from_le_bytes(array(bytes, 112)),
            checkpoints: [checkpoint(0), checkpoint(1)],
        };
        Some((header, checksum))
    }
}
