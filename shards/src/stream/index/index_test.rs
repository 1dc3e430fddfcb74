use super::*;
use crate::encoding::{Malformed, Reader, Write};
use crate::ids::Position;
use std::collections::BTreeMap as Model;

#[derive(Clone, Debug, PartialEq)]
struct Known {
    time: u64,
    subject: Vec<u8>,
    shape: Shape,
    place: Place,
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

struct Writer {
    seq: u64,
    time: u64,
    position: u64,
}

impl Writer {
    /// Pushes one entry with `count` messages.
    fn entry(
        &mut self,
        index: &mut Index,
        model: &mut Model<u64, Known>,
        count: u64,
        random: &mut Random,
        subjects: u64,
    ) {
        self.position += 4096 + random.below(3) * 4096;
        self.time += 1 + random.below(1_000_000);
        if random.below(9) == 0 {
            self.seq += random.below(3000);
        }
        let entry = EntryPlace { position: Position(self.position), len: 4096 };
        let (mut change, mut offset) = (random.below(3) as u32, 64);
        for _ in 0..count {
            self.seq += 1;
            self.time += 1;
            let subject = format!("s.{}", random.below(subjects)).into_bytes();
            let payload_len = if subjects == 1 { 100 } else { random.below(3) as usize * 50 };
            let shape = Shape::new(subject.len(), 0, payload_len, random.below(7) == 0);
            let place = Place { entry, change, offset, len: shape.record_len() };
            index.push(self.seq, WallTime(self.time), &subject, shape, place);
            model.insert(self.seq, Known { time: self.time, subject, shape, place });
            change += 1;
            offset += shape.record_len();
        }
    }
}

fn known(index: &Index, seq: u64) -> Option<Known> {
    index.get(seq).map(|message| Known {
        time: message.time.0,
        subject: index.name(message.subject).to_vec(),
        shape: message.shape,
        place: message.place,
    })
}

fn assert_same(index: &Index, model: &Model<u64, Known>, random: &mut Random, last: u64) {
    assert_eq!(index.count(), model.len() as u64);
    for _ in 0..20 {
        let seq = random.below(last + 3);
        assert_eq!(known(index, seq), model.get(&seq).cloned(), "{seq}");
        assert_eq!(index.contains(seq), model.contains_key(&seq), "{seq}");
        assert_eq!(index.at_or_above(seq), model.range(seq..).next().map(|(&seq, _)| seq), "{seq}");
        assert_eq!(index.at_or_below(seq), model.range(..=seq).next_back().map(|(&seq, _)| seq), "{seq}");
        assert_eq!(index.count_from(seq), model.range(seq..).count() as u64, "{seq}");
    }
    let count = random.below(model.len() as u64 + 1) + 1;
    let nth = model.keys().rev().nth(count as usize - 1).or(model.keys().next());
    assert_eq!(index.nth_last(count), nth.copied());
}

fn assert_subjects(index: &Index, model: &Model<u64, Known>) {
    let mut by_subject: Model<&[u8], Vec<u64>> = Model::new();
    for (&seq, known) in model {
        by_subject.entry(&known.subject).or_default().push(seq);
    }
    assert_eq!(index.subjects.len(), by_subject.len());
    for (name, seqs) in by_subject {
        let id = index.subjects.find(name).expect("the subject has messages");
        assert_eq!(index.subjects.count(id), seqs.len() as u64);
        assert_eq!(index.subjects.first(id), seqs[0]);
        assert_eq!(index.subjects.last(id), *seqs.last().unwrap());
    }
}

#[test]
fn an_index_behaves_as_a_map_does() {
    for seed in 0..8 {
        let random = &mut Random(seed);
        let (mut index, mut model) = (Index::default(), Model::new());
        let mut writer = Writer { seq: 0, time: 1_000, position: 0 };
        let subjects = [1, 2, 40, 2000][random.below(4) as usize];
        let widest = [1, 3, 90, 700][random.below(4) as usize];
        for step in 0..100 {
            if random.below(3) > 0 {
                let count = 1 + random.below(widest);
                writer.entry(&mut index, &mut model, count, random, subjects);
            }
            let removals = random.below(widest * 2);
            for _ in 0..removals {
                let seq = match random.below(3) {
                    0 => model.keys().next().copied().unwrap_or(1),
                    _ => random.below(writer.seq + 2),
                };
                let known = model.remove(&seq);
                let mut told = None;
                let kind = index.remove(seq, |kind, name| told = Some((kind, name.to_vec())));
                assert_eq!(kind, told.as_ref().map(|(kind, _)| *kind));
                let told = told.map(|(kind, name)| (name, kind.shape));
                assert_eq!(told, known.map(|known| (known.subject, known.shape)), "{seq}");
            }
            assert_same(&index, &model, random, writer.seq);
            if step % 50 == 49 {
                assert_subjects(&index, &model);
                let bytes: Vec<u8> = index.encode().into_iter().flatten().collect();
                let mut reader = Reader::new(&bytes);
                index = Index::decode(&mut reader).expect("what was written is read");
                reader.finish().unwrap();
                assert_same(&index, &model, random, writer.seq);
            }
        }
        let mut all = Vec::new();
        index.for_each(&mut |message| all.push(message.seq.0));
        assert_eq!(all, model.keys().copied().collect::<Vec<_>>());
        let mut live = 0;
        index.for_each_live(&mut |_, bytes| live += bytes);
        assert_eq!(live, model.values().map(|known| u64::from(known.place.len)).sum::<u64>());
    }
}

#[test]
fn messages_get_new_places() {
    let random = &mut Random(5);
    let (mut index, mut model) = (Index::default(), Model::new());
    let mut writer = Writer { seq: 0, time: 0, position: 0 };
    (0..20).for_each(|_| writer.entry(&mut index, &mut model, 30, random, 3));
    (1..writer.seq).step_by(3).for_each(|seq| {
        index.remove(seq, |_, _| {});
        model.remove(&seq);
    });
    let entry = EntryPlace { position: Position(1), len: 9 };
    let moved = |place: Place| Place { entry, change: 0, offset: 0, len: place.len };
    index.relocate(100, 200, &mut |message| moved(message.place));
    model.range_mut(100..=200).for_each(|(_, known)| known.place = moved(known.place));
    (0..writer.seq + 2).for_each(|seq| assert_eq!(known(&index, seq), model.get(&seq).cloned()));
}

/// Bytes that the index takes for each message on one subject, published as entries of so many, microseconds apart.
fn bytes_per_message(messages: u32) -> f64 {
    let mut index = Index::default();
    let (mut seq, mut position, mut time) = (0, 0, 1 << 60);
    let shape = Shape::new(9, 0, 128, false);
    for n in 0..4096u64 {
        let len = 200 + messages * (shape.record_len() + 10);
        let entry = EntryPlace { position: Position(position), len };
        position += u64::from(len.next_multiple_of(4096));
        time += 30_000 + n * 7_919 % 40_000;
        let table_len = 64 + messages * 10;
        for change in 0..messages {
            seq += 1;
            let offset = table_len + change * shape.record_len();
            let place = Place { entry, change, offset, len: shape.record_len() };
            index.push(seq, WallTime(time + u64::from(change)), b"orders.eu", shape, place);
        }
    }
    // A node of the tree is at least half full.
    let of_block = |block: &Block| block.rows.capacity() + (size_of::<Block>() + 8) * 2;
    index.blocks.values().map(of_block).sum::<usize>() as f64 / seq as f64
}

#[test]
fn a_message_on_one_subject_takes_a_byte_or_two_even_in_small_batches() {
    for (messages, bytes_max) in [(8, 2.1), (64, 0.3), (1000, 0.02)] {
        let bytes = bytes_per_message(messages);
        assert!(bytes < bytes_max, "{messages}: {bytes}");
    }
}

#[test]
fn random_bytes_are_no_index_and_no_panic() {
    let random = &mut Random(3);
    let (mut index, mut model) = (Index::default(), Model::new());
    let mut writer = Writer { seq: 0, time: 0, position: 0 };
    (0..6).for_each(|_| writer.entry(&mut index, &mut model, 20, random, 4));
    (1..60).step_by(2).for_each(|seq| _ = index.remove(seq, |_, _| {}));
    let bytes: Vec<u8> = index.encode().into_iter().flatten().collect();
    for _ in 0..2_000 {
        let mut bad = bytes.clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(bad.len() as u64) as usize;
            bad[at] = random.below(256) as u8;
        }
        bad.truncate(random.below(2 * bad.len() as u64) as usize);
        if let Ok(index) = Index::decode(&mut Reader::new(&bad)) {
            index.for_each(&mut |_| {});
            (0..70).for_each(|seq| _ = index.get(seq));
        }
    }
}

/// The index that a reader makes of what another one has written.
fn read_back(index: &mut Index) -> Result<Index, Malformed> {
    let bytes: Vec<u8> = index.encode().into_iter().flatten().collect();
    Index::decode(&mut Reader::new(&bytes))
}

/// A message alone in its entry.
fn lone(seq: u64, position: u64) -> Message {
    let (shape, entry) = (Shape::new(3, 0, 8, false), EntryPlace { position: Position(position), len: 4096 });
    let place = Place { entry, change: 0, offset: 0, len: shape.record_len() };
    Message { seq: StreamSeq(seq), time: WallTime(seq), subject: SubjectId(0), shape, place }
}

#[test]
fn an_absurd_number_of_a_subject_or_of_subjects_is_refused_before_anything_is_reserved() {
    let encoded = |count: u64, id: u64| {
        let mut bytes = Vec::new();
        bytes.put_varint(count);
        bytes.put_varint(id);
        bytes.put_bytes(b"a");
        bytes.put_varint(0);
        Index::decode(&mut Reader::new(&bytes)).map(|_| ())
    };
    for (count, id) in [(1, 1 << 27), (1, u64::from(u32::MAX)), (1 << 40, 0), (u64::MAX, 1 << 27), (2, 0)] {
        assert_eq!(encoded(count, id), Err(Malformed), "{count} {id}");
    }
}

#[test]
fn a_few_subjects_with_great_numbers_are_written_with_small_ones() {
    let (mut index, mut model) = (Index::default(), Model::new());
    let random = &mut Random(5);
    for seq in 1..=9000 {
        let Message { shape, place, .. } = lone(seq, seq * 4096);
        let subject = format!("{seq}").into_bytes();
        index.push(seq, WallTime(seq), &subject, shape, place);
        model.insert(seq, Known { time: seq, subject, shape, place });
    }
    (1..8990).for_each(|seq| _ = index.remove(seq, |_, _| {}));
    model.retain(|&seq, _| seq >= 8990);
    assert!(index.subjects.bound() >= 9000);
    let read = read_back(&mut index).expect("what was just written can be read");
    assert_eq!(read.subjects.bound() as usize, model.len());
    assert_same(&read, &model, random, 9000);
}

#[test]
fn a_block_with_a_bitmap_spans_a_bounded_number_of_sequences() {
    let read = |second: Message| {
        let first = lone(1, 0);
        let (mut block, mut open) = (Block::new(Base::of(&first)), OpenRow::new(Base::of(&first)));
        for message in [&first, &second] {
            assert!(open.push(message));
            block.seal(&mut open);
        }
        block.extend(1);
        if second.seq.0 < 1 << 20 {
            block.extend(second.seq.0);
        } else {
            (block.last, block.live) = (second.seq.0, 2);
        }
        let mut index = Index::default();
        let subject = index.subjects.enter(b"a.b");
        [1, second.seq.0].into_iter().for_each(|seq| index.subjects.push(subject, seq));
        index.blocks.insert(1, block);
        read_back(&mut index).map(|index| index.count())
    };
    assert_eq!(read(lone(1 << 16, 4096)), Ok(2));
    assert_eq!(read(lone((1 << 16) + 1, 4096)), Err(Malformed));
    assert_eq!(read(lone(1 << 60, 4096)), Err(Malformed));
    assert_eq!(read(lone(2, 1 << 63)), Err(Malformed), "no log has such a position");
}
