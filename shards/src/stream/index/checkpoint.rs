//! The index in a checkpoint: subjects, then blocks with their rows as they are in memory.

use super::block::{Block, Presence, SPAN_MAX};
use super::row::{Base, Message, check_rows};
use super::{Index, Tail};
use crate::encoding::{Malformed, Reader, Write};
use std::collections::VecDeque;

impl Index {
    /// Makes some of what `encode` needs, a bounded amount at a time. False: there is little left for it.
    pub fn keep_ahead(&mut self) -> bool {
        self.has_low_numbers() && self.subjects.keep_names()
    }

    /// Everything, as pieces that belong one behind another. The layout is in docs/formats.md, section "Stream
    /// checkpoint".
    pub fn encode(&mut self) -> VecDeque<Vec<u8>> {
        if !self.has_low_numbers() {
            return self.renumbered().encode();
        }
        let mut front = Vec::new();
        front.put_varint(self.subjects.len() as u64);
        let mut pieces = self.subjects.take_names();
        pieces.push_front(front);
        let mut blocks = Vec::new();
        self.encode_blocks(&mut blocks);
        pieces.push_back(blocks);
        pieces
    }

    fn has_low_numbers(&self) -> bool {
        u64::from(self.subjects.bound()) <= numbers_max(self.subjects.len() as u64)
    }

    fn encode_blocks(&self, out: &mut Vec<u8>) {
        let tail = self.tail.as_ref().map(|tail| {
            let mut tail = Tail::clone(tail);
            tail.block.seal(&mut tail.open);
            tail.block
        });
        out.put_varint((self.blocks.len() + usize::from(tail.is_some())) as u64);
        for block in self.blocks.values().chain(&tail) {
            out.put_varint(block.base.first);
            out.put_varint(block.base.time);
            out.put_varint(block.base.position);
            out.put_bytes(&block.rows);
            match &block.presence {
                Presence::Rows => out.put_u8(PRESENCE_ROWS),
                Presence::Bits(dead) => {
                    out.put_u8(PRESENCE_BITS);
                    out.put_varint(dead.len() as u64);
                    dead.iter().for_each(|&word| out.put_u64(word));
                }
            }
        }
    }

    /// What `encode` wrote.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Index, Malformed> {
        let mut index = Index::default();
        let subjects = reader.varint()?;
        if subjects > (reader.remaining() / SUBJECT_LEN_MIN) as u64 {
            return Err(Malformed);
        }
        for _ in 0..subjects {
            let id = u32::try_from(reader.varint()?).map_err(|_| Malformed)?;
            let name = reader.bytes()?;
            if u64::from(id) >= numbers_max(subjects) || !index.subjects.restore(id, name) {
                return Err(Malformed);
            }
        }
        let mut last = 0;
        for _ in 0..reader.varint()? {
            let block = read_block(reader)?;
            if block.base.first <= last {
                return Err(Malformed);
            }
            last = block.last;
            index.count += u64::from(block.live);
            index.enter_block(&block)?;
            index.blocks.insert(block.base.first, block);
        }
        if index.subjects.finish_restore() { Ok(index) } else { Err(Malformed) }
    }

    /// The same messages, with subjects that have the lowest numbers.
    fn renumbered(&self) -> Index {
        let mut dense = Index::default();
        self.for_each(&mut |message| {
            let Message { seq, time, subject, shape, place } = *message;
            dense.push(seq.0, time, self.name(subject), shape, place);
        });
        dense
    }

    /// Gives the messages of a block to their subjects.
    fn enter_block(&mut self, block: &Block) -> Result<(), Malformed> {
        for row in block.row_heads() {
            let (first, last) = (row.first, row.last());
            match row.one_subject() {
                Some(subject) if block.count(first, last + 1) == u64::from(row.count) => {
                    self.check_subject(subject)?;
                    self.subjects.push_range(subject, first, last);
                }
                _ => {
                    for message in row.messages(&block.rows).filter(|m| block.contains(m.seq.0)) {
                        self.check_subject(message.subject)?;
                        self.subjects.push(message.subject, message.seq.0);
                    }
                }
            }
        }
        Ok(())
    }

    fn check_subject(&self, subject: crate::messages::SubjectId) -> Result<(), Malformed> {
        let known = subject.0 < self.subjects.bound() && !self.subjects.name(subject).is_empty();
        if known { Ok(()) } else { Err(Malformed) }
    }
}

fn read_block(reader: &mut Reader<'_>) -> Result<Block, Malformed> {
    let base = Base { first: reader.varint()?, time: reader.varint()?, position: reader.varint()? };
    let rows = reader.bytes()?.to_vec();
    if base.first == 0 || rows.is_empty() {
        return Err(Malformed);
    }
    check_rows(&rows, base)?;
    let presence = match reader.u8()? {
        PRESENCE_ROWS => Presence::Rows,
        PRESENCE_BITS => {
            let len = reader.varint()?;
            if len > SPAN_MAX / 64 {
                return Err(Malformed);
            }
            let words = reader.take(len as usize * 8)?;
            let (words, _) = words.as_chunks::<8>();
            Presence::Bits(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
        }
        _ => return Err(Malformed),
    };
    let mut block = Block::new(base);
    (block.rows, block.presence) = (rows, presence);
    let heads: Vec<_> = block.row_heads().collect();
    block.row_count = heads.len() as u32;
    block.last = heads.last().ok_or(Malformed)?.last();
    let messages: u64 = heads.iter().map(|row| u64::from(row.count)).sum();
    if messages > SPAN_MAX {
        return Err(Malformed);
    }
    if matches!(block.presence, Presence::Bits(_)) {
        if block.last - base.first >= SPAN_MAX {
            return Err(Malformed);
        }
        // Every sequence that is there is in a row.
        let in_rows = |block: &Block| -> u64 {
            block.row_heads().map(|row| block.count(row.first, row.last() + 1)).sum()
        };
        if block.count(0, u64::MAX) != in_rows(&block) {
            return Err(Malformed);
        }
    }
    block.live = u32::try_from(block.count(0, u64::MAX)).map_err(|_| Malformed)?;
    if block.live == 0 { Err(Malformed) } else { Ok(block) }
}

const PRESENCE_BITS: u8 = 0;
const PRESENCE_ROWS: u8 = 1;
/// Bytes of a subject at least: its number, the length of its name, the name.
const SUBJECT_LEN_MIN: usize = 3;

/// With so many subjects every number in a checkpoint is below this, so that what a reader reserves for numbers is in
/// proportion to what it reads. An index with greater ones is written with new numbers.
const fn numbers_max(subjects: u64) -> u64 {
    NUMBERS_MIN + NUMBERS_PER_SUBJECT * subjects
}

/// A stream gives numbers again once half of all wait for that, so it rarely has twice as many as subjects.
const NUMBERS_PER_SUBJECT: u64 = 4;
const NUMBERS_MIN: u64 = 1024;
