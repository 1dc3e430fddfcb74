//! A stored message as bytes: what a publish change holds in the log and in memory storage.
//! May import: ids, time, limits, encoding, headers, messages.
//! Must not know: entries, checksums, where a record is stored.
//!
//! The layout is in docs/formats.md, section "Records". Lengths are multiples of 8, so records lie back to back on
//! 8-byte borders. A checksum belongs to the change that holds the record, not to the record.

use crate::encoding::{Malformed, Reader};
use crate::ids::StreamSeq;
use crate::messages::MessageView;
use crate::time::WallTime;

/// Length of the part that every record has. Bytes.
pub const RECORD_HEADER_LEN: usize = 24;

/// Longest subject of a stored message. Bytes.
pub const SUBJECT_LEN_MAX: usize = u16::MAX as usize;

/// Longest header block of a stored message. Bytes. Source: nats-server, server/stream.go (`JSMaxHeaderLen`).
pub const HEADER_BLOCK_LEN_MAX: usize = u16::MAX as usize;

/// What a message asks for besides being stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rollup {
    /// Nothing.
    #[default]
    None,
    /// `Nats-Rollup: sub`: older messages on its subject go.
    Subject,
    /// `Nats-Rollup: all`: all older messages go.
    All,
}

/// How long a message may stay, from its own `Nats-TTL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ttl {
    /// Nothing of its own.
    #[default]
    None,
    /// Until this many seconds after its timestamp.
    Seconds(u64),
    /// For ever: `max_age` does not apply.
    Never,
}

/// A message about to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub seq: StreamSeq,
    pub time: WallTime,
    pub subject: &'a [u8],
    /// Without inline status; empty: none.
    pub headers: StoredHeaders<'a>,
    pub payload: &'a [u8],
    pub rollup: Rollup,
    pub ttl: Ttl,
    /// Whether the headers hold a `Nats-Msg-Id` that is not empty.
    pub has_msg_id: bool,
}

/// A header block as it is stored: an inline status after `NATS/1.0` is left out.
/// Source: nats-server, server/stream.go (`removeHeaderStatusIfPresent`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredHeaders<'a> {
    version: &'a [u8],
    rest: &'a [u8],
}

impl<'a> StoredHeaders<'a> {
    /// Of a block as a client sent it; empty: none.
    pub fn of(block: &'a [u8]) -> Self {
        const EMPTY_BLOCK_LEN: usize = b"NATS/1.0\r\n\r\n".len();
        let version_len = crate::headers::VERSION.len();
        if block.get(version_len) == Some(&b'\r') || !block.starts_with(crate::headers::VERSION) {
            return StoredHeaders { version: &[], rest: block };
        }
        let Some(line_end) = memchr::memchr(b'\r', block) else {
            return StoredHeaders { version: &[], rest: block };
        };
        let headers = StoredHeaders { version: &block[..version_len], rest: &block[line_end..] };
        if headers.len() <= EMPTY_BLOCK_LEN { StoredHeaders::default() } else { headers }
    }

    /// Bytes as stored.
    pub fn len(&self) -> usize {
        self.version.len() + self.rest.len()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Length of a record. Bytes, a multiple of 8.
pub fn encoded_len(subject_len: usize, headers_len: usize, payload_len: usize, has_ttl: bool) -> usize {
    let ttl_len = if has_ttl { TTL_LEN } else { 0 };
    (RECORD_HEADER_LEN + ttl_len + subject_len + headers_len + payload_len).next_multiple_of(8)
}

impl Record<'_> {
    /// Length as `write_to` needs it. Bytes.
    pub fn encoded_len(&self) -> usize {
        let has_ttl = self.ttl != Ttl::None;
        encoded_len(self.subject.len(), self.headers.len(), self.payload.len(), has_ttl)
    }

    /// Fills `out`, which is exactly `encoded_len` long. Subject, headers and payload are within their limits: admission
    /// has refused everything longer.
    pub fn write_to(&self, out: &mut [u8]) {
        assert_eq!(out.len(), self.encoded_len());
        assert!(self.subject.len() <= SUBJECT_LEN_MAX && self.headers.len() <= HEADER_BLOCK_LEN_MAX);
        assert!(self.payload.len() <= PAYLOAD_LEN_MASK as usize);
        out[0..8].copy_from_slice(&self.seq.0.to_le_bytes());
        out[8..16].copy_from_slice(&self.time.0.to_le_bytes());
        let payload_and_flags = self.payload.len() as u32 | u32::from(self.flags()) << FLAGS_SHIFT;
        out[16..20].copy_from_slice(&payload_and_flags.to_le_bytes());
        out[20..22].copy_from_slice(&(self.subject.len() as u16).to_le_bytes());
        out[22..24].copy_from_slice(&(self.headers.len() as u16).to_le_bytes());
        let mut rest = &mut out[RECORD_HEADER_LEN..];
        if self.ttl != Ttl::None {
            let seconds = if let Ttl::Seconds(seconds) = self.ttl { seconds } else { 0 };
            put(&mut rest, &seconds.to_le_bytes());
        }
        put(&mut rest, self.subject);
        put(&mut rest, self.headers.version);
        put(&mut rest, self.headers.rest);
        put(&mut rest, self.payload);
        rest.fill(0);
    }

    fn flags(&self) -> u8 {
        let rollup = match self.rollup {
            Rollup::None => 0,
            Rollup::Subject => FLAG_ROLLUP_SUBJECT,
            Rollup::All => FLAG_ROLLUP_ALL,
        };
        let ttl = match self.ttl {
            Ttl::None => 0,
            Ttl::Seconds(_) => FLAG_TTL,
            Ttl::Never => FLAG_TTL | FLAG_TTL_NEVER,
        };
        rollup | ttl | if self.has_msg_id { FLAG_MSG_ID } else { 0 }
    }
}

/// A record read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    pub seq: StreamSeq,
    pub time: WallTime,
    pub subject: &'a [u8],
    pub headers: &'a [u8],
    pub payload: &'a [u8],
    pub rollup: Rollup,
    pub ttl: Ttl,
    pub has_msg_id: bool,
}

impl<'a> RecordView<'a> {
    /// Reads a record that fills `bytes` exactly. Errors: lengths that do not add up, unknown flags, padding that is not
    /// zero.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let seq = StreamSeq(reader.u64()?);
        let time = WallTime(reader.u64()?);
        let payload_and_flags = reader.u32()?;
        let subject_len = usize::from(reader.u16()?);
        let headers_len = usize::from(reader.u16()?);
        let flags = (payload_and_flags >> FLAGS_SHIFT) as u8;
        if flags & !FLAGS_KNOWN != 0 {
            return Err(Malformed);
        }
        let rollup = match flags & (FLAG_ROLLUP_SUBJECT | FLAG_ROLLUP_ALL) {
            0 => Rollup::None,
            FLAG_ROLLUP_SUBJECT => Rollup::Subject,
            FLAG_ROLLUP_ALL => Rollup::All,
            _ => return Err(Malformed),
        };
        let ttl = match flags & (FLAG_TTL | FLAG_TTL_NEVER) {
            0 => Ttl::None,
            FLAG_TTL => Ttl::Seconds(reader.u64()?),
            FLAG_TTL_NEVER => return Err(Malformed),
            _ if reader.u64()? == 0 => Ttl::Never,
            _ => return Err(Malformed),
        };
        let subject = reader.take(subject_len)?;
        let headers = reader.take(headers_len)?;
        let payload = reader.take((payload_and_flags & PAYLOAD_LEN_MASK) as usize)?;
        let padding = reader.remaining();
        if padding >= 8
            || !bytes.len().is_multiple_of(8)
            || reader.take(padding)?.iter().any(|&byte| byte != 0)
        {
            return Err(Malformed);
        }
        let has_msg_id = flags & FLAG_MSG_ID != 0;
        Ok(RecordView { seq, time, subject, headers, payload, rollup, ttl, has_msg_id })
    }

    /// The message, for consumers and clients.
    pub fn message(&self) -> MessageView<'a> {
        MessageView {
            seq: self.seq,
            time: self.time,
            subject: self.subject,
            headers: self.headers,
            payload: self.payload,
        }
    }
}

fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    let (head, tail) = std::mem::take(rest).split_at_mut(bytes.len());
    head.copy_from_slice(bytes);
    *rest = tail;
}

const TTL_LEN: usize = 8;
const PAYLOAD_LEN_MASK: u32 = (1 << FLAGS_SHIFT) - 1;
const FLAGS_SHIFT: u32 = 24;
const FLAG_ROLLUP_SUBJECT: u8 = 1;
const FLAG_ROLLUP_ALL: u8 = 2;
const FLAG_TTL: u8 = 4;
const FLAG_TTL_NEVER: u8 = 8;
const FLAG_MSG_ID: u8 = 16;
const FLAGS_KNOWN: u8 = 31;

const _: () = assert!(crate::limits::MAX_PAYLOAD_MAX <= PAYLOAD_LEN_MASK as usize);

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(headers: &'a [u8], payload: &'a [u8], ttl: Ttl) -> Record<'a> {
        Record {
            seq: StreamSeq(7),
            time: WallTime(1_000),
            subject: b"orders.eu",
            headers: StoredHeaders::of(headers),
            payload,
            rollup: Rollup::Subject,
            ttl,
            has_msg_id: true,
        }
    }

    fn bytes_of(record: &Record<'_>) -> Vec<u8> {
        let mut out = vec![0xff; record.encoded_len()];
        record.write_to(&mut out);
        out
    }

    #[test]
    fn what_was_written_is_read_back() {
        for ttl in [Ttl::None, Ttl::Seconds(90), Ttl::Never] {
            let bytes = bytes_of(&record(b"NATS/1.0\r\nA: b\r\n\r\n", b"hello", ttl));
            let view = RecordView::parse(&bytes).unwrap();
            assert_eq!(bytes.len() % 8, 0);
            assert_eq!((view.seq, view.time, view.ttl), (StreamSeq(7), WallTime(1_000), ttl));
            assert_eq!((view.subject, view.payload), (&b"orders.eu"[..], &b"hello"[..]));
            assert_eq!(view.headers, b"NATS/1.0\r\nA: b\r\n\r\n");
            assert_eq!((view.rollup, view.has_msg_id), (Rollup::Subject, true));
        }
    }

    #[test]
    fn an_inline_status_is_not_stored() {
        let bytes = bytes_of(&record(b"NATS/1.0 503 No Responders\r\nA: b\r\n\r\n", b"", Ttl::None));
        assert_eq!(RecordView::parse(&bytes).unwrap().headers, b"NATS/1.0\r\nA: b\r\n\r\n");
        assert!(StoredHeaders::of(b"NATS/1.0 503\r\n\r\n").is_empty());
        assert_eq!(StoredHeaders::of(b"NATS/1.0\r\n\r\n").len(), 12);
    }

    #[test]
    fn a_record_cut_anywhere_is_malformed() {
        let bytes = bytes_of(&record(b"NATS/1.0\r\nA: b\r\n\r\n", b"hello", Ttl::Seconds(1)));
        for len in 0..bytes.len() {
            assert_eq!(RecordView::parse(&bytes[..len]), Err(Malformed), "{len}");
        }
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut state = 1u64;
        for round in 0..20_000usize {
            let bytes: Vec<u8> = (0..round % 96)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 56) as u8 & if round % 2 == 0 { 0xff } else { 0x0f }
                })
                .collect();
            let _ = RecordView::parse(&bytes);
        }
    }
}
