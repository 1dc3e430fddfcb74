//! The envelope: the first bytes of every write.

use super::{LOG_FORMAT, array};
use crate::ids::Position;

/// Length of an envelope. Bytes.
pub const ENVELOPE_LEN: usize = 96;
/// This write is the header of a segment.
pub const FLAG_SEGMENT: u16 = 1;
/// With this write the log was closed in order.
pub const FLAG_CLOSED: u16 = 2;
/// This header says that its file is prepared and holds nothing.
pub const FLAG_FREE: u16 = 4;

const MAGIC: u32 = u32::from_le_bytes(*b"MRLG");

/// Whose write it is: a stale or misdirected block has another identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Random, the same in every segment of a log.
    pub log_id: u128,
    /// Random, new at each start.
    pub life: u64,
    /// Number of this use of a segment file; never reused.
    pub serial: u64,
    /// Raised durably at each start.
    pub epoch: u64,
}

/// What the first bytes of a write say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    pub flags: u16,
    /// Number of items behind the envelope.
    pub items: u32,
    pub identity: Identity,
    /// Of the envelope's first byte.
    pub position: Position,
    /// Everything below was synced when this write was built.
    pub synced_mark: Position,
    /// Length of the whole write. Bytes, a multiple of `BLOCK_LEN`.
    pub len: u32,
    /// Bytes up to the end of the last item; the rest is padding.
    pub used: u32,
    /// Checksum of the envelope before this one in the life; 0 in its first.
    pub previous_checksum: u32,
}

impl Envelope {
    /// Writes everything but the checksum over the start of `out`.
    pub(super) fn write(&self, out: &mut [u8]) {
        out[4..8].copy_from_slice(&MAGIC.to_le_bytes());
        out[8..10].copy_from_slice(&LOG_FORMAT.to_le_bytes());
        out[10..12].copy_from_slice(&self.flags.to_le_bytes());
        out[12..16].copy_from_slice(&self.items.to_le_bytes());
        out[16..32].copy_from_slice(&self.identity.log_id.to_le_bytes());
        out[32..40].copy_from_slice(&self.identity.life.to_le_bytes());
        out[40..48].copy_from_slice(&self.identity.serial.to_le_bytes());
        out[48..56].copy_from_slice(&self.identity.epoch.to_le_bytes());
        out[56..64].copy_from_slice(&self.position.0.to_le_bytes());
        out[64..72].copy_from_slice(&self.synced_mark.0.to_le_bytes());
        out[72..76].copy_from_slice(&self.len.to_le_bytes());
        out[76..80].copy_from_slice(&self.used.to_le_bytes());
        out[80..84].copy_from_slice(&self.previous_checksum.to_le_bytes());
        out[84..ENVELOPE_LEN].fill(0);
    }

    /// Writes the envelope over the first `ENVELOPE_LEN` bytes of `out`. Returns its checksum.
    pub fn encode(&self, out: &mut [u8]) -> u32 {
        self.write(out);
        let checksum = crc32c::crc32c(&out[4..ENVELOPE_LEN]);
        out[..4].copy_from_slice(&checksum.to_le_bytes());
        checksum
    }

    /// Reads the envelope of an ordinary write and its checksum. `None`: it is none, or damaged, or a later version's.
    pub fn decode(bytes: &[u8]) -> Option<(Envelope, u32)> {
        let bytes = bytes.get(..ENVELOPE_LEN)?;
        let checksum = u32::from_le_bytes(array(bytes, 0));
        if crc32c::crc32c(&bytes[4..]) != checksum {
            return None;
        }
        let envelope = Envelope::read(bytes)?;
        let fits = envelope.flags & (FLAG_SEGMENT | FLAG_FREE) == 0
            && envelope.used <= envelope.len
            && envelope.used as usize >= ENVELOPE_LEN;
        fits.then_some((envelope, checksum))
    }

    /// Reads the fields without looking at the checksum.
    pub(super) fn read(bytes: &[u8]) -> Option<Envelope> {
        if u32::from_le_bytes(array(bytes, 4)) != MAGIC || u16::from_le_bytes(array(bytes, 8)) != LOG_FORMAT {
            return None;
        }
        Some(Envelope {
            flags: u16::from_le_bytes(array(bytes, 10)),
            items: u32::from_le_bytes(array(bytes, 12)),
            identity: Identity {
                log_id: u128::from_le_bytes(array(bytes, 16)),
                life: u64::from_le_bytes(array(bytes, 32)),
                serial: u64::from_le_bytes(array(bytes, 40)),
                epoch: u64::from_le_bytes(array(bytes, 48)),
            },
            position: Position(u64::from_le_bytes(array(bytes, 56))),
            synced_mark: Position(u64::from_le_bytes(array(bytes, 64))),
            len: u32::from_le_bytes(array(bytes, 72)),
            used: u32::from_le_bytes(array(bytes, 76)),
            previous_checksum: u32::from_le_bytes(array(bytes, 80)),
        })
    }

    /// Whether the bytes begin as an envelope of a later version does.
    pub(super) fn is_later_version(bytes: &[u8]) -> bool {
        u32::from_le_bytes(array(bytes, 4)) == MAGIC && u16::from_le_bytes(array(bytes, 8)) > LOG_FORMAT
    }
}
