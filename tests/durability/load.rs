//! Connections that publish with many acks in flight until the broker is gone or told to end.

use crate::publication::Publication;
use crate::support::nats::{Client, Event};
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// What one connection knows at its end.
#[derive(Default)]
pub struct Published {
    /// In the order of the acks: which, its sequence, and whether it was called a duplicate.
    pub acked: Vec<(Publication, u64, bool)>,
    /// Sent, and no ack came.
    pub in_flight: BTreeSet<Publication>,
    /// Of these the broker said that it does not know their outcome, or that it does not take them.
    pub refused: Vec<(Publication, Value)>,
    /// The broker closed the connection, and how.
    pub end: Option<std::io::Error>,
}

/// A publisher to start.
pub struct Publisher {
    /// Sent first.
    pub repeats: Vec<Publication>,
    /// Then these, in order.
    pub first: u64,
    pub count: u64,
    /// Acks awaited at a time.
    pub window: usize,
}

/// Tells publishers and workers to send nothing more.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

/// After `Stop`: nothing heard for so long means that nothing more comes.
const SILENCE: Duration = Duration::from_millis(400);

impl Stop {
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Publisher {
    /// Runs it on a connection of its own. It ends when the connection does, when all is sent and acked, or, after `stop`, when the
    /// broker is silent.
    pub fn start(self, port: u16, stop: Stop) -> JoinHandle<Published> {
        let mut client = Client::connect(port).expect("a running broker");
        std::thread::spawn(move || {
            let mut published = Published::default();
            if let Err(error) = self.run(&mut client, &stop, &mut published) {
                published.end = Some(error);
            }
            published
        })
    }

    fn run(self, client: &mut Client, stop: &Stop, published: &mut Published) -> std::io::Result<()> {
        let numbers = (self.first..self.first + self.count).map(Publication);
        let mut waiting: VecDeque<Publication> = self.repeats.into();
        let mut numbers = numbers.fuse();
        loop {
            while published.in_flight.len() < self.window
                && client.output_len() < OUTPUT_LEN
                && !stop.is_set()
            {
                let Some(next) = waiting.pop_front().or_else(|| numbers.next()) else { break };
                next.publish(client);
                published.in_flight.insert(next);
            }
            if client.output_len() > 0 {
                client.flush()?;
            }
            if published.in_flight.is_empty() {
                return Ok(());
            }
            match client.next(SILENCE)? {
                Some(event) => published.hear(event),
                None if stop.is_set() => return Ok(()),
                None => {}
            }
            while let Some(event) = client.heard()? {
                published.hear(event);
            }
        }
    }
}

impl Published {
    fn hear(&mut self, event: Event) {
        let Event::Message(message) = event else { panic!("{event:?} instead of a pub ack") };
        let publication =
            Publication::of_reply(&message.subject).expect("a pub ack to a reply subject of ours");
        let answer: Value = serde_json::from_slice(&message.payload)
            .unwrap_or_else(|_| panic!("{publication:?} gets no pub ack: {message:?}"));
        if answer["error"].is_null() {
            assert_eq!(answer["stream"], crate::publication::STREAMS[publication.stream()]);
            let seq = answer["seq"].as_u64().expect("a sequence");
            assert!(self.in_flight.remove(&publication), "{publication:?} is acked twice");
            self.acked.push((publication, seq, answer["duplicate"] == true));
        } else {
            self.refused.push((publication, answer));
        }
    }
}

/// Bytes that are written to the socket at a time.
const OUTPUT_LEN: usize = 256 << 10;
