//! A load with others in its background: each counts apart, and faults of both count.

use crate::fake::{Fault, Server};
use crate::{judge, judge_at, streams};
use perf::failure::Failure;
use perf::measured::{Measured, Verification};
use perf::watch::Unwatched;
use perf::workload::Workload;

fn background(measured: &Measured) -> &perf::measured::Background {
    measured.background.as_ref().expect("the load has a background")
}

#[test]
fn a_flood_of_the_same_streams_is_no_part_of_what_is_measured() {
    let server = Server::start(Fault::Nothing);
    let table = "kind = \"publish\"\nrate = 200\nlateness_max = 10000\nduration = 1\nwarmup = 0.2\nstreams = 2\n\
                 msg_id = true\nverify = true\nbackground = 2\nbackground_in_flight = 5";
    let measured = judge_at(&server, table, &mut Unwatched).unwrap();
    assert_eq!(measured.verdict(), Ok(()), "{:?}", measured.first_error);
    assert_eq!(measured.latency.len(), 200);
    let flood = background(&measured);
    assert!(flood.operations > measured.operations, "{} and {}", flood.operations, measured.operations);
    assert_eq!(flood.latency.len(), flood.operations);
    assert_eq!(flood.rates.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [-1, 0]);
    // Every acked message of both is read back.
    let Verification::Passed { messages } = measured.verification else {
        panic!("{:?}", measured.verification)
    };
    assert!(messages > flood.operations, "{messages}");
    assert_eq!(streams(&server), [""; 0]);
}

#[test]
fn whoever_consumes_has_the_background_in_streams_that_he_does_not_see() {
    let server = Server::start(Fault::Nothing);
    for load in
        ["kind = \"consume\"\nfill = 300000", "kind = \"pubsub\"\nin_flight = 5", "kind = \"request\""]
    {
        let table = format!(
            "{load}\nduration = 0.5\nwarmup = 0.1\nverify = true\nbackground = 1\nbackground_in_flight = 5"
        );
        let measured = judge_at(&server, &table, &mut Unwatched).unwrap();
        assert_eq!(measured.verdict(), Ok(()), "{load}: {:?}", measured.first_error);
        assert!(measured.operations > 0 && background(&measured).operations > 0, "{load}");
        assert_eq!(streams(&server), [""; 0], "{load}");
    }
}

#[test]
fn the_faults_of_a_background_fail_the_run() {
    let table = "kind = \"request\"\nduration = 0.5\nwarmup = 0\nverify = true\nbackground = 1\nbackground_in_flight = 5";
    let lost = judge(Fault::SameSequence, table).unwrap();
    assert!(lost.errors["sequence given twice"] > 0);
    let damaged = judge(Fault::WrongByte, table).unwrap();
    assert!(matches!(damaged.verdict(), Err(Failure::VerificationFailed(_))), "{:?}", damaged.verdict());
    assert_eq!(judge(Fault::NoJetStream, table).unwrap_err().exit_code(), 5);
}

#[test]
fn a_background_needs_a_load_that_lasts() {
    for table in ["kind = \"publish\"\ncount = 5\nbackground = 1", "kind = \"consume\"\nbackground = 1"] {
        let sentence = Workload::from_toml(table).unwrap_err().to_string();
        assert!(sentence.contains("background: it lasts as long as the load"), "{sentence}");
    }
    let sentence =
        Workload::from_toml("kind = \"publish\"\nbackground_in_flight = 5").unwrap_err().to_string();
    assert!(sentence.contains("there is no background"), "{sentence}");
}
