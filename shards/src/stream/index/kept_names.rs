//! The names of subjects as a checkpoint has them, made in steps before it takes them: a million in one turn are a stall.

use super::subjects::Subjects;
use crate::encoding::Write;
use crate::messages::SubjectId;
use std::collections::VecDeque;

/// Numbers whose names are made together.
const CHUNK_LEN: u32 = 1024;

/// Chunks that a step makes: a fraction of a millisecond.
const CHUNKS_PER_STEP: u32 = 4;

/// Chunks of names, most of them made before the checkpoint wants them.
#[derive(Debug, Default)]
pub struct KeptNames {
    /// Nothing where a name has come or gone since.
    chunks: Vec<Option<Vec<u8>>>,
}

impl KeptNames {
    /// A number has got a name, or has lost it.
    #[inline]
    pub fn note_change(&mut self, id: u32) {
        if let Some(chunk) = self.chunks.get_mut((id / CHUNK_LEN) as usize) {
            *chunk = None;
        }
    }
}

impl Subjects {
    /// Makes some more of what `take_names` gives. False: all were made once; those that change afterwards are left to it, so that
    /// it comes to an end.
    pub fn keep_names(&mut self) -> bool {
        let made = self.kept.chunks.len() as u32;
        let all = self.bound().div_ceil(CHUNK_LEN);
        for chunk in made..all.min(made + CHUNKS_PER_STEP) {
            let bytes = self.names_in(chunk);
            self.kept.chunks.push(Some(bytes));
        }
        made + CHUNKS_PER_STEP < all
    }

    /// Numbers and names of all subjects, in the order of their numbers. The layout is in docs/formats.md, section "Stream
    /// checkpoint".
    pub fn take_names(&mut self) -> VecDeque<Vec<u8>> {
        let mut made = std::mem::take(&mut self.kept.chunks).into_iter();
        let chunks = (0..self.bound().div_ceil(CHUNK_LEN))
            .map(|chunk| made.next().flatten().unwrap_or_else(|| self.names_in(chunk)));
        chunks.filter(|bytes| !bytes.is_empty()).collect()
    }

    /// Those of one chunk.
    fn names_in(&self, chunk: u32) -> Vec<u8> {
        let from = chunk * CHUNK_LEN;
        let mut bytes = Vec::new();
        for id in from..self.bound().min(from + CHUNK_LEN) {
            let name = self.name(SubjectId(id));
            if !name.is_empty() {
                bytes.put_varint(u64::from(id));
                bytes.put_bytes(name);
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_made_ahead_are_those_of_the_moment_they_are_taken() {
        let mut subjects = Subjects::default();
        let enter = |subjects: &mut Subjects, nth: u64| {
            let id = subjects.enter(format!("orders.{nth}").as_bytes());
            subjects.push(id, nth);
            id
        };
        let ids: Vec<SubjectId> = (1..=20_000).map(|nth| enter(&mut subjects, nth)).collect();
        let mut nth = 20_000;
        for round in 0..3 {
            let mut steps = 0;
            while subjects.keep_names() {
                // One goes from what was made, one comes.
                assert!(subjects.remove(ids[round * 100 + steps], (round * 100 + steps) as u64 + 1));
                nth += 1;
                enter(&mut subjects, nth);
                steps += 1;
            }
            assert!(steps >= 2, "not all at once");
            let mut expected = Vec::new();
            for (id, name) in subjects.iter() {
                expected.put_varint(u64::from(id.0));
                expected.put_bytes(name);
            }
            let taken: Vec<u8> = subjects.take_names().into_iter().flatten().collect();
            assert!(taken == expected, "round {round}");
        }
    }
}
