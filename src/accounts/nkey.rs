//! Public nkeys as text: a prefix letter, 32 bytes and a checksum in base32.

use data_encoding::BASE32_NOPAD;

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
