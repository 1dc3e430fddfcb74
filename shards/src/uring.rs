//! The io_uring of a core: operations on files go in, what has ended comes out, and the one wait of the core.
//! May import: log (disk_op).
//! Must not know: shards, segments, what the bytes mean, which operation follows which.
//!
//! Completions appear in memory whenever the thread makes a system call or is interrupted, so a busy core finds them without
//! one of their own. All memory and descriptors of an operation belong to this room until it has ended.
#![expect(
    unsafe_code,
    reason = "the kernel reads and writes memory by address; decision 0010 has the safe alternative's number"
)]

use crate::log::disk_op::AlignedBuffer;
use io_uring::squeue::Entry;
use io_uring::types::{Fd, FsyncFlags, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

/// An operation with everything that it refers to.
#[derive(Debug)]
pub enum Operation {
    /// Writes the buffer from byte `from` up to `to`.
    Write { file: Rc<OwnedFd>, data: Rc<AlignedBuffer>, from: usize, to: usize, offset: u64 },
    /// Fills the buffer from byte `from` on.
    Read { file: Rc<OwnedFd>, data: AlignedBuffer, from: usize, offset: u64 },
    /// Makes durable what was written before. `data_only`: what is needed to read it back, and nothing else.
    Sync { file: Rc<OwnedFd>, data_only: bool },
    /// Opens or creates a file.
    Open { path: CString, flags: OFlags, mode: Mode },
}

/// An operation that has ended.
#[derive(Debug)]
pub struct Ended {
    /// As it was started with.
    pub tag: u64,
    pub result: io::Result<Success>,
    /// What it was, to be gone on with or to be used again.
    pub operation: Operation,
}

/// What a successful operation brings.
#[derive(Debug)]
pub enum Success {
    /// Bytes read or written; 0 for what moves none.
    Moved(usize),
    Opened(OwnedFd),
}

/// Lives on: its core; made and used by one thread.
pub struct Uring {
    ring: IoUring,
    /// Operations that the kernel works on, or that wait to be handed to it, by the number that they travel with.
    under_way: Vec<Option<(u64, Operation)>>,
    free: Vec<usize>,
    /// Numbers of operations for which the submission queue had no place.
    waiting: VecDeque<usize>,
    ended: VecDeque<Ended>,
    /// The kernel watches the descriptor of `wait`.
    is_watching: bool,
}

/// Places of the submission queue. Operations beyond it wait.
const DEPTH: u32 = 256;

/// The number of the watch on the descriptor of `wait`.
const WATCH: u64 = u64::MAX;

impl Uring {
    /// Errors: io_uring is not allowed here, or out of memory.
    pub fn new() -> io::Result<Uring> {
        // Without interrupts for completions where the kernel can do without (5.19), and for one thread only (6.0).
        let quiet = || IoUring::builder().setup_coop_taskrun().setup_single_issuer().build(DEPTH);
        let ring = quiet()
            .or_else(|_| IoUring::builder().setup_coop_taskrun().build(DEPTH))
            .or_else(|_| IoUring::new(DEPTH))?;
        Ok(Uring {
            ring,
            under_way: Vec::new(),
            free: Vec::new(),
            waiting: VecDeque::new(),
            ended: VecDeque::new(),
            is_watching: false,
        })
    }

    /// Starts an operation; `submit` or `wait` hands it to the kernel. Its end carries `tag`.
    pub fn start(&mut self, tag: u64, operation: Operation) {
        let number = self.free.pop().unwrap_or_else(|| {
            self.under_way.push(None);
            self.under_way.len() - 1
        });
        self.under_way[number] = Some((tag, operation));
        if !self.waiting.is_empty() || !self.enqueue(number) {
            self.waiting.push_back(number);
        }
    }

    /// Hands to the kernel what was started since the last call, as far as it takes it. Errors: the ring is broken.
    pub fn submit(&mut self) -> io::Result<()> {
        self.enqueue_waiting();
        if self.ring.submission().is_empty() {
            return Ok(());
        }
        unless_transient(self.ring.submit())
    }

    /// As `submit`, and then waits until an operation has ended, `watched` (the same descriptor each time) is readable, or the
    /// time is over, with one system call for all of it. May end early. Errors: the ring is broken.
    pub fn wait(&mut self, watched: BorrowedFd<'_>, at_most: Option<Duration>) -> io::Result<()> {
        self.enqueue_waiting();
        if !self.is_watching && !self.watch(watched) {
            // The queue is full: what is in it goes first.
            unless_transient(self.ring.submit())?;
            self.watch(watched);
        }
        let result = match at_most {
            Some(at_most) => {
                let time = Timespec::from(at_most);
                self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&time))
            }
            None => self.ring.submit_and_wait(1),
        };
        unless_transient(result)
    }

    /// The next operation that has ended.
    pub fn poll_ended(&mut self) -> Option<Ended> {
        if self.ended.is_empty() {
            self.collect();
        }
        self.ended.pop_front()
    }

    /// Whether `poll_ended` has something to return.
    pub fn has_ended(&mut self) -> bool {
        if self.ended.is_empty() {
            self.collect();
        }
        !self.ended.is_empty()
    }

    /// Whether what `wait` watches is still not readable, as far as the kernel has told.
    pub fn is_watching(&mut self) -> bool {
        self.collect();
        self.is_watching
    }

    /// Operations that were started and whose end was not seen yet.
    pub fn under_way(&self) -> usize {
        self.under_way.len() - self.free.len()
    }

    /// Has the kernel tell once when `descriptor` is readable. False: the submission queue is full.
    fn watch(&mut self, descriptor: BorrowedFd<'_>) -> bool {
        let readable = u32::from(rustix::event::PollFlags::IN.bits());
        let entry = opcode::PollAdd::new(Fd(descriptor.as_raw_fd()), readable).build().user_data(WATCH);
        // SAFETY: the entry refers to no memory, and the kernel holds the file of the descriptor for as long as it needs it.
        self.is_watching = unsafe { self.ring.submission().push(&entry) }.is_ok();
        self.is_watching
    }

    fn enqueue_waiting(&mut self) {
        while let Some(&number) = self.waiting.front()
            && self.enqueue(number)
        {
            self.waiting.pop_front();
        }
    }

    /// Puts an operation into the submission queue. False: it is full.
    fn enqueue(&mut self, number: usize) -> bool {
        let Some((_, operation)) = &mut self.under_way[number] else { return true };
        let entry = operation.entry().user_data(number as u64);
        // SAFETY: what the entry points to is owned by `under_way[number]`, which is emptied only by `collect`, when the
        // kernel has reported the end of this operation, and which `drop` leaks if that report has not come. Buffers
        // and paths lie on the heap, so that a growing `under_way` moves nothing that the kernel knows.
        unsafe { self.ring.submission().push(&entry) }.is_ok()
    }

    /// Takes what the kernel has reported.
    fn collect(&mut self) {
        for completion in self.ring.completion() {
            if completion.user_data() == WATCH {
                self.is_watching = false;
                continue;
            }
            let number = completion.user_data() as usize;
            let Some((tag, operation)) = self.under_way[number].take() else { continue };
            self.free.push(number);
            let result = match usize::try_from(completion.result()) {
                Err(_) => Err(io::Error::from_raw_os_error(-completion.result())),
                Ok(_) if matches!(operation, Operation::Open { .. }) => {
                    // SAFETY: the kernel has just opened this descriptor for us, and nobody else knows it.
                    Ok(Success::Opened(unsafe { OwnedFd::from_raw_fd(completion.result()) }))
                }
                Ok(moved) => Ok(Success::Moved(moved)),
            };
            self.ended.push_back(Ended { tag, result, operation });
        }
    }
}

impl Drop for Uring {
    /// The kernel may go on with what is under way after the ring is closed: its memory is never used again.
    fn drop(&mut self) {
        self.collect();
        if self.under_way() > 0 {
            std::mem::forget(std::mem::take(&mut self.under_way));
        }
    }
}

impl Operation {
    /// As the kernel reads it. Whoever hands it to the kernel keeps `self` until it has ended.
    fn entry(&mut self) -> Entry {
        match self {
            Operation::Write { file, data, from, to, offset } => {
                let bytes = &data.as_slice()[*from..*to];
                opcode::Write::new(Fd(file.as_raw_fd()), bytes.as_ptr(), bytes.len() as u32)
                    .offset(*offset)
                    .build()
            }
            Operation::Read { file, data, from, offset } => {
                let bytes = &mut data.as_mut_slice()[*from..];
                opcode::Read::new(Fd(file.as_raw_fd()), bytes.as_mut_ptr(), bytes.len() as u32)
                    .offset(*offset)
                    .build()
            }
            Operation::Sync { file, data_only } => {
                let flags = if *data_only { FsyncFlags::DATASYNC } else { FsyncFlags::empty() };
                opcode::Fsync::new(Fd(file.as_raw_fd())).flags(flags).build()
            }
            Operation::Open { path, flags, mode } => {
                let here = Fd(rustix::fs::CWD.as_raw_fd());
                opcode::OpenAt::new(here, path.as_ptr())
                    .flags((*flags | OFlags::CLOEXEC).bits() as i32)
                    .mode(mode.bits())
                    .build()
            }
        }
    }
}

/// What passes by itself is no error: the caller comes again.
fn unless_transient(result: io::Result<usize>) -> io::Result<()> {
    let Err(error) = result else { return Ok(()) };
    match Errno::from_io_error(&error) {
        // Interrupted; the time is over; the kernel is short of memory, or wants completions to be taken first.
        Some(Errno::INTR | Errno::TIME | Errno::AGAIN | Errno::BUSY | Errno::NOMEM) => Ok(()),
        _ => Err(error),
    }
}

#[cfg(test)]
#[path = "uring_test.rs"]
mod tests;
