//! The log's bytes.

/// Length of the frame before each item. Bytes.
pub const FRAME_LEN: usize = 24;
