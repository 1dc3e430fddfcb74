//! A stream with a log that keeps every change, for tests.

use super::Stream;
use super::admit::{Admission, Publish};
use super::config::{ServerLimits, Storage, StreamConfig};
use super::effects::Effects;
use super::place::Place;
use crate::change::ChangeKind;
use crate::ids::{AccountId, EntryPlace, Position, StreamSeq};
use crate::record::RecordView;
use crate::rejection::Rejection;
use crate::time::{Instant, Now, WallTime};
use std::time::Duration;

/// One committed change with its place.
pub type Logged = (ChangeKind, Vec<u8>, Place);

/// Admits, and commits when told.
pub struct Fixture {
    pub stream: Stream,
    pub effects: Effects,
    pub log: Vec<Logged>,
    pub now: Now,
    in_flight: Vec<(ChangeKind, Vec<u8>)>,
    position: u64,
}

/// A configuration as the server would complete it.
pub fn config(change: impl FnOnce(&mut StreamConfig)) -> StreamConfig {
    let mut config =
        StreamConfig { name: "S".into(), subjects: vec!["s.>".into()], ..StreamConfig::default() };
    change(&mut config);
    config.complete(&ServerLimits::default(), false).expect("a test's configuration is valid");
    config
}

impl Fixture {
    pub fn new(change: impl FnOnce(&mut StreamConfig)) -> Fixture {
        let start = 1_700_000_000_000_000_000;
        let now = Now { monotonic: Instant(1_000), wall: WallTime(start) };
        let stream = Stream::new(AccountId::GLOBAL, config(change).into_shared(), WallTime(start));
        Fixture {
            stream,
            effects: Effects::default(),
            log: Vec::new(),
            now,
            in_flight: Vec::new(),
            position: 0,
        }
    }

    pub fn advance(&mut self, by: Duration) {
        self.now.monotonic = self.now.monotonic + by;
        self.now.wall = self.now.wall + by;
    }

    /// Admits and leaves it in flight.
    pub fn admit(&mut self, subject: &str, headers: &[(&str, &str)], payload: &[u8]) -> Admission {
        let mut block = Vec::new();
        for (key, value) in headers {
            crate::headers::append(&mut block, key.as_bytes(), value.as_bytes());
        }
        let publish = Publish { subject: subject.as_bytes(), reply: b"", headers: &block, payload };
        let admission = self.stream.admit(self.now, &publish, true);
        if let Admission::Store(admitted) = &admission {
            let mut record = vec![0; admitted.record_len];
            admitted.record(&publish).write_to(&mut record);
            self.in_flight.push((ChangeKind::Publish, record));
        }
        admission
    }

    /// Makes one entry of all that is in flight and applies it.
    pub fn commit(&mut self) {
        let changes = std::mem::take(&mut self.in_flight);
        self.effects.clear();
        if self.stream.config().storage == Storage::Memory {
            let len = changes.iter().map(|(_, body)| body.len()).sum();
            let at = self.stream.next_memory_place(len);
            self.apply(at, 0, &changes);
            let entry: Vec<u8> = changes.into_iter().flat_map(|(_, body)| body).collect();
            return self.stream.keep_in_memory(at, entry.into_boxed_slice());
        }
        self.position += 4096;
        let entry = EntryPlace { position: Position(self.position), len: 4096 };
        let places = self.apply(entry, 64, &changes);
        let logged = changes.into_iter().zip(places).map(|((kind, body), place)| (kind, body, place));
        self.log.extend(logged);
    }

    /// Neighbouring publishes of one length are applied together, as a shard does; `replayed` applies each alone.
    fn apply(&mut self, entry: EntryPlace, mut offset: u32, changes: &[(ChangeKind, Vec<u8>)]) -> Vec<Place> {
        let mut places = Vec::new();
        let is_publish = |change: &(ChangeKind, Vec<u8>)| change.0 == ChangeKind::Publish;
        for same in changes.chunk_by(|a, b| is_publish(a) && is_publish(b) && a.1.len() == b.1.len()) {
            let (kind, len) = (same[0].0, same[0].1.len() as u32);
            let bodies: Vec<u8> = same.iter().flat_map(|(_, body)| body.clone()).collect();
            let first = Place { entry, change: places.len() as u32, offset, len };
            let applied = match kind {
                ChangeKind::Publish => self.stream.apply_publishes(&bodies, first, &mut self.effects),
                _ => self.stream.apply(kind, &bodies, first, &mut self.effects),
            };
            applied.expect("admitted changes apply");
            for at in 0..same.len() as u32 {
                places.push(Place { change: first.change + at, offset: offset + at * len, ..first });
            }
            offset += len * same.len() as u32;
        }
        places
    }

    /// Forgets what is in flight, as when a term ends.
    pub fn drop_in_flight(&mut self) {
        self.in_flight.clear();
        self.stream.drop_in_flight();
    }

    /// Stores one message and gives its sequence.
    pub fn publish(
        &mut self,
        subject: &str,
        headers: &[(&str, &str)],
        payload: &[u8],
    ) -> Result<u64, Rejection> {
        let admission = self.admit(subject, headers, payload);
        self.commit();
        match admission {
            Admission::Store(admitted) => Ok(admitted.seq.0),
            Admission::Duplicate { seq, .. } => Ok(seq.0),
            Admission::Refused { rejection, .. } => Err(rejection),
        }
    }

    /// Purges and gives how many went.
    pub fn purge(&mut self, filter: &str, seq: u64, keep: u64) -> Result<u64, Rejection> {
        let mut body = Vec::new();
        let promised = self.stream.admit_purge(filter, seq, keep, &mut body)?;
        self.in_flight.push((ChangeKind::Purge, body));
        self.commit();
        assert_eq!(self.effects.purges()[0].purged, promised);
        Ok(promised)
    }

    pub fn delete(&mut self, seq: u64) -> Result<(), Rejection> {
        let mut body = Vec::new();
        self.stream.admit_delete(seq, false, &mut body)?;
        self.in_flight.push((ChangeKind::Delete, body));
        self.commit();
        Ok(())
    }

    pub fn update(&mut self, change: impl FnOnce(&mut StreamConfig)) -> Result<(), Rejection> {
        let mut new = self.stream.config().clone();
        change(&mut new);
        new.complete(&ServerLimits::default(), false)?;
        self.stream.config().check_update(&mut new)?;
        let mut body = Vec::new();
        new.encode(&mut body);
        self.in_flight.push((ChangeKind::ConfigUpdate, body));
        self.commit();
        Ok(())
    }

    /// Lets expiry happen, as long as there is any.
    pub fn expire(&mut self) {
        let mut body = Vec::new();
        while let Some(kind) = self.stream.handle_timeout(self.now, true, &mut body) {
            self.in_flight.push((kind, std::mem::take(&mut body)));
            self.commit();
            self.advance(Duration::from_millis(250));
        }
    }

    /// Sequences that are there.
    pub fn seqs(&self) -> Vec<u64> {
        let state = self.stream.state(true, "", 0, 0);
        let deleted = state.deleted.unwrap_or_default();
        if state.messages == 0 {
            return Vec::new();
        }
        (state.first_seq..=state.last_seq).filter(|seq| deleted.binary_search(seq).is_err()).collect()
    }

    /// A stored message, from the log or from memory.
    pub fn record(&self, seq: u64) -> Option<RecordView<'_>> {
        let place = self.stream.place(StreamSeq(seq))?;
        let bytes = match self.stream.config().storage {
            Storage::Memory => self.stream.memory_record(place)?,
            Storage::File => {
                let same = |other: &&Logged| other.2.entry == place.entry && other.2.offset == place.offset;
                &self.log.iter().find(same)?.1
            }
        };
        Some(RecordView::parse(bytes).expect("a stored record is whole"))
    }

    /// The stream as a recovery from `checkpoint` (or the beginning) and the changes behind it makes it.
    pub fn replayed(&self, checkpoint: Option<&[u8]>, behind: usize) -> Stream {
        let mut stream = match checkpoint {
            Some(bytes) => Stream::decode_checkpoint(bytes).expect("a checkpoint is whole"),
            None => Stream::new(AccountId::GLOBAL, self.stream.config.clone(), self.stream.created()),
        };
        let mut effects = Effects::default();
        for (kind, body, place) in &self.log[behind..] {
            stream.apply(*kind, body, *place, &mut effects).expect("what applied once applies again");
            effects.clear();
        }
        stream
    }
}
