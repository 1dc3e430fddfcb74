//! Replies to direct gets: the stored message itself with its place in headers, and statuses. Source: NATS ADR-31.

use super::time_text;
use shards::decimal;
use shards::headers;
use shards::ids::StreamSeq;
use shards::shard::answer::StoredMessage;

/// A message to publish to the reply subject of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The whole header block; empty: none.
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
}

/// Where a message stands in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Matching messages after this one.
    pub num_pending: u64,
    /// Sequence of the message before it in this reply; 0: it is the first.
    pub last_seq: StreamSeq,
}

/// A stored message with its origin behind its own headers; without any header if `no_hdr`.
pub fn message(stream: &str, message: StoredMessage, place: Option<Place>, no_hdr: bool) -> Response {
    if no_hdr {
        return Response { headers: Vec::new(), payload: message.payload };
    }
    let mut block = message.headers;
    if block.is_empty() {
        headers::start(&mut block);
    } else {
        block.truncate(block.len() - if block.ends_with(b"\r\n") { 2 } else { 0 });
    }
    headers::field(&mut block, b"Nats-Stream", stream.as_bytes());
    headers::field(&mut block, b"Nats-Subject", &message.subject);
    number(&mut block, b"Nats-Sequence", message.seq.0);
    block.extend_from_slice(b"Nats-Time-Stamp: ");
    time_text::write(&mut block, message.time);
    block.extend_from_slice(b"\r\n");
    if let Some(place) = place {
        write_place(&mut block, place);
    }
    headers::end(&mut block);
    Response { headers: block, payload: message.payload }
}

/// The end of a batch or multi get. `place` follows the last message; `up_to_seq` is given for multi gets.
pub fn end_of_batch(place: Place, up_to_seq: Option<u64>) -> Response {
    let mut block = Vec::new();
    headers::start_status(&mut block, 204, b"EOB");
    write_place(&mut block, place);
    if let Some(seq) = up_to_seq {
        number(&mut block, b"Nats-UpTo-Sequence", seq);
    }
    headers::end(&mut block);
    Response { headers: block, payload: Vec::new() }
}

/// A status and nothing else.
pub fn status(code: u16, description: &str) -> Response {
    let mut block = Vec::new();
    headers::start_status(&mut block, code, description.as_bytes());
    headers::end(&mut block);
    Response { headers: block, payload: Vec::new() }
}

fn write_place(block: &mut Vec<u8>, place: Place) {
    number(block, b"Nats-Num-Pending", place.num_pending);
    number(block, b"Nats-Last-Sequence", place.last_seq.0);
}

fn number(block: &mut Vec<u8>, key: &[u8], value: u64) {
    block.extend_from_slice(key);
    block.extend_from_slice(b": ");
    decimal::put(block, value);
    block.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use shards::time::WallTime;

    fn stored(headers: &[u8]) -> StoredMessage {
        StoredMessage {
            subject: b"dg.1".to_vec(),
            seq: StreamSeq(2),
            time: WallTime(1_795_247_917_485_509_606),
            headers: headers.to_vec(),
            payload: b"v1".to_vec(),
        }
    }

    fn block(response: &Response) -> &str {
        std::str::from_utf8(&response.headers).unwrap()
    }

    #[test]
    fn a_message_tells_where_it_comes_from_behind_its_own_headers() {
        let plain = message("DG", stored(b""), None, false);
        let origin = "Nats-Stream: DG\r\nNats-Subject: dg.1\r\nNats-Sequence: 2\r\n\
                      Nats-Time-Stamp: 2026-11-21T07:58:37.485509606Z\r\n";
        assert_eq!(block(&plain), format!("NATS/1.0\r\n{origin}\r\n"));
        assert_eq!(plain.payload, b"v1");
        let place = Place { num_pending: 4, last_seq: StreamSeq(1) };
        let in_batch = message("DG", stored(b"NATS/1.0\r\nH: 1\r\n\r\n"), Some(place), false);
        let place = "Nats-Num-Pending: 4\r\nNats-Last-Sequence: 1\r\n";
        assert_eq!(block(&in_batch), format!("NATS/1.0\r\nH: 1\r\n{origin}{place}\r\n"));
    }

    #[test]
    fn without_headers_only_the_payload_is_left() {
        let bare = message("DG", stored(b"NATS/1.0\r\nH: 1\r\n\r\n"), None, true);
        assert_eq!(bare, Response { headers: vec![], payload: b"v1".to_vec() });
    }

    #[test]
    fn a_batch_ends_with_what_is_left() {
        let place = Place { num_pending: 1, last_seq: StreamSeq(3) };
        let head = "NATS/1.0 204 EOB\r\nNats-Num-Pending: 1\r\nNats-Last-Sequence: 3\r\n";
        assert_eq!(block(&end_of_batch(place, None)), format!("{head}\r\n"));
        assert_eq!(block(&end_of_batch(place, Some(4))), format!("{head}Nats-UpTo-Sequence: 4\r\n\r\n"));
        assert_eq!(block(&status(404, "Message Not Found")), "NATS/1.0 404 Message Not Found\r\n\r\n");
    }
}
