//! One core at work: its sockets, its post and its disks around the turn (I/O).
//! May import: accounts, client, connection, listener, report, routing (mail), server, server_log, `shards`.
//! Must not know: how a core is started, what the other cores do.

mod clients;
pub mod letters;
mod logins;
mod surroundings;
mod trace;

use crate::accounts::Authorization;
use crate::connection::Connections;
use crate::routing::mail::CoreMail;
use crate::server::Server;
use crate::server_log::ServerLog;
use clients::{Afterwards, ServedClients};
use letters::{Letter, Notice, Notices};
use logins::Logins;
use shards::bell::Letters;
use shards::core::Core;
use shards::lanes::CoreMessage;
use shards::net::Ready;
use shards::reactor::{Engine, Next, Surroundings};
use shards::shard::CATALOG_SHARD;
use shards::time::Now;
use std::sync::Arc;
use surroundings::AsWorld;

pub use logins::{Hashing, start_hashing};

/// What travels between cores.
pub type Message = CoreMessage<Box<CoreMail>>;

/// One core of the process. Lives on: its core.
pub struct ServingCore {
    core: Core<Server>,
    connections: Connections,
    afterwards: Afterwards,
    logins: Logins,
    letters: Letters<Letter>,
    notices: Notices,
    log: ServerLog,
    /// What boot was told so far of the recovery of this core's shards.
    told: Told,
    stage: Stage,
}

#[derive(Default)]
struct Told {
    /// By place in `core.shards()`.
    recovered: Vec<bool>,
    failed: Vec<bool>,
    set_aside: Vec<bool>,
    settled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    /// Nothing is read; the shards bring to an end what was admitted.
    Closing,
    /// They have; other cores may still want something of this one.
    Closed,
    /// All cores have: say goodbye to the clients.
    Ending,
}

/// Letters taken in one turn; the rest waits for the next.
const LETTERS_PER_TURN: usize = 256;

impl ServingCore {
    /// `core` has not taken a turn yet.
    pub fn new(
        core: Core<Server>,
        authorization: Arc<Authorization>,
        hashing: Hashing,
        letters: Letters<Letter>,
        notices: Notices,
        log: ServerLog,
    ) -> ServingCore {
        let recovered = vec![false; core.shards().len()];
        ServingCore {
            core,
            connections: Connections::default(),
            afterwards: Afterwards::default(),
            logins: Logins::new(authorization, hashing),
            letters,
            notices,
            log,
            told: Told { failed: recovered.clone(), set_aside: recovered.clone(), recovered, settled: false },
            stage: Stage::Serving,
        }
    }

    fn handle_letters(&mut self, now: Now, around: &Surroundings<Message>) {
        for _ in 0..LETTERS_PER_TURN {
            let Some(letter) = self.letters.take() else { return };
            let server = &mut self.core.server;
            match letter {
                Letter::Connection(accepted) => {
                    let clients = &mut ServedClients::new(server, &mut self.afterwards, self.log);
                    self.connections.open(now, accepted, &around.poller, clients);
                }
                Letter::LoggedIn(login) => self.logins.finish(login, server),
                Letter::LameDuck => {
                    server.handle_lame_duck();
                    self.notices.send(Notice::Clients(self.core.id(), self.connections.count()));
                }
                Letter::CloseOne => {
                    let first = server.client_keys().next();
                    if let Some(key) = first {
                        server.close(key, crate::client::close::CloseReason::ServerShutdown);
                    }
                }
                Letter::Close if self.stage == Stage::Serving => {
                    self.stage = Stage::Closing;
                    self.core.close(now);
                }
                Letter::Close => {}
                Letter::Report => {
                    let shards = self.core.shards().iter().map(|shard| (shard.id(), shard.report()));
                    let report = self.core.server.report(shards.collect());
                    self.notices.send(Notice::Report(Box::new(report)));
                }
                Letter::End => {
                    self.stage = Stage::Ending;
                    server.shut_down();
                }
            }
        }
    }

    fn is_reading_due(&self) -> bool {
        self.stage == Stage::Serving && !self.afterwards.resumed.is_empty()
    }

    /// Tells boot what has become of the shards, once each.
    fn tell(&mut self) {
        for (shard, told) in self.core.shards().iter().zip(&mut self.told.recovered) {
            if *told {
                continue;
            }
            let notice = match shard.open_error() {
                Some(error) => Notice::CannotOpen(shard.id(), error),
                None if shard.is_serving() => {
                    let (report, unreadable) = shard.recovery();
                    Notice::Recovered(Box::new(letters::Recovered {
                        shard: shard.id(),
                        report: report.clone(),
                        unreadable,
                        totals: shard.totals(),
                        bytes_on_disk: shard.figures().bytes_on_disk,
                    }))
                }
                None => continue,
            };
            *told = true;
            self.notices.send(notice);
        }
        for (shard, told) in self.core.shards().iter().zip(&mut self.told.failed) {
            if !*told && shard.has_failed() {
                *told = true;
                self.log.error(format_args!(
                    "Shard {}: a write or sync of the log failed; its streams store nothing more until a restart",
                    shard.id()
                ));
            }
        }
        let catalog = self.core.shards().iter().find(|shard| shard.id() == CATALOG_SHARD);
        for (shard, told) in self.core.shards().iter().zip(&mut self.told.set_aside) {
            if *told {
                continue;
            }
            let kept = shard.set_aside();
            *told = !kept.is_empty();
            for group in kept {
                self.log.warn(format_args!(
                    "Shard {}: stream {:?} (group {}, {} messages) is not in the catalog; it is kept and not served",
                    shard.id(),
                    group.stream,
                    group.group,
                    group.messages
                ));
            }
        }
        if !self.told.settled && catalog.is_some_and(|catalog| catalog.is_settled()) {
            self.told.settled = true;
            self.notices.send(Notice::Settled);
        }
        if self.stage == Stage::Closing && self.core.shards().iter().all(|shard| shard.is_closed()) {
            self.stage = Stage::Closed;
            self.notices.send(Notice::Closed);
        }
    }
}

impl Engine for ServingCore {
    type Message = Message;

    fn turn(&mut self, now: Now, ready: &[Ready], around: &mut Surroundings<Message>) -> Next {
        self.handle_letters(now, around);
        self.connections.note(ready);
        let mut at_once = false;
        if self.stage == Stage::Serving {
            let clients = &mut ServedClients::new(&mut self.core.server, &mut self.afterwards, self.log);
            at_once |= self.connections.read(now, clients);
        }
        at_once |= self.logins.check(&mut self.core.server);
        let next = self.core.turn(now, &mut AsWorld(around));
        let clients = &mut ServedClients::new(&mut self.core.server, &mut self.afterwards, self.log);
        self.connections.flush(now, clients);
        self.tell();
        while let Some(key) = self.core.server.poll_resumed() {
            self.afterwards.resumed.push_back(key);
        }
        // Clients that have gone change the interest, which the next turn tells the other cores.
        at_once |= std::mem::take(&mut self.afterwards.has_closed) || self.is_reading_due();
        let deadline = [next.deadline, self.connections.poll_timeout()].into_iter().flatten().min();
        Next { at_once: at_once || next.at_once, deadline, stop: self.stage == Stage::Ending }
    }

    fn handle_turn_end(&mut self, now: Now) {
        self.core.server.handle_turn_end(now);
    }

    fn has_letters(&mut self) -> bool {
        !self.letters.is_empty()
    }
}
