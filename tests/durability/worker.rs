//! A client of a durable consumer: fetches, acks most of what comes, waits for some of the acks; and what it may expect.

use crate::ledger::Ledger;
use crate::load::Stop;
use crate::publication::{Publication, STREAMS};
use crate::support::api::number;
use crate::support::nats::{Client, Event, Message};
use crate::support::random::mix;
use serde_json::json;
use std::collections::BTreeSet;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

/// Its consumer's name, on each stream.
pub const CONSUMER: &str = "worker";

/// What one connection knows at its end.
#[derive(Default)]
pub struct Worked {
    pub stream: usize,
    /// Sequence and how often it was delivered, in the order of arrival.
    pub delivered: Vec<(u64, u64, Publication)>,
    /// Acks that the broker has confirmed.
    pub confirmed: Vec<u64>,
    /// Left alone on purpose.
    pub left: Vec<u64>,
}

/// The life of a consumer over all restarts.
#[derive(Clone, Default)]
pub struct Progress {
    delivered: BTreeSet<u64>,
    delivered_again: BTreeSet<u64>,
    confirmed: BTreeSet<u64>,
    left: BTreeSet<u64>,
}

/// Makes the consumer of a stream. Deliveries that nobody acks come again soon.
pub fn create(client: &mut Client, stream: usize) {
    let config = json!({ "ack_wait": 1_000_000_000u64, "max_ack_pending": 20_000 });
    client.create_durable(STREAMS[stream], CONSUMER, &config);
}

/// Works on a stream until the connection ends or, after `stop`, nothing more comes.
pub fn start(port: u16, stream: usize, stop: Stop) -> JoinHandle<Worked> {
    let mut client = Client::connect(port).expect("a running broker");
    std::thread::spawn(move || {
        let mut worked = Worked { stream, ..Worked::default() };
        // A connection that ends is how the load ends.
        let _ = worked.run(&mut client, &stop, true);
        worked
    })
}

/// Fetches and acks until the consumer has nothing left.
pub fn drain(port: u16, stream: usize) -> Worked {
    let mut client = Client::connect(port).expect("a running broker");
    let mut worked = Worked { stream, ..Worked::default() };
    loop {
        let info = client.consumer_info(STREAMS[stream], CONSUMER);
        if number(&info["num_pending"]) == 0 && number(&info["num_ack_pending"]) == 0 {
            return worked;
        }
        worked.fetch(&mut client, &Stop::default(), false).expect("an open connection");
    }
}

impl Worked {
    fn run(&mut self, client: &mut Client, stop: &Stop, leaves_some: bool) -> io::Result<()> {
        while !stop.is_set() {
            self.fetch(client, stop, leaves_some)?;
        }
        while let Some(Event::Message(message)) = client.next(Duration::from_millis(400))? {
            self.hear(client, &message, leaves_some);
        }
        Ok(())
    }

    /// One pull request, to its end.
    fn fetch(&mut self, client: &mut Client, stop: &Stop, leaves_some: bool) -> io::Result<()> {
        let reply = format!("{}fetch", client.inbox);
        client.pull(
            STREAMS[self.stream],
            CONSUMER,
            &reply,
            &json!({ "batch": BATCH, "expires": 300_000_000u64 }),
        );
        client.flush()?;
        let mut left = BATCH;
        while left > 0 {
            match client.next(Duration::from_secs(5))? {
                Some(Event::Message(message)) if message.status().is_some() => {
                    // Nothing more, time is up, or the broker stops.
                    assert!(
                        ["404", "408", "409"].contains(&message.status().unwrap_or_default()),
                        "{message:?}"
                    );
                    break;
                }
                Some(Event::Message(message)) => left -= u64::from(self.hear(client, &message, leaves_some)),
                Some(event) => panic!("{event:?} instead of a message"),
                None if stop.is_set() => break,
                None => panic!("a pull request of {} is forgotten", STREAMS[self.stream]),
            }
            if client.output_len() > 4096 {
                client.flush()?;
            }
        }
        client.flush()
    }

    /// True: a delivery.
    fn hear(&mut self, client: &mut Client, message: &Message, leaves_some: bool) -> bool {
        let Some(delivery) = message.delivery() else {
            if let Some(seq) = message.subject.rsplit('.').next().and_then(|seq| seq.parse().ok()) {
                self.confirmed.push(seq);
            }
            return false;
        };
        let seq = delivery.stream_seq;
        let publication = Publication::of_message(message);
        let publication =
            publication.unwrap_or_else(|wrong| panic!("{} {seq}: {wrong}", STREAMS[self.stream]));
        self.delivered.push((seq, delivery.count, publication));
        match mix(seq) % 16 {
            0 if leaves_some && delivery.count == 1 => self.left.push(seq),
            1..6 => {
                let reply = format!("{}{seq}", client.inbox);
                client.publish(&message.reply, &reply, &[], b"+ACK");
            }
            _ => client.publish(&message.reply, "", &[], b"+ACK"),
        }
        true
    }
}

impl Progress {
    /// What a worker saw since the last start of the broker. Panics if a confirmed ack of an earlier life was forgotten.
    pub fn add(&mut self, worked: &Worked, ledger: &mut Ledger) {
        let name = STREAMS[worked.stream];
        for (seq, _, publication) in &worked.delivered {
            assert!(!self.confirmed.contains(seq), "{name} {seq} is delivered again after its confirmed ack");
            ledger.seen(*publication, *seq);
            if !self.delivered.insert(*seq) {
                self.delivered_again.insert(*seq);
            }
        }
        self.confirmed.extend(&worked.confirmed);
        self.left.extend(&worked.left);
    }

    /// Where the consumer stands after a start: not before what was confirmed.
    pub fn check_start(&self, client: &mut Client, stream: usize) {
        let info = client.consumer_info(STREAMS[stream], CONSUMER);
        let floor = (1..).take_while(|seq| self.confirmed.contains(seq)).count() as u64;
        let last = self.confirmed.last().copied().unwrap_or(0);
        assert!(
            number(&info["ack_floor"]["stream_seq"]) >= floor,
            "acks up to {floor} were confirmed: {info}"
        );
        assert!(number(&info["delivered"]["stream_seq"]) >= last, "{last} was delivered and acked: {info}");
    }

    /// After `drain`: every message came, and those that were left alone came again.
    pub fn check_end(&self, stream: usize, ledger: &Ledger) {
        let name = STREAMS[stream];
        for seq in 1..=ledger.len(stream) {
            assert!(self.delivered.contains(&seq), "{name} {seq} was never delivered");
        }
        for seq in &self.left {
            assert!(self.delivered_again.contains(seq), "{name} {seq} was not acked and did not come again");
        }
    }

    pub fn confirmed_count(&self) -> usize {
        self.confirmed.len()
    }
}

/// Messages asked for at a time.
const BATCH: u64 = 256;
