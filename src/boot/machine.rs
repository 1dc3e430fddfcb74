//! What the machine allows and what was done about it, as lines of the log.

use super::data_directory::DataDirectory;
use super::recovered::size;
use super::{Stopped, stopped};
use crate::config::{Acks, JetStream, Options};
use crate::server_log::ServerLog;
use shards::disk::detect::{Detected, WriteCache, detect};
use shards::disk::memory::huge_pages;
use shards::executors::{self, Plan};

/// Checks and raises what executors need, and places them. Errors: they cannot run here.
pub fn prepare(options: &Options, log: ServerLog) -> Result<Plan, Stopped> {
    let inherited = executors::inherited_cpus().map_err(stopped)?;
    let plan = executors::plan(&inherited, options.cores.as_deref(), options.executors).map_err(stopped)?;
    let count = plan.cpus.len();
    let pinned: Vec<String> = plan.cpus.iter().flatten().map(usize::to_string).collect();
    if plan.crowded {
        log.info(format_args!("Cores: may use {inherited:?}; {count} executors, not pinned"));
        log.warn("There are more executors than cores: they take time from each other");
    } else {
        log.info(format_args!(
            "Cores: may use {inherited:?}; {count} executors, pinned to {}",
            pinned.join(", ")
        ));
    }
    executors::check_io_uring().map_err(stopped)?;
    log.info("io_uring: available");
    explain_huge_pages(log);
    match executors::raise_open_files() {
        Some(limit) => log.info(format_args!("Open files: at most {limit}")),
        None => log.info("Open files: no limit"),
    }
    Ok(plan)
}

/// What memory for large writes is made of. Scattered pages cost CPU and bandwidth, and nothing else.
fn explain_huge_pages(log: ServerLog) {
    match huge_pages().as_deref() {
        Some("never") => log.warn(
            "Huge pages: off; large writes cost more CPU (echo madvise > /sys/kernel/mm/transparent_hugepage/enabled)",
        ),
        Some(setting) => log.info(format_args!("Huge pages: {setting}")),
        None => log.info("Huge pages: unknown to this kernel"),
    }
}

/// Looks at the file system and the device under the data directory. Errors: it cannot be written.
pub fn inspect(directory: &DataDirectory, log: ServerLog) -> Result<Detected, Stopped> {
    let path = directory.path();
    let detected = detect(path).map_err(|error| {
        Stopped(format!("cannot write in the data directory {}: {error}", path.display()))
    })?;
    log.info(format_args!("Data directory: \"{}\" ({})", path.display(), detected.filesystem));
    if detected.direct {
        log.info("Direct I/O: yes");
    } else {
        log.warn("Direct I/O: refused by the file system; writes are buffered, with the same syncs");
    }
    let cache = match detected.write_cache {
        Some(WriteCache::Through) => "write-through cache",
        Some(WriteCache::Back { fua: true }) => "write-back cache with FUA",
        Some(WriteCache::Back { fua: false }) => "write-back cache",
        None => "unknown cache",
    };
    log.info(format_args!(
        "Device: {cache}; write and sync of one block takes {:.0?}; sync method: {}",
        detected.write_and_sync, detected.sync_method
    ));
    Ok(detected)
}

/// Says what an acknowledgement is worth.
pub fn explain_acks(options: &JetStream, detected: &Detected, log: ServerLog) {
    if detected.filesystem.is_memory() {
        let filesystem = detected.filesystem;
        log.warn(format_args!(
            "An acknowledgement means: in memory ({filesystem}); it does not survive a power cut"
        ));
        return;
    }
    match options.acks {
        Acks::Synced if options.sync_interval.is_zero() => {
            log.info("An acknowledgement means: on stable storage");
        }
        Acks::Synced => log.info(format_args!(
            "An acknowledgement means: on stable storage; it waits up to {:?} for others to share the sync",
            options.sync_interval
        )),
        Acks::Written { unsynced_time_max, unsynced_bytes_max } => log.warn(format_args!(
            "An acknowledgement means: written, not synced; a power cut may lose what is younger than {unsynced_time_max:?}, \
             at most {} per shard",
            size(unsynced_bytes_max)
        )),
    }
}
