//! What the reply to a publish says.
//! May import: wire, digits.
//! Must not know: who published.

use crate::digits;
use crate::wire::{self, Message};

#[derive(Debug, PartialEq, Eq)]
pub enum PubAck {
    /// Stored in the expected stream.
    Stored(u64),
    /// The server had this message id already.
    Duplicate(u64),
    /// The server says why not; with the `err_code` of JetStream, where there is one.
    Refused(Option<u64>, String),
    /// Another stream, a status, or not JSON that a server would write.
    Wrong(String),
}

/// Reads the reply to a publish to `stream`.
pub fn read(message: &Message<'_>, stream: &str) -> PubAck {
    let stored = || {
        let rest = message.payload.strip_prefix(b"{\"stream\":\"")?.strip_prefix(stream.as_bytes())?;
        let rest = rest.strip_prefix(b"\",")?;
        let rest = rest.strip_prefix(b" ").unwrap_or(rest).strip_prefix(b"\"seq\":")?;
        let (seq, rest) = digits::read(rest)?;
        match rest {
            b"}" => Some(PubAck::Stored(seq)),
            _ => rest.ends_with(b"\"duplicate\":true}").then_some(PubAck::Duplicate(seq)),
        }
    };
    stored().unwrap_or_else(|| {
        let text = if message.payload.is_empty() { message.headers } else { message.payload };
        let refused = wire::status(message).is_some() || memchr::memmem::find(text, b"\"error\"").is_some();
        let text = String::from_utf8_lossy(text).trim().to_owned();
        if refused { PubAck::Refused(err_code(message.payload), text) } else { PubAck::Wrong(text) }
    })
}

/// JetStream's codes have five digits, so that there are only so many kinds of refusals to count.
fn err_code(payload: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"err_code\":";
    let at = memchr::memmem::find(payload, KEY)? + KEY.len();
    digits::read(&payload[at..]).map(|(code, _)| code).filter(|code| *code < 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(payload: &str) -> PubAck {
        read(&Message { payload: payload.as_bytes(), ..Message::default() }, "S")
    }

    #[test]
    fn only_the_right_stream_and_a_sequence_count() {
        assert_eq!(ack("{\"stream\":\"S\",\"seq\":17}"), PubAck::Stored(17));
        assert_eq!(ack("{\"stream\":\"S\", \"seq\":17}"), PubAck::Stored(17));
        assert!(ack("{\"stream\":\"S\", \"seq\":17,\"duplicate\": true}").is_wrong());
        assert_eq!(ack("{\"stream\":\"S\", \"seq\":17,\"duplicate\":true}"), PubAck::Duplicate(17));
        for wrong in ["{\"stream\":\"SS\",\"seq\":1}", "{\"stream\":\"S\",\"seq\":}", ""] {
            assert!(ack(wrong).is_wrong(), "{wrong}");
        }
        assert!(matches!(ack("{\"error\":{\"code\":503}}"), PubAck::Refused(None, _)));
        let full = "{\"error\":{\"code\":400,\"err_code\":10071,\"description\":\"wrong\"},\"stream\":\"S\"}";
        assert!(matches!(ack(full), PubAck::Refused(Some(10071), _)));
        assert!(matches!(ack(&full.replace("10071", "1007100")), PubAck::Refused(None, _)));
    }

    impl PubAck {
        fn is_wrong(&self) -> bool {
            matches!(self, PubAck::Wrong(_))
        }
    }
}
