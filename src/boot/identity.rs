//! Random numbers and names for one start.

use crate::accounts::nkey::{KeyKind, encode};
use rustix::rand::{GetRandomFlags, getrandom};
use std::io;

/// 56 characters from `N` on. Nobody signs with the key, so no private half exists.
/// Errors: the system has no random bytes.
pub fn server_id() -> io::Result<String> {
    Ok(encode(KeyKind::Server, &random()?))
}

/// 56 characters from `X` on, which INFO carries for callouts that encrypt.
pub fn curve_id() -> io::Result<String> {
    Ok(encode(KeyKind::Curve, &random()?))
}

/// A number for one core, shard or shuffle.
pub fn seed() -> io::Result<u64> {
    random().map(u64::from_ne_bytes)
}

/// At most 256 bytes, which the system never cuts short.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(bytes)
}
