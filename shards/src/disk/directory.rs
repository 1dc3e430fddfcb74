//! One shard's directory: its files, opened when they are first used.

use super::detect::SyncMethod;
use crate::log::disk_op::SegmentFile;
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Lives on: its shard's core.
pub(super) struct Directory {
    path: PathBuf,
    /// The directory itself, to make names durable.
    itself: Rc<OwnedFd>,
    direct: bool,
    pub sync_method: SyncMethod,
    /// Files that are open, each from its first use on.
    open: BTreeMap<SegmentFile, Rc<OwnedFd>>,
}

/// Readable and writable by the owner alone.
pub(super) const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

impl Directory {
    /// `path` exists. `direct` and `sync_method` as `detect` found them. Errors: it cannot be opened.
    pub fn new(path: PathBuf, direct: bool, sync_method: SyncMethod) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let itself = Rc::new(rustix::fs::open(&path, flags, Mode::empty())?);
        Ok(Directory { path, itself, direct, sync_method, open: BTreeMap::new() })
    }

    /// The directory, for a sync of the names in it.
    pub fn itself(&self) -> Rc<OwnedFd> {
        Rc::clone(&self.itself)
    }

    /// A file, opened now if need be, which for one that exists takes microseconds. Errors: it cannot be opened.
    pub fn file(&mut self, file: SegmentFile) -> io::Result<Rc<OwnedFd>> {
        if let Some(open) = self.open.get(&file) {
            return Ok(Rc::clone(open));
        }
        let through = match self.sync_method {
            SyncMethod::WriteThenSync => OFlags::empty(),
            SyncMethod::WriteThrough => OFlags::DSYNC,
        };
        let flags = self.flags() | OFlags::CLOEXEC | through;
        let opened = Rc::new(rustix::fs::open(self.path_of(file), flags, MODE)?);
        self.open.insert(file, Rc::clone(&opened));
        Ok(opened)
    }

    /// Flags that every file is opened with. It is made if need be.
    pub fn flags(&self) -> OFlags {
        let direct = if self.direct { OFlags::DIRECT } else { OFlags::empty() };
        OFlags::RDWR | OFlags::CREATE | direct
    }

    /// Path of a file, as the kernel takes it. Errors: a zero byte in the path, which the system cannot have either.
    pub fn c_path_of(&self, file: SegmentFile) -> io::Result<CString> {
        Ok(CString::new(self.path_of(file).as_os_str().as_bytes())?)
    }

    fn path_of(&self, file: SegmentFile) -> PathBuf {
        self.path.join(file_name(file))
    }
}

/// Name of a segment file in its shard's directory.
pub(super) fn file_name(file: SegmentFile) -> String {
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
