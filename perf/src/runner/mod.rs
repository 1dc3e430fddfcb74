//! One run: prepares the server, loads it, verifies, cleans up.
//! May import: every room but summary, terminal and the verdicts.
//! Must not know: terminals, files, verdicts.

mod background;
mod made;
mod marks;
mod results;

use crate::address::Address;
use crate::content::Content;
use crate::facts::server_facts;
use crate::failure::Failure;
use crate::jetstream::Api;
use crate::load::{self, Names, Plan, Totals};
use crate::machine;
use crate::measured::{Measured, ServerFacts, Verification};
use crate::peer::Peer;
use crate::sequences::Sequences;
use crate::verify::{Reader, Verifier};
use crate::watch::{Phase, Progress, Watch};
use crate::workload::{Kind, Length, Pace, Workload};
use background::Background;
use made::Made;
use marks::Marks;
use results::{Found, Watching};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The server under test and what its owner knows about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub address: Address,
    /// Its process on this machine, for its processor time.
    pub pid: Option<u32>,
    /// A path on its data device, for the device's flushes.
    pub data_dir: Option<PathBuf>,
    /// What its acks promise; without, what is known of the product.
    pub durability: Option<String>,
}

/// Puts the load on the server and returns what it found, also when a signal ended it early, the generator was late or
/// the server made mistakes: [`Measured::verdict`] tells. What the run made on the server is deleted in every case.
/// Errors: there is nothing to show; a sentence says why.
pub fn run(target: &Target, workload: &Workload, watch: &mut dyn Watch) -> Result<Measured, Failure> {
    // A run is no reason for whoever called it, and what it starts later, to stay on these cores.
    let _pinned = machine::Pinned::to(&workload.cores)?;
    let peer = Peer::connect(&target.address)?;
    let info = peer.info().clone();
    if (workload.uses_streams() || workload.background.is_some()) && !info.jetstream {
        return Err(Failure::NoJetStream("the server says that it has none".into()));
    }
    let mut made = Made::new(workload);
    let content = Content::new(workload, &made.names.prefix, &made.tag);
    // Servers count headers as well.
    let (max, size) = (info.max_payload, content.headers_len() + workload.payload.max());
    if max > 0 && size > max {
        return Err(Failure::Unsuitable(format!("messages of {size} bytes; its max_payload is {max}")));
    }
    let api = Api::new(peer, format!("{}api", made.names.inbox))?;
    let facts = server_facts(&target.address.host, &info, target.durability.as_deref());
    let mut run = Run { target, workload, content: &content, api, facts };
    let outcome = run.load(&mut made, watch);
    watch.progress(&Progress::of(Phase::CleanUp, Duration::ZERO, 0.0));
    made.delete(&mut run.api, &target.address);
    outcome
}

struct Run<'a> {
    target: &'a Target,
    workload: &'a Workload,
    content: &'a Content,
    api: Api,
    facts: ServerFacts,
}

/// Messages of a consumed stream, where nothing else decides.
const FILL_DEFAULT: u64 = 1_000_000;
/// Bytes of payload that may be under way while a stream is filled.
const FILL_BYTES_MAX: usize = 32 << 20;

impl Run<'_> {
    fn load(&mut self, made: &mut Made, watch: &mut dyn Watch) -> Result<Measured, Failure> {
        watch.progress(&Progress::of(Phase::Prepare, Duration::ZERO, 0.0));
        made.create_streams(&mut self.api, self.workload, self.content)?;
        let filled = self.fill(made, watch)?;
        let (first, expected) = self.what_is_there(made, &filled)?;
        made.create_consumers(&mut self.api, self.workload)?;
        let background = Background::prepare(self.workload, made, &mut self.api)?;
        let plan = Plan {
            workload: self.workload,
            content: self.content,
            names: &made.names,
            expected,
            first: &first,
            filled: filled.as_ref().filter(|_| self.workload.verify).map(|totals| &totals.sequences[..]),
        };
        let mut watching = Watching::new(&plan, Marks::new(self.target), watch);
        let address = &self.target.address;
        let (totals, beside) = match &background {
            None => (load::drive(&plan, address, &mut watching)?, None),
            Some(background) => {
                let (totals, beside) = background.drive(&plan, &mut watching, &made.background, address)?;
                (totals, Some(beside))
            }
        };
        let (marks, series, interrupted) = watching.conclude();
        if self.workload.kind == Kind::Consume && totals.end <= totals.start && !interrupted {
            let sentence = "every message was delivered within the warm-up: fill more, or warm up for less";
            return Err(Failure::BadOptions(sentence.into()));
        }
        let mut read_back = vec![ReadBack::new(self.content, &made.names, &totals)];
        if let (Some(background), Some(beside)) = (&background, &beside) {
            read_back.push(ReadBack::new(&background.content, &made.background, &beside.totals));
        }
        let verification = self.verify(&read_back, &totals, interrupted, watch)?;
        Ok(results::measured(Found {
            workload: self.workload,
            totals,
            beside,
            marks,
            series,
            verification,
            interrupted,
            server: self.facts.clone(),
        }))
    }

    /// Of `consume`: publishes what will be pulled. None: nothing to fill.
    fn fill(&mut self, made: &Made, watch: &mut dyn Watch) -> Result<Option<Totals>, Failure> {
        if self.workload.kind != Kind::Consume || self.workload.streams.existing.is_some() {
            return Ok(None);
        }
        let streams = made.names.streams.len() as u64;
        let each = self.workload.pull.fill.unwrap_or(match self.workload.length {
            Length::Count(count) => count.div_ceil(streams * u64::from(self.workload.pull.consumers)),
            Length::Time(_) | Length::All => FILL_DEFAULT,
        });
        let in_flight = (FILL_BYTES_MAX / self.workload.payload.max().max(1)).clamp(16, 4096);
        let workload = Workload {
            kind: Kind::Publish,
            connections: 2,
            threads: 1,
            pace: Pace::Closed { in_flight: in_flight as u32 },
            length: Length::Count(each * streams),
            warm_up: Duration::ZERO,
            background: None,
            // Numbers are wanted only where deliveries will be compared.
            ..self.workload.clone()
        };
        let names = &made.names;
        let plan =
            Plan { workload: &workload, content: self.content, names, expected: 0, first: &[], filled: None };
        let mut filling = Filling { watch, count: each * streams, operations: 0 };
        let totals = load::drive(&plan, &self.target.address, &mut filling)?;
        if filling.watch.wants_stop() {
            return Err(Failure::Interrupted);
        }
        match totals.errors.iter().next() {
            Some((kind, count)) => {
                let text = totals.first_error.clone().unwrap_or_default();
                Err(Failure::Unsuitable(format!("while a stream was filled, {count} × {kind}: {text}")))
            }
            None => Ok(Some(totals)),
        }
    }

    /// By stream the sequence before the first, and the deliveries that there will be in all. Errors: MissingStream,
    /// StreamTooSmall.
    fn what_is_there(&mut self, made: &Made, filled: &Option<Totals>) -> Result<(Vec<u64>, u64), Failure> {
        if self.workload.kind != Kind::Consume {
            return Ok((Vec::new(), 0));
        }
        let consumers = u64::from(self.workload.pull.consumers);
        if let Some(totals) = filled {
            let messages: u64 = totals.sequences.iter().map(Sequences::count).sum();
            return Ok((vec![0; made.names.streams.len()], messages * consumers));
        }
        let stream = &made.names.streams[0];
        let state = self.api.stream_state(stream)?;
        let by_count = match self.workload.length {
            Length::Count(count) => count.div_ceil(consumers),
            Length::Time(_) | Length::All => 1,
        };
        let wanted = self.workload.pull.fill.unwrap_or(1).max(by_count);
        if state.messages < wanted {
            return Err(Failure::StreamTooSmall { stream: stream.clone(), messages: state.messages, wanted });
        }
        Ok((vec![state.first.saturating_sub(1)], state.messages * consumers))
    }

    /// What was compared while the load ran, and what is read back now.
    fn verify(
        &mut self,
        read_back: &[ReadBack<'_>],
        totals: &Totals,
        interrupted: bool,
        watch: &mut dyn Watch,
    ) -> Result<Verification, Failure> {
        if !self.workload.verify {
            return Ok(Verification::NotAsked);
        }
        let kept = self.workload.streams.max_msgs_per_subject;
        let mut whole = !interrupted;
        let (mut messages, mut mismatches) = (totals.checked, totals.mismatches);
        let mut first = totals.first_mismatch.clone();
        for part in read_back {
            let mut verifier = Verifier::new(part.content, kept);
            let acked: u64 = part.sequences.iter().map(Sequences::count).sum();
            if acked > 0 && whole {
                let inbox = format!("{}verify", part.names.inbox);
                let mut reader = Reader::new(Peer::connect(&self.target.address)?, inbox)?;
                let began = Instant::now();
                for (stream, sequences) in part.names.streams.iter().zip(part.sequences) {
                    let mut go_on = |messages: u64| {
                        let share = messages as f64 / acked as f64;
                        watch.progress(&Progress::of(Phase::Verify, began.elapsed(), share));
                        !watch.wants_stop()
                    };
                    whole = whole
                        && verifier.read_stream(&mut self.api, &mut reader, stream, sequences, &mut go_on)?;
                }
            }
            messages += verifier.messages;
            mismatches += verifier.mismatches;
            first = first.or(verifier.first);
        }
        let first = first.unwrap_or_default();
        Ok(match mismatches {
            0 if whole => Verification::Passed { messages },
            0 => Verification::NotDone,
            _ => Verification::Failed { messages, mismatches, first },
        })
    }
}

/// Acked messages that are compared with what was sent.
struct ReadBack<'a> {
    content: &'a Content,
    names: &'a Names,
    /// By stream.
    sequences: &'a [Sequences],
}

impl<'a> ReadBack<'a> {
    fn new(content: &'a Content, names: &'a Names, totals: &'a Totals) -> ReadBack<'a> {
        ReadBack { content, names, sequences: &totals.sequences }
    }
}

/// Tells how far a stream is filled.
struct Filling<'a> {
    watch: &'a mut dyn Watch,
    count: u64,
    operations: u64,
}

impl load::Observer for Filling<'_> {
    fn observe(&mut self, at: Duration, window: Option<load::Window>) {
        self.operations += window.map_or(0, |window| window.operations);
        let share = self.operations as f64 / self.count as f64;
        let progress = Progress { operations: self.operations, ..Progress::of(Phase::Prepare, at, share) };
        self.watch.progress(&progress);
    }

    fn wants_stop(&self) -> bool {
        self.watch.wants_stop()
    }
}
