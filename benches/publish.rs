//! Times what one published message costs its core, without sockets: `cargo bench --bench publish --no-default-features`.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use fixture::BATCH;
use fixture::one_core::OneCore;
use fixture::said::captured;
use millrace::routing::interest::Interest;
use millrace::routing::route::LocalSubscription;
use shards::core_server::CoreServer;
use shards::ids::AccountId;

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
    core.says(b"SUB foo 1\r\n");
    let bytes = "PUB foo 128\r\n".to_owned() + &"x".repeat(128) + "\r\n";
    let bytes = bytes.repeat(BATCH as usize).into_bytes();
    time("128 B to one subscriber, from bytes to bytes", BATCH, || core.says(&bytes));

    let mut core = OneCore::new();
    core.create_stream();
    let bytes = captured(0, "", 128);
    time("128 B from bytes to a shard's batch", BATCH, || {
        core.says(&bytes);
        for batch in core.batches.drain(..) {
            core.server.return_batch(batch);
        }
    });
}

/// Prints the best of some rounds.
fn time(what: &str, operations: u64, mut work: impl FnMut()) {
    let rounds = 2_000_000 / operations;
    let mut best = f64::MAX;
    for _ in 0..7 {
        let start = std::time::Instant::now();
        (0..rounds).for_each(|_| work());
        let nanoseconds = start.elapsed().as_nanos() as f64 / (rounds * operations) as f64;
        best = best.min(nanoseconds);
    }
    println!("{what}: {best:.1} ns");
}

/// Nothing is counted here.
fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    work()
}
