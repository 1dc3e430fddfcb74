//! The server as the turn of its core sees it.

use super::Server;
use crate::limits::{LENT_BYTES_MAX, LENT_ITEMS_MAX};
use crate::routing::mail::CoreMail;
use shards::core_server::{CoreServer, ShardInput};
use shards::ids::{CoreId, ShardId};
use shards::lanes::{CoreMessage, Lane};
use shards::shard::request::Batch;
use shards::time::{Instant, Now};

/// Whether another core should look at its lanes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wake {
    /// Something was queued for it that must not wait.
    pub urgent: bool,
    /// Credit on its way home that it does not know of.
    items: u64,
    bytes: u64,
}

impl CoreServer for Server {
    type Mail = Box<CoreMail>;

    fn begin_turn(&mut self, now: Now) {
        self.now = now;
        self.inputs.note_time(now.monotonic);
        self.reports.note_flushed(now.monotonic);
    }

    fn handle_message(&mut self, from: CoreId, message: CoreMessage<Box<CoreMail>>) {
        self.reports.note_arrival();
        match message {
            CoreMessage::Batch(shard, batch) => self.inputs.push(shard, ShardInput::Batch(batch)),
            CoreMessage::Request(shard, to, request) => {
                self.inputs.push(shard, ShardInput::Request(to, request))
            }
            CoreMessage::PubAcks(acks) => {
                self.publish_pub_acks(&acks);
                self.inputs.keep_acks(acks);
            }
            CoreMessage::Answer(to, answer) => self.publish_answer(&to, *answer),
            CoreMessage::BatchDone(batch) => self.inputs.take_back(from, batch),
            CoreMessage::Shard(shard, message) => self.inputs.push(shard, ShardInput::Message(message)),
            CoreMessage::Table(change) => self.apply_table(change),
            CoreMessage::Server(mail) => {
                self.handle_mail(from, mail);
                self.release_pongs();
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        while let Some(key) = self.clients.poll_due(now.monotonic) {
            if let Some(connected) = self.clients.get_mut(key) {
                connected.client.handle_timeout(now);
                self.clients.note(key);
            }
        }
        self.settle();
        while let Some(key) = self.waits.poll_stalled(now.monotonic) {
            if let Some(connected) = self.clients.get_mut(key) {
                connected.paused = false;
                self.waits.resume(key);
            }
        }
        while let Some((to, response)) = self.api.handle_timeout(now) {
            self.publish_own(to.account, &to.reply, &response.headers, &response.payload);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.clients.poll_timeout(), self.waits.poll_timeout(), self.api.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn poll_shard_input(&mut self) -> Option<(ShardId, ShardInput)> {
        self.tell_subscribers_changed();
        self.inputs.poll_own()
    }

    fn has_shard_input(&self) -> bool {
        self.inputs.has_own()
    }

    fn return_batch(&mut self, batch: Box<Batch>) {
        let core = batch.origin;
        if core == self.topology.core {
            self.inputs.take_back(core, batch);
            return;
        }
        let wake = &mut self.wakes[usize::from(core.0)];
        wake.items += batch.credit_items;
        wake.bytes += batch.credit_bytes;
        wake.urgent |= wake.items >= RETURN_ITEMS_MAX || wake.bytes >= RETURN_BYTES_MAX;
        self.replies[usize::from(core.0)].push_back(CoreMessage::BatchDone(batch));
    }

    fn end_turn(&mut self) {
        self.reports.note_turn_end();
        self.settle();
        self.release_pongs();
    }

    fn poll_lane(&mut self, to: CoreId, lane: Lane) -> Option<CoreMessage<Box<CoreMail>>> {
        match lane {
            Lane::Requests => {
                let (shard, input) = self.inputs.poll_home(to)?;
                self.wakes[usize::from(to.0)].urgent = true;
                Some(match input {
                    ShardInput::Batch(batch) => CoreMessage::Batch(shard, batch),
                    ShardInput::Request(reply_to, request) => CoreMessage::Request(shard, reply_to, request),
                    ShardInput::Message(message) => CoreMessage::Shard(shard, message),
                    ShardInput::SubscribersChanged => unreachable!("only shards of this core are told"),
                })
            }
            Lane::Replies => self.replies[usize::from(to.0)].pop_front(),
            Lane::Messages => self.peers.poll_mail(to).map(CoreMessage::Server),
        }
    }

    fn wants_wake(&mut self, to: CoreId) -> bool {
        let wake = &mut self.wakes[usize::from(to.0)];
        let wanted = wake.urgent | self.peers.take_wake(to);
        if wanted {
            *wake = Wake::default();
        }
        wanted
    }
}

impl Server {
    /// Tells this core's shards that there are other subscribers, or room again where there was none.
    fn tell_subscribers_changed(&mut self) {
        let room = self.refused.get() && self.peers.others().all(|core| self.peers.has_room(core));
        if room {
            self.refused.set(false);
        }
        if self.interest.take_changed() || room {
            self.inputs.push_subscribers_changed();
        }
    }
}

/// Credit that may stay unknown to its owner while it sleeps: a quarter of all there is.
const RETURN_ITEMS_MAX: u64 = LENT_ITEMS_MAX / 4;
const RETURN_BYTES_MAX: u64 = LENT_BYTES_MAX / 4;
