//! Times what lies below the broker: a write and its sync, one in flight, and a hop between two cores.
//! `cargo bench --bench runtime [-- DIRECTORY]`; the files go below DIRECTORY, by default below the folder for temporary ones.
//! What clients see (echoes, idle connections, synchronous publishers) `millrace-perf` and `perf/idle.py` measure from outside.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use shards::bell::{Bell, Letters, post};
use shards::disk::Disks;
use shards::disk::detect::{SyncMethod, detect};
use shards::disk::memory::advise_huge_pages;
use shards::executors::Executor;
use shards::ids::{CoreId, ShardId};
use shards::lanes::Lane;
use shards::log::disk_op::{AlignedBuffer, DiskData, DiskOp, SegmentFile};
use shards::mailbox::mesh;
use shards::net::{Poller, Ready};
use shards::reactor::{Engine, Next, Surroundings, run};
use shards::time::Now;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

const SHARD: ShardId = ShardId(0);
const FILE: SegmentFile = SegmentFile(0);
const FILE_LEN: u64 = 64 << 20;
const WRITES: u64 = 200;
const HOPS: u32 = 20_000;

fn main() {
    let given = std::env::args().skip(1).find(|word| !word.starts_with("--"));
    let parent = given.map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = parent.join(format!("millrace-runtime-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory that can be written to");
    println!("{:?}", detect(&directory).expect("a device"));
    for method in [SyncMethod::WriteThenSync, SyncMethod::WriteThrough] {
        time_device(&directory, method);
    }
    std::fs::remove_dir_all(&directory).expect("the files of the bench");
    time_hops();
}

fn time_device(directory: &Path, method: SyncMethod) {
    let mut disks = Disks::new().expect("io_uring");
    disks.add(SHARD, directory.to_owned(), true, method).expect("direct I/O");
    perform(&mut disks, DiskOp::Prepare { token: 0, file: FILE, len: FILE_LEN });
    for len in [4096, 64 << 10, 1 << 20] {
        let data = AlignedBuffer::of_huge_page(len, advise_huge_pages).pop();
        let data = Rc::new(data.expect("a page holds at least one buffer"));
        let mut times = Vec::new();
        for round in 0..WRITES {
            let offset = round * len as u64 % (FILE_LEN - len as u64);
            let start = Instant::now();
            perform(&mut disks, DiskOp::Write { token: 1, file: FILE, offset, data: Rc::clone(&data) });
            let written = start.elapsed();
            perform(&mut disks, DiskOp::Sync { token: 2, files: vec![FILE] });
            times.push((start.elapsed(), written));
        }
        times.sort_unstable();
        let (both, written) = times[times.len() / 2];
        let (slow, _) = times[times.len() * 9 / 10];
        println!("{method:?}, {len} bytes: p50 {both:?} (write {written:?}), p90 {slow:?}");
    }
}

fn perform(disks: &mut Disks, op: DiskOp) -> DiskData {
    let (nothing, _end) = std::io::pipe().expect("a descriptor");
    disks.submit(SHARD, op);
    while !disks.has_completion() {
        disks.wait(&nothing, None).expect("a ring");
    }
    let (_, done) = disks.completion().expect("the operation has ended");
    done.result.expect("a device that works")
}

/// Sends each message that comes to the other core, less one, until it is 0.
struct Ball {
    letters: Letters<u32>,
    other: CoreId,
    landed: SyncSender<()>,
    has_landed: bool,
}

impl Engine for Ball {
    type Message = u32;

    fn turn(&mut self, _: Now, _: &[Ready], around: &mut Surroundings<u32>) -> Next {
        let received = around.mailbox.receive().map(|(_, ball)| ball);
        if let Some(ball) = received.or_else(|| self.letters.take()) {
            // At 0 both cores know that it is over; the last one tells.
            if ball <= 1 {
                self.has_landed = true;
            }
            if ball > 0 {
                around.mailbox.send(self.other, Lane::Messages, ball - 1);
                around.mailbox.wake(self.other);
            } else {
                let _ = self.landed.send(());
            }
        }
        Next { at_once: false, deadline: None, stop: self.has_landed }
    }

    fn handle_turn_end(&mut self, _: Now) {}

    fn has_letters(&mut self) -> bool {
        !self.letters.is_empty()
    }
}

fn time_hops() {
    let bells = [(); 2].map(|()| Bell::new().expect("a descriptor"));
    let (landed, end) = sync_channel(1);
    let (mut senders, mut executors) = (Vec::new(), Vec::new());
    for mailbox in mesh::<u32>(&bells) {
        let (sender, letters) = post(1, mailbox.bell());
        senders.push(sender);
        let (other, landed) = (CoreId(1 - mailbox.core().0), landed.clone());
        let main = move || {
            let (disks, poller) = (Disks::new().expect("io_uring"), Poller::new().expect("a descriptor"));
            let mut around = Surroundings { mailbox, disks, poller };
            let mut ball = Ball { letters, other, landed, has_landed: false };
            run(&mut ball, &mut around).expect("a loop");
        };
        executors.push(Executor::start("hops", None, main).expect("an executor"));
    }
    let start = Instant::now();
    senders[0].try_send(HOPS).expect("room for one letter");
    end.recv_timeout(Duration::from_secs(60)).expect("the ball comes to rest");
    println!("hop between two cores: {:?}", start.elapsed() / HOPS);
    executors.into_iter().for_each(|executor| executor.join().expect("an end"));
}
