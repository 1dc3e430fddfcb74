//! What the reply subject of a delivered message says.
//! May import: digits.
//! Must not know: who reads.

use crate::digits;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How often the message was delivered, this time included.
    pub times: u64,
    pub stream_seq: u64,
}

/// `$JS.ACK.stream.consumer.times.stream seq.consumer seq.time.pending`, or with domain and account in front of the stream.
pub fn read(reply: &[u8]) -> Option<Delivery> {
    let rest = reply.strip_prefix(b"$JS.ACK.")?;
    let dots = memchr::memchr_iter(b'.', rest).count();
    let names = if dots >= 8 { 4 } else { 2 };
    let at = memchr::memchr_iter(b'.', rest).nth(names - 1)?;
    let (times, rest) = digits::read(&rest[at + 1..])?;
    let (stream_seq, _) = digits::read(rest.strip_prefix(b".")?)?;
    Some(Delivery { times, stream_seq })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_and_deliveries_are_found_with_and_without_a_domain() {
        let delivery = Some(Delivery { times: 2, stream_seq: 17 });
        assert_eq!(read(b"$JS.ACK.S.C.2.17.5.1700000000000000000.0"), delivery);
        assert_eq!(read(b"$JS.ACK.dom.hash.S.C.2.17.5.1700000000000000000.0"), delivery);
        assert_eq!(read(b"$JS.ACK.dom.hash.S.C.2.17.5.1700000000000000000.0.rnd"), delivery);
        assert_eq!(read(b"$JS.ACK.S.C.x.17"), None);
        assert_eq!(read(b"_INBOX.x"), None);
    }
}
