//! The log on a disk of its own that loses, tears and reorders what is not synced.

use super::disk_op::{DiskData, DiskDone, DiskOp, SegmentFile};
use super::entry::{EntryStart, EntryView};
use super::*;
use crate::ids::{EntryIndex, EntryPlace, GroupId, Position, StreamSeq, Term};
use crate::limits::{BLOCK_LEN, ENTRY_LEN_MAX};
use crate::time::Instant;
use defect::Defect;
use fake_disk::{Crash, FakeDisk, Random};
use std::collections::BTreeMap;
use std::time::Duration;

const SEGMENT: u64 = 256 << 10;
const FIRST: u64 = 64 << 10;

fn options(life: u64) -> LogOptions {
    LogOptions { segment_len: SEGMENT, first_segment_len: FIRST, ..LogOptions::new(0xabcdef, life) }
}

/// What a state machine above the log would hold: the bytes of every entry by (group, index).
type State = BTreeMap<(u64, u64), (EntryPlace, Vec<u8>)>;

/// A log, what its recovery said, the state, and the last entry of each group in the checkpoint.
type Opened = (Log, RecoveryReport, State, BTreeMap<u64, u64>);

/// A log, its disk, and what was told to the world.
struct Bench {
    disk: FakeDisk,
    log: Log,
    report: RecoveryReport,
    state: State,
    /// Appended and not applied yet.
    in_flight: Vec<(u64, u64, EntryPlace, Vec<u8>)>,
    /// What a client was told is stored.
    acked: BTreeMap<(u64, u64), Vec<u8>>,
    next_index: BTreeMap<u64, u64>,
    now: Instant,
    options: LogOptions,
    /// Groups that are still to be handed to the checkpoint under way.
    to_checkpoint: Vec<u64>,
    /// Entries of a group below this index are deleted.
    floor: BTreeMap<u64, u64>,
}

/// Opens a log, driving its operations in a random order. `None`: the crash came first.
fn recover(
    options: &LogOptions,
    disk: &mut FakeDisk,
    random: &mut Random,
    mut ops_left: Option<u64>,
) -> Option<Result<Opened, OpenError>> {
    let mut recovery = Recovery::open(options.clone(), disk.files());
    let (mut state, mut covers) = (State::new(), BTreeMap::new());
    loop {
        while let Some(item) = recovery.poll_item() {
            match item {
                RecoveredItem::Group { group, covers: index, state: bytes } => {
                    covers.insert(group.0, index.0);
                    for (index, place, len) in decode_group(&bytes) {
                        let place = EntryPlace { position: Position(place), len };
                        state.insert((group.0, index), (place, Vec::new()));
                    }
                }
                RecoveredItem::Entry { place, bytes } => {
                    let view = EntryView::parse(&bytes).unwrap();
                    let (group, index) = (view.group().0, view.index().0);
                    if covers.get(&group).is_none_or(|&covers| index > covers) {
                        state.insert((group, index), (place, bytes));
                    }
                }
            }
        }
        while let Some(op) = recovery.poll_op() {
            disk.submit(op);
        }
        match recovery.is_done() {
            Ok(true) => break,
            Ok(false) => {}
            Err(error) => return Some(Err(error)),
        }
        if let Some(left) = ops_left.as_mut() {
            if *left == 0 {
                return None;
            }
            *left -= 1;
        }
        let done = disk.complete(random).expect("recovery is neither done nor waiting");
        recovery.handle_disk(done);
    }
    let (log, report) = recovery.finish();
    Some(Ok((log, report, state, covers)))
}

fn encode_group(entries: &[(u64, EntryPlace)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, place) in entries {
        out.extend_from_slice(&index.to_le_bytes());
        out.extend_from_slice(&place.position.0.to_le_bytes());
        out.extend_from_slice(&place.len.to_le_bytes());
    }
    out
}

fn decode_group(bytes: &[u8]) -> impl Iterator<Item = (u64, u64, u32)> {
    bytes.chunks_exact(20).map(|row| {
        let u64_at = |at: usize| u64::from_le_bytes(row[at..at + 8].try_into().unwrap());
        (u64_at(0), u64_at(8), u32::from_le_bytes(row[16..].try_into().unwrap()))
    })
}

impl Bench {
    fn open(options: LogOptions, mut disk: FakeDisk, random: &mut Random) -> Bench {
        let (log, report, state, covers) = recover(&options, &mut disk, random, None)
            .expect("no crash was asked for")
            .expect("the log opens");
        let mut next_index = covers.clone();
        for &(group, index) in state.keys() {
            let next = next_index.entry(group).or_default();
            *next = index.max(*next);
        }
        Bench {
            disk,
            log,
            report,
            state,
            in_flight: Vec::new(),
            acked: BTreeMap::new(),
            next_index,
            now: Instant(1_000_000_000),
            options,
            to_checkpoint: Vec::new(),
            floor: BTreeMap::new(),
        }
    }

    fn fresh() -> (Bench, Random) {
        let mut random = Random(7);
        (Bench::open(options(1), FakeDisk::default(), &mut random), random)
    }

    fn append(&mut self, group: u64, payload: &[u8]) -> Result<EntryPlace, NoRoom> {
        let index = self.next_index.get(&group).copied().unwrap_or(0) + 1;
        let start = EntryStart {
            group: GroupId(group),
            term: self.log.epoch(),
            index: EntryIndex(index),
            commit: EntryIndex(index - 1),
            previous: Position(0),
            first_seq: StreamSeq(index),
            messages: 1,
            apply_version: 1,
        };
        let half = payload.len() / 2;
        let place = self.log.append(&start, 2, payload.len(), |entry| {
            entry.change(1, half, |b| b.copy_from_slice(&payload[..half]));
            entry.change(2, payload.len() - half, |b| b.copy_from_slice(&payload[half..]));
        })?;
        self.next_index.insert(group, index);
        let bytes = self.log.entry(place).unwrap().expect("in memory").bytes().to_vec();
        self.in_flight.push((group, index, place, bytes));
        Ok(place)
    }

    /// Applies and acks what is committed, goes on with a checkpoint, submits what the log wants.
    fn end_turn(&mut self) {
        let committed = self.log.committed();
        let applied = self.in_flight.partition_point(|(_, _, place, _)| place.end() <= committed);
        for (group, index, place, bytes) in self.in_flight.drain(..applied) {
            let view = self.log.entry(place).unwrap().expect("just committed entries are in memory");
            assert_eq!(view.bytes(), bytes);
            self.acked.insert((group, index), bytes.clone());
            self.state.insert((group, index), (place, bytes));
        }
        self.checkpoint();
        while let Some(op) = self.log.poll_op(self.now) {
            self.disk.submit(op);
        }
    }

    fn checkpoint(&mut self) {
        if self.log.wants_checkpoint(self.now) {
            self.log.begin_checkpoint(self.log.committed());
            self.to_checkpoint = self.state.keys().map(|&(group, _)| group).collect();
            self.to_checkpoint.dedup();
        }
        // One group a turn.
        if !self.log.checkpoint_has_room() {
            return;
        }
        let Some(group) = self.to_checkpoint.pop() else { return self.log.finish_checkpoint() };
        let rows: Vec<_> = self
            .state
            .range((group, 0)..(group + 1, 0))
            .map(|(&(_, index), &(place, _))| (index, place))
            .collect();
        let covers = rows.last().map_or(0, |&(index, _)| index);
        let live: Vec<_> = rows.iter().map(|(_, place)| place.position).collect();
        self.log.checkpoint_group(GroupId(group), EntryIndex(covers), encode_group(&rows), live);
    }

    /// Deletes a group's entries below `index`: a change of its own, as it would be in a stream.
    fn delete_below(&mut self, group: u64, index: u64) {
        let floor = self.floor.entry(group).or_insert(1);
        *floor = index.max(*floor);
        let gone: Vec<_> = self.state.range((group, 0)..(group, index)).map(|(&key, _)| key).collect();
        for key in gone {
            self.state.remove(&key);
            self.acked.remove(&key);
        }
    }

    fn turn(&mut self, random: &mut Random) -> bool {
        self.end_turn();
        self.now = self.now + Duration::from_micros(50);
        let Some(done) = self.disk.complete(random) else { return false };
        self.log.handle_disk(self.now, done);
        true
    }

    /// Until nothing is out, waiting for timers too.
    fn settle(&mut self, random: &mut Random) {
        loop {
            while self.turn(random) {}
            self.end_turn();
            match self.log.poll_timeout() {
                Some(at) if self.disk.is_idle() => self.now = self.now.max(at),
                _ if !self.disk.is_idle() => {}
                _ => return,
            }
        }
    }

    /// Reads every entry of the state back, from memory or disk.
    fn read_all(&mut self, random: &mut Random) -> Vec<StorageError> {
        let places: Vec<_> = self.state.iter().map(|(&key, &(place, _))| (key, place)).collect();
        let mut damage = Vec::new();
        for ((group, index), place) in places {
            if !matches!(self.log.entry(place), Ok(Some(_))) {
                match self.log.read(place, place) {
                    Ok(token) => damage.extend(self.wait_for_read(token, random)),
                    Err(error) => damage.push(error),
                }
            }
            match self.log.entry(place) {
                Ok(Some(view)) => {
                    assert_eq!((view.group().0, view.index().0), (group, index));
                    if view.is_whole() {
                        let bytes = view.bytes().to_vec();
                        self.state.insert((group, index), (place, bytes));
                    } else {
                        damage.push(StorageError { from: place.position, to: place.end() });
                    }
                }
                Ok(None) => {}
                Err(error) => damage.push(error),
            }
        }
        damage
    }

    fn wait_for_read(&mut self, token: u64, random: &mut Random) -> Option<StorageError> {
        loop {
            while let Some(op) = self.log.poll_op(self.now) {
                self.disk.submit(op);
            }
            let done = self.disk.complete(random).expect("a read is out");
            if let Some(read) = self.log.handle_disk(self.now, done)
                && read.token == token
            {
                return read.result.err();
            }
        }
    }

    /// Loses what a crash loses, and opens what is left.
    fn crash(mut self, crash: Crash, random: &mut Random) -> Bench {
        self.disk.crash(crash, random);
        let options = LogOptions { life: random.next(), ..self.options.clone() };
        let (acked, floor) = (self.acked, self.floor);
        let mut bench = Bench::open(options, self.disk, random);
        bench.acked = acked;
        for (group, index) in floor {
            bench.delete_below(group, index);
        }
        bench
    }

    /// Every acked entry is there with its bytes.
    fn check_acked(&mut self, random: &mut Random) -> Result<(), String> {
        let damage = self.read_all(random);
        for (group, floor) in
            self.state.keys().map(|&(group, _)| (group, self.floor.get(&group).copied().unwrap_or(1)))
        {
            let last =
                self.state.range((group, 0)..(group + 1, 0)).next_back().map_or(0, |(&(_, index), _)| index);
            if let Some(hole) = (floor..=last).find(|&index| !self.state.contains_key(&(group, index))) {
                return Err(format!("group {group} has no entry {hole} before {last}"));
            }
        }
        for (key, (_, bytes)) in &self.state {
            if !EntryView::parse(bytes).is_ok_and(|view| view.is_whole()) {
                return Err(format!("{key:?} is damaged and was served"));
            }
        }
        for (key, bytes) in &self.acked {
            match self.state.get(key) {
                None => return Err(format!("{key:?} is missing")),
                Some((_, found)) if found != bytes => {
                    return Err(format!("{key:?} has other bytes; damage {damage:?}"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn payload(random: &mut Random) -> Vec<u8> {
    let len = match random.below(10) {
        0 => 5_000 + random.below(20_000),
        _ => 2 + random.below(300),
    };
    (0..len).map(|i| (i as u8).wrapping_mul(31) ^ random.0 as u8).collect()
}

#[test]
fn a_new_log_takes_an_entry_and_commits_it_with_one_write_and_one_sync() {
    let (mut bench, mut random) = Bench::fresh();
    let place = bench.append(1, b"hello world").unwrap();
    assert!(bench.log.committed() < place.end());
    bench.settle(&mut random);
    assert!(bench.log.committed() >= place.end());
    assert_eq!(bench.acked.len(), 1);
    // The second write is the mark of the idle log; it has no sync.
    assert_eq!((bench.log.figures().writes, bench.log.figures().syncs), (2, 1));
    assert_eq!(bench.log.epoch(), Term(1));
}

#[test]
fn a_short_write_waits_for_the_sync_that_it_would_not_be_in_and_a_long_one_does_not() {
    let mut random = Random(7);
    let whole = LogOptions::new(0xabcdef, 1);
    let mut bench = Bench::open(whole, FakeDisk::default(), &mut random);
    bench.settle(&mut random);
    let done = |token| DiskDone { token, result: Ok(DiskData::Nothing) };
    bench.append(1, b"hello").unwrap();
    let Some(DiskOp::Write { token, .. }) = bench.log.poll_op(bench.now) else { panic!("no write") };
    bench.log.handle_disk(bench.now, done(token));
    let Some(DiskOp::Sync { token: sync, .. }) = bench.log.poll_op(bench.now) else { panic!("no sync") };
    bench.append(1, b"meanwhile").unwrap();
    assert!(bench.log.poll_op(bench.now).is_none());
    bench.append(1, &vec![7; ENTRY_LEN_MAX]).unwrap();
    assert!(matches!(bench.log.poll_op(bench.now), Some(DiskOp::Write { .. })));
    bench.append(1, b"and then").unwrap();
    bench.log.handle_disk(bench.now, done(sync));
    assert!(
        bench.log.poll_op(bench.now).is_none(),
        "the long write is out, and there is nothing to sync yet"
    );
}

#[test]
fn a_lone_publish_is_written_and_synced_without_waiting() {
    let (mut bench, mut random) = Bench::fresh();
    bench.settle(&mut random);
    bench.append(1, b"hello").unwrap();
    let op = bench.log.poll_op(bench.now).unwrap();
    let DiskOp::Write { token, .. } = op else { panic!("{op:?}") };
    assert!(bench.log.poll_op(bench.now).is_none());
    bench.log.handle_disk(bench.now, DiskDone { token, result: Ok(DiskData::Nothing) });
    assert!(matches!(bench.log.poll_op(bench.now), Some(DiskOp::Sync { .. })));
}

#[test]
fn a_closed_log_has_nothing_to_copy_when_it_is_opened_again() {
    let (mut bench, mut random) = Bench::fresh();
    for _ in 0..5 {
        bench.append(1, b"some bytes").unwrap();
    }
    bench.log.close();
    while !bench.log.is_closed() {
        bench.turn(&mut random);
    }
    bench.end_turn();
    assert_eq!(bench.acked.len(), 5);
    assert!(bench.append(1, b"too late").is_err());
    let mut bench = bench.crash(Crash::LoseAll, &mut random);
    assert_eq!((bench.report.bytes_copied, bench.report.bytes_cut, bench.report.entries), (0, 0, 5));
    assert_eq!(bench.log.epoch(), Term(2));
    bench.check_acked(&mut random).unwrap();
}

#[test]
fn a_crash_at_any_operation_keeps_everything_acked() {
    let mut met = Met::default();
    for seed in 0..60 {
        run(seed, Defect::None, &mut met).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    let Met { checkpointing, recycling, copied, cut, aborted_starts } = met;
    assert!(checkpointing > 500 && recycling > 100 && copied > 100, "{met:?}");
    assert!(cut > 3 && aborted_starts > 20, "{met:?}");
}

/// How often a run was in which situation.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    checkpointing: u32,
    recycling: u32,
    copied: u32,
    cut: u32,
    aborted_starts: u32,
}

/// Several lives of random work, each ended by a crash, some of them during recovery.
fn run(seed: u64, defect: Defect, met: &mut Met) -> Result<(), String> {
    let mut random = Random(seed);
    let options = LogOptions { defect, tail_cache_len: 64 << 10, ..options(seed) };
    let mut bench = Bench::open(options, FakeDisk::default(), &mut random);
    for _ in 0..4 {
        let turns = random.below(400);
        for _ in 0..turns {
            for _ in 0..random.below(4) {
                let group = 1 + random.below(3);
                let bytes = payload(&mut random);
                if bench.log.may_admit(bench.now, bytes.len()) == Admission::Yes {
                    bench.append(group, &bytes).map_err(|_| "no room although admitted")?;
                }
                if random.below(40) == 0 {
                    let last = bench.next_index.get(&group).copied().unwrap_or(0);
                    bench.delete_below(group, last.saturating_sub(5));
                }
            }
            bench.turn(&mut random);
            let activity = bench.log.activity();
            met.checkpointing += u32::from(activity.checkpointing);
            met.recycling += u32::from(activity.recycling);
            for _ in 0..random.below(3) {
                bench.turn(&mut random);
            }
        }
        bench.disk.crash(Crash::Random, &mut random);
        if random.below(3) == 0 {
            // A start that does not get to its end.
            let life = LogOptions { life: random.next(), ..bench.options.clone() };
            let ops = random.below(40);
            let started = recover(&life, &mut bench.disk, &mut random, Some(ops)).is_some();
            met.aborted_starts += u32::from(!started);
        }
        bench = bench.crash(Crash::Random, &mut random);
        met.copied += u32::from(bench.report.bytes_copied > 0);
        met.cut += u32::from(bench.report.bytes_cut > 0);
        if !bench.report.damage.is_empty() {
            return Err(format!("damage without any: {:?}", bench.report.damage));
        }
        bench.check_acked(&mut random)?;
        // What was recovered is durable now, and acked for what comes.
        bench.acked = bench.state.iter().map(|(&key, (_, bytes))| (key, bytes.clone())).collect();
    }
    Ok(())
}

#[test]
fn each_deliberate_defect_is_found() {
    use Defect::*;
    let all = [
        AckBeforeSync,
        KeepBehindCut,
        RecycledReadAsNew,
        RecycleBeforeCheckpoint,
        ChecksumIgnored,
        TailNotSynced,
        OneFileSynced,
    ];
    for defect in all {
        let fails = |seed| {
            let run = || run(seed, defect, &mut Met::default());
            std::panic::catch_unwind(run).map_or(true, |result| result.is_err())
        };
        assert!((0..100).any(fails), "{defect:?} is not found");
    }
}

/// A log with ten entries in its first segment, everything synced and marked, as it is after a crash.
fn ten_entries(random: &mut Random) -> Bench {
    let mut bench = Bench::open(options(1), FakeDisk::default(), random);
    for i in 0..10 {
        bench.append(1, format!("payload of message {i}").as_bytes()).unwrap();
        bench.settle(random);
    }
    bench
}

#[test]
fn a_flipped_bit_below_the_mark_is_reported_and_costs_one_change() {
    let mut random = Random(1);
    let mut bench = ten_entries(&mut random);
    let (place, bytes) = bench.state[&(1, 4)].clone();
    let (file, offset) = bench.log.place(place.position).unwrap();
    let (change, _) = EntryView::parse(&bytes).unwrap().row(0);
    bench.disk.flip(file, offset + (format::FRAME_LEN + change) as u64);
    let bench = bench.crash(Crash::LoseAll, &mut random);
    assert_eq!(bench.report.damage, [StorageError { from: place.position, to: place.end() }]);
    assert_eq!((bench.report.entries, bench.report.bytes_cut), (10, 0));
    let view = EntryView::parse(&bench.state[&(1, 4)].1).unwrap();
    assert!(view.change(0).is_err() && view.change(1).is_ok());
}

#[test]
fn a_damaged_write_below_the_mark_is_reported_and_nothing_behind_it_is_cut() {
    let mut random = Random(1);
    let mut bench = ten_entries(&mut random);
    let (place, _) = bench.state[&(1, 4)].clone();
    let (file, offset) = bench.log.place(place.position).unwrap();
    let block = offset - offset % BLOCK_LEN as u64;
    bench.disk.flip(file, block + 20);
    let bench = bench.crash(Crash::LoseAll, &mut random);
    assert_eq!(bench.report.damage.len(), 1);
    assert!(bench.report.damage[0].from <= place.position && bench.report.damage[0].to >= place.end());
    assert_eq!((bench.report.entries, bench.report.bytes_cut), (9, 0));
    assert!(!bench.state.contains_key(&(1, 4)) && bench.state.contains_key(&(1, 10)));
}

#[test]
fn a_damaged_record_is_never_served_and_its_range_is_named() {
    let mut random = Random(1);
    let bench = ten_entries(&mut random);
    let (place, bytes) = bench.state[&(1, 4)].clone();
    let (change, _) = EntryView::parse(&bytes).unwrap().row(1);
    let mut bench = bench.crash(Crash::LoseAll, &mut random);
    let (file, offset) = bench.log.place(place.position).unwrap();
    bench.disk.flip(file, offset + (format::FRAME_LEN + change) as u64);
    let token = bench.log.read(place, place).unwrap();
    assert_eq!(bench.wait_for_read(token, &mut random), None);
    let view = bench.log.entry(place).unwrap().unwrap();
    assert!(view.change(0).is_ok() && view.change(1).is_err());
    // A bit of the header: the whole entry.
    bench.disk.flip(file, offset + format::FRAME_LEN as u64 + 20);
    let token = bench.log.read(place, place).unwrap();
    assert_eq!(bench.wait_for_read(token, &mut random), None);
    assert_eq!(bench.log.entry(place).unwrap_err(), StorageError { from: place.position, to: place.end() });
}

#[test]
fn neighbours_are_read_together_across_writes() {
    let mut random = Random(1);
    let bench = ten_entries(&mut random);
    let (first, last) = (bench.state[&(1, 2)].0, bench.state[&(1, 9)].0);
    let mut bench = bench.crash(Crash::LoseAll, &mut random);
    assert!(bench.log.may_read_together(first, last));
    let token = bench.log.read(first, last).unwrap();
    assert_eq!(bench.wait_for_read(token, &mut random), None);
    for index in 2..=9 {
        let place = bench.state[&(1, index)].0;
        assert_eq!(bench.log.entry(place).unwrap().unwrap().index(), EntryIndex(index));
    }
}

#[test]
fn above_the_mark_everything_behind_the_first_bad_write_is_cut() {
    let mut random = Random(1);
    let mut bench = ten_entries(&mut random);
    let mut writes = Vec::new();
    for i in 0..3 {
        bench.append(1, &vec![i; 300_000 / 10]).unwrap();
        // A write of its own each, handed out together.
        bench.log.poll_op(bench.now).into_iter().for_each(|op| writes.push(op));
        bench.append(2, &vec![i; 200_000 / 10]).unwrap();
    }
    while let Some(op) = bench.log.poll_op(bench.now) {
        writes.push(op);
    }
    let first = writes.iter().position(|op| matches!(op, DiskOp::Write { .. })).unwrap();
    writes.remove(first);
    writes.into_iter().for_each(|op| bench.disk.submit(op));
    while bench.disk.complete(&mut random).is_some() {}
    let bench = bench.crash(Crash::LoseNone, &mut random);
    assert!(bench.report.damage.is_empty());
    assert_eq!(bench.state.len(), 10);
}

#[test]
fn what_a_recycled_segment_held_before_is_never_taken_for_new() {
    let mut random = Random(3);
    let mut bench = Bench::open(options(1), FakeDisk::default(), &mut random);
    let mut written = 0;
    while bench.log.figures().writes < 400 {
        if bench.log.may_admit(bench.now, 8000) == Admission::Yes {
            bench.append(1, &[7; 8000]).unwrap();
            written += 1;
        }
        bench.settle(&mut random);
        bench.delete_below(1, written);
    }
    assert!(bench.log.figures().bytes_on_disk < 14 * SEGMENT, "segments are used again");
    for _ in 0..3 {
        bench = bench.crash(Crash::LoseNone, &mut random);
        assert!(bench.report.damage.is_empty(), "{:?}", bench.report.damage);
        assert!(bench.state.keys().all(|&(_, index)| index <= written));
        bench.check_acked(&mut random).unwrap();
    }
}

#[test]
fn a_damaged_checkpoint_costs_a_longer_tail_only() {
    let mut random = Random(3);
    let mut bench = Bench::open(options(1), FakeDisk::default(), &mut random);
    while bench.log.figures().segments_used < 9 {
        if bench.log.may_admit(bench.now, 8000) == Admission::Yes {
            bench.append(1, &[7; 8000]).unwrap();
        }
        bench.settle(&mut random);
    }
    // The newest checkpoint that a header names.
    let (_, newest) =
        bench.disk.headers().into_iter().max_by_key(|(_, h)| h.envelope.identity.serial).unwrap();
    let [Some(at), Some(older)] = newest.checkpoints else { panic!("two checkpoints were taken") };
    let (file, offset) = bench.log.place(at.begin).unwrap();
    let write = bench.disk.bytes(file, offset);
    let (envelope, _) = format::Envelope::decode(write).unwrap();
    let is_begin = |item: &format::Item<'_>| item.frame.kind == format::ItemKind::CheckpointBegin as u8;
    let begin = format::Items::new(write, &envelope).flatten().find(is_begin).unwrap().position;
    bench.disk.flip(file, offset + begin.0 - at.begin.0 + format::FRAME_LEN as u64);
    let mut bench = bench.crash(Crash::LoseAll, &mut random);
    assert!(bench.report.damage.iter().any(|damage| damage.from <= at.end && at.begin <= damage.to));
    assert!(older.tail_start < at.tail_start);
    bench.check_acked(&mut random).unwrap();
}

#[test]
fn a_full_disk_refuses_publishes_but_not_acks_and_recovers_within_a_second() {
    let mut random = Random(3);
    let disk = FakeDisk::with_room(12 * SEGMENT);
    let mut bench = Bench::open(options(1), disk, &mut random);
    let mut refused = false;
    for _ in 0..2000 {
        match bench.log.may_admit(bench.now, 8000) {
            Admission::Yes => drop(bench.append(1, &[7; 8000]).expect("an admitted message finds room")),
            Admission::Reserve => {
                refused = true;
                break;
            }
            Admission::Behind => {}
            other => panic!("{other:?}"),
        }
        bench.turn(&mut random);
        bench.turn(&mut random);
        bench.turn(&mut random);
    }
    assert!(refused);
    for _ in 0..20 {
        bench.append(1, b"an ack, or a delete").expect("the reserve is for these");
        bench.turn(&mut random);
    }
    bench.disk.room = 100 * SEGMENT;
    let since = bench.now;
    while bench.log.may_admit(bench.now, 8000) != Admission::Yes {
        bench.turn(&mut random);
        bench.now = bench.now + Duration::from_millis(10);
        assert!(bench.now - since < Duration::from_secs(1));
    }
}

#[test]
fn a_full_disk_gets_room_again_from_a_purge() {
    let mut random = Random(3);
    let disk = FakeDisk::with_room(12 * SEGMENT);
    let mut bench = Bench::open(options(1), disk, &mut random);
    while bench.log.may_admit(bench.now, 8000) != Admission::Reserve {
        if bench.log.may_admit(bench.now, 8000) == Admission::Yes {
            bench.append(1, &[7; 8000]).unwrap();
        }
        bench.turn(&mut random);
    }
    bench.append(1, b"purge").unwrap();
    while bench.turn(&mut random) {}
    bench.delete_below(1, bench.next_index[&1]);
    let since = bench.now;
    while bench.log.may_admit(bench.now, 8000) != Admission::Yes {
        bench.turn(&mut random);
        bench.now = bench.now + Duration::from_millis(10);
        assert!(
            bench.now - since < Duration::from_secs(1),
            "{:?} {:?}",
            bench.log.figures(),
            bench.log.activity()
        );
    }
}

#[test]
fn a_failed_write_or_sync_ends_the_log_and_reads_go_on() {
    let mut random = Random(1);
    let mut bench = ten_entries(&mut random);
    let committed = bench.log.committed();
    bench.disk.fail = true;
    bench.append(1, b"never acked").unwrap();
    for _ in 0..20 {
        bench.turn(&mut random);
    }
    assert!(bench.log.is_poisoned());
    assert_eq!(bench.log.may_admit(bench.now, 1), Admission::Poisoned);
    assert_eq!(bench.log.committed(), committed);
    assert!(bench.append(1, b"refused").is_err());
    assert_eq!(bench.log.poll_timeout(), None);
    let place = bench.state[&(1, 3)].0;
    let token = bench.log.read(place, place).unwrap();
    assert_eq!(bench.wait_for_read(token, &mut random), None);
}

#[test]
fn a_write_that_is_out_for_two_seconds_is_stuck() {
    let mut random = Random(1);
    let mut bench = ten_entries(&mut random);
    bench.append(1, b"slow").unwrap();
    bench.end_turn();
    assert_eq!(bench.log.may_admit(bench.now + Duration::from_millis(1999), 1), Admission::Yes);
    assert_eq!(bench.log.may_admit(bench.now + Duration::from_secs(2), 1), Admission::Stuck);
    bench.settle(&mut random);
    assert_eq!(bench.log.may_admit(bench.now, 1), Admission::Yes);
}

#[test]
fn an_entry_larger_than_a_write_is_one_write() {
    let mut random = Random(1);
    let big = LogOptions { segment_len: 16 << 20, first_segment_len: 16 << 20, ..options(1) };
    let mut bench = Bench::open(big, FakeDisk::default(), &mut random);
    let payload: Vec<u8> = (0..3 << 20).map(|i: u32| i as u8).collect();
    bench.append(1, b"before").unwrap();
    bench.append(1, &payload).unwrap();
    bench.append(1, b"behind").unwrap();
    bench.settle(&mut random);
    assert_eq!(bench.acked.len(), 3);
    let mut bench = bench.crash(Crash::LoseAll, &mut random);
    bench.check_acked(&mut random).unwrap();
}

#[test]
fn another_logs_file_is_left_alone() {
    let mut random = Random(1);
    let mut bench = ten_entries(&mut random);
    let stranger = LogOptions { log_id: 99, ..options(5) };
    let other = Bench::open(stranger, FakeDisk::default(), &mut random);
    bench.disk.adopt(other.disk, SegmentFile(0), SegmentFile(40));
    let mut bench = bench.crash(Crash::LoseAll, &mut random);
    assert_eq!(bench.report.foreign_files, [SegmentFile(40)]);
    bench.check_acked(&mut random).unwrap();
}
