use super::*;
use crate::bell::{Bell, Letters, Sender, post};
use crate::executors::Executor;
use crate::ids::CoreId;
use crate::lanes::Lane;
use crate::mailbox::{Mailbox, mesh};
use crate::net::Socket;
use bytes::BytesMut;
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
            let mut buffer = BytesMut::with_capacity(4096);
            let socket = &self.sockets[one.token as usize];
            while let Some(n @ 1..) = socket.try_read(&mut buffer, 4096).unwrap() {
                assert_eq!(socket.try_write(&buffer).unwrap(), Some(n));
                buffer.clear();
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
    let main = move || {
        let (disks, poller) = (Disks::new().unwrap(), Poller::new().unwrap());
        let mut around = Surroundings { mailbox, disks, poller };
        run(&mut engine(), &mut around).unwrap();
    };
    Executor::start("test-core", None, main).unwrap()
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
