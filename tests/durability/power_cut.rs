//! The power goes: what no finished flush covers may be gone, in any part.
//!
//! The data directory lies on a disk within a disk. The inner one is a loop device over a file of the outer one, through the page
//! cache: what the broker writes stays in memory until a flush of the inner device makes the outer file system write and sync the
//! file. So at the moment of the cut there are two truths, and a copy of each is taken: the outer device holds what was flushed
//! (what had to survive), and the file as its readers see it holds everything that was written (what might survive). A third disk
//! is mixed from both, block by block by chance. Both file systems keep their journals to themselves for ten minutes unless they are
//! asked to sync: sizes, names and renames that nobody synced are lost.

use crate::support::broker::Broker;
use crate::support::folder::Folder;
use crate::support::loop_device::{self, LoopDevice};
use crate::support::random::Random;
use crate::support::{now, pause, setting, skipped, wait_for};
use crate::trial::{Load, Trial};
use rustix::process::Signal;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The disk under the data directory. Bytes.
const INNER_LEN: u64 = 2 << 30;
/// The disk under its image. Bytes.
const OUTER_LEN: u64 = INNER_LEN + (256 << 20);

/// Messages that one life may publish.
const MESSAGES_PER_LIFE: u64 = 400_000;

/// Fewest acks in flight at the cut.
const IN_FLIGHT_MIN: usize = 1000;

/// How often a cut is tried until the kernel does not write back in the middle of it.
const ATTEMPTS: usize = 5;

/// Unit in which written and flushed blocks are mixed.
const BLOCK_LEN: usize = 4096;

/// `MILLRACE_CUTS` times, once by default.
#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn after_a_power_cut_everything_acked_is_there_on_any_number_of_executors() {
    if let Some(reason) = loop_device::unavailable() {
        return skipped("power cut", &reason);
    }
    let mut random = Random(setting("MILLRACE_SEED", 1u64));
    let cuts = setting("MILLRACE_CUTS", 1);
    for cut in 0..cuts {
        let mut attempts = 0..ATTEMPTS;
        loop {
            if attempts.next().is_none() {
                return skipped("power cut", "this machine writes back what nobody flushed, each time");
            }
            let folder = Folder::new("power-cut");
            match cut_once(&folder, cut, &mut random) {
                Ok(Cut::Done) => break,
                Ok(Cut::WrittenBack) => println!("cut {cut}: the kernel wrote back by itself; once more"),
                Err(reason) => return skipped("power cut", &reason),
            }
        }
    }
}

/// How a cut went, if everything acked was there.
enum Cut {
    Done,
    /// The kernel wrote back what nobody had flushed, between the cut and the copy: nothing was lost that could be missed.
    WrittenBack,
}

/// Errors: the machine has no such disks.
fn cut_once(folder: &Folder, cut: usize, random: &mut Random) -> Result<Cut, String> {
    let (outer_image, inner_image) = (folder.join("outer.img"), folder.join("outer/inner.img"));
    loop_device::format(&outer_image, OUTER_LEN)?;
    let outer = LoopDevice::mount(&outer_image, &folder.join("outer"))?;
    loop_device::format(&inner_image, INNER_LEN)?;
    let inner = LoopDevice::mount(&inner_image, &folder.join("inner"))?;
    let probe = inner.path().join("probe");
    write_direct(&probe, b'o', true);

    let mut trial = Trial::default();
    let executors = 1 + cut % 3;
    let mut broker = Broker::start(inner.path(), executors);
    trial.prepare(broker.port);
    let load = trial.load(broker.port, MESSAGES_PER_LIFE);
    run_for(&load, Duration::from_millis(1000 + random.below(1500)));
    broker.must_run();
    assert!(!load.is_over(), "the load ended before the cut");

    broker.signal(Signal::STOP);
    inner.await_idle();
    write_direct(&probe, b'n', false);
    inner.await_idle();
    let (flushed, written) = (folder.join("flushed-outer.img"), folder.join("written.img"));
    copy(&outer_image, &flushed);
    copy(&inner_image, &written);
    let ended = load.end(&mut trial);
    broker.kill();
    drop((inner, outer));
    println!(
        "cut {cut}: {} acked, {} in flight, {} consumer acks confirmed, on {executors} executors",
        ended.acked,
        ended.in_flight,
        trial.confirmed_count()
    );
    assert!(ended.in_flight >= IN_FLIGHT_MIN, "only {} acks were in flight", ended.in_flight);

    let outer = LoopDevice::mount(&flushed, &folder.join("flushed-outer"))?;
    let flushed = outer.path().join("inner.img");
    let mixed = folder.join("mixed.img");
    copy(&written, &mixed);
    let differing = mix(&flushed, &mixed, random);
    for (name, image, executors) in [
        ("flushed", &flushed, executors % 3 + 1),
        ("mixed", &mixed, (executors + 1) % 3 + 1),
        ("written", &written, 8),
    ] {
        let disk = LoopDevice::mount(image, &folder.join("disk"))?;
        let probe = fs::read(disk.path().join("probe")).expect("the probe");
        match name {
            "flushed" if probe[0] != b'o' => return Ok(Cut::WrittenBack),
            "written" => assert_eq!(probe[0], b'n', "what was written is not seen"),
            _ => {}
        }
        let start = now();
        let broker = Broker::start(disk.path(), executors);
        let started = start.elapsed();
        let mut trial = trial.clone();
        let read = trial.verify(broker.port);
        // It goes on as if nothing had happened.
        let load = trial.load(broker.port, 4000);
        wait_for("the load after the cut", Duration::from_secs(60), || load.is_over().then_some(()));
        load.end(&mut trial);
        trial.verify(broker.port);
        trial.drain(broker.port);
        broker.terminate();
        println!("  {name}: {read} messages read back, started in {started:.1?} on {executors} executors");
    }
    println!("  {differing} blocks were written and not flushed");
    Ok(Cut::Done)
}

fn run_for(load: &Load, time: Duration) {
    let end = now() + time;
    while now() < end && !load.is_over() {
        pause(Duration::from_millis(5));
    }
}

/// One block past the page cache, in place if the file is there.
fn write_direct(path: &Path, byte: u8, synced: bool) {
    const O_DIRECT: i32 = rustix::fs::OFlags::DIRECT.bits() as i32;
    // An aligned block lies somewhere in two of them.
    let room = [byte; 2 * BLOCK_LEN];
    let at = room.as_ptr().align_offset(BLOCK_LEN);
    let mut open = OpenOptions::new();
    let file =
        open.create(true).truncate(false).write(true).custom_flags(O_DIRECT).open(path).expect("a probe");
    file.write_all_at(&room[at..at + BLOCK_LEN], 0).expect("a written probe");
    if synced {
        file.sync_all().expect("a synced probe");
        File::open(path.parent().expect("a directory"))
            .and_then(|dir| dir.sync_all())
            .expect("a synced directory");
    }
}

/// Holes stay holes.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("--sparse=always").args([from, to]).status().expect("cp");
    assert!(status.success(), "cp {} {}: {status}", from.display(), to.display());
}

/// Where `flushed` and `mixed` differ, gives `mixed` the flushed block or leaves its own, by chance. Blocks that differ.
fn mix(flushed: &Path, mixed: &Path, random: &mut Random) -> u64 {
    let mut flushed = File::open(flushed).expect("an image");
    let mut mixed = OpenOptions::new().read(true).write(true).open(mixed).expect("an image");
    let (mut old, mut new) = (vec![0; 256 * BLOCK_LEN], vec![0; 256 * BLOCK_LEN]);
    let (mut at, mut differing) = (0, 0);
    while at < INNER_LEN {
        flushed.read_exact(&mut old).expect("a block");
        mixed.seek(SeekFrom::Start(at)).expect("a place");
        mixed.read_exact(&mut new).expect("a block");
        if old != new {
            for (number, (old, new)) in old.chunks(BLOCK_LEN).zip(new.chunks(BLOCK_LEN)).enumerate() {
                if old != new {
                    differing += 1;
                    if random.below(2) == 0 {
                        mixed.seek(SeekFrom::Start(at + (number * BLOCK_LEN) as u64)).expect("a place");
                        mixed.write_all(old).expect("a block");
                    }
                }
            }
        }
        at += old.len() as u64;
    }
    differing
}
