//! What the index keeps of a message's lengths.

use crate::record::{RECORD_HEADER_LEN, RecordView, Ttl};
use crate::stream::config::Storage;

/// Sum of the lengths of subject, headers and payload, and which optional parts its record has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape(u32);

impl Shape {
    pub fn of(record: &RecordView<'_>) -> Shape {
        let (headers_len, has_ttl) = (record.headers.len(), record.ttl != Ttl::None);
        Shape::new(record.subject.len(), headers_len, record.payload.len(), has_ttl)
    }

    pub fn new(subject_len: usize, headers_len: usize, payload_len: usize, has_ttl: bool) -> Shape {
        let len = (subject_len + headers_len + payload_len) as u32;
        Shape(len << 2 | u32::from(headers_len > 0) << 1 | u32::from(has_ttl))
    }

    pub fn from_bits(bits: u32) -> Shape {
        Shape(bits)
    }

    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether the lengths could be those of a record.
    pub fn is_sound(self) -> bool {
        self.0 < 1 << 28
    }

    /// Subject, headers and payload. Bytes.
    pub fn message_len(self) -> u64 {
        u64::from(self.0 >> 2)
    }

    pub fn has_ttl(self) -> bool {
        self.0 & 1 != 0
    }

    /// Bytes as nats-server accounts a stored message (spec: StreamState).
    /// Source: nats-server, server/filestore.go (`fileStoreMsgSizeRaw`), server/memstore.go (`memStoreMsgSizeRaw`).
    pub fn accounted(self, storage: Storage) -> u64 {
        let has_headers = self.0 >> 1 & 1;
        self.message_len()
            + match storage {
                Storage::File => 30 + u64::from(has_headers) * 4,
                Storage::Memory => 16,
            }
    }

    /// Length of the record. Bytes.
    pub fn record_len(self) -> u32 {
        let ttl_len = (self.0 & 1) * 8;
        (RECORD_HEADER_LEN as u32 + ttl_len + (self.0 >> 2)).next_multiple_of(8)
    }
}
