//! What the process's other threads tell a core, and what a core tells boot.

use super::logins::HashedLogin;
use crate::listener::Accepted;
use crate::report::CoreReport;
use shards::ids::{CoreId, ShardId};
use shards::log::RecoveryReport;
use shards::log::recovery::OpenError;
use shards::shard::Totals;
use std::sync::mpsc::SyncSender;

/// To a core.
#[derive(Debug)]
pub enum Letter {
    Connection(Accepted),
    /// A password was compared.
    LoggedIn(HashedLogin),
    /// The server stops in a while: tell the clients. Answered by `Notice::Clients`.
    LameDuck,
    /// End one client.
    CloseOne,
    /// Stop reading and close the shards. Answered by `Notice::Closed`.
    Close,
    /// Tell what you have to report. Answered by `Notice::Report`.
    Report,
    /// Every core has closed: end the clients, and the loop.
    End,
}

/// From a core, to boot.
#[derive(Debug)]
pub enum Notice {
    /// A shard serves.
    Recovered(Box<Recovered>),
    /// A shard cannot serve.
    CannotOpen(ShardId, OpenError),
    /// Every core knows every stream.
    Settled,
    /// A core, and how many clients it has.
    Clients(CoreId, usize),
    /// How fast a core was.
    Report(Box<CoreReport>),
    /// Nothing that was admitted is left.
    Closed,
    /// The loop cannot go on: a sentence.
    Failed(String),
    /// A signal came, for the thread that waits for notices.
    Signal(i32),
}

/// What a shard found at its start.
#[derive(Debug)]
pub struct Recovered {
    pub shard: ShardId,
    pub report: RecoveryReport,
    /// Changes that could not be read.
    pub unreadable: u64,
    pub totals: Totals,
    pub bytes_on_disk: u64,
}

/// The way to boot. Each core sends a handful of notices in its life; the channel has room for all of them.
#[derive(Clone, Debug)]
pub struct Notices(SyncSender<Notice>);

impl Notices {
    pub fn new(sender: SyncSender<Notice>) -> Self {
        Notices(sender)
    }

    /// Never waits. A notice is lost only when boot has gone, which ends the process.
    pub fn send(&self, notice: Notice) {
        let _ = self.0.try_send(notice);
    }
}
