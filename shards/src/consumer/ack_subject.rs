//! The reply subject of a delivered message, by which it is acknowledged.

use crate::decimal;
use crate::headers;
use crate::subject;

/// What an ack subject says. The timestamp and the count of pending messages in it are for clients only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckSubject<'a> {
    /// Domain (`_`: none) and account hash; `None` in the form of nine tokens.
    pub scope: Option<(&'a [u8], &'a [u8])>,
    pub stream: &'a [u8],
    pub consumer: &'a [u8],
    pub delivery_count: u64,
    pub stream_seq: u64,
    pub consumer_seq: u64,
}

impl<'a> AckSubject<'a> {
    /// Reads `$JS.ACK.<stream>.<consumer>.<dc>.<sseq>.<dseq>.<ts>.<pending>`, or eleven and more tokens with
    /// `<domain>.<account hash>` before the stream. `None`: nobody listens there. A part that is no number reads as
    /// the highest there is, which was never delivered. Source: NATS ADR-15; nats-server, server/consumer.go: `ackReplyInfo`.
    pub fn parse(subject: &'a [u8]) -> Option<AckSubject<'a>> {
        let rest = subject.strip_prefix(PREFIX)?;
        let (dots, count) = subject::dots::<7>(rest);
        let mut ends = dots.into_iter();
        let mut start = 0;
        let mut token = || {
            let end = ends.next()?;
            let token = &rest[start..end];
            start = end + 1;
            Some(token).filter(|token| !token.is_empty())
        };
        // Two tokens are in the prefix, one is behind the last dot.
        let scope = match count + 3 {
            9 => None,
            11.. => Some((token()?, token()?)),
            _ => return None,
        };
        let (stream, consumer) = (token()?, token()?);
        let mut number = || decimal::parse(token().unwrap_or_default()).unwrap_or(u64::MAX);
        let (delivery_count, stream_seq, consumer_seq) = (number(), number(), number());
        Some(AckSubject { scope, stream, consumer, delivery_count, stream_seq, consumer_seq })
    }
}

/// Writes ack subjects of one consumer, and header blocks that are not stored as they are sent, into one buffer.
#[derive(Debug)]
pub struct AckSubjectWriter {
    /// Begins with `$JS.ACK.<stream>.<consumer>`.
    buffer: Vec<u8>,
    prefix_len: usize,
}

impl AckSubjectWriter {
    pub fn new(stream: &str, consumer: &str) -> AckSubjectWriter {
        let buffer = [PREFIX, stream.as_bytes(), b".", consumer.as_bytes()].concat();
        AckSubjectWriter { prefix_len: buffer.len(), buffer }
    }

    /// Numbers in the order of the subject: delivery count, stream sequence, consumer sequence, time, pending.
    pub fn write(&mut self, numbers: [u64; 5]) -> &[u8] {
        self.buffer.truncate(self.prefix_len);
        for number in numbers {
            self.buffer.push(b'.');
            decimal::put(&mut self.buffer, number);
        }
        &self.buffer
    }

    /// The ack subject, and behind it the header block of a message whose payload of `size` bytes is left out.
    pub fn write_headers_only(&mut self, numbers: [u64; 5], block: &[u8], size: usize) -> (&[u8], &[u8]) {
        let end = self.write(numbers).len();
        if block.is_empty() {
            headers::start(&mut self.buffer);
        } else {
            self.buffer.extend_from_slice(block.strip_suffix(b"\r\n").unwrap_or(block));
        }
        self.buffer.extend_from_slice(b"Nats-Msg-Size: ");
        decimal::put(&mut self.buffer, size as u64);
        self.buffer.extend_from_slice(b"\r\n\r\n");
        self.buffer.split_at(end)
    }

    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }
}

const PREFIX: &[u8] = b"$JS.ACK.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = AckSubjectWriter::new("ORDERS", "wor%ker");
        assert_eq!(writer.write([1, 2, 3, 4, 5]), b"$JS.ACK.ORDERS.wor%ker.1.2.3.4.5");
        let subject = writer.write([9, 88, 777, 1_700_000_000_000_000_000, 0]);
        let ack = AckSubject::parse(subject).unwrap();
        assert_eq!((ack.stream, ack.consumer), (&b"ORDERS"[..], &b"wor%ker"[..]));
        assert_eq!((ack.delivery_count, ack.stream_seq, ack.consumer_seq), (9, 88, 777));
    }

    #[test]
    fn the_long_form_carries_domain_and_account_and_perhaps_more() {
        for tail in ["", ".x", ".x.y.z"] {
            let subject = format!("$JS.ACK._.szMpdrwD.S.C.1.2.3.4.5{tail}");
            let ack = AckSubject::parse(subject.as_bytes()).unwrap();
            assert_eq!(ack.scope, Some((&b"_"[..], &b"szMpdrwD"[..])));
            assert_eq!((ack.stream, ack.consumer, ack.stream_seq), (&b"S"[..], &b"C"[..], 2));
        }
    }

    #[test]
    fn a_wrong_number_of_tokens_is_nobodys() {
        for subject in
            ["$JS.ACK.S.C.1.2.3.4", "$JS.ACK._.h.S.C.1.2.3.4", "$JS.ACK", "", "$JS.NAK.S.C.1.2.3.4.5"]
        {
            assert_eq!(AckSubject::parse(subject.as_bytes()), None, "{subject}");
        }
    }

    #[test]
    fn a_part_that_is_no_number_names_a_message_that_was_never_delivered() {
        assert_eq!(AckSubject::parse(b"$JS.ACK.S.C.x.y.-3.4.5").unwrap().stream_seq, u64::MAX);
    }
}
