//! The committed state as bytes in a checkpoint, and as one number for comparisons.

use super::config::{Storage, StreamConfig};
use super::index::Index;
use super::msg_ids::{KeptIds, MsgId, Seen};
use super::{Committed, Stream};
use crate::encoding::{Malformed, Reader, Write};
use crate::hashing::FixedState;
use crate::ids::AccountId;
use crate::time::WallTime;
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher};

/// First byte. What version 1 wrote is read, too: its rows say everything anew.
const VERSION: u8 = 2;
const VERSIONS_READ: std::ops::RangeInclusive<u8> = 1..=VERSION;

impl Stream {
    /// Appends the whole committed state; with memory storage only what comes back after a restart. The layout is in
    /// docs/formats.md, section "Stream checkpoint".
    pub fn encode_checkpoint(&mut self, out: &mut Vec<u8>) {
        let (mut ids, behind) = self.encode_around_ids(out);
        ids.write(usize::MAX, out);
        behind.iter().for_each(|piece| out.extend_from_slice(piece));
    }

    /// Makes some of what a checkpoint will hold, a bounded amount at a time. False: the rest can be made in one turn.
    pub fn keep_ahead(&mut self) -> bool {
        self.config.storage == Storage::File && self.index.keep_ahead()
    }

    /// As `encode_checkpoint`, without the message ids, of which there may be too many for one turn: they belong between
    /// what this appends to `out` and the pieces that it gives.
    pub fn encode_around_ids(&mut self, out: &mut Vec<u8>) -> (KeptIds, VecDeque<Vec<u8>>) {
        out.put_u8(VERSION);
        out.put_u32(self.account.0);
        out.put_u64(self.created.0);
        let mut config = Vec::new();
        self.config.encode(&mut config);
        out.put_bytes(&config);
        if self.config.storage == Storage::Memory {
            return Default::default();
        }
        let committed = &self.committed;
        for number in [
            committed.first_seq,
            committed.last_seq,
            committed.last_time,
            committed.bytes,
            committed.ids_since,
            committed.expired_through,
        ] {
            out.put_u64(number);
        }
        out.put_bytes(&committed.last_msg_id);
        out.put_varint(self.ttls.as_ref().map_or(0, |ttls| ttls.len()) as u64);
        for (seq, expiry) in self.ttls.iter().flat_map(|ttls| ttls.iter()) {
            out.put_u64(seq);
            out.put_u64(expiry);
        }
        let ids = self.ids.as_ref().map(|ids| ids.keep(committed.ids_since, committed.last_seq));
        let ids = ids.unwrap_or_default();
        out.put_varint(ids.left() as u64);
        (ids, self.index.encode())
    }

    /// What `encode_checkpoint` wrote. Nothing is in flight.
    pub fn decode_checkpoint(bytes: &[u8]) -> Result<Stream, Malformed> {
        let mut reader = Reader::new(bytes);
        if !VERSIONS_READ.contains(&reader.u8()?) {
            return Err(Malformed);
        }
        let (account, created) = (AccountId(reader.u32()?), WallTime(reader.u64()?));
        let config = StreamConfig::decode(reader.bytes()?)?.into_shared();
        let mut stream = Stream::new(account, config, created);
        if stream.config.storage == Storage::Memory {
            reader.finish()?;
            return Ok(stream);
        }
        stream.committed = Committed {
            first_seq: reader.u64()?,
            last_seq: reader.u64()?,
            last_time: reader.u64()?,
            bytes: reader.u64()?,
            ids_since: reader.u64()?,
            expired_through: reader.u64()?,
            last_msg_id: reader.bytes()?.to_vec(),
        };
        for _ in 0..reader.varint()? {
            let (seq, expiry) = (reader.u64()?, reader.u64()?);
            stream.ttls.get_or_insert_default().insert_at(seq, expiry);
        }
        let window = stream.duplicate_window();
        for _ in 0..reader.varint()? {
            let id = MsgId::from_parts(reader.u64()?, reader.u64()?);
            let seen = Seen { id, seq: reader.u64()?, time: reader.u64()? };
            let ids = stream.ids.get_or_insert_default();
            if seen.seq <= ids.last_seq() || ids.is_full() {
                return Err(Malformed);
            }
            ids.insert(seen, window);
        }
        stream.index = Index::decode(&mut reader)?;
        reader.finish()?;
        if !stream.counters_agree() {
            return Err(Malformed);
        }
        stream.drop_in_flight();
        Ok(stream)
    }

    /// Of the committed state: equal on all replicas at one index, and after every recovery. Places are not part of it.
    pub fn state_hash(&self) -> u64 {
        let mut hasher = FixedState.build_hasher();
        let mut config = Vec::new();
        self.config.encode(&mut config);
        hasher.write(&config);
        let Committed { first_seq, last_seq, last_time, bytes, ids_since, expired_through, .. } =
            self.committed;
        let created = self.created.0;
        for number in [created, first_seq, last_seq, last_time, bytes, ids_since, expired_through] {
            hasher.write_u64(number);
        }
        hasher.write(&self.committed.last_msg_id);
        for seen in self.committed_ids() {
            let (low, high) = seen.id.parts();
            [low, high, seen.seq, seen.time].into_iter().for_each(|number| hasher.write_u64(number));
        }
        for (seq, expiry) in self.ttls.iter().flat_map(|ttls| ttls.iter()) {
            hasher.write_u64(seq);
            hasher.write_u64(expiry);
        }
        self.index.for_each(&mut |message| {
            hasher.write_u64(message.seq.0);
            hasher.write_u64(message.time.0);
            hasher.write_u32(message.shape.bits());
            hasher.write(self.index.name(message.subject));
        });
        hasher.finish()
    }

    fn committed_ids(&self) -> impl Iterator<Item = Seen> + '_ {
        self.ids.iter().flat_map(|ids| ids.iter(self.committed.ids_since, self.committed.last_seq))
    }

    /// Whether the counters could be those of the messages in the index.
    fn counters_agree(&self) -> bool {
        let Committed { first_seq, last_seq, bytes, .. } = self.committed;
        let Some(end) = last_seq.checked_add(1) else { return false };
        let first = self.index.at_or_above(0);
        let last = self.index.at_or_below(u64::MAX).unwrap_or(0);
        let sum = self.index.accounted(self.config.storage);
        let empty = self.index.count() == 0;
        let starts = if empty { first_seq == end || first_seq == 0 } else { first == Some(first_seq) };
        starts && last <= last_seq && sum == bytes && self.last_seq_with_id() <= last_seq
    }
}
