//! The headers of a publish that ask something of the stream, found in one pass.

use crate::headers;

/// Values as they were sent; empty: absent. The first field of a name counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct PublishHeaders<'a> {
    pub msg_id: &'a [u8],
    pub expected_stream: &'a [u8],
    pub expected_last_seq: &'a [u8],
    pub expected_last_subject_seq: &'a [u8],
    pub expected_last_subject_seq_subject: &'a [u8],
    pub expected_last_msg_id: &'a [u8],
    pub rollup: &'a [u8],
    pub ttl: &'a [u8],
    pub stream_source: &'a [u8],
    pub incr: &'a [u8],
    pub batch_id: &'a [u8],
    pub schedule: &'a [u8],
    pub scheduler: &'a [u8],
    pub schedule_next: &'a [u8],
}

impl<'a> PublishHeaders<'a> {
    /// Of a whole header block.
    #[inline]
    pub fn of(block: &'a [u8]) -> Self {
        let (mut found, mut seen) = (PublishHeaders::default(), 0u16);
        for (name, value) in headers::fields_with(block, b"Nats-") {
            let (number, field): (u16, _) = match name {
                b"Msg-Id" => (0, &mut found.msg_id),
                b"Expected-Stream" => (1, &mut found.expected_stream),
                b"Expected-Last-Sequence" => (2, &mut found.expected_last_seq),
                b"Expected-Last-Subject-Sequence" => (3, &mut found.expected_last_subject_seq),
                b"Expected-Last-Subject-Sequence-Subject" => {
                    (4, &mut found.expected_last_subject_seq_subject)
                }
                b"Expected-Last-Msg-Id" => (5, &mut found.expected_last_msg_id),
                b"Rollup" => (6, &mut found.rollup),
                b"TTL" => (7, &mut found.ttl),
                b"Stream-Source" => (8, &mut found.stream_source),
                b"Incr" => (9, &mut found.incr),
                b"Batch-Id" => (10, &mut found.batch_id),
                b"Schedule" => (11, &mut found.schedule),
                b"Scheduler" => (12, &mut found.scheduler),
                b"Schedule-Next" => (13, &mut found.schedule_next),
                _ => continue,
            };
            // The first one counts even if it is empty.
            if seen & 1 << number == 0 {
                seen |= 1 << number;
                *field = value;
            }
        }
        found
    }
}

/// The message id if a header block has one and asks for nothing else, empty if it asks for nothing at all. `None`: there may be more.
#[inline]
pub fn only_msg_id(block: &[u8]) -> Option<&[u8]> {
    // What most clients send.
    if let Some(id) = headers::only_behind(block, b"NATS/1.0\r\nNats-Msg-Id:").filter(|id| !id.is_empty()) {
        return Some(id);
    }
    let mut fields = headers::fields_with(block, b"Nats-");
    match fields.next() {
        None => Some(&[]),
        Some((b"Msg-Id", id)) if !id.is_empty() && fields.next().is_none() => Some(id),
        Some(_) => None,
    }
}

/// A number of decimal digits only. `None`: anything else, or beyond 2^63 - 1.
/// Source: nats-server, server/util.go (`parseInt64`).
pub fn parse_number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let value = text.iter().try_fold(0i64, |value, &digit| {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    });
    value.map(i64::unsigned_abs)
}

/// Whether a value of `Nats-Incr` is a number.
pub fn is_increment(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"+").or(text.strip_prefix(b"-")).unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_of_a_name_counts_even_if_it_is_empty() {
        let block = b"NATS/1.0\r\nNats-Msg-Id:\r\nNats-Msg-Id: second\r\nNats-Rollup: sub\r\nNats-Rollup: all\r\n\r\n";
        let found = PublishHeaders::of(block);
        assert_eq!((found.msg_id, found.rollup), (&b""[..], &b"sub"[..]));
        assert_eq!(headers::get(block, b"Nats-Msg-Id"), Some(&b""[..]));
        assert_eq!(only_msg_id(block), None);
    }
}
