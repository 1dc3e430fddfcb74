//! Servers that make mistakes, and loads that a server cannot carry: each is named, with an exit code of its own.

use crate::fake::{Fault, Server};
use crate::{judge, judge_at, streams};
use perf::failure::Failure;
use perf::measured::Verification;
use perf::runner::{self, Target};
use perf::watch::{Phase, Progress, Unwatched, Watch};
use perf::workload::Workload;

const PUBLISH: &str = "kind = \"publish\"\ncount = 1000\nin_flight = 10\nverify = true";

#[test]
fn a_sequence_that_is_given_twice_is_no_ack() {
    let measured = judge(Fault::SameSequence, PUBLISH).unwrap();
    assert_eq!(measured.errors.get("sequence given twice"), Some(&10));
    assert_eq!(measured.operations, 990);
    assert!(measured.verdict().is_err());
}

#[test]
fn an_ack_that_never_comes_is_counted() {
    let measured = judge(Fault::LostAck, PUBLISH).unwrap();
    assert_eq!(measured.errors.get("unanswered"), Some(&10));
    assert!(matches!(measured.verdict(), Err(Failure::Faults(_))));
}

#[test]
fn a_message_with_other_bytes_fails_the_run() {
    let measured = judge(Fault::WrongByte, PUBLISH).unwrap();
    assert!(measured.errors.is_empty());
    let Verification::Failed { messages: 1000, mismatches: 10, first } = &measured.verification else {
        panic!("{:?}", measured.verification)
    };
    assert!(first.ends_with("has other bytes"), "{first}");
    assert_eq!(measured.verdict().unwrap_err().exit_code(), 11);
}

#[test]
fn a_message_that_was_acked_and_not_stored_fails_the_run() {
    let measured = judge(Fault::NotStored, PUBLISH).unwrap();
    let Verification::Failed { mismatches: 10, first, .. } = &measured.verification else {
        panic!("{:?}", measured.verification)
    };
    assert!(first.ends_with("was acked and is not there"), "{first}");
}

#[test]
fn a_message_that_is_delivered_twice_is_counted_once() {
    let measured = judge(Fault::Twice, "kind = \"consume\"\nfill = 1000\nconnections = 1").unwrap();
    assert_eq!(measured.errors.get("delivered twice"), Some(&10));
    assert_eq!(measured.operations, 1000);
}

#[test]
fn each_kind_of_missing_ground_has_its_own_exit_code() {
    let failure = |fault, table: &str| judge(fault, table).unwrap_err();
    assert_eq!(failure(Fault::NoJetStream, PUBLISH).exit_code(), 5);
    let missing = failure(Fault::Nothing, "kind = \"consume\"\nstream = \"ORDERS\"");
    assert_eq!(missing, Failure::MissingStream("ORDERS".into()));
    let early = failure(Fault::Nothing, "kind = \"consume\"\nfill = 100\nduration = 9\nwarmup = 9");
    assert!(early.exit_code() == 2 && early.to_string().contains("warm-up"), "{early}");
    let large = failure(Fault::Nothing, "kind = \"publish\"\nsize = 100000");
    assert!(matches!(large, Failure::Unsuitable(_)), "{large}");
    let with_headers = failure(Fault::Nothing, "kind = \"publish\"\nsize = 65500\nheaders = 1");
    assert!(with_headers.to_string().contains("messages of 655"), "{with_headers}");
    let workload = Workload::from_toml(PUBLISH).unwrap();
    let nobody =
        Target { address: "127.0.0.1:1".parse().unwrap(), pid: None, data_dir: None, durability: None };
    assert_eq!(runner::run(&nobody, &workload, &mut Unwatched).unwrap_err().exit_code(), 3);
}

#[test]
fn what_a_kind_of_load_does_not_have_is_refused_by_name() {
    for (table, name) in [
        ("kind = \"publish\"\nfetch = 5", "fetch"),
        ("kind = \"consume\"\nrate = 5", "rate"),
        ("kind = \"pubsub\"\nsize = 8", "size"),
        ("kind = \"publish\"\nspeed = 5", "speed"),
        ("kind = \"publish\"\nrate = 5\nin_flight = 5", "in_flight"),
        ("kind = \"publish\"\ncount = 5\nduration = 5", "count"),
        ("kind = \"pubsub\"\nsubscribers = 2\nqueue_groups = 3", "queue_groups"),
        ("kind = \"publish\"\nrate = 5\nburst = \"1ms\"", "burst"),
        ("kind = \"publish\"\nrate = 5\narrivals = \"burst\"\nburst = \"1ns\"", "burst"),
        ("kind = \"consume\"\nstream = \"S\"\nsize = 9", "size"),
        ("kind = \"consume\"\nstream = \"S\"\nstorage = \"file\"", "storage"),
        ("rate = 5", "kind"),
    ] {
        let failure = Workload::from_toml(table).unwrap_err();
        assert!(failure.exit_code() == 2 && failure.to_string().contains(name), "{table}: {failure}");
    }
}

/// Stops in the third second.
struct Impatient {
    seconds: usize,
}

impl Watch for Impatient {
    fn progress(&mut self, progress: &Progress<'_>) {
        if progress.phase == Phase::Measure && progress.elapsed.as_secs() >= 1 {
            self.seconds += 1;
        }
    }

    fn wants_stop(&self) -> bool {
        self.seconds > 0
    }
}

#[test]
fn an_interrupted_run_returns_what_it_has_and_cleans_up() {
    let server = Server::start(Fault::Nothing);
    let table = "kind = \"publish\"\nduration = 600\nwarmup = 0\nin_flight = 10\nverify = true";
    let measured = judge_at(&server, table, &mut Impatient { seconds: 0 }).unwrap();
    assert!(measured.interrupted && measured.operations > 0 && measured.errors.is_empty());
    assert!((1000..60_000).contains(&measured.elapsed.as_millis()), "{:?}", measured.elapsed);
    assert_eq!(measured.verdict(), Err(Failure::Interrupted));
    assert_eq!(streams(&server), [""; 0]);
}
