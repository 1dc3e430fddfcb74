//! The three lanes from each core to each other core, over rings, and the wake when a core sleeps.
//! May import: bell, ids, lanes, limits, ring.
//! Must not know: what a message means, how credit is counted.

use crate::bell::Bell;
use crate::ids::CoreId;
use crate::lanes::Lane;
use crate::limits::LANE_SLOTS;
use crate::ring::{Consumer, Producer, ring};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

/// One core's ends of the lanes to and from all others. Lives on: its core.
pub struct Mailbox<T> {
    core: CoreId,
    bell: Bell,
    /// By core; `None` for the own one.
    peers: Vec<Option<Peer<T>>>,
}

/// The lanes to and from one other core, by `index`.
struct Peer<T> {
    bell: Bell,
    outgoing: [Outgoing<T>; LANES],
    incoming: [Incoming<T>; LANES],
}

struct Outgoing<T> {
    ring: Producer<T>,
    starved: Arc<AtomicBool>,
}

struct Incoming<T> {
    ring: Consumer<T>,
    /// The sender found no room and wants to be woken when there is some. Set by the sender, cleared by the receiver.
    starved: Arc<AtomicBool>,
}

const LANES: usize = 3;

/// Replies come first: they free what requests wait for.
fn index(lane: Lane) -> usize {
    match lane {
        Lane::Replies => 0,
        Lane::Requests => 1,
        Lane::Messages => 2,
    }
}

/// The mailboxes of all cores, in their order; hand each to its core. `bells[i]` wakes core i.
pub fn mesh<T: Send>(bells: &[Bell]) -> Vec<Mailbox<T>> {
    let mut mailboxes: Vec<Mailbox<T>> = (0..)
        .zip(bells)
        .map(|(core, bell)| Mailbox {
            core: CoreId(core),
            bell: bell.clone(),
            peers: bells.iter().map(|_| None).collect(),
        })
        .collect();
    for a in 0..bells.len() {
        for b in a + 1..bells.len() {
            let (a_to_b, b_from_a) = lanes();
            let (b_to_a, a_from_b) = lanes();
            mailboxes[a].peers[b] =
                Some(Peer { bell: bells[b].clone(), outgoing: a_to_b, incoming: a_from_b });
            mailboxes[b].peers[a] =
                Some(Peer { bell: bells[a].clone(), outgoing: b_to_a, incoming: b_from_a });
        }
    }
    mailboxes
}

fn lanes<T: Send>() -> ([Outgoing<T>; LANES], [Incoming<T>; LANES]) {
    let lane = || {
        let (producer, consumer) = ring(LANE_SLOTS);
        let starved = Arc::new(AtomicBool::new(false));
        (Outgoing { ring: producer, starved: Arc::clone(&starved) }, Incoming { ring: consumer, starved })
    };
    let ((out0, in0), (out1, in1), (out2, in2)) = (lane(), lane(), lane());
    ([out0, out1, out2], [in0, in1, in2])
}

impl<T: Send> Mailbox<T> {
    /// The core whose mailbox this is.
    pub fn core(&self) -> CoreId {
        self.core
    }

    /// The bell of this core.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Whether the lane takes one more message. If not, this core is woken once there is room.
    pub fn has_room(&mut self, to: CoreId, lane: Lane) -> bool {
        let outgoing = &mut self.peer(to).outgoing[index(lane)];
        if outgoing.ring.room() > 0 {
            return true;
        }
        outgoing.starved.store(true, Ordering::Relaxed);
        // Pairs with the fence in `receive`: either we see the room, or the receiver sees that we wait for it.
        fence(Ordering::SeqCst);
        outgoing.ring.room() > 0
    }

    /// Sends; only after `has_room`. The receiver finds the message in its next turn; `wake` makes that soon.
    pub fn send(&mut self, to: CoreId, lane: Lane, message: T) {
        let sent = self.peer(to).outgoing[index(lane)].ring.push(message);
        assert!(sent.is_ok(), "a message was sent without room");
    }

    /// Wakes the core if it sleeps.
    pub fn wake(&mut self, to: CoreId) {
        self.peer(to).bell.ring();
    }

    /// The next message from any other core; those of one lane in order.
    pub fn receive(&mut self) -> Option<(CoreId, T)> {
        for (core, peer) in (0..).zip(self.peers.iter_mut()) {
            let Some(peer) = peer else { continue };
            for incoming in &mut peer.incoming {
                if let Some(message) = incoming.ring.pop() {
                    if incoming.sender_starves() {
                        peer.bell.ring();
                    }
                    return Some((CoreId(core), message));
                }
            }
        }
        None
    }

    /// True if nothing waits to be received. Ask after `Bell::fall_asleep`.
    pub fn is_empty(&mut self) -> bool {
        self.peers.iter_mut().flatten().all(|peer| peer.incoming.iter_mut().all(|lane| lane.ring.is_empty()))
    }

    fn peer(&mut self, core: CoreId) -> &mut Peer<T> {
        self.peers[usize::from(core.0)].as_mut().expect("a core sends nothing to itself")
    }
}

impl<T: Send> Incoming<T> {
    /// True once after the sender found no room. Asked when the ring has been emptied, so that the sender, when it
    /// wakes, finds all of it.
    fn sender_starves(&mut self) -> bool {
        if !self.ring.is_empty() {
            return false;
        }
        // Pairs with the fence in `has_room`.
        fence(Ordering::SeqCst);
        self.starved.load(Ordering::Relaxed) && self.starved.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    const B: CoreId = CoreId(1);

    fn two() -> (Mailbox<u32>, Mailbox<u32>) {
        let bells = [Bell::new().unwrap(), Bell::new().unwrap()];
        let mut both = mesh(&bells);
        let second = both.pop().unwrap();
        (both.pop().unwrap(), second)
    }

    fn received(mailbox: &mut Mailbox<u32>) -> Vec<u32> {
        std::iter::from_fn(|| mailbox.receive().map(|(_, message)| message)).collect()
    }

    fn rang(bell: &Bell) -> bool {
        rustix::io::read(bell.as_fd(), &mut [0; 8]) == Ok(8)
    }

    #[test]
    fn messages_arrive_in_order_and_replies_first() {
        let (mut a, mut b) = two();
        assert!(b.is_empty());
        a.send(B, Lane::Messages, 1);
        a.send(B, Lane::Messages, 2);
        a.send(B, Lane::Requests, 3);
        a.send(B, Lane::Replies, 4);
        assert!(!b.is_empty());
        assert_eq!(received(&mut b), [4, 3, 1, 2]);
        assert!(b.is_empty() && a.is_empty());
    }

    #[test]
    fn only_a_core_that_sleeps_is_woken() {
        let (mut a, b) = two();
        a.wake(B);
        assert!(!rang(b.bell()));
        b.bell().fall_asleep();
        a.wake(B);
        a.wake(B);
        assert!(rang(b.bell()));
        assert!(!rang(b.bell()));
    }

    #[test]
    fn a_sender_without_room_is_woken_when_the_lane_is_empty() {
        let (mut a, mut b) = two();
        for message in 0..LANE_SLOTS as u32 {
            assert!(a.has_room(B, Lane::Replies));
            a.send(B, Lane::Replies, message);
        }
        assert!(!a.has_room(B, Lane::Replies));
        assert!(a.has_room(B, Lane::Requests));
        a.bell().fall_asleep();
        b.receive();
        assert!(!rang(a.bell()));
        received(&mut b);
        assert!(rang(a.bell()));
        assert!(a.has_room(B, Lane::Replies));
    }
}
