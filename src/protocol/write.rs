//! Server operations as bytes, appended to a buffer.

use shards::decimal;

pub const PING: &[u8] = b"PING\r\n";
pub const PONG: &[u8] = b"PONG\r\n";
pub const OK: &[u8] = b"+OK\r\n";

/// Ends every line and every message.
pub const LINE_END: &[u8] = b"\r\n";

/// What a `MSG` begins with; its subject follows.
pub const MSG: &[u8] = b"MSG ";

/// What follows the subject in a `MSG` without a reply: for many messages that differ in their subjects.
pub fn message_tail(out: &mut Vec<u8>, sid: &[u8], payload: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(sid);
    out.push(b' ');
    decimal::put(out, payload.len() as u64);
    out.extend_from_slice(LINE_END);
    out.extend_from_slice(payload);
    out.extend_from_slice(LINE_END);
}

/// A message to one subscription. Without `headers` (empty) it is a `MSG`, else an `HMSG`; an empty `reply` is left out.
#[inline]
pub fn message(out: &mut Vec<u8>, subject: &[u8], sid: &[u8], reply: &[u8], headers: &[u8], payload: &[u8]) {
    let total = headers.len() + payload.len();
    out.reserve(subject.len() + sid.len() + reply.len() + total + LINE_REST_MAX);
    out.extend_from_slice(if headers.is_empty() { MSG } else { b"HMSG " });
    out.extend_from_slice(subject);
    out.push(b' ');
    out.extend_from_slice(sid);
    out.push(b' ');
    if !reply.is_empty() {
        out.extend_from_slice(reply);
        out.push(b' ');
    }
    if !headers.is_empty() {
        decimal::put(out, headers.len() as u64);
        out.push(b' ');
    }
    decimal::put(out, total as u64);
    out.extend_from_slice(LINE_END);
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(LINE_END);
}

/// A `503` for a publish to `subject` that nobody received, to the publisher's subscription `sid` on its reply subject.
pub fn no_responders(out: &mut Vec<u8>, subject: &[u8], reply: &[u8], sid: &[u8]) {
    let total = NO_RESPONDERS_LEN + subject.len() as u64;
    out.extend_from_slice(b"HMSG ");
    out.extend_from_slice(reply);
    out.push(b' ');
    out.extend_from_slice(sid);
    out.push(b' ');
    decimal::put(out, total);
    out.push(b' ');
    decimal::put(out, total);
    out.extend_from_slice(b"\r\nNATS/1.0 503\r\nNats-Subject: ");
    out.extend_from_slice(subject);
    out.extend_from_slice(b"\r\n\r\n\r\n");
}

/// `INFO`; `json` is one line.
pub fn info(out: &mut Vec<u8>, json: &[u8]) {
    out.extend_from_slice(b"INFO ");
    out.extend_from_slice(json);
    out.extend_from_slice(b" \r\n");
}

/// `-ERR` with a fixed text.
pub fn error(out: &mut Vec<u8>, text: &str) {
    violation(out, text, &[]);
}

/// `-ERR` with texts of the client in it: `text`, then each pair's first part and its second part in quotes.
pub fn violation(out: &mut Vec<u8>, text: &str, quoted: &[(&str, &[u8])]) {
    out.extend_from_slice(b"-ERR '");
    out.extend_from_slice(text.as_bytes());
    for (before, bytes) in quoted {
        out.extend_from_slice(before.as_bytes());
        quote(out, bytes);
    }
    out.extend_from_slice(b"'\r\n");
}

/// Double quotes and escapes as Go's `%q` writes them.
fn quote(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' | '\\' => out.extend_from_slice(&[b'\\', char as u8]),
                '\x07' => out.extend_from_slice(b"\\a"),
                '\x08' => out.extend_from_slice(b"\\b"),
                '\x0c' => out.extend_from_slice(b"\\f"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\x0b' => out.extend_from_slice(b"\\v"),
                '\0'..='\x1f' | '\x7f' => hex(out, b'x', char as u32, 2),
                _ if is_printable(char) => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
                _ if u32::from(char) < 0x10000 => hex(out, b'u', char.into(), 4),
                _ => hex(out, b'U', char.into(), 8),
            }
        }
        for &byte in chunk.invalid() {
            hex(out, b'x', byte.into(), 2);
        }
    }
    out.push(b'"');
}

/// Close to Go's `strconv.IsPrint`: no control characters, no blanks but the space.
fn is_printable(char: char) -> bool {
    char == ' ' || !(char.is_control() || char.is_whitespace())
}

fn hex(out: &mut Vec<u8>, kind: u8, value: u32, digits: u32) {
    out.extend_from_slice(&[b'\\', kind]);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * digit) & 15) as usize]);
    }
}

/// Verb, sizes, separators and line ends of a message.
const LINE_REST_MAX: usize = 5 + 4 + 2 * 20 + 4;

/// Header block of a 503 without the subject.
const NO_RESPONDERS_LEN: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("tests write text")
    }

    #[test]
    fn a_message_without_headers_is_a_msg() {
        assert_eq!(written(|out| message(out, b"a.b", b"7", b"", b"", b"hi")), "MSG a.b 7 2\r\nhi\r\n");
        assert_eq!(written(|out| message(out, b"a.b", b"7", b"r", b"", b"")), "MSG a.b 7 r 0\r\n\r\n");
    }

    #[test]
    fn a_message_is_also_written_as_subject_and_tail() {
        let tail = written(|out| message_tail(out, b"7", b"hi"));
        assert_eq!(format!("MSG a.b{tail}"), written(|out| message(out, b"a.b", b"7", b"", b"", b"hi")));
    }

    #[test]
    fn a_message_with_headers_is_an_hmsg_with_both_sizes() {
        let block = b"NATS/1.0\r\nA: b\r\n\r\n";
        assert_eq!(
            written(|out| message(out, b"a", b"7", b"r", block, b"hi")),
            "HMSG a 7 r 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nhi\r\n"
        );
    }

    #[test]
    fn a_503_has_equal_sizes_and_an_empty_body() {
        let out = written(|out| no_responders(out, b"a.b", b"_INBOX.1", b"9"));
        assert_eq!(out, "HMSG _INBOX.1 9 35 35\r\nNATS/1.0 503\r\nNats-Subject: a.b\r\n\r\n\r\n");
        let block = "NATS/1.0 503\r\nNats-Subject: a.b\r\n\r\n";
        assert_eq!(block.len(), 35);
    }

    #[test]
    fn texts_of_the_client_are_quoted_as_go_does() {
        let out = written(|out| {
            violation(out, "No ", &[("to ", "ä\"\\\x01\t\u{a0}".as_bytes()), (" q ", b"\xff")])
        });
        assert_eq!(out, "-ERR 'No to \"ä\\\"\\\\\\x01\\t\\u00a0\" q \"\\xff\"'\r\n");
        assert_eq!(written(|out| error(out, "Invalid Subject")), "-ERR 'Invalid Subject'\r\n");
    }
}
