use super::*;
use shards::ids::{GroupId, Revision, ShardId};
use shards::shard::answer::StreamChange;
use shards::stream::config::StreamConfig;
use shards::time::WallTime;

const G: AccountId = AccountId::GLOBAL;

fn subscription(client: u32) -> LocalSubscription {
    LocalSubscription { client, slot: 0, generation: 0 }
}

fn change(subject: &str, queue: &str, count: u32) -> InterestChange {
    InterestChange { account: G, subject: subject.as_bytes().into(), queue: queue.as_bytes().into(), count }
}

fn put(revision: u64, group: u64, name: &str, subjects: &[&str]) -> TableChange {
    let subjects = subjects.iter().map(|&subject| subject.to_owned()).collect();
    let config =
        StreamConfig { name: name.to_owned(), subjects, allow_direct: true, ..StreamConfig::default() };
    let change = StreamChange::Put { shard: ShardId(0), created: WallTime(1), config: config.into_shared() };
    TableChange { revision: Revision(revision), account: G, group: GroupId(group), change }
}

/// Clients with a plain subscription, ascending.
fn plain(interest: &mut Interest, subject: &str) -> Vec<u32> {
    let index = interest.route(G, subject.as_bytes());
    let mut clients: Vec<_> =
        interest.get(G, index).plain.iter().map(|subscription| subscription.client).collect();
    clients.sort_unstable();
    clients
}

fn weights(interest: &mut Interest, subject: &str) -> Vec<u32> {
    let index = interest.route(G, subject.as_bytes());
    let route = interest.get(G, index);
    let weight = |&queue| route.candidates(queue, 0).map(Member::weight).sum();
    route.queues.iter().map(weight).collect()
}

#[test]
fn a_route_has_every_matching_plain_subscription() {
    let mut interest = Interest::default();
    interest.subscribe(G, b"a.b", b"", subscription(1));
    interest.subscribe(G, b"a.*", b"", subscription(2));
    interest.subscribe(G, b">", b"", subscription(3));
    interest.subscribe(G, b"c", b"", subscription(4));
    assert_eq!(plain(&mut interest, "a.b"), [1, 2, 3]);
    assert_eq!(plain(&mut interest, "a.b"), [1, 2, 3]);
    assert_eq!(plain(&mut interest, "c"), [3, 4]);
}

#[test]
fn accounts_do_not_hear_each_other() {
    let mut interest = Interest::default();
    interest.subscribe(AccountId(2), b"a", b"", subscription(1));
    assert!(plain(&mut interest, "a").is_empty());
}

#[test]
fn a_cached_route_follows_every_change() {
    let mut interest = Interest::default();
    for subject in ["a.b", "_INBOX.x.1", "_INBOX.x.2"] {
        assert!(plain(&mut interest, subject).is_empty());
    }
    interest.subscribe(G, b"a.b", b"", subscription(1));
    assert_eq!(plain(&mut interest, "a.b"), [1]);
    interest.subscribe(G, b"_INBOX.x.*", b"", subscription(2));
    assert_eq!(plain(&mut interest, "_INBOX.x.1"), [2]);
    interest.subscribe(G, b"_INBOX.x.1", b"", subscription(3));
    assert_eq!(plain(&mut interest, "_INBOX.x.1"), [2, 3]);
    assert_eq!(plain(&mut interest, "_INBOX.x.2"), [2]);
    interest.unsubscribe(G, b"_INBOX.x.1", b"", subscription(3));
    assert_eq!(plain(&mut interest, "_INBOX.x.1"), [2]);
    interest.unsubscribe(G, b"_INBOX.x.*", b"", subscription(2));
    interest.unsubscribe(G, b"a.b", b"", subscription(1));
    for subject in ["a.b", "_INBOX.x.1", "_INBOX.x.2"] {
        assert!(plain(&mut interest, subject).is_empty());
    }
}

#[test]
fn replies_below_one_inbox_share_a_route() {
    let mut interest = Interest::default();
    interest.subscribe(G, b"_INBOX.x.*", b"", subscription(1));
    interest.route(G, b"_INBOX.x.1");
    assert!(interest.cached(G, b"_INBOX.x.2").is_some());
    assert!(interest.cached(G, b"_INBOX.x.2.3").is_none());
    assert!(interest.cached(G, b"_INBOX.y.2").is_none());
}

#[test]
fn a_wildcard_in_a_published_inbox_is_a_plain_byte() {
    let mut interest = Interest::default();
    interest.subscribe(G, b"_INBOX.x.1", b"", subscription(1));
    interest.subscribe(G, b"_INBOX.x.*", b"", subscription(2));
    assert!(plain(&mut interest, "_INBOX.*.1").is_empty());
    assert_eq!(plain(&mut interest, "_INBOX.x.*"), [2]);
    assert!(plain(&mut interest, "_INBOX.x.").is_empty());
    assert!(plain(&mut interest, "_INBOX..1").is_empty());
}

#[test]
fn only_the_first_and_last_plain_subscription_of_a_subject_is_announced() {
    let mut interest = Interest::default();
    assert_eq!(interest.subscribe(G, b"a", b"", subscription(1)), Some(1));
    assert_eq!(interest.subscribe(G, b"a", b"", subscription(2)), None);
    assert_eq!(interest.unsubscribe(G, b"a", b"", subscription(1)), None);
    assert_eq!(interest.unsubscribe(G, b"a", b"", subscription(2)), Some(0));
    assert_eq!(interest.unsubscribe(G, b"a", b"", subscription(2)), None);
}

#[test]
fn every_change_of_a_queue_group_is_announced_with_its_members() {
    let mut interest = Interest::default();
    assert_eq!(interest.subscribe(G, b"a", b"q", subscription(1)), Some(1));
    assert_eq!(interest.subscribe(G, b"a", b"q", subscription(2)), Some(2));
    assert_eq!(interest.subscribe(G, b"a", b"other", subscription(2)), Some(1));
    assert_eq!(interest.unsubscribe(G, b"a", b"q", subscription(1)), Some(1));
    assert_eq!(interest.unsubscribe(G, b"a", b"q", subscription(2)), Some(0));
}

#[test]
fn members_of_one_queue_with_different_subjects_form_one_group() {
    let mut interest = Interest::default();
    interest.subscribe(G, b"a.b", b"q", subscription(1));
    interest.subscribe(G, b"a.*", b"q", subscription(2));
    interest.apply_change(CoreId(1), &change("a.>", "q", 5));
    interest.subscribe(G, b"a.b", b"other", subscription(3));
    let mut weights = weights(&mut interest, "a.b");
    weights.sort_unstable();
    assert_eq!(weights, [1, 7]);
}

#[test]
fn another_core_counts_once_however_many_of_its_patterns_match() {
    let mut interest = Interest::default();
    interest.apply_change(CoreId(1), &change("a.b", "", 1));
    interest.apply_change(CoreId(1), &change("a.*", "", 1));
    interest.apply_change(CoreId(2), &change("a.>", "", 1));
    let index = interest.route(G, b"a.b");
    let mut cores = interest.get(G, index).cores.clone();
    cores.sort_unstable();
    assert_eq!(cores, [CoreId(1), CoreId(2)]);
    interest.apply_change(CoreId(1), &change("a.b", "", 0));
    interest.apply_change(CoreId(1), &change("a.*", "", 0));
    let index = interest.route(G, b"a.b");
    assert_eq!(interest.get(G, index).cores, [CoreId(2)]);
}

#[test]
fn a_weight_replaces_the_one_before() {
    let mut interest = Interest::default();
    interest.apply_change(CoreId(1), &change("a", "q", 5));
    interest.apply_change(CoreId(1), &change("a", "q", 2));
    assert_eq!(weights(&mut interest, "a"), [2]);
    interest.apply_change(CoreId(1), &change("a", "q", 0));
    assert_eq!(weights(&mut interest, "a"), [] as [u32; 0]);
    assert_eq!(interest.find_queue(b"q"), None);
}

#[test]
fn a_stream_captures_its_subjects_until_they_change() {
    let mut interest = Interest::default();
    let stream = |interest: &mut Interest, subject: &str| {
        let index = interest.route(G, subject.as_bytes());
        interest.get(G, index).stream.map(|home| home.group)
    };
    assert_eq!(stream(&mut interest, "a.b"), None);
    assert!(interest.apply_table(put(1, 7, "A", &["a.*", "b"])));
    assert_eq!(stream(&mut interest, "a.b"), Some(GroupId(7)));
    assert!(interest.apply_table(put(2, 7, "A", &["b"])));
    assert_eq!(stream(&mut interest, "a.b"), None);
    assert_eq!(stream(&mut interest, "b"), Some(GroupId(7)));
    assert!(!interest.apply_table(put(2, 7, "A", &["a.*"])), "an old change loses");
    let removed =
        TableChange { change: StreamChange::Removed { stream: "A".to_owned() }, ..put(3, 7, "A", &[]) };
    assert!(interest.apply_table(removed));
    assert_eq!(stream(&mut interest, "b"), None);
}

#[test]
fn a_new_stream_is_found_by_cached_requests_for_it() {
    let mut interest = Interest::default();
    let subject = b"$JS.API.CONSUMER.MSG.NEXT.A.c";
    let index = interest.route(G, subject);
    assert_eq!(interest.get(G, index).service, Service::None);
    interest.apply_table(put(1, 7, "A", &["a"]));
    let index = interest.route(G, subject);
    assert_eq!(interest.get(G, index).service, Service::Fetch(Home { group: GroupId(7), shard: ShardId(0) }));
}

#[test]
fn acks_skip_the_routes_unless_somebody_listens_to_them() {
    let ack = b"$JS.ACK.A.c.1.22.21.1700000000000000000.0";
    let mut interest = Interest::default();
    interest.apply_table(put(1, 7, "A", &["a"]));
    interest.subscribe(G, b"$JS.EVENT.ADVISORY.>", b"", subscription(1));
    assert!(interest.ack_home(G, ack).is_some());
    interest.subscribe(G, b"$JS.ACK.>", b"", subscription(1));
    assert!(interest.ack_home(G, ack).is_none());
    interest.unsubscribe(G, b"$JS.ACK.>", b"", subscription(1));
    assert!(interest.ack_home(G, ack).is_some());
}

#[test]
fn a_push_consumer_is_bound_by_a_literal_subscription_of_its_kind_only() {
    let mut interest = Interest::default();
    interest.subscribe(G, b"d.*", b"", subscription(1));
    assert!(!interest.is_bound(G, b"d.x", b""));
    interest.subscribe(G, b"d.x", b"q", subscription(2));
    assert!(!interest.is_bound(G, b"d.x", b""));
    assert!(interest.is_bound(G, b"d.x", b"q"));
    assert!(!interest.is_bound(G, b"d.x", b"other"));
    interest.apply_change(CoreId(3), &change("d.x", "", 1));
    assert!(interest.is_bound(G, b"d.x", b""));
}

#[test]
fn who_comes_or_goes_is_noticed_once() {
    let mut interest = Interest::default();
    interest.subscribe(G, b"a", b"", subscription(1));
    assert!(interest.take_changed() && !interest.take_changed());
    interest.unsubscribe(G, b"a", b"", subscription(1));
    assert!(interest.take_changed() && !interest.take_changed());
    interest.apply_change(CoreId(1), &change("a", "q", 1));
    assert!(interest.take_changed());
    interest.apply_change(CoreId(1), &change("a", "q", 2));
    assert!(!interest.take_changed());
    interest.apply_change(CoreId(1), &change("a", "q", 0));
    assert!(interest.take_changed());
}

#[test]
fn subjects_that_differ_in_their_last_token_share_a_route_until_somebody_names_one() {
    let mut interest = Interest::default();
    interest.apply_table(put(1, 7, "ORDERS", &["orders.*"]));
    interest.subscribe(G, b"orders.>", b"", subscription(1));
    let stream_of = |interest: &mut Interest, subject: &str| {
        let index = interest.route(G, subject.as_bytes());
        interest.get(G, index).stream.map(|home| home.group)
    };
    let places: Vec<_> =
        (0..9).map(|n| format!("{:?}", interest.route(G, format!("orders.{n}").as_bytes()))).collect();
    assert!(places.windows(2).all(|two| two[0] == two[1]), "{places:?}");
    assert_eq!(plain(&mut interest, "orders.77"), [1]);
    assert_eq!(stream_of(&mut interest, "orders.77"), Some(GroupId(7)));
    assert!(interest.cached(G, b"orders.never-asked-for").is_some());
    // Deeper, shallower, and what is no subject.
    assert_eq!((plain(&mut interest, "orders.1.2"), stream_of(&mut interest, "orders.1.2")), (vec![1], None));
    for other in ["orders", "orders.", "order.1", ".orders.1"] {
        assert_eq!((plain(&mut interest, other), stream_of(&mut interest, other)), (vec![], None), "{other}");
    }
    interest.subscribe(G, b"orders.5", b"", subscription(2));
    assert_eq!(plain(&mut interest, "orders.5"), [1, 2]);
    assert_eq!(plain(&mut interest, "orders.6"), [1]);
    interest.subscribe(G, b"*.6", b"", subscription(3));
    assert_eq!(plain(&mut interest, "orders.6"), [1, 3]);
    interest.unsubscribe(G, b"orders.5", b"", subscription(2));
    interest.unsubscribe(G, b"*.6", b"", subscription(3));
    assert_eq!((plain(&mut interest, "orders.5"), plain(&mut interest, "orders.6")), (vec![1], vec![1]));
    interest.subscribe(G, b"orders.7.x", b"", subscription(4));
    assert_eq!((plain(&mut interest, "orders.7"), plain(&mut interest, "orders.7.x")), (vec![1], vec![1, 4]));
}
