//! A password or token as the configuration holds it.

use std::fmt;
use subtle::ConstantTimeEq;

/// Plain, or a bcrypt hash (`$2a$`, `$2b$`, `$2x$`, `$2y$` and a cost of two digits).
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    pub fn new(text: &str) -> Self {
        Secret(text.into())
    }

    /// Source: nats-server, server/auth.go (`validBcryptPrefix`).
    pub fn is_hash(&self) -> bool {
        match self.0.as_bytes() {
            [b'$', b'2', b'a' | b'b' | b'x' | b'y', b'$', tens, ones, b'$', ..] => {
                tens.is_ascii_digit() && ones.is_ascii_digit()
            }
            _ => false,
        }
    }

    /// Whether this is the secret. Takes as long for a wrong one as for the right one; a hash takes tens of milliseconds.
    pub fn is(&self, offered: &str) -> bool {
        if self.is_hash() {
            return bcrypt::verify(offered, &self.0).unwrap_or(false);
        }
        self.0.as_bytes().ct_eq(offered.as_bytes()).into()
    }
}

/// Never shows it.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_hash() { "Secret(bcrypt)" } else { "Secret(plain)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bcrypt_prefix_makes_a_hash() {
        for hash in ["$2a$10$x", "$2b$04$", "$2x$11$abc", "$2y$12$abc"] {
            assert!(Secret::new(hash).is_hash(), "{hash}");
        }
        for plain in ["", "$2", "$2c$10$x", "$2a$1$x", "$2a$ab$x", "x$2a$10$x"] {
            assert!(!Secret::new(plain).is_hash(), "{plain}");
        }
    }

    #[test]
    fn a_broken_hash_lets_nobody_in() {
        assert!(!Secret::new("$2a$10$short").is("short"));
        assert!(!Secret::new("$2a$10$short").is("$2a$10$short"));
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(plain)");
    }
}
