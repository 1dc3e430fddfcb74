//! A client's bytes, and what they ask for.

use super::Server;
use super::clients::ClientKey;
use super::waits::Full;
use crate::client::action::{Action, Next, Publish};
use crate::client::subscriptions::{Subscription, SubscriptionId};
use crate::jetstream::api::{ApiRequest, Handling};
use crate::routing::interest::Interest;
use crate::routing::mail::{InterestChange, Message};
use crate::routing::peers::Peers;
use crate::routing::route::LocalSubscription;
use crate::routing::service::{Home, Service};
use bytes::BytesMut;
use shards::ids::{AccountId, Origin};
use shards::shard::request::ItemKind;
use shards::time::Now;

/// What the shell does with a connection after its bytes were handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Read on. Handing in the buffer again is useful only when it holds at least this many bytes. What is left in it is
    /// the beginning of an operation.
    Continue { at_least: usize },
    /// Do not read. What was not consumed stays in the buffer and is handed in again when `poll_resumed` names the client.
    Pause,
    /// The client has ended, or is gone: read no more. `poll_closing` names it once.
    Closed,
}

impl Server {
    /// Bytes of a client: `buffer` holds what was left over last time and what was read since; what is consumed is taken
    /// from its front, without a copy. The shell bounds the work of a turn by what it reads.
    pub fn handle_bytes(&mut self, now: Now, key: ClientKey, buffer: &mut BytesMut) -> Reading {
        self.now = now;
        self.inputs.note_time(now.monotonic);
        match self.clients.get(key) {
            None => return Reading::Closed,
            Some(connected) if connected.paused => return Reading::Pause,
            Some(_) => {}
        }
        let mut consumed = 0;
        let reading = self.read(key, buffer, &mut consumed);
        self.inputs.end_chunk(buffer, consumed);
        self.clients.note(key);
        self.settle();
        reading
    }

    /// The next client that waited and may be read again; what its buffer holds goes to `handle_bytes` first.
    pub fn poll_resumed(&mut self) -> Option<ClientKey> {
        while let Some(key) = self.waits.poll_resumed() {
            if self.clients.get(key).is_some_and(|connected| !connected.paused) {
                return Some(key);
            }
        }
        let (inputs, peers) = (&self.inputs, &self.peers);
        let has_room = |full| match full {
            Full::Shards(core) => inputs.has_room(core),
            Full::Messages(core) => peers.has_room(core),
            Full::Subscriber => true,
        };
        while let Some(key) = self.waits.poll_unpaused(has_room) {
            if let Some(connected) = self.clients.get_mut(key) {
                connected.paused = false;
                return Some(key);
            }
        }
        None
    }

    /// Performs what the chunk asks for, as far as there is room.
    fn read(&mut self, key: ClientKey, chunk: &[u8], at: &mut usize) -> Reading {
        loop {
            if let Some(full) = self.read_publishes(key, chunk, at) {
                return self.pause(key, full);
            }
            let Some(connected) = self.clients.get_mut(key) else { return Reading::Closed };
            let full = match connected.client.next_action(self.now, chunk, at) {
                Next::Do(Action::Publish(publish)) => {
                    self.counters.in_messages += 1;
                    self.counters.in_bytes += publish.len() as u64;
                    self.publish(key, &publish, chunk)
                }
                Next::Do(Action::Subscribe { account, id, subject, queue }) => {
                    self.subscribe(key, account, id, subject, queue)
                }
                Next::Do(Action::Unsubscribe { account, id, removed }) => {
                    self.unsubscribe(account, local(key, id), &removed);
                    None
                }
                Next::Do(Action::Authenticate(credentials)) => {
                    self.authentications.push_back((key, credentials));
                    None
                }
                Next::Do(Action::Ping) => {
                    self.handle_ping(key);
                    None
                }
                Next::Do(Action::Close) => return Reading::Closed,
                Next::NeedMore { at_least } => {
                    connected.stalled = false;
                    return Reading::Continue { at_least };
                }
                Next::Wait => {
                    connected.waits = true;
                    return Reading::Pause;
                }
            };
            if let Some(full) = full {
                return self.pause(key, full);
            }
        }
    }

    /// A client is not read until there is room.
    fn pause(&mut self, key: ClientKey, full: Full) -> Reading {
        self.waits.pause(self.now.monotonic, key, full);
        if let Some(connected) = self.clients.get_mut(key) {
            connected.paused = true;
            connected.stalled |= full == Full::Subscriber;
        }
        Reading::Pause
    }

    /// A publish goes to subscribers, to the stream that captures it and to the part of the broker that its subject names.
    pub(super) fn publish(&mut self, key: ClientKey, publish: &Publish<'_>, chunk: &[u8]) -> Option<Full> {
        if publish.subject.starts_with(b"$JS.ACK.")
            && let Some(home) = self.interest.ack_home(publish.account, publish.subject)
        {
            return self.push_item(key, ItemKind::Ack, home, publish, chunk);
        }
        let index = self.interest.route(publish.account, publish.subject);
        let route = self.interest.get(publish.account, index);
        let (stream, service) = (route.stream, route.service);
        let message = Message {
            account: publish.account,
            to: publish.subject,
            subject: publish.subject,
            reply: publish.reply,
            headers: publish.headers,
            payload: publish.payload,
        };
        let skip = if publish.echo { None } else { Some(key.slot) };
        let (mut received, mut full) = (false, None);
        if self.interest.get(publish.account, index).has_subscribers() {
            let sent = self.fan_out(index, &message, skip);
            received = sent.received;
            full = sent.full.map(Full::Messages);
            if (sent.remote || sent.crowded)
                && let Some(connected) = self.clients.get_mut(key)
            {
                if sent.remote {
                    connected.last_event = self.peers.events();
                }
                if sent.crowded && !connected.stalled {
                    full = full.or(Some(Full::Subscriber));
                }
            }
        }
        if let Some(home) = stream {
            full = self.push_item(key, ItemKind::Publish, home, publish, chunk).or(full);
            received = true;
        }
        let served = match service {
            Service::None => None,
            Service::Api => return self.request(key, publish, received).or(full),
            Service::Fetch(home) => Some((ItemKind::Fetch, home)),
            Service::Ack(home) => Some((ItemKind::Ack, home)),
            Service::FlowControl(home) => Some((ItemKind::FlowControl, home)),
            Service::Report => {
                self.ask_all_for_reports(index, &message);
                return full;
            }
        };
        if let Some((kind, home)) = served {
            return self.push_item(key, kind, home, publish, chunk).or(full);
        }
        if !received && publish.no_responders {
            self.tell_no_responders(key, publish.subject, publish.reply);
        }
        self.settle();
        full
    }

    /// Adds a message to the batch for its shard.
    fn push_item(
        &mut self,
        key: ClientKey,
        kind: ItemKind,
        home: Home,
        publish: &Publish<'_>,
        chunk: &[u8],
    ) -> Option<Full> {
        let origin = self.origin(key);
        self.inputs.push_item(kind, home, origin, publish, chunk).map(Full::Shards)
    }

    /// A request to the JSON API.
    fn request(&mut self, key: ClientKey, publish: &Publish<'_>, received: bool) -> Option<Full> {
        let request = ApiRequest {
            account: publish.account,
            origin: self.origin(key),
            subject: publish.subject,
            reply: publish.reply,
            headers: publish.headers,
            payload: publish.payload,
        };
        let mut full = None;
        match self.api.handle_request(self.now, self.interest.streams(), request) {
            Handling::Reply(response) => {
                self.publish_own(publish.account, publish.reply, &response.headers, &response.payload);
            }
            Handling::Ask { to, questions } => {
                for (shard, question) in questions {
                    self.inputs.push_request(shard, to.clone(), question);
                    let core = self.inputs.home(shard);
                    if !self.inputs.has_room(core) {
                        full = Some(Full::Shards(core));
                    }
                }
            }
            Handling::NoResponders if !received && publish.no_responders => {
                self.tell_no_responders(key, publish.subject, publish.reply);
            }
            Handling::NoResponders | Handling::Silent => {}
        }
        self.settle();
        full
    }

    fn tell_no_responders(&mut self, key: ClientKey, subject: &[u8], reply: &[u8]) {
        if let Some(connected) = self.clients.get_mut(key) {
            connected.client.no_responders(subject, reply);
            self.clients.note(key);
        }
    }

    fn subscribe(
        &mut self,
        key: ClientKey,
        account: AccountId,
        id: SubscriptionId,
        subject: &[u8],
        queue: &[u8],
    ) -> Option<Full> {
        if let Some(count) = self.interest.subscribe(account, subject, queue, local(key, id)) {
            self.peers.announce(&InterestChange {
                account,
                subject: subject.into(),
                queue: queue.into(),
                count,
            });
        }
        // Not only its own announcement: the one that told of an equal subscription before may be under way still.
        if let Some(connected) = self.clients.get_mut(key) {
            connected.account = account;
            connected.last_event = self.peers.events();
        }
        self.peers.others().find(|&core| !self.peers.has_room(core)).map(Full::Messages)
    }

    /// Takes a subscription that its client has removed already out of the interest.
    pub(super) fn unsubscribe(
        &mut self,
        account: AccountId,
        subscription: LocalSubscription,
        removed: &Subscription,
    ) {
        remove(&mut self.interest, &mut self.peers, account, subscription, removed);
    }

    /// The PONG goes when all cores have handled what this client caused, and after the PONGs before it.
    fn handle_ping(&mut self, key: ClientKey) {
        let confirmed = self.peers.confirmed();
        let Some(connected) = self.clients.get_mut(key) else { return };
        if connected.pings == 0 && connected.last_event <= confirmed {
            connected.client.handle_ping_confirmed();
            return;
        }
        connected.pings += 1;
        self.peers.ask(connected.last_event);
        self.waits.hold_pong(connected.last_event, key);
    }

    /// Lets go the PONGs that waited for what is confirmed now.
    pub(super) fn release_pongs(&mut self) {
        if !self.waits.has_pings() {
            return;
        }
        let confirmed = self.peers.confirmed();
        while let Some(key) = self.waits.poll_pong(confirmed) {
            if let Some(connected) = self.clients.get_mut(key) {
                connected.pings -= 1;
                connected.client.handle_ping_confirmed();
                self.clients.note(key);
                self.resume(key);
            }
        }
    }

    /// What a client waited for has come: it is read again, unless it is paused for another reason.
    pub(super) fn resume(&mut self, key: ClientKey) {
        if let Some(connected) = self.clients.get_mut(key)
            && std::mem::take(&mut connected.waits)
        {
            self.waits.resume(key);
        }
    }

    /// Takes all subscriptions of a client that has ended out of the interest.
    pub(super) fn unsubscribe_all(&mut self, key: ClientKey) {
        let Server { clients, interest, peers, .. } = self;
        let Some(connected) = clients.get(key) else { return };
        for (id, held) in connected.client.subscriptions().iter() {
            remove(interest, peers, connected.account, local(key, id), held);
        }
    }

    pub(super) fn origin(&self, key: ClientKey) -> Origin {
        Origin { core: self.topology.core, slot: key.slot, generation: key.generation }
    }
}

/// Takes a subscription out of the interest, and tells other cores if they must know.
fn remove(
    interest: &mut Interest,
    peers: &mut Peers,
    account: AccountId,
    subscription: LocalSubscription,
    removed: &Subscription,
) {
    let (subject, queue) = (removed.subject(), removed.queue());
    if let Some(count) = interest.unsubscribe(account, subject, queue, subscription) {
        peers.announce(&InterestChange { account, subject: subject.into(), queue: queue.into(), count });
    }
}

/// A client's subscription as the interest knows it.
fn local(key: ClientKey, id: SubscriptionId) -> LocalSubscription {
    LocalSubscription { client: key.slot, slot: id.slot, generation: id.generation }
}
