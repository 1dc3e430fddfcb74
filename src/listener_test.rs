use super::*;
use crate::server_log::LogTime;
use shards::bell::{Letters, post};
use std::io::{Read, Write};

fn log() -> ServerLog {
    ServerLog::new(LogTime::Absent, false, false)
}

/// A core that only waits for letters.
struct Core {
    bell: Bell,
    letters: Letters<Accepted>,
}

impl Core {
    fn new() -> (Core, Sender<Accepted>) {
        let bell = Bell::new().unwrap();
        let (sender, letters) = post(ACCEPTED_PER_CORE, &bell);
        (Core { bell, letters }, sender)
    }

    fn next(&mut self) -> Accepted {
        loop {
            self.bell.fall_asleep();
            if let Some(letter) = self.letters.take() {
                return letter;
            }
            poll(&mut [PollFd::new(&self.bell, PollFlags::IN)], None).unwrap();
            rustix::io::read(&self.bell, &mut [0; 8]).unwrap();
        }
    }
}

#[test]
fn connections_are_dealt_in_turn() {
    let ((mut first, to_first), (mut second, to_second)) = (Core::new(), Core::new());
    let bound = Bound::bind("127.0.0.1:0").unwrap();
    let listener = bound.serve(vec![to_first, to_second], |accepted| accepted, None, log()).unwrap();
    for number in 0..4u8 {
        let mut client = TcpStream::connect(listener.address()).unwrap();
        client.write_all(&[number]).unwrap();
        let core = if number % 2 == 0 { &mut first } else { &mut second };
        let mut accepted = core.next();
        let mut byte = [0];
        accepted.stream.set_nonblocking(false).unwrap();
        accepted.stream.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [number]);
    }
}

#[test]
fn a_port_is_bound_once() {
    let bound = Bound::bind("127.0.0.1:0").unwrap();
    let again = Bound::bind(bound.address().unwrap()).unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn a_connection_above_the_limit_says_so_until_another_ends() {
    let (mut core, to_core) = Core::new();
    let bound = Bound::bind("127.0.0.1:0").unwrap();
    let listener = bound.serve(vec![to_core], |accepted| accepted, Some(1), log()).unwrap();
    let mut clients = Vec::new();
    let mut next = |core: &mut Core| {
        clients.push(TcpStream::connect(listener.address()).unwrap());
        core.next()
    };
    let first = next(&mut core);
    assert!(first.admitted);
    assert!(!next(&mut core).admitted);
    drop(first);
    assert!(next(&mut core).admitted);
}

#[test]
fn a_stopped_listener_closes_its_port() {
    let (_core, to_core) = Core::new();
    let bound = Bound::bind("127.0.0.1:0").unwrap();
    let listener = bound.serve(vec![to_core], |accepted| accepted, None, log()).unwrap();
    let address = listener.address();
    listener.stop();
    assert!(TcpStream::connect(address).is_err());
}
