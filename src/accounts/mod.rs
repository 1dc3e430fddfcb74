//! Who may connect: users, tokens and their passwords; the server's own keys.
//! May import: client (action, settings, Refused), `shards` (ids).
//! Must not know: sockets, threads, where the configuration comes from.

pub mod nkey;
mod secret;

use crate::client::Refused;
use crate::client::action::Credentials;
use crate::client::settings::Identity;
use nkey::UserKey;
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

/// How a user is known.
#[derive(Clone, Debug)]
pub enum User {
    Named {
        name: String,
        password: Secret,
    },
    /// Signs the nonce of its connection.
    Keyed(UserKey),
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
                if !credentials.nkey.is_empty() && users.iter().any(|user| matches!(user, User::Keyed(_))) {
                    return check_key(users, credentials);
                }
                let named = users.iter().find_map(|user| match user {
                    User::Named { name, password } if !name.is_empty() && *name == credentials.user => {
                        Some((name, password))
                    }
                    _ => None,
                });
                match named {
                    Some((name, password)) => (password, &credentials.pass, &**name),
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

    /// Whether peers may log in with a key, so that each must be told what to sign.
    pub fn has_keys(&self) -> bool {
        matches!(self, Authorization::Users(users) if users.iter().any(|user| matches!(user, User::Keyed(_))))
    }

    /// Whether a secret is in the configuration as it is, which deserves a warning at start.
    pub fn has_plain_secrets(&self) -> bool {
        match self {
            Authorization::Open => false,
            Authorization::Token(token) => !token.is_hash(),
            Authorization::Users(users) => {
                users.iter().any(|user| matches!(user, User::Named { password, .. } if !password.is_hash()))
            }
        }
    }
}

/// A peer that names a key must have signed its nonce with it; nothing else is looked at.
fn check_key(users: &[User], credentials: &Credentials) -> Verdict {
    let key = users.iter().find_map(|user| match user {
        User::Keyed(key) if key.text() == credentials.nkey => Some(key),
        _ => None,
    });
    match key {
        Some(key) if key.has_signed(&credentials.nonce, &credentials.sig) => {
            Verdict::Accept(identity(key.text()))
        }
        _ => Verdict::Refuse,
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
        Credentials {
            user: user.into(),
            pass: pass.into(),
            auth_token: auth_token.into(),
            ..Credentials::default()
        }
    }

    fn users() -> Authorization {
        let user =
            |name: &str, password: &str| User::Named { name: name.into(), password: Secret::new(password) };
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

    /// Key and signature were made with the seed of bytes 0 to 31.
    #[test]
    fn a_user_with_a_key_signs_the_nonce_of_its_connection() {
        const KEY: &str = "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK";
        const SIG: &str =
            "a6vi04KnEDVKFqcPumOyFnaZikVKbNTnpM8Yyi_MUpQ4EJWR4EwapvkJ5UGUhUT24vK7N5ymPQanQguZwbwPBw";
        let key = UserKey::parse(KEY).unwrap();
        let authorization = Authorization::Users(vec![User::Keyed(key)]);
        assert!(authorization.has_keys() && !authorization.has_plain_secrets());
        let offer = |nonce: &str, sig: &str| {
            let (nkey, sig, nonce) = (KEY.into(), sig.into(), nonce.into());
            run(authorization.check(&Credentials { nkey, sig, nonce, ..Credentials::default() }))
        };
        assert_eq!(offer("0123456789abcde", SIG).as_deref(), Some(KEY));
        for (nonce, sig) in [("0123456789abcdf", SIG), ("0123456789abcde", "!!!"), ("0123456789abcde", "")] {
            assert_eq!(offer(nonce, sig), None, "{nonce} {sig}");
        }
        assert!(UserKey::parse(&KEY.replace('U', "N")).is_none());
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
