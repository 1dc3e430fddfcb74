//! A log opens, or says why not, whatever became of its segments: it never panics and never goes on without end.
#![cfg_attr(fuzzing, no_main)]

use shards::ids::{EntryIndex, GroupId, Position, StreamSeq};
use shards::log::disk_op::{AlignedBuffer, DiskData, DiskDone, DiskOp, SegmentFile};
use shards::log::entry::{self, EntryStart, EntryView};
use shards::log::format::{ENVELOPE_LEN, FRAME_LEN, Frame, HEADER_COPY_LEN, Seal, SegmentHeader, framed_len};
use shards::log::{Log, LogOptions, OpenError, RecoveredItem, Recovery};
use shards::time::Instant;
use std::collections::BTreeMap;

/// Operations of the disk in one opening; far more than these segments can need.
const OPS_MAX: usize = 10_000;

/// The input is a script of steps (see `step`) on a small log and its disk; at the end the log is opened twice.
pub fn run(data: &[u8]) {
    let mut disk = Disk::default();
    let Ok(mut log) = open(&mut disk, 1) else { unreachable!("an empty disk holds a new log") };
    let mut life = 2;
    for step in data.chunks(4).take(64) {
        let mut bytes = [0; 4];
        bytes[..step.len()].copy_from_slice(step);
        match bytes[0] % 8 {
            0..=2 => append(&mut log, u64::from(bytes[1] % 4), usize::from(bytes[2]) * 40, bytes[3]),
            3 => checkpoint(&mut log),
            4 => turn(&mut log, &mut disk),
            5 => disk.damage(bytes[1], u16::from_le_bytes([bytes[2], bytes[3]]), 0x41),
            6 => disk.damage_and_seal(bytes[1], bytes[2], bytes[3]),
            _ => {
                life += 1;
                match open(&mut disk, life) {
                    Ok(opened) => log = opened,
                    Err(_) => return,
                }
            }
        }
    }
    for _ in 0..2 {
        life += 1;
        let Ok(mut opened) = open(&mut disk, life) else { return };
        append(&mut opened, 1, 100, 7);
        turn(&mut opened, &mut disk);
    }
}

fn open(disk: &mut Disk, life: u64) -> Result<Log, OpenError> {
    let options =
        LogOptions { segment_len: 128 << 10, first_segment_len: 64 << 10, ..LogOptions::new(9, life) };
    let files = disk.files.iter().map(|(&file, bytes)| (SegmentFile(file), bytes.len() as u64)).collect();
    let mut recovery = Recovery::open(options, files);
    for _ in 0..OPS_MAX {
        while let Some(item) = recovery.poll_item() {
            if let RecoveredItem::Entry { place, bytes } = item {
                assert_eq!(place.len as usize, bytes.len());
                let view = EntryView::parse(&bytes).expect("recovery hands over entries that can be read");
                let _ = view.changes().count();
            }
        }
        if recovery.is_done()? {
            return Ok(recovery.finish().0);
        }
        let op = recovery.poll_op().expect("recovery is done or has something to do");
        recovery.handle_disk(disk.perform(op));
    }
    unreachable!("recovery of {} segments does not end", disk.files.len());
}

fn append(log: &mut Log, group: u64, len: usize, fill: u8) {
    let start = EntryStart {
        group: GroupId(group),
        term: log.epoch(),
        index: EntryIndex(u64::from(fill)),
        commit: EntryIndex(0),
        previous: Position(0),
        first_seq: StreamSeq(1),
        messages: 1,
        apply_version: 1,
    };
    // A full log refuses.
    let _ = log.append(&start, 2, len, |entry| {
        entry.change(1, len / 2, |bytes| bytes.fill(fill));
        entry.change(2, len - len / 2, |bytes| bytes.fill(fill ^ 1));
    });
}

fn checkpoint(log: &mut Log) {
    if !log.is_checkpointing() && !log.is_poisoned() {
        log.begin_checkpoint(log.committed());
    }
    for group in 1..4 {
        if log.checkpoint_has_room() {
            log.checkpoint_group(GroupId(group), EntryIndex(1), vec![1; 600], [Position(0)]);
        }
    }
    log.finish_checkpoint();
}

/// Does what the log asks of the disk until it asks nothing more.
fn turn(log: &mut Log, disk: &mut Disk) {
    for _ in 0..OPS_MAX {
        let Some(op) = log.poll_op(Instant(1)) else { return };
        log.handle_disk(Instant(1), disk.perform(op));
    }
    unreachable!("a log without input comes to rest");
}

/// Files in memory; every write is durable, and known by its place.
#[derive(Default)]
struct Disk {
    files: BTreeMap<u32, Vec<u8>>,
    writes: Vec<(u32, usize, usize)>,
}

impl Disk {
    fn perform(&mut self, op: DiskOp) -> DiskDone {
        let (token, data) = match op {
            DiskOp::Write { token, file, offset, data } => {
                let (at, bytes) = (offset as usize, data.as_slice());
                let content = self.files.get_mut(&file.0).expect("written after it was prepared");
                content[at..at + bytes.len()].copy_from_slice(bytes);
                self.writes.push((file.0, at, bytes.len()));
                (token, DiskData::Nothing)
            }
            DiskOp::Read { token, file, offset, len } => {
                let mut buffer = AlignedBuffer::zeroed(len);
                let from = offset as usize;
                buffer.as_mut_slice()[..len].copy_from_slice(&self.files[&file.0][from..from + len]);
                (token, DiskData::Read(buffer))
            }
            DiskOp::Prepare { token, file, len } => {
                self.files.insert(file.0, vec![0; len as usize]);
                self.writes.retain(|(of, ..)| *of != file.0);
                (token, DiskData::Nothing)
            }
            DiskOp::Sync { token, .. } => (token, DiskData::Nothing),
        };
        DiskDone { token, result: Ok(data) }
    }

    /// Changes a byte of a write, counted from the last one.
    fn damage(&mut self, write: u8, at: u16, flip: u8) {
        if let Some(bytes) = self.write(write) {
            let at = usize::from(at) % bytes.len();
            bytes[at] ^= flip;
        }
    }

    /// Changes a byte among the first 256 of a write, and puts every checksum in the write right.
    fn damage_and_seal(&mut self, write: u8, at: u8, flip: u8) {
        let Some(bytes) = self.write(write) else { return };
        let frames = frames(bytes);
        bytes[usize::from(at)] ^= flip;
        let identity = bytes[16..48].to_vec();
        let position = u64_at(bytes, 56);
        for (at, len) in frames {
            seal_item(&mut bytes[at..], len, &identity, position + at as u64);
        }
        let is_header = SegmentHeader::decode(bytes).is_ok() || bytes[10] & 5 != 0;
        let len = if is_header { HEADER_COPY_LEN } else { ENVELOPE_LEN };
        seal(bytes, len);
        if is_header && bytes.len() >= 2 * 4096 {
            bytes.copy_within(..HEADER_COPY_LEN, 4096);
        }
    }

    fn write(&mut self, back: u8) -> Option<&mut [u8]> {
        let nth = self.writes.len().checked_sub(1 + usize::from(back))?;
        let (file, at, len) = self.writes[nth];
        self.files.get_mut(&file)?.get_mut(at..at + len)
    }
}

/// Places of the frames in a write, and lengths of their bodies.
fn frames(write: &[u8]) -> Vec<(usize, usize)> {
    let items = u32_at(write, 12);
    let mut at = ENVELOPE_LEN;
    let mut frames = Vec::new();
    for _ in 0..items {
        let Some(frame) = write.get(at..at + FRAME_LEN) else { break };
        let len = u32_at(frame, 8) as usize;
        if write.len() - at - FRAME_LEN < len {
            break;
        }
        frames.push((at, len));
        at += framed_len(len);
    }
    frames
}

fn seal_item(item: &mut [u8], len: usize, identity: &[u8], position: u64) {
    let kind = item[4];
    let body = &mut item[FRAME_LEN..FRAME_LEN + len];
    let checksum = if kind == 1 { seal_entry(body) } else { crc32c::crc32c(body) };
    let identity = shards::log::format::Identity {
        log_id: u128::from_le_bytes(identity[..16].try_into().expect("16 bytes")),
        life: u64_at(identity, 16),
        serial: u64_at(identity, 24),
        epoch: 0,
    };
    let frame = Frame { kind, len: u32_at(item, 8), checksum, previous: Position(u64_at(item, 16)) };
    frame.encode(Seal::of(&identity), Position(position), item);
}

/// Puts an entry's own checksum right, as far as its lengths allow.
fn seal_entry(body: &mut [u8]) -> u32 {
    if body.len() < entry::HEADER_LEN {
        return 0;
    }
    let table = (u32_at(body, 60) as usize).saturating_mul(entry::ROW_LEN).saturating_add(entry::HEADER_LEN);
    seal(body, table.min(body.len()))
}

fn seal(bytes: &mut [u8], len: usize) -> u32 {
    let checksum = crc32c::crc32c(&bytes[4..len]);
    bytes[..4].copy_from_slice(&checksum.to_le_bytes());
    checksum
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
