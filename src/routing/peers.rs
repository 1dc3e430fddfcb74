//! The other cores: what is on its way to each, what each has confirmed, how much room its lane has.
//!
//! Everything that goes to another core is an event: a change of this core's interest, or a message. Events are numbered
//! and leave at most once a turn, in order, changes before messages. A core that has handled a mail says so with the number
//! of its last event, in whatever goes back next; at once if it is asked to. A PONG waits until every core has confirmed the
//! events that its connection caused before the PING: then its subscriptions are known everywhere, and its messages are
//! queued for every subscriber.

use super::mail::{CoreMail, Credit, InterestChange, Message};
use crate::limits::{LANE_BYTES_MAX, LANE_MESSAGES_MAX, SPARE_MAILS_MAX};
use shards::ids::CoreId;
use std::collections::VecDeque;

/// All other cores, seen from one. Lives on: its core.
#[derive(Debug)]
pub struct Peers {
    own: CoreId,
    /// By core number; that of this core stays unused.
    peers: Vec<Peer>,
    /// Number of the last event.
    events: u64,
    /// Number of the message in hand, so that one core gets one copy of it, whoever it is for there.
    message: u64,
}

#[derive(Debug, Default)]
struct Peer {
    /// What is sent next.
    outbox: Box<CoreMail>,
    /// First event of the outbox; 0: it has none.
    outbox_first: u64,
    /// First and last event of each mail that is not confirmed yet. Bounded by the lane's credit.
    in_flight: VecDeque<(u64, u64)>,
    /// The peer was asked to confirm events up to here.
    asked: u64,
    /// A mail must go even if it only asks.
    ask: bool,
    /// We have handled the peer's events up to here, and must say so at once.
    handled: u64,
    owes_confirmation: bool,
    /// Of our lane to the peer: sent or in the outbox, and not yet handled there.
    outstanding: Credit,
    /// Of the peer's lane to us: handled, and not yet returned.
    returning: Credit,
    /// Number of the last message in the outbox.
    message: u64,
    /// A mail was polled since `take_wake`.
    wake: bool,
    /// Memory of mails that came, for those that go.
    #[expect(clippy::vec_box, reason = "mails travel in their boxes")]
    spares: Vec<Box<CoreMail>>,
    /// Mails with events that came, less those that went: the peer lacks their memory.
    owed: usize,
}

impl Peers {
    pub fn new(own: CoreId, cores: u16) -> Peers {
        let peers = (0..cores).map(|_| Peer::default()).collect();
        Peers { own, peers, events: 0, message: 0 }
    }

    /// The other cores.
    pub fn others(&self) -> impl Iterator<Item = CoreId> + use<> {
        let own = self.own;
        (0..self.peers.len() as u16).map(CoreId).filter(move |&core| core != own)
    }

    /// Tells all other cores of a change of this core's interest.
    pub fn announce(&mut self, change: &InterestChange) {
        if self.peers.len() < 2 {
            return;
        }
        self.events += 1;
        for core in self.others() {
            let peer = &mut self.peers[usize::from(core.0)];
            peer.note_event(self.events);
            peer.outbox.changes.push(change.clone());
            peer.outbox.confirm = true;
            peer.asked = self.events;
            peer.outstanding.add(change.credit());
        }
    }

    /// Number of the last event.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Every core has handled all events up to this number.
    pub fn confirmed(&self) -> u64 {
        self.peers.iter().filter_map(Peer::oldest_unconfirmed).min().map_or(u64::MAX, |oldest| oldest - 1)
    }

    /// Somebody waits for the confirmation of all events up to this number.
    pub fn ask(&mut self, through: u64) {
        for peer in &mut self.peers {
            if peer.oldest_unconfirmed().is_some_and(|oldest| oldest <= through) && peer.asked < through {
                peer.asked = through;
                peer.outbox.confirm = true;
                peer.ask = true;
            }
        }
    }

    /// The next `send_*` are about another message than those before.
    pub fn next_message(&mut self) {
        self.message += 1;
    }

    /// Sends the message in hand to the plain subscriptions of another core. Always accepted: whoever publishes asks
    /// `has_room` before the next one.
    pub fn send_plain(&mut self, to: CoreId, message: Message<'_>) {
        self.add(to, message, 0).outbox.messages.address_plain();
    }

    /// Sends the message in hand to a member of a queue group on another core.
    pub fn send_queue(&mut self, to: CoreId, message: Message<'_>, queue: &[u8], hops: u8) {
        self.add(to, message, hops).outbox.messages.address_queue(queue);
    }

    /// Whether the messages lane to a core has credit.
    pub fn has_room(&self, to: CoreId) -> bool {
        let outstanding = self.peers[usize::from(to.0)].outstanding;
        outstanding.messages < LANE_MESSAGES_MAX && outstanding.bytes < LANE_BYTES_MAX
    }

    /// Notes what a mail says about our own mails to its sender. Its events are the caller's to handle; then it calls
    /// `handled`.
    pub fn handle_mail(&mut self, from: CoreId, mail: &CoreMail) {
        let peer = &mut self.peers[usize::from(from.0)];
        peer.outstanding.take(mail.returned);
        while peer.in_flight.front().is_some_and(|&(_, last)| last <= mail.confirmed) {
            peer.in_flight.pop_front();
        }
    }

    /// The events of a mail have been handled.
    pub fn handled(&mut self, from: CoreId, mut mail: Box<CoreMail>) {
        let peer = &mut self.peers[usize::from(from.0)];
        peer.handled = peer.handled.max(mail.through);
        peer.owes_confirmation |= mail.confirm;
        mail.changes.iter().for_each(|change| peer.returning.add(change.credit()));
        mail.messages.iter().for_each(|message| peer.returning.add(message.message.credit()));
        peer.owed += usize::from(!mail.is_empty());
        mail.clear();
        if peer.spares.len() < SPARE_MAILS_MAX {
            peer.spares.push(mail);
        }
    }

    /// The next mail to a core, if there is a reason for one. Memory that goes home is none to wake the core for.
    pub fn poll_mail(&mut self, to: CoreId) -> Option<Box<CoreMail>> {
        let peer = &mut self.peers[usize::from(to.0)];
        let is_urgent =
            peer.outbox_first > 0 || peer.ask || peer.owes_confirmation || peer.returning.is_large();
        if !is_urgent && (peer.owed == 0 || peer.spares.is_empty()) {
            return None;
        }
        peer.owed = peer.owed.saturating_sub(1);
        let next = peer.spares.pop().unwrap_or_default();
        let mut mail = std::mem::replace(&mut peer.outbox, next);
        if peer.outbox_first > 0 {
            peer.in_flight.push_back((peer.outbox_first, mail.through));
        }
        peer.outbox.through = mail.through;
        mail.confirmed = peer.handled;
        mail.returned = std::mem::take(&mut peer.returning);
        peer.outbox_first = 0;
        peer.message = 0;
        peer.ask = false;
        peer.owes_confirmation = false;
        peer.wake |= is_urgent;
        Some(mail)
    }

    /// Whether a mail was polled for this core since the last call.
    pub fn take_wake(&mut self, to: CoreId) -> bool {
        std::mem::take(&mut self.peers[usize::from(to.0)].wake)
    }

    /// The peer with the message in hand as the last of its outbox.
    fn add(&mut self, to: CoreId, message: Message<'_>, hops: u8) -> &mut Peer {
        let peer = &mut self.peers[usize::from(to.0)];
        if peer.message != self.message {
            self.events += 1;
            peer.note_event(self.events);
            peer.message = self.message;
            peer.outstanding.add(message.credit());
            peer.outbox.messages.push(message, hops);
        }
        peer
    }
}

impl Peer {
    fn note_event(&mut self, event: u64) {
        if self.outbox_first == 0 {
            self.outbox_first = event;
        }
        self.outbox.through = event;
    }

    fn oldest_unconfirmed(&self) -> Option<u64> {
        let in_flight = self.in_flight.front().map(|&(first, _)| first);
        in_flight.or((self.outbox_first > 0).then_some(self.outbox_first))
    }
}

impl Credit {
    /// Enough for a mail of its own: the other side may be waiting for it.
    fn is_large(self) -> bool {
        self.messages * 4 >= LANE_MESSAGES_MAX || self.bytes * 4 >= LANE_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shards::ids::AccountId;

    fn change() -> InterestChange {
        InterestChange { account: AccountId::GLOBAL, subject: (*b"a").into(), queue: (*b"").into(), count: 1 }
    }

    fn message(payload: &[u8]) -> Message<'_> {
        Message { account: AccountId::GLOBAL, to: b"a", subject: b"a", reply: b"", headers: b"", payload }
    }

    /// Takes the mail from `a` to `b` as the server does.
    fn carry(a: &mut Peers, b: &mut Peers) -> bool {
        let Some(mail) = a.poll_mail(b.own) else { return false };
        b.handle_mail(a.own, &mail);
        b.handled(a.own, mail);
        true
    }

    fn pair() -> (Peers, Peers) {
        (Peers::new(CoreId(0), 2), Peers::new(CoreId(1), 2))
    }

    #[test]
    fn a_core_alone_has_confirmation_at_once() {
        let mut peers = Peers::new(CoreId(0), 1);
        peers.announce(&change());
        assert!(peers.events() <= peers.confirmed());
    }

    #[test]
    fn a_change_is_confirmed_once_every_other_core_has_applied_it() {
        let mut cores: Vec<_> = (0..3).map(|core| Peers::new(CoreId(core), 3)).collect();
        let [a, b, c] = &mut cores[..] else { unreachable!() };
        a.announce(&change());
        assert!(carry(a, b) && carry(b, a));
        assert!(a.confirmed() < a.events());
        assert!(carry(a, c) && carry(c, a));
        assert!(a.confirmed() >= a.events());
        assert!(!carry(a, b) && !carry(b, a) && !carry(c, a), "confirmations are not confirmed");
    }

    #[test]
    fn a_message_is_confirmed_when_somebody_asks() {
        let (mut a, mut b) = pair();
        a.next_message();
        a.send_plain(CoreId(1), message(b"hi"));
        let event = a.events();
        assert!(carry(&mut a, &mut b));
        assert!(a.confirmed() < event);
        a.ask(event);
        a.ask(event);
        assert!(carry(&mut a, &mut b) && carry(&mut b, &mut a));
        assert!(a.confirmed() >= event && !carry(&mut a, &mut b));
    }

    #[test]
    fn later_events_do_not_hold_up_a_confirmation() {
        let (mut a, mut b) = pair();
        a.announce(&change());
        let event = a.events();
        assert!(carry(&mut a, &mut b));
        a.announce(&change());
        assert!(carry(&mut b, &mut a));
        assert!(a.confirmed() >= event && a.confirmed() < a.events());
    }

    #[test]
    fn one_core_gets_one_copy_of_a_message_for_all_its_subscribers() {
        let (mut a, _) = pair();
        a.next_message();
        a.send_plain(CoreId(1), message(b"hi"));
        a.send_queue(CoreId(1), message(b"hi"), b"q", 0);
        a.next_message();
        a.send_plain(CoreId(1), message(b"again"));
        let mail = a.poll_mail(CoreId(1)).unwrap();
        let seen: Vec<_> = mail.messages.iter().map(|m| (m.plain, m.queues().count())).collect();
        assert_eq!(seen, [(true, 1), (true, 0)]);
    }

    #[test]
    fn a_full_lane_has_room_again_after_its_messages_were_handled() {
        let (mut a, mut b) = pair();
        let payload = vec![0; 1 << 20];
        while a.has_room(CoreId(1)) {
            a.next_message();
            a.send_plain(CoreId(1), message(&payload));
        }
        assert!(carry(&mut a, &mut b));
        assert!(!a.has_room(CoreId(1)));
        assert!(carry(&mut b, &mut a));
        assert!(a.has_room(CoreId(1)));
    }

    #[test]
    fn the_memory_of_a_mail_goes_home_once_and_wakes_nobody() {
        let (mut a, mut b) = pair();
        a.next_message();
        a.send_plain(CoreId(1), message(b"hi"));
        assert!(carry(&mut a, &mut b) && a.take_wake(CoreId(1)));
        assert!(carry(&mut b, &mut a) && !b.take_wake(CoreId(0)));
        assert!(!carry(&mut a, &mut b) && !carry(&mut b, &mut a));
        assert_eq!((a.peers[1].spares.len(), b.peers[0].spares.len()), (1, 0));
    }
}
