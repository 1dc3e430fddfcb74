//! The rings between cores: small, in order, each message visible after a random delay.

use super::random::Random;
use crate::ids::CoreId;
use crate::lanes::{CoreMessage, Lane};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Messages that one lane holds.
const SLOTS: usize = 6;

const LANES: [Lane; 3] = [Lane::Requests, Lane::Replies, Lane::Messages];

/// Messages of one lane, with the time from which the receiver sees them.
type Ring<M> = VecDeque<(Instant, CoreMessage<M>)>;

/// All lanes between all cores.
#[derive(Debug)]
pub struct Rings<M> {
    cores: u16,
    /// By receiver, sender and lane.
    lanes: BTreeMap<(CoreId, CoreId, usize), Ring<M>>,
    /// Lanes that had no room when they were asked.
    full: BTreeSet<(CoreId, CoreId, usize)>,
    /// Cores that are to look again, since there is room.
    woken: BTreeSet<CoreId>,
}

impl<M> Rings<M> {
    pub fn new(cores: u16) -> Self {
        Rings { cores, lanes: BTreeMap::new(), full: BTreeSet::new(), woken: BTreeSet::new() }
    }

    /// If there is none, `from` is woken once there is.
    pub fn has_room(&mut self, from: CoreId, to: CoreId, lane: Lane) -> bool {
        let key = (to, from, number(lane));
        let has_room = self.lanes.get(&key).is_none_or(|ring| ring.len() < SLOTS);
        if !has_room {
            self.full.insert(key);
        }
        has_room
    }

    pub fn send(
        &mut self,
        now: Instant,
        from: CoreId,
        to: CoreId,
        lane: Lane,
        message: CoreMessage<M>,
        random: &mut Random,
    ) {
        let ring = self.lanes.entry((to, from, number(lane))).or_default();
        assert!(ring.len() < SLOTS, "a core sends only what the ring has room for");
        let visible = now + Duration::from_micros(random.between(1, 30));
        let visible = ring.back().map_or(visible, |(before, _)| visible.max(*before));
        ring.push_back((visible, message));
    }

    pub fn receive(&mut self, now: Instant, at: CoreId) -> Option<(CoreId, CoreMessage<M>)> {
        for lane in 0..LANES.len() {
            for from in (0..self.cores).map(CoreId) {
                let Some(ring) = self.lanes.get_mut(&(at, from, lane)) else { continue };
                if let Some((_, message)) = ring.pop_front_if(|(visible, _)| *visible <= now) {
                    if self.full.remove(&(at, from, lane)) {
                        self.woken.insert(from);
                    }
                    return Some((from, message));
                }
            }
        }
        None
    }

    /// A core looks at its rings.
    pub fn looked(&mut self, at: CoreId) {
        self.woken.remove(&at);
    }

    /// When a core has something to receive, or room for what it wants to send.
    pub fn next_due(&self, now: Instant, at: CoreId) -> Option<Instant> {
        if self.woken.contains(&at) {
            return Some(now);
        }
        let mine = self.lanes.range((at, CoreId(0), 0)..=(at, CoreId(u16::MAX), LANES.len()));
        mine.filter_map(|(_, ring)| ring.front().map(|(visible, _)| *visible)).min()
    }
}

fn number(lane: Lane) -> usize {
    LANES.iter().position(|l| *l == lane).unwrap_or(0)
}
