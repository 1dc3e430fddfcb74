//! Public nkeys as text: a prefix letter, 32 bytes and a checksum in base32.

use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL_NOPAD};
use ed25519_dalek::{Signature, VerifyingKey};

/// What a key names, and the letter it begins with. Source: nats-io/nkeys, strkey.go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `N`
    Server = 13 << 3,
    /// `X`
    Curve = 23 << 3,
}

/// The text of a public key, 56 characters. For a server that signs nothing, `key` is just random.
pub fn encode(kind: KeyKind, key: &[u8; 32]) -> String {
    let mut bytes = Vec::with_capacity(35);
    bytes.push(kind as u8);
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
    BASE32_NOPAD.encode(&bytes)
}

/// The public key of a user, which starts with `U`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserKey {
    text: Box<str>,
    key: VerifyingKey,
}

/// First byte of a public user key.
const USER: u8 = 20 << 3;

impl UserKey {
    /// None if the text is no public key of a user.
    pub fn parse(text: &str) -> Option<UserKey> {
        let bytes = BASE32_NOPAD.decode(text.as_bytes()).ok()?;
        let (content, sum) = bytes.split_last_chunk::<2>()?;
        let (&kind, key) = content.split_first()?;
        if kind != USER || checksum(content).to_le_bytes() != *sum {
            return None;
        }
        let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        Some(UserKey { text: text.into(), key })
    }

    /// As it was parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether `sig` (base64, URL-safe without padding, else standard) signs `nonce` with the private half.
    /// Source: nats-server, server/auth.go (`processClientOrLeafAuthentication`).
    pub fn has_signed(&self, nonce: &str, sig: &str) -> bool {
        let decoded = BASE64URL_NOPAD.decode(sig.as_bytes()).or_else(|_| BASE64.decode(sig.as_bytes()));
        let signature = decoded.ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
        signature.is_some_and(|signature| self.key.verify_strict(nonce.as_bytes(), &signature).is_ok())
    }
}

/// CRC-16 with polynomial 0x1021, from 0.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0u16, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => crc << 1 ^ 0x1021,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_nats_server_are_encoded_as_it_does() {
        for (kind, text) in [
            (KeyKind::Server, "NAR2TO5UT5XMZDCGLRAKFW2I5EXIDU6XLOTOH2QOI46BQOVRX3GDJZWV"),
            (KeyKind::Curve, "XBIFLEJGW26MZVJ5NSQJV5COULTWHZXBJCDAHHZAOLSHYN6FMSJEQTX6"),
        ] {
            let bytes = BASE32_NOPAD.decode(text.as_bytes()).unwrap();
            assert_eq!(encode(kind, bytes[1..33].try_into().unwrap()), text);
        }
    }
}
