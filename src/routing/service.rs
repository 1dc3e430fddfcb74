//! Which published subjects are for the broker itself: the JetStream API, acks, flow control, and requests for reports.

use super::stream_table::{StreamEntry, StreamTable};
use shards::ids::{AccountId, GroupId, ShardId};
use shards::subject::{dots, tokens};

/// A stream's group and where it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    pub group: GroupId,
    pub shard: ShardId,
}

/// What the broker does with a publish to a subject, besides handing it to subscribers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Service {
    #[default]
    None,
    /// A request to the JSON API. There is interest in every subject of it, known or not, except pull requests and direct
    /// gets: these are subscriptions of the stream, so without one there is nobody (nats-server, server/jetstream_api.go).
    Api,
    /// A pull request for a consumer of this stream.
    Fetch(Home),
    /// An ack for a consumer of this stream.
    Ack(Home),
    /// The answer of a push client to a flow control request of a consumer of this stream.
    FlowControl(Home),
    /// A request for the figures of every core.
    Report,
}

impl From<&StreamEntry> for Home {
    fn from(entry: &StreamEntry) -> Home {
        Home { group: entry.group, shard: entry.shard }
    }
}

/// What a publish to `subject` means to the broker.
pub fn classify(streams: &StreamTable, account: AccountId, subject: &[u8]) -> Service {
    if subject == REPORT {
        return Service::Report;
    }
    let Some(rest) = subject.strip_prefix(b"$JS.") else { return Service::None };
    if let Some(rest) = rest.strip_prefix(b"API.") {
        return classify_api(streams, account, rest);
    }
    if rest.starts_with(b"ACK.") {
        return ack_stream(subject)
            .and_then(|name| home(streams, account, name))
            .map_or(Service::None, Service::Ack);
    }
    if rest.starts_with(b"FC.") {
        let name = flow_control_stream(subject);
        return name
            .and_then(|name| home(streams, account, name))
            .map_or(Service::None, Service::FlowControl);
    }
    Service::None
}

fn classify_api(streams: &StreamTable, account: AccountId, rest: &[u8]) -> Service {
    if let Some(rest) = rest.strip_prefix(b"CONSUMER.MSG.NEXT.") {
        let mut names = tokens(rest);
        let stream = names.next().and_then(|name| home(streams, account, name));
        return match (stream, names.next(), names.next()) {
            (Some(home), Some(consumer), None) if !consumer.is_empty() => Service::Fetch(home),
            _ => Service::None,
        };
    }
    if rest == b"DIRECT.GET" || rest.starts_with(b"DIRECT.GET.") {
        let stream = tokens(rest).nth(2).and_then(|name| entry(streams, account, name));
        return if stream.is_some_and(|stream| stream.config.allow_direct) {
            Service::Api
        } else {
            Service::None
        };
    }
    if rest.is_empty() { Service::None } else { Service::Api }
}

/// The stream's name in an ack's subject: `$JS.ACK.<stream>.<consumer>.…` has 9 tokens, with a domain and an account hash
/// before the stream 11 or more (nats-server, server/consumer.go; ADR-15).
fn ack_stream(subject: &[u8]) -> Option<&[u8]> {
    let ([_, from, to], count) = dots(subject);
    match count + 1 {
        9 => Some(&subject[from + 1..to]),
        11.. => scoped_stream(subject),
        _ => None,
    }
}

/// The stream's name in `$JS.FC.<stream>.<consumer>.<random>`, or with domain and account hash before it.
fn flow_control_stream(subject: &[u8]) -> Option<&[u8]> {
    match tokens(subject).count() {
        5 => tokens(subject).nth(2),
        7 => scoped_stream(subject),
        _ => None,
    }
}

/// The stream's name behind domain and account hash, if they are ours.
fn scoped_stream(subject: &[u8]) -> Option<&[u8]> {
    let mut rest = tokens(subject).skip(2);
    let is_ours = rest.next() == Some(NO_DOMAIN) && rest.next() == Some(GLOBAL_ACCOUNT_HASH);
    if is_ours { rest.next() } else { None }
}

fn home(streams: &StreamTable, account: AccountId, name: &[u8]) -> Option<Home> {
    entry(streams, account, name).map(Home::from)
}

fn entry<'a>(streams: &'a StreamTable, account: AccountId, name: &[u8]) -> Option<&'a StreamEntry> {
    streams.by_name(account, std::str::from_utf8(name).ok()?)
}

/// Asks every core for its report; named after what nats-server's system account answers (nats-server, server/events.go:
/// `serverPingReqSubj`).
const REPORT: &[u8] = b"$SYS.REQ.SERVER.PING.STAGES";

/// What stands for the domain in reply subjects of a server without one.
const NO_DOMAIN: &[u8] = b"_";

/// Hash of `$G`, the only account: of the first 8 bytes of its SHA-256, each modulo 62 as a digit of `0-9A-Za-z`
/// (nats-server, server/events.go: `getHash`).
const GLOBAL_ACCOUNT_HASH: &[u8] = b"szMpdrwD";

#[cfg(test)]
mod tests {
    use super::*;
    use shards::ids::Revision;
    use shards::shard::answer::{StreamChange, TableChange};
    use shards::stream::config::StreamConfig;
    use shards::time::WallTime;

    const HOME: Home = Home { group: GroupId(7), shard: ShardId(1) };

    fn table(allow_direct: bool) -> StreamTable {
        let mut table = StreamTable::default();
        let (name, subjects) = ("ORDERS".to_owned(), vec!["orders.>".to_owned()]);
        let config = StreamConfig { name, subjects, allow_direct, ..StreamConfig::default() };
        let created = WallTime(1);
        table.apply(TableChange {
            revision: Revision(1),
            account: AccountId::GLOBAL,
            group: HOME.group,
            change: StreamChange::Put { shard: HOME.shard, created, config: config.into_shared() },
        });
        table
    }

    fn service(subject: &str) -> Service {
        classify(&table(true), AccountId::GLOBAL, subject.as_bytes())
    }

    #[test]
    fn an_ordinary_subject_is_nothing_to_the_broker() {
        for subject in
            ["orders.eu", "$SYS.REQ.SERVER.PING", "$JS", "$JS.FOO", "$JSX.API.INFO", "$SYS.REQ.USER.INFO"]
        {
            assert_eq!(service(subject), Service::None, "{subject}");
        }
    }

    #[test]
    fn a_request_for_reports_has_a_subject_of_its_own() {
        assert_eq!(service("$SYS.REQ.SERVER.PING.STAGES"), Service::Report);
    }

    #[test]
    fn every_api_subject_is_served_known_or_not() {
        for subject in
            ["$JS.API.INFO", "$JS.API.FOO", "$JS.API.STREAM.INFO.NOPE", "$JS.API.CONSUMER.RESET.X.y"]
        {
            assert_eq!(service(subject), Service::Api, "{subject}");
        }
    }

    #[test]
    fn a_pull_request_is_served_if_the_stream_exists() {
        assert_eq!(service("$JS.API.CONSUMER.MSG.NEXT.ORDERS.worker"), Service::Fetch(HOME));
        assert_eq!(service("$JS.API.CONSUMER.MSG.NEXT.NOPE.worker"), Service::None);
        assert_eq!(service("$JS.API.CONSUMER.MSG.NEXT.ORDERS"), Service::None);
    }

    #[test]
    fn a_direct_get_is_served_if_the_stream_allows_it() {
        assert_eq!(service("$JS.API.DIRECT.GET.ORDERS"), Service::Api);
        assert_eq!(service("$JS.API.DIRECT.GET.ORDERS.orders.eu"), Service::Api);
        assert_eq!(service("$JS.API.DIRECT.GET.NOPE"), Service::None);
        assert_eq!(classify(&table(false), AccountId::GLOBAL, b"$JS.API.DIRECT.GET.ORDERS"), Service::None);
    }

    #[test]
    fn acks_are_recognised_in_both_forms() {
        assert_eq!(service("$JS.ACK.ORDERS.worker.1.22.21.1700000000000000000.0"), Service::Ack(HOME));
        assert_eq!(
            service("$JS.ACK._.szMpdrwD.ORDERS.worker.1.22.21.1700000000000000000.0"),
            Service::Ack(HOME)
        );
        for scope in ["_.xxxxxxxx", "hub.szMpdrwD"] {
            let subject = format!("$JS.ACK.{scope}.ORDERS.worker.1.22.21.1700000000000000000.0");
            assert_eq!(service(&subject), Service::None, "{scope}");
        }
        assert_eq!(service("$JS.ACK.ORDERS.worker.1"), Service::None);
        assert_eq!(service("$JS.ACK.NOPE.worker.1.22.21.1700000000000000000.0"), Service::None);
    }

    #[test]
    fn flow_control_answers_are_recognised() {
        assert_eq!(service("$JS.FC.ORDERS.worker.Xa3f"), Service::FlowControl(HOME));
        assert_eq!(service("$JS.FC._.szMpdrwD.ORDERS.worker.Xa3f"), Service::FlowControl(HOME));
        assert_eq!(service("$JS.FC.ORDERS.worker"), Service::None);
    }
}
