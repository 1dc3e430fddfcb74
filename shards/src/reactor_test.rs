#![expect(clippy::disallowed_methods, reason = "measurements read a clock")]

use super::*;
use crate::bell::{Bell, Letters, Sender, post};
use crate::disk::detect::SyncMethod;
use crate::executors::Executor;
use crate::ids::{CoreId, ShardId};
use crate::lanes::Lane;
use crate::log::disk_op::{AlignedBuffer, DiskOp, SegmentFile};
use crate::mailbox::{Mailbox, mesh};
use crate::net::Socket;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

enum Letter {
    Connection(TcpStream),
    Throw(u32),
    Stop,
}

/// Echoes what sockets bring, and plays ball with the next core: each message goes round, less one, until it is 0.
struct Echo {
    letters: Letters<Letter>,
    sockets: Vec<Socket>,
    next_core: CoreId,
    landed: SyncSender<CoreId>,
    /// Turns taken so far, and the times at which the engine asked to be woken.
    turns: u32,
    deadline: Option<Instant>,
    late: Option<SyncSender<u32>>,
}

impl Engine for Echo {
    type Message = u32;

    fn turn(&mut self, now: Now, ready: &[Ready], around: &mut Surroundings<u32>) -> Next {
        self.turns += 1;
        while let Some((from, ball)) = around.mailbox.receive() {
            if ball == 0 {
                self.landed.send(from).unwrap();
            } else {
                self.throw(ball - 1, around);
            }
        }
        let mut stop = false;
        while let Some(letter) = self.letters.take() {
            match letter {
                Letter::Connection(stream) => {
                    let socket = Socket::new(stream).unwrap();
                    around.poller.add(&socket, self.sockets.len() as u64).unwrap();
                    self.sockets.push(socket);
                }
                Letter::Throw(ball) => self.throw(ball, around),
                Letter::Stop => stop = true,
            }
        }
        for one in ready.iter().filter(|one| one.readable || one.ended) {
            let mut buffer = [0; 4096];
            let socket = &self.sockets[one.token as usize];
            while let Some(n @ 1..) = socket.try_read(&mut buffer).unwrap() {
                assert_eq!(socket.try_write(&buffer[..n]).unwrap(), Some(n));
            }
        }
        if let Some(late) = &self.late {
            let deadline = *self.deadline.get_or_insert(now.monotonic + Duration::from_millis(20));
            if now.monotonic >= deadline {
                late.send(self.turns).unwrap();
                self.late = None;
                self.deadline = None;
            }
        }
        Next { at_once: false, deadline: self.deadline, stop }
    }

    fn handle_turn_end(&mut self, _: Now) {}

    fn has_letters(&mut self) -> bool {
        !self.letters.is_empty()
    }
}

impl Echo {
    fn throw(&mut self, ball: u32, around: &mut Surroundings<u32>) {
        assert!(around.mailbox.has_room(self.next_core, Lane::Messages));
        around.mailbox.send(self.next_core, Lane::Messages, ball);
        around.mailbox.wake(self.next_core);
    }
}

struct Cores {
    senders: Vec<Sender<Letter>>,
    executors: Vec<Executor>,
    landed: Receiver<CoreId>,
}

impl Cores {
    fn start(count: usize, late: Option<SyncSender<u32>>) -> Cores {
        let bells: Vec<Bell> = (0..count).map(|_| Bell::new().unwrap()).collect();
        let (landed_sender, landed) = sync_channel(16);
        let mut cores = Cores { senders: Vec::new(), executors: Vec::new(), landed };
        for mailbox in mesh::<u32>(&bells) {
            let (sender, letters) = post(16, mailbox.bell());
            cores.senders.push(sender);
            let (landed, late) = (landed_sender.clone(), late.clone());
            let next_core = CoreId((mailbox.core().0 + 1) % count as u16);
            cores.executors.push(start(mailbox, move || Echo {
                letters,
                sockets: Vec::new(),
                next_core,
                landed,
                turns: 0,
                deadline: None,
                late,
            }));
        }
        cores
    }

    fn stop(self) {
        for sender in &self.senders {
            assert!(sender.try_send(Letter::Stop).is_ok());
        }
        for executor in self.executors {
            executor.join().unwrap();
        }
    }
}

fn start(mailbox: Mailbox<u32>, engine: impl FnOnce() -> Echo + Send + 'static) -> Executor {
    let main = move || async move {
        let poller = Poller::new().unwrap();
        let mut around = Surroundings { mailbox, disks: Disks::new(), poller };
        run(&mut engine(), &mut around).await.unwrap();
    };
    Executor::start("test-core", None, None, main).unwrap()
}

#[test]
fn a_ball_goes_round_all_cores_and_each_is_woken_for_it() {
    let cores = Cores::start(3, None);
    assert!(cores.senders[0].try_send(Letter::Throw(3 * 1000)).is_ok());
    assert_eq!(cores.landed.recv().unwrap(), CoreId(0));
    cores.stop();
}

#[test]
fn bytes_are_echoed_by_whichever_core_was_dealt_the_connection() {
    let cores = Cores::start(2, None);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut clients = Vec::new();
    for i in 0..6 {
        clients.push(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let (accepted, _) = listener.accept().unwrap();
        assert!(cores.senders[i % 2].try_send(Letter::Connection(accepted)).is_ok());
    }
    for round in 0..50u8 {
        for client in &mut clients {
            client.write_all(&[round; 1000]).unwrap();
        }
        for client in &mut clients {
            let mut back = [0; 1000];
            client.read_exact(&mut back).unwrap();
            assert_eq!(back, [round; 1000]);
        }
    }
    cores.stop();
}

#[test]
fn bytes_that_came_before_the_socket_was_registered_are_reported() {
    let cores = Cores::start(1, None);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(b"early").unwrap();
    let (accepted, _) = listener.accept().unwrap();
    assert!(cores.senders[0].try_send(Letter::Connection(accepted)).is_ok());
    let mut back = [0; 5];
    client.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"early");
    cores.stop();
}

#[test]
fn a_deadline_brings_a_turn_and_an_idle_core_takes_none() {
    let (late, turns) = sync_channel(1);
    let cores = Cores::start(1, Some(late));
    let turns = turns.recv().unwrap();
    assert!(turns <= 3, "{turns} turns for one deadline");
    cores.stop();
}

/// Not a test of behaviour: prints what 5,000 connections that say nothing cost.
#[test]
#[ignore = "a measurement"]
fn measure_idle_connections() {
    crate::executors::raise_open_files();
    let cores = Cores::start(1, None);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut clients = Vec::new();
    for _ in 0..5000 {
        clients.push(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        assert!(cores.senders[0].send(Letter::Connection(listener.accept().unwrap().0)).is_ok());
    }
    let used = || {
        let times = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(times.tv_sec as u64, times.tv_nsec as u32)
    };
    std::thread::park_timeout(Duration::from_secs(1));
    let before = used();
    std::thread::park_timeout(Duration::from_secs(10));
    println!("5,000 idle connections for 10 s: {:?} of CPU", used() - before);
    cores.stop();
}

/// Not a test of behaviour: prints what a wake between two cores and an echo through a socket cost here.
#[test]
#[ignore = "a measurement"]
fn measure_wakes_and_echoes() {
    let cores = Cores::start(2, None);
    const BALL: u32 = 20_000;
    let start = std::time::Instant::now();
    assert!(cores.senders[0].try_send(Letter::Throw(BALL)).is_ok());
    cores.landed.recv().unwrap();
    println!("hop between two cores: {:?}", start.elapsed() / BALL);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_nodelay(true).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    assert!(cores.senders[0].try_send(Letter::Connection(accepted)).is_ok());
    const ECHOES: u32 = 20_000;
    let start = std::time::Instant::now();
    for _ in 0..ECHOES {
        client.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
    }
    println!("echo through a socket: {:?}", start.elapsed() / ECHOES);
    cores.stop();
}

/// Acknowledges each byte that a socket brings once a block written for it is synced; one write and one sync at a time.
struct Acker {
    letters: Letters<Letter>,
    sockets: Vec<Socket>,
    /// Read since the last write began; written and not synced.
    arrived: Vec<usize>,
    under_way: Vec<usize>,
    offset: u64,
}

const LOG: SegmentFile = SegmentFile(0);
const LOG_LEN: u64 = 64 << 20;

impl Engine for Acker {
    type Message = u32;

    fn turn(&mut self, _: Now, ready: &[Ready], around: &mut Surroundings<u32>) -> Next {
        let mut stop = false;
        while let Some(letter) = self.letters.take() {
            match letter {
                Letter::Connection(stream) => {
                    let socket = Socket::new(stream).unwrap();
                    around.poller.add(&socket, self.sockets.len() as u64).unwrap();
                    self.sockets.push(socket);
                }
                Letter::Throw(_) => {}
                Letter::Stop => stop = true,
            }
        }
        for one in ready.iter().filter(|one| one.readable) {
            let slot = one.token as usize;
            while let Some(n @ 1..) = self.sockets[slot].try_read(&mut [0; 4096]).unwrap() {
                self.arrived.extend(std::iter::repeat_n(slot, n));
            }
        }
        while let Some((shard, done)) = around.disks.completion() {
            done.result.unwrap();
            if done.token == 0 {
                around.disks.submit(shard, DiskOp::Sync { token: 1, files: vec![LOG] });
            } else {
                for slot in self.under_way.drain(..) {
                    self.sockets[slot].try_write(b"+").unwrap();
                }
            }
        }
        if self.under_way.is_empty() && !self.arrived.is_empty() && around.disks.in_flight() == 0 {
            std::mem::swap(&mut self.arrived, &mut self.under_way);
            let data = std::rc::Rc::new(AlignedBuffer::zeroed(4096));
            self.offset = (self.offset + 4096) % LOG_LEN;
            around.disks.submit(ShardId(0), DiskOp::Write { token: 0, file: LOG, offset: self.offset, data });
        }
        Next { at_once: false, deadline: None, stop }
    }

    fn handle_turn_end(&mut self, _: Now) {}

    fn has_letters(&mut self) -> bool {
        !self.letters.is_empty()
    }
}

/// Nanoseconds of CPU that the thread of this name has used.
fn cpu_of(thread: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let mut named = tasks.filter(|task| std::fs::read_to_string(task.join("comm")).unwrap().trim() == thread);
    let statistics = std::fs::read_to_string(named.next().unwrap().join("schedstat")).unwrap();
    statistics.split(' ').next().unwrap().parse().unwrap()
}

/// Not a test of behaviour: prints how many synchronous publishers' blocks one core acknowledges.
#[test]
#[ignore = "a measurement"]
fn measure_synchronous_publishers() {
    let path = std::env::temp_dir().join(format!("millrace-acker-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let directory = path.clone();
    let bell = Bell::new().unwrap();
    let (sender, letters) = post(128, &bell);
    let mailbox = mesh::<u32>(&[bell]).pop().unwrap();
    let main = move || async move {
        let mut disks = Disks::new();
        disks.add(ShardId(0), directory, true, SyncMethod::WriteThenSync).await.unwrap();
        disks.submit(ShardId(0), DiskOp::Prepare { token: 2, file: LOG, len: LOG_LEN });
        std::future::poll_fn(|context| disks.poll_ready(context)).await;
        disks.completion().unwrap().1.result.unwrap();
        let poller = Poller::new().unwrap();
        let mut around = Surroundings { mailbox, disks, poller };
        let (sockets, arrived, under_way) = Default::default();
        run(&mut Acker { letters, sockets, arrived, under_way, offset: 0 }, &mut around).await.unwrap();
    };
    let executor = Executor::start("acker", Some(0), None, main).unwrap();
    affinity::set_thread_affinity([1]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut connect = || {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(sender.try_send(Letter::Connection(listener.accept().unwrap().0)).is_ok());
        Socket::new(client).unwrap()
    };
    let mut clients = Vec::new();
    for publishers in [1, 8, 64] {
        clients.resize_with(publishers, &mut connect);
        let mut poller = Poller::new().unwrap();
        for (slot, client) in clients.iter().enumerate() {
            poller.add(client, slot as u64).unwrap();
            client.try_write(b"x").unwrap();
        }
        let cpu_before = cpu_of("acker");
        let (start, mut acks, mut ready) = (std::time::Instant::now(), 0u64, Vec::new());
        while start.elapsed() < Duration::from_secs(3) {
            ready.clear();
            poller.query(&mut ready).unwrap();
            for one in ready.iter().filter(|one| one.readable) {
                let client = &clients[one.token as usize];
                while let Some(n @ 1..) = client.try_read(&mut [0; 64]).unwrap() {
                    acks += n as u64;
                    client.try_write(b"x").unwrap();
                }
            }
        }
        let used = Duration::from_nanos((cpu_of("acker") - cpu_before) / acks.max(1));
        println!("{publishers} synchronous publishers: {} acks/s, {used:?} of CPU each", acks / 3);
        let drained = std::time::Instant::now();
        while drained.elapsed() < Duration::from_millis(50) {
            clients.iter().for_each(|client| drop(client.try_read(&mut [0; 64])));
        }
    }
    assert!(sender.try_send(Letter::Stop).is_ok());
    executor.join().unwrap();
    std::fs::remove_dir_all(&path).unwrap();
}
