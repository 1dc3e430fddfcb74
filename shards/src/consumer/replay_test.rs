//! What the log gives back is what was there.

use super::config::{AckPolicy, ConsumerConfig, DeliverPolicy};
use super::fixture::*;
use super::{Consumer, Mode};
use crate::ids::AccountId;

fn random_config(dice: &mut Dice) -> ConsumerConfig {
    let ack_policy = [AckPolicy::None, AckPolicy::All, AckPolicy::Explicit][dice.below(3) as usize];
    let filters: &[&str] = [&[][..], &["a"], &["a", "b.*"]][dice.below(3) as usize];
    let listed = dice.below(3) == 0 && !filters.is_empty();
    ConsumerConfig {
        ack_policy,
        filter_subjects: filters.iter().map(|&filter| filter.into()).collect(),
        deliver_policy: if listed { DeliverPolicy::LastPerSubject } else { DeliverPolicy::All },
        ack_wait: if ack_policy == AckPolicy::None { 0 } else { 50_000_000 },
        max_deliver: [-1, 1, 2, 3][dice.below(4) as usize],
        max_ack_pending: if ack_policy == AckPolicy::None { 0 } else { [-1, 3][dice.below(2) as usize] },
        deliver_subject: if dice.below(2) == 0 { String::new() } else { "d".into() },
        ..explicit()
    }
}

/// One random step. The bench compares the state with that of a replica after each.
fn step(bench: &mut Bench, dice: &mut Dice) {
    let seq = 1 + dice.below(bench.stream.last.max(1));
    match dice.below(12) {
        0..3 => _ = bench.publish(["a", "b.x", "c"][dice.below(3) as usize]),
        3..5 => bench.fetch(["1", "5", r#"{"batch":3,"no_wait":true}"#][dice.below(3) as usize], "r"),
        5..8 => {
            let payload = ["", "-NAK", "-NAK 20ms", "+WPI", "+TERM", "+NXT"][dice.below(6) as usize];
            let consumer_seq = 1 + dice.below(bench.state().0.0 + 1);
            bench.ack_by([1, seq, consumer_seq, 0, 0], payload);
        }
        8 => bench.pass_ms(dice.below(80)),
        9 if bench.stream.messages.contains_key(&seq) => bench.delete(seq),
        10 if dice.below(5) == 0 => match dice.below(3) {
            0 => bench.purge("", |other, _| other <= seq),
            1 => bench.purge("a", |_, subject| subject == "a"),
            _ => bench.purge("b.*", |other, subject| subject == "b.x" && other <= seq),
        },
        11 if dice.below(4) == 0 => bench.restart(),
        _ => bench.run(),
    }
}

#[test]
fn replaying_progress_gives_the_same_state_after_every_step() {
    for seed in 0..150 {
        let mut dice = Dice(seed);
        let config = random_config(&mut dice);
        let mut bench = Bench::new(&["a", "b.x", "a", "c"], config);
        for _ in 0..120 {
            step(&mut bench, &mut dice);
        }
    }
}

#[test]
fn num_pending_stays_right_through_everything() {
    for seed in 1000..1100 {
        let mut dice = Dice(seed);
        let config = random_config(&mut dice);
        let mut bench = Bench::new(&["a", "b.x", "a", "c"], config);
        for _ in 0..120 {
            step(&mut bench, &mut dice);
            let kept = bench.info().num_pending;
            bench.consumer.num_pending = None;
            assert_eq!(kept, bench.info().num_pending, "seed {seed}");
        }
    }
}

#[test]
fn no_bytes_make_a_decoder_panic() {
    let mut bench = Bench::filled(20, explicit());
    bench.fetch("20", "r");
    bench.ack(5, "-NAK");
    bench.fetch("1", "r");
    let mut whole = Vec::new();
    bench.consumer.encode(&mut whole);
    let mut dice = Dice(3);
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len() as u64) as usize;
            bytes[at] = dice.below(256) as u8;
        }
        bytes.truncate(dice.below(whole.len() as u64 + 50) as usize);
        if let Ok(mut consumer) = Consumer::decode(AccountId(0), "S", &bytes) {
            consumer.recover(bench.now, &bench.stream);
        }
        let mut records = vec![1, dice.below(128) as u8];
        records.extend((0..dice.below(40)).map(|_| dice.below(12) as u8 | (dice.below(9) / 8 * 0x80) as u8));
        let mut consumer = Consumer::decode(AccountId(0), "S", &whole).unwrap();
        let _ = consumer.replay(&records);
        consumer.recover(bench.now, &bench.stream);
    }
}

#[test]
fn a_consumer_that_was_used_gives_back_what_it_does_not_need() {
    let mut bench =
        Bench::filled(500, ConsumerConfig { filter_subjects: vec!["s".into(), "t.*".into()], ..explicit() });
    bench.fetch("500", "r");
    (1..=500).for_each(|seq| bench.ack(seq, ""));
    bench.fetch(r#"{"batch":2,"expires":1000000000}"#, "r");
    bench.consumer.shrink();
    assert_eq!(bench.info().num_waiting, 1, "who waits is kept");
    bench.pass_ms(2000);
    bench.consumer.shrink();
    assert!(matches!(bench.consumer.mode, Mode::Pull(None)));
    assert!(!bench.consumer.has_progress());
    let Consumer { state, redelivery, listed, .. } = &bench.consumer;
    assert_eq!((state.ack_pending.capacity(), redelivery.capacity(), listed.capacity()), (0, 0, 0));
    // It goes on where it was.
    bench.fetch("1", "r");
    assert_eq!(bench.publish("s"), 501);
    assert_eq!(bench.deliveries().last(), Some(&(1, 501, 501)));
}
