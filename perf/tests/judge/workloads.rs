//! Every kind of load, before a server that makes no mistake.

use crate::fake::{Fault, Server};
use crate::{judge, judge_at, make_stream, streams};
use perf::measured::{Validity, Verification};
use perf::watch::Unwatched;

#[test]
fn publish_counts_every_ack_and_reads_every_message_back() {
    let server = Server::start(Fault::Nothing);
    let table = "kind = \"publish\"\ncount = 5000\nstreams = 3\nsubjects = 10\ndistribution = \"zipf\"\n\
                 size = \"0..300\"\nheaders = 2\nmsg_id = true\nin_flight = 50\nverify = true";
    let measured = judge_at(&server, table, &mut Unwatched).unwrap();
    assert_eq!((measured.operations, measured.acked, measured.started), (5000, 5000, 5000));
    assert_eq!(measured.latency.len(), 5000);
    assert_eq!(measured.series.iter().map(|second| second.operations).sum::<u64>(), 5000);
    assert_eq!(measured.verification, Verification::Passed { messages: 5000 });
    assert_eq!(measured.verdict(), Ok(()));
    assert_eq!(streams(&server), [""; 0], "what was made is deleted");
}

#[test]
fn publish_measures_for_a_time_after_a_warm_up() {
    let measured =
        judge(Fault::Nothing, "kind = \"publish\"\nduration = 1.5\nwarmup = 0.5\nin_flight = 8").unwrap();
    assert_eq!(measured.elapsed.as_millis(), 1500);
    assert_eq!(measured.verdict(), Ok(()));
    let seconds: Vec<i64> =
        measured.series.iter().filter(|second| !second.draining).map(|second| second.at).collect();
    assert_eq!(seconds, [-1, 0, 1]);
    let operations = measured.series.iter().filter(|second| second.at >= 0 && !second.draining);
    assert_eq!(operations.map(|second| second.operations).sum::<u64>(), measured.operations);
}

#[test]
fn several_threads_count_together() {
    let table =
        "kind = \"publish\"\ncount = 4000\nthreads = 3\nconnections = 5\nin_flight = 20\nverify = true";
    let measured = judge(Fault::Nothing, table).unwrap();
    assert_eq!(measured.operations, 4000);
    assert_eq!(measured.verdict(), Ok(()));
}

#[test]
fn consume_gets_every_message_once_for_each_consumer() {
    for acks in ["ack = \"explicit\"", "ack = \"none\"", "ack = \"all\"", "ack_sync = true"] {
        let table = format!(
            "kind = \"consume\"\nfill = 1000\nstreams = 2\nconsumers = 3\nfetch = 70\nverify = true\n{acks}"
        );
        let measured = judge(Fault::Nothing, &table).unwrap();
        assert_eq!(measured.operations, 6000, "{acks}");
        assert_eq!(measured.verification, Verification::Passed { messages: 6000 });
        assert_eq!(measured.verdict(), Ok(()));
    }
}

#[test]
fn a_stream_that_exists_is_consumed_and_stays() {
    let server = Server::start(Fault::Nothing);
    make_stream(&server, "ORDERS", 40);
    let table = "kind = \"consume\"\nstream = \"ORDERS\"\nconsumers = 2";
    let measured = judge_at(&server, table, &mut Unwatched).unwrap();
    assert_eq!((measured.operations, measured.verdict()), (80, Ok(())));
    assert!(
        measured.title.starts_with("consume: 4 connections, stream ORDERS, 2 consumers"),
        "{}",
        measured.title
    );
    let failure = judge_at(&server, &format!("{table}\nfill = 41"), &mut Unwatched).unwrap_err();
    assert_eq!(
        (failure.exit_code(), failure.to_string()),
        (7, "stream ORDERS holds 40 messages; 41 are wanted".into())
    );
    assert_eq!(streams(&server), ["\"ORDERS\""]);
}

#[test]
fn pubsub_counts_a_delivery_for_each_subscriber_or_queue_group() {
    let plain =
        "kind = \"pubsub\"\ncount = 3000\npublishers = 2\nsubscribers = 4\nin_flight = 30\nverify = true";
    let measured = judge(Fault::Nothing, plain).unwrap();
    assert_eq!((measured.started, measured.operations), (3000, 12_000));
    assert_eq!(measured.verdict(), Ok(()));
    let grouped = judge(Fault::Nothing, &format!("{plain}\nqueue_groups = 2\nthreads = 2")).unwrap();
    assert_eq!((grouped.started, grouped.operations), (3000, 6000));
    assert_eq!(grouped.verdict(), Ok(()));
}

#[test]
fn request_counts_what_its_own_responders_answer() {
    let table = "kind = \"request\"\ncount = 2000\nresponders = 2\nin_flight = 5\nverify = true";
    let measured = judge(Fault::Nothing, table).unwrap();
    assert_eq!(measured.operations, 2000);
    assert_eq!(measured.verification, Verification::Passed { messages: 2000 });
    assert_eq!(measured.verdict(), Ok(()));
}

#[test]
fn mixed_counts_what_was_published_acked_and_delivered() {
    let table = "kind = \"mixed\"\ncount = 2000\nconsumers = 2\nfetch = 30\nin_flight = 10\nthreads = 2\nverify = true";
    let measured = judge(Fault::Nothing, table).unwrap();
    assert_eq!((measured.started, measured.acked, measured.operations), (2000, 2000, 4000));
    // Each delivery was compared, and each acked message once more afterwards.
    assert_eq!(measured.verification, Verification::Passed { messages: 6000 });
    assert_eq!(measured.verdict(), Ok(()));
}

#[test]
fn an_open_loop_starts_what_its_rate_says() {
    for arrivals in ["constant", "poisson", "burst"] {
        let table = format!(
            "kind = \"publish\"\nrate = 1000\narrivals = \"{arrivals}\"\nduration = 2\nwarmup = 0\nlateness_max = 10000"
        );
        let measured = judge(Fault::Nothing, &table).unwrap();
        // Counted by intended time: a busy machine may start the last ones after the end.
        let every = if arrivals == "poisson" { 1800..=2200 } else { 2000..=2000 };
        assert!(
            every.contains(&measured.latency.len()),
            "every operation was started and has a latency: {}",
            measured.latency.len()
        );
        assert_eq!(measured.validity, Validity::Valid);
        assert_eq!(measured.errors.len(), 0);
    }
}
