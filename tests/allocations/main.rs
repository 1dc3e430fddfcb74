//! What a message costs in allocations once everything is warm. One test, because the counter is the process's.

mod counting;
mod whole;

use bytes::BytesMut;
use counting::allocations_of;
use millrace::client::settings::{Identity, Settings};
use millrace::protocol::connect::ServerInfo;
use millrace::server::{ClientKey, Reading, Server, Topology};
use shards::core_server::{CoreServer, ShardInput};
use shards::ids::{AccountId, CoreId, GroupId, Revision, ShardId, StreamSeq};
use shards::lanes::Lane;
use shards::shard::answer::{PubAck, PubAcks, StreamChange, TableChange};
use shards::shard::outputs::{Delivery, Outputs, Subscribers};
use shards::shard::request::Batch;
use shards::time::{Instant, Now, WallTime};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use whole::Cores;

/// Messages in one read of a socket.
const BATCH: u64 = 256;

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
    create_stream(&mut cores, client);
    let mut heard = Vec::new();
    let mut next = 0;
    let mut batch = |cores: &mut Cores| {
        let bytes = captured(next, msg_id);
        next += BATCH;
        let syncs = cores.syncs();
        let count = cores.count(client, &bytes, &mut heard);
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
    create_stream(&mut cores, client);
    request(
        &mut cores,
        client,
        "CONSUMER.DURABLE.CREATE.ORDERS.C",
        r#"{"stream_name":"ORDERS","config":{"durable_name":"C","ack_policy":"explicit"}}"#,
    );
    let mut heard = Vec::new();
    let mut next = 0;
    let mut batch = |cores: &mut Cores| {
        cores.says(client, &captured(next, ""));
        next += BATCH;
        let fetch = format!("{{\"batch\":{BATCH},\"expires\":1000000000}}");
        let subject = "$JS.API.CONSUMER.MSG.NEXT.ORDERS.C";
        let fetch = format!("PUB {subject} _INBOX.abc.7 {}\r\n{fetch}\r\n", fetch.len());
        let delivered = cores.count(client, fetch.as_bytes(), &mut heard);
        let text = String::from_utf8_lossy(&heard);
        let replies = text.lines().filter_map(|line| line.split(' ').find(|w| w.starts_with("$JS.ACK.")));
        let acks: String = replies.map(|reply| format!("PUB {reply} 4\r\n+ACK\r\n")).collect();
        assert_eq!(acks.lines().count() as u64, 2 * BATCH, "{text}");
        delivered + cores.count(client, acks.as_bytes(), &mut heard)
    };
    let _warm: u64 = (0..WARM_UP).map(|_| batch(&mut cores)).sum();
    let count: u64 = (0..ROUNDS).map(|_| batch(&mut cores)).sum();
    assert!(count <= 4 * ROUNDS, "{count} in {ROUNDS} batches of deliveries and as many of acks");
    let info = request(&mut cores, client, "CONSUMER.INFO.ORDERS.C", "");
    assert!(info.contains("\"num_ack_pending\":0") && info.contains("\"num_pending\":0"), "{info}");
}

fn create_stream(cores: &mut Cores, client: usize) {
    let config = r#"{"name":"ORDERS","subjects":["orders.>"]}"#;
    let info = request(cores, client, "STREAM.CREATE.ORDERS", config);
    assert!(info.contains("\"did_create\":true"), "{info}");
}

fn request(cores: &mut Cores, client: usize, endpoint: &str, body: &str) -> String {
    let request = format!("PUB $JS.API.{endpoint} _INBOX.abc.r {}\r\n{body}\r\n", body.len());
    let mut heard = cores.says(client, request.as_bytes());
    heard.extend(cores.says(client, b""));
    String::from_utf8(heard).unwrap()
}

/// A batch of publishes to the stream, with a header of its own each if `header` is its name.
fn captured(first: u64, header: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in first..first + BATCH {
        let text = if header.is_empty() {
            format!("PUB orders.eu _INBOX.abc.{n} 7\r\npayload\r\n")
        } else {
            let headers = format!("NATS/1.0\r\n{header}: {n}\r\n\r\n");
            let len = headers.len();
            format!("HPUB orders.eu _INBOX.abc.{n} {len} {}\r\n{headers}payload\r\n", len + 7)
        };
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
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
    let mut core = OneCore::with_cores(2);
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

/// A core with one client and a shell that recycles its memory.
struct OneCore {
    server: Server,
    key: ClientKey,
    now: Now,
    buffer: BytesMut,
    spare: Vec<u8>,
    #[expect(clippy::vec_box, reason = "batches travel in their boxes")]
    batches: Vec<Box<Batch>>,
    written: usize,
}

impl OneCore {
    fn new() -> Self {
        OneCore::with_cores(1)
    }

    fn with_cores(cores: u16) -> Self {
        OneCore::on(CoreId(0), cores)
    }

    fn on(core: CoreId, cores: u16) -> Self {
        let topology = Topology { core, cores, homes: vec![CoreId(0)] };
        let mut server = Server::new(topology, Arc::new(settings()), 1);
        let now = Now { monotonic: Instant(1_000_000_000_000), wall: WallTime(1) };
        let key = server.accept(now, 1, IpAddr::V4(Ipv4Addr::LOCALHOST), true);
        let (buffer, spare, batches) = (BytesMut::new(), Vec::new(), Vec::new());
        let mut core = OneCore { server, key, now, buffer, spare, batches, written: 0 };
        core.says(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n");
        while let Some((key, _)) = core.server.poll_authentication() {
            core.server.handle_authenticated(key, Ok(identity()));
        }
        core
    }

    fn says(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.read_and_write();
    }

    /// One turn with what the buffer holds.
    fn read_and_write(&mut self) {
        if !self.buffer.is_empty() {
            let reading = self.server.handle_bytes(self.now, self.key, &mut self.buffer);
            assert!(reading != Reading::Closed);
        }
        self.server.begin_turn(self.now);
        while let Some((_, input)) = self.server.poll_shard_input() {
            if let ShardInput::Batch(batch) = input {
                self.batches.push(batch);
            }
        }
        self.server.end_turn();
        while let Some(key) = self.server.poll_dirty() {
            let mut output = self.server.take_output(self.now, key, std::mem::take(&mut self.spare));
            self.server.handle_written(key, output.len());
            self.written += output.len();
            output.clear();
            self.spare = output;
        }
    }

    /// What a shard does with the batches: one `PubAcks` for each. It is made outside the count.
    fn acknowledge(&mut self) {
        while let Some(batch) = self.batches.pop() {
            let mut acks = counting::uncounted(|| pub_acks(&batch));
            self.server.return_batch(batch);
            self.server.pub_acks(CoreId(0), &mut acks);
        }
    }

    fn create_stream(&mut self) {
        let change = StreamChange::Put {
            shard: ShardId(0),
            subjects: vec!["orders.>".to_owned()],
            no_ack: false,
            allow_direct: false,
            created: WallTime(1),
        };
        let account = AccountId::GLOBAL;
        let stream = "ORDERS".to_owned();
        self.server.table(TableChange { revision: Revision(1), account, group: GroupId(2), stream, change });
        self.read_and_write();
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
    let mut acks =
        PubAcks { account: batch.account, stream_len: 6, bytes: b"ORDERS".to_vec(), acks: Vec::new() };
    for (n, item) in batch.items.iter().enumerate() {
        acks.bytes.extend_from_slice(item.reply.of(&batch.chunks[item.chunk as usize]));
        let (slot, generation) = (item.origin.slot, item.origin.generation);
        let seq = StreamSeq(n as u64 + 1);
        acks.acks.push(PubAck { slot, generation, reply_len: item.reply.len, duplicate: false, seq });
    }
    acks
}

fn identity() -> Identity {
    Identity { account: AccountId::GLOBAL, account_name: "$G".into(), user: "".into() }
}

fn settings() -> Settings {
    Settings {
        info: ServerInfo { headers: true, max_payload: 1 << 20, ..ServerInfo::default() },
        max_payload: 1 << 20,
        max_control_line: 4096,
        max_pending: 64 << 20,
        max_subscriptions: 0,
        ping_interval: Duration::from_secs(120),
        ping_max: 2,
        auth_timeout: Duration::from_secs(2),
        write_deadline: Duration::from_secs(10),
        nonce_key: None,
        anonymous: Some(identity()),
    }
}
