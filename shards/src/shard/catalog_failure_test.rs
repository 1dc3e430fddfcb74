//! Steps of creations, updates and deletions that fail, at the catalog or at the home shard: everybody is answered, and the
//! name can be used again.
//!
//! One shard plays both parts: messages to the home shard are taken away where its log is to fail and the catalog's is not.

use super::ShardMessage;
use super::answer::{Answer, StreamChange};
use super::fixture_test::*;
use super::request::Request;
use crate::ids::GroupId;
use crate::log::fake_disk::FakeDisk;
use crate::rejection::Rejection;
use crate::stream::config::StreamConfig;
use std::sync::Arc;
use std::time::Duration;

fn create(name: &str) -> Request {
    Request::StreamCreate { config: Box::new(config(name)), pedantic: false }
}

fn update(name: &str, max_msgs: i64) -> Request {
    let config = StreamConfig { max_msgs, ..config(name) };
    Request::StreamUpdate { config: Box::new(config), pedantic: false }
}

fn delete(name: &str) -> Request {
    Request::StreamDelete { name: name.to_owned() }
}

fn store_failed() -> Rejection {
    Rejection::StreamStoreFailed(super::LOG_FAILED.into())
}

fn is_store_failed(answer: Answer) -> bool {
    matches!(rejection(answer), Rejection::StreamStoreFailed(_))
}

fn is_in_table(bench: &Bench, name: &str) -> bool {
    let last = bench.world.table.iter().rev().find(|change| change.stream() == name);
    last.is_some_and(|change| matches!(change.change, StreamChange::Put { .. }))
}

/// Lets the home shard fail the step that the catalog asks it for.
fn fail_step(bench: &mut Bench, is_step: impl Fn(&ShardMessage) -> bool) -> GroupId {
    for _ in 0..1000 {
        if let Some(at) = bench.world.sent.iter().position(&is_step) {
            return match bench.world.sent.remove(at) {
                Some(
                    ShardMessage::CreateGroup { group, .. }
                    | ShardMessage::GroupCreated { group, .. }
                    | ShardMessage::DeleteGroup { group },
                ) => group,
                other => panic!("{other:?} is no such step"),
            };
        }
        bench.step();
    }
    panic!("the catalog does not ask for the step");
}

fn tell_failed(bench: &mut Bench, group: GroupId) {
    let message = ShardMessage::GroupFailed { group, rejection: store_failed() };
    bench.shard.handle_message(bench.now, message, &mut bench.world);
    bench.holds_messages = false;
    bench.settle();
}

#[test]
fn a_creation_that_fails_on_the_home_shard_is_answered_and_leaves_the_name_free() {
    let mut bench = Bench::new();
    bench.holds_messages = true;
    bench.ask("create", create("S"));
    bench.ask("behind", update("S", 5));
    let group = fail_step(&mut bench, |m| matches!(m, ShardMessage::CreateGroup { .. }));
    tell_failed(&mut bench, group);
    assert_eq!(rejection(bench.answer("create")), store_failed());
    assert_eq!(rejection(bench.answer("behind")), Rejection::StreamNotFound);
    assert!(!is_in_table(&bench, "S"));
    bench.crash();
    assert!(!is_in_table(&bench, "S"), "what was taken back does not come again");
    bench.stream("S", |config| config.max_msgs = 3);
}

#[test]
fn a_creation_that_fails_and_is_in_the_home_log_all_the_same_is_ended_by_the_next_start() {
    let mut bench = Bench::new();
    bench.holds_messages = true;
    bench.ask("create", create("S"));
    // The home shard has made the group; its answer is replaced by a failure.
    while bench.world.sent.is_empty() {
        bench.step();
    }
    let step = bench.world.sent.pop_front().expect("it was just looked at");
    bench.shard.handle_message(bench.now, step, &mut bench.world);
    let group = fail_step(&mut bench, |m| matches!(m, ShardMessage::GroupCreated { .. }));
    let message = ShardMessage::GroupFailed { group, rejection: store_failed() };
    bench.shard.handle_message(bench.now, message, &mut bench.world);
    bench.settle();
    assert!(bench.is_answered("create"));
    assert_eq!(bench.shard.state_hashes().len(), 1, "the word to end it has not come");
    bench.crash();
    assert!(bench.shard.state_hashes().is_empty() && bench.shard.set_aside().is_empty());
    bench.stream("S", |_| {});
}

#[test]
fn an_update_that_fails_on_the_home_shard_is_answered_and_taken_back() {
    let mut bench = Bench::new();
    let group = bench.stream("S", |config| config.max_msgs = 7);
    bench.holds_messages = true;
    bench.ask("update", update("S", 2));
    while !bench.world.sent.iter().any(|m| matches!(m, ShardMessage::UpdateGroup { .. })) {
        bench.step();
        if matches!(
            bench.world.sent.front(),
            Some(ShardMessage::CheckUpdate { .. } | ShardMessage::UpdateChecked { .. })
        ) {
            let check = bench.world.sent.pop_front().expect("it was just looked at");
            bench.shard.handle_message(bench.now, check, &mut bench.world);
        }
    }
    bench.world.sent.clear();
    tell_failed(&mut bench, group);
    assert_eq!(rejection(bench.answer("update")), store_failed());
    bench.publish(group, "s.a", 5);
    bench.settle();
    bench.crash();
    assert_eq!(bench.state(group), (5, 5), "the configuration before counts");
    let answer = bench.get(update("S", 3));
    assert!(matches!(answer, Answer::StreamUpdated(_)), "{answer:?}");
}

#[test]
fn a_deletion_holds_once_the_catalog_has_it_although_the_home_shard_fails() {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    bench.holds_messages = true;
    bench.ask("delete", delete("S"));
    fail_step(&mut bench, |m| matches!(m, ShardMessage::DeleteGroup { .. }));
    tell_failed(&mut bench, group);
    assert!(matches!(bench.answer("delete"), Answer::StreamDeleted));
    let again = bench.stream("S", |_| {});
    assert_ne!(again, group);
    bench.crash();
    assert!(is_in_table(&bench, "S"));
    assert_eq!(bench.shard.state_hashes().len(), 1, "the next start has ended the group");
}

#[test]
fn a_failed_home_shard_refuses_each_step_at_once() {
    let mut bench = Bench::new();
    let group = bench.stream("S", |_| {});
    bench.publish(group, "s.a", 1);
    bench.disk.fail = true;
    bench.settle();
    let steps = [
        ShardMessage::CreateGroup {
            group: GroupId(50),
            account: crate::ids::AccountId::GLOBAL,
            config: Arc::new(config("T")),
            created: crate::time::WallTime(1),
        },
        ShardMessage::UpdateGroup { group, config: Arc::new(StreamConfig { max_msgs: 1, ..config("S") }) },
        ShardMessage::DeleteGroup { group },
        ShardMessage::DeleteGroup { group: GroupId(51) },
    ];
    bench.holds_messages = true;
    for step in steps {
        bench.shard.handle_message(bench.now, step.clone(), &mut bench.world);
        bench.settle();
        let told = bench.world.sent.pop_front();
        assert!(matches!(told, Some(ShardMessage::GroupFailed { .. })), "{step:?}: {told:?}");
    }
    let check = ShardMessage::CheckUpdate { group, config: Arc::new(config("S")) };
    bench.shard.handle_message(bench.now, check, &mut bench.world);
    assert!(matches!(
        bench.world.sent.pop_front(),
        Some(ShardMessage::UpdateChecked { result: Err(Rejection::StreamStoreFailed(_)), .. })
    ));
}

#[test]
fn wherever_the_disk_fails_in_a_creation_an_update_or_a_deletion_everybody_is_answered_and_a_restart_heals() {
    for fails_at in 0..14 {
        let mut bench = Bench::new();
        for (name, request) in [
            ("create S", create("S")),
            ("create again", create("S")),
            ("update", update("S", 3)),
            ("delete", delete("S")),
            ("create T", create("T")),
        ] {
            bench.ask(name, request);
        }
        for _ in 0..fails_at {
            bench.step();
        }
        bench.disk.fail = true;
        bench.settle();
        for name in ["create S", "create again", "update", "delete", "create T"] {
            let answer = bench.answer(name);
            if let Answer::Rejected(rejection) = answer {
                assert_eq!(rejection, store_failed(), "{name}, {fails_at}");
            }
        }
        bench.disk.fail = false;
        bench.restart();
        for name in ["S", "T"] {
            if is_in_table(&bench, name) {
                assert!(matches!(bench.get(delete(name)), Answer::StreamDeleted), "{fails_at}");
            }
            let group = bench.stream(name, |config| config.max_msgs = 4);
            bench.publish(group, &format!("{}.a", name.to_lowercase()), 5);
            bench.settle();
            assert_eq!(bench.state(group), (4, 5));
        }
        assert!(bench.shard.set_aside().is_empty());
    }
}

#[test]
fn wherever_the_disk_gets_stuck_everybody_is_answered_within_seconds() {
    for stuck_at in 0..14 {
        let mut bench = Bench::new();
        bench.stream("OLD", |_| {});
        let asked = ["create S", "create again", "update", "delete", "delete old"];
        let requests = [create("S"), create("S"), update("S", 3), delete("S"), delete("OLD")];
        for (name, request) in asked.into_iter().zip(requests) {
            bench.ask(name, request);
        }
        for _ in 0..stuck_at {
            bench.step();
        }
        bench.settle_but(|op| is_write(op) || is_sync(op));
        for _ in 0..3 {
            bench.pass(Duration::from_millis(2100));
            bench.settle_but(|op| is_write(op) || is_sync(op));
        }
        for name in asked {
            assert!(bench.is_answered(name), "{name} is not answered, stuck at {stuck_at}");
        }
        bench.ask("later", create("LATER"));
        bench.settle_but(|op| is_write(op) || is_sync(op));
        let activity = bench.shard.activity();
        if activity.writing || activity.syncing {
            assert!(is_store_failed(bench.answer("later")), "stuck at {stuck_at}");
        }
        // The disk comes back: whatever was half done ends, and every name can be used.
        bench.settle();
        bench.world.answers.clear();
        _ = bench.get(delete("S"));
        bench.stream("S", |config| config.max_msgs = 2);
        bench.crash();
        assert!(is_in_table(&bench, "S") && bench.shard.set_aside().is_empty(), "{stuck_at}");
    }
}

#[test]
fn a_creation_for_which_the_log_has_no_room_is_refused_and_leaves_nothing() {
    let mut bench = Bench::on(FakeDisk::with_room(3 << 20));
    let mut refused = None;
    for n in 0..1000 {
        let mut config = config(&format!("S{n}"));
        config.metadata = [("k".to_owned(), "v".repeat(50_000))].into();
        let create = Request::StreamCreate { config: Box::new(config), pedantic: false };
        match bench.get(create) {
            Answer::StreamCreated(_) => {}
            other => {
                refused = Some((format!("S{n}"), rejection(other)));
                break;
            }
        }
    }
    let (name, reason) = refused.expect("the disk is full some time");
    assert!(matches!(reason, Rejection::InsufficientResources | Rejection::StreamStoreFailed(_)));
    assert!(!is_in_table(&bench, &name));
    let groups = bench.shard.state_hashes().len();
    bench.disk.room = 0;
    bench.pass(Duration::from_secs(2));
    bench.settle();
    let last = bench.stream(&name, |_| {});
    bench.crash();
    assert!(is_in_table(&bench, &name));
    let hashes = bench.shard.state_hashes();
    assert_eq!(hashes.len(), groups + 1);
    assert_eq!(hashes.last().map(|h| h.0), Some(last), "numbers are not given twice");
}
