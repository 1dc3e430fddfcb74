//! Rings and disks as the turn sees them.

use super::Message;
use shards::core::World;
use shards::ids::{CoreId, ShardId};
use shards::lanes::Lane;
use shards::log::disk_op::{DiskDone, DiskOp};
use shards::reactor::Surroundings;

/// What surrounds a core, as a `World`.
pub struct AsWorld<'a>(pub &'a mut Surroundings<Message>);

impl World<Box<crate::routing::mail::CoreMail>> for AsWorld<'_> {
    fn receive(&mut self) -> Option<(CoreId, Message)> {
        self.0.mailbox.receive()
    }

    fn has_room(&mut self, to: CoreId, lane: Lane) -> bool {
        self.0.mailbox.has_room(to, lane)
    }

    fn send(&mut self, to: CoreId, lane: Lane, message: Message) {
        self.0.mailbox.send(to, lane, message);
    }

    fn wake(&mut self, to: CoreId) {
        self.0.mailbox.wake(to);
    }

    fn submit(&mut self, shard: ShardId, op: DiskOp) {
        self.0.disks.submit(shard, op);
    }

    fn completion(&mut self) -> Option<(ShardId, DiskDone)> {
        self.0.disks.completion()
    }
}
