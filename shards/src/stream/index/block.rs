//! A block: the rows of neighbouring messages, and which of those messages are still there.

use super::row::{Base, Message, OpenRow, RowHead, Rows};

/// Rows of a block: finding one reads those before it.
pub const ROWS_MAX: u32 = 32;

/// Sequences from the first to the last of a block with a bitmap.
pub const SPAN_MAX: u64 = 64 << 10;

/// Sequences that were never stored between two messages of a block with a bitmap.
const GAP_MAX: u64 = 1 << 10;

/// About what a row of one message costs. Bytes.
const LONE_ROW_LEN: usize = 20;

/// Rows, and which of their messages are there.
#[derive(Clone, Debug)]
pub struct Block {
    pub base: Base,
    /// Sequence of the last message in the rows.
    pub last: u64,
    pub rows: Vec<u8>,
    pub row_count: u32,
    /// Messages that are there.
    pub live: u32,
    pub presence: Presence,
}

/// How a block knows which messages are there.
#[derive(Clone, Debug)]
pub enum Presence {
    /// A bit for every sequence from the block's first one that is gone; sequences beyond the words are there.
    Bits(Vec<u64>),
    /// What is gone is not in the rows.
    Rows,
}

/// Where a look-up ended, to go on from there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memo {
    block: u64,
    stamp: u64,
    row: Option<RowHead>,
    rows_at: usize,
}

impl Block {
    pub fn new(base: Base) -> Block {
        let presence = Presence::Bits(Vec::new());
        Block { base, last: base.first - 1, rows: Vec::new(), row_count: 0, live: 0, presence }
    }

    /// Blocks with exactly these messages, which ascend.
    pub fn split(messages: &[Message]) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut rest = messages;
        while let Some(first) = rest.first() {
            let mut block = Block::new(Base::of(first));
            let mut open = OpenRow::new(block.base);
            let mut taken = 0;
            while let Some(message) = rest.get(taken) {
                if !open.push(message) {
                    block.seal(&mut open);
                    if block.row_count == ROWS_MAX {
                        break;
                    }
                    assert!(open.push(message), "an empty row takes every message");
                }
                taken += 1;
            }
            block.seal(&mut open);
            block.rows.shrink_to_fit();
            block.live = taken as u32;
            block.last = rest[taken - 1].seq.0;
            block.presence = Presence::Rows;
            blocks.push(block);
            rest = &rest[taken..];
        }
        blocks
    }

    /// Whether the next message belongs into the next block.
    pub fn is_full(&self, next: u64) -> bool {
        self.row_count >= ROWS_MAX
            || next - self.base.first >= SPAN_MAX
            || next - self.last > GAP_MAX
            || matches!(self.presence, Presence::Rows)
    }

    /// Counts a message that was pushed to the open row. Sequences between it and the one before were never stored.
    pub fn extend(&mut self, seq: u64) {
        (self.last + 1..seq).for_each(|never| self.mark(never));
        self.last = seq;
        self.live += 1;
    }

    /// How many neighbours from `next` on the block may take, if it is not full.
    pub fn span_left(&self, next: u64) -> u64 {
        self.base.first + SPAN_MAX - next
    }

    /// As `extend`, for all from `first` to `last`.
    pub fn extend_by(&mut self, first: u64, last: u64) {
        self.extend(first);
        self.last = last;
        self.live += (last - first) as u32;
    }

    pub fn seal(&mut self, open: &mut OpenRow) {
        if !open.is_empty() {
            open.seal(&mut self.rows);
            self.row_count += 1;
        }
    }

    /// Whether a message is there. Those of an open row are known by their bits.
    pub fn contains(&self, seq: u64) -> bool {
        if seq < self.base.first || seq > self.last {
            return false;
        }
        match &self.presence {
            Presence::Bits(dead) => !is_marked(dead, seq - self.base.first),
            Presence::Rows => self.row_heads().any(|row| row.first <= seq && seq <= row.last()),
        }
    }

    /// First message that is there at or above `seq`.
    pub fn at_or_above(&self, seq: u64) -> Option<u64> {
        let mut seq = seq.max(self.base.first);
        match &self.presence {
            Presence::Bits(dead) => {
                while seq <= self.last {
                    let bit = seq - self.base.first;
                    let Some(word) = dead.get((bit / 64) as usize) else { return Some(seq) };
                    let gone = (!word >> (bit % 64)).trailing_zeros() as u64;
                    if gone < 64 - bit % 64 {
                        seq += gone;
                        return (seq <= self.last).then_some(seq);
                    }
                    seq += 64 - bit % 64;
                }
                None
            }
            Presence::Rows => self.row_heads().find(|row| row.last() >= seq).map(|row| row.first.max(seq)),
        }
    }

    /// Last message that is there at or below `seq`.
    pub fn at_or_below(&self, seq: u64) -> Option<u64> {
        let mut seq = seq.min(self.last);
        match &self.presence {
            Presence::Bits(dead) => {
                while seq >= self.base.first {
                    if !is_marked(dead, seq - self.base.first) {
                        return Some(seq);
                    }
                    seq -= 1;
                }
                None
            }
            Presence::Rows => {
                let below = self.row_heads().take_while(|row| row.first <= seq).last();
                below.map(|row| row.last().min(seq))
            }
        }
    }

    /// How many messages are there from `from` on and below `to`.
    pub fn count(&self, from: u64, to: u64) -> u64 {
        let (from, to) = (from.max(self.base.first), to.min(self.last + 1));
        if from >= to {
            return 0;
        }
        match &self.presence {
            Presence::Bits(dead) => {
                let (start, end) = (from - self.base.first, to - self.base.first);
                let gone: u64 = (start / 64..=(end - 1) / 64)
                    .filter_map(|at| {
                        let word = dead.get(at as usize)?;
                        let low = u64::MAX << start.saturating_sub(at * 64).min(63);
                        let high_bits = end - at * 64;
                        let high = if high_bits >= 64 { u64::MAX } else { (1 << high_bits) - 1 };
                        Some(u64::from((word & low & high).count_ones()))
                    })
                    .sum();
                end - start - gone
            }
            Presence::Rows => {
                self.row_heads().map(|row| (row.last() + 1).min(to).saturating_sub(row.first.max(from))).sum()
            }
        }
    }

    /// A message that is in the rows.
    pub fn message(&self, seq: u64, stamp: u64, memo: &mut Memo) -> Message {
        self.row(seq, stamp, memo).message(&self.rows, seq)
    }

    /// The row of a message that is in the rows.
    pub fn row(&self, seq: u64, stamp: u64, memo: &mut Memo) -> RowHead {
        let known =
            memo.row.filter(|row| memo.block == self.base.first && memo.stamp == stamp && row.first <= seq);
        let mut rows = Rows::new(&self.rows, self.base);
        if let Some(row) = known {
            if seq <= row.last() {
                return row;
            }
            rows.resume(memo.rows_at, row);
        }
        let row = rows.find(|row| seq <= row.last()).expect("the message is in the rows");
        *memo = Memo { block: self.base.first, stamp, row: Some(row), rows_at: rows.position() };
        row
    }

    /// Takes note that a message is gone. False: the rows are to be written anew without it.
    pub fn remove(&mut self, seq: u64) -> bool {
        self.live -= 1;
        self.mark(seq);
        matches!(self.presence, Presence::Bits(_))
    }

    /// Whether rows of only what is there would take less than half the memory.
    pub fn is_wasteful(&self) -> bool {
        match &self.presence {
            Presence::Bits(dead) => self.live as usize * LONE_ROW_LEN * 2 < self.rows.len() + dead.len() * 8,
            Presence::Rows => false,
        }
    }

    /// The messages that are there, ascending.
    pub fn messages(&self) -> impl Iterator<Item = Message> + '_ {
        let messages = self.row_heads().flat_map(|row| row.messages(&self.rows));
        messages.filter(|message| match &self.presence {
            Presence::Bits(dead) => !is_marked(dead, message.seq.0 - self.base.first),
            Presence::Rows => true,
        })
    }

    pub fn row_heads(&self) -> Rows<'_> {
        Rows::new(&self.rows, self.base)
    }

    fn mark(&mut self, seq: u64) {
        let Presence::Bits(dead) = &mut self.presence else { return };
        let bit = seq - self.base.first;
        let word = (bit / 64) as usize;
        if dead.len() <= word {
            dead.resize(word + 1, 0);
        }
        dead[word] |= 1 << (bit % 64);
    }
}

fn is_marked(dead: &[u64], bit: u64) -> bool {
    dead.get((bit / 64) as usize).is_some_and(|word| word >> (bit % 64) & 1 != 0)
}
