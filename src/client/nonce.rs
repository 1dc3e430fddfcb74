//! What a peer signs to prove that it holds a key.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha512};

/// Gives each connection a text to sign that nobody can foresee and that comes once. One per server; read only.
#[derive(Clone)]
pub struct NonceKey([u8; 32]);

/// Random bytes of which the text is made. Source: nats-server, server/nkey.go (`nonceRawLen`).
const NONCE_LEN: usize = 11;

impl NonceKey {
    /// `secret` must be drawn by the system, new for each start.
    pub fn new(secret: [u8; 32]) -> Self {
        NonceKey(secret)
    }

    /// 15 characters; always the same for a connection, whose number never comes again.
    pub fn nonce(&self, connection: u64) -> String {
        let hash = Sha512::new().chain_update(self.0).chain_update(connection.to_le_bytes()).finalize();
        BASE64URL_NOPAD.encode(&hash[..NONCE_LEN])
    }
}

impl std::fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NonceKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_of_every_start_has_its_own() {
        let (key, other) = (NonceKey::new([1; 32]), NonceKey::new([2; 32]));
        assert_eq!(key.nonce(7).len(), 15);
        assert_eq!(key.nonce(7), key.nonce(7));
        assert_ne!(key.nonce(7), key.nonce(8));
        assert_ne!(key.nonce(7), other.nonce(7));
    }
}
