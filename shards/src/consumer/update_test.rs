use super::*;
use crate::consumer::config::{AckPolicy, DeliverPolicy, Limits};
use crate::consumer::fixture::*;
use crate::time::WallTime;

fn complete(config: ConsumerConfig) -> ConsumerConfig {
    config.complete(&Limits::default(), false, "generated").unwrap()
}

fn verdict(old: ConsumerConfig, action: CreateAction, new: ConsumerConfig) -> Result<Verdict, Rejection> {
    decide(Some(&complete(old)), false, action, &complete(new))
}

#[test]
fn actions_on_an_unknown_name() {
    let config = complete(explicit());
    assert_eq!(decide(None, false, CreateAction::Upsert, &config), Ok(Verdict::Create));
    assert_eq!(decide(None, false, CreateAction::Create, &config), Ok(Verdict::Create));
    assert_eq!(decide(None, false, CreateAction::Update, &config), Err(Rejection::ConsumerDoesNotExist));
}

#[test]
fn spelling_out_defaults_and_server_metadata_make_no_difference() {
    let spelled = ConsumerConfig {
        ack_wait: 30_000_000_000,
        max_deliver: -1,
        max_waiting: 512,
        max_ack_pending: 1000,
        metadata: vec![("_nats.other".into(), "x".into())],
        ..explicit()
    };
    for action in [CreateAction::Upsert, CreateAction::Create, CreateAction::Update] {
        assert_eq!(verdict(explicit(), action, spelled.clone()), Ok(Verdict::Same));
    }
}

#[test]
fn a_different_configuration_is_an_update_unless_it_was_to_be_created() {
    let other = ConsumerConfig { description: "x".into(), ..explicit() };
    assert_eq!(verdict(explicit(), CreateAction::Upsert, other.clone()), Ok(Verdict::Update));
    assert_eq!(verdict(explicit(), CreateAction::Update, other.clone()), Ok(Verdict::Update));
    assert_eq!(verdict(explicit(), CreateAction::Create, other), Err(Rejection::ConsumerAlreadyExists));
}

#[test]
fn what_can_not_be_updated_is_refused_in_the_servers_words() {
    let start =
        ConsumerConfig { deliver_policy: DeliverPolicy::ByStartSequence, opt_start_seq: 1, ..explicit() };
    let time = ConsumerConfig {
        deliver_policy: DeliverPolicy::ByStartTime,
        opt_start_time: Some(WallTime(1)),
        ..explicit()
    };
    let beat = ConsumerConfig { idle_heartbeat: 1_000_000_000, ..push() };
    for (old, new, text) in [
        (
            explicit(),
            ConsumerConfig { deliver_policy: DeliverPolicy::New, ..explicit() },
            "deliver policy can not be updated",
        ),
        (explicit(), ConsumerConfig { mem_storage: true, ..explicit() }, "storage type can not be updated"),
        (start.clone(), ConsumerConfig { opt_start_seq: 2, ..start }, "start sequence can not be updated"),
        (
            time.clone(),
            ConsumerConfig { opt_start_time: Some(WallTime(2)), ..time },
            "start time can not be updated",
        ),
        (
            explicit(),
            ConsumerConfig { ack_policy: AckPolicy::All, ..explicit() },
            "ack policy can not be updated",
        ),
        (push(), beat.clone(), "heart beats can not be updated"),
        (beat.clone(), ConsumerConfig { flow_control: true, ..beat }, "flow control can not be updated"),
        (explicit(), push(), "can not update pull consumer to push based"),
        (push(), explicit(), "can not update push consumer to pull based"),
        (explicit(), ConsumerConfig { max_waiting: 1, ..explicit() }, "max waiting can not be updated"),
    ] {
        assert_eq!(verdict(old, CreateAction::Upsert, new), Err(Rejection::ConsumerCreate(text.into())));
    }
}

#[test]
fn a_deliver_subject_that_is_in_use_is_not_taken_away() {
    let other = ConsumerConfig { deliver_subject: "other".into(), ..push() };
    let (old, new) = (complete(push()), complete(other));
    let bound = |bound| decide(Some(&old), bound, CreateAction::Upsert, &new);
    assert_eq!(bound(true), Err(Rejection::ConsumerNameExist));
    assert_eq!(bound(false), Ok(Verdict::Update));
}

#[test]
fn a_new_deliver_subject_gets_everything_unacked_first() {
    let mut bench = Bench::filled(40, ConsumerConfig { max_ack_pending: 20, ..push() });
    bench.run();
    (1..=5).for_each(|seq| bench.ack(seq, ""));
    assert_eq!(bench.messages().len(), 25);
    bench.update(ConsumerConfig { deliver_subject: "other".into(), max_ack_pending: 35, ..push() });
    let expected: Vec<_> = (6..=25).map(|seq| (2, seq)).chain((26..=40).map(|seq| (1, seq))).collect();
    let got: Vec<_> = bench.deliveries().into_iter().map(|(count, seq, _)| (count, seq)).collect();
    assert_eq!(got, expected);
}

#[test]
fn a_new_filter_counts_from_where_the_consumer_is() {
    let subjects: Vec<&str> = (0..20).map(|n| if n % 2 == 0 { "foo" } else { "bar" }).collect();
    let with = |filter: &str| ConsumerConfig { filter_subject: filter.into(), ..explicit() };
    let mut bench = Bench::new(&subjects, with("foo"));
    bench.fetch("5", "r");
    assert_eq!(bench.messages(), [1, 3, 5, 7, 9]);
    bench.update(with("bar"));
    assert_eq!(bench.info().num_pending, 6);
    bench.fetch("1", "r");
    assert_eq!(bench.deliveries(), [(1, 10, 6)]);
}
