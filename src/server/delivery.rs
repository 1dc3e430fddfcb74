//! Copies of a message for everybody on its route, here and on other cores.

use super::Server;
use crate::client::Delivery;
use crate::limits::QUEUE_HOPS_MAX;
use crate::routing::mail::{CoreMail, MailMessage, Message};
use crate::routing::peers::Peers;
use crate::routing::route::{Member, RouteIndex};
use crate::routing::service::Service;
use shards::ids::CoreId;

/// What became of a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    /// Somebody got it, or will.
    pub received: bool,
    /// Some of them on another core.
    pub remote: bool,
    /// The lane to this core is full now.
    pub full: Option<CoreId>,
    /// Somebody here reads too slowly.
    pub crowded: bool,
}

impl Server {
    /// Hands a message to all subscribers of a route and to a member of each of its queue groups. `skip`: a client that does
    /// not want to hear itself.
    pub(super) fn fan_out(&mut self, index: RouteIndex, message: &Message<'_>, skip: Option<u32>) -> Sent {
        let Server { interest, clients, peers, random, counters, .. } = self;
        let route = interest.get(message.account, index);
        let delivery = delivery(message);
        let bytes = (message.headers.len() + message.payload.len()) as u64;
        let mut sent = Sent::default();
        let mut copies = 0;
        for &subscription in &route.plain {
            if Some(subscription.client) != skip && clients.deliver(subscription, &delivery) {
                copies += 1;
            }
        }
        if !route.cores.is_empty() || !route.queues.is_empty() {
            peers.next_message();
        }
        for &core in &route.cores {
            peers.send_plain(core, *message);
            sent.note(peers, core);
        }
        for &queue in &route.queues {
            for member in route.candidates(queue, random.draw()) {
                match member {
                    Member::Local(subscription) => {
                        if Some(subscription.client) != skip && clients.deliver(subscription, &delivery) {
                            copies += 1;
                            break;
                        }
                    }
                    Member::Core { core, .. } => {
                        peers.send_queue(core, *message, interest.queue_name(queue.queue), 0);
                        sent.note(peers, core);
                        break;
                    }
                }
            }
        }
        counters.out_messages += copies;
        counters.out_bytes += copies * bytes;
        sent.received |= copies > 0;
        sent.crowded = clients.take_crowded();
        sent
    }

    /// Everything another core has for this one.
    pub(super) fn handle_mail(&mut self, from: CoreId, mail: Box<CoreMail>) {
        self.peers.handle_mail(from, &mail);
        for change in &mail.changes {
            self.interest.apply_change(from, change);
        }
        for message in mail.messages.iter() {
            self.handle_mail_message(&message);
        }
        // Publishers of other cores are not stalled: routes never are.
        self.clients.take_crowded();
        self.settle();
        self.peers.handled(from, mail);
    }

    fn handle_mail_message(&mut self, mail: &MailMessage<'_>) {
        let message = &mail.message;
        let index = self.interest.route(message.account, message.to);
        let route = self.interest.get(message.account, index);
        let is_for_report = mail.plain && route.service == Service::Report;
        let delivery = delivery(message);
        let mut copies = 0;
        if mail.plain {
            for &subscription in &route.plain {
                copies += u64::from(self.clients.deliver(subscription, &delivery));
            }
        }
        let mut is_first = true;
        for name in mail.queues() {
            let queue = self.interest.find_queue(name).and_then(|queue| route.queue(queue));
            let random = self.random.draw();
            let taken = queue.is_some_and(|queue| {
                let mut members = route.local_candidates(queue, random);
                members.any(|member| match member {
                    Member::Local(subscription) => self.clients.deliver(subscription, &delivery),
                    Member::Core { .. } => false,
                })
            });
            if taken {
                copies += 1;
                continue;
            }
            // The members here went while the message was under way. It is passed on as a route would.
            let elsewhere = queue.filter(|_| mail.hops < QUEUE_HOPS_MAX).and_then(|queue| {
                route.candidates(queue, random).find_map(|member| match member {
                    Member::Core { core, .. } => Some(core),
                    Member::Local(_) => None,
                })
            });
            match elsewhere {
                Some(core) => {
                    if std::mem::take(&mut is_first) {
                        self.peers.next_message();
                    }
                    self.peers.send_queue(core, *message, name, mail.hops + 1);
                }
                None => self.counters.dropped_queue_messages += 1,
            }
        }
        self.counters.out_messages += copies;
        self.counters.out_bytes += copies * (message.headers.len() + message.payload.len()) as u64;
        if is_for_report {
            self.ask_for_report(message.account, message.reply);
        }
    }
}

impl Sent {
    fn note(&mut self, peers: &Peers, core: CoreId) {
        self.received = true;
        self.remote = true;
        if !peers.has_room(core) {
            self.full = Some(core);
        }
    }
}

pub(super) fn delivery<'a>(message: &Message<'a>) -> Delivery<'a> {
    Delivery {
        subject: message.subject,
        reply: message.reply,
        headers: message.headers,
        payload: message.payload,
    }
}
