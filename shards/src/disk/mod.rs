//! Performs the disk operations of the shards of one core on the files of their directories.
//! May import: ids, limits, log (disk_op, buffer).
//! Must not know: what the bytes mean, which operation follows which.

pub mod detect;
mod file;

use crate::ids::ShardId;
use crate::limits::BLOCK_LEN;
use crate::log::disk_op::{AlignedBuffer, DiskData, DiskDone, DiskError, DiskOp, SegmentFile};
use detect::SyncMethod;
use file::File;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The directories of the shards of one core. Lives on: its core, inside a running executor.
pub struct Disks {
    shards: BTreeMap<ShardId, Rc<Directory>>,
    submitted: u64,
    finished: Rc<Finished>,
}

/// Operations that have ended, until the next turn takes them.
#[derive(Default)]
struct Finished {
    done: RefCell<VecDeque<(ShardId, DiskDone)>>,
    /// Operations that were submitted and have not ended.
    in_flight: Cell<usize>,
    /// The loop of the core, while it waits.
    waiting: RefCell<Option<Waker>>,
}

/// One shard's directory.
struct Directory {
    path: PathBuf,
    direct: bool,
    sync_method: SyncMethod,
    /// Files that are open; each is opened when it is first used and stays open.
    open: RefCell<BTreeMap<SegmentFile, Rc<File>>>,
}

impl Disks {
    /// No directories yet.
    pub fn new() -> Self {
        Disks { shards: BTreeMap::new(), submitted: 0, finished: Rc::default() }
    }

    /// Serves `shard` from `path`, an existing directory. `direct` and `sync_method` as `detect` found them.
    /// Errors: the directory cannot be written.
    pub async fn add(
        &mut self,
        shard: ShardId,
        path: PathBuf,
        direct: bool,
        sync_method: SyncMethod,
    ) -> io::Result<()> {
        if direct {
            show_device(&path).await?;
        }
        let open = RefCell::default();
        self.shards.insert(shard, Rc::new(Directory { path, direct, sync_method, open }));
        Ok(())
    }

    /// Starts an operation; its end comes through `completion`. Panics if the shard has no directory here.
    pub fn submit(&mut self, shard: ShardId, op: DiskOp) {
        let directory =
            Rc::clone(self.shards.get(&shard).expect("a core submits only for shards that it carries"));
        let finished = Rc::clone(&self.finished);
        self.submitted += 1;
        finished.in_flight.update(|n| n + 1);
        glommio::spawn_local(async move {
            let done = directory.perform(op).await;
            finished.in_flight.update(|n| n - 1);
            finished.done.borrow_mut().push_back((shard, done));
            if let Some(waker) = finished.waiting.take() {
                waker.wake();
            }
        })
        .detach();
    }

    /// The next operation that has ended.
    pub fn completion(&mut self) -> Option<(ShardId, DiskDone)> {
        self.finished.done.borrow_mut().pop_front()
    }

    /// Whether `completion` would return something.
    pub fn has_completion(&self) -> bool {
        !self.finished.done.borrow().is_empty()
    }

    /// Operations ever submitted.
    pub fn submitted(&self) -> u64 {
        self.submitted
    }

    /// Operations that have not ended yet.
    pub fn in_flight(&self) -> usize {
        self.finished.in_flight.get()
    }

    /// Ready when an operation has ended.
    pub fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.has_completion() {
            return Poll::Ready(());
        }
        *self.finished.waiting.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Default for Disks {
    fn default() -> Self {
        Disks::new()
    }
}

impl Directory {
    async fn perform(&self, op: DiskOp) -> DiskDone {
        let (token, result) = match op {
            DiskOp::Write { token, file, offset, data } => (token, self.write(file, offset, &data).await),
            DiskOp::Sync { token, files } => (token, self.sync(&files).await),
            DiskOp::Read { token, file, offset, len } => (token, self.read(file, offset, len).await),
            DiskOp::Prepare { token, file, len } => (token, self.prepare(file, len).await),
        };
        DiskDone { token, result: result.map_err(|error| disk_error(&error)) }
    }

    async fn write(&self, file: SegmentFile, offset: u64, data: &AlignedBuffer) -> io::Result<DiskData> {
        self.file(file).await?.write_all(data.as_slice(), offset).await?;
        Ok(DiskData::Nothing)
    }

    async fn sync(&self, files: &[SegmentFile]) -> io::Result<DiskData> {
        if self.sync_method == SyncMethod::WriteThrough {
            return Ok(DiskData::Nothing);
        }
        for &file in files {
            self.file(file).await?.sync().await?;
        }
        Ok(DiskData::Nothing)
    }

    async fn read(&self, file: SegmentFile, offset: u64, len: usize) -> io::Result<DiskData> {
        assert!(len.is_multiple_of(BLOCK_LEN), "only whole blocks are read");
        let mut data = AlignedBuffer::zeroed(len);
        self.file(file).await?.read_exact(data.as_mut_slice(), offset).await?;
        Ok(DiskData::Read(data))
    }

    async fn prepare(&self, file: SegmentFile, len: u64) -> io::Result<DiskData> {
        let path = self.path_of(file);
        // Its own descriptor: writing zeros through, piece by piece, would cost a journal commit each.
        let zeros = File::open(&path, self.direct, SyncMethod::WriteThenSync).await?;
        let len_before = zeros.len().await?;
        let written = async {
            zeros.write_zeros(len).await?;
            zeros.sync().await
        }
        .await;
        if let Err(error) = written {
            // Room that an unfinished file took is needed by others more.
            let _ = zeros.set_len(len_before).await;
            let _ = zeros.close().await;
            return Err(error);
        }
        zeros.close().await?;
        let directory = self.path.clone();
        glommio::executor().spawn_blocking(move || sync_directory(&directory)).await?;
        Ok(DiskData::Nothing)
    }

    async fn file(&self, file: SegmentFile) -> io::Result<Rc<File>> {
        if let Some(open) = self.open.borrow().get(&file) {
            return Ok(Rc::clone(open));
        }
        let opened = Rc::new(File::open(&self.path_of(file), self.direct, self.sync_method).await?);
        // Two operations may have opened it at once; the first one stays.
        Ok(Rc::clone(self.open.borrow_mut().entry(file).or_insert(opened)))
    }

    fn path_of(&self, file: SegmentFile) -> PathBuf {
        self.path.join(file_name(file))
    }
}

/// Lets glommio find out whether the device can be polled for completions. It tries a read on the first file that it opens
/// there, and would take the end of an empty file for success.
async fn show_device(directory: &Path) -> io::Result<()> {
    let path = directory.join("device.tmp");
    let there = path.clone();
    glommio::executor()
        .spawn_blocking(move || {
            std::fs::write(&there, [0; BLOCK_LEN])?;
            std::fs::File::open(&there)?.sync_all()
        })
        .await?;
    File::open(&path, true, SyncMethod::WriteThenSync).await?.close().await?;
    glommio::executor().spawn_blocking(move || std::fs::remove_file(path)).await
}

/// Name of a segment file in its shard's directory.
fn file_name(file: SegmentFile) -> String {
    format!("{:08}.segment", file.0)
}

/// The segment files in a shard's directory with their lengths in bytes, in the order of their numbers. For the start,
/// before the executors run. Errors: the directory cannot be read.
pub fn segment_files(directory: &Path) -> io::Result<Vec<(SegmentFile, u64)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".segment"));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            files.push((SegmentFile(number), entry.metadata()?.len()));
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Makes the names in a directory as durable as the files. Blocks.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
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
