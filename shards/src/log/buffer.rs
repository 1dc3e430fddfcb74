//! Memory that direct I/O accepts.

use crate::limits::BLOCK_LEN;

/// Zeroed memory, aligned to `BLOCK_LEN` and a multiple of it.
pub struct AlignedBuffer {
    blocks: Vec<Block>,
}

#[derive(Clone, Copy)]
#[repr(C, align(4096))]
struct Block([u8; BLOCK_LEN]);

impl AlignedBuffer {
    /// At least `len` bytes, rounded up to whole blocks.
    pub fn zeroed(len: usize) -> Self {
        AlignedBuffer { blocks: vec![Block([0; BLOCK_LEN]); len.div_ceil(BLOCK_LEN)] }
    }
}

impl std::fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBuffer({} blocks)", self.blocks.len())
    }
}
