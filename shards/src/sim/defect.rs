//! The deliberate errors, by the names that the command line takes.

use crate::log::defect::Defect as LogDefect;
use crate::shard::defect::Defect as ShardDefect;

/// What the engine is opened with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Defects {
    pub log: LogDefect,
    pub shard: ShardDefect,
}

const IN_LOG: &[(&str, LogDefect)] = &[
    ("ack-before-sync", LogDefect::AckBeforeSync),
    ("keep-behind-cut", LogDefect::KeepBehindCut),
    ("recycled-read-as-new", LogDefect::RecycledReadAsNew),
    ("recycle-before-checkpoint", LogDefect::RecycleBeforeCheckpoint),
    ("checksum-ignored", LogDefect::ChecksumIgnored),
    ("tail-not-synced", LogDefect::TailNotSynced),
    ("relaxed-never-syncs", LogDefect::RelaxedNeverSyncs),
    ("one-file-synced", LogDefect::OneFileSynced),
];

const IN_SHARD: &[(&str, ShardDefect)] = &[
    ("duplicate-answered-early", ShardDefect::AnswersDuplicateEarly),
    ("awaited-ack-answered-early", ShardDefect::AnswersAwaitedAckEarly),
    ("silent-about-damage", ShardDefect::SilentAboutDamage),
    ("delete-lost-on-replay", ShardDefect::LosesDeletesOnReplay),
];

impl Defects {
    /// The defect of this name.
    pub fn by_name(name: &str) -> Option<Defects> {
        let log = IN_LOG.iter().find(|(n, _)| *n == name);
        let shard = IN_SHARD.iter().find(|(n, _)| *n == name);
        match (log, shard) {
            (Some((_, log)), _) => Some(Defects { log: *log, ..Defects::default() }),
            (_, Some((_, shard))) => Some(Defects { shard: *shard, ..Defects::default() }),
            _ => None,
        }
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        IN_LOG.iter().map(|(name, _)| *name).chain(IN_SHARD.iter().map(|(name, _)| *name))
    }
}
