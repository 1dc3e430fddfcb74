//! After a start: what each shard holds, against what the catalog knows. The catalog's word counts.

use super::ShardMessage;
use super::catalog_steps::{CatalogSteps, Operation};
use super::outputs::Outputs;
use crate::ids::{GroupId, ShardId};
use crate::meta::StreamRecord;
use std::collections::BTreeSet;

impl CatalogSteps {
    /// Groups that the catalog knows and the shard does not are created; a crash may have come between the catalog's
    /// entry and the group's own. Those that both know get the catalog's configuration, those with a tombstone are deleted.
    /// Unknown ones are set aside: nothing is deleted by inference.
    pub(super) fn groups_here(&mut self, shard: ShardId, groups: &[GroupId], out: &mut impl Outputs) {
        if !self.silent_shards.remove(&shard) {
            return;
        }
        let mut unknown: BTreeSet<GroupId> = groups.iter().copied().collect();
        let mine: Vec<StreamRecord> = self.catalog.streams().filter(|s| s.shard == shard).cloned().collect();
        for StreamRecord { account, group, created, config, .. } in mine {
            let is_here = unknown.remove(&group);
            self.operations.insert(group, Operation::Restore { is_here });
            let message = match is_here {
                true => ShardMessage::UpdateGroup { group, config },
                false => ShardMessage::CreateGroup { group, account, config, created },
            };
            out.send(shard, message);
        }
        let dead: Vec<GroupId> = self.catalog.tombstones().filter(|t| t.1 == shard).map(|t| t.0).collect();
        for group in dead {
            unknown.remove(&group);
            out.send(shard, ShardMessage::DeleteGroup { group });
        }
        if !unknown.is_empty() {
            out.send(shard, ShardMessage::SetAside { groups: unknown.into_iter().collect() });
        }
    }
}
