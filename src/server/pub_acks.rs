//! Pub acks on their way to clients. Those of one entry mostly go to one inbox, one after another.

use super::Server;
use crate::jetstream::pub_ack;
use crate::protocol::write;
use shards::decimal;
use shards::shard::answer::{PubAck, PubAcks};
use std::ops::Range;

/// Texts of the pub acks of one stream. Lives on: its core; it is memory for the list in hand.
///
/// Sequences mostly follow one another, so that the text of one is that of the one before with its last digit changed.
#[derive(Debug, Default)]
pub struct PubAckTexts {
    /// What all pub acks of the stream begin with.
    prefix: Vec<u8>,
    /// A pub ack.
    text: Vec<u8>,
    /// What follows the subject in the MSG of the pub ack that was asked for last: sid, size, text. Empty: none yet.
    tail: Vec<u8>,
    /// Length of the text in it. Bytes.
    text_len: usize,
    /// Where the digits of `seq` lie in it.
    digits: Range<usize>,
    seq: u64,
    duplicate: bool,
}

/// What is left of a list of pub acks.
struct Left<'a> {
    acks: &'a [PubAck],
    replies: &'a [u8],
}

impl Server {
    /// The pub acks of one entry for connections of this core. Each is an ordinary publish to its reply subject, whose route
    /// is cached for all replies to one inbox.
    pub(super) fn publish_pub_acks(&mut self, acks: &PubAcks) {
        self.reports.note_acks(acks);
        let mut texts = std::mem::take(&mut self.pub_ack_texts);
        let (stream, replies) = acks.bytes.split_at(acks.stream_len as usize);
        texts.begin(stream);
        let mut left = Left { acks: &acks.acks, replies };
        while let Some((ack, reply)) = left.first() {
            if reply.is_empty() {
                left.pop();
            } else if !self.deliver_pub_acks(acks, reply, &mut left, &mut texts) {
                left.pop();
                let text = texts.text(ack.seq.0, ack.duplicate);
                self.publish_own(acks.account, reply, b"", text);
            }
        }
        self.pub_ack_texts = texts;
    }

    /// Delivers the first pub acks of those left, as far as they go to the same single subscription here and nowhere else.
    /// False: not even the first of them, to `reply`, can be delivered in this way.
    fn deliver_pub_acks(
        &mut self,
        acks: &PubAcks,
        reply: &[u8],
        left: &mut Left<'_>,
        texts: &mut PubAckTexts,
    ) -> bool {
        let Some((subjects, listener)) = self.interest.only_listener(acks.account, reply) else {
            return false;
        };
        let queued = self.clients.deliver_run(listener, |run| {
            texts.forget();
            while let Some((ack, reply)) = left.first()
                && subjects.contain(reply)
            {
                let (tail, len) = texts.tail(run.sid(), ack.seq.0, ack.duplicate);
                if !run.push(reply, tail, len) {
                    break;
                }
                left.pop();
            }
        });
        self.counters.out_messages += queued.messages;
        self.counters.out_bytes += queued.bytes;
        queued.messages > 0
    }
}

impl<'a> Left<'a> {
    #[inline]
    fn first(&self) -> Option<(&'a PubAck, &'a [u8])> {
        let ack = self.acks.first()?;
        Some((ack, &self.replies[..ack.reply_len as usize]))
    }

    #[inline]
    fn pop(&mut self) {
        if let Some((first, rest)) = self.acks.split_first() {
            self.acks = rest;
            self.replies = &self.replies[first.reply_len as usize..];
        }
    }
}

impl PubAckTexts {
    fn begin(&mut self, stream: &[u8]) {
        self.prefix.clear();
        pub_ack::write_prefix(&mut self.prefix, stream);
        self.forget();
    }

    /// What follows goes to another subscription.
    fn forget(&mut self) {
        self.tail.clear();
    }

    fn text(&mut self, seq: u64, duplicate: bool) -> &[u8] {
        self.text.clear();
        pub_ack::write(&mut self.text, &self.prefix, seq, duplicate);
        &self.text
    }

    /// What follows the subject in the MSG of a pub ack, and the length of the pub ack in it.
    #[inline]
    fn tail(&mut self, sid: &[u8], seq: u64, duplicate: bool) -> (&[u8], usize) {
        let is_next = seq.wrapping_sub(self.seq) == 1 && duplicate == self.duplicate && !self.tail.is_empty();
        if !is_next || !decimal::increment(&mut self.tail[self.digits.clone()]) {
            self.write_tail(sid, seq, duplicate);
        }
        self.seq = seq;
        (&self.tail, self.text_len)
    }

    fn write_tail(&mut self, sid: &[u8], seq: u64, duplicate: bool) {
        self.text(seq, duplicate);
        self.tail.clear();
        write::message_tail(&mut self.tail, sid, &self.text);
        let start = self.tail.len() - write::LINE_END.len() - self.text.len() + self.prefix.len();
        self.text_len = self.text.len();
        self.digits = start..start + decimal::len(seq);
        self.duplicate = duplicate;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_every_pub_ack_is_its_own_whatever_came_before() {
        let mut texts = PubAckTexts::default();
        let runs = [
            (1, 120, false),
            (99_990, 100_020, false),
            (100_021, 100_023, true),
            (7, 8, false),
            (8, 9, false),
        ];
        texts.begin(b"S");
        for (first, end, duplicate) in runs {
            for seq in first..end {
                let text = String::from_utf8(texts.text(seq, duplicate).to_vec()).unwrap();
                let (tail, len) = texts.tail(b"17", seq, duplicate);
                assert_eq!((tail, len), (format!(" 17 {}\r\n{text}\r\n", text.len()).as_bytes(), text.len()));
            }
        }
        texts.begin(b"T");
        let (tail, _) = texts.tail(b"1", 9, false);
        assert_eq!(tail, b" 1 22\r\n{\"stream\":\"T\",\"seq\":9}\r\n");
    }
}
