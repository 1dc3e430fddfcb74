//! What clients say.

#[derive(Debug, PartialEq, Eq)]
pub enum Operation {
    Connect,
    Ping,
    Pong,
    Subscribe { subject: String, queue: String, sid: String },
    Publish(Publish),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    pub subject: String,
    pub reply: String,
    /// With what `Nats-…` headers it may have.
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
}

/// The first operation and its length; None if it is not there whole. Panics on what no client says.
pub fn read(bytes: &[u8]) -> Option<(Operation, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(&bytes[..end]).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let number = |n: usize| words[n].parse::<usize>().unwrap();
    let (header_len, total) = match words[0] {
        "PUB" => (0, number(words.len() - 1)),
        "HPUB" => (number(words.len() - 2), number(words.len() - 1)),
        other => {
            let operation = match (other, words.len()) {
                ("CONNECT", _) => Operation::Connect,
                ("PING", _) => Operation::Ping,
                ("PONG", _) => Operation::Pong,
                ("SUB", 3) => subscribe(words[1], "", words[2]),
                ("SUB", 4) => subscribe(words[1], words[2], words[3]),
                _ => panic!("{line}"),
            };
            return Some((operation, end + 2));
        }
    };
    let body = bytes.get(end + 2..end + 2 + total + 2)?;
    assert!(body.ends_with(b"\r\n"), "{line}");
    let numbers = if words[0] == "PUB" { 1 } else { 2 };
    let reply = if words.len() == 3 + numbers { words[2] } else { "" };
    let publish = Publish {
        subject: words[1].to_owned(),
        reply: reply.to_owned(),
        headers: body[..header_len].to_vec(),
        payload: body[header_len..total].to_vec(),
    };
    Some((Operation::Publish(publish), end + 2 + total + 2))
}

fn subscribe(subject: &str, queue: &str, sid: &str) -> Operation {
    Operation::Subscribe { subject: subject.into(), queue: queue.into(), sid: sid.into() }
}
