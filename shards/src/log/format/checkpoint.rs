//! What a checkpoint consists of: a begin, pieces of group states, an end that proves that nothing is missing.

use super::array;
use crate::encoding::{Malformed, Reader, Write};
use crate::ids::{EntryIndex, GroupId, Position};

/// Where a complete checkpoint lies; kept in segment headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckpointRef {
    /// From 1, raised with each checkpoint.
    pub number: u64,
    /// Of the write that holds its begin.
    pub begin: Position,
    /// Of the write that holds its end.
    pub end_write: Position,
    /// First position behind its end.
    pub end: Position,
    /// Entries from here on may not be in it.
    pub tail_start: Position,
}

impl CheckpointRef {
    /// Length in a segment header. Bytes.
    pub const LEN: usize = 40;

    /// All zeros: none.
    pub(super) fn encode(this: Option<&Self>, out: &mut [u8]) {
        let this = this.copied().unwrap_or_default();
        let fields = [this.number, this.begin.0, this.end_write.0, this.end.0, this.tail_start.0];
        for (field, out) in fields.into_iter().zip(out.chunks_exact_mut(8)) {
            out.copy_from_slice(&field.to_le_bytes());
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let field = |i: usize| u64::from_le_bytes(array(bytes, i * 8));
        let this = CheckpointRef {
            number: field(0),
            begin: Position(field(1)),
            end_write: Position(field(2)),
            end: Position(field(3)),
            tail_start: Position(field(4)),
        };
        (this.number != 0 && this.tail_start <= this.begin && this.begin <= this.end_write).then_some(this)
    }
}

/// The first item of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointBegin {
    pub number: u64,
    /// Every entry below was applied to the states that follow.
    pub tail_start: Position,
}

impl CheckpointBegin {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.number);
        out.put_u64(self.tail_start.0);
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let this = CheckpointBegin { number: r.u64()?, tail_start: Position(r.u64()?) };
        r.finish()?;
        Ok(this)
    }
}

/// A part of one group's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointPiece<'a> {
    pub number: u64,
    pub group: GroupId,
    /// Last entry of the group that is in the state.
    pub covers: EntryIndex,
    /// Length of the whole state. Bytes.
    pub total: u64,
    /// Where this part begins in it. Bytes.
    pub offset: u64,
    pub bytes: &'a [u8],
}

impl<'a> CheckpointPiece<'a> {
    /// Bytes of a piece without its part of the state.
    pub const HEADER_LEN: usize = 40;

    pub fn encode(&self, out: &mut Vec<u8>) {
        for field in [self.number, self.group.0, self.covers.0, self.total, self.offset] {
            out.put_u64(field);
        }
        out.extend_from_slice(self.bytes);
    }

    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let (number, group, covers) = (r.u64()?, GroupId(r.u64()?), EntryIndex(r.u64()?));
        let (total, offset) = (r.u64()?, r.u64()?);
        let bytes = r.take(r.remaining())?;
        let fits = offset.checked_add(bytes.len() as u64).is_some_and(|end| end <= total);
        if fits {
            Ok(CheckpointPiece { number, group, covers, total, offset, bytes })
        } else {
            Err(Malformed)
        }
    }
}

/// A segment to which a checkpoint refers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    pub serial: u64,
    pub start: Position,
    /// Bytes.
    pub len: u64,
}

/// The last item of a checkpoint. Only with it the checkpoint is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointEnd {
    pub number: u64,
    /// Number of groups.
    pub groups: u64,
    /// Sum of the groups' states. Bytes.
    pub bytes: u64,
    /// Segments to which the states refer, by serial.
    pub pins: Vec<Pin>,
}

impl CheckpointEnd {
    pub fn encode(&self, out: &mut Vec<u8>) {
        for field in [self.number, self.groups, self.bytes, self.pins.len() as u64] {
            out.put_u64(field);
        }
        for pin in &self.pins {
            out.put_u64(pin.serial);
            out.put_u64(pin.start.0);
            out.put_u64(pin.len);
        }
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let (number, groups, len, pins) = (r.u64()?, r.u64()?, r.u64()?, r.u64()?);
        if pins.checked_mul(24) != Some(r.remaining() as u64) {
            return Err(Malformed);
        }
        let pins = (0..pins)
            .map(|_| Ok(Pin { serial: r.u64()?, start: Position(r.u64()?), len: r.u64()? }))
            .collect::<Result<_, Malformed>>()?;
        Ok(CheckpointEnd { number, groups, bytes: len, pins })
    }
}
