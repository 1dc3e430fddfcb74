//! Times what one published message costs its core, without sockets: `cargo bench --bench publish --no-default-features`.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use bytes::BytesMut;
use millrace::client::settings::{Identity, Settings};
use millrace::protocol::connect::ServerInfo;
use millrace::routing::interest::Interest;
use millrace::routing::route::LocalSubscription;
use millrace::server::{ClientKey, Server, Topology};
use shards::core_server::{CoreServer, ShardInput};
use shards::ids::{AccountId, CoreId, GroupId, Revision, ShardId};
use shards::shard::answer::{StreamChange, TableChange};
use shards::shard::outputs::Outputs;
use shards::time::{Instant, Now, WallTime};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// Messages in one read of a socket.
const BATCH: u32 = 256;

fn main() {
    let mut interest = Interest::default();
    let subscription = LocalSubscription { client: 0, slot: 0, generation: 0 };
    interest.subscribe(AccountId::GLOBAL, b"orders.*", b"", subscription);
    time("route of a cached subject", 1, || {
        interest.route(AccountId::GLOBAL, b"orders.eu");
    });
    let mut inbox = *b"_INBOX.abcdefghijklmnopqrstuv.00000000";
    time("route of a new reply below a known inbox", 1, || {
        let last = inbox.len() - 1;
        inbox[last] = inbox[last].wrapping_add(1) | 0x30;
        interest.route(AccountId::GLOBAL, &inbox);
    });

    let mut core = OneCore::new();
    core.read(b"SUB foo 1\r\n");
    let bytes = "PUB foo 128\r\n".to_owned() + &"x".repeat(128) + "\r\n";
    let bytes = bytes.repeat(BATCH as usize).into_bytes();
    time("128 B to one subscriber, from bytes to bytes", BATCH, || core.read(&bytes));

    let mut core = OneCore::new();
    core.create_stream();
    let one = |n| format!("PUB orders.eu _INBOX.abc.{n} 128\r\n{}\r\n", "x".repeat(128));
    let bytes = (0..BATCH).map(one).collect::<String>().into_bytes();
    time("128 B from bytes to a shard's batch", BATCH, || core.read(&bytes));
}

/// Prints the best of some rounds.
fn time(what: &str, operations: u32, mut work: impl FnMut()) {
    let rounds = 2_000_000 / operations;
    let mut best = f64::MAX;
    for _ in 0..7 {
        let start = std::time::Instant::now();
        (0..rounds).for_each(|_| work());
        let nanoseconds = start.elapsed().as_nanos() as f64 / f64::from(rounds * operations);
        best = best.min(nanoseconds);
    }
    println!("{what}: {best:.1} ns");
}

/// A core with one client and no socket.
struct OneCore {
    server: Server,
    key: ClientKey,
    now: Now,
    buffer: BytesMut,
    spare: Vec<u8>,
}

impl OneCore {
    fn new() -> Self {
        let topology = Topology { core: CoreId(0), cores: 1, homes: vec![CoreId(0)] };
        let mut server = Server::new(topology, Arc::new(settings()), 1);
        let now = Now { monotonic: Instant(1_000_000_000_000), wall: WallTime(1) };
        let key = server.accept(now, 1, IpAddr::V4(Ipv4Addr::LOCALHOST), true);
        let mut core = OneCore { server, key, now, buffer: BytesMut::new(), spare: Vec::new() };
        core.read(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n");
        while let Some((key, _)) = core.server.poll_authentication() {
            core.server.handle_authenticated(key, Ok(identity()));
        }
        core
    }

    fn read(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.server.handle_bytes(self.now, self.key, &mut self.buffer);
        self.server.begin_turn(self.now);
        while let Some((_, input)) = self.server.poll_shard_input() {
            if let ShardInput::Batch(batch) = input {
                self.server.return_batch(batch);
            }
        }
        self.server.end_turn();
        while let Some(key) = self.server.poll_dirty() {
            let mut output = self.server.take_output(self.now, key, std::mem::take(&mut self.spare));
            self.server.handle_written(key, output.len());
            output.clear();
            self.spare = output;
        }
    }

    fn create_stream(&mut self) {
        let subjects = vec!["orders.>".to_owned()];
        let (shard, created) = (ShardId(0), WallTime(1));
        let change = StreamChange::Put { shard, subjects, no_ack: false, allow_direct: false, created };
        let (revision, account, group) = (Revision(1), AccountId::GLOBAL, GroupId(2));
        self.server.table(TableChange { revision, account, group, stream: "ORDERS".to_owned(), change });
    }
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
