//! Who may connect: users, tokens and their passwords.
//! May import: client (action, settings), `shards` (ids).
//! Must not know: sockets, threads.

use crate::client::action::Credentials;
use crate::client::settings::Identity;

/// Whom the configuration lets in. One per server; read only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// Everybody.
    #[default]
    Open,
    /// Who knows the token, plain or bcrypt.
    Token(String),
    /// These users. A single user is a list of one.
    Users(Vec<User>),
}

/// A user and its password, plain or bcrypt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub user: String,
    pub password: String,
}

/// What a check came to.
#[derive(Debug)]
pub enum Verdict {
    Accept(Identity),
    Refuse,
    /// Run this off the core, then hand its result to the client.
    NeedsHash(HashJob),
}

/// A bcrypt comparison: some 100 ms of one CPU.
#[derive(Debug)]
pub struct HashJob {}

impl HashJob {
    /// Compares; `None`: refused.
    pub fn run(self) -> Option<Identity> {
        todo!()
    }
}

#[expect(unused_variables, reason = "the bodies come with the next change")]
impl Authorization {
    /// Checks what a CONNECT brought.
    pub fn check(&self, credentials: &Credentials) -> Verdict {
        todo!()
    }

    /// Whom a peer is before its CONNECT; `None` if it must authenticate.
    pub fn anonymous(&self) -> Option<Identity> {
        todo!()
    }
}
