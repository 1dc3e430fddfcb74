//! A faulty disk: one per directory of a shard.
//!
//! Operations end after random delays in any order. What was written and not synced is lost at a power cut in any subset,
//! torn at 512 bytes, now and then as garbage. A sync covers what had ended when it was submitted, and nothing else.

use super::random::Random;
use crate::log::disk_op::{AlignedBuffer, DiskData, DiskDone, DiskError, DiskOp, SegmentFile};
use crate::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a drive writes at once. Bytes.
const SECTOR_LEN: usize = 512;

/// Longer than any run.
const FOREVER: Duration = Duration::from_secs(1 << 30);

/// The directory of one shard.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: BTreeMap<u32, File>,
    out: Vec<Out>,
    ended: u64,
    faults: Faults,
}

/// What goes wrong beside power.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// This many writes and syncs from now one fails.
    pub fail_in: Option<u32>,
    /// This many writes and syncs from now one does not end, nor does any after it.
    pub stuck_in: Option<u32>,
    /// All files together have at most so many bytes.
    pub room: Option<u64>,
    /// Every operation takes this much longer.
    pub delay: Duration,
}

#[derive(Clone, Debug, Default)]
struct File {
    /// What reads see.
    now: Vec<u8>,
    /// What outlives a power cut for certain.
    durable: Vec<u8>,
    unsynced: Vec<Written>,
}

#[derive(Clone, Debug)]
struct Written {
    /// When it ended, in the order of all operations.
    ended: u64,
    at: usize,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Out {
    due: Instant,
    /// For a sync: what had ended before it.
    covers: u64,
    op: DiskOp,
}

impl Disk {
    /// Files as a shard finds them when it opens.
    pub fn files(&self) -> Vec<(SegmentFile, u64)> {
        self.files.iter().map(|(&file, content)| (SegmentFile(file), content.now.len() as u64)).collect()
    }

    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Bytes of all files.
    pub fn len(&self) -> u64 {
        self.files.values().map(|file| file.now.len() as u64).sum()
    }

    /// Starts an operation.
    pub fn submit(&mut self, now: Instant, op: DiskOp, random: &mut Random) {
        let (low, high) = match op {
            DiskOp::Write { .. } => (15, 250),
            DiskOp::Sync { .. } => (80, 600),
            DiskOp::Read { .. } => (40, 200),
            DiskOp::Prepare { .. } => (200, 1500),
        };
        // Now and then the device is busy with something else.
        let high = if random.percent(3) { high * 20 } else { high };
        let is_stuck = match op {
            DiskOp::Write { .. } | DiskOp::Sync { .. } => self.gets_stuck(),
            DiskOp::Read { .. } | DiskOp::Prepare { .. } => false,
        };
        let delay = if is_stuck { FOREVER } else { self.faults.delay };
        let due = now + Duration::from_micros(random.between(low, high)) + delay;
        self.out.push(Out { due, covers: self.ended, op });
    }

    /// When the next operation ends.
    pub fn next_due(&self) -> Option<Instant> {
        self.out.iter().map(|out| out.due).min()
    }

    /// Whether some operation will not end in this life.
    pub fn is_stuck(&self) -> bool {
        self.faults.stuck_in == Some(0)
    }

    /// Ends one operation that is due.
    pub fn complete(&mut self, now: Instant) -> Option<DiskDone> {
        let (at, first) = self.out.iter().enumerate().min_by_key(|(_, out)| out.due)?;
        if first.due > now {
            return None;
        }
        let Out { covers, op, .. } = self.out.remove(at);
        let fails = matches!(op, DiskOp::Write { .. } | DiskOp::Sync { .. }) && self.counts_down();
        self.ended += 1;
        let (token, result) = match op {
            DiskOp::Write { token, .. } | DiskOp::Sync { token, .. } if fails => (token, Err(DiskError::Io)),
            DiskOp::Write { token, file, offset, data } => (token, self.write(file, offset, data.as_slice())),
            DiskOp::Sync { token, files } => (token, self.sync(&files, covers)),
            DiskOp::Read { token, file, offset, len } => (token, self.read(file, offset, len)),
            DiskOp::Prepare { token, file, len } => (token, self.prepare(file, len)),
        };
        Some(DiskDone { token, result })
    }

    /// The process ends; the machine goes on. What had ended is there, what had not ended may be.
    pub fn kill(&mut self, random: &mut Random) {
        self.end_some(random);
    }

    /// The power goes. Returns how many writes were left torn.
    pub fn cut_power(&mut self, random: &mut Random) -> u64 {
        self.end_some(random);
        let mut torn = 0;
        // Some cuts lose nothing, some everything; most lose some.
        let mood = random.below(6);
        for file in self.files.values_mut() {
            for written in std::mem::take(&mut file.unsynced) {
                let fate = match mood {
                    0 => Fate::Lost,
                    1 => Fate::Kept,
                    _ => *random.pick(&[Fate::Lost, Fate::Kept, Fate::Torn, Fate::Torn]),
                };
                torn += u64::from(file.settle(&written, fate, random));
            }
            file.now.clone_from(&file.durable);
        }
        torn
    }

    /// Flips one bit in every copy of `pattern`, `skip` bytes behind its start. Returns how many there were.
    pub fn damage(&mut self, pattern: &[u8], skip: usize) -> usize {
        let mut found = 0;
        for file in self.files.values_mut() {
            let places: Vec<usize> = memchr::memmem::find_iter(&file.now, pattern).collect();
            for at in places {
                file.now[at + skip] ^= 0x10;
                file.durable[at + skip] ^= 0x10;
                found += 1;
            }
        }
        found
    }

    /// Flips one bit of a sector that holds something. Returns file and offset.
    pub fn flip_somewhere(&mut self, random: &mut Random) -> Option<(u32, usize)> {
        let written = |file: &File| -> Vec<usize> {
            let sectors = file.now.chunks(SECTOR_LEN).enumerate();
            sectors
                .filter(|(_, sector)| sector.iter().any(|&byte| byte != 0))
                .map(|(i, _)| i * SECTOR_LEN)
                .collect()
        };
        let files: Vec<u32> = self.files.keys().copied().collect();
        let number = *random.pick(&files);
        let file = self.files.get_mut(&number)?;
        let sectors = written(file);
        if sectors.is_empty() {
            return None;
        }
        let at = *random.pick(&sectors) + random.below(SECTOR_LEN as u64) as usize;
        let bit = 1 << random.below(8);
        file.now[at] ^= bit;
        file.durable[at] ^= bit;
        Some((number, at))
    }

    /// Operations that are out are done, or not, or in part.
    fn end_some(&mut self, random: &mut Random) {
        for Out { op, .. } in std::mem::take(&mut self.out) {
            let fate = *random.pick(&[Fate::Lost, Fate::Kept, Fate::Torn]);
            match op {
                DiskOp::Write { file, offset, data, .. } => match fate {
                    Fate::Lost => {}
                    Fate::Kept => _ = self.write(file, offset, data.as_slice()),
                    Fate::Torn => {
                        for (i, sector) in data.as_slice().chunks(SECTOR_LEN).enumerate() {
                            if random.percent(50) {
                                _ = self.write(file, offset + (i * SECTOR_LEN) as u64, sector);
                            }
                        }
                    }
                },
                DiskOp::Prepare { file, len, .. } => match fate {
                    Fate::Lost => {}
                    Fate::Kept => _ = self.prepare(file, len),
                    Fate::Torn => self.prepare_in_part(file, len, random),
                },
                DiskOp::Sync { .. } | DiskOp::Read { .. } => {}
            }
        }
    }

    fn gets_stuck(&mut self) -> bool {
        let left = self.faults.stuck_in;
        self.faults.stuck_in = left.map(|left| left.saturating_sub(1));
        left == Some(0)
    }

    fn counts_down(&mut self) -> bool {
        match self.faults.fail_in {
            Some(0) => {
                self.faults.fail_in = None;
                true
            }
            Some(left) => {
                self.faults.fail_in = Some(left - 1);
                false
            }
            None => false,
        }
    }

    fn write(&mut self, file: SegmentFile, offset: u64, bytes: &[u8]) -> Result<DiskData, DiskError> {
        let ended = self.ended;
        let file = self.files.get_mut(&file.0).ok_or(DiskError::Io)?;
        let at = offset as usize;
        file.now.get_mut(at..at + bytes.len()).ok_or(DiskError::Io)?.copy_from_slice(bytes);
        file.unsynced.push(Written { ended, at, bytes: bytes.to_vec() });
        Ok(DiskData::Nothing)
    }

    fn sync(&mut self, files: &[SegmentFile], covers: u64) -> Result<DiskData, DiskError> {
        for file in files {
            let file = self.files.get_mut(&file.0).ok_or(DiskError::Io)?;
            for written in file.unsynced.extract_if(.., |written| written.ended <= covers) {
                let (at, bytes) = (written.at, written.bytes);
                file.durable[at..at + bytes.len()].copy_from_slice(&bytes);
            }
        }
        Ok(DiskData::Nothing)
    }

    fn read(&self, file: SegmentFile, offset: u64, len: usize) -> Result<DiskData, DiskError> {
        let file = self.files.get(&file.0).ok_or(DiskError::Io)?;
        let bytes = file.now.get(offset as usize..offset as usize + len).ok_or(DiskError::Io)?;
        let mut buffer = AlignedBuffer::zeroed(len);
        buffer.as_mut_slice()[..len].copy_from_slice(bytes);
        Ok(DiskData::Read(buffer))
    }

    fn prepare(&mut self, file: SegmentFile, len: u64) -> Result<DiskData, DiskError> {
        let before = self.files.get(&file.0).map_or(0, |file| file.now.len() as u64);
        if self.faults.room.is_some_and(|room| self.len() - before + len > room) {
            return Err(DiskError::Full);
        }
        let zeros = vec![0; len as usize];
        self.files.insert(file.0, File { now: zeros.clone(), durable: zeros, unsynced: Vec::new() });
        Ok(DiskData::Nothing)
    }

    /// The file has its length or only some of it, and zeros in some places.
    fn prepare_in_part(&mut self, file: SegmentFile, len: u64, random: &mut Random) {
        let content = self.files.entry(file.0).or_default();
        if content.now.len() < len as usize {
            let len = if random.percent(50) { len } else { random.below(len) };
            content.now.resize(len as usize, 0);
        }
        for block in content.now.chunks_mut(4096) {
            if random.percent(50) {
                block.fill(0);
            }
        }
        content.durable.clone_from(&content.now);
        content.unsynced.clear();
    }
}

/// What becomes of a write that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lost,
    Kept,
    Torn,
}

impl File {
    /// Brings what is left of a write into the durable content. True if that is some of it, not all.
    fn settle(&mut self, written: &Written, fate: Fate, random: &mut Random) -> bool {
        if fate == Fate::Lost {
            return false;
        }
        let (mut kept, mut lost) = (0, 0);
        for (i, sector) in written.bytes.chunks(SECTOR_LEN).enumerate() {
            let at = written.at + i * SECTOR_LEN;
            let stays = fate == Fate::Kept || random.percent(50);
            if stays {
                self.durable[at..at + sector.len()].copy_from_slice(sector);
                kept += 1;
            } else {
                lost += 1;
                if random.percent(5) {
                    // Garbage above everything that is acked.
                    self.durable[at + random.below(sector.len() as u64) as usize] ^= 1 << random.below(8);
                }
            }
        }
        kept > 0 && lost > 0
    }
}
