//! Runs a workload for `scripts/instructions`, which counts its instructions under callgrind:
//! `instructions WORKLOAD BATCHES`. Everything is in one thread, without sockets and devices, and the same in each run.

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use fixture::BATCH;
use fixture::cores::Cores;
use fixture::said::{acks_of, captured, captured_by, captured_on, fetch};

/// Name, and what runs that many batches of it.
type Workload = (&'static str, fn(u64));

/// The script reads the names from `instructions --list`.
const WORKLOADS: &[Workload] = &[
    // From a client's bytes to the bytes of the pub ack, one write and sync for each batch.
    ("publish-128", |batches| publish(1, "", 128, batches)),
    ("publish-1024", |batches| publish(1, "", 1024, batches)),
    ("publish-msg-id", |batches| publish(1, "Nats-Msg-Id", 128, batches)),
    ("publish-max-per-subject", publish_on_many_subjects),
    // Four clients that do not wait, each to all streams in turn: what an entry costs.
    ("publish-1000-streams", publish_to_many_streams),
    // The client's core is not the stream's.
    ("publish-crossing", |batches| publish(2, "", 128, batches)),
    // From the bytes of a pull request to the applied acks of its messages.
    ("deliver", deliver),
];

/// Subjects of a stream with `max_msgs_per_subject`: more than a core's cache of routes has places for.
const SUBJECTS: u64 = 1 << 15;

/// Streams that are written to in turn.
const STREAMS: u64 = 1000;

/// Clients that publish to all streams at the same time.
const CLIENTS: u64 = 4;

/// Most batches that `deliver` can be asked for. They are published beforehand whatever is asked for, so that publishing
/// is no part of the difference of two runs.
const DELIVERED_MAX: u64 = 160;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => WORKLOADS.iter().for_each(|(name, _)| println!("{name} {BATCH}")),
        [name, batches] => {
            let workload = WORKLOADS.iter().find(|(known, _)| *known == name);
            let (_, run) = workload.unwrap_or_else(|| panic!("{name} is no workload"));
            run(batches.parse().expect("a number of batches"));
        }
        // As `cargo bench` without arguments runs it.
        _ => println!("to be run by scripts/instructions"),
    }
}

fn publish(cores: u16, header: &str, payload_len: usize, batches: u64) {
    let (mut cores, client) = stream(Cores::new(cores), "");
    let mut heard = Vec::new();
    for batch in 0..batches {
        let bytes = uncounted(|| captured(batch * BATCH, header, payload_len));
        cores.exchange(client, &bytes, &mut heard);
        uncounted(|| assert_acked(&heard, (batch + 1) * BATCH));
    }
}

/// Each message removes the one before it on its subject.
fn publish_on_many_subjects(batches: u64) {
    let (mut cores, client) = stream(Cores::new(1), r#","max_msgs_per_subject":1"#);
    let mut heard = Vec::new();
    for batch in 0..SUBJECTS / BATCH + batches {
        // An odd factor visits all subjects in an order that no cache foresees.
        let bytes = uncounted(|| captured_on(batch * BATCH, 128, |n| format!("{}", n * 40_503 % SUBJECTS)));
        cores.exchange(client, &bytes, &mut heard);
        uncounted(|| assert_acked(&heard, (batch + 1) * BATCH));
    }
}

/// Each turn brings a batch of each client, as long as there are any: answers come while the next batches are read.
fn publish_to_many_streams(batches: u64) {
    let mut cores = Cores::new(1);
    let clients: Vec<usize> = (0..CLIENTS).map(|_| cores.connect()).collect();
    for &client in &clients {
        cores.says(client, format!("SUB _INBOX.{client}.* 1\r\n").as_bytes());
    }
    cores.says(clients[0], b"SUB _INBOX.abc.* 2\r\n");
    for n in 0..STREAMS {
        cores.create_stream_for(clients[0], &format!("S{n}"), &format!("orders.{n}.>"), "");
    }
    let mut heard = Vec::new();
    clients.iter().for_each(|&client| cores.take_heard(client, &mut heard));
    // Clients begin at different streams, and each goes round.
    let first_of = |client: usize, turn: u64| client as u64 * STREAMS / CLIENTS + turn * BATCH;
    for turn in 0..batches / CLIENTS {
        for &client in &clients {
            let bytes = uncounted(|| captured_by(client, first_of(client, turn), |n| n % STREAMS));
            cores.hand_in(client, &bytes);
        }
        cores.turn();
    }
    cores.rest();
    for &client in &clients {
        cores.take_heard(client, &mut heard);
        uncounted(|| assert_eq!(count_acks(&heard), batches / CLIENTS * BATCH));
    }
}

fn deliver(batches: u64) {
    assert!(batches <= DELIVERED_MAX);
    // Whatever is delivered is in memory.
    let (mut cores, client) = stream(Cores::with_tail_cache(1, 64 << 20), "");
    let mut heard = Vec::new();
    for batch in 0..DELIVERED_MAX {
        let bytes = uncounted(|| captured(batch * BATCH, "", 128));
        cores.exchange(client, &bytes, &mut heard);
    }
    let consumer = r#"{"stream_name":"ORDERS","config":{"durable_name":"C","ack_policy":"explicit"}}"#;
    cores.request(client, "$JS.API.CONSUMER.DURABLE.CREATE.ORDERS.C", consumer);
    let request = fetch();
    for _ in 0..batches {
        cores.exchange(client, &request, &mut heard);
        let acks = uncounted(|| acks_of(&heard));
        cores.exchange(client, &acks, &mut heard);
    }
    let info = cores.request(client, "$JS.API.CONSUMER.INFO.ORDERS.C", "");
    assert!(info.contains("\"num_ack_pending\":0"), "{info}");
}

/// A client that has a stream and hears its pub acks.
fn stream(mut cores: Cores, options: &str) -> (Cores, usize) {
    let client = cores.connect();
    cores.says(client, b"SUB _INBOX.abc.* 1\r\n");
    cores.create_stream(client, options);
    (cores, client)
}

fn assert_acked(heard: &[u8], last: u64) {
    assert_eq!(count_acks(heard), BATCH);
    assert!(heard.ends_with(format!("{{\"stream\":\"ORDERS\",\"seq\":{last}}}\r\n").as_bytes()));
}

fn count_acks(heard: &[u8]) -> u64 {
    heard.windows(8).filter(|bytes| *bytes == b"{\"stream").count() as u64
}

/// What is done here is none of the broker's cost: callgrind does not collect while it is inside.
#[inline(never)]
fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    work()
}
