//! Rows: neighbouring messages of one entry, in a few bytes.
//!
//! A row covers messages whose sequences, timestamps (1 ns apart), changes and offsets follow one another in one entry,
//! as the messages of one turn do. If they also share subject and shape, which are not written again if the row before has
//! the same, the row costs the same for one message and for
//! thousands; otherwise each message adds a varint for whatever differs, and a row ends after `COLUMNS_MAX` of them.

use super::block::Block;
use super::shape::Shape;
use crate::encoding::{Malformed, Reader, Write};
use crate::ids::{EntryPlace, Position, StreamSeq};
use crate::messages::SubjectId;
use crate::stream::config::Storage;
use crate::stream::place::Place;
use crate::time::WallTime;

/// Most messages of a row in which subject or shape differ: finding one reads all those before it.
pub const COLUMNS_MAX: u32 = 32;

/// A uniform row of at least this length is not broken up into columns; a new row starts.
const UNIFORM_KEEP: u32 = 16;

/// What the index knows of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub seq: StreamSeq,
    pub time: WallTime,
    pub subject: SubjectId,
    pub shape: Shape,
    pub place: Place,
}

/// What limits and consumers want to know of a message that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub subject: SubjectId,
    pub shape: Shape,
}

/// A row without its columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowHead {
    pub first: u64,
    pub count: u32,
    time: u64,
    entry: EntryPlace,
    change: u32,
    offset: u32,
    /// Of every message, if they share it.
    subject: Option<u32>,
    shape: Option<Shape>,
    /// Where its columns start and end in the bytes.
    columns: (u32, u32),
}

impl RowHead {
    pub fn last(&self) -> u64 {
        self.first + u64::from(self.count) - 1
    }

    pub fn entry(&self) -> EntryPlace {
        self.entry
    }

    /// Subject of every message, if they share it.
    pub fn one_subject(&self) -> Option<SubjectId> {
        self.subject.map(SubjectId)
    }

    /// A message of this row. `seq` is in it, `bytes` are those that the row was read from.
    pub fn message(&self, bytes: &[u8], seq: u64) -> Message {
        let at = (seq - self.first) as u32;
        if let (Some(subject), Some(shape)) = (self.subject, self.shape) {
            return self.nth(at, self.offset + at * shape.record_len(), subject, shape);
        }
        let mut columns = Reader::new(&bytes[self.columns.0 as usize..self.columns.1 as usize]);
        let mut offset = self.offset;
        match self.shape {
            // The column holds nothing but subjects.
            Some(shape) => {
                columns.skip_varints(at as usize).expect(OUR_OWN);
                offset += at * shape.record_len();
            }
            None => {
                for _ in 0..at {
                    if self.subject.is_none() {
                        columns.skip_varint().expect(OUR_OWN);
                    }
                    offset += Shape::from_bits(read_u32(&mut columns)).record_len();
                }
            }
        }
        let subject = self.subject.unwrap_or_else(|| read_u32(&mut columns));
        let shape = self.shape.unwrap_or_else(|| Shape::from_bits(read_u32(&mut columns)));
        self.nth(at, offset, subject, shape)
    }

    /// Subject and shape of a message of this row, for less than `message` costs: no record before it is measured.
    pub fn kind(&self, bytes: &[u8], seq: u64) -> Kind {
        if let (Some(subject), Some(shape)) = (self.subject, self.shape) {
            return Kind { subject: SubjectId(subject), shape };
        }
        let mut columns = Reader::new(&bytes[self.columns.0 as usize..self.columns.1 as usize]);
        let width = usize::from(self.subject.is_none()) + usize::from(self.shape.is_none());
        columns.skip_varints((seq - self.first) as usize * width).expect(OUR_OWN);
        let subject = self.subject.unwrap_or_else(|| read_u32(&mut columns));
        let shape = self.shape.unwrap_or_else(|| Shape::from_bits(read_u32(&mut columns)));
        Kind { subject: SubjectId(subject), shape }
    }

    /// Its messages. `bytes` are those that the row was read from.
    pub fn messages<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = Message> + use<'a> {
        let row = *self;
        let mut columns = Reader::new(&bytes[row.columns.0 as usize..row.columns.1 as usize]);
        let mut offset = row.offset;
        (0..row.count).map(move |at| {
            let subject = row.subject.unwrap_or_else(|| read_u32(&mut columns));
            let shape = row.shape.unwrap_or_else(|| Shape::from_bits(read_u32(&mut columns)));
            let message = row.nth(at, offset, subject, shape);
            offset += shape.record_len();
            message
        })
    }

    fn nth(&self, at: u32, offset: u32, subject: u32, shape: Shape) -> Message {
        let place = Place { entry: self.entry, change: self.change + at, offset, len: shape.record_len() };
        let at = u64::from(at);
        let (seq, time) = (StreamSeq(self.first + at), WallTime(self.time + at));
        Message { seq, time, subject: SubjectId(subject), shape, place }
    }

    /// Bytes of the records that are still there.
    pub fn live_bytes(&self, block: &Block) -> u64 {
        self.sum(block, |shape| u64::from(shape.record_len()))
    }

    /// Accounted bytes of the messages that are still there.
    pub fn accounted(&self, block: &Block, storage: Storage) -> u64 {
        self.sum(block, |shape| shape.accounted(storage))
    }

    fn sum(&self, block: &Block, value: impl Fn(Shape) -> u64) -> u64 {
        match self.shape {
            Some(shape) => block.count(self.first, self.last() + 1) * value(shape),
            None => self
                .messages(&block.rows)
                .filter(|message| block.contains(message.seq.0))
                .map(|message| value(message.shape))
                .sum(),
        }
    }

    /// Timestamp of a message of this row.
    pub fn time(&self, seq: u64) -> u64 {
        self.time + (seq - self.first)
    }
}

/// Reads rows one after another. The bytes were written by `OpenRow::seal`, or checked by `check_rows`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    bytes: &'a [u8],
    at: usize,
    previous: RowHead,
}

impl<'a> Rows<'a> {
    /// From the start. `base` is the one that the rows were written against.
    pub fn new(bytes: &'a [u8], base: Base) -> Self {
        Rows { bytes, at: 0, previous: base.as_head() }
    }

    /// Goes on behind a row that was read before from the same bytes.
    pub fn resume(&mut self, at: usize, row: RowHead) {
        self.at = at;
        self.previous = row;
    }

    /// For `resume`.
    pub fn position(&self) -> usize {
        self.at
    }

    fn read(&mut self) -> Result<RowHead, Malformed> {
        let previous = self.previous;
        let mut reader = Reader::new(&self.bytes[self.at..]);
        let flags = reader.u8()?;
        if flags & !FLAGS_KNOWN != 0 {
            return Err(Malformed);
        }
        let mut head = RowHead::default();
        if flags & SAME_ENTRY != 0 {
            head.entry = previous.entry;
        } else {
            let step = unzigzag(reader.varint()?);
            head.entry.position = Position(previous.entry.position.0.wrapping_add_signed(step));
            head.entry.len = narrow(reader.varint()?)?;
        }
        if flags & SAME_START != 0 {
            (head.change, head.offset) = (previous.change, previous.offset);
        } else {
            head.change = narrow(reader.varint()?)?;
            head.offset = narrow(reader.varint()?)?;
        }
        head.count = narrow(reader.varint()?)?;
        let next = previous.first.checked_add(u64::from(previous.count)).ok_or(Malformed)?;
        let gap = if flags & GAP != 0 { reader.varint()? } else { 0 };
        head.first = next.checked_add(gap).ok_or(Malformed)?;
        head.time = previous.time.wrapping_add_signed(unzigzag(reader.varint()?));
        head.subject = match flags & (ONE_SUBJECT | SAME_SUBJECT) {
            0 => None,
            ONE_SUBJECT => Some(narrow(reader.varint()?)?),
            _ => Some(previous.subject.ok_or(Malformed)?),
        };
        head.shape = match flags & (ONE_SHAPE | SAME_SHAPE) {
            0 => None,
            ONE_SHAPE => Some(Shape::from_bits(narrow(reader.varint()?)?)),
            _ => Some(previous.shape.ok_or(Malformed)?),
        };
        let mut end = self.bytes.len() - reader.remaining();
        if head.subject.is_none() || head.shape.is_none() {
            let len = usize::try_from(reader.varint()?).map_err(|_| Malformed)?;
            let start = self.bytes.len() - reader.remaining();
            reader.take(len)?;
            end = start + len;
            head.columns = (start as u32, end as u32);
        }
        self.at = end;
        self.previous = head;
        Ok(head)
    }
}

impl Iterator for Rows<'_> {
    type Item = RowHead;

    fn next(&mut self) -> Option<RowHead> {
        if self.at == self.bytes.len() {
            return None;
        }
        Some(self.read().expect("rows are our own, or were checked when a checkpoint was read"))
    }
}

/// Whether bytes from a checkpoint are whole rows that ascend and whose lengths fit.
pub fn check_rows(bytes: &[u8], base: Base) -> Result<(), Malformed> {
    let mut rows = Rows::new(bytes, base);
    while rows.at < bytes.len() {
        let row = rows.read()?;
        let uniform = row.subject.is_some() && row.shape.is_some();
        if row.count == 0 || row.first == 0 || (!uniform && row.count > COLUMNS_MAX) {
            return Err(Malformed);
        }
        if row.entry.position.0 > POSITION_MAX {
            return Err(Malformed);
        }
        row.first.checked_add(u64::from(row.count)).ok_or(Malformed)?;
        row.time.checked_add(u64::from(row.count)).ok_or(Malformed)?;
        row.change.checked_add(row.count).ok_or(Malformed)?;
        let mut columns = Reader::new(&bytes[row.columns.0 as usize..row.columns.1 as usize]);
        let mut end = u64::from(row.offset);
        let steps = if uniform { 1 } else { row.count };
        for _ in 0..steps {
            if row.subject.is_none() {
                narrow(columns.varint()?)?;
            }
            let shape = row.shape.map_or_else(|| narrow(columns.varint()?).map(Shape::from_bits), Ok)?;
            if !shape.is_sound() {
                return Err(Malformed);
            }
            end += u64::from(shape.record_len()) * u64::from(if uniform { row.count } else { 1 });
        }
        u32::try_from(end).map_err(|_| Malformed)?;
        columns.finish()?;
    }
    Ok(())
}

/// What the first row of some bytes is written against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Base {
    pub first: u64,
    pub time: u64,
    pub position: u64,
}

impl Base {
    /// So that the row of `message` costs little.
    pub fn of(message: &Message) -> Base {
        Base { first: message.seq.0, time: message.time.0, position: message.place.entry.position.0 }
    }

    fn as_head(self) -> RowHead {
        let entry = EntryPlace { position: Position(self.position), len: 0 };
        RowHead { first: self.first, time: self.time, entry, ..RowHead::default() }
    }
}

/// The row at the end, which still takes messages.
#[derive(Clone, Debug, Default)]
pub struct OpenRow {
    head: RowHead,
    /// Where the next record would start.
    next_offset: u32,
    /// Subject and shape of each message; empty while they are all the same.
    columns: Vec<(u32, Shape)>,
    /// The row sealed before this one.
    previous: RowHead,
}

impl OpenRow {
    pub fn new(base: Base) -> Self {
        OpenRow { previous: base.as_head(), ..OpenRow::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.head.count == 0
    }

    pub fn first(&self) -> u64 {
        self.head.first
    }

    pub fn entry(&self) -> EntryPlace {
        self.head.entry
    }

    /// Sequences of its messages.
    pub fn seqs(&self) -> std::ops::Range<u64> {
        self.head.first..self.head.first + u64::from(self.head.count)
    }

    /// Takes the message if it fits here; otherwise `seal` first.
    pub fn push(&mut self, message: &Message) -> bool {
        let Message { seq, time, subject, shape, place } = *message;
        if self.is_empty() {
            self.head = RowHead {
                first: seq.0,
                count: 0,
                time: time.0,
                entry: place.entry,
                change: place.change,
                offset: place.offset,
                subject: Some(subject.0),
                shape: Some(shape),
                columns: (0, 0),
            };
        } else {
            let head = &self.head;
            let count = u64::from(head.count);
            let follows = seq.0 == head.first + count
                && time.0 == head.time + count
                && place.entry == head.entry
                && place.change == head.change + head.count
                && place.offset == self.next_offset;
            let same = head.subject == Some(subject.0) && head.shape == Some(shape);
            if !follows || !(same && self.columns.is_empty() || self.make_columns()) {
                return false;
            }
            if !self.columns.is_empty() {
                self.columns.push((subject.0, shape));
            }
        }
        self.head.count += 1;
        self.next_offset = place.offset + shape.record_len();
        true
    }

    /// Takes the front of a run of messages that follow one another, each like the first; returns how many, 0: `seal` first.
    pub fn push_run(&mut self, first: &Message, count: u32) -> u32 {
        if !self.push(first) {
            return 0;
        }
        if !self.columns.is_empty() {
            return 1;
        }
        self.head.count += count - 1;
        self.next_offset += (count - 1) * first.shape.record_len();
        count
    }

    /// Whether another message may differ from those before it.
    fn make_columns(&mut self) -> bool {
        if !self.columns.is_empty() {
            return self.head.count < COLUMNS_MAX;
        }
        if self.head.count >= UNIFORM_KEEP {
            return false;
        }
        let same = (self.head.subject.unwrap_or(0), self.head.shape.unwrap_or_default());
        self.columns.resize(self.head.count as usize, same);
        true
    }

    /// Appends the row to `bytes` and empties this one. There is a message in it.
    pub fn seal(&mut self, bytes: &mut Vec<u8>) {
        let previous = self.previous;
        let mut head = self.head;
        if let Some(&(subject, shape)) = self.columns.first() {
            head.subject = self.columns.iter().all(|column| column.0 == subject).then_some(subject);
            head.shape = self.columns.iter().all(|column| column.1 == shape).then_some(shape);
        }
        let next = previous.first + u64::from(previous.count);
        let mut flags = 0;
        flags |= if head.entry == previous.entry { SAME_ENTRY } else { 0 };
        flags |= if head.first != next { GAP } else { 0 };
        flags |= match head.subject {
            None => 0,
            same if same == previous.subject => ONE_SUBJECT | SAME_SUBJECT,
            Some(_) => ONE_SUBJECT,
        };
        flags |= match head.shape {
            None => 0,
            same if same == previous.shape => ONE_SHAPE | SAME_SHAPE,
            Some(_) => ONE_SHAPE,
        };
        let same_start = (head.change, head.offset) == (previous.change, previous.offset);
        flags |= if same_start { SAME_START } else { 0 };
        bytes.put_u8(flags);
        if flags & SAME_ENTRY == 0 {
            let step = head.entry.position.0.wrapping_sub(previous.entry.position.0);
            bytes.put_varint(zigzag(step as i64));
            bytes.put_varint(u64::from(head.entry.len));
        }
        if flags & SAME_START == 0 {
            bytes.put_varint(u64::from(head.change));
            bytes.put_varint(u64::from(head.offset));
        }
        bytes.put_varint(u64::from(head.count));
        if flags & GAP != 0 {
            bytes.put_varint(head.first - next);
        }
        bytes.put_varint(zigzag(head.time.wrapping_sub(previous.time) as i64));
        let (subject, shape) = (head.subject, head.shape);
        subject.filter(|_| flags & SAME_SUBJECT == 0).inspect(|&n| bytes.put_varint(u64::from(n)));
        shape.filter(|_| flags & SAME_SHAPE == 0).inspect(|shape| bytes.put_varint(u64::from(shape.bits())));
        if head.subject.is_none() || head.shape.is_none() {
            let len: usize = self
                .columns
                .iter()
                .map(|&(subject, shape)| {
                    let subject_len = if head.subject.is_none() { varint_len(subject) } else { 0 };
                    subject_len + if head.shape.is_none() { varint_len(shape.bits()) } else { 0 }
                })
                .sum();
            bytes.put_varint(len as u64);
            for &(subject, shape) in &self.columns {
                if head.subject.is_none() {
                    bytes.put_varint(u64::from(subject));
                }
                if head.shape.is_none() {
                    bytes.put_varint(u64::from(shape.bits()));
                }
            }
        }
        self.previous = head;
        self.head.count = 0;
        self.columns.clear();
    }

    /// Subject of a message of this row, and the last sequence of the neighbours that share it.
    pub fn same_subject(&self, seq: u64) -> (SubjectId, u64) {
        match self.columns.get((seq - self.head.first) as usize) {
            Some(column) => (SubjectId(column.0), seq),
            None => (SubjectId(self.head.subject.unwrap_or(0)), self.head.last()),
        }
    }

    /// Subject and shape of a message of this row.
    pub fn kind(&self, seq: u64) -> Kind {
        match self.columns.get((seq - self.head.first) as usize) {
            Some(&(subject, shape)) => Kind { subject: SubjectId(subject), shape },
            None => self.head.kind(&[], seq),
        }
    }

    /// A message of this row.
    pub fn message(&self, seq: u64) -> Message {
        let at = (seq - self.head.first) as usize;
        if self.columns.is_empty() {
            return self.head.message(&[], seq);
        }
        let before: u32 = self.columns[..at].iter().map(|column| column.1.record_len()).sum();
        let (subject, shape) = self.columns[at];
        let place = Place {
            entry: self.head.entry,
            change: self.head.change + at as u32,
            offset: self.head.offset + before,
            len: shape.record_len(),
        };
        let time = WallTime(self.head.time(seq));
        Message { seq: StreamSeq(seq), time, subject: SubjectId(subject), shape, place }
    }
}

/// Why columns can be read.
const OUR_OWN: &str = "columns are our own, or were checked when a checkpoint was read";

#[inline]
fn read_u32(columns: &mut Reader<'_>) -> u32 {
    columns.varint().expect(OUR_OWN) as u32
}

fn narrow(value: u64) -> Result<u32, Malformed> {
    u32::try_from(value).map_err(|_| Malformed)
}

fn varint_len(value: u32) -> usize {
    (32 - (value | 1).leading_zeros()).div_ceil(7) as usize
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// No log gets that long: so the end of an entry is a position, too. Bytes.
const POSITION_MAX: u64 = 1 << 62;

const SAME_ENTRY: u8 = 1;
const GAP: u8 = 2;
const ONE_SUBJECT: u8 = 4;
const ONE_SHAPE: u8 = 8;
/// As in the row before, and so not written.
const SAME_START: u8 = 16;
const SAME_SUBJECT: u8 = 32;
const SAME_SHAPE: u8 = 64;
const FLAGS_KNOWN: u8 = 127;
