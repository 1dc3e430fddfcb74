//! What message number n is: its stream, subject, size, headers and bytes follow from the seed and n, so that whatever
//! comes back can be compared.
//! May import: workload, random, distribution, digits.
//! Must not know: sockets, who sends.

use crate::digits;
use crate::distribution::Choice;
use crate::random::{Random, mix};
use crate::workload::{Kind, Payload, STAMP_LEN, Workload};

pub struct Content {
    seed: u64,
    prefix: String,
    streams: u64,
    /// Subjects have a token of their own if there is more than one in each stream.
    many_subjects: bool,
    choice: Choice,
    payload: Payload,
    /// The payload holds number and intended time; else only bytes that follow from the number.
    stamped: bool,
    /// Whole header block, or empty; digits of the message id stand at `id_offset`.
    headers: Vec<u8>,
    id_offset: Option<usize>,
    /// Random bytes that payloads are pieces of.
    block: Vec<u8>,
}

/// What a stamped payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub number: u64,
    /// Nanoseconds since the start of the load.
    pub intended: u64,
}

/// Places in the block where payloads start.
const STARTS: usize = 32 << 10;
const STREAM_DIGITS: usize = 6;
const SUBJECT_DIGITS: usize = 8;
const ID_DIGITS: usize = 16;

impl Content {
    /// `prefix` is that of the subjects, `run` makes message ids distinct between runs.
    pub fn new(workload: &Workload, prefix: &str, run: &str) -> Content {
        let mut random = Random::new(workload.seed);
        let len = STARTS + workload.payload.max() + 8;
        let block = (0..len.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).collect();
        let (headers, id_offset) = header_block(workload, run);
        Content {
            seed: workload.seed,
            prefix: prefix.to_owned(),
            streams: u64::from(workload.streams.count),
            many_subjects: workload.subjects.count > 1,
            choice: Choice::new(workload.subjects.distribution, workload.subjects.count),
            payload: workload.payload.clone(),
            stamped: matches!(workload.kind, Kind::PubSub | Kind::Request | Kind::Mixed),
            headers,
            id_offset,
            block,
        }
    }

    /// The stream of a message, from 0.
    pub fn stream(&self, number: u64) -> usize {
        if self.streams == 1 { 0 } else { (number % self.streams) as usize }
    }

    /// All messages have the same subject.
    pub fn has_one_subject(&self) -> bool {
        self.streams == 1 && !self.many_subjects
    }

    /// All payloads have the same size.
    pub fn has_one_size(&self) -> bool {
        matches!(self.payload, Payload::Fixed(_))
    }

    /// What a stream is made to listen to; with no streams, what to subscribe to is `prefix.>`.
    pub fn stream_filter(&self, stream: usize) -> String {
        let more = if self.many_subjects { ".*" } else { "" };
        format!("{}.{stream:0STREAM_DIGITS$}{more}", self.prefix)
    }

    pub fn write_subject(&self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix.as_bytes());
        out.push(b'.');
        digits::push(out, number % self.streams, STREAM_DIGITS);
        if self.many_subjects {
            out.push(b'.');
            digits::push(out, self.subject_index(number), SUBJECT_DIGITS);
        }
    }

    fn subject_index(&self, number: u64) -> u64 {
        self.choice
            .pick(number / self.streams, || mix(self.seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d)))
    }

    pub fn size(&self, number: u64) -> usize {
        match &self.payload {
            Payload::Fixed(size) => *size,
            payload => payload.size(mix(self.seed.rotate_left(17) ^ number)),
        }
    }

    pub fn headers_len(&self) -> usize {
        self.headers.len()
    }

    /// Headers, payload and line end of a message.
    pub fn write_body(&self, number: u64, intended: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.headers);
        if let Some(offset) = self.id_offset {
            digits::write(&mut out[start + offset..start + offset + ID_DIGITS], number);
        }
        let start = out.len();
        out.extend_from_slice(self.bytes(number));
        let payload = &mut out[start..];
        if let Some(place) = payload.first_chunk_mut::<8>() {
            *place = number.to_le_bytes();
        }
        if self.stamped && payload.len() >= STAMP_LEN {
            payload[8..STAMP_LEN].copy_from_slice(&intended.to_le_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The piece of the block that a payload is, but for its first bytes.
    fn bytes(&self, number: u64) -> &[u8] {
        let start = mix(self.seed ^ number) as usize % STARTS;
        &self.block[start..start + self.size(number)]
    }

    /// Number and time in a stamped payload; None if it is too short for them.
    pub fn stamp(payload: &[u8]) -> Option<Stamp> {
        let number = u64::from_le_bytes(*payload.first_chunk::<8>()?);
        let intended = u64::from_le_bytes(*payload.get(8..)?.first_chunk::<8>()?);
        Some(Stamp { number, intended })
    }

    /// Whether these are the bytes of message `number`, the intended time aside.
    pub fn is_payload(&self, number: u64, payload: &[u8]) -> bool {
        let bytes = self.bytes(number);
        if payload.len() != bytes.len() {
            return false;
        }
        let Some((front, rest)) = payload.split_first_chunk::<8>() else { return payload == bytes };
        let skip = if self.stamped { rest.len().min(STAMP_LEN - 8) } else { 0 };
        *front == number.to_le_bytes() && rest[skip..] == bytes[8 + skip..]
    }

    pub fn is_subject(&self, number: u64, subject: &[u8]) -> bool {
        let mut expected = Vec::with_capacity(64);
        self.write_subject(number, &mut expected);
        expected == subject
    }
}

fn header_block(workload: &Workload, run: &str) -> (Vec<u8>, Option<usize>) {
    if workload.headers == 0 && !workload.message_ids {
        return (Vec::new(), None);
    }
    let mut block = b"NATS/1.0\r\n".to_vec();
    let mut id_offset = None;
    if workload.message_ids {
        block.extend_from_slice(format!("Nats-Msg-Id: {run}-").as_bytes());
        id_offset = Some(block.len());
        block.extend_from_slice(&[b'0'; ID_DIGITS]);
        block.extend_from_slice(b"\r\n");
    }
    for n in 0..workload.headers {
        block.extend_from_slice(format!("Perf-Header-{n}: value of header {n}\r\n").as_bytes());
    }
    block.extend_from_slice(b"\r\n");
    (block, id_offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(table: &str) -> Content {
        Content::new(&Workload::from_toml(table).unwrap(), "p", "r")
    }

    #[test]
    fn a_message_is_known_by_its_number_and_no_other() {
        let content = content("kind = \"publish\"\nsize = \"0..300\"");
        for number in 0..500 {
            let mut body = Vec::new();
            content.write_body(number, 5, &mut body);
            let payload = body.strip_suffix(b"\r\n").unwrap();
            assert!(content.is_payload(number, payload));
            assert!(payload.len() < 2 || !content.is_payload(number + 1, payload));
            if let Some(last) = payload.len().checked_sub(1) {
                let mut damaged = payload.to_vec();
                damaged[last] ^= 1;
                assert!(!content.is_payload(number, &damaged));
            }
        }
    }

    #[test]
    fn a_stamp_is_read_back_and_the_time_does_not_matter_to_a_comparison() {
        let content = content("kind = \"pubsub\"\nsize = 40");
        let (mut one, mut other) = (Vec::new(), Vec::new());
        content.write_body(9, 123, &mut one);
        content.write_body(9, 456, &mut other);
        assert_eq!(Content::stamp(&one), Some(Stamp { number: 9, intended: 123 }));
        assert!(content.is_payload(9, &one[..40]) && content.is_payload(9, &other[..40]));
    }

    #[test]
    fn subjects_follow_streams_and_distribution() {
        let content = content("kind = \"publish\"\nstreams = 2\nsubjects = 3");
        let mut subject = Vec::new();
        content.write_subject(7, &mut subject);
        assert_eq!(subject, b"p.000001.00000000");
        assert!(content.is_subject(7, b"p.000001.00000000") && !content.is_subject(6, &subject));
        assert_eq!(content.stream_filter(1), "p.000001.*");
    }

    #[test]
    fn message_ids_are_the_numbers() {
        let content = content("kind = \"publish\"\nsize = 2\nmsg_id = true\nheaders = 1");
        let mut body = Vec::new();
        content.write_body(12, 0, &mut body);
        let text = String::from_utf8_lossy(&body);
        let headers =
            "NATS/1.0\r\nNats-Msg-Id: r-0000000000000012\r\nPerf-Header-0: value of header 0\r\n\r\n";
        assert!(text.starts_with(headers), "{text}");
        assert_eq!(content.headers_len(), headers.len());
    }
}
