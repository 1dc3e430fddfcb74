//! The reply subject of a delivered message, by which it is acknowledged.

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
