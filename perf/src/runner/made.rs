//! What a run makes on the server, under names of its own, and deletes again.

use crate::address::Address;
use crate::content::Content;
use crate::failure::Failure;
use crate::jetstream::{Api, ConsumerConfig};
use crate::load::Names;
use crate::peer::Peer;
use crate::workload::{Kind, Workload};
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Made {
    pub names: Names,
    /// Of the background.
    pub background: Names,
    /// This run's own, in every name.
    pub tag: String,
    /// Streams to delete.
    streams: Vec<String>,
    /// Consumers to delete: stream and name.
    consumers: Vec<(String, String)>,
}

/// Runs of this process so far.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// nats-server's default for both.
const MAX_WAITING: u64 = 512;
const MAX_ACK_PENDING: u64 = 1000;

impl Made {
    /// Names; nothing is made yet.
    pub fn new(workload: &Workload) -> Made {
        let tag = format!("{}x{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        let streams = match &workload.streams.existing {
            _ if !workload.uses_streams() => Vec::new(),
            Some(stream) => vec![stream.clone()],
            None => (0..workload.streams.count).map(|n| format!("PERF_{tag}_{n:06}")).collect(),
        };
        let consumers = match workload.kind {
            Kind::Consume | Kind::Mixed => workload.pull.consumers,
            Kind::Publish | Kind::PubSub | Kind::Request => 0,
        };
        let prefix = workload.subjects.prefix.clone().unwrap_or_else(|| format!("perf.{tag}"));
        let inbox = format!("_INBOX.perf{tag}");
        let background = Names {
            streams: match (&workload.background, workload.shares_streams()) {
                (None, _) => Vec::new(),
                (Some(_), true) => streams.clone(),
                (Some(_), false) => {
                    (0..workload.streams.count).map(|n| format!("PERF_{tag}_B{n:06}")).collect()
                }
            },
            consumers: Vec::new(),
            // Whoever listens to all of the load's subjects does not hear the background.
            prefix: if workload.shares_streams() { prefix.clone() } else { format!("{prefix}-background") },
            inbox: format!("{inbox}b"),
        };
        let names = Names {
            streams,
            consumers: (0..consumers).map(|n| format!("PERF_{tag}_{n:05}")).collect(),
            prefix,
            inbox,
        };
        Made { names, background, tag, streams: Vec::new(), consumers: Vec::new() }
    }

    pub fn create_streams(
        &mut self,
        api: &mut Api,
        workload: &Workload,
        content: &Content,
    ) -> Result<(), Failure> {
        if workload.streams.existing.is_some() {
            return Ok(());
        }
        for (n, stream) in self.names.streams.iter().enumerate() {
            // It may come into being even if the answer is lost.
            self.streams.push(stream.clone());
            api.create_stream(stream, &content.stream_filter(n), &workload.streams)?;
        }
        Ok(())
    }

    /// Those that nothing but the background publishes to.
    pub fn create_background_streams(
        &mut self,
        api: &mut Api,
        workload: &Workload,
        content: &Content,
    ) -> Result<(), Failure> {
        for (n, stream) in self.background.streams.iter().enumerate() {
            if !self.names.streams.contains(stream) {
                self.streams.push(stream.clone());
                api.create_stream(stream, &content.stream_filter(n), &workload.streams)?;
            }
        }
        Ok(())
    }

    pub fn create_consumers(&mut self, api: &mut Api, workload: &Workload) -> Result<(), Failure> {
        let pull = workload.pull;
        let pulls = u64::from(pull.pulls) * u64::from(workload.connections);
        for stream in &self.names.streams {
            for name in &self.names.consumers {
                self.consumers.push((stream.clone(), name.clone()));
                api.create_consumer(&ConsumerConfig {
                    stream,
                    name,
                    ack: pull.ack,
                    // Twice what may be on the way, so that acks do not hold deliveries up.
                    max_ack_pending: (2 * pulls * u64::from(pull.fetch)).max(MAX_ACK_PENDING),
                    max_waiting: pulls.max(MAX_WAITING),
                    durable: true,
                })?;
            }
        }
        Ok(())
    }

    /// Deletes as much as the server lets it; a lost connection is made once more.
    pub fn delete(&mut self, api: &mut Api, address: &Address) {
        let mut again = None;
        for stream in &self.streams {
            if let Err(Failure::Lost(_) | Failure::Refused(_)) = api.delete_stream(stream) {
                again = Peer::connect(address)
                    .and_then(|peer| Api::new(peer, format!("{}del", self.names.inbox)))
                    .ok();
                break;
            }
        }
        if let Some(api) = &mut again {
            for stream in &self.streams {
                // What was deleted before is not there, and nothing else is worth telling here.
                let _ = api.delete_stream(stream);
            }
        }
        for (stream, name) in self.consumers.iter().filter(|(stream, _)| !self.streams.contains(stream)) {
            let _ = again.as_mut().unwrap_or(&mut *api).delete_consumer(stream, name);
        }
    }
}
