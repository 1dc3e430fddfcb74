use super::super::plan::with_plan;
use super::super::tally::Totals;
use super::*;
use std::sync::mpsc::sync_channel;

/// Hands messages to a fetcher of one pull; returns what it wrote after its first request, and what was counted.
fn after(table: &str, messages: &[Message<'_>]) -> (String, Totals, i64) {
    let mut result = None;
    with_plan(&format!("kind = \"consume\"\npulls = 1\nfetch = 2\n{table}"), |plan| {
        let (shared, (windows, _receiver)) = (Shared::new(plan), sync_channel(9));
        let mut fetcher = Fetcher::new(plan, &shared, &[0], "_I");
        let (mut tally, mut delivered) = (Tally::new(plan, 0, windows), vec![Sequences::default()]);
        let mut out = Vec::new();
        fetcher.begin(5, &mut out);
        let asked = String::from_utf8_lossy(&out).into_owned();
        assert!(asked.starts_with("PUB $JS.API.CONSUMER.MSG.NEXT.S.C _I.p.000000 "), "{asked}");
        assert!(asked.contains("\"batch\":2,"), "{asked}");
        out.clear();
        tally.advance(1005);
        for message in messages {
            fetcher.handle(message, 1005, &mut out, &mut tally, &mut delivered);
        }
        result = Some((String::from_utf8_lossy(&out).into_owned(), tally.conclude(), shared.open()));
    });
    result.expect("the plan was tested")
}

const FIRST: &[u8] = b"$JS.ACK.S.C.1.1.1.1700000000000000000.9";
const SECOND: &[u8] = b"$JS.ACK.S.C.1.2.2.1700000000000000000.8";

fn delivery(reply: &'static [u8]) -> Message<'static> {
    Message { subject: b"p.000000", sid: PULL_SID, reply, headers: b"", payload: b"xyz" }
}

fn status(headers: &'static [u8]) -> Message<'static> {
    Message { subject: b"_I.p.000000", sid: PULL_SID, reply: b"", headers, payload: b"" }
}

#[test]
fn explicit_acks_are_one_for_each_message_and_the_next_pull_follows_the_last() {
    let (out, totals, open) = after("", &[delivery(FIRST)]);
    assert_eq!(out, "PUB $JS.ACK.S.C.1.1.1.1700000000000000000.9 4\r\n+ACK\r\n");
    assert_eq!((totals.operations, totals.bytes, totals.latency.max(), open), (1, 3, 1000, 9));
    let (out, totals, _) = after("", &[delivery(FIRST), delivery(SECOND)]);
    assert_eq!((out.matches("+ACK").count(), out.matches("MSG.NEXT").count(), totals.operations), (2, 1, 2));
}

#[test]
fn an_ack_of_all_is_that_of_the_last_message_of_a_pull() {
    let (out, totals, _) = after("ack = \"all\"", &[delivery(FIRST), delivery(SECOND)]);
    assert!(out.starts_with("PUB $JS.ACK.S.C.1.2.2."), "{out}");
    assert_eq!((out.matches("+ACK").count(), totals.operations), (1, 2));
}

#[test]
fn a_confirmed_ack_counts_when_its_reply_has_come() {
    let (out, totals, open) = after("ack_sync = true", &[delivery(FIRST)]);
    assert_eq!(out, "PUB $JS.ACK.S.C.1.1.1.1700000000000000000.9 _I.a.000000 4\r\n+ACK\r\n");
    assert_eq!((totals.operations, open), (0, 10));
    let confirmation = Message { subject: b"_I.a.000000", sid: CONFIRM_SID, ..Message::default() };
    let (_, totals, open) = after("ack_sync = true", &[delivery(FIRST), confirmation]);
    assert_eq!((totals.operations, totals.bytes, open), (1, 3, 9));
}

#[test]
fn what_comes_twice_counts_once() {
    let again = delivery(b"$JS.ACK.S.C.2.1.2.1700000000000000000.9");
    let (_, totals, open) = after("", &[delivery(FIRST), again]);
    assert_eq!((totals.operations, open), (1, 9));
    assert_eq!((totals.errors["redelivered"], totals.errors["delivered twice"]), (1, 1));
}

#[test]
fn a_pull_that_timed_out_is_asked_again_and_one_that_is_refused_is_not() {
    let (out, totals, _) = after("", &[status(b"NATS/1.0 408 Request Timeout\r\n\r\n")]);
    assert!(out.starts_with("PUB $JS.API.CONSUMER.MSG.NEXT.S.C ") && totals.errors.is_empty(), "{out}");
    let (out, totals, _) = after("", &[status(b"NATS/1.0 409 Consumer Deleted\r\n\r\n")]);
    assert_eq!((out.as_str(), totals.errors["pull refused"]), ("", 1));
    assert_eq!(totals.first_error.as_deref(), Some("409 Consumer Deleted"));
    let (out, totals, _) = after("", &[status(b"NATS/1.0 100 Idle Heartbeat\r\n\r\n")]);
    assert!(out.is_empty() && totals.errors.is_empty());
}
