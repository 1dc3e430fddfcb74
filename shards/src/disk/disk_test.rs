use super::*;
use crate::executors::Executor;
use std::future::poll_fn;
use std::rc::Rc;

const SHARD: ShardId = ShardId(3);
const FILE: SegmentFile = SegmentFile(7);

/// Runs a future with the disks of one directory in an executor of its own; `kind` names the directory.
fn with_disks<F, T>(kind: &str, direct: bool, sync_method: SyncMethod, test: F)
where
    F: FnOnce(Disks, PathBuf) -> T + Send + 'static,
    T: Future<Output = ()> + 'static,
{
    let path = std::env::temp_dir().join(format!("millrace-disk-{}-{kind}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let there = path.clone();
    let executor = Executor::start("test", None, None, move || async move {
        let mut disks = Disks::new();
        disks.add(SHARD, there.clone(), direct, sync_method).await.unwrap();
        test(disks, there).await;
    });
    let ended = executor.unwrap().join();
    std::fs::remove_dir_all(&path).unwrap();
    ended.unwrap();
}

async fn perform(disks: &mut Disks, op: DiskOp) -> Result<DiskData, DiskError> {
    disks.submit(SHARD, op);
    poll_fn(|context| disks.poll_ready(context)).await;
    let (shard, done) = disks.completion().unwrap();
    assert_eq!(shard, SHARD);
    done.result
}

fn pattern(len: usize) -> Rc<AlignedBuffer> {
    let mut data = AlignedBuffer::zeroed(len);
    for (at, byte) in data.as_mut_slice().iter_mut().enumerate() {
        *byte = (at % 251) as u8;
    }
    Rc::new(data)
}

/// Prepare, write, sync and read back, with lengths below, at and above a piece.
async fn a_round(mut disks: Disks, path: PathBuf) {
    const LEN: u64 = (5 << 20) + 8192;
    perform(&mut disks, DiskOp::Prepare { token: 0, file: FILE, len: LEN }).await.unwrap();
    assert_eq!(segment_files(&path).unwrap(), [(FILE, LEN)]);
    for len in [4096, 1 << 20, (2 << 20) + 4096] {
        let data = pattern(len);
        let write = DiskOp::Write { token: 1, file: FILE, offset: 4096, data: Rc::clone(&data) };
        perform(&mut disks, write).await.unwrap();
        assert_eq!(Rc::strong_count(&data), 1, "the buffer is free when the write has ended");
        perform(&mut disks, DiskOp::Sync { token: 2, files: vec![FILE] }).await.unwrap();
        let read = DiskOp::Read { token: 3, file: FILE, offset: 4096, len };
        let Ok(DiskData::Read(back)) = perform(&mut disks, read).await else { panic!("nothing was read") };
        assert!(back.as_slice() == data.as_slice());
    }
    let last = DiskOp::Read { token: 4, file: FILE, offset: LEN - 4096, len: 4096 };
    let Ok(DiskData::Read(zeros)) = perform(&mut disks, last).await else { panic!("nothing was read") };
    assert!(zeros.as_slice().iter().all(|&byte| byte == 0));
    let beyond = DiskOp::Read { token: 5, file: FILE, offset: LEN - 4096, len: 8192 };
    assert_eq!(perform(&mut disks, beyond).await.unwrap_err(), DiskError::Io);
    assert_eq!(disks.in_flight(), 0);
}

#[test]
fn what_was_written_and_synced_is_read_back() {
    with_disks("direct", true, SyncMethod::WriteThenSync, a_round);
}

#[test]
fn the_same_with_writes_that_end_durable() {
    with_disks("through", true, SyncMethod::WriteThrough, a_round);
}

#[test]
fn the_same_through_the_page_cache() {
    with_disks("buffered", false, SyncMethod::WriteThenSync, a_round);
}

#[test]
fn a_full_device_is_told_apart_and_an_unfinished_file_gives_its_room_back() {
    // /dev/full cannot be written to, ever; as a file of the shard it plays the device without room.
    with_disks("full", false, SyncMethod::WriteThenSync, |mut disks, path| async move {
        std::os::unix::fs::symlink("/dev/full", path.join(file_name(FILE))).unwrap();
        let write = DiskOp::Write { token: 0, file: FILE, offset: 0, data: pattern(4096) };
        assert_eq!(perform(&mut disks, write).await.unwrap_err(), DiskError::Full);
        let prepare = DiskOp::Prepare { token: 0, file: FILE, len: 8192 };
        assert_eq!(perform(&mut disks, prepare).await.unwrap_err(), DiskError::Full);
    });
}

#[test]
fn a_directory_that_has_gone_is_an_error_not_a_panic() {
    with_disks("gone", true, SyncMethod::WriteThenSync, |mut disks, path| async move {
        std::fs::remove_dir_all(&path).unwrap();
        let sync = DiskOp::Sync { token: 0, files: vec![FILE] };
        assert_eq!(perform(&mut disks, sync).await.unwrap_err(), DiskError::Io);
        std::fs::create_dir_all(&path).unwrap();
    });
}

#[test]
fn the_device_is_detected_and_the_probe_leaves_nothing_behind() {
    let path = std::env::temp_dir().join(format!("millrace-detect-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let detected = detect::detect(&path).unwrap();
    assert!(detected.write_and_sync > std::time::Duration::ZERO);
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
    std::fs::remove_dir_all(&path).unwrap();
    println!("{detected:?}");
}
