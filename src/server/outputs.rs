//! The server as the world of this core's shards.

use super::Server;
use crate::routing::mail::{CoreMail, Message};
use shards::core_server::ShardInput;
use shards::ids::{AccountId, CoreId, ShardId};
use shards::lanes::CoreMessage;
use shards::shard::ShardMessage;
use shards::shard::answer::{Answer, PubAcks, TableChange};
use shards::shard::outputs::{Advisory, Delivery, Interest, Outputs, Subscribers};
use shards::shard::request::ReplyTo;

impl Subscribers for Server {
    fn interest(&self, account: AccountId, subject: &[u8]) -> Interest {
        let mut full = false;
        let mut look = |core| full |= !self.peers.has_room(core);
        let somebody = match self.interest.cached(account, subject) {
            Some(route) => {
                route.remote_cores().for_each(look);
                route.has_receivers()
            }
            None => self.interest.visit_cores(account, subject, &mut look),
        };
        if full {
            self.refused.set(true);
        }
        match (somebody, full) {
            (false, _) => Interest::None,
            (true, false) => Interest::Ready,
            (true, true) => Interest::Full,
        }
    }

    fn bound(&self, account: AccountId, subject: &[u8], queue: &[u8]) -> bool {
        self.interest.is_bound(account, subject, queue)
    }

    fn deliver(&mut self, delivery: Delivery<'_>) -> Interest {
        let Delivery { account, to, subject, reply, headers, payload } = delivery;
        let index = self.interest.route(account, to);
        let is_near = self.interest.get(account, index).remote_cores().next().is_none();
        match self.send_on(index, &Message { account, to, subject, reply, headers, payload }) {
            false => Interest::None,
            // Only the way to another core can be full.
            true if is_near => Interest::Ready,
            true => self.interest(account, to),
        }
    }

    fn hears_events(&self, account: AccountId) -> bool {
        self.interest.hears_events(account)
    }

    fn advise(&mut self, account: AccountId, advisory: Advisory) {
        self.publish_advisory(account, &advisory);
    }
}

impl Outputs for Server {
    fn pub_acks(&mut self, core: CoreId, acks: &mut PubAcks) {
        if core == self.topology.core {
            self.publish_pub_acks(acks);
        } else {
            self.reply(core, CoreMessage::PubAcks(std::mem::take(acks)));
        }
    }

    fn answer(&mut self, to: &ReplyTo, answer: Answer) {
        if to.origin.core == self.topology.core {
            self.publish_answer(to, answer);
        } else {
            self.reply(to.origin.core, CoreMessage::Answer(to.clone(), Box::new(answer)));
        }
    }

    fn send(&mut self, shard: ShardId, message: ShardMessage) {
        let home = self.inputs.home(shard);
        if home == self.topology.core {
            self.inputs.push(shard, ShardInput::Message(message));
        } else {
            self.reply(home, CoreMessage::Shard(shard, message));
        }
    }

    fn table(&mut self, change: TableChange) {
        for core in self.peers.others() {
            self.reply(core, CoreMessage::Table(change.clone()));
        }
        self.apply_table(change);
    }
}

impl Server {
    /// Applies a change to this core's copy of the table of streams, and confirms it to the catalog: from now on whatever is
    /// published here is captured.
    pub(super) fn apply_table(&mut self, change: TableChange) {
        let revision = change.revision;
        self.interest.apply_table(change);
        self.send(CATALOG, ShardMessage::TableConfirmed { core: self.topology.core, revision });
    }

    /// Queues something urgent for the replies lane.
    pub(super) fn reply(&mut self, core: CoreId, message: CoreMessage<Box<CoreMail>>) {
        self.replies[usize::from(core.0)].push_back(message);
        self.wakes[usize::from(core.0)].urgent = true;
    }
}

/// The shard that holds the catalog.
const CATALOG: ShardId = ShardId(0);
