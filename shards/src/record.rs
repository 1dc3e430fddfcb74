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
    #[inline]
    pub fn of(block: &'a [u8]) -> Self {
        if block.is_empty() {
            return StoredHeaders::default();
        }
        StoredHeaders::of_block(block)
    }

    fn of_block(block: &'a [u8]) -> Self {
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
    #[inline]
    pub fn encoded_len(&self) -> usize {
        let has_ttl = self.ttl != Ttl::None;
        encoded_len(self.subject.len(), self.headers.len(), self.payload.len(), has_ttl)
    }

    /// Fills `out`, which is exactly `encoded_len` long. Subject, headers and payload are within their limits: admission
    /// has refused everything longer.
    #[inline]
    pub fn write_to(&self, out: &mut [u8]) {
        let (subject_len, headers_len, payload_len) =
            (self.subject.len(), self.headers.len(), self.payload.len());
        assert!(subject_len <= SUBJECT_LEN_MAX && headers_len <= HEADER_BLOCK_LEN_MAX);
        assert!(payload_len <= PAYLOAD_LEN_MASK as usize);
        assert_eq!(out.len(), self.encoded_len());
        let mut head = [0; RECORD_HEADER_LEN];
        head[0..8].copy_from_slice(&self.seq.0.to_le_bytes());
        head[8..16].copy_from_slice(&self.time.0.to_le_bytes());
        let lengths = payload_len as u64
            | u64::from(self.flags()) << FLAGS_SHIFT
            | (subject_len as u64) << 32
            | (headers_len as u64) << 48;
        head[16..24].copy_from_slice(&lengths.to_le_bytes());
        let (to, mut rest) = out.split_at_mut(RECORD_HEADER_LEN);
        to.copy_from_slice(&head);
        // The padding is in the last word; what is not padding is written over it.
        if let Some(last) = rest.last_chunk_mut::<8>() {
            *last = [0; 8];
        }
        if self.ttl != Ttl::None {
            let seconds = if let Ttl::Seconds(seconds) = self.ttl { seconds } else { 0 };
            put(&mut rest, &seconds.to_le_bytes());
        }
        put(&mut rest, self.subject);
        if headers_len > 0 {
            put(&mut rest, self.headers.version);
            put(&mut rest, self.headers.rest);
        }
        put(&mut rest, self.payload);
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
        let (head, rest) = bytes.split_first_chunk::<RECORD_HEADER_LEN>().ok_or(Malformed)?;
        let [seq, time, lengths] = words_of(head);
        let flags = (lengths >> FLAGS_SHIFT) as u8;
        let subject_len = (lengths >> 32) as usize & 0xffff;
        let headers_len = (lengths >> 48) as usize;
        let payload_len = lengths as usize & PAYLOAD_LEN_MASK as usize;
        let (rollup, ttl, rest) = if flags & !FLAG_MSG_ID == 0 {
            (Rollup::None, Ttl::None, rest)
        } else {
            parse_flags(flags, rest)?
        };
        let len = subject_len + headers_len + payload_len;
        let padding_len = rest.len().checked_sub(len).ok_or(Malformed)?;
        if padding_len >= 8 || !bytes.len().is_multiple_of(8) || !ends_with_zeros(bytes, padding_len) {
            return Err(Malformed);
        }
        let (subject, rest) = rest.split_at(subject_len);
        let (headers, rest) = rest.split_at(headers_len);
        let has_msg_id = flags & FLAG_MSG_ID != 0;
        let (seq, time, payload) = (StreamSeq(seq), WallTime(time), &rest[..payload_len]);
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

/// How many of the records in `rest`, from its front, go on with `first`: they differ from it and from one another in
/// sequence and time, each by one, and in what is in payload and headers. All have the length of `first`, which is a record;
/// either each has a message id or none, and none asks for more, or the answer is 0.
pub fn run_behind(first: &[u8], rest: &[u8]) -> usize {
    let Some((head, first)) = first.split_first_chunk::<RECORD_HEADER_LEN>() else { return 0 };
    let [seq, time, lengths] = words_of(head);
    if (lengths >> FLAGS_SHIFT) as u8 & !FLAG_MSG_ID != 0 {
        return 0;
    }
    let subject_len = (lengths >> 32) as usize & 0xffff;
    let len = subject_len + (lengths >> 48) as usize + (lengths as usize & PAYLOAD_LEN_MASK as usize);
    let (Some(subject), Some(padding)) = (first.get(..subject_len), first.get(len..)) else { return 0 };
    let padding_len = padding.len().min(7);
    let follows = |(before, record): (u64, &[u8])| {
        let Some((head, body)) = record.split_first_chunk::<RECORD_HEADER_LEN>() else { return false };
        let expected = [seq.checked_add(before + 1), time.checked_add(before + 1), Some(lengths)];
        words_of(head).map(Some) == expected
            && &body[..subject_len] == subject
            && ends_with_zeros(record, padding_len)
    };
    let records = rest.chunks_exact(first.len() + RECORD_HEADER_LEN);
    (0..).zip(records).take_while(|&record| follows(record)).count()
}

fn words_of(head: &[u8; RECORD_HEADER_LEN]) -> [u64; 3] {
    let (words, _) = head.as_chunks::<8>();
    [0, 1, 2].map(|at| u64::from_le_bytes(words[at]))
}

/// Whether the last bytes of a record, less than eight, are zero.
fn ends_with_zeros(record: &[u8], len: usize) -> bool {
    let last = record.last_chunk::<8>().map_or(0, |last| u64::from_le_bytes(*last));
    last.checked_shr(64 - 8 * len as u32).unwrap_or(0) == 0
}

/// What the flags ask for, and what follows behind the time to live.
fn parse_flags(flags: u8, rest: &[u8]) -> Result<(Rollup, Ttl, &[u8]), Malformed> {
    let mut reader = Reader::new(rest);
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
    Ok((rollup, ttl, reader.take(reader.remaining())?))
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
    fn a_run_ends_at_the_first_record_that_differs_in_more_than_number_and_payload() {
        let plain = |seq: u64, time: u64| Record {
            seq: StreamSeq(seq),
            time: WallTime(time),
            rollup: Rollup::None,
            has_msg_id: false,
            ..record(b"", if seq.is_multiple_of(2) { b"hello" } else { b"world" }, Ttl::None)
        };
        let run = |last: &Record<'_>| {
            let records = [plain(1, 10), plain(2, 11), plain(3, 12)];
            let bytes: Vec<u8> = records.iter().chain([last]).flat_map(bytes_of).collect();
            let (first, rest) = bytes.split_at(records[0].encoded_len());
            run_behind(first, rest)
        };
        assert_eq!(run(&plain(4, 13)), 3);
        assert_eq!(run(&plain(5, 13)), 2);
        assert_eq!(run(&plain(4, 14)), 2);
        assert_eq!(run(&Record { subject: b"orders.us", ..plain(4, 13) }), 2);
        assert_eq!(run(&Record { subject: b"orders.e", ..plain(4, 13) }), 2);
        assert_eq!(run(&Record { payload: b"", ..plain(4, 13) }), 2);
        assert_eq!(run(&Record { has_msg_id: true, ..plain(4, 13) }), 2);
        let mut dirty = bytes_of(&plain(2, 11));
        *dirty.last_mut().unwrap() = 1;
        assert_eq!(run_behind(&bytes_of(&plain(1, 10)), &dirty), 0);
        let with_id = |seq: u64| Record { has_msg_id: true, ..plain(seq, seq) };
        assert_eq!(run_behind(&bytes_of(&with_id(1)), &bytes_of(&with_id(2))), 1);
        assert_eq!(run_behind(&bytes_of(&with_id(1)), &bytes_of(&plain(2, 2))), 0);
        let asks = bytes_of(&record(b"", b"hello", Ttl::None));
        assert_eq!(run_behind(&asks, &asks), 0);
        let last = bytes_of(&plain(u64::MAX, u64::MAX));
        assert_eq!(run_behind(&last, &last), 0);
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
            let (first, rest) = bytes.split_at(bytes.len() / 2);
            run_behind(first, rest);
        }
    }
}
