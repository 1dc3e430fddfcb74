//! Preparing a segment file, step by step: opened, really written with zeros over its whole length, synced, and its name
//! synced.

use super::directory::{Directory, MODE};
use super::memory::huge_page_of_zeros;
use crate::log::disk_op::{AlignedBuffer, SegmentFile};
use crate::uring::{Operation, Success};
use rustix::fs::{fstat, ftruncate};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// A file that is being prepared. Its descriptor is its own: were it opened to write through, each piece of zeros would
/// cost a commit of the file system's journal.
#[derive(Debug)]
pub(super) struct Prepare {
    /// Bytes.
    len: u64,
    directory: Rc<OwnedFd>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Opening,
    /// So many bytes are written.
    Zeroing(Growing, Rc<AlignedBuffer>, u64),
    Syncing(Growing),
    SyncingName,
}

/// A file and the length that it had before. Bytes.
#[derive(Clone, Debug)]
struct Growing {
    file: Rc<OwnedFd>,
    len_before: u64,
}

/// What is next.
#[derive(Debug)]
pub(super) enum Next {
    Go(Operation),
    /// Zeros, as many as `zeros` is asked for.
    Zeros,
    Done,
}

/// Most zeros that are written at once. Bytes.
pub(super) const PIECE_LEN_MAX: u64 = 1 << 20;

impl Prepare {
    /// Begins. Errors: a path that cannot be.
    pub fn begin(directory: &Directory, file: SegmentFile, len: u64) -> io::Result<(Self, Operation)> {
        let open = Operation::Open { path: directory.c_path_of(file)?, flags: directory.flags(), mode: MODE };
        Ok((Prepare { len, directory: directory.itself(), step: Step::Opening }, open))
    }

    /// An operation has ended. Errors: the preparation has failed, and the room that the file took is given back.
    pub fn handle_ended(&mut self, result: io::Result<Success>) -> io::Result<Next> {
        let result = result.and_then(|success| self.go_on(success));
        if result.is_err()
            && let Step::Zeroing(growing, ..) | Step::Syncing(growing) = &self.step
        {
            // Room that an unfinished file took is needed by others more.
            let _ = ftruncate(&growing.file, growing.len_before);
        }
        result
    }

    /// The next zeros, at most `len` bytes, whole blocks; after `Next::Zeros`.
    pub fn zeros(&self, len: u64) -> Option<Operation> {
        let Step::Zeroing(Growing { file, .. }, zeros, at) = &self.step else { return None };
        let to = len.min(PIECE_LEN_MAX).min(self.len - at) as usize;
        Some(Operation::Write { file: Rc::clone(file), data: Rc::clone(zeros), from: 0, to, offset: *at })
    }

    fn go_on(&mut self, success: Success) -> io::Result<Next> {
        match (&mut self.step, success) {
            (Step::Opening, Success::Opened(file)) => {
                let len_before = u64::try_from(fstat(&file)?.st_size).unwrap_or(0);
                // Room is taken piece by piece: zeros into room that was taken at once end in a kernel worker.
                let growing = Growing { file: Rc::new(file), len_before };
                self.step = Step::Zeroing(growing, Rc::new(huge_page_of_zeros()), 0);
                Ok(Next::Zeros)
            }
            (Step::Zeroing(growing, _, at), Success::Moved(written @ 1..)) => {
                *at += written as u64;
                if *at < self.len {
                    return Ok(Next::Zeros);
                }
                let growing = growing.clone();
                let sync = Operation::Sync { file: Rc::clone(&growing.file), data_only: true };
                self.step = Step::Syncing(growing);
                Ok(Next::Go(sync))
            }
            (Step::Zeroing(..), _) => Err(io::ErrorKind::WriteZero.into()),
            (Step::Syncing(_), _) => {
                self.step = Step::SyncingName;
                Ok(Next::Go(Operation::Sync { file: Rc::clone(&self.directory), data_only: false }))
            }
            (Step::Opening | Step::SyncingName, _) => Ok(Next::Done),
        }
    }
}
