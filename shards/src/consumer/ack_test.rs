use crate::consumer::config::{AckPolicy, ConsumerConfig};
use crate::consumer::fixture::*;
use crate::subscribers::Advisory;

fn all() -> ConsumerConfig {
    ConsumerConfig { ack_policy: AckPolicy::All, ..explicit() }
}

#[test]
fn the_example_of_what_counts_where() {
    let mut bench = Bench::filled(5, explicit());
    bench.fetch("5", "r");
    assert_eq!(bench.state(), ((5, 5), (0, 0), 5, 0));
    bench.ack(1, "");
    bench.ack(3, "+ACK");
    assert_eq!(bench.state(), ((5, 5), (1, 1), 3, 0));
    bench.ack(2, "-NAK");
    bench.fetch("1", "r");
    assert_eq!(bench.state(), ((6, 5), (1, 1), 3, 1));
    bench.ack_by([2, 2, 6, 0, 0], "");
    assert_eq!(bench.state(), ((6, 5), (3, 3), 2, 0));
    bench.ack(4, "+OK");
    bench.ack(5, "");
    assert_eq!(bench.state(), ((6, 5), (6, 5), 0, 0));
}

#[test]
fn an_ack_fills_the_gap_below_others() {
    let mut bench = Bench::filled(3, explicit());
    bench.fetch("3", "r");
    bench.ack(2, "");
    bench.ack(3, "");
    assert_eq!(bench.info().ack_floor.stream_seq, 0);
    bench.ack(1, "");
    assert_eq!(bench.info().ack_floor.stream_seq, 3);
}

#[test]
fn the_floor_stops_before_the_next_pending_message() {
    let mut bench = Bench::filled(11, explicit());
    bench.fetch("11", "r");
    bench.ack(1, "-NAK");
    bench.fetch("1", "r");
    (2..=10).for_each(|seq| bench.ack(seq, ""));
    bench.ack_by([2, 1, 12, 0, 0], "");
    assert_eq!(bench.state(), ((12, 11), (10, 10), 1, 0));
    bench.ack(11, "");
    assert_eq!(bench.state(), ((12, 11), (12, 11), 0, 0));
}

#[test]
fn every_kind_of_ack_with_reply_is_answered() {
    let mut bench = Bench::filled(6, explicit());
    bench.fetch("6", "r");
    for (seq, payload) in
        [(1, ""), (2, "-NAK"), (3, "+WPI"), (4, "+TERM"), (5, "+ACK x"), (1, ""), (99, "+WPI")]
    {
        assert!(bench.ack_by([1, seq, seq, 0, 0], payload), "{payload}");
    }
    assert_eq!(bench.state(), ((6, 6), (1, 1), 4, 0));
}

#[test]
fn an_ack_of_what_was_never_delivered_is_not_answered() {
    let mut bench = Bench::filled(6, explicit());
    bench.fetch("2", "r");
    assert!(!bench.ack_by([1, 3, 3, 0, 0], ""));
    assert!(!bench.ack_by([1, 3, 3, 0, 0], "+TERM"));
    assert_eq!(bench.state(), ((2, 2), (0, 0), 2, 0));
}

#[test]
fn nobody_listens_for_acks_of_policy_none_or_with_a_wrong_number_of_tokens() {
    let mut bench = Bench::filled(1, ConsumerConfig { ack_policy: AckPolicy::None, ..explicit() });
    let mut outcome = |subject: &[u8]| bench.handle_ack(subject, b"", true);
    assert_eq!(outcome(b"$JS.ACK.S.C.1.1.1.0.0"), super::AckOutcome::NoAckListener);
    let mut bench = Bench::filled(1, explicit());
    bench.fetch("1", "r");
    let mut outcome = |subject: &[u8]| bench.handle_ack(subject, b"", true);
    assert_eq!(outcome(b"$JS.ACK.S.C.1.1.1.0"), super::AckOutcome::NoAckListener);
    assert_eq!(outcome(b"$JS.ACK._.h.S.C.1.1.1.0.0.more"), super::AckOutcome::Reply);
}

#[test]
fn an_ack_without_reply_subject_is_owed_nothing() {
    let mut bench = Bench::filled(1, explicit());
    bench.fetch("1", "r");
    let subject = b"$JS.ACK.S.C.1.1.1.0.0";
    let mut outcome = |payload| bench.handle_ack(subject, payload, false);
    assert_eq!(outcome(b""), super::AckOutcome::Done);
    assert_eq!(outcome(b"+NXT"), super::AckOutcome::Done);
}

#[test]
fn policy_all_acknowledges_everything_below() {
    let mut bench = Bench::filled(5, all());
    bench.fetch("5", "r");
    bench.ack(3, "");
    assert_eq!(bench.state(), ((5, 5), (3, 3), 2, 0));
    assert!(bench.ack_by([1, 2, 2, 0, 0], ""));
    assert_eq!(bench.state(), ((5, 5), (3, 3), 2, 0));
    bench.ack(5, "+TERM");
    assert_eq!(bench.state(), ((5, 5), (5, 5), 0, 0));
}

#[test]
fn a_nak_on_policy_all_concerns_its_message_alone() {
    let mut bench = Bench::filled(3, all());
    bench.fetch("3", "r");
    bench.take();
    bench.ack(2, "-NAK");
    bench.fetch("5", "r");
    assert_eq!(bench.deliveries(), [(2, 2, 4)]);
}

#[test]
fn an_ack_from_the_future_does_not_lift_the_floor_above_what_was_delivered() {
    let mut bench = Bench::filled(5, all());
    bench.fetch("2", "r");
    bench.ack_by([1, 2, 999, 0, 0], "");
    assert_eq!(bench.state(), ((2, 2), (2, 2), 0, 0));
}

#[test]
fn ack_and_next_is_an_ack_and_a_pull_request() {
    let mut bench = Bench::filled(8, explicit());
    bench.fetch("1", "r");
    bench.ack(1, "+NXT");
    bench.ack(2, "+NXT 2");
    bench.ack(4, r#"+NXT{"batch":2}"#);
    assert_eq!(bench.messages(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(bench.state(), ((6, 6), (2, 2), 3, 0));
    bench.ack(2, "+NXT");
    assert_eq!(bench.state(), ((7, 7), (2, 2), 4, 0));
}

#[test]
fn an_acked_message_can_not_be_naked() {
    let mut bench = Bench::filled(2, explicit());
    bench.fetch("2", "r");
    bench.ack(1, "");
    bench.take();
    bench.ack(1, "-NAK");
    bench.fetch("1", "r");
    assert_eq!((bench.take().len(), bench.world.advisories.len()), (0, 0));
}

#[test]
fn naks_are_served_in_their_order_and_once() {
    let mut bench = Bench::filled(10, explicit());
    bench.fetch("6", "r");
    bench.take();
    for seq in [6, 2, 6, 4] {
        bench.ack(seq, "-NAK");
    }
    bench.fetch("5", "r");
    assert_eq!(bench.deliveries(), [(2, 6, 7), (2, 2, 8), (2, 4, 9), (1, 7, 10), (1, 8, 11)]);
}

#[test]
fn a_nak_and_a_term_are_announced_with_the_numbers_of_the_delivery() {
    let mut bench = Bench::filled(2, explicit());
    bench.fetch("2", "r");
    bench.ack_by([1, 1, 1, 0, 0], "-NAK");
    bench.ack_by([3, 2, 2, 0, 0], "+TERM  with reason ");
    let (stream, consumer) = ("S".to_owned(), "C".to_owned());
    let naked = Advisory::MessageNaked {
        stream: stream.clone(),
        consumer: consumer.clone(),
        consumer_seq: 1,
        stream_seq: 1,
        deliveries: 1,
    };
    let reason = "with reason".to_owned();
    let terminated = Advisory::MessageTerminated {
        stream,
        consumer,
        consumer_seq: 2,
        stream_seq: 2,
        deliveries: 3,
        reason,
    };
    assert_eq!(bench.world.advisories, [naked, terminated]);
}

#[test]
fn a_nak_with_delay_waits_that_long_in_every_form() {
    for payload in ["-NAK 200ms", r#"-NAK {"delay":200000000}"#, "-NAK0.2s"] {
        let mut bench = Bench::filled(1, explicit());
        bench.fetch("2", "r");
        bench.take();
        bench.ack(1, payload);
        bench.pass_ms(199);
        assert_eq!(bench.deliveries(), [], "{payload}");
        bench.pass_ms(1);
        assert_eq!(bench.deliveries(), [(2, 1, 2)], "{payload}");
    }
}

#[test]
fn a_delay_that_can_not_be_read_is_none() {
    let mut bench = Bench::filled(1, explicit());
    bench.fetch("2", "r");
    bench.take();
    bench.ack(1, "-NAK soon");
    assert_eq!(bench.deliveries(), [(2, 1, 2)]);
}

#[test]
fn a_later_delay_replaces_an_earlier_nak() {
    let mut bench = Bench::filled(2, explicit());
    bench.fetch("1", "r");
    bench.ack(1, "-NAK");
    bench.ack(1, "-NAK 1s");
    bench.take();
    bench.fetch("2", "r");
    assert_eq!(bench.deliveries(), [(1, 2, 2)]);
    bench.pass_ms(1000);
    assert_eq!(bench.deliveries(), [(2, 1, 3)]);
}

#[test]
fn sampling_takes_about_its_share_of_acks_and_no_nak() {
    let mut bench = Bench::filled(500, ConsumerConfig { sample_freq: "50%".into(), ..explicit() });
    bench.fetch("500", "r");
    bench.pass_ms(3);
    (1..=500).for_each(|seq| bench.ack(seq, ""));
    let samples = bench.world.advisories.len();
    assert!((200..300).contains(&samples), "{samples}");
    let Advisory::AckSample { ack_time, deliveries, .. } = bench.world.advisories[0] else { panic!() };
    assert_eq!((ack_time, deliveries), (3_000_000, 1));
}

#[test]
fn sequences_that_nobody_has_are_not_answered_and_change_nothing() {
    let mut bench = Bench::filled(3, explicit());
    bench.fetch("3", "r");
    let before = bench.state();
    assert!(!bench.ack_by([1, 0, 0, 0, 0], ""));
    assert!(!bench.ack_by([1, 0, 1, 0, 0], "-NAK"));
    assert!(!bench.ack_by([1, u64::MAX, u64::MAX, 0, 0], ""));
    assert_eq!(bench.state(), before);
}

#[test]
fn an_ack_of_all_with_a_made_up_consumer_sequence_can_be_read_back() {
    let mut bench = Bench::filled(5, all());
    bench.fetch("5", "r");
    assert!(bench.ack_by([1, 3, u64::MAX, 0, 0], ""));
    assert_eq!(bench.state(), ((5, 5), (5, 3), 2, 0));
    bench.restart();
    assert_eq!(bench.state(), ((5, 5), (5, 3), 2, 0));
}
