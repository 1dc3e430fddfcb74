//! Memory that direct I/O accepts, and a pool of it.

use crate::limits::{BLOCK_LEN, POOLED_BUFFERS_MAX, WRITE_LEN_MAX};
use bytes::{Buf, BytesMut};
use std::rc::Rc;

/// Zeroed memory whose first byte lies on a `BLOCK_LEN` border and whose length is a multiple of it.
pub struct AlignedBuffer {
    /// Starts on a border. Never reallocated.
    memory: BytesMut,
    len: usize,
}

/// Tells the operating system that memory will be written to a disk again and again, before its first use.
pub type AdviseMemory = fn(&mut [u8]);

/// What processors map as one piece. A device takes a write from such memory as one piece too; from pages that lie
/// scattered it takes hundreds (measured: half the bandwidth for three times the CPU). Bytes.
pub const HUGE_PAGE_LEN: usize = 2 << 20;

impl AlignedBuffer {
    /// At least `len` bytes, rounded up to whole blocks.
    pub fn zeroed(len: usize) -> Self {
        let len = len.next_multiple_of(BLOCK_LEN);
        let mut memory = aligned(len, BLOCK_LEN);
        memory.truncate(len);
        AlignedBuffer { memory, len }
    }

    /// A huge page of zeros, cut into buffers of `len` bytes, a divisor of `HUGE_PAGE_LEN`. Its memory is given back when
    /// all of them have gone.
    pub fn of_huge_page(len: usize, advise: AdviseMemory) -> Vec<Self> {
        assert!(HUGE_PAGE_LEN.is_multiple_of(len) && len.is_multiple_of(BLOCK_LEN));
        let mut page = aligned(HUGE_PAGE_LEN, HUGE_PAGE_LEN);
        page.truncate(HUGE_PAGE_LEN);
        advise(&mut page);
        let cut = |_| AlignedBuffer { memory: page.split_to(len), len };
        (0..HUGE_PAGE_LEN / len).map(cut).collect()
    }

    /// Bytes of the buffer.
    pub fn as_slice(&self) -> &[u8] {
        &self.memory[..self.len]
    }

    /// Bytes of the buffer, to be written to.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[..self.len]
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
        self.memory.len()
    }

    /// Memory that it takes at most, what alignment costs included. Bytes.
    pub fn footprint(&self) -> usize {
        self.memory.len() + BLOCK_LEN
    }

    /// Changes the length, rounded up to whole blocks; at most `capacity`. Bytes keep what they held.
    pub fn set_len(&mut self, len: usize) {
        let len = len.next_multiple_of(BLOCK_LEN);
        assert!(len <= self.capacity(), "a buffer does not grow");
        self.len = len;
    }
}

/// At least `len` zeros that start on a border of `align` bytes.
fn aligned(len: usize, align: usize) -> BytesMut {
    let mut memory = BytesMut::zeroed(len + align);
    let start = memory.as_ptr().align_offset(align);
    assert!(start < align, "the platform can align bytes");
    memory.advance(start);
    memory
}

impl std::fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBuffer({} bytes)", self.len)
    }
}

/// Buffers for reuse in five sizes, so that a steady log allocates nothing. The larger ones are cut from huge pages.
///
/// Lives on: its shard's core. A buffer that comes back while the disk still holds it waits here until it is let go.
#[derive(Debug)]
pub struct BufferPool {
    free: [Vec<Rc<AlignedBuffer>>; SIZES.len()],
    advise: AdviseMemory,
}

/// Sizes of pooled buffers. Larger ones are allocated for one use. Bytes.
const SIZES: [usize; 5] = [BLOCK_LEN, 16 << 10, 64 << 10, 256 << 10, WRITE_LEN_MAX];

/// Buffers from this length on are cut from huge pages. Bytes. Below it a device's round trip is all that counts.
const HUGE_FROM: usize = 256 << 10;

impl Default for BufferPool {
    fn default() -> Self {
        BufferPool::new(|_| {})
    }
}

impl BufferPool {
    /// `advise` is called with fresh memory for large buffers.
    pub fn new(advise: AdviseMemory) -> Self {
        BufferPool { free: Default::default(), advise }
    }

    /// A buffer of exactly `len` bytes (a multiple of `BLOCK_LEN`), referred to by nobody else. Its bytes are arbitrary.
    pub fn take(&mut self, len: usize) -> Rc<AlignedBuffer> {
        let Some(size) = SIZES.iter().position(|&size| size >= len) else {
            return Rc::new(AlignedBuffer::zeroed(len));
        };
        let unshared = self.free[size].iter().position(|buffer| Rc::strong_count(buffer) == 1);
        let mut buffer = match unshared {
            Some(at) => self.free[size].swap_remove(at),
            None => self.fresh(size),
        };
        Rc::get_mut(&mut buffer).expect("nobody else refers to it").set_len(len);
        buffer
    }

    /// A new buffer of a size; its neighbours on a huge page are kept.
    fn fresh(&mut self, size: usize) -> Rc<AlignedBuffer> {
        if SIZES[size] < HUGE_FROM {
            return Rc::new(AlignedBuffer::zeroed(SIZES[size]));
        }
        let mut cut = AlignedBuffer::of_huge_page(SIZES[size], self.advise).into_iter().map(Rc::new);
        let first = cut.next().expect("a page holds a buffer");
        self.free[size].extend(cut);
        first
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
    fn large_buffers_share_a_huge_page_and_no_byte() {
        for len in [256 << 10, WRITE_LEN_MAX, HUGE_PAGE_LEN] {
            let mut advised = AlignedBuffer::of_huge_page(len, |page| {
                assert_eq!((page.len(), page.as_ptr() as usize % HUGE_PAGE_LEN), (HUGE_PAGE_LEN, 0));
                page[0] = 0xee;
            });
            assert_eq!(advised.len(), HUGE_PAGE_LEN / len);
            assert_eq!(advised[0].as_slice()[0], 0xee);
            for (at, buffer) in advised.iter_mut().enumerate() {
                assert_eq!((buffer.len(), buffer.as_slice().as_ptr() as usize % BLOCK_LEN), (len, 0));
                buffer.as_mut_slice().fill(at as u8);
            }
            for (at, buffer) in advised.iter().enumerate() {
                assert!(buffer.as_slice().iter().all(|&byte| byte == at as u8));
            }
        }
    }

    #[test]
    fn the_neighbours_of_a_large_buffer_are_the_next_ones() {
        let mut pool = BufferPool::default();
        let first = pool.take(WRITE_LEN_MAX);
        let second = pool.take(WRITE_LEN_MAX);
        let apart = (first.as_slice().as_ptr() as usize).abs_diff(second.as_slice().as_ptr() as usize);
        assert_eq!(apart, WRITE_LEN_MAX);
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
