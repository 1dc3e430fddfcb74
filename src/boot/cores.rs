//! The cores of the process: what each is made of, and the threads that run them.

use super::data_directory::{DataDirectory, ShardDirectory};
use super::{Stopped, identity, stopped};
use crate::accounts::Authorization;
use crate::client::settings::Settings;
use crate::config::{Acks, JetStream, Options};
use crate::listener::ACCEPTED_PER_CORE;
use crate::server::{Server, Topology};
use crate::server_log::ServerLog;
use crate::serving::letters::{Letter, Notice, Notices};
use crate::serving::{Hashing, Message, ServingCore, start_hashing};
use shards::bell::{Bell, Letters, Sender, post};
use shards::core::Core;
use shards::disk::detect::Detected;
use shards::disk::memory::advise_huge_pages;
use shards::disk::{Disks, segment_files};
use shards::executors::{Executor, Plan};
use shards::ids::{CoreId, ShardId};
use shards::limits::{BLOCK_LEN, FIRST_SEGMENT_LEN};
use shards::log::disk_op::SegmentFile;
use shards::log::{LogOptions, SyncPolicy};
use shards::mailbox::{Mailbox, mesh};
use shards::net::Poller;
use shards::reactor::{self, Surroundings};
use shards::shard::defect::Defect;
use shards::shard::{Shard, ShardOptions};
use shards::stream::config::ServerLimits;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// What all cores are started with.
pub struct Wiring<'a> {
    pub options: &'a Options,
    pub plan: &'a Plan,
    pub directory: &'a DataDirectory,
    pub detected: &'a Detected,
    pub settings: Arc<Settings>,
    pub authorization: Arc<Authorization>,
    pub log: ServerLog,
}

/// The running cores.
pub struct Cores {
    senders: Vec<Sender<Letter>>,
    executors: Vec<Executor>,
}

/// Everything that one core is made of; goes to its thread.
struct Parts {
    topology: Topology,
    shards: Vec<ShardParts>,
    seed: u64,
    mailbox: Mailbox<Message>,
    letters: Letters<Letter>,
    hashing: Hashing,
    notices: Notices,
    settings: Arc<Settings>,
    authorization: Arc<Authorization>,
    detected: Detected,
    log: ServerLog,
}

struct ShardParts {
    options: ShardOptions,
    path: PathBuf,
    files: Vec<(SegmentFile, u64)>,
}

/// Letters that wait for one core: connections, and room for orders.
const LETTERS_MAX: usize = ACCEPTED_PER_CORE + 64;

/// Starts a thread per core. Shard n lives on core n modulo their number. Errors: no thread or descriptor is left.
pub fn start(wiring: &Wiring<'_>, notices: &Notices) -> Result<Cores, Stopped> {
    let count = wiring.plan.cpus.len();
    let bells = (0..count).map(|_| Bell::new()).collect::<io::Result<Vec<_>>>().map_err(stopped)?;
    let shards: Vec<ShardDirectory> = wiring.directory.shards().collect();
    let homes: Vec<CoreId> = (0..shards.len()).map(|shard| CoreId((shard % count) as u16)).collect();
    let mut cores = Cores { senders: Vec::new(), executors: Vec::new() };
    for (mailbox, cpu) in mesh(&bells).into_iter().zip(&wiring.plan.cpus) {
        let core = mailbox.core();
        let name = format!("core-{core}");
        let (sender, letters) = post(LETTERS_MAX, mailbox.bell());
        let own = shards.iter().enumerate().filter(|(shard, _)| homes[*shard] == core);
        let parts = Parts {
            topology: Topology { core, cores: count as u16, homes: homes.clone() },
            shards: own.map(|(shard, place)| shard_parts(wiring, shard, place)).collect::<Result<_, _>>()?,
            seed: identity::seed().map_err(stopped)?,
            mailbox,
            letters,
            hashing: start_hashing(&format!("hash-{core}"), sender.clone()).map_err(stopped)?,
            notices: notices.clone(),
            settings: Arc::clone(&wiring.settings),
            authorization: Arc::clone(&wiring.authorization),
            detected: wiring.detected.clone(),
            log: wiring.log,
        };
        let executor = Executor::start(&name, *cpu, move || run(parts)).map_err(stopped)?;
        cores.senders.push(sender);
        cores.executors.push(executor);
    }
    Ok(cores)
}

fn shard_parts(wiring: &Wiring<'_>, shard: usize, place: &ShardDirectory) -> Result<ShardParts, Stopped> {
    let path = place.path.clone();
    let files = segment_files(&path)
        .map_err(|error| Stopped(format!("cannot read the directory {}: {error}", path.display())))?;
    let shards = wiring.directory.shards().len();
    let jetstream = &wiring.options.jetstream;
    let options = ShardOptions {
        id: ShardId(shard as u16),
        shards: shards as u16,
        cores: wiring.plan.cpus.len() as u16,
        limits: ServerLimits {
            direct_get_bytes: wiring.options.max_pending,
            memory_max: jetstream.max_memory.unwrap_or_else(three_quarters_of_memory),
            file_max: jetstream.max_file.unwrap_or(u64::MAX),
            ..ServerLimits::default()
        },
        log: LogOptions {
            first_segment_len: first_segment_len(wiring.options.max_payload),
            sync: sync_policy(jetstream),
            advise_memory: advise_huge_pages,
            ..LogOptions::new(place.log_id, identity::seed().map_err(stopped)?)
        },
        defect: Defect::default(),
    };
    Ok(ShardParts { options, path, files })
}

/// A message takes at most a quarter of a segment.
fn first_segment_len(max_payload: usize) -> u64 {
    FIRST_SEGMENT_LEN.max(4 * max_payload as u64).next_multiple_of(BLOCK_LEN as u64)
}

fn sync_policy(options: &JetStream) -> SyncPolicy {
    match options.acks {
        Acks::Synced => SyncPolicy::Synced { sync_interval: options.sync_interval },
        Acks::Written { unsynced_time_max, unsynced_bytes_max } => {
            SyncPolicy::Written { unsynced_max: unsynced_time_max, unsynced_bytes_max }
        }
    }
}

/// As nats-server does without `max_memory_store`.
fn three_quarters_of_memory() -> u64 {
    let info = rustix::system::sysinfo();
    (info.totalram as u64).saturating_mul(u64::from(info.mem_unit)) / 4 * 3
}

/// A core's whole life, on its thread.
fn run(parts: Parts) {
    let notices = parts.notices.clone();
    if let Err(error) = serve(parts) {
        notices.send(Notice::Failed(format!("a core cannot go on: {error}")));
    }
}

fn serve(parts: Parts) -> io::Result<()> {
    let Parts {
        topology,
        shards,
        seed,
        mailbox,
        letters,
        hashing,
        notices,
        settings,
        authorization,
        detected,
        log,
    } = parts;
    let mut around = Surroundings { mailbox, disks: Disks::new()?, poller: Poller::new()? };
    let mut opened = Vec::new();
    for ShardParts { options, path, files } in shards {
        around.disks.add(options.id, path, detected.direct, detected.sync_method)?;
        opened.push(Shard::open(options, files));
    }
    let (id, cores) = (topology.core, topology.cores);
    let core = Core::new(id, cores, opened, Server::new(topology, settings, seed));
    let mut serving = ServingCore::new(core, authorization, hashing, letters, notices, log);
    reactor::run(&mut serving, &mut around)
}

impl Cores {
    pub fn count(&self) -> usize {
        self.senders.len()
    }

    /// For the listener, which deals connections to them in turn.
    pub fn senders(&self) -> Vec<Sender<Letter>> {
        self.senders.clone()
    }

    /// A core that has ended takes no letters; why it has is in a notice.
    pub fn tell(&self, core: usize, letter: Letter) {
        let _ = self.senders[core].send(letter);
    }

    pub fn tell_all(&self, letter: impl Fn() -> Letter) {
        for core in 0..self.count() {
            self.tell(core, letter());
        }
    }

    /// Waits until all threads have ended. Errors: one could not be started.
    pub fn join(self) -> Result<(), Stopped> {
        drop(self.senders);
        self.executors.into_iter().try_for_each(|executor| executor.join().map_err(stopped))
    }
}
