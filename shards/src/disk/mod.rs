//! Performs the disk operations of the shards of one core on the files of their directories.
//! May import: ids, limits, log (disk_op, buffer), uring.
//! Must not know: what the bytes mean, which operation follows which.

pub mod detect;
mod directory;
pub mod memory;
mod pace;
mod prepare;

use crate::ids::ShardId;
use crate::limits::BLOCK_LEN;
use crate::log::disk_op::{AlignedBuffer, DiskData, DiskDone, DiskError, DiskOp};
use crate::uring::{Ended, Operation, Success, Uring};
use detect::SyncMethod;
use directory::Directory;
pub use directory::{segment_files, sync_directory};
use pace::Pace;
use prepare::{Next, Prepare};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

/// The directories of the shards of one core. Lives on: its core, made and used by one thread.
pub struct Disks {
    ring: Uring,
    shards: BTreeMap<ShardId, Served>,
    /// Operations that have not ended, by the tag of their parts in the ring.
    jobs: Vec<Option<Job>>,
    free: Vec<usize>,
    done: VecDeque<(ShardId, DiskDone)>,
    /// Syncs that have not ended.
    syncs: usize,
}

/// A shard's directory, and how fast its segments are prepared.
struct Served {
    directory: Directory,
    pace: Pace,
}

/// An operation that has not ended.
struct Job {
    shard: ShardId,
    token: u64,
    work: Work,
}

enum Work {
    /// One operation of the ring, repeated until everything is written. Length in bytes.
    Write(u64),
    /// One operation of the ring, repeated until everything is read.
    Read,
    /// So many files are being synced; the first failure, if there was one.
    Sync {
        left: usize,
        failed: Option<DiskError>,
    },
    Prepare(Box<Prepare>),
}

/// How a part of a job has ended.
enum Progress {
    Going,
    Done(Result<DiskData, DiskError>),
}

impl Disks {
    /// No directories yet. Errors: io_uring is not allowed here, or out of memory.
    pub fn new() -> io::Result<Self> {
        Ok(Disks {
            ring: Uring::new()?,
            shards: BTreeMap::new(),
            jobs: Vec::new(),
            free: Vec::new(),
            done: VecDeque::new(),
            syncs: 0,
        })
    }

    /// Serves `shard` from `path`, an existing directory. `direct` and `sync_method` as `detect` found them.
    /// Errors: the directory cannot be opened.
    pub fn add(
        &mut self,
        shard: ShardId,
        path: PathBuf,
        direct: bool,
        sync_method: SyncMethod,
    ) -> io::Result<()> {
        let directory = Directory::new(path, direct, sync_method)?;
        self.shards.insert(shard, Served { directory, pace: Pace::default() });
        Ok(())
    }

    /// Starts an operation, which `hand_over` or `wait` makes known to the kernel; its end comes through `completion`.
    /// Panics if the shard has no directory here.
    pub fn submit(&mut self, shard: ShardId, op: DiskOp) {
        let token = token_of(&op);
        if let Err(error) = self.start(shard, token, op) {
            self.done.push_back((shard, DiskDone { token, result: Err(disk_error(&error)) }));
        }
    }

    /// Makes known to the kernel what was started. Errors: the ring is broken.
    pub fn hand_over(&mut self) -> io::Result<()> {
        self.ring.submit()
    }

    /// As `hand_over`, and then waits for the end of an operation, for `watched` to be readable, or for the end of the time.
    /// May end early. True: `watched` may be readable. Errors: the ring is broken.
    pub fn wait(&mut self, watched: impl AsFd, at_most: Option<Duration>) -> io::Result<bool> {
        self.ring.wait(watched.as_fd(), at_most)?;
        Ok(!self.ring.is_watching())
    }

    /// The next operation that has ended.
    pub fn completion(&mut self) -> Option<(ShardId, DiskDone)> {
        self.collect();
        self.done.pop_front()
    }

    /// Whether `completion` would return something.
    pub fn has_completion(&mut self) -> bool {
        self.collect();
        !self.done.is_empty()
    }

    /// Whether the kernel works on a sync, which it does in a thread on this core.
    pub fn is_syncing(&self) -> bool {
        self.syncs > 0
    }

    /// Operations that have not ended yet.
    pub fn in_flight(&self) -> usize {
        self.jobs.len() - self.free.len()
    }

    fn start(&mut self, shard: ShardId, token: u64, op: DiskOp) -> io::Result<()> {
        let served = self.shards.get_mut(&shard).expect("a core submits only for shards that it carries");
        let directory = &mut served.directory;
        let mut parts = Vec::new();
        let work = match op {
            DiskOp::Write { file, offset, data, .. } => {
                let to = data.len();
                parts.push(Operation::Write { file: directory.file(file)?, data, from: 0, to, offset });
                Work::Write(to as u64)
            }
            DiskOp::Read { file, offset, len, .. } => {
                assert!(len.is_multiple_of(BLOCK_LEN), "only whole blocks are read");
                let (file, data) = (directory.file(file)?, AlignedBuffer::zeroed(len));
                parts.push(Operation::Read { file, data, from: 0, offset });
                Work::Read
            }
            DiskOp::Sync { files, .. } => {
                let files =
                    if directory.sync_method == SyncMethod::WriteThrough { Vec::new() } else { files };
                if files.is_empty() {
                    self.done.push_back((shard, DiskDone { token, result: Ok(DiskData::Nothing) }));
                    return Ok(());
                }
                for file in files {
                    parts.push(Operation::Sync { file: directory.file(file)?, data_only: true });
                }
                Work::Sync { left: parts.len(), failed: None }
            }
            DiskOp::Prepare { file, len, .. } => {
                let (prepare, first) = Prepare::begin(directory, file, len)?;
                parts.push(first);
                Work::Prepare(Box::new(prepare))
            }
        };
        if work.is_append() {
            served.pace.append_started();
        }
        self.syncs += usize::from(matches!(work, Work::Sync { .. }));
        let tag = self.free.pop().unwrap_or_else(|| {
            self.jobs.push(None);
            self.jobs.len() - 1
        });
        self.jobs[tag] = Some(Job { shard, token, work });
        parts.into_iter().for_each(|part| self.ring.start(tag as u64, part));
        Ok(())
    }

    /// Goes on with everything of which a part has ended.
    fn collect(&mut self) {
        while let Some(Ended { tag, result, operation }) = self.ring.poll_ended() {
            let Some(job) = &mut self.jobs[tag as usize] else { continue };
            let Some(served) = self.shards.get_mut(&job.shard) else { continue };
            let progress = match &mut job.work {
                Work::Write(_) | Work::Read => go_on_moving(&mut self.ring, tag, result, operation),
                Work::Sync { left, failed } => {
                    *left -= 1;
                    *failed = failed.or(result.err().map(|error| disk_error(&error)));
                    match (*left, *failed) {
                        (0, None) => Progress::Done(Ok(DiskData::Nothing)),
                        (0, Some(error)) => Progress::Done(Err(error)),
                        _ => Progress::Going,
                    }
                }
                Work::Prepare(prepare) => match prepare.handle_ended(result) {
                    Ok(Next::Go(operation)) => {
                        self.ring.start(tag, operation);
                        Progress::Going
                    }
                    Ok(Next::Zeros) => {
                        served.pace.want(tag as usize);
                        Progress::Going
                    }
                    Ok(Next::Done) => Progress::Done(Ok(DiskData::Nothing)),
                    Err(error) => Progress::Done(Err(disk_error(&error))),
                },
            };
            if let Progress::Done(result) = progress {
                match job.work {
                    Work::Write(len) => served.pace.append_ended(len),
                    Work::Sync { .. } => {
                        self.syncs -= 1;
                        served.pace.append_ended(0);
                    }
                    Work::Read | Work::Prepare(_) => {}
                }
                self.done.push_back((job.shard, DiskDone { token: job.token, result }));
                self.jobs[tag as usize] = None;
                self.free.push(tag as usize);
            }
            if let Some((tag, len)) = served.pace.poll()
                && let Some(Job { work: Work::Prepare(prepare), .. }) = &self.jobs[tag]
                && let Some(zeros) = prepare.zeros(len)
            {
                self.ring.start(tag as u64, zeros);
            }
        }
    }
}

impl Work {
    /// Whether the log's progress waits for it.
    fn is_append(&self) -> bool {
        matches!(self, Work::Write(_) | Work::Sync { .. })
    }
}

/// Starts the rest of a read or write of which the kernel has moved only a part; an operation that moves nothing would be
/// repeated for ever.
fn go_on_moving(
    ring: &mut Uring,
    tag: u64,
    result: io::Result<Success>,
    mut operation: Operation,
) -> Progress {
    let moved = match result {
        Ok(Success::Moved(moved)) => moved,
        // Nothing was done: the kernel asks for it to be tried again.
        Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
            ring.start(tag, operation);
            return Progress::Going;
        }
        Ok(Success::Opened(_)) | Err(_) => {
            let error = result.err().map_or(DiskError::Io, |error| disk_error(&error));
            return Progress::Done(Err(error));
        }
    };
    let left = match &mut operation {
        Operation::Write { from, to, offset, .. } => {
            *from += moved;
            *offset += moved as u64;
            *to - *from
        }
        Operation::Read { data, from, offset, .. } => {
            *from += moved;
            *offset += moved as u64;
            data.len() - *from
        }
        Operation::Sync { .. } | Operation::Open { .. } => 0,
    };
    match operation {
        operation if left > 0 && moved > 0 => {
            ring.start(tag, operation);
            Progress::Going
        }
        _ if left > 0 => Progress::Done(Err(DiskError::Io)),
        Operation::Read { data, .. } => Progress::Done(Ok(DiskData::Read(data))),
        _ => Progress::Done(Ok(DiskData::Nothing)),
    }
}

fn token_of(op: &DiskOp) -> u64 {
    match op {
        DiskOp::Write { token, .. }
        | DiskOp::Sync { token, .. }
        | DiskOp::Read { token, .. }
        | DiskOp::Prepare { token, .. } => *token,
    }
}

fn disk_error(error: &io::Error) -> DiskError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskError::Full,
        _ => DiskError::Io,
    }
}

#[cfg(test)]
#[path = "disk_test.rs"]
mod tests;
