//! The streams of all accounts, a copy per core.

use shards::ids::{AccountId, GroupId, Revision, ShardId};
use shards::shard::answer::{StreamChange, TableChange};
use shards::time::WallTime;
use std::collections::BTreeMap;

/// A stream as every core knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEntry {
    pub group: GroupId,
    pub shard: ShardId,
    pub subjects: Vec<String>,
    pub no_ack: bool,
    pub allow_direct: bool,
    pub created: WallTime,
}

/// One copy per core. A change with an older revision than the last one applied loses.
#[derive(Debug, Default)]
pub struct StreamTable {
    revision: Revision,
    accounts: BTreeMap<AccountId, BTreeMap<String, StreamEntry>>,
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
        self.accounts.get(&account).into_iter().flatten().map(|(name, entry)| (name.as_str(), entry))
    }

    /// Applies a change; false if it is not newer than what is here.
    pub fn apply(&mut self, change: TableChange) -> bool {
        if change.revision <= self.revision {
            return false;
        }
        self.revision = change.revision;
        let streams = self.accounts.entry(change.account).or_default();
        match change.change {
            StreamChange::Put { shard, subjects, no_ack, allow_direct, created } => {
                let entry =
                    StreamEntry { group: change.group, shard, subjects, no_ack, allow_direct, created };
                streams.insert(change.stream, entry);
            }
            StreamChange::Removed => {
                streams.remove(&change.stream);
            }
        }
        true
    }
}
