//! Reads every acked message back and compares sequence, subject and bytes with what was sent.
//! May import: failure, content, delivery, jetstream, peer, sequences, wire, workload.
//! Must not know: loads, figures.

use crate::content::Content;
use crate::delivery;
use crate::failure::Failure;
use crate::jetstream::{Api, ConsumerConfig};
use crate::peer::Peer;
use crate::sequences::Sequences;
use crate::wire::{self, Message};
use crate::workload::AckKind;
use std::collections::BTreeMap;

/// Compares stream after stream.
pub struct Verifier<'a> {
    content: &'a Content,
    /// Messages that the streams keep of each subject.
    kept: Option<u64>,
    /// Acked messages that were looked for.
    pub messages: u64,
    pub mismatches: u64,
    pub first: Option<String>,
}

/// Where deliveries come: a connection of its own and a subject that only this listens to.
pub struct Reader {
    peer: Peer,
    inbox: String,
}

/// Messages of one pull request.
const FETCH: u64 = 5000;
const CONSUMER: &str = "verify";

impl Reader {
    pub fn new(mut peer: Peer, inbox: String) -> Result<Reader, Failure> {
        peer.subscribe(&inbox, "", 1);
        peer.settle()?;
        Ok(Reader { peer, inbox })
    }
}

impl<'a> Verifier<'a> {
    pub fn new(content: &'a Content, kept: Option<u64>) -> Verifier<'a> {
        Verifier { content, kept, messages: 0, mismatches: 0, first: None }
    }

    /// Reads one stream; `acked` keeps numbers. `go_on` is asked between fetches; false: it was told to stop. Errors: the
    /// server was lost or refuses a consumer.
    pub fn read_stream(
        &mut self,
        api: &mut Api,
        reader: &mut Reader,
        stream: &str,
        acked: &Sequences,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<bool, Failure> {
        api.create_consumer(&ConsumerConfig {
            stream,
            name: CONSUMER,
            ack: AckKind::None,
            max_ack_pending: 0,
            max_waiting: 1,
            durable: false,
        })?;
        let mut found = Sequences::default();
        while found.last() < acked.last() {
            if !go_on(self.messages) {
                return Ok(false);
            }
            let before = found.count();
            self.fetch(reader, stream, acked, &mut found)?;
            if found.count() == before {
                break;
            }
        }
        api.delete_consumer(stream, CONSUMER)?;
        self.look_for_missing(stream, acked, &found);
        Ok(true)
    }

    fn fetch(
        &mut self,
        reader: &mut Reader,
        stream: &str,
        acked: &Sequences,
        found: &mut Sequences,
    ) -> Result<(), Failure> {
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{CONSUMER}");
        let request = format!("{{\"batch\":{FETCH},\"no_wait\":true}}");
        let mut left = FETCH;
        reader.peer.request(&subject, &reader.inbox, request.as_bytes(), |message| {
            if wire::status(message).is_some() && message.reply.is_empty() {
                return Some(());
            }
            self.compare(stream, acked, found, message);
            left -= 1;
            (left == 0).then_some(())
        })
    }

    fn compare(&mut self, stream: &str, acked: &Sequences, found: &mut Sequences, message: &Message<'_>) {
        let Some(seq) = delivery::read(message.reply).map(|delivery| delivery.stream_seq) else {
            return self.mismatch(format!("stream {stream}: a delivery without a sequence"));
        };
        if !found.add(seq, 0) {
            return self.mismatch(format!("stream {stream}: sequence {seq} came twice"));
        }
        // What was stored and not acked is nothing that was promised.
        let Some(number) = acked.number(seq) else { return };
        self.messages += 1;
        if !self.content.is_subject(number, message.subject) {
            self.mismatch(format!("stream {stream}: sequence {seq} has another subject"));
        } else if !self.content.is_payload(number, message.payload) {
            self.mismatch(format!("stream {stream}: sequence {seq} has other bytes"));
        }
    }

    /// Acked and not there, though fewer than `kept` later messages have its subject.
    fn look_for_missing(&mut self, stream: &str, acked: &Sequences, found: &Sequences) {
        let mut later: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for seq in (1..=acked.last()).rev() {
            let Some(number) = acked.number(seq) else { continue };
            let replaced = self.kept.is_some_and(|kept| {
                let mut subject = Vec::new();
                self.content.write_subject(number, &mut subject);
                let count = later.entry(subject).or_default();
                *count += 1;
                *count > kept
            });
            if !replaced && !found.contains(seq) {
                self.messages += 1;
                self.mismatch(format!("stream {stream}: sequence {seq} was acked and is not there"));
            }
        }
    }

    fn mismatch(&mut self, text: String) {
        self.mismatches += 1;
        self.first.get_or_insert(text);
    }
}
