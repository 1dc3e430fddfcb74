//! The reply to a publish, assembled by hand: one per message, so nothing here allocates or formats.

use super::errors::ApiError;
use super::json::encode::{Object, write_string};
use shards::decimal;

/// Appends `{"stream":"<stream>","seq":`, with which every pub ack of a stream begins. Written once for many acks.
pub fn write_prefix(out: &mut Vec<u8>, stream: &[u8]) {
    out.extend_from_slice(b"{\"stream\":");
    write_string(out, stream);
    out.extend_from_slice(b",\"seq\":");
}

/// Length of a pub ack, for the size in its MSG line. Bytes.
pub fn len(prefix: &[u8], seq: u64, duplicate: bool) -> usize {
    prefix.len() + decimal::len(seq) + if duplicate { DUPLICATE.len() } else { 0 } + 1
}

/// Appends a pub ack. `prefix` comes from `write_prefix`.
pub fn write(out: &mut Vec<u8>, prefix: &[u8], seq: u64, duplicate: bool) {
    out.extend_from_slice(prefix);
    decimal::put(out, seq);
    if duplicate {
        out.extend_from_slice(DUPLICATE);
    }
    out.push(b'}');
}

/// The reply to a publish that was refused.
pub fn error(stream: &str, error: &ApiError) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::begin(&mut out);
    error.write(object.key("error"));
    object.string("stream", stream);
    object.number("seq", 0);
    object.end();
    out
}

/// With the space that nats-server writes.
const DUPLICATE: &[u8] = b",\"duplicate\": true";

#[cfg(test)]
mod tests {
    use super::*;
    use shards::rejection::Rejection;

    fn pub_ack(stream: &[u8], seq: u64, duplicate: bool) -> String {
        let (mut prefix, mut out) = (Vec::new(), Vec::new());
        write_prefix(&mut prefix, stream);
        write(&mut out, &prefix, seq, duplicate);
        assert_eq!(out.len(), len(&prefix, seq, duplicate));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_pub_ack_names_stream_and_sequence() {
        assert_eq!(pub_ack(b"S", 12, false), r#"{"stream":"S","seq":12}"#);
        assert_eq!(pub_ack(b"S", 12, true), r#"{"stream":"S","seq":12,"duplicate": true}"#);
        assert_eq!(pub_ack(b"a\"b", 0, false), r#"{"stream":"a\"b","seq":0}"#);
    }

    #[test]
    fn the_length_is_known_beforehand() {
        for seq in [0, 1, 9, 10, 99, 100, 999_999_999, 10u64.pow(18), u64::MAX] {
            pub_ack(b"ORDERS", seq, false);
            pub_ack(b"ORDERS", seq, true);
        }
    }

    #[test]
    fn a_refusal_keeps_stream_and_a_zero_sequence() {
        let refused = |rejection| String::from_utf8(error("P", &ApiError::from(rejection))).unwrap();
        assert_eq!(
            refused(Rejection::WrongLastSequence(2)),
            r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 2"},"stream":"P","seq":0}"#
        );
        assert_eq!(
            refused(Rejection::StreamStoreFailed("maximum messages exceeded".into())),
            r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"P","seq":0}"#
        );
    }
}
