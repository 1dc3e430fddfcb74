//! What a message costs in allocations once everything is warm, and what an idle consumer holds. Each test runs in a thread of
//! its own, whose allocations it counts.

mod counting;
#[path = "../fixture/mod.rs"]
mod fixture;
mod idle;

use bytes::BytesMut;
use counting::{allocations_of, uncounted};
use fixture::BATCH;
use fixture::cores::Cores;
use fixture::one_core::OneCore;
use fixture::said::{acks_of, captured, fetch};
use shards::core_server::CoreServer;
use shards::ids::{AccountId, CoreId, StreamSeq};
use shards::lanes::Lane;
use shards::shard::answer::{PubAck, PubAcks};
use shards::shard::outputs::{Delivery, Outputs, Subscribers};
use shards::shard::request::Batch;

/// Batches before anything is counted.
const WARM_UP: usize = 50;

/// Batches that are counted together.
const ROUNDS: u64 = 32;

#[test]
fn after_warm_up_a_message_costs_no_allocation() {
    a_message_to_a_local_subscriber_costs_none();
    a_message_to_a_member_of_a_queue_group_costs_none();
    a_captured_message_and_its_pub_ack_cost_none_and_their_batch_one();
    a_delivery_to_a_subscriber_costs_none();
    a_batch_for_another_core_costs_a_handful();
    for cores in [1, 2] {
        a_synced_batch_costs_at_most_two(cores, "");
        a_synced_batch_costs_at_most_two(cores, "Nats-Msg-Id");
        a_fetched_and_acked_batch_costs_at_most_two(cores);
    }
}

/// Client's bytes, routing, lanes, shard, log, a completed sync, and pub acks as bytes.
fn a_synced_batch_costs_at_most_two(cores: u16, msg_id: &str) {
    let mut cores = Cores::new(cores);
    let client = cores.connect();
    cores.says(client, b"SUB _INBOX.abc.* 1\r\n");
    cores.create_stream(client, "");
    let mut heard = Vec::new();
    let mut next = 0;
    let mut batch = |cores: &mut Cores| {
        let bytes = captured(next, msg_id, 7);
        next += BATCH;
        let syncs = cores.syncs();
        let count = allocations_of(|| cores.exchange(client, &bytes, &mut heard));
        assert!(cores.syncs() > syncs);
        let last = format!("{{\"stream\":\"ORDERS\",\"seq\":{next}}}\r\n");
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.ends_with(&last), "{last} is the end of {heard}");
        count
    };
    let _warm: u64 = (0..WARM_UP).map(|_| batch(&mut cores)).sum();
    let count: u64 = (0..ROUNDS).map(|_| batch(&mut cores)).sum();
    assert!(count <= 2 * ROUNDS, "{count} in {ROUNDS} batches, message ids: {msg_id:?}");
}

/// A pull request for a batch, the messages, and their acks.
fn a_fetched_and_acked_batch_costs_at_most_two(cores: u16) {
    let mut cores = Cores::new(cores);
    let client = cores.connect();
    cores.says(client, b"SUB _INBOX.abc.* 1\r\n");
    cores.create_stream(client, "");
    let consumer = r#"{"stream_name":"ORDERS","config":{"durable_name":"C","ack_policy":"explicit"}}"#;
    cores.request(client, "$JS.API.CONSUMER.DURABLE.CREATE.ORDERS.C", consumer);
    let mut heard = Vec::new();
    let mut next = 0;
    let mut batch = |cores: &mut Cores| {
        cores.says(client, &captured(next, "", 7));
        next += BATCH;
        let delivered = allocations_of(|| cores.exchange(client, &fetch(), &mut heard));
        let acks = acks_of(&heard);
        delivered + allocations_of(|| cores.exchange(client, &acks, &mut heard))
    };
    let _warm: u64 = (0..WARM_UP).map(|_| batch(&mut cores)).sum();
    let count: u64 = (0..ROUNDS).map(|_| batch(&mut cores)).sum();
    assert!(count <= 4 * ROUNDS, "{count} in {ROUNDS} batches of deliveries and as many of acks");
    let info = cores.request(client, "$JS.API.CONSUMER.INFO.ORDERS.C", "");
    assert!(info.contains("\"num_ack_pending\":0") && info.contains("\"num_pending\":0"), "{info}");
}

fn a_message_to_a_local_subscriber_costs_none() {
    let mut core = OneCore::new();
    core.says(b"SUB foo 1\r\nSUB fo* 2\r\nSUB > 3\r\n");
    let bytes = publishes("foo", "");
    let count = core.after_warm_up(&bytes, |core| core.read_and_write());
    core.assert_written();
    assert_eq!(count, 0);
}

fn a_message_to_a_member_of_a_queue_group_costs_none() {
    let mut core = OneCore::new();
    core.says(b"SUB foo q 1\r\nSUB foo q 2\r\nSUB foo r 3\r\n");
    let bytes = publishes("foo", "");
    let count = core.after_warm_up(&bytes, |core| core.read_and_write());
    core.assert_written();
    assert_eq!(count, 0);
}

fn a_captured_message_and_its_pub_ack_cost_none_and_their_batch_one() {
    let mut core = OneCore::new();
    core.create_stream();
    core.says(b"SUB _INBOX.abc.* 1\r\n");
    let bytes = publishes("orders.eu", "_INBOX.abc.");
    let count = core.after_warm_up(&bytes, |core| {
        core.read_and_write();
        core.acknowledge();
        core.read_and_write();
    });
    core.assert_written();
    assert!(count <= 1, "{count}: the chunk's reference count alone");
}

fn a_delivery_to_a_subscriber_costs_none() {
    let mut core = OneCore::new();
    core.says(b"SUB _INBOX.abc.* 1\r\n");
    let count = core.after_warm_up(b"", |core| {
        for _ in 0..BATCH {
            core.server.interest(AccountId::GLOBAL, b"_INBOX.abc.7");
            core.server.deliver(Delivery {
                account: AccountId::GLOBAL,
                to: b"_INBOX.abc.7",
                subject: b"orders.eu",
                reply: b"$JS.ACK.S.c.1.1.1.1700000000000000000.0",
                headers: b"",
                payload: b"payload",
            });
        }
        core.read_and_write();
    });
    core.assert_written();
    assert_eq!(count, 0);
}

fn a_batch_for_another_core_costs_a_handful() {
    let mut core = OneCore::on(CoreId(0), 2);
    let mut other = OneCore::on(CoreId(1), 2);
    other.says(b"SUB foo 1\r\n");
    let bytes = publishes("foo", "");
    let exchange = |core: &mut OneCore, other: &mut OneCore| {
        while let Some(mail) = core.server.poll_lane(CoreId(1), Lane::Messages) {
            other.server.handle_message(CoreId(0), mail);
        }
        while let Some(mail) = other.server.poll_lane(CoreId(0), Lane::Messages) {
            core.server.handle_message(CoreId(1), mail);
        }
    };
    exchange(&mut core, &mut other);
    let count = core.after_warm_up(&bytes, |core| {
        core.read_and_write();
        exchange(core, &mut other);
        other.read_and_write();
    });
    other.assert_written();
    assert!(count <= 24, "{count}: a mail and the growth of its bytes");
}

/// What the tests of one server do with it.
trait Counted {
    fn acknowledge(&mut self);
    fn assert_written(&self);
    fn after_warm_up(&mut self, bytes: &[u8], round: impl FnMut(&mut Self)) -> u64;
}

impl Counted for OneCore {
    /// What a shard does with the batches: one `PubAcks` for each. It is made outside the count.
    fn acknowledge(&mut self) {
        while let Some(batch) = self.batches.pop() {
            let mut acks = uncounted(|| pub_acks(&batch));
            self.server.return_batch(batch);
            self.server.pub_acks(CoreId(0), &mut acks);
        }
    }

    /// Every round wrote every message, or its pub ack.
    fn assert_written(&self) {
        let lines = WARM_UP * BATCH as usize;
        assert!(self.written > lines * b"MSG foo 1 7\r\npayload\r\n".len());
    }

    /// Allocations of one `round` after many with the same bytes.
    fn after_warm_up(&mut self, bytes: &[u8], mut round: impl FnMut(&mut Self)) -> u64 {
        let mut count = 0;
        for _ in 0..=WARM_UP {
            self.buffer = BytesMut::from(bytes);
            count = allocations_of(|| round(self));
        }
        count
    }
}

fn publishes(subject: &str, inbox: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 0..BATCH {
        let reply = if inbox.is_empty() { String::new() } else { format!(" {inbox}{n}") };
        bytes.extend_from_slice(format!("PUB {subject}{reply} 7\r\npayload\r\n").as_bytes());
    }
    bytes
}

fn pub_acks(batch: &Batch) -> PubAcks {
    let mut acks = PubAcks::default();
    acks.start(batch.account, b"ORDERS");
    for (n, item) in batch.items.iter().enumerate() {
        acks.bytes.extend_from_slice(item.reply.of(&batch.chunks[item.chunk as usize]));
        let (slot, generation) = (item.origin.slot, item.origin.generation);
        let seq = StreamSeq(n as u64 + 1);
        acks.acks.push(PubAck { slot, generation, reply_len: item.reply.len, duplicate: false, seq });
    }
    acks
}
