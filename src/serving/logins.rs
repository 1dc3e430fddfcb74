//! Credentials of connecting clients: plain ones are compared here, hashed ones on a thread of their own.

use super::letters::Letter;
use crate::accounts::{Authorization, HashJob, Verdict};
use crate::client::Refused;
use crate::client::settings::Identity;
use crate::server::{ClientKey, Server};
use shards::bell::Sender;
use shards::worker::Worker;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// The thread that compares hashed passwords for one core.
pub type Hashing = Worker<(ClientKey, HashJob)>;

/// The end of a comparison.
#[derive(Debug)]
pub struct HashedLogin {
    key: ClientKey,
    result: Result<Identity, Refused>,
}

/// Lives on: its core.
pub struct Logins {
    authorization: Arc<Authorization>,
    hashing: Hashing,
    /// Comparisons that the thread had no room for. At most one per client, which is not read until it is done and gives up
    /// after its `auth_timeout`.
    waiting: VecDeque<(ClientKey, HashJob)>,
}

/// Comparisons that wait for the thread; the core keeps the others.
const HASHES_WAITING: usize = 4;

/// Starts the thread; it writes to the core through `core`. Errors: no thread can be started.
pub fn start_hashing(name: &str, core: Sender<Letter>) -> io::Result<Hashing> {
    Worker::start(name, HASHES_WAITING, move |(key, job): (ClientKey, HashJob)| {
        // The core has ended: nobody waits for the result.
        let _ = core.send(Letter::LoggedIn(HashedLogin { key, result: job.run() }));
    })
}

impl Logins {
    pub fn new(authorization: Arc<Authorization>, hashing: Hashing) -> Logins {
        Logins { authorization, hashing, waiting: VecDeque::new() }
    }

    /// Checks what the clients of this core brought. True: some may be read again.
    pub fn check(&mut self, server: &mut Server) -> bool {
        let mut any = false;
        while let Some((key, credentials)) = server.poll_authentication() {
            let result = match self.authorization.check(&credentials) {
                Verdict::Accept(identity) => Ok(identity),
                Verdict::Refuse => Err(Refused),
                Verdict::NeedsHash(job) => {
                    self.waiting.push_back((key, job));
                    continue;
                }
            };
            server.handle_authenticated(key, result);
            any = true;
        }
        self.hand_over(server);
        any
    }

    /// A comparison has ended, so there is room for another.
    pub fn finish(&mut self, login: HashedLogin, server: &mut Server) {
        server.handle_authenticated(login.key, login.result);
        self.hand_over(server);
    }

    fn hand_over(&mut self, server: &Server) {
        while let Some((key, job)) = self.waiting.pop_front() {
            if server.client(key).is_none() {
                continue;
            }
            if let Err((key, job)) = self.hashing.submit((key, job)) {
                self.waiting.push_front((key, job));
                return;
            }
        }
    }
}
