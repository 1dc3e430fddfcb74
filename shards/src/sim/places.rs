//! Where crashes struck, over all runs.

use super::node::Node;

/// A moment in the life of a log at which a crash is worth a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Write,
    BetweenWriteAndSync,
    Sync,
    SegmentChange,
    Checkpoint,
    Recycling,
    Recovery,
}

impl Place {
    pub const ALL: [Place; 7] = [
        Place::Write,
        Place::BetweenWriteAndSync,
        Place::Sync,
        Place::SegmentChange,
        Place::Checkpoint,
        Place::Recycling,
        Place::Recovery,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Place::Write => "write",
            Place::BetweenWriteAndSync => "between write and sync",
            Place::Sync => "sync",
            Place::SegmentChange => "segment change",
            Place::Checkpoint => "checkpoint",
            Place::Recycling => "recycling",
            Place::Recovery => "recovery",
        }
    }

    /// Whether some log of the node is there now.
    pub fn is_met(self, node: &Node) -> bool {
        match self {
            Place::Write => node.activities().any(|a| a.writing),
            Place::BetweenWriteAndSync => node.activities().any(|a| a.written_unsynced),
            Place::Sync => node.activities().any(|a| a.syncing),
            Place::SegmentChange => node.activities().any(|a| a.changing_segment),
            Place::Checkpoint => node.activities().any(|a| a.checkpointing),
            Place::Recycling => node.activities().any(|a| a.recycling),
            Place::Recovery => node.shards().any(|shard| !shard.is_serving()),
        }
    }
}

/// Counts over runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places {
    pub met: [u64; Place::ALL.len()],
    pub torn_tails: u64,
    pub crashes: u64,
    pub clean_stops: u64,
}

/// What the fixed seeds must meet: each place so often, and so many torn tails.
const MET_MIN: u64 = 20;
const TORN_MIN: u64 = 100;

impl Places {
    /// A crash strikes now.
    pub fn note_crash(&mut self, node: &Node) {
        self.crashes += 1;
        for (place, met) in Place::ALL.into_iter().zip(&mut self.met) {
            *met += u64::from(place.is_met(node));
        }
    }

    pub fn add(&mut self, other: &Places) {
        for (met, more) in self.met.iter_mut().zip(other.met) {
            *met += more;
        }
        self.torn_tails += other.torn_tails;
        self.crashes += other.crashes;
        self.clean_stops += other.clean_stops;
    }

    /// What was not met often enough.
    pub fn missing(&self) -> Vec<String> {
        let counts = Place::ALL.into_iter().zip(self.met).map(|(place, met)| (place.name(), met, MET_MIN));
        let counts = counts.chain([("torn tails", self.torn_tails, TORN_MIN)]);
        let few = counts.filter(|(_, met, min)| met < min);
        few.map(|(name, met, min)| format!("{name}: {met} of at least {min}")).collect()
    }
}

impl std::fmt::Display for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} crashes, {} clean stops;", self.crashes, self.clean_stops)?;
        for (place, met) in Place::ALL.into_iter().zip(self.met) {
            write!(f, " {} {met},", place.name())?;
        }
        write!(f, " torn tails {}", self.torn_tails)
    }
}
