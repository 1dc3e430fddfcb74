//! Everybody who listens, as one core knows it: its own subscriptions, other cores, streams.

use super::last_ack::LastAck;
use super::mail::InterestChange;
use super::queue_names::{QueueId, QueueNames};
use super::route::{KeyKind, LocalSubscription, Member, Route, RouteCache, RouteIndex, Subjects};
use super::service::{self, Home, Service};
use super::stream_table::StreamTable;
use shards::ids::{AccountId, CoreId};
use shards::shard::answer::TableChange;
use shards::shard::request::ItemKind;
use shards::subject::{self, trie::Trie};

/// The interest of all accounts. One copy per core: its own subscriptions exactly, those of other cores as counts.
#[derive(Debug, Default)]
pub struct Interest {
    /// By account number; accounts are numbered densely.
    accounts: Vec<AccountInterest>,
    queues: QueueNames,
    streams: StreamTable,
    /// Somebody came or went since `take_changed` was last called.
    changed: bool,
    /// Members found by the walk in progress; empty between walks.
    members: Vec<(QueueId, Member)>,
    /// A prefix with its wildcard, for the walk in progress.
    pattern: Vec<u8>,
}

#[derive(Debug, Default)]
struct AccountInterest {
    listeners: Trie<Listener>,
    routes: RouteCache,
    acks: LastAck,
    /// Listeners whose pattern may match an ack's subject. Nearly always 0.
    on_acks: usize,
    /// Listeners whose pattern may match an event's subject.
    on_events: usize,
}

/// One reason why a pattern is in the trie.
#[derive(Clone, Copy, Debug)]
struct Listener {
    who: Who,
    /// The pattern's last token is no wildcard: it tells apart subjects that differ in their last token only.
    literal_tail: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Local(QueueId, LocalSubscription),
    Core { queue: QueueId, core: CoreId, count: u32 },
    Stream(Home),
}

impl Interest {
    /// Adds a subscription of this core. Some: what other cores must be told, the number of such subscriptions here.
    pub fn subscribe(
        &mut self,
        account: AccountId,
        subject: &[u8],
        queue: &[u8],
        subscription: LocalSubscription,
    ) -> Option<u32> {
        let queue = self.queues.acquire(queue);
        let here = self.account_mut(account);
        here.insert(subject, Who::Local(queue, subscription));
        self.changed = true;
        self.announcement(account, subject, queue, 1)
    }

    /// Takes out a subscription of this core; `subject` and `queue` as they were given. Some: as for `subscribe`.
    pub fn unsubscribe(
        &mut self,
        account: AccountId,
        subject: &[u8],
        queue: &[u8],
        subscription: LocalSubscription,
    ) -> Option<u32> {
        let queue = self.queues.find(queue)?;
        let who = Who::Local(queue, subscription);
        if !self.account_mut(account).remove(subject, |listener| listener.who == who) {
            return None;
        }
        self.changed = true;
        let told = self.announcement(account, subject, queue, 0);
        self.queues.release(queue);
        told
    }

    /// Another core's interest changed.
    pub fn apply_change(&mut self, from: CoreId, change: &InterestChange) {
        let InterestChange { account, subject, queue, count } = change;
        let queue = self.queues.acquire(queue);
        let is_it =
            |who: &Who| matches!(who, Who::Core { queue: q, core, .. } if *q == queue && *core == from);
        let here = self.account_mut(*account);
        let removed = here.remove(subject, |listener| is_it(&listener.who));
        if *count > 0 {
            here.insert(subject, Who::Core { queue, core: from, count: *count });
            self.changed |= !removed;
        } else {
            self.changed |= removed;
            self.queues.release(queue);
        }
        if removed {
            self.queues.release(queue);
        }
    }

    /// A change to the table of streams. False: it is not newer than what is here.
    pub fn apply_table(&mut self, change: TableChange) -> bool {
        let (account, name) = (change.account, change.stream().to_owned());
        let before = self.streams.by_name(account, &name).cloned();
        if !self.streams.apply(change) {
            return false;
        }
        let after = self.streams.by_name(account, &name).cloned();
        let here = self.account_mut(account);
        for entry in before.iter() {
            let who = Who::Stream(Home::from(entry));
            for subject in &entry.config.subjects {
                here.remove(subject.as_bytes(), |listener| listener.who == who);
            }
        }
        for entry in after.iter() {
            for subject in &entry.config.subjects {
                here.insert(subject.as_bytes(), Who::Stream(Home::from(entry)));
            }
        }
        here.routes.invalidate_all();
        here.acks.forget();
        true
    }

    /// This core's copy of the table of streams.
    pub fn streams(&self) -> &StreamTable {
        &self.streams
    }

    /// Name of a queue group of a route.
    pub fn queue_name(&self, queue: QueueId) -> &[u8] {
        self.queues.name(queue)
    }

    /// The number of a queue group's name, if anybody uses it.
    pub fn find_queue(&self, name: &[u8]) -> Option<QueueId> {
        self.queues.find(name)
    }

    /// Whether somebody came or went, here or elsewhere, since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Who receives a message on a published subject. Costs one comparison if it is the one before, one hash more if it was
    /// asked for recently, and never allocates once the cache is warm.
    #[inline]
    pub fn route(&mut self, account: AccountId, subject: &[u8]) -> RouteIndex {
        if let Some(here) = self.accounts.get(account.0 as usize)
            && let Some(index) = here.routes.again(subject)
        {
            return index;
        }
        let index = self.look_up(account, subject);
        self.account_mut(account).routes.note(index);
        index
    }

    /// The shard that alone gets a message on a published subject, and as what. `None`: somebody else does too, or nobody at
    /// all; ask `route`.
    #[inline]
    pub fn shard(&mut self, account: AccountId, subject: &[u8]) -> Option<(ItemKind, Home)> {
        if subject.starts_with(b"$JS.ACK.")
            && let Some(home) = self.ack_home(account, subject)
        {
            return Some((ItemKind::Ack, home));
        }
        let index = self.route(account, subject);
        self.get(account, index).shard
    }

    fn look_up(&mut self, account: AccountId, subject: &[u8]) -> RouteIndex {
        let here = self.account_mut(account);
        if let Some(prefix) = inbox_prefix(subject) {
            match here.routes.find_prefix(prefix) {
                Some((KeyKind::Prefix, index)) => return index,
                Some(_) => {}
                None => {
                    if let Some(index) = self.fill_prefix(account, prefix) {
                        return index;
                    }
                }
            }
        }
        let here = &self.accounts[account.0 as usize];
        // A stream may have millions of subjects, each of which is asked for once in a while: most share a route. It is looked for
        // first, as the place of a subject alone would mostly be another miss of the processor's cache for nothing.
        if let Some(prefix) = common_prefix(subject) {
            match here.routes.find_prefix(prefix) {
                Some((KeyKind::Prefix, index)) => return index,
                Some(_) => {}
                None => {
                    if !here.listeners.has_literal_behind(&prefix[..prefix.len() - 1]) {
                        if let Some(index) = self.fill_prefix(account, prefix) {
                            return index;
                        }
                    } else {
                        self.account_mut(account).routes.replace(prefix, KeyKind::Divided);
                    }
                }
            }
        }
        if let Some(index) = self.accounts[account.0 as usize].routes.find(subject) {
            return index;
        }
        self.fill_subject(account, subject)
    }

    /// The route that `route` returned, until the interest changes or another route is asked for.
    #[inline]
    pub fn get(&self, account: AccountId, index: RouteIndex) -> &Route {
        self.accounts[account.0 as usize].routes.get(index)
    }

    /// The subscription of this core that alone receives messages on `subject`, and on which other subjects it does.
    pub fn only_listener(
        &mut self,
        account: AccountId,
        subject: &[u8],
    ) -> Option<(Subjects<'_>, LocalSubscription)> {
        let index = self.route(account, subject);
        let (subjects, route) = self.accounts[account.0 as usize].routes.get_with_subjects(index);
        Some((subjects, route.only_listener()?))
    }

    /// Who receives a message on `subject`, if that was asked for recently.
    pub fn cached(&self, account: AccountId, subject: &[u8]) -> Option<&Route> {
        let here = self.accounts.get(account.0 as usize)?;
        if let Some(index) = here.routes.again(subject) {
            return Some(here.routes.get(index));
        }
        let prefix = inbox_prefix(subject).or_else(|| common_prefix(subject));
        let prefix = prefix.and_then(|prefix| here.routes.find_prefix(prefix));
        let index = match prefix {
            Some((KeyKind::Prefix, index)) => Some(index),
            _ => here.routes.find(subject),
        };
        index.map(|index| here.routes.get(index))
    }

    /// Calls `visit` with every other core that listens to `subject`; true: somebody listens, anywhere.
    pub fn visit_cores(&self, account: AccountId, subject: &[u8], mut visit: impl FnMut(CoreId)) -> bool {
        let Some(here) = self.accounts.get(account.0 as usize) else { return false };
        let mut somebody = false;
        here.listeners.visit_matches(subject, |listener| {
            somebody = true;
            if let Who::Core { core, .. } = listener.who {
                visit(core);
            }
        });
        somebody
    }

    /// Whether there is a subscription, anywhere, to literally this subject: a member of `queue`, or a plain one if that is
    /// empty.
    pub fn is_bound(&self, account: AccountId, subject: &[u8], queue: &[u8]) -> bool {
        let (Some(here), Some(queue)) = (self.accounts.get(account.0 as usize), self.queues.find(queue))
        else {
            return false;
        };
        here.listeners.get(subject).iter().any(|listener| match listener.who {
            Who::Local(of, _) | Who::Core { queue: of, .. } => of == queue,
            Who::Stream(_) => false,
        })
    }

    /// Whether anybody may listen to the events of streams and consumers.
    pub fn hears_events(&self, account: AccountId) -> bool {
        self.accounts.get(account.0 as usize).is_some_and(|here| here.on_events > 0)
    }

    /// Whether a client of this core has a plain subscription that matches.
    pub fn has_plain(&self, account: AccountId, subject: &[u8], client: u32) -> bool {
        let Some(here) = self.accounts.get(account.0 as usize) else { return false };
        let mut found = false;
        here.listeners.visit_matches(subject, |listener| {
            found |= matches!(listener.who, Who::Local(queue, own) if queue.is_plain() && own.client == client);
        });
        found
    }

    /// Where an ack goes that nobody but its consumer can want. None: ask `route`. Every ack has a subject of its own, so
    /// their routes are not worth caching.
    #[inline]
    pub fn ack_home(&mut self, account: AccountId, subject: &[u8]) -> Option<Home> {
        let here = self.account_mut(account);
        if here.on_acks > 0 {
            return None;
        }
        here.acks.home(subject).or_else(|| self.find_ack_home(account, subject))
    }

    fn find_ack_home(&mut self, account: AccountId, subject: &[u8]) -> Option<Home> {
        match service::classify(&self.streams, account, subject) {
            Service::Ack(home) => {
                self.account_mut(account).acks.note(subject, home);
                Some(home)
            }
            _ => None,
        }
    }

    fn account_mut(&mut self, account: AccountId) -> &mut AccountInterest {
        let index = account.0 as usize;
        if index >= self.accounts.len() {
            self.accounts.resize_with(index + 1, AccountInterest::default);
        }
        &mut self.accounts[index]
    }

    /// The count that other cores must hear of after a change here. Of plain subscriptions only the first and the end of the
    /// last matter; `edge` is the count that does (1 after an addition, 0 after a removal).
    fn announcement(&self, account: AccountId, subject: &[u8], queue: QueueId, edge: u32) -> Option<u32> {
        let listeners = self.accounts[account.0 as usize].listeners.get(subject);
        let same = listeners.iter().filter(|listener| matches!(listener.who, Who::Local(q, _) if q == queue));
        if queue.is_plain() {
            return (same.take(2).count() as u32 == edge).then_some(edge);
        }
        Some(same.count() as u32)
    }

    /// Works out the route of a subject.
    fn fill_subject(&mut self, account: AccountId, subject: &[u8]) -> RouteIndex {
        let here = &mut self.accounts[account.0 as usize];
        let (index, route) = here.routes.replace(subject, KeyKind::Subject);
        here.listeners.visit_matches(subject, |listener| listener.who.join(route, &mut self.members));
        route.set_members(&mut self.members);
        route.service = service::classify(&self.streams, account, subject);
        route.set_shard();
        index
    }

    /// Works out the route that all subjects with one token more than `prefix` have, if they have the same.
    fn fill_prefix(&mut self, account: AccountId, prefix: &[u8]) -> Option<RouteIndex> {
        self.pattern.clear();
        self.pattern.extend_from_slice(prefix);
        self.pattern.push(b'*');
        let here = &mut self.accounts[account.0 as usize];
        let mut divided =
            !subject::is_valid(&self.pattern) || subject::has_wildcard(&prefix[..prefix.len() - 1]);
        if !divided {
            here.listeners.visit_colliding(&self.pattern, |listener| divided |= listener.literal_tail);
        }
        if divided {
            here.routes.replace(prefix, KeyKind::Divided);
            return None;
        }
        let (index, route) = here.routes.replace(prefix, KeyKind::Prefix);
        here.listeners.visit_colliding(&self.pattern, |listener| listener.who.join(route, &mut self.members));
        route.set_members(&mut self.members);
        route.set_shard();
        Some(index)
    }
}

impl AccountInterest {
    fn insert(&mut self, pattern: &[u8], who: Who) {
        let tail = subject::tokens(pattern).last().unwrap_or_default();
        let literal_tail = tail != b"*" && tail != b">";
        self.listeners.insert(pattern, Listener { who, literal_tail });
        self.on_acks += usize::from(hears_acks(pattern));
        self.on_events += usize::from(hears_events(pattern));
        self.invalidate(pattern);
    }

    fn remove(&mut self, pattern: &[u8], wanted: impl FnMut(&Listener) -> bool) -> bool {
        if self.listeners.remove(pattern, wanted).is_none() {
            return false;
        }
        self.on_acks -= usize::from(hears_acks(pattern));
        self.on_events -= usize::from(hears_events(pattern));
        self.invalidate(pattern);
        true
    }

    fn invalidate(&mut self, pattern: &[u8]) {
        if subject::has_wildcard(pattern) {
            self.routes.invalidate_all();
        } else {
            self.routes.invalidate(pattern);
        }
    }
}

impl Who {
    fn join(self, route: &mut Route, members: &mut Vec<(QueueId, Member)>) {
        match self {
            Who::Local(queue, subscription) if queue.is_plain() => route.plain.push(subscription),
            Who::Local(queue, subscription) => members.push((queue, Member::Local(subscription))),
            Who::Core { queue, core, .. } if queue.is_plain() => route.add_core(core),
            Who::Core { queue, core, count } => members.push((queue, Member::Core { core, weight: count })),
            Who::Stream(home) => route.stream = Some(home),
        }
    }
}

fn hears_acks(pattern: &[u8]) -> bool {
    subject::collide(pattern, b"$JS.ACK.>")
}

fn hears_events(pattern: &[u8]) -> bool {
    subject::collide(pattern, b"$JS.EVENT.>")
}

/// The part of an inbox's subject that all replies to one connection share, with its last dot: clients use
/// `_INBOX.<unique>.<request>` and subscribe once to `_INBOX.<unique>.*` (ADR-4, ADR-40).
#[inline]
fn inbox_prefix(subject: &[u8]) -> Option<&[u8]> {
    let rest = subject.strip_prefix(INBOX)?;
    let dot = memchr::memrchr(b'.', rest)?;
    (dot + 1 < rest.len()).then(|| &subject[..INBOX.len() + dot + 1])
}

/// A subject without its last token, if the broker has no use of its own for what begins so.
#[inline]
fn common_prefix(subject: &[u8]) -> Option<&[u8]> {
    let dot = memchr::memrchr(b'.', subject)?;
    let is_ordinary = dot > 0 && dot + 1 < subject.len() && subject[0] != b'$' && !subject.starts_with(INBOX);
    is_ordinary.then(|| &subject[..=dot])
}

const INBOX: &[u8] = b"_INBOX.";

#[cfg(test)]
#[path = "interest_test.rs"]
mod tests;
