//! The clients of one core: who is here, who has output, who has ended, whose timers are due.

use crate::client::subscriptions::{Subscription, SubscriptionId};
use crate::client::{Client, Delivered, Delivery, DeliveryRun, Queued};
use crate::routing::route::LocalSubscription;
use shards::ids::AccountId;
use shards::time::Instant;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A connection of this core. Stale once the connection has gone: every method then does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey {
    pub slot: u32,
    pub generation: u32,
}

/// A client and what its core notes about it.
#[derive(Debug)]
pub struct Connected {
    pub client: Client,
    /// Account of its subscriptions.
    pub account: AccountId,
    /// Last event for other cores that it caused: its PONG waits until all of them have handled it.
    pub last_event: u64,
    /// PINGs that wait for that.
    pub pings: u32,
    /// It is not read: a lane or a shard that it publishes to is full.
    pub paused: bool,
    /// It is not read for a reason of its own: credentials that are being checked, PONGs that wait.
    pub waits: bool,
    /// It was stalled for the bytes in hand.
    pub stalled: bool,
    /// It is in the list of clients with output.
    dirty: bool,
    /// Its end was noticed.
    ended: bool,
    /// Time of its entry among the timers.
    armed: Option<Instant>,
}

/// An auto-unsubscribed subscription to take out of the interest.
#[derive(Debug)]
pub struct Removal {
    pub account: AccountId,
    pub subscription: LocalSubscription,
    pub removed: Subscription,
}

/// Lives on: its core.
#[derive(Debug)]
pub struct Clients {
    slots: Vec<Slot>,
    free: Vec<u32>,
    dirty: VecDeque<ClientKey>,
    ended: VecDeque<ClientKey>,
    removals: Vec<Removal>,
    /// For each client with a timer one entry at or before it; entries of an earlier state are skipped when they come up.
    timers: BinaryHeap<Reverse<(Instant, ClientKey)>>,
    count: usize,
    /// A client with more than this queued is crowded. Bytes.
    crowded_above: usize,
    /// A crowded client was delivered to since `take_crowded`.
    crowded: bool,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    connected: Option<Box<Connected>>,
}

impl Clients {
    /// `max_pending`: what may be queued to one client. Bytes.
    pub fn new(max_pending: usize) -> Self {
        Clients {
            slots: Vec::new(),
            free: Vec::new(),
            dirty: VecDeque::new(),
            ended: VecDeque::new(),
            removals: Vec::new(),
            timers: BinaryHeap::new(),
            count: 0,
            crowded_above: max_pending / 4 * 3,
            crowded: false,
        }
    }

    pub fn insert(&mut self, client: Client) -> ClientKey {
        let connected = Box::new(Connected {
            client,
            account: AccountId::GLOBAL,
            last_event: 0,
            pings: 0,
            paused: false,
            waits: false,
            stalled: false,
            dirty: false,
            ended: false,
            armed: None,
        });
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        let place = &mut self.slots[slot as usize];
        place.connected = Some(connected);
        self.count += 1;
        ClientKey { slot, generation: place.generation }
    }

    /// Forgets a client; its slot is used again under another generation.
    pub fn remove(&mut self, key: ClientKey) {
        if self.get(key).is_none() {
            return;
        }
        let place = &mut self.slots[key.slot as usize];
        place.connected = None;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.slot);
        self.count -= 1;
    }

    /// Clients here.
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn get(&self, key: ClientKey) -> Option<&Connected> {
        let place = self.slots.get(key.slot as usize)?;
        if place.generation == key.generation { place.connected.as_deref() } else { None }
    }

    pub fn get_mut(&mut self, key: ClientKey) -> Option<&mut Connected> {
        let place = self.slots.get_mut(key.slot as usize)?;
        if place.generation == key.generation { place.connected.as_deref_mut() } else { None }
    }

    /// All clients, ascending by slot.
    pub fn keys(&self) -> impl Iterator<Item = ClientKey> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, place)| place.connected.is_some())
            .map(|(slot, place)| ClientKey { slot: slot as u32, generation: place.generation })
    }

    /// Queues a message for a subscription; false: it was not taken.
    #[inline]
    pub fn deliver(&mut self, to: LocalSubscription, message: &Delivery<'_>) -> bool {
        let Some(place) = self.slots.get_mut(to.client as usize) else { return false };
        let Some(connected) = place.connected.as_deref_mut() else { return false };
        let key = ClientKey { slot: to.client, generation: place.generation };
        let id = SubscriptionId { slot: to.slot, generation: to.generation };
        match connected.client.deliver(id, message) {
            Delivered::Yes => {}
            Delivered::Last(removed) => {
                self.removals.push(Removal { account: connected.account, subscription: to, removed });
            }
            Delivered::Gone => return false,
            Delivered::Overflow => {
                self.note(key);
                return false;
            }
        }
        self.crowded |= connected.client.pending_len() > self.crowded_above;
        if !connected.dirty {
            connected.dirty = true;
            self.dirty.push_back(key);
        }
        true
    }

    /// Queues what `fill` hands over for a subscription. Nothing, if that has to go through `deliver`, message by message.
    pub fn deliver_run(&mut self, to: LocalSubscription, fill: impl FnOnce(&mut DeliveryRun<'_>)) -> Queued {
        let place = self.slots.get_mut(to.client as usize);
        let Some((generation, connected)) =
            place.and_then(|place| Some((place.generation, place.connected.as_deref_mut()?)))
        else {
            return Queued::default();
        };
        let id = SubscriptionId { slot: to.slot, generation: to.generation };
        let Some(mut run) = connected.client.delivery_run(id) else { return Queued::default() };
        fill(&mut run);
        let queued = run.end();
        if queued.messages > 0 && !connected.dirty {
            connected.dirty = true;
            self.dirty.push_back(ClientKey { slot: to.client, generation });
        }
        queued
    }

    /// Whether a delivery since the last call went to a client that reads too slowly and may soon be closed for it.
    pub fn take_crowded(&mut self) -> bool {
        std::mem::take(&mut self.crowded)
    }

    /// To be called after anything was done to a client: notices its end, its output and its next timer.
    pub fn note(&mut self, key: ClientKey) {
        let Some(place) = self.slots.get_mut(key.slot as usize) else { return };
        let Some(connected) = place.connected.as_deref_mut().filter(|_| place.generation == key.generation)
        else {
            return;
        };
        if !connected.ended && connected.client.close_reason().is_some() {
            connected.ended = true;
            self.ended.push_back(key);
        }
        if !connected.dirty && connected.client.output_len() > 0 {
            connected.dirty = true;
            self.dirty.push_back(key);
        }
        self.note_timer(key);
    }

    /// As `note`, for the timer alone.
    pub fn note_timer(&mut self, key: ClientKey) {
        let Some(connected) = self.get_mut(key) else { return };
        if let Some(deadline) = connected.client.poll_timeout()
            && connected.armed.is_none_or(|armed| deadline < armed)
        {
            connected.armed = Some(deadline);
            self.timers.push(Reverse((deadline, key)));
        }
    }

    /// The next client with output that was not yet asked about.
    pub fn poll_dirty(&mut self) -> Option<ClientKey> {
        while let Some(key) = self.dirty.pop_front() {
            if let Some(connected) = self.get_mut(key) {
                connected.dirty = false;
                return Some(key);
            }
        }
        None
    }

    /// Whether a subscription had its last message, or a client's end was noticed.
    #[inline]
    pub fn has_ends(&self) -> bool {
        !self.removals.is_empty() || !self.ended.is_empty()
    }

    /// The next client whose end was just noticed.
    pub fn poll_ended(&mut self) -> Option<ClientKey> {
        self.ended.pop_front()
    }

    /// The next subscription that had its last message.
    pub fn poll_removal(&mut self) -> Option<Removal> {
        self.removals.pop()
    }

    /// The next client whose timer is due.
    pub fn poll_due(&mut self, now: Instant) -> Option<ClientKey> {
        while let Some(Reverse((time, key))) = self.timers.peek().copied()
            && time <= now
        {
            self.timers.pop();
            let Some(connected) = self.get_mut(key).filter(|connected| connected.armed == Some(time)) else {
                continue;
            };
            connected.armed = None;
            if connected.client.poll_timeout().is_some_and(|deadline| deadline <= now) {
                return Some(key);
            }
            self.note(key);
        }
        None
    }

    /// When a timer may be due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((time, _))| *time)
    }
}
