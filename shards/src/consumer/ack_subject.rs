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
        let token = |at: usize| {
            let start = at.checked_sub(1).map_or(0, |before| dots[before] + 1);
            &rest[start..dots[at]]
        };
        // Two tokens are in the prefix, one is behind the last dot.
        let (scope, first) = match count + 3 {
            9 => (None, 0),
            11.. => (Some((token(0), token(1))), 2),
            _ => return None,
        };
        let (stream, consumer) = (token(first), token(first + 1));
        let has_empty_scope = scope.is_some_and(|(domain, hash)| domain.is_empty() || hash.is_empty());
        if has_empty_scope || stream.is_empty() || consumer.is_empty() {
            return None;
        }
        let number = |at: usize| decimal::parse(token(first + at)).unwrap_or(u64::MAX);
        let (delivery_count, stream_seq, consumer_seq) = (number(2), number(3), number(4));
        Some(AckSubject { scope, stream, consumer, delivery_count, stream_seq, consumer_seq })
    }
}

/// Writes ack subjects, and header blocks that are not stored as they are sent, into one buffer. One for all consumers of a
/// shard: they deliver one after another, and none needs its text while another does.
///
/// The next message of a consumer mostly differs from the one before by one in three of the numbers, so a number is changed
/// where it stands as long as it keeps its length.
#[derive(Debug, Default)]
pub struct AckSubjectWriter {
    /// `$JS.ACK.<stream>.<consumer>`, each number behind a dot, then perhaps a header block.
    buffer: Vec<u8>,
    prefix_len: usize,
    /// What the buffer holds of the last subject. Nothing after `begin`.
    written: Option<Written>,
}

/// The numbers of a subject, and where each of them ends in the buffer.
#[derive(Clone, Copy, Debug)]
struct Written {
    numbers: [u64; NUMBERS],
    ends: [usize; NUMBERS],
}

impl AckSubjectWriter {
    /// What is written next belongs to this consumer.
    pub fn begin(&mut self, stream: &str, consumer: &str) {
        let parts = [PREFIX, stream.as_bytes(), b".", consumer.as_bytes()];
        self.buffer.clear();
        parts.iter().for_each(|part| self.buffer.extend_from_slice(part));
        self.prefix_len = self.buffer.len();
        self.written = None;
    }

    /// Numbers in the order of the subject: delivery count, stream sequence, consumer sequence, time, pending.
    pub fn write(&mut self, numbers: [u64; NUMBERS]) -> &[u8] {
        let Some(written) = &mut self.written else { return self.write_anew(numbers) };
        let Written { numbers: old, ends } = written;
        for (at, (old, new)) in old.iter_mut().zip(numbers).enumerate() {
            if *old == new {
                continue;
            }
            let end = ends[at];
            if !step(&mut self.buffer[end - 1], *old, new) {
                let start = at.checked_sub(1).map_or(self.prefix_len, |before| ends[before]) + 1;
                if !replace(&mut self.buffer[start..end], new) {
                    return self.write_anew(numbers);
                }
            }
            *old = new;
        }
        let end = written.ends[NUMBERS - 1];
        self.buffer.truncate(end);
        &self.buffer
    }

    /// The ack subject, and behind it the header block of a message whose payload of `size` bytes is left out.
    pub fn write_headers_only(
        &mut self,
        numbers: [u64; NUMBERS],
        block: &[u8],
        size: usize,
    ) -> (&[u8], &[u8]) {
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

    #[inline(never)]
    fn write_anew(&mut self, numbers: [u64; NUMBERS]) -> &[u8] {
        self.buffer.truncate(self.prefix_len);
        let ends = numbers.map(|number| {
            self.buffer.push(b'.');
            decimal::put(&mut self.buffer, number);
            self.buffer.len()
        });
        self.written = Some(Written { numbers, ends });
        &self.buffer
    }
}

/// Turns `old` into `new` if they differ by one and in their last digit only. False: nothing is changed.
#[inline]
fn step(last: &mut u8, old: u64, new: u64) -> bool {
    match new.wrapping_sub(old) {
        1 if *last < b'9' && new != 0 => *last += 1,
        u64::MAX if *last > b'0' => *last -= 1,
        _ => return false,
    }
    true
}

/// Writes a number over the digits of another. False, with whatever in the digits, if it has more or fewer of them.
fn replace(digits: &mut [u8], number: u64) -> bool {
    let mut left = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
    left == 0 && (digits[0] != b'0' || digits.len() == 1)
}

/// Numbers in an ack subject.
const NUMBERS: usize = 5;

const PREFIX: &[u8] = b"$JS.ACK.";

#[cfg(test)]
mod tests {
    use super::super::fixture::Dice;
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = AckSubjectWriter::default();
        writer.begin("ORDERS", "wor%ker");
        assert_eq!(writer.write([1, 2, 3, 4, 5]), b"$JS.ACK.ORDERS.wor%ker.1.2.3.4.5");
        let subject = writer.write([9, 88, 777, 1_700_000_000_000_000_000, 0]);
        let ack = AckSubject::parse(subject).unwrap();
        assert_eq!((ack.stream, ack.consumer), (&b"ORDERS"[..], &b"wor%ker"[..]));
        assert_eq!((ack.delivery_count, ack.stream_seq, ack.consumer_seq), (9, 88, 777));
    }

    #[test]
    fn what_is_written_over_the_subject_before_is_what_would_be_written_anew() {
        let mut dice = Dice(3);
        let (mut writer, mut anew) = (AckSubjectWriter::default(), AckSubjectWriter::default());
        let mut numbers = [1, 1, 1, 1_700_000_000_000_000_000, 250];
        writer.begin("S", "C");
        for round in 0..5000 {
            for number in &mut numbers {
                *number = match dice.below(12) {
                    0 => 10u64.pow(dice.below(20) as u32) - dice.below(2),
                    1 => dice.below(1 << 31),
                    2..5 => number.saturating_sub(1),
                    5..9 => number.saturating_add(1),
                    _ => *number,
                };
            }
            if round % 100 == 99 {
                writer.begin("S", "other");
                writer.write([u64::MAX; 5]);
                writer.begin("S", "C");
            }
            anew.begin("S", "C");
            if dice.below(9) == 0 {
                let (subject, block) = writer.write_headers_only(numbers, b"NATS/1.0\r\na: b\r\n\r\n", 7);
                assert_eq!(subject, anew.write(numbers));
                assert_eq!(block, b"NATS/1.0\r\na: b\r\nNats-Msg-Size: 7\r\n\r\n");
            } else {
                assert_eq!(writer.write(numbers), anew.write(numbers), "{numbers:?}");
            }
        }
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
