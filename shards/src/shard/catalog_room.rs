//! The limits of the whole server on storage: what streams reserve of them, and who stores how much.

use super::ShardMessage;
use super::catalog_steps::{CatalogSteps, Operation};
use super::outputs::Outputs;
use super::room::Stored;
use crate::ids::ShardId;
use crate::rejection::Rejection;
use crate::stream::config::Storage;

impl CatalogSteps {
    /// Whether the server's limit holds so many bytes more than what its streams reserve already.
    pub(super) fn check_reservation(&self, storage: Storage, more: u64) -> Result<(), Rejection> {
        let (max, rejection) = match storage {
            Storage::Memory => (self.limits.memory_max, Rejection::MemoryResourcesExceeded),
            Storage::File => (self.limits.file_max, Rejection::StorageResourcesExceeded),
        };
        let left = max.checked_sub(self.reserved(storage));
        if left.is_some_and(|left| more <= left) { Ok(()) } else { Err(rejection) }
    }

    /// What all streams of this storage reserve, with updates that are under way.
    fn reserved(&self, storage: Storage) -> u64 {
        let streams = self.catalog.streams().filter(|stream| stream.config.storage == storage);
        let reserved = streams.map(|stream| match self.operations.get(&stream.group) {
            Some(Operation::Update { config, .. }) => {
                config.reserved_bytes().max(stream.config.reserved_bytes())
            }
            _ => stream.config.reserved_bytes(),
        });
        reserved.fold(0, u64::saturating_add)
    }

    /// A shard stores more than the others believe.
    pub(super) fn tell_stored(&mut self, shard: ShardId, stored: Stored, out: &mut impl Outputs) {
        self.stored.handle_news(shard, stored);
        for other in (0..self.shards).map(ShardId).filter(|other| *other != shard) {
            out.send(other, ShardMessage::StoredElsewhere(self.stored.elsewhere(other)));
        }
    }
}
