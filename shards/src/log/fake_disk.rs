//! A disk in memory for the tests of log and shard: unsynced writes are lost in any subset, torn at 512 bytes, done in any order.

use super::buffer::AlignedBuffer;
use super::disk_op::{DiskData, DiskDone, DiskError, DiskOp, SegmentFile};
use super::format::SegmentHeader;
use std::collections::BTreeMap;

/// A small generator; the same seed gives the same run.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`; 0 if `n` is.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.next() % n }
    }
}

/// What is left of unsynced writes.
#[derive(Clone, Copy, Debug)]
pub enum Crash {
    /// Nothing.
    LoseAll,
    /// Everything that was completed, and nothing else.
    LoseNone,
    /// Each 512 bytes of each write by chance.
    Random,
}

#[derive(Debug, Default)]
struct File {
    /// What reads see.
    now: Vec<u8>,
    /// What is durable.
    synced: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Debug, Default)]
pub struct FakeDisk {
    files: BTreeMap<u32, File>,
    out: Vec<DiskOp>,
    /// Bytes that all files together may have; 0: any number.
    pub room: u64,
    /// Writes and syncs fail.
    pub fail: bool,
    /// Reads fail.
    pub fail_reads: bool,
}

impl FakeDisk {
    /// All files together have at most so many bytes.
    pub fn with_room(room: u64) -> Self {
        FakeDisk { room, ..FakeDisk::default() }
    }

    pub fn files(&self) -> Vec<(SegmentFile, u64)> {
        self.files.iter().map(|(&file, content)| (SegmentFile(file), content.now.len() as u64)).collect()
    }

    pub fn submit(&mut self, op: DiskOp) {
        self.out.push(op);
    }

    pub fn is_idle(&self) -> bool {
        self.out.is_empty()
    }

    /// Does one of the operations that are out.
    pub fn complete(&mut self, random: &mut Random) -> Option<DiskDone> {
        if self.out.is_empty() {
            return None;
        }
        let op = self.out.swap_remove(random.below(self.out.len() as u64) as usize);
        Some(self.perform(op))
    }

    /// Does the oldest operation that is out and is one of those.
    pub fn complete_first(&mut self, wanted: impl Fn(&DiskOp) -> bool) -> Option<DiskDone> {
        let at = self.out.iter().position(wanted)?;
        let op = self.out.remove(at);
        Some(self.perform(op))
    }

    fn perform(&mut self, op: DiskOp) -> DiskDone {
        let fails = self.fail && matches!(op, DiskOp::Write { .. } | DiskOp::Sync { .. });
        let (token, result) = match op {
            DiskOp::Write { token, .. } | DiskOp::Sync { token, .. } if fails => (token, Err(DiskError::Io)),
            DiskOp::Write { token, file, offset, data } => {
                let file = self.files.get_mut(&file.0).expect("written after it was prepared");
                let (at, bytes) = (offset as usize, data.as_slice());
                file.now[at..at + bytes.len()].copy_from_slice(bytes);
                file.unsynced.push((at, bytes.to_vec()));
                (token, Ok(DiskData::Nothing))
            }
            DiskOp::Sync { token, files } => {
                for file in files {
                    let file = self.files.get_mut(&file.0).expect("synced after it was prepared");
                    for (at, bytes) in file.unsynced.drain(..) {
                        file.synced[at..at + bytes.len()].copy_from_slice(&bytes);
                    }
                }
                (token, Ok(DiskData::Nothing))
            }
            DiskOp::Read { token, .. } if self.fail_reads => (token, Err(DiskError::Io)),
            DiskOp::Read { token, file, offset, len } => {
                let mut buffer = AlignedBuffer::zeroed(len);
                let from = offset as usize;
                buffer.as_mut_slice()[..len].copy_from_slice(&self.files[&file.0].now[from..from + len]);
                (token, Ok(DiskData::Read(buffer)))
            }
            DiskOp::Prepare { token, file, len } => {
                let others: u64 =
                    self.files.iter().filter(|(f, _)| **f != file.0).map(|(_, f)| f.now.len() as u64).sum();
                if self.room > 0 && others + len > self.room {
                    (token, Err(DiskError::Full))
                } else {
                    let zeros = vec![0; len as usize];
                    self.files
                        .insert(file.0, File { now: zeros.clone(), synced: zeros, unsynced: Vec::new() });
                    (token, Ok(DiskData::Nothing))
                }
            }
        };
        DiskDone { token, result }
    }

    /// The power goes: operations that are out are done in part, and not all that was done is durable.
    pub fn crash(&mut self, crash: Crash, random: &mut Random) {
        let out = std::mem::take(&mut self.out);
        if matches!(crash, Crash::Random) {
            for op in out {
                if random.below(2) == 0 && matches!(op, DiskOp::Write { .. }) {
                    self.fail = false;
                    self.perform(op);
                }
            }
        }
        for file in self.files.values_mut() {
            let mut writes = std::mem::take(&mut file.unsynced);
            if matches!(crash, Crash::LoseAll) {
                writes.clear();
            }
            for (at, bytes) in writes {
                // Whole, nothing, or some sectors.
                let fate = if matches!(crash, Crash::Random) { random.below(3) } else { 0 };
                for (i, sector) in bytes.chunks(512).enumerate() {
                    if fate == 0 || fate == 2 && random.below(2) == 0 {
                        let at = at + i * 512;
                        file.synced[at..at + sector.len()].copy_from_slice(sector);
                    }
                }
            }
            file.now.clone_from(&file.synced);
        }
    }

    /// Flips a bit of what is stored.
    pub fn flip(&mut self, file: SegmentFile, at: u64) {
        let file = self.files.get_mut(&file.0).expect("the file exists");
        file.now[at as usize] ^= 0x10;
        file.synced[at as usize] ^= 0x10;
    }
}

impl FakeDisk {
    /// What a file holds from `at` on.
    pub fn bytes(&self, file: SegmentFile, at: u64) -> &[u8] {
        &self.files[&file.0].now[at as usize..]
    }

    /// The headers of all files that have one.
    pub fn headers(&self) -> Vec<(SegmentFile, SegmentHeader)> {
        let header = |bytes: &[u8]| SegmentHeader::decode(bytes).ok().map(|(header, _)| header);
        let files = self.files.iter().map(|(&file, content)| (SegmentFile(file), header(&content.now)));
        files.filter_map(|(file, header)| Some((file, header?))).collect()
    }

    /// Takes a file of another disk under another number.
    pub fn adopt(&mut self, mut other: FakeDisk, file: SegmentFile, number: SegmentFile) {
        let content = other.files.remove(&file.0).expect("the file exists");
        self.files.insert(number.0, content);
    }
}
