//! The server of one core: its clients, and everything between them, the shards and the other cores.
//! May import: client, routing, jetstream, protocol, limits, `shards` (tiers 0 to 4).
//! Must not know: sockets, files, how a shard works.

use bytes::BytesMut;
use shards::ids::{CoreId, ShardId};
use shards::time::Now;

/// A connection of this core. Stale once the connection has gone: every method then does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey {
    pub slot: u32,
    pub generation: u32,
}

/// What the shell does with a connection after its bytes were handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Read on.
    Continue,
    /// Do not read. What was not consumed stays in the buffer and is handed in again when `poll_resumed` names the client.
    Pause,
    /// Write what is queued, then close.
    Closed,
}

/// Which cores there are, where the shards live.
#[derive(Clone, Debug)]
pub struct Topology {
    pub core: CoreId,
    pub cores: u16,
    /// Core of each shard, by shard number.
    pub homes: Vec<CoreId>,
}

/// The server of one core. Lives on: its core; nothing of it is shared.
///
/// Between turns the shell calls `handle_bytes` for each socket that has something, then `poll_dirty` for the clients that
/// have output, `poll_closing` for those to close, `poll_authentication` for passwords to check off the core. The turn calls
/// it as `shards::core_server::CoreServer`, which is implemented in `turn`.
#[derive(Debug)]
pub struct Server {
    topology: Topology,
}

impl Server {
    /// `seed` decides which member of a queue group is served.
    pub fn new(topology: Topology, seed: u64) -> Self {
        let _ = seed;
        Server { topology }
    }

    /// Home of a shard.
    pub fn home(&self, shard: ShardId) -> CoreId {
        self.topology.homes[usize::from(shard.0)]
    }

    /// Bytes of a client: `buffer` holds what was left over last time and what was read since; what is consumed is taken
    /// from its front.
    pub fn handle_bytes(&mut self, now: Now, key: ClientKey, buffer: &mut BytesMut) -> Reading {
        let _ = (now, key, buffer);
        Reading::Continue
    }

    /// The socket has ended or failed.
    pub fn handle_closed(&mut self, now: Now, key: ClientKey) {
        let _ = (now, key);
    }

    /// The next client that has output which the shell has not been told of. Ask until `None` after a turn.
    pub fn poll_dirty(&mut self) -> Option<ClientKey> {
        None
    }

    /// The next client that was paused and may be read again; its leftover bytes go to `handle_bytes` first.
    pub fn poll_resumed(&mut self) -> Option<ClientKey> {
        None
    }

    /// The next client to close without being asked by its own bytes: too slow, stale, shut down. What is queued is
    /// written first, as far as the socket takes it at once.
    pub fn poll_closing(&mut self) -> Option<ClientKey> {
        None
    }
}
