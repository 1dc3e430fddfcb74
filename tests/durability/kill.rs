//! `kill -9` under load, again and again on the same data.

use crate::support::broker::Broker;
use crate::support::folder::Folder;
use crate::support::random::Random;
use crate::support::{now, pause, setting};
use crate::trial::Trial;
use std::time::Duration;

/// Messages that one life may publish, so that reading all of them back stays short.
const MESSAGES_PER_LIFE: u64 = 24_000;

/// No further life starts after this.
const TIME_MAX: Duration = Duration::from_secs(900);

/// `MILLRACE_KILLS` lives, 10 by default, with changing numbers of executors.
#[test]
#[ignore = "runs a broker: tests/durability/run"]
fn after_kill_9_under_load_every_acked_message_is_there_and_consumers_go_on_where_they_were() {
    let (kills, seed) = (setting("MILLRACE_KILLS", 10), setting("MILLRACE_SEED", 1u64));
    let folder = Folder::new("kill");
    let (mut random, mut trial) = (Random(seed), Trial::default());
    let (start, mut done, mut acked, mut in_flight, mut longest_start) = (now(), 0, 0, 0, Duration::ZERO);
    let mut broker = Broker::start(folder.path(), 2);
    trial.prepare(broker.port);
    while done < kills && start.elapsed() < TIME_MAX {
        let load = trial.load(broker.port, MESSAGES_PER_LIFE);
        let killed = now() + Duration::from_millis(100 + random.below(900));
        while now() < killed && !load.is_over() {
            pause(Duration::from_millis(5));
        }
        broker.must_run();
        broker.kill();
        let ended = load.end(&mut trial);
        done += 1;
        acked += ended.acked;
        in_flight += ended.in_flight;

        let starting = now();
        broker = Broker::start(folder.path(), 1 + done % 3);
        longest_start = longest_start.max(starting.elapsed());
        trial.verify(broker.port);
    }
    trial.drain(broker.port);
    broker.terminate();
    println!(
        "killed {done} times with seed {seed}: {acked} acked, {in_flight} in flight at the ends, {} consumer acks confirmed, longest start \
         {longest_start:.1?}",
        trial.confirmed_count()
    );
    assert!(acked > 0 && trial.confirmed_count() > 0);
    assert_eq!(done, kills, "the time was too short for all of them");
}
