//! Memory that direct I/O accepts, and a pool of it.

use crate::limits::{BLOCK_LEN, POOLED_BUFFERS_MAX, WRITE_LEN_MAX};
use std::rc::Rc;

/// Zeroed memory whose first byte lies on a `BLOCK_LEN` border and whose length is a multiple of it.
pub struct AlignedBuffer {
    /// Longer than needed by one block, so that an aligned start exists. Never reallocated.
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl AlignedBuffer {
    /// At least `len` bytes, rounded up to whole blocks.
    pub fn zeroed(len: usize) -> Self {
        let len = len.next_multiple_of(BLOCK_LEN);
        let memory = vec![0; len + BLOCK_LEN];
        let start = memory.as_ptr().align_offset(BLOCK_LEN);
        assert!(start < BLOCK_LEN, "the platform can align bytes");
        AlignedBuffer { memory, start, len }
    }

    /// Bytes of the buffer.
    pub fn as_slice(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    /// Bytes of the buffer, to be written to.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }

    /// Length in bytes, a multiple of `BLOCK_LEN`.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Largest length this buffer can take. Bytes.
    pub fn capacity(&self) -> usize {
        self.memory.len() - BLOCK_LEN
    }

    /// Memory that it takes, what alignment costs included. Bytes.
    pub fn footprint(&self) -> usize {
        self.memory.len()
    }

    /// Changes the length, rounded up to whole blocks; at most `capacity`. Bytes keep what they held.
    pub fn set_len(&mut self, len: usize) {
        let len = len.next_multiple_of(BLOCK_LEN);
        assert!(len <= self.capacity(), "a buffer does not grow");
        self.len = len;
    }
}

impl std::fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBuffer({} bytes)", self.len)
    }
}

/// Buffers for reuse in five sizes, so that a steady log allocates nothing.
///
/// Lives on: its shard's core. A buffer that comes back while the disk still holds it waits here until it is let go.
#[derive(Debug, Default)]
pub struct BufferPool {
    free: [Vec<Rc<AlignedBuffer>>; SIZES.len()],
}

/// Sizes of pooled buffers. Larger ones are allocated for one use. Bytes.
const SIZES: [usize; 5] = [BLOCK_LEN, 16 << 10, 64 << 10, 256 << 10, WRITE_LEN_MAX];

impl BufferPool {
    /// A buffer of exactly `len` bytes (a multiple of `BLOCK_LEN`), referred to by nobody else. Its bytes are arbitrary.
    pub fn take(&mut self, len: usize) -> Rc<AlignedBuffer> {
        let Some(size) = SIZES.iter().position(|&size| size >= len) else {
            return Rc::new(AlignedBuffer::zeroed(len));
        };
        let free = &mut self.free[size];
        let unshared = free.iter().position(|buffer| Rc::strong_count(buffer) == 1);
        let mut buffer = match unshared {
            Some(at) => free.swap_remove(at),
            None => Rc::new(AlignedBuffer::zeroed(SIZES[size])),
        };
        Rc::get_mut(&mut buffer).expect("nobody else refers to it").set_len(len);
        buffer
    }

    /// Takes a buffer back. Beyond the bound it is freed.
    pub fn give_back(&mut self, buffer: Rc<AlignedBuffer>) {
        let size = SIZES.iter().position(|&size| size == buffer.capacity());
        if let Some(size) = size
            && self.free[size].len() < POOLED_BUFFERS_MAX
        {
            self.free[size].push(buffer);
        }
    }

    /// Length of the pooled size that would hold `len` bytes.
    pub fn size_for(len: usize) -> usize {
        SIZES.into_iter().find(|&size| size >= len).unwrap_or(len.next_multiple_of(BLOCK_LEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_buffer_is_aligned_zeroed_and_whole_blocks() {
        for len in [0, 1, 4096, 5000, 1 << 20] {
            let buffer = AlignedBuffer::zeroed(len);
            assert_eq!(buffer.as_slice().as_ptr() as usize % BLOCK_LEN, 0);
            assert_eq!(buffer.len(), len.next_multiple_of(BLOCK_LEN));
            assert!(buffer.as_slice().iter().all(|&b| b == 0));
        }
    }

    #[test]
    fn a_buffer_that_the_disk_still_holds_is_not_lent_again() {
        let mut pool = BufferPool::default();
        let first = pool.take(BLOCK_LEN);
        let held_by_disk = Rc::clone(&first);
        pool.give_back(first);
        let second = pool.take(BLOCK_LEN);
        assert!(!Rc::ptr_eq(&second, &held_by_disk));
        drop(held_by_disk);
        pool.give_back(second);
        let (_a, _b) = (pool.take(BLOCK_LEN), pool.take(BLOCK_LEN));
        assert!(pool.free[0].is_empty());
    }
}
