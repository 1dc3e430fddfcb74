//! Who may connect: users, tokens and their passwords; the server's own keys.
//! May import: client (action, settings, Refused), `shards` (ids).
//! Must not know: sockets, threads, where the configuration comes from.

pub mod nkey;
mod secret;

use crate::client::Refused;
use crate::client::action::Credentials;
use crate::client::settings::Identity;
pub use secret::Secret;
use shards::ids::AccountId;

/// Whom the configuration lets in. One per server; read only.
#[derive(Clone, Debug, Default)]
pub enum Authorization {
    /// Everybody.
    #[default]
    Open,
    /// Who knows the token.
    Token(Secret),
    /// These users, with distinct names. A single user is a list of one.
    Users(Vec<User>),
}

/// A user and its password.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub password: Secret,
}

/// What a check came to.
#[derive(Debug)]
pub enum Verdict {
    Accept(Identity),
    Refuse,
    /// Run this off the core, then hand its result to the client.
    NeedsHash(HashJob),
}

/// A bcrypt comparison: 50 ms of one CPU and more, as the hash's cost says.
#[derive(Debug)]
pub struct HashJob {
    expected: Secret,
    offered: String,
    identity: Identity,
}

impl HashJob {
    /// Compares. Blocks for as long as it takes.
    pub fn run(self) -> Result<Identity, Refused> {
        if self.expected.is(&self.offered) { Ok(self.identity) } else { Err(Refused) }
    }
}

impl Authorization {
    /// Checks what a CONNECT brought. Source: nats-server, server/auth.go (`processClientOrLeafAuthentication`).
    pub fn check(&self, credentials: &Credentials) -> Verdict {
        let (expected, offered, name) = match self {
            Authorization::Open => return Verdict::Accept(identity("")),
            Authorization::Token(token) => (token, &credentials.auth_token, ""),
            Authorization::Users(users) => {
                match users.iter().find(|user| !user.name.is_empty() && user.name == credentials.user) {
                    Some(user) => (&user.password, &credentials.pass, &*user.name),
                    None => return Verdict::Refuse,
                }
            }
        };
        if expected.is_hash() {
            let (expected, offered) = (expected.clone(), offered.clone());
            return Verdict::NeedsHash(HashJob { expected, offered, identity: identity(name) });
        }
        if expected.is(offered) { Verdict::Accept(identity(name)) } else { Verdict::Refuse }
    }

    /// Whom a peer is before its CONNECT; `None` if it must authenticate.
    pub fn anonymous(&self) -> Option<Identity> {
        matches!(self, Authorization::Open).then(|| identity(""))
    }

    /// Whether a secret is in the configuration as it is, which deserves a warning at start.
    pub fn has_plain_secrets(&self) -> bool {
        match self {
            Authorization::Open => false,
            Authorization::Token(token) => !token.is_hash(),
            Authorization::Users(users) => users.iter().any(|user| !user.password.is_hash()),
        }
    }
}

/// Everybody is in the global account.
fn identity(user: &str) -> Identity {
    Identity { account: AccountId::GLOBAL, account_name: GLOBAL_ACCOUNT.into(), user: user.into() }
}

/// Name of `AccountId::GLOBAL`.
pub const GLOBAL_ACCOUNT: &str = "$G";

#[cfg(test)]
mod tests {
    use super::*;

    /// "secret" at the lowest cost.
    const HASH: &str = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

    fn credentials(user: &str, pass: &str, auth_token: &str) -> Credentials {
        Credentials { user: user.into(), pass: pass.into(), auth_token: auth_token.into() }
    }

    fn users() -> Authorization {
        let user = |name: &str, password: &str| User { name: name.into(), password: Secret::new(password) };
        Authorization::Users(vec![user("ann", "plain"), user("bob", HASH)])
    }

    fn run(verdict: Verdict) -> Option<String> {
        match verdict {
            Verdict::Accept(identity) => Some(identity.user.to_string()),
            Verdict::Refuse => None,
            Verdict::NeedsHash(job) => job.run().ok().map(|identity| identity.user.to_string()),
        }
    }

    #[test]
    fn without_authorization_everybody_is_in_the_global_account() {
        let open = Authorization::Open;
        assert_eq!(open.anonymous().map(|identity| identity.account), Some(AccountId::GLOBAL));
        assert!(matches!(open.check(&credentials("x", "y", "z")), Verdict::Accept(_)));
    }

    #[test]
    fn a_user_needs_its_own_password() {
        assert_eq!(run(users().check(&credentials("ann", "plain", ""))).as_deref(), Some("ann"));
        for (user, pass) in [("ann", "plai"), ("ann", ""), ("ann", "plain "), ("eve", "plain"), ("", "")] {
            assert!(matches!(users().check(&credentials(user, pass, "")), Verdict::Refuse), "{user} {pass}");
        }
        assert!(users().anonymous().is_none());
    }

    #[test]
    fn a_hashed_password_is_compared_by_a_job() {
        let verdict = users().check(&credentials("bob", "secret", ""));
        assert!(matches!(verdict, Verdict::NeedsHash(_)));
        assert_eq!(run(verdict).as_deref(), Some("bob"));
        assert_eq!(run(users().check(&credentials("bob", "wrong", ""))), None);
        assert_eq!(run(users().check(&credentials("bob", HASH, ""))), None);
    }

    #[test]
    fn a_token_lets_in_whoever_knows_it_plain_or_hashed() {
        for token in ["secret", HASH] {
            let authorization = Authorization::Token(Secret::new(token));
            assert_eq!(run(authorization.check(&credentials("", "", "secret"))).as_deref(), Some(""));
            assert_eq!(run(authorization.check(&credentials("", "secret", ""))), None);
            assert_eq!(run(authorization.check(&credentials("", "", "Secret"))), None);
        }
    }

    #[test]
    fn a_job_can_go_to_another_thread() {
        fn is_send<T: Send + 'static>() {}
        is_send::<HashJob>();
    }

    #[test]
    fn plain_secrets_are_noticed() {
        assert!(users().has_plain_secrets());
        assert!(!Authorization::Token(Secret::new(HASH)).has_plain_secrets());
    }
}
