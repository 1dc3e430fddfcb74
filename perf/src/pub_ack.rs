//! What the reply to a publish says.
//! May import: wire.
//! Must not know: who published.

use crate::wire::Message;

#[derive(Debug, PartialEq, Eq)]
pub enum PubAck {
    /// Stored in the expected stream.
    Stored(u64),
    /// The server had this message id already.
    Duplicate(u64),
    /// An error, another stream, a status, or not JSON that a server would write.
    Wrong(String),
}

/// Reads the reply to a publish to `stream`.
pub fn read(message: &Message<'_>, stream: &str) -> PubAck {
    let stored = || {
        let rest = message.payload.strip_prefix(b"{\"stream\":\"")?.strip_prefix(stream.as_bytes())?;
        let rest = rest.strip_prefix(b"\",")?;
        let rest = rest.strip_prefix(b" ").unwrap_or(rest).strip_prefix(b"\"seq\":")?;
        let (seq, rest) = number(rest)?;
        match rest {
            b"}" => Some(PubAck::Stored(seq)),
            _ => rest.ends_with(b"\"duplicate\":true}").then_some(PubAck::Duplicate(seq)),
        }
    };
    stored().unwrap_or_else(|| {
        let text = if message.payload.is_empty() { message.headers } else { message.payload };
        PubAck::Wrong(String::from_utf8_lossy(text).trim().to_owned())
    })
}

fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 19 {
        return None;
    }
    let value = text[..digits].iter().fold(0u64, |value, byte| value * 10 + u64::from(byte - b'0'));
    Some((value, &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(payload: &str) -> PubAck {
        read(&Message { subject: b"_I", headers: b"", payload: payload.as_bytes() }, "S")
    }

    #[test]
    fn only_the_right_stream_and_a_sequence_count() {
        assert_eq!(ack("{\"stream\":\"S\",\"seq\":17}"), PubAck::Stored(17));
        assert_eq!(ack("{\"stream\":\"S\", \"seq\":17}"), PubAck::Stored(17));
        assert!(ack("{\"stream\":\"S\", \"seq\":17,\"duplicate\": true}").is_wrong());
        assert_eq!(ack("{\"stream\":\"S\", \"seq\":17,\"duplicate\":true}"), PubAck::Duplicate(17));
        for wrong in ["{\"stream\":\"SS\",\"seq\":1}", "{\"stream\":\"S\",\"seq\":}", "{\"error\":{}}", ""] {
            assert!(ack(wrong).is_wrong(), "{wrong}");
        }
    }

    impl PubAck {
        fn is_wrong(&self) -> bool {
            matches!(self, PubAck::Wrong(_))
        }
    }
}
