use super::directory::file_name;
use super::*;
use crate::log::disk_op::SegmentFile;
use std::path::Path;
use std::rc::Rc;

const SHARD: ShardId = ShardId(3);
const FILE: SegmentFile = SegmentFile(7);

/// Runs a test with the disks of one directory; `kind` names the directory.
fn with_disks(kind: &str, direct: bool, sync_method: SyncMethod, test: impl FnOnce(Disks, &Path)) {
    let path = std::env::temp_dir().join(format!("millrace-disk-{}-{kind}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let mut disks = Disks::new().unwrap();
    disks.add(SHARD, path.clone(), direct, sync_method).unwrap();
    test(disks, &path);
    std::fs::remove_dir_all(&path).unwrap();
}

/// The next operation that ends.
fn await_one(disks: &mut Disks) -> DiskDone {
    let nothing = std::io::pipe().unwrap();
    loop {
        if let Some((shard, done)) = disks.completion() {
            assert_eq!(shard, SHARD);
            return done;
        }
        disks.wait(&nothing.0, None).unwrap();
    }
}

fn perform(disks: &mut Disks, op: DiskOp) -> Result<DiskData, DiskError> {
    disks.submit(SHARD, op);
    await_one(disks).result
}

fn pattern(len: usize) -> Rc<AlignedBuffer> {
    let mut data = AlignedBuffer::zeroed(len);
    for (at, byte) in data.as_mut_slice().iter_mut().enumerate() {
        *byte = (at % 251) as u8;
    }
    Rc::new(data)
}

/// Prepare, write, sync and read back, with lengths below, at and above a piece.
fn a_round(mut disks: Disks, path: &Path) {
    const LEN: u64 = (5 << 20) + 8192;
    perform(&mut disks, DiskOp::Prepare { token: 0, file: FILE, len: LEN }).unwrap();
    assert_eq!(segment_files(path).unwrap(), [(FILE, LEN)]);
    for len in [4096, 1 << 20, (2 << 20) + 4096] {
        let data = pattern(len);
        let write = DiskOp::Write { token: 1, file: FILE, offset: 4096, data: Rc::clone(&data) };
        perform(&mut disks, write).unwrap();
        assert_eq!(Rc::strong_count(&data), 1, "the buffer is free when the write has ended");
        perform(&mut disks, DiskOp::Sync { token: 2, files: vec![FILE] }).unwrap();
        let read = DiskOp::Read { token: 3, file: FILE, offset: 4096, len };
        let Ok(DiskData::Read(back)) = perform(&mut disks, read) else { panic!("nothing was read") };
        assert!(back.as_slice() == data.as_slice());
    }
    let last = DiskOp::Read { token: 4, file: FILE, offset: LEN - 4096, len: 4096 };
    let Ok(DiskData::Read(zeros)) = perform(&mut disks, last) else { panic!("nothing was read") };
    assert!(zeros.as_slice().iter().all(|&byte| byte == 0));
    let beyond = DiskOp::Read { token: 5, file: FILE, offset: LEN - 4096, len: 8192 };
    assert_eq!(perform(&mut disks, beyond).unwrap_err(), DiskError::Io);
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
fn several_operations_at_once_end_each_with_its_own_token() {
    with_disks("several", true, SyncMethod::WriteThenSync, |mut disks, _| {
        let other = SegmentFile(8);
        for file in [FILE, other] {
            perform(&mut disks, DiskOp::Prepare { token: 0, file, len: 4 << 20 }).unwrap();
        }
        let data = pattern(8192);
        for token in 0..700 {
            let file = if token % 2 == 0 { FILE } else { other };
            disks.submit(SHARD, DiskOp::Write { token, file, offset: token * 4096, data: Rc::clone(&data) });
        }
        let mut seen: Vec<u64> = (0..700)
            .map(|_| await_one(&mut disks))
            .map(|done| {
                assert!(done.result.is_ok());
                done.token
            })
            .collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..700));
        disks.submit(SHARD, DiskOp::Sync { token: 9, files: vec![FILE, other] });
        assert_eq!(await_one(&mut disks).token, 9);
        assert_eq!(disks.in_flight(), 0);
    });
}

#[test]
fn disks_that_go_with_operations_under_way_let_them_end() {
    with_disks("dropped", true, SyncMethod::WriteThenSync, |mut disks, _| {
        perform(&mut disks, DiskOp::Prepare { token: 0, file: FILE, len: 4 << 20 }).unwrap();
        let data = pattern(1 << 20);
        disks.submit(SHARD, DiskOp::Write { token: 1, file: FILE, offset: 0, data: Rc::clone(&data) });
        disks.submit(SHARD, DiskOp::Read { token: 2, file: FILE, offset: 0, len: 1 << 20 });
        disks.hand_over().unwrap();
        drop(disks);
        assert!(data.as_slice() == pattern(1 << 20).as_slice());
    });
}

#[test]
fn a_wait_ends_when_its_time_is_over_or_the_descriptor_has_something() {
    use std::io::Write;
    let mut disks = Disks::new().unwrap();
    let (watched, mut end) = std::io::pipe().unwrap();
    assert!(!disks.wait(&watched, Some(Duration::from_millis(1))).unwrap());
    end.write_all(b"x").unwrap();
    assert!(disks.wait(&watched, None).unwrap());
    // What was not read is still there for the next wait.
    assert!(disks.wait(&watched, None).unwrap());
}

#[test]
fn a_full_device_is_told_apart_and_an_unfinished_file_gives_its_room_back() {
    // /dev/full cannot be written to, ever; as a file of the shard it plays the device without room.
    with_disks("full", false, SyncMethod::WriteThenSync, |mut disks, path| {
        std::os::unix::fs::symlink("/dev/full", path.join(file_name(FILE))).unwrap();
        let write = DiskOp::Write { token: 0, file: FILE, offset: 0, data: pattern(4096) };
        assert_eq!(perform(&mut disks, write).unwrap_err(), DiskError::Full);
        let prepare = DiskOp::Prepare { token: 0, file: FILE, len: 8192 };
        assert_eq!(perform(&mut disks, prepare).unwrap_err(), DiskError::Full);
    });
}

#[test]
fn a_directory_that_has_gone_is_an_error_not_a_panic() {
    with_disks("gone", true, SyncMethod::WriteThenSync, |mut disks, path| {
        std::fs::remove_dir_all(path).unwrap();
        let sync = DiskOp::Sync { token: 0, files: vec![FILE] };
        assert_eq!(perform(&mut disks, sync).unwrap_err(), DiskError::Io);
        std::fs::create_dir_all(path).unwrap();
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
