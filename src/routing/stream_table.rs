//! The streams of all accounts, a copy per core.

use shards::ids::{AccountId, GroupId, Revision, ShardId};
use shards::shard::answer::{StreamChange, TableChange};
use shards::stream::config::{ByName, StreamConfig};
use shards::time::WallTime;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A stream as every core knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEntry {
    pub group: GroupId,
    pub shard: ShardId,
    pub created: WallTime,
    pub config: Arc<StreamConfig>,
}

/// One copy per core. A change with an older revision than the last one applied loses.
#[derive(Debug, Default)]
pub struct StreamTable {
    revision: Revision,
    accounts: BTreeMap<AccountId, BTreeMap<ByName, StreamEntry>>,
}

impl StreamTable {
    /// The last change that is in this copy.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The stream of this name.
    pub fn by_name(&self, account: AccountId, name: &str) -> Option<&StreamEntry> {
        self.accounts.get(&account)?.get(name)
    }

    /// All streams of an account, ascending by name.
    pub fn streams(&self, account: AccountId) -> impl Iterator<Item = (&str, &StreamEntry)> {
        self.accounts
            .get(&account)
            .into_iter()
            .flatten()
            .map(|(ByName(config), entry)| (config.name.as_str(), entry))
    }

    /// Applies a change; false if it is not newer than what is here.
    pub fn apply(&mut self, change: TableChange) -> bool {
        if change.revision <= self.revision {
            return false;
        }
        self.revision = change.revision;
        let streams = self.accounts.entry(change.account).or_default();
        // The key is part of the configuration, which may be another one now.
        streams.remove(change.stream());
        if let StreamChange::Put { shard, created, config } = change.change {
            let key = ByName(config.clone());
            streams.insert(key, StreamEntry { group: change.group, shard, created, config });
        }
        true
    }
}
