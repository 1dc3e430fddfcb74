//! What the file system and the device under a directory are, and how they are best written. Asked before the start.

use crate::limits::BLOCK_LEN;
use crate::log::buffer::AlignedBuffer;
use rustix::fs::{Mode, OFlags};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// What was found; boot prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    pub filesystem: Filesystem,
    /// O_DIRECT is accepted. Otherwise files are written through the page cache, with the same syncs.
    pub direct: bool,
    /// Write-back cache of the device; `None` where the kernel does not say.
    pub write_cache: Option<WriteCache>,
    pub sync_method: SyncMethod,
    /// Median of writing and syncing one block of a file that was written before, by `sync_method`.
    pub write_and_sync: Duration,
}

/// File systems that need a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filesystem {
    /// In memory: nothing survives a power cut.
    Tmpfs,
    /// In memory: nothing survives a power cut.
    Ramfs,
    /// Copies on write: overwriting in place gains nothing.
    Btrfs,
    /// Copies on write: overwriting in place gains nothing.
    Zfs,
    Ext4,
    Xfs,
    /// Anything else, by its magic number.
    Other(u64),
}

/// How the device treats a finished write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteCache {
    /// A finished write is on stable storage, by the device's word.
    Through,
    /// Only a flush makes it so. `fua`: or a flag on the write itself.
    Back { fua: bool },
}

/// How a write becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMethod {
    /// Write, then fdatasync.
    WriteThenSync,
    /// O_DSYNC: each write ends when it is durable. Better where the device needs no flush for it; elsewhere the write
    /// ends in a kernel worker that a busy core keeps waiting.
    WriteThrough,
}

impl Filesystem {
    /// Nothing written here survives a power cut.
    pub fn is_memory(self) -> bool {
        matches!(self, Filesystem::Tmpfs | Filesystem::Ramfs)
    }
}

impl fmt::Display for Filesystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filesystem::Tmpfs => f.write_str("tmpfs"),
            Filesystem::Ramfs => f.write_str("ramfs"),
            Filesystem::Btrfs => f.write_str("btrfs"),
            Filesystem::Zfs => f.write_str("zfs"),
            Filesystem::Ext4 => f.write_str("ext4"),
            Filesystem::Xfs => f.write_str("xfs"),
            Filesystem::Other(magic) => write!(f, "file system {magic:#x}"),
        }
    }
}

impl fmt::Display for SyncMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SyncMethod::WriteThenSync => "write + fdatasync",
            SyncMethod::WriteThrough => "O_DSYNC writes",
        })
    }
}

/// Looks at the directory and the device under it: writes a small file there, times it, and removes it. Blocks for some
/// tens of milliseconds. Errors: the directory cannot be written.
pub fn detect(directory: &Path) -> io::Result<Detected> {
    let filesystem = filesystem(directory)?;
    let write_cache = write_cache(directory);
    let sync_method = match write_cache {
        Some(WriteCache::Through | WriteCache::Back { fua: true }) => SyncMethod::WriteThrough,
        Some(WriteCache::Back { fua: false }) | None => SyncMethod::WriteThenSync,
    };
    let probe = Probe::create(directory)?;
    let write_and_sync = probe.write_and_sync(sync_method)?;
    Ok(Detected { filesystem, direct: probe.direct, write_cache, sync_method, write_and_sync })
}

fn filesystem(directory: &Path) -> io::Result<Filesystem> {
    // Numbers of linux/magic.h; that of ZFS is its own.
    Ok(match rustix::fs::statfs(directory)?.f_type as u64 & 0xffff_ffff {
        0x0102_1994 => Filesystem::Tmpfs,
        0x8584_58f6 => Filesystem::Ramfs,
        0x9123_683e => Filesystem::Btrfs,
        0x2fc1_2fc1 => Filesystem::Zfs,
        0xef53 => Filesystem::Ext4,
        0x5846_5342 => Filesystem::Xfs,
        other => Filesystem::Other(other),
    })
}

/// The queue attributes of the block device that holds the directory; a partition has those of its disk.
fn write_cache(directory: &Path) -> Option<WriteCache> {
    let device = rustix::fs::stat(directory).ok()?.st_dev;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let block = std::fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    let queue =
        [block.join("queue"), block.parent()?.join("queue")].into_iter().find(|queue| queue.is_dir())?;
    let attribute = |name: &str| std::fs::read_to_string(queue.join(name)).ok();
    match attribute("write_cache")?.trim() {
        "write through" => Some(WriteCache::Through),
        "write back" => Some(WriteCache::Back { fua: attribute("fua").is_some_and(|fua| fua.trim() == "1") }),
        _ => None,
    }
}

/// A file of two blocks, both written, that is removed in the end.
struct Probe<'a> {
    directory: &'a Path,
    direct: bool,
}

const PROBE_NAME: &str = "probe.tmp";
const PROBE_ROUNDS: usize = 11;

impl<'a> Probe<'a> {
    fn create(directory: &'a Path) -> io::Result<Self> {
        let mut probe = Probe { directory, direct: true };
        // Some file systems refuse the flag when the file is opened, others the first write.
        let first = probe.open(OFlags::empty()).and_then(|file| write_block(&file));
        if let Err(error) = first {
            if error.raw_os_error() != Some(rustix::io::Errno::INVAL.raw_os_error()) {
                return Err(error);
            }
            probe.direct = false;
            write_block(&probe.open(OFlags::empty())?)?;
        }
        Ok(probe)
    }

    fn open(&self, flags: OFlags) -> io::Result<OwnedFd> {
        let direct = if self.direct { OFlags::DIRECT } else { OFlags::empty() };
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | direct | flags;
        Ok(rustix::fs::open(self.directory.join(PROBE_NAME), flags, Mode::RUSR | Mode::WUSR)?)
    }

    #[expect(clippy::disallowed_methods, reason = "times the device before the start")]
    fn write_and_sync(&self, method: SyncMethod) -> io::Result<Duration> {
        let file = self.open(match method {
            SyncMethod::WriteThenSync => OFlags::empty(),
            SyncMethod::WriteThrough => OFlags::DSYNC,
        })?;
        rustix::fs::fsync(&file)?;
        let mut times = [Duration::ZERO; PROBE_ROUNDS];
        for time in &mut times {
            let start = Instant::now();
            write_block(&file)?;
            if method == SyncMethod::WriteThenSync {
                rustix::fs::fdatasync(&file)?;
            }
            *time = start.elapsed();
        }
        times.sort_unstable();
        Ok(times[PROBE_ROUNDS / 2])
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.directory.join(PROBE_NAME));
    }
}

fn write_block(file: &OwnedFd) -> io::Result<()> {
    let block = AlignedBuffer::zeroed(BLOCK_LEN);
    if rustix::io::pwrite(file, block.as_slice(), 0)? == BLOCK_LEN {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}
