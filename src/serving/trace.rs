//! Protocol operations as lines of the log (`-V`), in nats-server's shape. Only ever runs when asked for.

use crate::server_log::ServerLog;
use serde_json::Value;
use std::fmt::Display;

/// What a peer sent: whole operations.
pub fn trace_in(log: ServerLog, peer: &dyn Display, bytes: &[u8]) {
    for line in operations(bytes) {
        log.trace(format_args!("{peer} - <<- {line}"));
    }
}

/// What a peer is sent. INFO is left out, as nats-server does.
pub fn trace_out(log: ServerLog, peer: &dyn Display, bytes: &[u8]) {
    for line in operations(bytes).filter(|line| !line.starts_with("[INFO ")) {
        log.trace(format_args!("{peer} - ->> {line}"));
    }
}

/// Bytes of a payload that a line shows.
const PAYLOAD_SHOWN_MAX: usize = 1024;

/// `[PUB a 5]` and `MSG_PAYLOAD: ["hello"]`, one after the other.
fn operations(mut bytes: &[u8]) -> impl Iterator<Item = String> {
    let mut payload: Option<&[u8]> = None;
    std::iter::from_fn(move || {
        if let Some(payload) = payload.take() {
            let shown = &payload[..payload.len().min(PAYLOAD_SHOWN_MAX)];
            return Some(format!("MSG_PAYLOAD: [{:?}]", String::from_utf8_lossy(shown)));
        }
        let end = memchr::memchr(b'\n', bytes)?;
        let line = String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned();
        bytes = &bytes[end + 1..];
        let (verb, args) = line.split_once([' ', '\t']).unwrap_or((&line, ""));
        if ["PUB", "HPUB", "MSG", "HMSG"].iter().any(|other| verb.eq_ignore_ascii_case(other)) {
            let len = args.split_ascii_whitespace().last().and_then(|len| len.parse::<usize>().ok());
            let (body, rest) = bytes.split_at(len.unwrap_or(0).min(bytes.len()));
            payload = Some(body).filter(|body| !body.is_empty());
            bytes = rest.strip_prefix(b"\r\n").unwrap_or(rest);
        }
        if verb.eq_ignore_ascii_case("CONNECT") {
            return Some(format!("[CONNECT {}]", without_secrets(args)));
        }
        Some(format!("[{line}]"))
    })
}

/// A CONNECT whose secrets cannot be told from the rest is not shown.
fn without_secrets(json: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(json) else { return "[REDACTED]".into() };
    for (name, value) in &mut fields {
        if ["pass", "auth_token", "jwt", "sig"].iter().any(|secret| name.eq_ignore_ascii_case(secret)) {
            *value = Value::from("[REDACTED]");
        }
    }
    Value::Object(fields).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        operations(bytes).collect()
    }

    #[test]
    fn operations_and_payloads_are_lines_of_their_own() {
        assert_eq!(
            lines(b"PING\r\nPUB foo 5\r\nhello\r\nPUB foo 0\r\n\r\nSUB a 1\r\n"),
            ["[PING]", "[PUB foo 5]", "MSG_PAYLOAD: [\"hello\"]", "[PUB foo 0]", "[SUB a 1]"]
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(
            lines(b"CONNECT {\"user\":\"u\",\"PASS\":\"p\",\"auth_token\":\"t\"}\r\n"),
            ["[CONNECT {\"PASS\":\"[REDACTED]\",\"auth_token\":\"[REDACTED]\",\"user\":\"u\"}]"]
        );
        assert_eq!(lines(b"CONNECT {\"pass\":\"p\r\n"), ["[CONNECT [REDACTED]]"]);
    }
}
