//! One shard's engine as one machine: routes inputs to its groups, streams and consumers, gathers outputs.
//! May import: every lower tier.
//! Must not know: sockets, files, which core it runs on.

pub mod answer;
pub mod outputs;
pub mod request;

use crate::ids::{AccountId, CoreId, GroupId, Revision, ShardId};
use crate::rejection::Rejection;
use crate::stream::config::StreamConfig;
use crate::time::WallTime;
use answer::StreamInfo;

/// What shards (and, for confirmations, cores) tell each other about the catalog. Each is safe to repeat.
#[derive(Clone, Debug)]
pub enum ShardMessage {
    /// Catalog to home shard: start this stream's group. Answered by `GroupCreated`.
    CreateGroup { group: GroupId, account: AccountId, config: Box<StreamConfig>, created: WallTime },
    /// Home shard to catalog: the group's first entry is synced.
    GroupCreated { group: GroupId, info: Box<StreamInfo> },
    /// Catalog to home shard: the new configuration, checked against everything but the group's own state.
    UpdateGroup { group: GroupId, config: Box<StreamConfig> },
    /// Home shard to catalog: the update is synced, or refused.
    GroupUpdated { group: GroupId, result: Result<Box<StreamInfo>, Rejection> },
    /// Catalog to home shard: the tombstone is synced; end the group.
    DeleteGroup { group: GroupId },
    /// Home shard to catalog: the group's own tombstone is synced.
    GroupDeleted { group: GroupId },
    /// A core to the catalog: every change up to this one is in the core's copy of the stream table.
    TableConfirmed { core: CoreId, revision: Revision },
    /// A shard to the catalog after recovery: these groups are here.
    GroupsHere { shard: ShardId, groups: Vec<GroupId> },
}
