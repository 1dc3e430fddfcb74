//! Who receives a message on one subject, and a cache of such answers.

use super::queue_names::QueueId;
use super::service::{Home, Service};
use crate::limits::{ROUTES_MAX, ROUTES_MIN};
use shards::hashing::hash_bytes;
use shards::ids::CoreId;
use shards::shard::request::ItemKind;

/// A subscription of a client of this core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalSubscription {
    /// Slot in the core's table of clients.
    pub client: u32,
    /// Slot in the client's table of subscriptions, and its generation.
    pub slot: u32,
    pub generation: u32,
}

/// Who can take a message for a queue group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    Local(LocalSubscription),
    /// This many members on another core, which chooses among them.
    Core {
        core: CoreId,
        weight: u32,
    },
}

impl Member {
    /// In how many of the draws this one is drawn.
    pub fn weight(self) -> u32 {
        match self {
            Member::Local(_) => 1,
            Member::Core { weight, .. } => weight,
        }
    }
}

/// One queue group of a route: a run of `Route::members`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueRoute {
    pub queue: QueueId,
    first: u32,
    len: u32,
    /// How many of them, from the first on, are local.
    locals: u32,
    weight: u32,
}

/// Everybody who receives a message on one subject. Lives on: its core, in a cache.
#[derive(Debug, Default)]
pub struct Route {
    /// One copy each.
    pub plain: Vec<LocalSubscription>,
    /// Other cores with plain subscriptions. One copy each.
    pub cores: Vec<CoreId>,
    /// One member of each receives a copy.
    pub queues: Vec<QueueRoute>,
    /// The stream that stores the message.
    pub stream: Option<Home>,
    pub service: Service,
    /// The shard that alone gets the message, and as what; `None` if anybody else does, or nobody.
    pub shard: Option<(ItemKind, Home)>,
    members: Vec<Member>,
}

impl Route {
    /// Whether there are subscribers, here or elsewhere.
    #[inline]
    pub fn has_subscribers(&self) -> bool {
        !self.plain.is_empty() || !self.cores.is_empty() || !self.queues.is_empty()
    }

    /// The subscription of this core that alone receives the message, if there is one.
    pub fn only_listener(&self) -> Option<LocalSubscription> {
        match self.plain[..] {
            [only] if self.cores.is_empty() && self.queues.is_empty() && self.stream.is_none() => Some(only),
            _ => None,
        }
    }

    /// Whether there are subscribers, or a stream.
    pub fn has_receivers(&self) -> bool {
        self.has_subscribers() || self.stream.is_some()
    }

    /// Cores that may get a copy, with repetitions.
    pub fn remote_cores(&self) -> impl Iterator<Item = CoreId> {
        let of_queues = self.members.iter().filter_map(|member| match member {
            Member::Core { core, .. } => Some(*core),
            Member::Local(_) => None,
        });
        self.cores.iter().copied().chain(of_queues)
    }

    /// The members of a queue group in the order in which they are to be tried: from a random one, drawn in proportion to
    /// the weights, around (nats-server, server/client.go: processMsgResults).
    pub fn candidates(&self, queue: QueueRoute, random: u64) -> impl Iterator<Item = Member> {
        let members = &self.members[queue.first as usize..(queue.first + queue.len) as usize];
        let mut left = (random % u64::from(queue.weight.max(1))) as u32;
        let start = members.iter().position(|member| {
            let here = left < member.weight();
            left = left.saturating_sub(member.weight());
            here
        });
        let (before, from) = members.split_at(start.unwrap_or(0));
        from.iter().chain(before).copied()
    }

    /// The members on this core alone, in the order in which they are to be tried.
    pub fn local_candidates(&self, queue: QueueRoute, random: u64) -> impl Iterator<Item = Member> {
        let members = &self.members[queue.first as usize..(queue.first + queue.locals) as usize];
        let (before, from) = members.split_at((random % members.len().max(1) as u64) as usize);
        from.iter().chain(before).copied()
    }

    /// The route's part for a queue group.
    pub fn queue(&self, queue: QueueId) -> Option<QueueRoute> {
        self.queues.iter().copied().find(|route| route.queue == queue)
    }

    /// Starts over, keeping the memory.
    pub(super) fn clear(&mut self) {
        self.plain.clear();
        self.cores.clear();
        self.queues.clear();
        self.members.clear();
        self.stream = None;
        self.service = Service::None;
        self.shard = None;
    }

    /// To be called when everything else is known.
    pub(super) fn set_shard(&mut self) {
        self.shard = match (self.stream, self.service) {
            _ if self.has_subscribers() => None,
            (Some(home), Service::None) => Some((ItemKind::Publish, home)),
            (None, Service::Fetch(home)) => Some((ItemKind::Fetch, home)),
            (None, Service::Ack(home)) => Some((ItemKind::Ack, home)),
            (None, Service::FlowControl(home)) => Some((ItemKind::FlowControl, home)),
            _ => None,
        };
    }

    pub(super) fn add_core(&mut self, core: CoreId) {
        if !self.cores.contains(&core) {
            self.cores.push(core);
        }
    }

    /// Sets the members of all queue groups; `found` is left empty. Members of one name form one group, whatever the
    /// patterns of their subscriptions are; a core that has several patterns of a name counts once, with their sum.
    pub(super) fn set_members(&mut self, found: &mut Vec<(QueueId, Member)>) {
        found.sort_unstable_by_key(|&(queue, member)| match member {
            Member::Local(subscription) => (queue, 0, subscription.client, subscription.slot),
            Member::Core { core, .. } => (queue, 1, u32::from(core.0), 0),
        });
        for (queue, member) in found.drain(..) {
            if self.queues.last().is_none_or(|last| last.queue != queue) {
                let first = self.members.len() as u32;
                self.queues.push(QueueRoute { queue, first, len: 0, locals: 0, weight: 0 });
            }
            let Some(group) = self.queues.last_mut() else { continue };
            group.weight = group.weight.saturating_add(member.weight());
            group.locals += u32::from(matches!(member, Member::Local(_)));
            let last = self.members.last_mut().filter(|_| group.len > 0);
            if let (Some(Member::Core { core, weight }), Member::Core { core: same, weight: more }) =
                (last, member)
                && *core == same
            {
                *weight = weight.saturating_add(more);
            } else {
                self.members.push(member);
                group.len += 1;
            }
        }
    }
}

/// Routes by subject: two places per hash, so that a lookup is one or two comparisons and a miss reuses the memory of what it
/// replaces. With one, a few of the streams that are written to in turn would drive out each other's routes for ever.
/// Bounded by `ROUTES_MAX` places per account. Lives on: its core.
#[derive(Debug)]
pub struct RouteCache {
    places: Vec<Place>,
    /// Number of the current state of the interest as far as wildcards are concerned. A route with another one is stale.
    revision: u64,
    /// Current routes replaced by others since the cache last grew.
    replaced: usize,
    /// Place that was found last: messages of one kind come in runs.
    recent: usize,
}

#[derive(Debug, Default)]
struct Place {
    /// 0: never valid.
    revision: u64,
    /// Of the key: nearly always tells another key without a look at it.
    hash: u64,
    key: Vec<u8>,
    kind: KeyKind,
    route: Route,
}

impl Place {
    #[inline]
    fn is_of(&self, hash: u64, key: &[u8]) -> bool {
        self.hash == hash && self.key == key
    }

    #[inline]
    fn subjects(&self) -> Subjects<'_> {
        Subjects { key: &self.key, kind: self.kind }
    }
}

/// What a cached route is valid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// This subject.
    #[default]
    Subject,
    /// Every subject that has one more token than this prefix, which ends with a dot.
    Prefix,
    /// No route: subjects below this prefix have routes of their own.
    Divided,
}

/// The subjects that a cached route is valid for.
#[derive(Clone, Copy, Debug)]
pub struct Subjects<'a> {
    key: &'a [u8],
    kind: KeyKind,
}

impl Subjects<'_> {
    #[inline]
    pub fn contain(&self, subject: &[u8]) -> bool {
        match self.kind {
            KeyKind::Subject => self.key == subject,
            KeyKind::Prefix => {
                subject.strip_prefix(self.key).is_some_and(|last| !last.is_empty() && !last.contains(&b'.'))
            }
            KeyKind::Divided => false,
        }
    }
}

/// Place of a route in its cache, valid until the cache is next written.
#[derive(Clone, Copy, Debug)]
pub struct RouteIndex(usize);

impl Default for RouteCache {
    fn default() -> Self {
        RouteCache { places: Vec::new(), revision: 1, replaced: 0, recent: 0 }
    }
}

impl RouteCache {
    /// The route that was noted last, if it is this subject's: without a hash.
    #[inline]
    pub fn again(&self, subject: &[u8]) -> Option<RouteIndex> {
        let place = self.places.get(self.recent).filter(|place| place.revision == self.revision)?;
        place.subjects().contain(subject).then_some(RouteIndex(self.recent))
    }

    /// Remembers a route for `again`.
    #[inline]
    pub fn note(&mut self, index: RouteIndex) {
        self.recent = index.0;
    }

    /// The current route of a subject.
    #[inline]
    pub fn find(&self, subject: &[u8]) -> Option<RouteIndex> {
        let index = self.place_of(subject)?;
        let place = &self.places[index];
        let hit = place.revision == self.revision && place.kind == KeyKind::Subject;
        hit.then_some(RouteIndex(index))
    }

    /// What is known about the subjects below a prefix; the index is meaningful with `KeyKind::Prefix` only.
    #[inline]
    pub fn find_prefix(&self, prefix: &[u8]) -> Option<(KeyKind, RouteIndex)> {
        let index = self.place_of(prefix)?;
        let place = &self.places[index];
        let hit = place.revision == self.revision && place.kind != KeyKind::Subject;
        hit.then_some((place.kind, RouteIndex(index)))
    }

    pub fn get(&self, index: RouteIndex) -> &Route {
        &self.places[index.0].route
    }

    /// A route, and the subjects that have it.
    pub fn get_with_subjects(&self, index: RouteIndex) -> (Subjects<'_>, &Route) {
        let place = &self.places[index.0];
        (place.subjects(), &place.route)
    }

    /// Makes room for a route, which the caller fills in.
    pub fn replace(&mut self, key: &[u8], kind: KeyKind) -> (RouteIndex, &mut Route) {
        self.grow_if_crowded();
        let (hash, revision) = (hash_bytes(key), self.revision);
        let index = self.room_for(hash, key);
        let place = &mut self.places[index];
        if place.revision == revision && !place.is_of(hash, key) {
            self.replaced += 1;
        }
        place.revision = revision;
        place.hash = hash;
        place.kind = kind;
        place.key.clear();
        place.key.extend_from_slice(key);
        place.route.clear();
        (RouteIndex(index), &mut place.route)
    }

    /// Interest in exactly this subject changed.
    pub fn invalidate(&mut self, subject: &[u8]) {
        self.drop_key(subject);
        if let Some(dot) = memchr::memrchr(b'.', subject) {
            self.drop_key(&subject[..=dot]);
        }
    }

    /// Interest in a pattern, or the streams, changed.
    pub fn invalidate_all(&mut self) {
        self.revision += 1;
    }

    fn drop_key(&mut self, key: &[u8]) {
        if let Some(index) = self.place_of(key) {
            self.places[index].revision = 0;
        }
    }

    /// The place that has this key, whether its route is current or not.
    #[inline]
    fn place_of(&self, key: &[u8]) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        let hash = hash_bytes(key);
        let first = hash as usize & mask;
        [first, first ^ 1].into_iter().find(|&index| self.places[index].is_of(hash, key))
    }

    /// The place for this key: its own; else one without a current route; else the one that was not found last.
    fn room_for(&self, hash: u64, key: &[u8]) -> usize {
        let first = hash as usize & (self.places.len() - 1);
        let both = [first, first ^ 1];
        let own = both.into_iter().find(|&index| self.places[index].is_of(hash, key));
        let free = || both.into_iter().find(|&index| self.places[index].revision != self.revision);
        own.or_else(free).unwrap_or(if self.recent == first { first ^ 1 } else { first })
    }

    fn grow_if_crowded(&mut self) {
        let len = self.places.len();
        if len == 0 {
            self.places.resize_with(ROUTES_MIN, Place::default);
        } else if self.replaced > len && len < ROUTES_MAX {
            let places = std::mem::take(&mut self.places);
            self.places.resize_with(len * 2, Place::default);
            self.replaced = 0;
            for place in places.into_iter().filter(|place| place.revision == self.revision) {
                let index = self.room_for(place.hash, &place.key);
                self.places[index] = place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(client: u32) -> Member {
        Member::Local(LocalSubscription { client, slot: 0, generation: 0 })
    }

    #[test]
    fn a_queue_group_is_drawn_in_proportion_to_its_weights() {
        let queue = super::super::queue_names::QueueNames::default().acquire(b"q");
        let mut route = Route::default();
        let mut found = vec![(queue, local(1)), (queue, Member::Core { core: CoreId(1), weight: 3 })];
        route.set_members(&mut found);
        let first = |random| route.candidates(route.queues[0], random).next();
        let remote = (0..400).filter(|&random| first(random) != Some(local(1))).count();
        assert_eq!(remote, 300);
    }

    #[test]
    fn after_the_drawn_member_the_others_are_tried_in_turn() {
        let queue = super::super::queue_names::QueueNames::default().acquire(b"q");
        let mut route = Route::default();
        route.set_members(&mut vec![(queue, local(1)), (queue, local(2)), (queue, local(3))]);
        let order: Vec<_> = route.candidates(route.queues[0], 1).collect();
        assert_eq!(order, [local(2), local(3), local(1)]);
    }

    #[test]
    fn a_core_with_two_patterns_of_a_queue_group_counts_once_with_their_sum() {
        let queue = super::super::queue_names::QueueNames::default().acquire(b"q");
        let core = |weight| Member::Core { core: CoreId(2), weight };
        let mut route = Route::default();
        route.set_members(&mut vec![(queue, core(1)), (queue, local(9)), (queue, core(4))]);
        assert_eq!(route.candidates(route.queues[0], 0).collect::<Vec<_>>(), [local(9), core(5)]);
    }

    #[test]
    fn a_change_of_one_subject_leaves_other_routes_alone() {
        let mut cache = RouteCache::default();
        cache.replace(b"a.b", KeyKind::Subject);
        cache.replace(b"c", KeyKind::Subject);
        cache.replace(b"_INBOX.x.", KeyKind::Prefix);
        cache.invalidate(b"a.b");
        cache.invalidate(b"_INBOX.x.1");
        assert!(cache.find(b"a.b").is_none() && cache.find(b"c").is_some());
        assert!(cache.find_prefix(b"_INBOX.x.").is_none());
        cache.invalidate_all();
        assert!(cache.find(b"c").is_none());
    }

    #[test]
    fn a_noted_route_serves_the_same_subjects_until_it_changes() {
        let mut cache = RouteCache::default();
        let (index, _) = cache.replace(b"_INBOX.x.", KeyKind::Prefix);
        cache.note(index);
        assert!(cache.again(b"_INBOX.x.1").is_some() && cache.again(b"_INBOX.x.22").is_some());
        for other in [&b"_INBOX.x."[..], b"_INBOX.x", b"_INBOX.x.1.2", b"_INBOX.y.1"] {
            assert!(cache.again(other).is_none());
        }
        let (index, _) = cache.replace(b"foo", KeyKind::Subject);
        cache.note(index);
        assert!(cache.again(b"foo").is_some() && cache.again(b"foo.1").is_none());
        cache.invalidate(b"foo");
        assert!(cache.again(b"foo").is_none());
    }

    #[test]
    fn a_thousand_streams_written_to_in_turn_keep_their_routes() {
        let mut cache = RouteCache::default();
        let mut round = || {
            let mut missing = 0;
            for n in 0..1000 {
                let key = format!("orders.{n:06}.");
                if cache.find_prefix(key.as_bytes()).is_none() {
                    cache.replace(key.as_bytes(), KeyKind::Prefix);
                    missing += 1;
                }
            }
            missing
        };
        let warm_up: usize = (0..2000).map(|_| round()).sum();
        assert!(warm_up > 1000 && round() <= 6);
    }

    #[test]
    fn a_change_is_found_in_either_place() {
        let mut cache = RouteCache::default();
        for n in 0..ROUTES_MIN {
            cache.replace(format!("s.{n}").as_bytes(), KeyKind::Subject);
        }
        for n in 0..ROUTES_MIN {
            let subject = format!("s.{n}");
            cache.invalidate(subject.as_bytes());
            assert!(cache.find(subject.as_bytes()).is_none());
        }
        assert!(cache.places.iter().all(|place| place.revision == 0));
    }

    #[test]
    fn a_crowded_cache_grows_to_its_bound() {
        let mut cache = RouteCache::default();
        for n in 0..200_000u32 {
            cache.replace(n.to_string().as_bytes(), KeyKind::Subject);
        }
        assert_eq!(cache.places.len(), ROUTES_MAX);
        assert!(cache.find(b"199999").is_some());
    }
}
