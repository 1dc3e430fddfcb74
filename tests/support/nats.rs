//! A blocking NATS client, as little of it as these tests need.

use crate::support::now;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One connection. What is published gathers until `flush`.
pub struct Client {
    socket: TcpStream,
    input: Vec<u8>,
    /// Bytes of `input` that were read already.
    taken: usize,
    output: Vec<u8>,
    wait: Option<Duration>,
    /// Of its replies, with the dot: this and everything behind it is subscribed as 1.
    pub inbox: String,
    requests: u64,
    /// The last INFO: JSON.
    pub info: String,
}

/// What the server says.
#[derive(Debug)]
pub enum Event {
    Message(Message),
    Pong,
    /// `-ERR`, without the quotes.
    Error(String),
}

#[derive(Clone, Debug, Default)]
pub struct Message {
    pub subject: String,
    /// Empty: none.
    pub reply: String,
    /// The whole block; empty: none.
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
}

/// Longest wait for an answer that must come.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);

static CLIENTS: AtomicU64 = AtomicU64::new(0);

impl Client {
    /// Connects to this machine, subscribes its inbox, and waits for the PONG.
    pub fn connect(port: u16) -> io::Result<Client> {
        Client::login(port, "")
    }

    /// As `connect`, with more fields of CONNECT: `,"user":"ann","pass":"secret"`.
    pub fn login(port: u16, fields: &str) -> io::Result<Client> {
        let mut client = Client::open(port)?;
        let (options, inbox) =
            (format!(r#"{{"verbose":false,"headers":true,"no_responders":true{fields}}}"#), &client.inbox);
        let hello = format!("CONNECT {options}\r\nSUB {inbox}> 1\r\nPING\r\n");
        client.send(hello.as_bytes());
        client.flush()?;
        match client.next(ANSWER_TIME_MAX)? {
            Some(Event::Pong) => Ok(client),
            Some(Event::Error(text)) => Err(io::Error::new(ErrorKind::PermissionDenied, text)),
            other => Err(io::Error::new(ErrorKind::TimedOut, format!("{other:?} instead of a PONG"))),
        }
    }

    /// A socket that has read INFO and said nothing.
    pub fn open(port: u16) -> io::Result<Client> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        let inbox = format!("_INBOX.{}.{}.", std::process::id(), CLIENTS.fetch_add(1, Ordering::Relaxed));
        let mut client = Client {
            socket,
            input: Vec::new(),
            taken: 0,
            output: Vec::new(),
            wait: None,
            inbox,
            requests: 0,
            info: String::new(),
        };
        let deadline = now() + ANSWER_TIME_MAX;
        while client.info.is_empty() {
            if let Some(line) = client.line() {
                client.info = line.strip_prefix("INFO ").ok_or(ErrorKind::InvalidData)?.to_owned();
            } else if !client.read(deadline.saturating_duration_since(now()))? {
                return Err(ErrorKind::TimedOut.into());
            }
        }
        Ok(client)
    }

    /// Any bytes, unchanged.
    pub fn send(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    pub fn subscribe(&mut self, subject: &str, sid: u64) {
        self.send(format!("SUB {subject} {sid}\r\n").as_bytes());
    }

    /// `headers` are whole lines without their ends.
    pub fn publish(&mut self, subject: &str, reply: &str, headers: &[&str], payload: &[u8]) {
        let block = match headers {
            [] => String::new(),
            lines => format!("NATS/1.0\r\n{}\r\n\r\n", lines.join("\r\n")),
        };
        let total = block.len() + payload.len();
        let line = match headers {
            [] => format!("PUB {subject} {reply} {total}\r\n"),
            _ => format!("HPUB {subject} {reply} {} {total}\r\n", block.len()),
        };
        for part in [line.as_bytes(), block.as_bytes(), payload, b"\r\n"] {
            self.output.extend_from_slice(part);
        }
    }

    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    pub fn flush(&mut self) -> io::Result<()> {
        let result = self.socket.write_all(&self.output);
        self.output.clear();
        result
    }

    /// The next thing the server says. None: nothing within `wait`. Errors: it closed the connection.
    pub fn next(&mut self, wait: Duration) -> io::Result<Option<Event>> {
        let deadline = now() + wait;
        loop {
            if let Some(event) = self.heard()? {
                return Ok(Some(event));
            }
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() || !self.read(left)? {
                return Ok(None);
            }
        }
    }

    /// The next thing the server said, if it was read already.
    pub fn heard(&mut self) -> io::Result<Option<Event>> {
        loop {
            let start = self.taken;
            let Some(line) = self.line() else { return Ok(None) };
            let (verb, arguments) = line.split_once(' ').unwrap_or((&line, ""));
            match verb {
                "PING" => {
                    self.send(b"PONG\r\n");
                    self.flush()?;
                }
                "INFO" => self.info = arguments.to_owned(),
                "+OK" => {}
                "PONG" => return Ok(Some(Event::Pong)),
                "-ERR" => return Ok(Some(Event::Error(arguments.trim_matches('\'').to_owned()))),
                "MSG" | "HMSG" => match self.message(arguments, verb == "HMSG") {
                    Some(message) => return Ok(Some(Event::Message(message))),
                    None => {
                        self.taken = start;
                        return Ok(None);
                    }
                },
                _ => return Err(io::Error::new(ErrorKind::InvalidData, format!("not NATS: {line}"))),
            }
        }
    }

    /// Publishes with a reply subject of its own and waits for that reply; what else comes meanwhile is dropped.
    pub fn request(&mut self, subject: &str, payload: &[u8]) -> io::Result<Message> {
        self.request_with(subject, &[], payload)
    }

    pub fn request_with(&mut self, subject: &str, headers: &[&str], payload: &[u8]) -> io::Result<Message> {
        self.requests += 1;
        let reply = format!("{}r{}", self.inbox, self.requests);
        self.publish(subject, &reply, headers, payload);
        self.flush()?;
        let deadline = now() + ANSWER_TIME_MAX;
        loop {
            match self.next(deadline.saturating_duration_since(now()))? {
                Some(Event::Message(message)) if message.subject == reply => return Ok(message),
                Some(Event::Error(text)) => return Err(io::Error::other(text)),
                Some(_) => {}
                None => {
                    return Err(io::Error::new(ErrorKind::TimedOut, format!("no answer from {subject}")));
                }
            }
        }
    }

    /// Waits until the server has read everything sent so far. What else comes meanwhile is dropped.
    pub fn ping(&mut self) -> io::Result<()> {
        self.send(b"PING\r\n");
        self.flush()?;
        loop {
            match self.next(ANSWER_TIME_MAX)? {
                Some(Event::Pong) => return Ok(()),
                Some(Event::Error(text)) => return Err(io::Error::other(text)),
                Some(_) => {}
                None => return Err(io::Error::new(ErrorKind::TimedOut, "no PONG")),
            }
        }
    }

    /// A whole line, without its end.
    fn line(&mut self) -> Option<String> {
        let rest = &self.input[self.taken..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = String::from_utf8_lossy(&rest[..end]).trim_end().to_owned();
        self.taken += end + 1;
        Some(line)
    }

    /// `subject sid [reply] [header bytes] total bytes`, and the body behind the line.
    fn message(&mut self, arguments: &str, has_headers: bool) -> Option<Message> {
        let words: Vec<&str> = arguments.split(' ').collect();
        let number = |at: usize| words[at].parse::<usize>().expect("a length in a message");
        let total = number(words.len() - 1);
        let header_len = if has_headers { number(words.len() - 2) } else { 0 };
        let body = self.input.get(self.taken..self.taken + total + 2)?;
        let has_reply = words.len() - usize::from(has_headers) == 4;
        let message = Message {
            subject: words[0].to_owned(),
            reply: if has_reply { words[2].to_owned() } else { String::new() },
            headers: body[..header_len].to_vec(),
            payload: body[header_len..total].to_vec(),
        };
        self.taken += total + 2;
        Some(message)
    }

    /// Reads once. False: nothing came within `wait`.
    fn read(&mut self, wait: Duration) -> io::Result<bool> {
        self.input.drain(..self.taken);
        self.taken = 0;
        // The system counts in coarser steps; zero would mean for ever.
        let wait = Some(wait.max(Duration::from_millis(1)));
        if self.wait != wait {
            self.socket.set_read_timeout(wait)?;
            self.wait = wait;
        }
        let before = self.input.len();
        self.input.resize(before + READ_LEN, 0);
        let result = self.socket.read(&mut self.input[before..]);
        self.input.truncate(before + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }
}

impl Message {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.headers);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim));
        value.map(str::to_owned)
    }

    /// The status of a message without payload that the server made: `404`.
    pub fn status(&self) -> Option<&str> {
        let first = std::str::from_utf8(&self.headers).ok()?.lines().next()?;
        first.strip_prefix("NATS/1.0 ")?.get(..3)
    }

    /// What the reply subject of a delivery says.
    pub fn delivery(&self) -> Option<Delivery> {
        let mut words = self.reply.strip_prefix("$JS.ACK.")?.split('.').skip(2);
        let mut number = || words.next()?.parse().ok();
        Some(Delivery { count: number()?, stream_seq: number()?, consumer_seq: number()? })
    }
}

/// How a consumer delivered a message.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// 1 the first time.
    pub count: u64,
    pub stream_seq: u64,
    pub consumer_seq: u64,
}

const READ_LEN: usize = 64 << 10;
