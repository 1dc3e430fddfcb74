//! Every bound of the engine, with its unit and the rule for full.
//! May import: nothing.
//! Must not know: who enforces a bound.

/// Largest message (headers and payload) that any configuration may allow. Bytes. Above it: a start error.
pub const MAX_PAYLOAD_MAX: usize = 8 << 20;

/// Size of a prepared log segment. Bytes. A message is at most a quarter of it.
pub const SEGMENT_LEN: u64 = 64 << 20;

/// Largest entry, unless one message alone is larger. Bytes. Beyond it a turn's changes make several entries.
pub const ENTRY_LEN_MAX: usize = 256 << 10;

/// Unit of a direct write: each write starts and ends on such a border. Bytes.
pub const BLOCK_LEN: usize = 4096;

/// Prepared segments that are kept for acks, deletes, purges and checkpoints. Publishes are refused when no more are left.
pub const SEGMENT_RESERVE: usize = 4;

/// Longest name of a stream or consumer. Bytes. Source: spec of the JetStream API, asset names; ADR-6.
pub const NAME_LEN_MAX: usize = 255;

const _: () = assert!(MAX_PAYLOAD_MAX as u64 <= SEGMENT_LEN / 4);
