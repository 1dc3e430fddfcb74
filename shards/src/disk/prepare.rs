//! Preparing a segment file, step by step: opened, really written with zeros over its whole length, synced, and its name synced.

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
    /// `at` bytes are written.
    Zeroing {
        file: Rc<OwnedFd>,
        len_before: u64,
        zeros: Rc<AlignedBuffer>,
        at: u64,
    },
    Syncing {
        file: Rc<OwnedFd>,
        len_before: u64,
    },
    SyncingName,
}

/// What is next.
#[derive(Debug)]
pub(super) enum Next {
    Go(Operation),
    Done,
}

/// Zeros written at once. Bytes. Longer ones would hold up the log's own writes for no gain.
const PIECE_LEN: u64 = 1 << 20;

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
            && let Step::Zeroing { file, len_before, .. } | Step::Syncing { file, len_before } = &self.step
        {
            // Room that an unfinished file took is needed by others more.
            let _ = ftruncate(file, *len_before);
        }
        result
    }

    fn go_on(&mut self, success: Success) -> io::Result<Next> {
        match (&mut self.step, success) {
            (Step::Opening, Success::Opened(file)) => {
                let len_before = u64::try_from(fstat(&file)?.st_size).unwrap_or(0);
                let (file, zeros) = (Rc::new(file), Rc::new(huge_page_of_zeros()));
                self.step = Step::Zeroing { file, len_before, zeros, at: 0 };
            }
            (Step::Zeroing { at, .. }, Success::Moved(written @ 1..)) => *at += written as u64,
            (Step::Zeroing { .. }, _) => return Err(io::ErrorKind::WriteZero.into()),
            (Step::Syncing { .. }, _) => {
                self.step = Step::SyncingName;
                return Ok(Next::Go(Operation::Sync { file: Rc::clone(&self.directory), data_only: false }));
            }
            (Step::SyncingName | Step::Opening, _) => return Ok(Next::Done),
        }
        Ok(Next::Go(self.zero_or_sync()))
    }

    fn zero_or_sync(&mut self) -> Operation {
        let Step::Zeroing { file, len_before, zeros, at } = &self.step else {
            unreachable!("only a file that is being zeroed is zeroed on")
        };
        let file = Rc::clone(file);
        if *at < self.len {
            let to = PIECE_LEN.min(self.len - at) as usize;
            return Operation::Write { file, data: Rc::clone(zeros), from: 0, to, offset: *at };
        }
        self.step = Step::Syncing { file: Rc::clone(&file), len_before: *len_before };
        Operation::Sync { file, data_only: true }
    }
}
