//! Three streams and two consumers under load, over several lives of the broker on the same data.

use crate::ledger::Ledger;
use crate::load::{Published, Publisher, Stop};
use crate::publication::STREAMS;
use crate::support::nats::Client;
use crate::worker::{self, Progress, Worked};
use serde_json::json;
use std::thread::JoinHandle;

/// Streams that have a consumer: the first of them.
const WORKERS: usize = 2;

/// Connections that publish.
const PUBLISHERS: u64 = 4;

/// Acks that each of them awaits.
const WINDOW: usize = 1000;

/// What was promised and done so far. A copy of it judges another copy of the data.
#[derive(Clone, Default)]
pub struct Trial {
    ledger: Ledger,
    progress: [Progress; WORKERS],
    /// Of the next life.
    life: u64,
}

/// Connections at work.
pub struct Load {
    stop: Stop,
    publishers: Vec<JoinHandle<Published>>,
    workers: Vec<JoinHandle<Worked>>,
}

/// How a load ended.
pub struct Ended {
    /// Publishes whose pub ack did not come.
    pub in_flight: usize,
    /// Pub acks that came.
    pub acked: usize,
}

impl Trial {
    /// Makes the streams and consumers.
    pub fn prepare(&self, port: u16) {
        let mut client = Client::connect(port).expect("a running broker");
        for name in STREAMS {
            client.create_stream(name, &json!({ "duplicate_window": 1_800_000_000_000u64 }));
        }
        for stream in 0..WORKERS {
            worker::create(&mut client, stream);
        }
    }

    /// Starts one life's load of at most `count` messages.
    pub fn load(&mut self, port: u16, count: u64) -> Load {
        let stop = Stop::default();
        self.life += 1;
        let mut repeats = self.ledger.repeats();
        let publishers = (0..PUBLISHERS).map(|number| {
            let first = (self.life * PUBLISHERS + number) * 1_000_000_000;
            let repeats = std::mem::take(&mut repeats);
            Publisher { repeats, first, count: count / PUBLISHERS, window: WINDOW }.start(port, stop.clone())
        });
        let publishers = publishers.collect();
        let workers = (0..WORKERS).map(|stream| worker::start(port, stream, stop.clone())).collect();
        Load { stop, publishers, workers }
    }

    /// After a crash and a start: everything promised is there, and the consumers are where they were. Messages read.
    pub fn verify(&mut self, port: u16) -> u64 {
        let mut client = Client::connect(port).expect("a running broker");
        for (stream, progress) in self.progress.iter().enumerate() {
            progress.check_start(&mut client, stream);
        }
        self.ledger.verify(&mut client)
    }

    /// At the very end: the consumers get everything that is left.
    pub fn drain(&mut self, port: u16) {
        for stream in 0..WORKERS {
            let worked = worker::drain(port, stream);
            self.progress[stream].add(&worked, &mut self.ledger);
            self.progress[stream].check_end(stream, &self.ledger);
        }
    }

    pub fn confirmed_count(&self) -> usize {
        self.progress.iter().map(Progress::confirmed_count).sum()
    }
}

impl Load {
    /// All messages are sent and acked, or the connections ended.
    pub fn is_over(&self) -> bool {
        self.publishers.iter().all(JoinHandle::is_finished)
    }

    /// Waits for the connections to end, and enters what they know.
    pub fn end(self, trial: &mut Trial) -> Ended {
        self.stop.set();
        let mut ended = Ended { in_flight: 0, acked: 0 };
        for publisher in self.publishers {
            let published = publisher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            ended.in_flight += published.in_flight.len();
            ended.acked += published.acked.len();
            for (publication, seq, duplicate) in published.acked {
                trial.ledger.acked(publication, seq, duplicate);
            }
            for publication in published.in_flight {
                trial.ledger.unanswered(publication);
            }
            assert!(published.refused.is_empty(), "refused: {:?}", published.refused[0]);
        }
        for worker in self.workers {
            let worked = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            trial.progress[worked.stream].add(&worked, &mut trial.ledger);
        }
        ended
    }
}
