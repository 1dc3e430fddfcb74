//! Publishes to streams, closed loop: each connection keeps a fixed number of publishes in flight.

use super::in_flight::InFlight;
use crate::address::Address;
use crate::machine::{Device, DeviceCounters, process_time};
use crate::peer::Peer;
use crate::pub_ack::{self, PubAck};
use crate::report::Report;
use crate::sequences::Sequences;
use crate::wire::Operation;
use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(clap::Args, Debug)]
pub struct Settings {
    /// The server, as nats://HOST:PORT or nats://USER:PASS@HOST:PORT
    #[arg(long, visible_alias = "url", default_value = "nats://127.0.0.1:4222")]
    server: Address,
    /// Publishes of one connection that wait for their acknowledgement
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    in_flight: u32,
    /// Connections, all driven by one thread
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Bytes of a payload
    #[arg(long, default_value_t = 128)]
    size: usize,
    /// Streams to spread the publishes over
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    streams: u32,
    /// First tokens of the subjects
    #[arg(long, default_value = "perf")]
    subject: String,
    /// Storage of the streams: file or memory
    #[arg(long, default_value = "file", value_parser = ["file", "memory"])]
    storage: String,
    /// Seconds to measure
    #[arg(long, default_value_t = 10.0, conflicts_with = "count")]
    duration: f64,
    /// Publishes to send instead of a time to measure; there is no warm-up then
    #[arg(long)]
    count: Option<u64>,
    /// Seconds before the measured part
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// Every message has a Nats-Msg-Id of its own
    #[arg(long)]
    msg_id: bool,
    /// The server's process, for its processor time
    #[arg(long)]
    pid: Option<u32>,
    /// A path on the server's data device, for its flushes
    #[arg(long, default_value = ".")]
    data_dir: PathBuf,
    /// Core to run on
    #[arg(long)]
    core: Option<usize>,
}

/// Longest that the last acknowledgements are waited for.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// Nanoseconds; what takes longer counts as this.
const LATENCY_MAX: u64 = 600_000_000_000;

/// Creates the streams, loads the server, deletes the streams. Errors: a sentence.
pub fn run(settings: &Settings) -> Result<Report, String> {
    if let Some(core) = settings.core {
        let mut cores = rustix::thread::CpuSet::new();
        cores.set(core);
        rustix::thread::sched_setaffinity(None, &cores).map_err(|error| format!("core {core}: {error}"))?;
    }
    let run = std::process::id();
    let inbox = format!("_INBOX.perf{run}");
    let mut control = Peer::connect(&settings.server, &inbox)?;
    let streams: Vec<String> = (0..settings.streams).map(|n| format!("PERF_{run}_{n:06}")).collect();
    let outcome = create_streams(settings, &streams, &mut control, &inbox)
        .and_then(|()| Load::start(settings, &streams, run)?.measure());
    for stream in &streams {
        // A stream that was not created cannot be deleted, and nothing else is worth telling here.
        let _ = control.request(&format!("$JS.API.STREAM.DELETE.{stream}"), &inbox, b"");
    }
    outcome
}

fn create_streams(
    settings: &Settings,
    streams: &[String],
    control: &mut Peer,
    inbox: &str,
) -> Result<(), String> {
    for (n, stream) in streams.iter().enumerate() {
        let config = format!(
            "{{\"name\":\"{stream}\",\"subjects\":[\"{}\"],\"retention\":\"limits\",\"storage\":\"{}\",\"discard\":\"old\",\
             \"max_consumers\":-1,\"max_msgs\":-1,\"max_bytes\":-1,\"max_age\":0,\"num_replicas\":1}}",
            subject(settings, n),
            settings.storage
        );
        let answer = control.request(&format!("$JS.API.STREAM.CREATE.{stream}"), inbox, config.as_bytes())?;
        let answer = String::from_utf8_lossy(&answer);
        if answer.contains("\"error\"") || !answer.contains("stream_create_response") {
            return Err(format!("stream {stream} was not created: {answer}"));
        }
    }
    Ok(())
}

fn subject(settings: &Settings, stream: usize) -> String {
    format!("{}.{stream:06}", settings.subject)
}

struct Load<'a> {
    settings: &'a Settings,
    streams: &'a [String],
    connections: Vec<(Peer, InFlight)>,
    sequences: Vec<Sequences>,
    clock: Instant,
    sent: u64,
    acked: u64,
    duplicates: u64,
    wrong: u64,
    first_wrong: Option<String>,
    latency: Histogram<u64>,
}

/// Counters at the start or the end of the measured part.
struct Mark {
    at: Duration,
    acked: u64,
    device: DeviceCounters,
    server_time: Duration,
    own_time: Duration,
}

impl<'a> Load<'a> {
    fn start(settings: &'a Settings, streams: &'a [String], run: u32) -> Result<Load<'a>, String> {
        let payload = vec![b'p'; settings.size];
        let connect = |n: usize| {
            let inbox = format!("_INBOX.p{run}c{n:05}");
            let peer = Peer::connect(&settings.server, &format!("{inbox}.*"))?;
            let id_prefix = format!("{run}-{n:05}");
            let in_flight = InFlight::new(
                settings.in_flight as usize,
                |slot| subject(settings, stream_of(n, slot, settings)),
                &inbox,
                &payload,
                settings.msg_id.then_some(id_prefix.as_str()),
            );
            Ok((peer, in_flight))
        };
        let connections =
            (0..settings.connections as usize).map(connect).collect::<Result<Vec<_>, String>>()?;
        Ok(Load {
            settings,
            streams,
            connections,
            sequences: streams.iter().map(|_| Sequences::default()).collect(),
            clock: Instant::now(),
            sent: 0,
            acked: 0,
            duplicates: 0,
            wrong: 0,
            first_wrong: None,
            latency: Histogram::new_with_bounds(1, LATENCY_MAX, 3).map_err(|error| error.to_string())?,
        })
    }

    fn measure(mut self) -> Result<Report, String> {
        let device = Device::of(&self.settings.data_dir);
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| format!("epoll: {error}"))?;
        for (n, (peer, _)) in self.connections.iter().enumerate() {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(&poll, peer, epoll::EventData::new_u64(n as u64), flags)
                .map_err(|error| format!("epoll: {error}"))?;
        }
        let count = self.settings.count;
        let warmup = Duration::from_secs_f64(if count.is_some() { 0.0 } else { self.settings.warmup });
        let duration = Duration::from_secs_f64(self.settings.duration);
        self.clock = Instant::now();
        let mut first: Option<Mark> = None;
        let mut events = Vec::with_capacity(self.connections.len());
        // Connections with something to read: edges come once, a full buffer leaves more behind.
        let mut readable: Vec<usize> = Vec::new();
        let (first, last) = loop {
            let now = self.clock.elapsed();
            if first.is_none() && now >= warmup {
                first = Some(self.mark(now, device.as_ref()));
                self.latency.reset();
            }
            let over = |first: &mut Mark| match count {
                Some(count) => self.acked + self.duplicates + self.wrong >= count,
                None => now - first.at >= duration,
            };
            if let Some(first) = first.take_if(over) {
                break (first, self.mark(now, device.as_ref()));
            }
            self.send(now, count.unwrap_or(u64::MAX))?;
            self.poll(&poll, &mut events, &mut readable)?;
        };
        let end = Instant::now() + DRAIN_TIME_MAX;
        while self.unacked() > 0 && Instant::now() < end {
            self.send(self.clock.elapsed(), 0)?;
            self.poll(&poll, &mut events, &mut readable)?;
        }
        Ok(self.report(&first, &last, device))
    }

    fn mark(&self, at: Duration, device: Option<&Device>) -> Mark {
        Mark {
            at,
            acked: self.acked,
            device: device.map(Device::counters).unwrap_or_default(),
            server_time: self.settings.pid.map(process_time).unwrap_or_default(),
            own_time: process_time(std::process::id()),
        }
    }

    /// Fills what is free on each connection whose socket has taken everything, up to `count` publishes in all.
    fn send(&mut self, now: Duration, count: u64) -> Result<(), String> {
        for (peer, in_flight) in &mut self.connections {
            if !peer.is_blocked() {
                let left = usize::try_from(count.saturating_sub(self.sent)).unwrap_or(usize::MAX);
                self.sent += in_flight.fill(now.as_nanos() as u64, left, peer.output()) as u64;
            }
            peer.flush()?;
        }
        Ok(())
    }

    /// Waits for sockets unless some are known to be readable, then reads each once.
    fn poll(
        &mut self,
        poll: &rustix::fd::OwnedFd,
        events: &mut Vec<epoll::Event>,
        readable: &mut Vec<usize>,
    ) -> Result<(), String> {
        let wait = Timespec { tv_sec: 0, tv_nsec: if readable.is_empty() { 20_000_000 } else { 0 } };
        events.clear();
        match epoll::wait(poll, rustix::buffer::spare_capacity(events), Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(format!("epoll: {error}")),
        }
        for event in events.iter() {
            // Copied out: the kernel's layout of an event is packed.
            let (n, flags) = (event.data.u64() as usize, event.flags);
            if flags.contains(epoll::EventFlags::IN) && !readable.contains(&n) {
                readable.push(n);
            }
        }
        for n in std::mem::take(readable) {
            if self.read(n)? {
                readable.push(n);
            }
        }
        Ok(())
    }

    /// One read of a connection; false if there was nothing.
    fn read(&mut self, n: usize) -> Result<bool, String> {
        let (peer, in_flight) = &mut self.connections[n];
        let now = self.clock.elapsed().as_nanos() as u64;
        // Publishes of one write have one time, so their acknowledgements of one read are recorded together.
        let mut run = (0u64, 0u64);
        let read = peer.read(|operation| {
            let Operation::Message(message) = operation else { return Ok(()) };
            let Some((slot, sent_at)) = in_flight.complete(message.subject) else {
                self.wrong += 1;
                self.first_wrong.get_or_insert_with(|| "an acknowledgement that nothing waits for".into());
                return Ok(());
            };
            let stream = stream_of(n, slot, self.settings);
            match pub_ack::read(&message, &self.streams[stream]) {
                PubAck::Stored(seq) if self.sequences[stream].add(seq) => self.acked += 1,
                PubAck::Stored(seq) => {
                    self.wrong += 1;
                    self.first_wrong.get_or_insert_with(|| format!("sequence {seq} was given twice"));
                }
                PubAck::Duplicate(_) => self.duplicates += 1,
                PubAck::Wrong(text) => {
                    self.wrong += 1;
                    self.first_wrong.get_or_insert(text);
                }
            }
            let latency = now.saturating_sub(sent_at);
            if latency != run.0 {
                self.latency.saturating_record_n(run.0, run.1);
                run = (latency, 0);
            }
            run.1 += 1;
            Ok(())
        });
        self.latency.saturating_record_n(run.0, run.1);
        read
    }

    fn unacked(&self) -> u64 {
        self.connections.iter().map(|(_, in_flight)| in_flight.len() as u64).sum()
    }

    fn report(self, first: &Mark, last: &Mark, device: Option<Device>) -> Report {
        let Settings { in_flight, connections, size, streams, storage, msg_id, .. } = self.settings;
        let ids = if *msg_id { ", with message ids" } else { "" };
        Report {
            what: format!(
                "publish: {size} B, {connections} connections × {in_flight} in flight, {streams} {storage} streams{ids}"
            ),
            elapsed: last.at - first.at,
            acked: last.acked - first.acked,
            duplicates: self.duplicates,
            wrong: self.wrong,
            unacked: self.unacked(),
            missing: self.sequences.iter().map(Sequences::missing).sum(),
            first_wrong: self.first_wrong,
            payload_bytes: *size,
            latency: self.latency,
            device: device.map(|device| (device.name, last.device - first.device)),
            own_time: last.own_time.saturating_sub(first.own_time),
            server_time: self.settings.pid.map(|_| last.server_time.saturating_sub(first.server_time)),
        }
    }
}

/// The stream that a slot of a connection publishes to.
fn stream_of(connection: usize, slot: usize, settings: &Settings) -> usize {
    (connection * settings.in_flight as usize + slot) % settings.streams as usize
}
