//! What the broker has promised, and whether it keeps it.

use crate::publication::{Publication, STREAMS};
use crate::support::api::number;
use crate::support::nats::Client;
use std::collections::{BTreeMap, BTreeSet};

/// Everything known about the three streams. Every method panics on a broken promise.
#[derive(Clone, Default)]
pub struct Ledger {
    /// By stream; by sequence, from 1: what is stored there. None: not known.
    stored: [Vec<Option<Publication>>; STREAMS.len()],
    places: BTreeMap<Publication, u64>,
    /// Sent, without an answer. They may be stored or not.
    unsettled: BTreeSet<Publication>,
    /// Not stored after a crash: they must not come back.
    lost: BTreeSet<Publication>,
}

impl Ledger {
    /// A pub ack: this publication has this sequence.
    pub fn acked(&mut self, publication: Publication, seq: u64, duplicate: bool) {
        let known = self.places.contains_key(&publication);
        assert_eq!(duplicate, known, "{publication:?} as {seq}: is it called a duplicate, is it one");
        self.seen(publication, seq);
    }

    /// Sent, and no answer came.
    pub fn unanswered(&mut self, publication: Publication) {
        if !self.places.contains_key(&publication) {
            self.unsettled.insert(publication);
        }
    }

    /// A message that was acked, delivered or read.
    pub fn seen(&mut self, publication: Publication, seq: u64) {
        let name = STREAMS[publication.stream()];
        assert!(!self.lost.contains(&publication), "{publication:?} was lost and comes back as {name} {seq}");
        let place = *self.places.entry(publication).or_insert(seq);
        assert_eq!(place, seq, "{publication:?} has two sequences in {name}");
        let stored = &mut self.stored[publication.stream()];
        let at = seq as usize - 1;
        if stored.len() <= at {
            stored.resize(at + 1, None);
        }
        let holder = *stored[at].get_or_insert(publication);
        assert_eq!(holder, publication, "{name} {seq} was given twice");
        self.unsettled.remove(&publication);
    }

    /// Reads all streams back: everything promised is there, in dense sequences, and nothing else than what was sent. Afterwards
    /// every publication's fate is known. Messages read.
    pub fn verify(&mut self, client: &mut Client) -> u64 {
        let mut read = 0;
        for (stream, name) in STREAMS.iter().enumerate() {
            let state = client.stream_state(name);
            let (last, known) = (number(&state["last_seq"]), self.stored[stream].len() as u64);
            assert!(last >= known, "{name} ends with {last}, but {known} was acked");
            let mut next = 1;
            client.read_stream(name, 1, |seq, message| {
                assert_eq!(seq, next, "{name} has a hole");
                next += 1;
                let publication = Publication::of_message(&message);
                self.seen(publication.unwrap_or_else(|wrong| panic!("{name} {seq}: {wrong}")), seq);
            });
            assert_eq!(next - 1, last, "{name} ends early: {state}");
            read += last;
        }
        self.lost.append(&mut self.unsettled);
        read
    }

    /// Publications with a message id to send once more: those that were lost, which are then stored at last, and the youngest of
    /// those that are stored, which are duplicates.
    pub fn repeats(&mut self) -> Vec<Publication> {
        let lost: Vec<Publication> =
            self.lost.iter().filter(|lost| lost.msg_id().is_some()).copied().collect();
        for publication in &lost {
            self.lost.remove(publication);
        }
        self.unsettled.extend(&lost);
        let stored = self.stored.iter().flat_map(|stored| stored.iter().rev().flatten().take(60));
        let stored = stored.filter(|stored| stored.msg_id().is_some()).copied();
        let mut repeats: Vec<Publication> = stored.chain(lost).collect();
        repeats.sort();
        repeats
    }

    /// Messages known to be stored in a stream.
    pub fn len(&self, stream: usize) -> u64 {
        self.stored[stream].len() as u64
    }
}
