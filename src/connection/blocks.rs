//! Memory that sockets are read into, lent piece by piece and used again when the last piece is let go.

use bytes::BytesMut;
use std::collections::VecDeque;

/// Blocks of one core. Lives on: its core.
#[derive(Default)]
pub(super) struct Blocks {
    /// Empty; its room is what the next read fills. `None` before the first read.
    current: Option<BytesMut>,
    /// Empty and without room, oldest first; each gets its room back when nobody holds a piece of it any more.
    spent: VecDeque<BytesMut>,
}

/// Length of one block. Bytes.
const BLOCK_LEN: usize = 256 << 10;

/// Spent blocks that are remembered; beyond it the oldest is freed by whoever holds its last piece.
const SPENT_MAX: usize = 64;

impl Blocks {
    /// An empty buffer with room for `len` bytes; split off what was filled and leave it empty.
    pub(super) fn with_room(&mut self, len: usize) -> &mut BytesMut {
        if let Some(current) = self.current.take_if(|current| !current.try_reclaim(len)) {
            self.spent.push_back(current);
            if self.spent.len() > SPENT_MAX {
                self.spent.pop_front();
            }
        }
        let spent = &mut self.spent;
        self.current.get_or_insert_with(|| {
            let len = len.max(BLOCK_LEN);
            let oldest = spent.pop_front_if(|oldest| oldest.try_reclaim(len));
            oldest.unwrap_or_else(|| BytesMut::with_capacity(len))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(blocks: &mut Blocks, len: usize) -> BytesMut {
        let block = blocks.with_room(len);
        block.resize(len, 1);
        block.split_to(len)
    }

    #[test]
    fn pieces_of_a_block_do_not_overlap() {
        let mut blocks = Blocks::default();
        let mut first = piece(&mut blocks, 10);
        first.fill(7);
        let second = piece(&mut blocks, 10);
        assert_eq!((&first[..], &second[..]), (&[7; 10][..], &[1; 10][..]));
    }

    #[test]
    fn a_block_is_used_again_once_its_pieces_are_gone() {
        let mut blocks = Blocks::default();
        let held: Vec<_> = (0..3).map(|_| piece(&mut blocks, BLOCK_LEN).freeze()).collect();
        let memory: Vec<_> = held.iter().map(|bytes| bytes.as_ptr()).collect();
        drop(held);
        for _ in 0..20 {
            let again = piece(&mut blocks, BLOCK_LEN);
            assert!(memory.contains(&again.as_ptr()), "a fourth block was taken");
        }
    }
}
