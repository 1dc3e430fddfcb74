use super::*;
use bytes::Buf;
use shards::time::WallTime;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// A server of lines: echoes each, except that `pause` stops the reading, `close` asks for the end, `ping` is answered when
/// it is confirmed, and `large N` is followed by N bytes of which it tells the number only.
#[derive(Default)]
struct Lines {
    clients: Vec<Client>,
    dirty: VecDeque<ClientKey>,
    resumed: VecDeque<ClientKey>,
    closing: VecDeque<ClientKey>,
    closed: Vec<ClientKey>,
}

#[derive(Default)]
struct Client {
    output: Vec<u8>,
    unwritten: usize,
    /// Bytes of a large operation that are awaited.
    large: Option<usize>,
    /// Pings that wait for their confirmation.
    pings: usize,
    calls: usize,
    echoed: usize,
}

impl Clients for Lines {
    fn accept(&mut self, _: Now, _: u64, _: SocketAddr, admitted: bool) -> ClientKey {
        let key = ClientKey { slot: self.clients.len() as u32, generation: 5 };
        let output = if admitted { Vec::new() } else { b"full\n".to_vec() };
        self.clients.push(Client { output, ..Client::default() });
        self.dirty.push_back(key);
        if !admitted {
            self.closing.push_back(key);
        }
        key
    }

    fn handle_bytes(&mut self, _: Now, key: ClientKey, buffer: &mut BytesMut) -> Reading {
        let client = &mut self.clients[key.slot as usize];
        client.calls += 1;
        self.dirty.push_back(key);
        loop {
            if let Some(len) = client.large {
                if buffer.len() < len {
                    return Reading::Continue { at_least: len };
                }
                buffer.advance(len);
                client.large = None;
                client.output.extend_from_slice(format!("large was {len}\n").as_bytes());
            }
            let Some(end) = buffer.iter().position(|&byte| byte == b'\n') else {
                return Reading::Continue { at_least: 1 };
            };
            let line = buffer.split_to(end + 1);
            match &line[..end] {
                b"pause" => return Reading::Pause,
                b"ping" => client.pings += 1,
                b"close" => {
                    client.output.extend_from_slice(b"bye\n");
                    self.closing.push_back(key);
                    return Reading::Closed;
                }
                text if text.starts_with(b"large ") => {
                    client.large = Some(std::str::from_utf8(&text[6..]).unwrap().parse().unwrap());
                }
                _ => {
                    client.output.extend_from_slice(&line);
                    client.echoed += line.len();
                }
            }
        }
    }

    fn handle_closed(&mut self, key: ClientKey, _: CloseReason) {
        self.closed.push(key);
    }

    fn poll_dirty(&mut self) -> Option<ClientKey> {
        self.dirty.pop_front()
    }

    fn poll_resumed(&mut self) -> Option<ClientKey> {
        self.resumed.pop_front()
    }

    fn poll_closing(&mut self) -> Option<ClientKey> {
        self.closing.pop_front()
    }

    fn take_output(&mut self, _: Now, key: ClientKey, spare: Vec<u8>) -> Vec<u8> {
        assert!(spare.is_empty());
        let client = &mut self.clients[key.slot as usize];
        assert_eq!(client.unwritten, 0, "taken before everything was written");
        client.unwritten = client.output.len();
        std::mem::replace(&mut client.output, spare)
    }

    fn handle_written(&mut self, key: ClientKey, bytes: usize) {
        self.clients[key.slot as usize].unwritten -= bytes;
    }

    fn awaits_confirmation(&self, key: ClientKey) -> bool {
        self.clients[key.slot as usize].pings > 0
    }

    fn flushes(&self, _: ClientKey) -> bool {
        true
    }
}

impl Lines {
    fn confirm(&mut self, slot: usize) {
        let client = &mut self.clients[slot];
        client.pings -= 1;
        client.output.extend_from_slice(b"pong\n");
        self.dirty.push_back(ClientKey { slot: slot as u32, generation: 5 });
    }
}

/// One core without its executor: the test is the loop.
struct Core {
    poller: Poller,
    listener: TcpListener,
    open: Arc<AtomicUsize>,
    connections: Connections,
    server: Lines,
    turns: u64,
}

impl Core {
    fn new() -> Core {
        Core {
            poller: Poller::new().unwrap(),
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            open: Arc::default(),
            connections: Connections::default(),
            server: Lines::default(),
            turns: 0,
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: Instant(self.turns * 1_000_000), wall: WallTime(0) }
    }

    fn connect(&mut self, admitted: bool) -> TcpStream {
        let client = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        let stream = self.listener.accept().unwrap().0;
        let accepted = Accepted { stream, seat: Seat::take(&self.open).0, id: 1, admitted };
        self.connections.open(self.now(), accepted, &self.poller, &mut self.server);
        client
    }

    /// Returns whether something is left to read.
    fn turn(&mut self) -> bool {
        self.turns += 1;
        let now = self.now();
        let mut ready = Vec::new();
        self.poller.query(&mut ready).unwrap();
        self.connections.note(&ready);
        let more = self.connections.read(now, &mut self.server);
        self.connections.flush(now, &mut self.server);
        more
    }

    /// Takes turns until the client has read all of `expected`.
    fn expect(&mut self, client: &mut TcpStream, expected: &[u8]) {
        client.set_nonblocking(true).unwrap();
        let mut got = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        while got.len() < expected.len() {
            self.turn();
            match client.read(&mut buffer) {
                Ok(0) => panic!("closed after {} bytes", got.len()),
                Ok(n) => got.extend_from_slice(&buffer[..n]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        client.set_nonblocking(false).unwrap();
        assert!(got == expected);
    }

    fn turn_until(&mut self, mut done: impl FnMut(&Core) -> bool) {
        while !done(self) {
            self.turn();
        }
    }
}

#[test]
fn an_operation_may_be_cut_at_any_byte() {
    let mut core = Core::new();
    let mut client = core.connect(true);
    for byte in b"hello\n" {
        client.write_all(&[*byte]).unwrap();
        core.turn();
    }
    core.expect(&mut client, b"hello\n");
}

#[test]
fn an_idle_connection_holds_no_memory() {
    let mut core = Core::new();
    let mut client = core.connect(true);
    client.write_all(b"hello\n").unwrap();
    core.expect(&mut client, b"hello\n");
    core.turn();
    let connection = core.connections.slots[0].as_ref().unwrap();
    assert_eq!((connection.kept.capacity(), connection.output.capacity()), (0, 0));
    assert!(std::mem::size_of::<Option<Connection>>() <= 192);
}

#[test]
fn a_paused_connection_is_not_read_and_goes_on_where_it_was() {
    let mut core = Core::new();
    let mut client = core.connect(true);
    client.write_all(b"one\npause\ntwo\n").unwrap();
    core.expect(&mut client, b"one\n");
    client.write_all(b"three\n").unwrap();
    let calls = core.server.clients[0].calls;
    for _ in 0..10 {
        core.turn();
    }
    assert_eq!(core.server.clients[0].calls, calls);
    core.server.resumed.push_back(ClientKey { slot: 0, generation: 5 });
    core.expect(&mut client, b"two\nthree\n");
}

#[test]
fn what_was_said_last_arrives_although_more_was_sent_than_was_read() {
    let mut core = Core::new();
    let mut client = core.connect(true);
    client.write_all(b"close\n").unwrap();
    client.write_all(&[b'x'; 50_000]).unwrap();
    core.turn_until(|core| !core.server.closed.is_empty());
    let mut last = String::new();
    client.read_to_string(&mut last).unwrap();
    assert_eq!(last, "bye\n");
    assert_eq!(core.connections.count(), 0);
    assert_eq!(core.open.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn a_connection_over_the_limit_is_told_and_closed() {
    let mut core = Core::new();
    let mut client = core.connect(false);
    core.turn();
    let mut last = String::new();
    client.read_to_string(&mut last).unwrap();
    assert_eq!(last, "full\n");
}

#[test]
fn a_peer_that_ends_is_read_to_the_end_and_then_closed() {
    let mut core = Core::new();
    let mut client = core.connect(true);
    client.write_all(b"last words\n").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    core.turn_until(|core| !core.server.closed.is_empty());
    assert_eq!(core.server.clients[0].calls, 1);
}

#[test]
fn a_large_operation_is_handed_in_once_it_is_whole() {
    let mut core = Core::new();
    let mut client = core.connect(true);
    const LEN: usize = 3 << 20;
    let mut sending = client.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        sending.write_all(format!("large {LEN}\n").as_bytes()).unwrap();
        sending.write_all(&vec![7; LEN]).unwrap();
        sending.write_all(b"small\n").unwrap();
    });
    core.expect(&mut client, format!("large was {LEN}\nsmall\n").as_bytes());
    sender.join().unwrap();
    assert!(core.server.clients[0].calls <= 5, "{} calls", core.server.clients[0].calls);
}

#[test]
fn a_reader_that_does_not_read_blocks_nobody_and_gets_everything_in_the_end() {
    let mut core = Core::new();
    let (mut slow, mut quick) = (core.connect(true), core.connect(true));
    let line = [vec![b'x'; 8000], vec![b'\n']].concat();
    let mut sent = Vec::new();
    slow.set_nonblocking(true).unwrap();
    while core.connections.slots[0].as_ref().unwrap().output.is_empty() {
        // Only whole lines count; the socket takes this many while the core reads.
        if let Ok(n) = slow.write(&line[sent.len() % line.len()..]) {
            let from = sent.len() % line.len();
            sent.extend_from_slice(&line[from..from + n]);
        }
        core.turn();
    }
    quick.write_all(b"hello\n").unwrap();
    core.expect(&mut quick, b"hello\n");
    let whole = sent.len() - sent.len() % line.len();
    core.expect(&mut slow, &sent[..whole]);
}

#[test]
fn an_ended_client_that_does_not_read_is_let_go_after_a_while() {
    let mut core = Core::new();
    let mut client = core.connect(true);
    client.set_nonblocking(true).unwrap();
    while core.connections.slots[0].as_ref().unwrap().output.is_empty() {
        let _ = client.write(&b"line\n".repeat(1000));
        core.turn();
    }
    core.server.closing.push_back(ClientKey { slot: 0, generation: 5 });
    core.turn();
    assert_eq!(core.connections.count(), 1);
    assert_eq!(core.connections.poll_timeout(), Some(core.now().monotonic + ENDING_MAX));
    core.turns += ENDING_MAX.as_millis() as u64;
    core.turn();
    assert_eq!((core.connections.count(), core.server.closed.len()), (0, 1));
}

#[test]
fn a_connection_that_always_has_more_lets_others_go_first() {
    let mut core = Core::new();
    let (mut flood, mut other) = (core.connect(true), core.connect(true));
    flood.set_nonblocking(true).unwrap();
    let lines = b"pourpourpour\n".repeat(64 << 10);
    let mut sent = 0;
    while let Ok(n) = flood.write(&lines[sent..]) {
        sent += n;
        if sent == lines.len() {
            break;
        }
    }
    assert!(sent > 2 * CONNECTION_BUDGET, "the socket took only {sent} bytes");
    other.write_all(b"hello\n").unwrap();
    core.turn();
    assert_eq!(core.server.clients[1].calls, 1);
    let echoed = core.server.clients[0].echoed;
    assert!((1..=CONNECTION_BUDGET + READ_LEN.end()).contains(&echoed), "{echoed} bytes in one turn");
}

#[test]
fn a_peer_that_closed_its_half_hears_what_still_waits_for_other_cores() {
    let mut core = Core::new();
    let mut client = core.connect(true);
    client.write_all(b"ping\nping\n").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    core.turn_until(|core| core.server.clients[0].pings == 2);
    for _ in 0..10 {
        core.turn();
    }
    core.server.confirm(0);
    core.expect(&mut client, b"pong\n");
    assert!(core.server.closed.is_empty(), "another one waits");
    core.server.confirm(0);
    core.expect(&mut client, b"pong\n");
    core.turn_until(|core| !core.server.closed.is_empty());
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_peer_that_closed_its_half_is_not_waited_for_without_end() {
    let mut core = Core::new();
    let mut client = core.connect(true);
    client.write_all(b"ping\n").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    core.turn_until(|core| core.server.clients[0].pings == 1);
    core.turn_until(|core| core.connections.poll_timeout().is_some());
    core.turns += ENDING_MAX.as_millis() as u64;
    core.turn_until(|core| !core.server.closed.is_empty());
}
