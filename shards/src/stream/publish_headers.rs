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
        let mut found = PublishHeaders::default();
        for (name, value) in headers::fields_with(block, b"Nats-") {
            let field = match name {
                b"Msg-Id" => &mut found.msg_id,
                b"Expected-Stream" => &mut found.expected_stream,
                b"Expected-Last-Sequence" => &mut found.expected_last_seq,
                b"Expected-Last-Subject-Sequence" => &mut found.expected_last_subject_seq,
                b"Expected-Last-Subject-Sequence-Subject" => &mut found.expected_last_subject_seq_subject,
                b"Expected-Last-Msg-Id" => &mut found.expected_last_msg_id,
                b"Rollup" => &mut found.rollup,
                b"TTL" => &mut found.ttl,
                b"Stream-Source" => &mut found.stream_source,
                b"Incr" => &mut found.incr,
                b"Batch-Id" => &mut found.batch_id,
                b"Schedule" => &mut found.schedule,
                b"Scheduler" => &mut found.scheduler,
                b"Schedule-Next" => &mut found.schedule_next,
                _ => continue,
            };
            if field.is_empty() {
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
