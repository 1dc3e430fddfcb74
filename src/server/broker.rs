//! Messages that the broker itself publishes: answers, events.

use super::Server;
use super::clients::ClientKey;
use super::delivery::delivery;
use crate::jetstream::advisories;
use crate::jetstream::errors::ApiError;
use crate::jetstream::pub_ack;
use crate::routing::mail::Message;
use crate::routing::route::{LocalSubscription, RouteIndex};
use shards::ids::AccountId;
use shards::shard::answer::{Advisory, Answer};
use shards::shard::request::ReplyTo;

impl Server {
    /// Publishes to whoever subscribed to `to`, and to the stream that captures it. False: nobody received it.
    pub(super) fn publish_own(
        &mut self,
        account: AccountId,
        to: &[u8],
        headers: &[u8],
        payload: &[u8],
    ) -> bool {
        if to.is_empty() {
            return false;
        }
        self.send_own(&Message { account, to, subject: to, reply: b"", headers, payload })
    }

    /// As `publish_own`, with another subject in the MSG line. What a stream captures it stores without a reply subject:
    /// nobody waits for that pub ack. It is dropped and counted while the stream's shard is full.
    pub(super) fn send_own(&mut self, message: &Message<'_>) -> bool {
        let index = self.interest.route(message.account, message.to);
        self.send_on(index, message)
    }

    /// As `send_own`, on the route of the message.
    pub(super) fn send_on(&mut self, index: RouteIndex, message: &Message<'_>) -> bool {
        let route = self.interest.get(message.account, index);
        // As nearly all replies and deliveries: to one listener here.
        if let Some(listener) = route.only_listener() {
            return self.deliver_own(listener, message);
        }
        let stream = route.stream;
        let mut received = self.fan_out(index, message, None).received;
        if let Some(home) = stream {
            received = true;
            if self.inputs.has_room(self.inputs.home(home.shard)) {
                self.inputs.push_own(home, message.account, message.to, message.headers, message.payload);
            } else {
                self.counters.dropped_captures += 1;
            }
        }
        self.settle();
        received
    }

    /// As `fan_out` for a message of the broker itself with a single receiver.
    fn deliver_own(&mut self, listener: LocalSubscription, message: &Message<'_>) -> bool {
        let delivery = delivery(message);
        let received = self.clients.deliver(listener, &delivery);
        if received {
            self.counters.out_messages += 1;
            self.counters.out_bytes += (message.headers.len() + message.payload.len()) as u64;
        }
        // Nobody stalls the broker.
        self.clients.take_crowded();
        self.settle();
        received
    }

    /// An answer of a shard to a request of this core.
    pub(super) fn publish_answer(&mut self, to: &ReplyTo, answer: Answer) {
        match answer {
            Answer::PublishRejected { stream, rejection } => {
                let text = pub_ack::error(&stream, &ApiError::from(rejection));
                self.publish_own(to.account, &to.reply, b"", &text);
            }
            Answer::Empty => {
                self.publish_own(to.account, &to.reply, b"", b"");
            }
            Answer::NoResponders { subject } => {
                let key = ClientKey { slot: to.origin.slot, generation: to.origin.generation };
                if let Some(connected) = self.clients.get_mut(key) {
                    connected.client.no_responders(&subject, &to.reply);
                    self.clients.note(key);
                    self.settle();
                }
            }
            Answer::Report(report) => self.handle_shard_report(to, *report),
            answer => {
                if let Some(response) = self.api.handle_answer(to.tag, answer) {
                    self.publish_own(to.account, &to.reply, &response.headers, &response.payload);
                }
            }
        }
    }

    /// An event, if anybody listens.
    pub(super) fn publish_advisory(&mut self, account: AccountId, advisory: &Advisory) {
        let subject = advisories::subject(advisory);
        if self.interest.visit_cores(account, &subject, |_| {}) {
            let (subject, text) = advisories::encode(advisory, self.now.wall, &mut self.nuid);
            self.publish_own(account, &subject, b"", &text);
        }
    }
}
