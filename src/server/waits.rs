//! Clients that wait: for room in a lane or at a shard, or with a PONG for other cores.

use super::clients::ClientKey;
use crate::limits::STALL_TIME;
use shards::ids::CoreId;
use shards::time::Instant;
use std::collections::VecDeque;

/// What a client waits for before it is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The shards of this core.
    Shards(CoreId),
    /// The messages lane to this core.
    Messages(CoreId),
    /// The output of a subscriber of this core. Whoever publishes to it gives it a moment.
    Subscriber,
}

/// Lives on: its core. Bounded by the number of clients, and for each by the PINGs that a client lets wait.
#[derive(Debug)]
pub struct Waits {
    /// By core number.
    shards: Vec<VecDeque<ClientKey>>,
    messages: Vec<VecDeque<ClientKey>>,
    /// Clients that give a subscriber a moment, until then; in order.
    stalls: VecDeque<(Instant, ClientKey)>,
    /// Clients to read again.
    resumed: VecDeque<ClientKey>,
    /// Unanswered PINGs in the order of the events they wait for.
    pings: VecDeque<(u64, ClientKey)>,
}

impl Waits {
    pub fn new(cores: u16) -> Self {
        let lists = || (0..cores).map(|_| VecDeque::new()).collect();
        Waits {
            shards: lists(),
            messages: lists(),
            stalls: VecDeque::new(),
            resumed: VecDeque::new(),
            pings: VecDeque::new(),
        }
    }

    /// A client is not read until there is room.
    pub fn pause(&mut self, now: Instant, key: ClientKey, full: Full) {
        match full {
            Full::Subscriber => self.stalls.push_back((now + STALL_TIME, key)),
            Full::Shards(core) => self.shards[usize::from(core.0)].push_back(key),
            Full::Messages(core) => self.messages[usize::from(core.0)].push_back(key),
        }
    }

    /// A client that waited for something else than room may be read again.
    pub fn resume(&mut self, key: ClientKey) {
        self.resumed.push_back(key);
    }

    /// The next client that may be read again and did not wait for room.
    pub fn poll_resumed(&mut self) -> Option<ClientKey> {
        self.resumed.pop_front()
    }

    /// The next client whose moment for a subscriber is over.
    pub fn poll_stalled(&mut self, now: Instant) -> Option<ClientKey> {
        self.stalls.pop_front_if(|(until, _)| *until <= now).map(|(_, key)| key)
    }

    /// When the next such moment is over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.stalls.front().map(|(until, _)| *until)
    }

    /// The next client that waited for room where there is some now, as `has_room` says.
    pub fn poll_unpaused(&mut self, has_room: impl Fn(Full) -> bool) -> Option<ClientKey> {
        for core in 0..self.shards.len() {
            let id = CoreId(core as u16);
            if !self.shards[core].is_empty() && has_room(Full::Shards(id)) {
                return self.shards[core].pop_front();
            }
            if !self.messages[core].is_empty() && has_room(Full::Messages(id)) {
                return self.messages[core].pop_front();
            }
        }
        None
    }

    /// A PONG waits until all cores have handled the events up to this number.
    pub fn hold_pong(&mut self, event: u64, key: ClientKey) {
        // Nearly always the last: a client that caused no events lately waits only behind its own earlier PING.
        let place = self.pings.iter().rposition(|&(other, _)| other <= event).map_or(0, |place| place + 1);
        self.pings.insert(place, (event, key));
    }

    /// The next client one of whose PONGs may go.
    pub fn poll_pong(&mut self, confirmed: u64) -> Option<ClientKey> {
        let &(event, key) = self.pings.front()?;
        if event > confirmed {
            return None;
        }
        self.pings.pop_front();
        Some(key)
    }

    /// Whether a PONG waits.
    pub fn has_pings(&self) -> bool {
        !self.pings.is_empty()
    }
}
