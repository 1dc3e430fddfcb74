//! How long the device under a directory takes for the least that an honest ack waits for: one block written, and synced.

use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// Write and fdatasync of a block of 4 KiB in a file that is all written, one at a time on an idle device.
#[derive(Clone, Debug)]
pub struct SyncTimes {
    /// Nanoseconds, sorted; at least one.
    times: Vec<u64>,
    /// Past the page cache; false where the file system has no direct writes.
    pub direct: bool,
}

const BLOCK: usize = 4096;
/// Blocks of the file, written in turn.
const BLOCKS: usize = 256;
/// Syncs, and the time after which no further one begins.
const SYNCS_MAX: usize = 1000;
const TIME_MAX: Duration = Duration::from_secs(2);

impl SyncTimes {
    /// In a file that is gone afterwards. Errors: the directory cannot be written to.
    pub fn of(directory: &Path) -> io::Result<SyncTimes> {
        let path = directory.join(format!("millrace-perf-sync-{}", std::process::id()));
        let create = |flags: OFlags| {
            OpenOptions::new().write(true).create_new(true).custom_flags(flags.bits() as i32).open(&path)
        };
        let timed = match create(OFlags::DIRECT) {
            Ok(file) => time(&file).map(|times| SyncTimes { times, direct: true }),
            Err(error) => Err(error),
        };
        let timed = timed.or_else(|_| {
            // Some file systems refuse direct writes when the file is opened, some when it is written.
            remove(&path)?;
            time(&create(OFlags::empty())?).map(|times| SyncTimes { times, direct: false })
        });
        remove(&path)?;
        timed
    }

    pub fn count(&self) -> usize {
        self.times.len()
    }

    /// Nanoseconds that this share (0 to 1) of the syncs does not exceed.
    pub fn at(&self, share: f64) -> u64 {
        let rank = (self.times.len() as f64 * share).ceil() as usize;
        self.times[rank.clamp(1, self.times.len()) - 1]
    }
}

fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

fn time(file: &File) -> io::Result<Vec<u64>> {
    // Direct writes want memory that begins at a multiple of the block.
    let mut memory = vec![0x5a; 2 * BLOCK];
    let start = memory.as_ptr().align_offset(BLOCK).min(BLOCK);
    let block = &mut memory[start..start + BLOCK];
    for n in 0..BLOCKS {
        file.write_all_at(block, (n * BLOCK) as u64)?;
    }
    file.sync_all()?;
    let began = Instant::now();
    let mut times = Vec::with_capacity(SYNCS_MAX);
    while times.len() < SYNCS_MAX && (times.is_empty() || began.elapsed() < TIME_MAX) {
        block[0] = times.len() as u8;
        let start = Instant::now();
        file.write_all_at(block, (times.len() % BLOCKS * BLOCK) as u64)?;
        file.sync_data()?;
        times.push(start.elapsed().as_nanos() as u64);
    }
    times.sort_unstable();
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_is_timed_and_nothing_stays() {
        let directory = std::env::temp_dir().join(format!("perf-sync-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let syncs = SyncTimes::of(&directory).unwrap();
        assert!(syncs.count() >= 1 && syncs.at(0.5) > 0 && syncs.at(0.5) <= syncs.at(0.99));
        // Fails if the file is still there.
        fs::remove_dir(&directory).unwrap();
        assert!(SyncTimes::of(&directory).is_err());
    }

    #[test]
    fn a_share_is_that_of_the_syncs_that_are_no_slower() {
        let syncs = SyncTimes { times: (1..=200).collect(), direct: true };
        assert_eq!((syncs.at(0.5), syncs.at(0.99), syncs.at(1.0), syncs.at(0.0)), (100, 198, 200, 1));
    }
}
