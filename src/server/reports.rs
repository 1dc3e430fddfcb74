//! Requests for this core's report: the figures of its clients, and of each of its shards once these have answered.

use super::{Server, Topology};
use crate::limits::REPORTS_MAX;
use crate::protocol::connect::NATS_VERSION;
use crate::report::{ClientStages, CoreReport, ServerName};
use crate::routing::mail::Message;
use crate::routing::route::RouteIndex;
use shards::ids::{AccountId, CoreId, Origin, ShardId};
use shards::shard::answer::{PubAcks, ShardReport};
use shards::shard::request::{ReplyTo, Request};
use shards::time::Instant;
use std::collections::VecDeque;

/// Lives on: its core.
#[derive(Debug, Default)]
pub struct Reports {
    pub clients: ClientStages,
    /// Pub acks that were handed to connections since the last flush: read, synced, how many. One for each entry.
    handed: Vec<(Instant, Instant, u64)>,
    /// Messages from other cores in this turn.
    arrived: u64,
    /// In the order in which they were asked for. At most `REPORTS_MAX`.
    waiting: VecDeque<Waiting>,
    last_tag: u64,
}

#[derive(Debug)]
struct Waiting {
    tag: u64,
    left: usize,
    shards: Vec<(ShardId, ShardReport)>,
}

impl Reports {
    /// These pub acks are handed to connections of this core.
    pub fn note_acks(&mut self, acks: &PubAcks) {
        if acks.synced_at > Instant::default() {
            self.handed.push((acks.read_at, acks.synced_at, acks.acks.len() as u64));
        }
    }

    /// What was handed to connections is with their sockets now.
    pub fn note_flushed(&mut self, now: Instant) {
        for (read, synced, count) in self.handed.drain(..) {
            self.clients.acked.record(now.0.saturating_sub(synced.0), count);
            self.clients.total.record(now.0.saturating_sub(read.0), count);
        }
    }

    /// Something came from another core.
    pub fn note_arrival(&mut self) {
        self.arrived += 1;
    }

    /// The lanes are empty again.
    pub fn note_turn_end(&mut self) {
        if self.arrived > 0 {
            self.clients.lane_messages.record(std::mem::take(&mut self.arrived), 1);
        }
    }

    /// A shard has answered. Some when it was the last.
    fn take(&mut self, tag: u64, report: ShardReport) -> Option<Vec<(ShardId, ShardReport)>> {
        let at = self.waiting.iter().position(|waiting| waiting.tag == tag)?;
        let waiting = &mut self.waiting[at];
        waiting.shards.push((report.shard, report));
        waiting.left = waiting.left.saturating_sub(1);
        if waiting.left > 0 {
            return None;
        }
        self.waiting.remove(at).map(|done| done.shards)
    }
}

impl Server {
    /// A request for reports, published on this core: every core answers for itself, as servers do that are pinged.
    pub(super) fn ask_all_for_reports(&mut self, index: RouteIndex, message: &Message<'_>) {
        // Those on the route have it already.
        let listening = &self.interest.get(message.account, index).cores;
        let asked: Vec<CoreId> = self.peers.others().filter(|core| !listening.contains(core)).collect();
        self.peers.next_message();
        for core in asked {
            self.peers.send_plain(core, *message);
        }
        self.ask_for_report(message.account, message.reply);
    }

    /// Asks this core's shards; the report goes to `reply` when the last of them has answered.
    pub(super) fn ask_for_report(&mut self, account: AccountId, reply: &[u8]) {
        if reply.is_empty() || self.reports.waiting.len() >= REPORTS_MAX {
            return;
        }
        let own = self.topology.core;
        let homes = self.topology.homes.iter().enumerate();
        let shards: Vec<ShardId> =
            homes.filter(|(_, home)| **home == own).map(|(shard, _)| ShardId(shard as u16)).collect();
        if shards.is_empty() {
            return self.publish_report(account, reply, Vec::new());
        }
        self.reports.last_tag += 1;
        let tag = self.reports.last_tag;
        self.reports.waiting.push_back(Waiting { tag, left: shards.len(), shards: Vec::new() });
        for shard in shards {
            let to = ReplyTo {
                origin: Origin { core: own, ..Origin::default() },
                account,
                reply: reply.into(),
                tag,
            };
            self.inputs.push_request(shard, to, Request::Report);
        }
    }

    /// A shard of this core has answered.
    pub(super) fn handle_shard_report(&mut self, to: &ReplyTo, report: ShardReport) {
        if let Some(mut shards) = self.reports.take(to.tag, report) {
            shards.sort_by_key(|(shard, _)| *shard);
            self.publish_report(to.account, &to.reply, shards);
        }
    }

    fn publish_report(&mut self, account: AccountId, reply: &[u8], shards: Vec<(ShardId, ShardReport)>) {
        let report = self.report(shards);
        let info = &self.settings.info;
        let server = ServerName {
            name: &info.server_name,
            host: &info.host,
            id: &info.server_id,
            ver: NATS_VERSION,
            jetstream: info.jetstream,
        };
        let text = report.to_json(server);
        self.publish_own(account, reply, b"", &text);
    }

    /// This core's report, with what its shards say.
    pub fn report(&self, shards: Vec<(ShardId, ShardReport)>) -> CoreReport {
        let Topology { core, cores, .. } = self.topology;
        CoreReport { core, cores, clients: self.reports.clients.clone(), shards }
    }
}
