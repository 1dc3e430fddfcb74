//! The tail cache: recently written bytes, for consumers that keep up.

use super::buffer::{AlignedBuffer, BufferPool};
use super::writer::PendingWrite;
use crate::ids::Position;
use std::collections::VecDeque;
use std::rc::Rc;

/// Bytes of finished writes in the order of their positions, up to a limit; the oldest go first.
#[derive(Debug)]
pub(super) struct Tail {
    runs: VecDeque<Run>,
    /// Memory of the runs. Bytes.
    len: usize,
    limit: usize,
}

#[derive(Debug)]
struct Run {
    start: Position,
    /// Bytes up to the end of the last item.
    used: usize,
    buffer: Rc<AlignedBuffer>,
}

impl Tail {
    /// Keeps up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Tail { runs: VecDeque::new(), len: 0, limit }
    }

    /// Takes over a finished write's bytes. A short write in a large buffer is copied into one of its size, so that a
    /// small message does not hold a megabyte.
    pub fn add(&mut self, write: PendingWrite, pool: &mut BufferPool) {
        if !write.has_content {
            return pool.give_back(write.data);
        }
        let mut buffer = write.data;
        if BufferPool::size_for(write.used) < buffer.capacity() {
            let mut smaller = pool.take(BufferPool::size_for(write.used));
            let bytes = Rc::get_mut(&mut smaller).expect("a fresh buffer is not shared").as_mut_slice();
            bytes[..write.used].copy_from_slice(&buffer.as_slice()[..write.used]);
            pool.give_back(std::mem::replace(&mut buffer, smaller));
        }
        self.len += buffer.footprint();
        self.runs.push_back(Run { start: write.start, used: write.used, buffer });
    }

    /// Drops the oldest until the limit is kept, but nothing at or above `keep_from`.
    pub fn trim(&mut self, keep_from: Position, pool: &mut BufferPool) {
        while self.len > self.limit
            && self.runs.front().is_some_and(|run| run.start.0 + (run.used as u64) <= keep_from.0)
        {
            let run = self.runs.pop_front().expect("the loop's condition saw one");
            self.len -= run.buffer.footprint();
            pool.give_back(run.buffer);
        }
    }

    /// Bytes from `position` on, to the end of its write, if they are here.
    pub fn bytes_at(&self, position: Position) -> Option<&[u8]> {
        let at = self.runs.partition_point(|run| run.start <= position).checked_sub(1)?;
        let run = &self.runs[at];
        let bytes = run.buffer.as_slice()[..run.used].get((position.0 - run.start.0) as usize..)?;
        (!bytes.is_empty()).then_some(bytes)
    }
}
