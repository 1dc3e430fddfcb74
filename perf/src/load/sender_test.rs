use super::super::plan::with_plan;
use super::*;
use crate::sequences::Sequences;
use std::sync::mpsc::sync_channel;

fn answer<'a>(subject: &'a [u8], payload: &'a [u8]) -> Message<'a> {
    Message { subject, payload, ..Message::default() }
}

#[test]
fn a_publish_names_its_slot_and_its_ack_frees_it() {
    with_plan("kind = \"publish\"\nsize = 2\nconnections = 2\nin_flight = 2\ncount = 9", |plan| {
        let (shared, (windows, _receiver)) = (Shared::new(plan), sync_channel(9));
        let (mut sender, mut tally) = (Sender::new(plan, &shared, 1, "_I.s1"), Tally::new(plan, 0, windows));
        let mut out = Vec::new();
        assert_eq!((sender.room(), sender.has_room(1)), (2, false), "a socket has to have taken everything");
        sender.start(7, &mut out);
        sender.start(7, &mut out);
        let text = String::from_utf8_lossy(&out);
        assert!(text.starts_with("PUB p.000000 _I.s1.000000 2\r\n"), "{text}");
        assert!(text.contains("PUB p.000000 _I.s1.000001 2\r\n"), "{text}");
        assert!(!sender.has_room(0));
        sender.handle(&answer(b"_I.s1.000001", b"{\"stream\":\"S\",\"seq\":1}"), &mut tally);
        assert_eq!(sender.room(), 1);
        sender.handle(&answer(b"_I.s1.000000", b"{\"error\":{\"code\":503,\"err_code\":10077}}"), &mut tally);
        sender.handle(&answer(b"_I.s1.000000", b"{\"stream\":\"S\",\"seq\":2}"), &mut tally);
        let totals = tally.conclude();
        assert_eq!((totals.operations, totals.acked), (1, 1));
        assert_eq!((totals.errors["refused (10077)"], totals.errors["wrong answer"]), (1, 1));
        // The second of two senders has the odd numbers, and the smaller share of nine.
        assert_eq!((totals.sequences[0].count(), sender.share), (1, 4));
    });
}

#[test]
fn headers_are_counted_into_the_lengths() {
    with_plan("kind = \"publish\"\nsize = 3\nheaders = 1", |plan| {
        let shared = Shared::new(plan);
        let mut out = Vec::new();
        Sender::new(plan, &shared, 0, "_I").start(0, &mut out);
        let headers = "NATS/1.0\r\nPerf-Header-0: value of header 0\r\n\r\n".len();
        let line = format!("HPUB p.000000 _I.000000 {headers} {}\r\n", headers + 3);
        assert!(out.starts_with(line.as_bytes()) && out.len() == line.len() + headers + 3 + 2);
    });
}

#[test]
fn a_closed_loop_without_answers_waits_for_the_deliveries() {
    with_plan("kind = \"pubsub\"\nsubscribers = 2\nin_flight = 3", |plan| {
        let shared = Shared::new(plan);
        let mut sender = Sender::new(plan, &shared, 0, "_I");
        let mut out = Vec::new();
        (0..3).for_each(|_| sender.start(0, &mut out));
        assert!(!sender.has_room(0));
        shared.add_delivered(0, 1);
        assert!(!sender.has_room(0), "one of two subscribers has it");
        shared.add_delivered(0, 1);
        assert_eq!(sender.room(), 1);
    });
}

#[test]
fn numbers_are_kept_only_where_something_is_compared() {
    with_plan("kind = \"publish\"\nverify = true", |plan| {
        let (shared, (windows, _receiver)) = (Shared::new(plan), sync_channel(9));
        let (mut sender, mut tally) = (Sender::new(plan, &shared, 2, "_I"), Tally::new(plan, 0, windows));
        sender.start(0, &mut Vec::new());
        sender.handle(&answer(b"_I.000000", b"{\"stream\":\"S\",\"seq\":5}"), &mut tally);
        let sequences: Sequences = tally.conclude().sequences.remove(0);
        assert_eq!(sequences.number(5), Some(2));
    });
}
