//! The changes of a stream's group: their kinds, and the stream's own as bytes.
//! May import: ids, time, encoding.
//! Must not know: records and configurations, which are byte strings here; the bodies of consumers' changes.
//!
//! Everything that depends on a clock or on uncommitted state was decided at admission, so that applying a change gives
//! the same state on every replica and in every recovery. The layouts are in docs/formats.md, section "Changes".

use crate::encoding::{Malformed, Reader, Write};
use crate::ids::{AccountId, StreamSeq};
use crate::time::WallTime;

/// What a change is. The number is part of the format; an unknown one stops its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ChangeKind {
    GroupCreate = 1,
    ConfigUpdate = 2,
    GroupDelete = 3,
    Publish = 4,
    Delete = 5,
    Purge = 6,
    ExpireThrough = 7,
    ExpireList = 8,
    ConsumerCreate = 16,
    ConsumerUpdate = 17,
    ConsumerDelete = 18,
    ConsumerProgress = 19,
}

impl TryFrom<u8> for ChangeKind {
    type Error = Malformed;

    fn try_from(kind: u8) -> Result<Self, Malformed> {
        Ok(match kind {
            1 => ChangeKind::GroupCreate,
            2 => ChangeKind::ConfigUpdate,
            3 => ChangeKind::GroupDelete,
            4 => ChangeKind::Publish,
            5 => ChangeKind::Delete,
            6 => ChangeKind::Purge,
            7 => ChangeKind::ExpireThrough,
            8 => ChangeKind::ExpireList,
            16 => ChangeKind::ConsumerCreate,
            17 => ChangeKind::ConsumerUpdate,
            18 => ChangeKind::ConsumerDelete,
            19 => ChangeKind::ConsumerProgress,
            _ => return Err(Malformed),
        })
    }
}

/// One change of the stream, as slices of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The group's first change. `config` is an encoded `StreamConfig`.
    GroupCreate { account: AccountId, created: WallTime, config: &'a [u8] },
    /// `config` is an encoded `StreamConfig`.
    ConfigUpdate { config: &'a [u8] },
    /// The tombstone: the group has ended, its number is never used again.
    GroupDelete,
    /// An encoded `Record`.
    Publish { record: &'a [u8] },
    /// A message goes. `erase`: its bytes are to be overwritten.
    Delete { seq: StreamSeq, erase: bool },
    /// Messages below `below` that match `filter` (empty: every subject) go. Without a filter the stream continues at
    /// `below` if that is further on.
    Purge { below: StreamSeq, filter: &'a [u8] },
    /// Messages up to and including this one are too old, except those that never expire.
    ExpireThrough { seq: StreamSeq },
    /// Messages whose own time to live has ended.
    ExpireList(SeqList<'a>),
}

/// Ascending sequences in the bytes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeqList<'a> {
    /// Varint differences, the first to 0.
    bytes: &'a [u8],
}

impl<'a> SeqList<'a> {
    /// In ascending order.
    pub fn iter(self) -> impl Iterator<Item = StreamSeq> + 'a {
        let mut reader = Reader::new(self.bytes);
        let mut seq = 0u64;
        std::iter::from_fn(move || {
            seq = seq.checked_add(reader.varint().ok()?)?;
            Some(StreamSeq(seq))
        })
    }

    fn check(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut seq = 0u64;
        while reader.remaining() > 0 {
            let step = reader.varint()?;
            if step == 0 {
                return Err(Malformed);
            }
            seq = seq.checked_add(step).ok_or(Malformed)?;
        }
        Ok(SeqList { bytes })
    }
}

/// Writes the body of an `ExpireList`. `seqs` ascends strictly from 1.
pub fn encode_seq_list(seqs: impl IntoIterator<Item = StreamSeq>, out: &mut Vec<u8>) {
    let mut previous = 0;
    for seq in seqs {
        assert!(seq.0 > previous, "sequences ascend");
        out.put_varint(seq.0 - previous);
        previous = seq.0;
    }
}

impl<'a> Change<'a> {
    pub fn kind(&self) -> ChangeKind {
        match self {
            Change::GroupCreate { .. } => ChangeKind::GroupCreate,
            Change::ConfigUpdate { .. } => ChangeKind::ConfigUpdate,
            Change::GroupDelete => ChangeKind::GroupDelete,
            Change::Publish { .. } => ChangeKind::Publish,
            Change::Delete { .. } => ChangeKind::Delete,
            Change::Purge { .. } => ChangeKind::Purge,
            Change::ExpireThrough { .. } => ChangeKind::ExpireThrough,
            Change::ExpireList(_) => ChangeKind::ExpireList,
        }
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Change::GroupCreate { account, created, config } => {
                out.put_u32(account.0);
                out.put_u64(created.0);
                out.extend_from_slice(config);
            }
            Change::ConfigUpdate { config } => out.extend_from_slice(config),
            Change::GroupDelete => {}
            Change::Publish { record } => out.extend_from_slice(record),
            Change::Delete { seq, erase } => {
                out.put_u64(seq.0);
                out.put_bool(erase);
            }
            Change::Purge { below, filter } => {
                out.put_u64(below.0);
                out.extend_from_slice(filter);
            }
            Change::ExpireThrough { seq } => out.put_u64(seq.0),
            Change::ExpireList(list) => out.extend_from_slice(list.bytes),
        }
    }

    /// Reads a body. Byte strings inside it are not looked at. Errors: also for a change of a consumer.
    pub fn decode(kind: ChangeKind, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let change = match kind {
            ChangeKind::GroupCreate => Change::GroupCreate {
                account: AccountId(reader.u32()?),
                created: WallTime(reader.u64()?),
                config: reader.take(reader.remaining())?,
            },
            ChangeKind::ConfigUpdate => Change::ConfigUpdate { config: reader.take(reader.remaining())? },
            ChangeKind::GroupDelete => Change::GroupDelete,
            ChangeKind::Publish => Change::Publish { record: reader.take(reader.remaining())? },
            ChangeKind::Delete => Change::Delete { seq: StreamSeq(reader.u64()?), erase: reader.bool()? },
            ChangeKind::Purge => {
                Change::Purge { below: StreamSeq(reader.u64()?), filter: reader.take(reader.remaining())? }
            }
            ChangeKind::ExpireThrough => Change::ExpireThrough { seq: StreamSeq(reader.u64()?) },
            ChangeKind::ExpireList => Change::ExpireList(SeqList::check(reader.take(reader.remaining())?)?),
            ChangeKind::ConsumerCreate
            | ChangeKind::ConsumerUpdate
            | ChangeKind::ConsumerDelete
            | ChangeKind::ConsumerProgress => return Err(Malformed),
        };
        reader.finish()?;
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_read_back_as_written() {
        let mut list = Vec::new();
        encode_seq_list([StreamSeq(3), StreamSeq(4), StreamSeq(900)], &mut list);
        let changes = [
            Change::GroupCreate { account: AccountId(2), created: WallTime(9), config: b"c" },
            Change::ConfigUpdate { config: b"config" },
            Change::GroupDelete,
            Change::Publish { record: b"record" },
            Change::Delete { seq: StreamSeq(5), erase: true },
            Change::Purge { below: StreamSeq(8), filter: b"a.*" },
            Change::ExpireThrough { seq: StreamSeq(4) },
            Change::ExpireList(SeqList { bytes: &list }),
        ];
        for change in changes {
            let mut body = Vec::new();
            change.encode(&mut body);
            let kind = ChangeKind::try_from(change.kind() as u8).unwrap();
            assert_eq!(Change::decode(kind, &body), Ok(change));
        }
        let seqs: Vec<u64> = SeqList { bytes: &list }.iter().map(|seq| seq.0).collect();
        assert_eq!(seqs, [3, 4, 900]);
    }

    #[test]
    fn random_bodies_never_panic() {
        let mut state = 7u64;
        for round in 0..20_000usize {
            let body: Vec<u8> = (0..round % 24)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 56) as u8
                })
                .collect();
            for kind in 0..=255u8 {
                let change = ChangeKind::try_from(kind).and_then(|kind| Change::decode(kind, &body));
                if let Ok(Change::ExpireList(list)) = change {
                    assert!(list.iter().count() <= body.len());
                }
            }
        }
    }
}
