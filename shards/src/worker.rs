//! A thread beside the cores, for work that would hold them up (hashing of passwords).
//! May import: nothing.
//! Must not know: what the work is, where its result goes.

use rustix::process::setpriority_process;
use rustix::thread::gettid;
use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

/// The way to one thread that does one job after another. It ends when every clone of this has gone.
#[derive(Debug)]
pub struct Worker<J> {
    jobs: SyncSender<J>,
}

/// Nice value of the thread: whatever a core wants comes first.
const LOWEST_PRIORITY: i32 = 19;

impl<J> Clone for Worker<J> {
    fn clone(&self) -> Self {
        Worker { jobs: self.jobs.clone() }
    }
}

impl<J: Send + 'static> Worker<J> {
    /// `perform` does one job and sends the result where it belongs (`bell::Sender`). At most `bound` jobs wait.
    /// Errors: no thread can be started.
    pub fn start(name: &str, bound: usize, mut perform: impl FnMut(J) + Send + 'static) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel(bound);
        let work = move || {
            // It would take slices of time from a core; a core's work comes first. Where this is refused all goes on as well.
            let _ = setpriority_process(Some(gettid()), LOWEST_PRIORITY);
            while let Ok(job) = waiting.recv() {
                perform(job);
            }
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Worker { jobs })
    }

    /// Never blocks. Errors: gives the job back when too many wait.
    pub fn submit(&self, job: J) -> Result<(), J> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bell::{Bell, post};

    #[test]
    fn a_result_comes_back_by_the_post_and_rings() {
        let bell = Bell::new().unwrap();
        let (sender, mut letters) = post(4, &bell);
        bell.fall_asleep();
        let worker = Worker::start("test", 4, move |n: u32| {
            sender.send(n * 2).unwrap();
        })
        .unwrap();
        worker.submit(21).unwrap();
        let mut rung = [rustix::event::PollFd::new(&bell, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut rung, None).unwrap();
        assert_eq!(letters.take(), Some(42));
    }

    #[test]
    fn a_job_too_many_is_given_back() {
        let (unblock, blocked) = sync_channel::<()>(0);
        let worker = Worker::start("test", 1, move |_: u32| {
            let _ = blocked.recv();
        })
        .unwrap();
        let refused = (0..3).filter(|&job| worker.submit(job).is_err()).count();
        assert!(refused >= 1);
        drop(unblock);
    }
}
