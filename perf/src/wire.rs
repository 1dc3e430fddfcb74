//! The client's side of the NATS protocol, as little of it as a load generator needs.
//! May import: digits.
//! Must not know: sockets, streams.

use crate::digits;

/// One operation of the server, as slices of the bytes it stands in.
#[derive(Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    Message(Message<'a>),
    Ping,
    Pong,
    Info(&'a [u8]),
    Error(&'a [u8]),
    /// `+OK`.
    Fine,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    pub subject: &'a [u8],
    /// Which subscription it is for.
    pub sid: u64,
    /// Empty: none.
    pub reply: &'a [u8],
    /// Empty: none.
    pub headers: &'a [u8],
    pub payload: &'a [u8],
}

/// The bytes are not what a NATS server sends.
#[derive(Debug, PartialEq, Eq)]
pub struct Garbage;

/// The first operation of `bytes` and its length; None if it is not there whole.
pub fn read(bytes: &[u8]) -> Result<Option<(Operation<'_>, usize)>, Garbage> {
    let Some(end) = memchr::memchr(b'\n', bytes) else { return Ok(None) };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(Garbage)?;
    let whole = |operation| Ok(Some((operation, end + 1)));
    match line {
        [b'M', b'S', b'G', b' ', args @ ..] => read_message(args, bytes, end + 1, false),
        [b'H', b'M', b'S', b'G', b' ', args @ ..] => read_message(args, bytes, end + 1, true),
        b"PING" => whole(Operation::Ping),
        b"PONG" => whole(Operation::Pong),
        b"+OK" => whole(Operation::Fine),
        [b'I', b'N', b'F', b'O', b' ', json @ ..] => whole(Operation::Info(json)),
        [b'-', b'E', b'R', b'R', b' ', text @ ..] => whole(Operation::Error(text)),
        _ => Err(Garbage),
    }
}

/// `subject sid [reply] [header bytes] total bytes`, then the body and CRLF.
fn read_message<'a>(
    args: &'a [u8],
    bytes: &'a [u8],
    body: usize,
    has_headers: bool,
) -> Result<Option<(Operation<'a>, usize)>, Garbage> {
    let space = memchr::memchr(b' ', args).ok_or(Garbage)?;
    let (rest, total) = last_number(args).ok_or(Garbage)?;
    let (rest, headers) = if has_headers { last_number(rest).ok_or(Garbage)? } else { (rest, 0) };
    let (sid, reply) = digits::read(rest.get(space + 1..).ok_or(Garbage)?).ok_or(Garbage)?;
    let reply = reply.strip_prefix(b" ").unwrap_or(reply);
    let end = body + total;
    if bytes.len() < end + 2 {
        return Ok(None);
    }
    if headers > total || &bytes[end..end + 2] != b"\r\n" {
        return Err(Garbage);
    }
    let (headers, payload) = bytes[body..end].split_at(headers);
    let message = Message { subject: &args[..space], sid, reply, headers, payload };
    Ok(Some((Operation::Message(message), end + 2)))
}

/// The number behind the last blank, and what stands before that blank.
fn last_number(args: &[u8]) -> Option<(&[u8], usize)> {
    let mut value = 0usize;
    let mut unit = 1usize;
    for (at, byte) in args.iter().enumerate().rev() {
        match byte {
            b'0'..=b'9' if unit <= 1_000_000_000 => value += usize::from(byte - b'0') * unit,
            b' ' if unit > 1 => return Some((&args[..at], value)),
            _ => return None,
        }
        unit *= 10;
    }
    None
}

/// The line that opens a session.
pub fn connect(user: &str, pass: &str, token: &str) -> String {
    let mut json = String::from(
        "{\"verbose\":false,\"pedantic\":false,\"lang\":\"rust\",\"version\":\"0\",\"name\":\"millrace-perf\",\
         \"protocol\":1,\"headers\":true,\"no_responders\":true",
    );
    for (key, value) in [("user", user), ("pass", pass), ("auth_token", token)] {
        if !value.is_empty() {
            json.push_str(&format!(",\"{key}\":\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")));
        }
    }
    format!("CONNECT {json}}}\r\n")
}

/// Appends one publish without headers; an empty reply is none.
pub fn publish(subject: &[u8], reply: &[u8], payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"PUB ");
    out.extend_from_slice(subject);
    out.push(b' ');
    if !reply.is_empty() {
        out.extend_from_slice(reply);
        out.push(b' ');
    }
    digits::push_short(out, payload.len() as u64);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// The code of a status: `503` of `NATS/1.0 503`; None: a message.
pub fn status(message: &Message<'_>) -> Option<u16> {
    let line = message.headers.strip_prefix(b"NATS/1.0 ")?;
    digits::read(line).and_then(|(code, _)| u16::try_from(code).ok())
}

/// What a status says behind its code.
pub fn status_text<'a>(message: &Message<'a>) -> &'a [u8] {
    let line = message.headers.strip_prefix(b"NATS/1.0 ").unwrap_or_default();
    line.split(|byte| *byte == b'\r').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_only_when_it_is_whole() {
        let bytes = b"MSG _I.1 1 5\r\nhello\r\nPING\r\n";
        let message = Message { subject: b"_I.1", sid: 1, payload: b"hello", ..Message::default() };
        assert_eq!(read(bytes), Ok(Some((Operation::Message(message), 21))));
        assert_eq!(read(&bytes[21..]), Ok(Some((Operation::Ping, 6))));
        for cut in 0..21 {
            assert_eq!(read(&bytes[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn headers_and_replies_are_told_apart() {
        let headers = b"NATS/1.0 503\r\n\r\n";
        let message = Message { subject: b"a", sid: 12, reply: b"r.x", headers, payload: b"" };
        assert_eq!(status(&message), Some(503));
        let bytes = b"HMSG a 12 r.x 16 16\r\nNATS/1.0 503\r\n\r\n\r\n";
        assert_eq!(read(bytes), Ok(Some((Operation::Message(message), bytes.len()))));
    }

    #[test]
    fn garbage_is_an_error() {
        for bytes in [
            &b"MSG a 1 x\r\n"[..],
            b"MSG a\r\n",
            b"MSG a x 1\r\n",
            b"NOPE\r\n",
            b"PING\n",
            b"MSG a 1 1\r\nxyz",
        ] {
            assert_eq!(read(bytes), Err(Garbage), "{bytes:?}");
        }
    }
}
