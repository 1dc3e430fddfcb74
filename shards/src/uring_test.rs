use super::*;
use std::io::Write;

fn file(bytes: &[u8]) -> Rc<OwnedFd> {
    let (read, mut write) = std::io::pipe().unwrap();
    write.write_all(bytes).unwrap();
    Rc::new(read.into())
}

fn await_one(ring: &mut Uring) -> Ended {
    let (nothing, _end) = std::io::pipe().unwrap();
    loop {
        if let Some(ended) = ring.poll_ended() {
            return ended;
        }
        ring.wait(std::os::fd::AsFd::as_fd(&nothing), None).unwrap();
    }
}

fn read(file: Rc<OwnedFd>) -> Operation {
    // From where the descriptor stands: a pipe has no other place.
    Operation::Read { file, data: AlignedBuffer::zeroed(4096), from: 0, offset: u64::MAX }
}

#[test]
fn what_was_read_comes_back_with_its_memory_and_its_tag() {
    let mut ring = Uring::new().unwrap();
    ring.start(17, read(file(b"bytes")));
    assert_eq!(ring.under_way(), 1);
    let Ended { tag: 17, result: Ok(Success::Moved(5)), operation: Operation::Read { data, .. } } =
        await_one(&mut ring)
    else {
        panic!("the read has ended otherwise")
    };
    assert_eq!(&data.as_slice()[..5], b"bytes");
    assert_eq!(ring.under_way(), 0);
}

#[test]
fn more_operations_than_the_queue_has_places_all_end() {
    let mut ring = Uring::new().unwrap();
    let count = 3 * u64::from(DEPTH) + 1;
    for tag in 0..count {
        ring.start(tag, read(file(&[tag as u8])));
    }
    let mut tags: Vec<u64> = (0..count)
        .map(|_| {
            let Ended { tag, operation, .. } = await_one(&mut ring);
            let Operation::Read { data, .. } = operation else { panic!("it was a read") };
            assert_eq!(data.as_slice()[0], tag as u8);
            tag
        })
        .collect();
    tags.sort_unstable();
    assert!(tags.into_iter().eq(0..count));
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_of_that_operation() {
    let mut ring = Uring::new().unwrap();
    let path = CString::new("/nowhere/to/be/found").unwrap();
    ring.start(1, Operation::Open { path, flags: OFlags::RDONLY, mode: Mode::empty() });
    let error = await_one(&mut ring).result.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn memory_that_the_kernel_may_still_write_to_outlives_the_ring() {
    let (silent, end) = std::io::pipe().unwrap();
    let file: Rc<OwnedFd> = Rc::new(silent.into());
    let mut ring = Uring::new().unwrap();
    ring.start(1, read(Rc::clone(&file)));
    ring.submit().unwrap();
    drop(ring);
    assert_eq!(Rc::strong_count(&file), 2, "the operation keeps what it refers to");
    drop(end);
}
