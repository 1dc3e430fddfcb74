//! Items: what lies behind an envelope. Each has a frame that is sealed to its place, so that an entry read alone is
//! known to belong there without reading the envelope of a write of up to a megabyte.

use super::array;
use super::envelope::{ENVELOPE_LEN, Envelope, Identity};
use crate::ids::Position;
use crate::log::entry::EntryView;
use std::ops::Range;

/// Length of the frame before each item's body. Bytes.
pub const FRAME_LEN: usize = 24;
/// Items begin on such a border from the start of their write. Bytes.
const ALIGNMENT: usize = 8;

/// Bytes that an item takes in a write.
pub const fn framed_len(body_len: usize) -> usize {
    (FRAME_LEN + body_len).next_multiple_of(ALIGNMENT)
}

/// What an item is. Numbers are part of the format; those not produced by one node alone are reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ItemKind {
    /// A group's batch of changes.
    Entry = 1,
    /// Messages of one stream, moved together by compaction. Reserved.
    Run = 2,
    /// The end of a group's log moves back. Reserved.
    Truncation = 3,
    CheckpointBegin = 4,
    CheckpointPiece = 5,
    CheckpointEnd = 6,
    /// Term, vote, acked index and replica id of a group. Reserved.
    HardState = 7,
    /// A group has ended and its id is never used again. Reserved.
    Tombstone = 8,
    /// Nothing; carries an envelope with a newer mark. An envelope without items means the same.
    Mark = 9,
    /// Nothing; fills space.
    Pad = 10,
    /// An entry without changes, as a new leader writes it. Reserved.
    Noop = 11,
}

impl ItemKind {
    /// `None`: a later version's.
    pub fn from_byte(byte: u8) -> Option<Self> {
        use ItemKind::*;
        [Entry, Run, Truncation, CheckpointBegin, CheckpointPiece, CheckpointEnd]
            .into_iter()
            .chain([HardState, Tombstone, Mark, Pad, Noop])
            .find(|&kind| kind as u8 == byte)
    }
}

/// What the checksums of frames in one segment start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seal {
    base: u32,
}

impl Seal {
    pub fn of(identity: &Identity) -> Self {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&identity.log_id.to_le_bytes());
        bytes[16..24].copy_from_slice(&identity.life.to_le_bytes());
        bytes[24..].copy_from_slice(&identity.serial.to_le_bytes());
        Seal { base: crc32c::crc32c(&bytes) }
    }

    fn checksum(self, position: Position, frame: &[u8]) -> u32 {
        crc32c::crc32c_append(
            crc32c::crc32c_append(self.base, &position.0.to_le_bytes()),
            &frame[4..FRAME_LEN],
        )
    }
}

/// The frame before an item's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// An `ItemKind`, or a later version's.
    pub kind: u8,
    /// Length of the body. Bytes.
    pub len: u32,
    /// Of an entry: the checksum of its header and table. Of anything else: of its whole body.
    pub checksum: u32,
    /// Position of the group's previous entry; 0: none.
    pub previous: Position,
}

impl Frame {
    /// Writes the frame, sealed to `position`, over the first `FRAME_LEN` bytes of `out`.
    pub fn encode(&self, seal: Seal, position: Position, out: &mut [u8]) {
        out[4..8].copy_from_slice(&[self.kind, 0, 0, 0]);
        out[8..12].copy_from_slice(&self.len.to_le_bytes());
        out[12..16].copy_from_slice(&self.checksum.to_le_bytes());
        out[16..24].copy_from_slice(&self.previous.0.to_le_bytes());
        let checksum = seal.checksum(position, out);
        out[..4].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads a frame that must lie at `position`. `None`: it does not, or is damaged.
    pub fn decode(bytes: &[u8], seal: Seal, position: Position) -> Option<Frame> {
        let bytes = bytes.get(..FRAME_LEN)?;
        if seal.checksum(position, bytes) != u32::from_le_bytes(array(bytes, 0)) {
            return None;
        }
        Some(Frame {
            kind: bytes[4],
            len: u32::from_le_bytes(array(bytes, 8)),
            checksum: u32::from_le_bytes(array(bytes, 12)),
            previous: Position(u64::from_le_bytes(array(bytes, 16))),
        })
    }

    /// Whether `body` is what the frame was made for. The changes of an entry are not looked at.
    pub fn covers(&self, body: &[u8]) -> bool {
        if self.kind == ItemKind::Entry as u8 {
            EntryView::parse(body).is_ok_and(|entry| entry.checksum() == self.checksum)
        } else {
            crc32c::crc32c(body) == self.checksum
        }
    }
}

/// An item in a write.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    pub position: Position,
    pub frame: Frame,
    pub body: &'a [u8],
}

/// The items of one write, in order. A damaged body costs that item; a damaged frame costs everything behind it too.
#[derive(Debug)]
pub struct Items<'a> {
    write: &'a [u8],
    start: Position,
    seal: Seal,
    at: usize,
    left: u32,
}

impl<'a> Items<'a> {
    /// `write` is the whole write, envelope included.
    pub fn new(write: &'a [u8], envelope: &Envelope) -> Self {
        let used = (envelope.used as usize).min(write.len());
        Items {
            write: &write[..used],
            start: envelope.position,
            seal: Seal::of(&envelope.identity),
            at: ENVELOPE_LEN,
            left: envelope.items,
        }
    }
}

impl<'a> Iterator for Items<'a> {
    /// An error carries the positions between which nothing can be read.
    type Item = Result<Item<'a>, Range<Position>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let at = |offset: usize| Position(self.start.0 + offset as u64);
        let position = at(self.at);
        let framed = self.write.get(self.at..).and_then(|bytes| {
            let frame = Frame::decode(bytes, self.seal, position)?;
            Some((frame, bytes.get(FRAME_LEN..)?.get(..frame.len as usize)?))
        });
        let Some((frame, body)) = framed else {
            self.left = 0;
            return Some(Err(position..at(self.write.len())));
        };
        let end = self.at + framed_len(body.len());
        let item =
            if frame.covers(body) { Ok(Item { position, frame, body }) } else { Err(position..at(end)) };
        self.left -= 1;
        self.at = end;
        Some(item)
    }
}
