//! The state of the catalog.

use super::change::CatalogChange;
use crate::encoding::{Malformed, Reader, Write};
use crate::ids::{AccountId, GroupId, ShardId};
use crate::stream::config::{ByName, StreamConfig};
use crate::subject;
use crate::time::WallTime;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How far a stream's creation or deletion has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Admitted; its entry is on the way to the disk.
    Proposed,
    /// Its entry is committed.
    Live,
    /// Its tombstone is on the way to the disk.
    Leaving,
}

/// A stream in the catalog.
#[derive(Clone, Debug)]
pub struct StreamRecord {
    pub account: AccountId,
    pub group: GroupId,
    pub shard: ShardId,
    pub created: WallTime,
    pub config: Arc<StreamConfig>,
    pub phase: Phase,
}

/// Every stream of every account. Lives on: shard 0's core.
#[derive(Debug, Default)]
pub struct Catalog {
    streams: BTreeMap<GroupId, StreamRecord>,
    names: BTreeMap<AccountId, BTreeMap<ByName, GroupId>>,
    /// Deleted here, perhaps not yet on the home shard.
    tombstones: BTreeMap<GroupId, ShardId>,
    /// Streams per shard, for placement.
    load: BTreeMap<ShardId, usize>,
    founded: bool,
}

impl Catalog {
    /// Whether the first entry of a catalog has been applied.
    pub fn is_founded(&self) -> bool {
        self.founded
    }

    /// The stream of this name, in any phase.
    pub fn by_name(&self, account: AccountId, name: &str) -> Option<&StreamRecord> {
        self.streams.get(self.names.get(&account)?.get(name)?)
    }

    /// The stream of this group.
    pub fn by_group(&self, group: GroupId) -> Option<&StreamRecord> {
        self.streams.get(&group)
    }

    /// All streams, by group.
    pub fn streams(&self) -> impl Iterator<Item = &StreamRecord> {
        self.streams.values()
    }

    /// Deleted groups whose shard has not confirmed yet.
    pub fn tombstones(&self) -> impl Iterator<Item = (GroupId, ShardId)> {
        self.tombstones.iter().map(|(&group, &shard)| (group, shard))
    }

    /// The shard of a deleted group that has not confirmed yet.
    pub fn tombstone(&self, group: GroupId) -> Option<ShardId> {
        self.tombstones.get(&group).copied()
    }

    /// Whether a stream of the account other than `except` captures a subject that one of `subjects` captures too.
    pub fn overlaps(&self, account: AccountId, subjects: &[String], except: Option<GroupId>) -> bool {
        let mut others = self.streams.values().filter(|s| s.account == account && Some(s.group) != except);
        others.any(|s| {
            s.config
                .subjects
                .iter()
                .any(|have| subjects.iter().any(|new| subject::collide(have.as_bytes(), new.as_bytes())))
        })
    }

    /// The shard with the fewest streams among the first `shards`, the lowest number first; one to be avoided only if all
    /// are.
    pub fn place(&self, shards: u16, avoided: &BTreeSet<ShardId>) -> ShardId {
        let load = |shard: &ShardId| self.load.get(shard).copied().unwrap_or(0);
        (0..shards)
            .map(ShardId)
            .min_by_key(|shard| (avoided.contains(shard), load(shard)))
            .unwrap_or_default()
    }

    /// Puts an admitted stream in, so that its name and subjects are taken while its entry is under way.
    pub fn propose(&mut self, record: StreamRecord) {
        self.insert(StreamRecord { phase: Phase::Proposed, ..record });
    }

    /// Takes out a stream whose entry did not come to be.
    pub fn withdraw(&mut self, group: GroupId) {
        if self.streams.get(&group).is_some_and(|stream| stream.phase == Phase::Proposed) {
            self.remove(group);
        }
    }

    /// Unmarks a stream whose tombstone did not come to be.
    pub fn staying(&mut self, group: GroupId) {
        if let Some(stream) = self.streams.get_mut(&group) {
            stream.phase = Phase::Live;
        }
    }

    /// Marks a stream whose tombstone is under way.
    pub fn leaving(&mut self, group: GroupId) {
        if let Some(stream) = self.streams.get_mut(&group) {
            stream.phase = Phase::Leaving;
        }
    }

    /// Applies a committed change.
    pub fn apply(&mut self, change: CatalogChange) {
        match change {
            CatalogChange::Founded => self.founded = true,
            CatalogChange::Put { account, group, shard, created, config } => {
                self.insert(StreamRecord { account, group, shard, created, config, phase: Phase::Live });
            }
            CatalogChange::Remove { group } => {
                if let Some(shard) = self.remove(group) {
                    self.tombstones.insert(group, shard);
                }
            }
            CatalogChange::Forget { group } => {
                self.tombstones.remove(&group);
            }
        }
    }

    /// Appends the committed state. Streams that are only proposed are left out: their entries come behind.
    pub fn encode_checkpoint(&self, out: &mut Vec<u8>) {
        out.put_bool(self.founded);
        let committed: Vec<_> = self.streams.values().filter(|s| s.phase != Phase::Proposed).collect();
        out.put_varint(committed.len() as u64);
        for s in committed {
            out.put_u32(s.account.0);
            out.put_u64(s.group.0);
            out.put_u16(s.shard.0);
            out.put_u64(s.created.0);
            let mut config = Vec::new();
            s.config.encode(&mut config);
            out.put_bytes(&config);
        }
        out.put_varint(self.tombstones.len() as u64);
        for (group, shard) in &self.tombstones {
            out.put_u64(group.0);
            out.put_u16(shard.0);
        }
    }

    /// Reads what `encode_checkpoint` wrote.
    pub fn decode_checkpoint(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let mut catalog = Catalog { founded: r.bool()?, ..Catalog::default() };
        for _ in 0..r.varint()? {
            catalog.insert(StreamRecord {
                account: AccountId(r.u32()?),
                group: GroupId(r.u64()?),
                shard: ShardId(r.u16()?),
                created: WallTime(r.u64()?),
                config: StreamConfig::decode(r.bytes()?)?.into_shared(),
                phase: Phase::Live,
            });
        }
        for _ in 0..r.varint()? {
            catalog.tombstones.insert(GroupId(r.u64()?), ShardId(r.u16()?));
        }
        r.finish()?;
        Ok(catalog)
    }

    /// Checks the maps against each other.
    pub fn check(&self) {
        let names = || self.names.values().flatten();
        assert_eq!(names().count(), self.streams.len());
        assert_eq!(self.load.values().sum::<usize>(), self.streams.len());
        let groups: BTreeSet<_> = names().map(|(_, group)| group).collect();
        assert_eq!(groups.len(), self.streams.len());
    }

    /// Puts a stream in, in place of what its group was before. Another stream of its name must have been deleted before,
    /// by a change that lay in a damaged range: it gets its tombstone now.
    fn insert(&mut self, record: StreamRecord) {
        let older = self.by_name(record.account, &record.config.name).map(|stream| stream.group);
        if let Some(older) = older.filter(|&group| group != record.group)
            && let Some(shard) = self.remove(older)
        {
            self.tombstones.insert(older, shard);
        }
        self.remove(record.group);
        *self.load.entry(record.shard).or_default() += 1;
        let names = self.names.entry(record.account).or_default();
        names.insert(ByName(record.config.clone()), record.group);
        self.streams.insert(record.group, record);
    }

    fn remove(&mut self, group: GroupId) -> Option<ShardId> {
        let record = self.streams.remove(&group)?;
        if let Some(names) = self.names.get_mut(&record.account) {
            names.remove(record.config.name.as_str());
        }
        let load = self.load.entry(record.shard).or_default();
        *load = load.saturating_sub(1);
        Some(record.shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(group: u64, shard: u16, name: &str, subject: &str) -> CatalogChange {
        CatalogChange::Put {
            account: AccountId::GLOBAL,
            group: GroupId(group),
            shard: ShardId(shard),
            created: WallTime(7),
            config: Arc::new(StreamConfig {
                name: name.to_owned(),
                subjects: vec![subject.to_owned()],
                ..StreamConfig::default()
            }),
        }
    }

    #[test]
    fn a_deleted_stream_leaves_its_name_and_keeps_a_tombstone_until_its_shard_confirms() {
        let mut catalog = Catalog::default();
        catalog.apply(CatalogChange::Founded);
        catalog.apply(put(2, 1, "ORDERS", "orders.>"));
        assert!(catalog.overlaps(AccountId::GLOBAL, &["orders.*".to_owned()], None));
        assert!(!catalog.overlaps(AccountId::GLOBAL, &["orders.*".to_owned()], Some(GroupId(2))));
        catalog.apply(CatalogChange::Remove { group: GroupId(2) });
        catalog.check();
        assert!(catalog.by_name(AccountId::GLOBAL, "ORDERS").is_none());
        assert_eq!(catalog.tombstones().collect::<Vec<_>>(), [(GroupId(2), ShardId(1))]);
        catalog.apply(CatalogChange::Forget { group: GroupId(2) });
        assert_eq!(catalog.tombstones().count(), 0);
    }

    #[test]
    fn a_stream_whose_deletion_was_lost_makes_room_for_the_next_of_its_name() {
        let mut catalog = Catalog::default();
        catalog.apply(put(2, 1, "ORDERS", "a"));
        catalog.apply(put(3, 0, "ORDERS", "b"));
        catalog.check();
        assert_eq!(catalog.by_name(AccountId::GLOBAL, "ORDERS").map(|s| s.group), Some(GroupId(3)));
        assert_eq!(catalog.tombstones().collect::<Vec<_>>(), [(GroupId(2), ShardId(1))]);
    }

    #[test]
    fn a_new_stream_goes_to_the_shard_with_the_fewest() {
        let mut catalog = Catalog::default();
        let mut avoided = BTreeSet::new();
        assert_eq!(catalog.place(2, &avoided), ShardId(0));
        catalog.apply(put(2, 0, "A", "a"));
        assert_eq!(catalog.place(2, &avoided), ShardId(1));
        catalog.apply(put(3, 1, "B", "b"));
        assert_eq!(catalog.place(2, &avoided), ShardId(0));
        avoided.insert(ShardId(0));
        assert_eq!(catalog.place(2, &avoided), ShardId(1));
        avoided.insert(ShardId(1));
        assert_eq!(catalog.place(2, &avoided), ShardId(0));
    }

    #[test]
    fn what_did_not_come_to_be_is_as_if_nobody_had_asked() {
        let mut catalog = Catalog::default();
        catalog.apply(put(2, 1, "A", "a"));
        catalog.leaving(GroupId(2));
        catalog.staying(GroupId(2));
        catalog.withdraw(GroupId(2));
        assert_eq!(catalog.by_group(GroupId(2)).map(|s| s.phase), Some(Phase::Live));
        catalog.propose(StreamRecord {
            group: GroupId(3),
            config: Arc::default(),
            ..catalog.streams[&GroupId(2)].clone()
        });
        catalog.withdraw(GroupId(3));
        catalog.check();
        assert!(catalog.by_group(GroupId(3)).is_none());
    }

    #[test]
    fn a_checkpoint_holds_what_is_committed_and_nothing_else() {
        let mut catalog = Catalog::default();
        catalog.apply(CatalogChange::Founded);
        catalog.apply(put(2, 0, "A", "a"));
        catalog.propose(StreamRecord {
            account: AccountId::GLOBAL,
            group: GroupId(3),
            shard: ShardId(0),
            created: WallTime(8),
            config: Arc::new(StreamConfig { name: "B".to_owned(), ..StreamConfig::default() }),
            phase: Phase::Proposed,
        });
        let mut bytes = Vec::new();
        catalog.encode_checkpoint(&mut bytes);
        let again = Catalog::decode_checkpoint(&bytes).expect("just written");
        again.check();
        assert!(again.is_founded());
        assert!(again.by_name(AccountId::GLOBAL, "A").is_some());
        assert!(again.by_name(AccountId::GLOBAL, "B").is_none());
    }
}
