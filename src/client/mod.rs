//! One connected peer, sans-I/O: bytes in, actions and bytes out.
//! May import: protocol, `shards` (ids, time, subject).
//! Must not know: sockets, other clients, streams.

pub mod action;
