//! The changes of the catalog's group, as bytes (docs/formats.md, "Catalog changes").

use crate::encoding::{Malformed, Reader, Write};
use crate::ids::{AccountId, GroupId, ShardId};
use crate::stream::config::StreamConfig;
use crate::time::WallTime;
use std::sync::Arc;

/// One change of the catalog. Applying it twice is the same as applying it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogChange {
    /// The first entry of every catalog: so no stream's group has the catalog's own number.
    Founded,
    /// A stream exists, with this configuration.
    Put { account: AccountId, group: GroupId, shard: ShardId, created: WallTime, config: Arc<StreamConfig> },
    /// The tombstone: the stream is deleted, its group may still have to be told.
    Remove { group: GroupId },
    /// The group is gone from its shard; the tombstone is not needed any more.
    Forget { group: GroupId },
}

/// Kind bytes of the catalog's changes; they share one space with those of a stream's group and never overlap.
pub const FOUNDED: u8 = 64;
/// See `CatalogChange::Put`.
pub const PUT: u8 = 65;
/// See `CatalogChange::Remove`.
pub const REMOVE: u8 = 66;
/// See `CatalogChange::Forget`.
pub const FORGET: u8 = 67;

impl CatalogChange {
    /// The kind byte in the entry's table.
    pub fn kind(&self) -> u8 {
        match self {
            CatalogChange::Founded => FOUNDED,
            CatalogChange::Put { .. } => PUT,
            CatalogChange::Remove { .. } => REMOVE,
            CatalogChange::Forget { .. } => FORGET,
        }
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            CatalogChange::Founded => {}
            CatalogChange::Put { account, group, shard, created, config } => {
                out.put_u32(account.0);
                out.put_u64(group.0);
                out.put_u16(shard.0);
                out.put_u64(created.0);
                let mut encoded = Vec::new();
                config.encode(&mut encoded);
                out.put_bytes(&encoded);
            }
            CatalogChange::Remove { group } | CatalogChange::Forget { group } => out.put_u64(group.0),
        }
    }

    /// Reads a body of this kind.
    pub fn decode(kind: u8, body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let change = match kind {
            FOUNDED => CatalogChange::Founded,
            PUT => CatalogChange::Put {
                account: AccountId(r.u32()?),
                group: GroupId(r.u64()?),
                shard: ShardId(r.u16()?),
                created: WallTime(r.u64()?),
                config: StreamConfig::decode(r.bytes()?)?.into_shared(),
            },
            REMOVE => CatalogChange::Remove { group: GroupId(r.u64()?) },
            FORGET => CatalogChange::Forget { group: GroupId(r.u64()?) },
            _ => return Err(Malformed),
        };
        r.finish()?;
        Ok(change)
    }
}
