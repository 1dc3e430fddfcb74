//! The sockets of all clients, on one thread.

use super::broker::Broker;
use super::operation;
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

struct Client {
    socket: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// For ever.
pub fn serve(listener: &TcpListener, mut broker: Broker) {
    let mut clients: BTreeMap<usize, Client> = BTreeMap::new();
    let mut next = 0;
    loop {
        let mut fds = vec![PollFd::new(listener, PollFlags::IN)];
        for client in clients.values() {
            let out = if client.output.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            fds.push(PollFd::new(&client.socket, PollFlags::IN | out));
        }
        poll(&mut fds, None).unwrap();
        if !fds[0].revents().is_empty() {
            let (socket, _) = listener.accept().unwrap();
            socket.set_nonblocking(true).unwrap();
            socket.set_nodelay(true).unwrap();
            let output = broker.info().into_bytes();
            clients.insert(next, Client { socket, input: Vec::new(), output });
            next += 1;
        }
        let mut gone = Vec::new();
        for (id, client) in &mut clients {
            if !client.read() {
                gone.push(*id);
            }
            let mut start = 0;
            while let Some((operation, len)) = operation::read(&client.input[start..]) {
                broker.handle(*id, operation);
                start += len;
            }
            client.input.drain(..start);
        }
        for (id, bytes) in broker.take_output() {
            if let Some(client) = clients.get_mut(&id) {
                client.output.extend_from_slice(&bytes);
            }
        }
        for (id, client) in &mut clients {
            if !client.write() {
                gone.push(*id);
            }
        }
        for id in gone {
            clients.remove(&id);
            broker.forget(id);
        }
    }
}

impl Client {
    /// False: the client has gone.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 65536];
        match self.socket.read(&mut buffer) {
            Ok(0) => false,
            Ok(len) => {
                self.input.extend_from_slice(&buffer[..len]);
                true
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    fn write(&mut self) -> bool {
        while !self.output.is_empty() {
            match self.socket.write(&self.output) {
                Ok(len) => drop(self.output.drain(..len)),
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    }
}
