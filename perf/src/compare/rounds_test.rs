use super::*;
use crate::compare::parse;
use crate::fixture::measured;
use crate::toml_file::Text;

fn plan() -> Plan {
    let text = "rounds = 3\n[[server]]\nname = \"a\"\naddress = \"h:1\"\n[[server]]\nname = \"b\"\naddress = \"h:2\"\n\
                [workload.x]\nkind = \"publish\"\n[workload.y]\nkind = \"request\"\n";
    parse(&Text::new("c.toml", text)).unwrap()
}

fn rates(runs: &ServerRuns) -> Vec<f64> {
    runs.values(|measured| Some(measured.rate()))
}

#[test]
fn servers_take_turns_in_every_round() {
    let mut order = Vec::new();
    let mut bench = |server: usize, workload: &Workload| {
        order.push((workload.kind, server));
        Ok((measured(&[(1000 * (server as u64 + 1), 200)]), 0.0))
    };
    let rounds = run(&plan(), &mut bench, &mut |_| {});
    use crate::workload::Kind::{Publish, Request};
    let turns = |kind| [0, 1, 0, 1, 0, 1].map(|server| (kind, server));
    assert_eq!(order, [turns(Publish), turns(Request)].concat());
    assert_eq!(rates(&rounds.loads[1].servers[1]), [2000.0; 3]);
}

#[test]
fn a_disturbed_run_is_done_again_and_only_the_last_one_counts() {
    let mut others = [0.5, 0.0, 0.0, 0.0].into_iter();
    let mut lines = Vec::new();
    let mut bench = |_: usize, _: &Workload| {
        let other = others.next().unwrap_or(0.0);
        Ok((measured(&[(if other > 0.1 { 1 } else { 1000 }, 200)]), other))
    };
    let rounds = run(&plan(), &mut bench, &mut |line| lines.push(line.to_owned()));
    let first = &rounds.loads[0].servers[0];
    assert_eq!((first.repeated, rates(first)), (1, vec![1000.0; 3]));
    assert_eq!(lines[0], "x, round 1 of 3, a: disturbed: others used 0.50 cores; once more");
}

#[test]
fn a_machine_that_is_never_quiet_ends_with_marked_runs() {
    let mut count = 0;
    let mut bench = |_: usize, _: &Workload| {
        count += 1;
        Ok((measured(&[(1000, 200)]), 1.0))
    };
    let rounds = run(&plan(), &mut bench, &mut |_| {});
    assert_eq!(count, 2 * 2 * 3 * ATTEMPTS_MAX);
    assert!(rounds.loads[0].servers[0].runs.iter().flatten().all(|run| run.disturbed));
}

#[test]
fn an_invalid_run_has_no_value() {
    let mut bench = |server: usize, _: &Workload| {
        let mut run = measured(&[(1000, 200)]);
        if server == 1 {
            run.validity = Validity::Invalid("late".into());
        }
        Ok((run, 0.0))
    };
    let rounds = run(&plan(), &mut bench, &mut |_| {});
    assert!(rates(&rounds.loads[0].servers[1]).iter().all(|rate| rate.is_nan()));
    assert_eq!(rounds.loads[0].servers[1].valid().count(), 0);
    assert_eq!(
        rounds.failure(),
        Some(Failure::InvalidRun("x: late".into())),
        "a table of dashes is no success"
    );
    assert_eq!(
        rounds.failure(),
        Some(Failure::InvalidRun("x: late".into())),
        "a table of dashes is no success"
    );
}

#[test]
fn a_server_that_fails_a_load_is_spared_its_further_rounds_and_not_the_other_loads() {
    let mut runs = [0, 0];
    let mut bench = |server: usize, workload: &Workload| {
        runs[server] += 1;
        match (server, workload.kind) {
            (1, crate::workload::Kind::Publish) => Err(Failure::NoJetStream("none".into())),
            _ => Ok((measured(&[(1000, 200)]), 0.0)),
        }
    };
    let rounds = run(&plan(), &mut bench, &mut |_| {});
    assert_eq!(runs, [6, 4]);
    assert_eq!(rounds.loads[0].servers[1].failure, Some(Failure::NoJetStream("none".into())));
    assert_eq!(rounds.loads[1].servers[1].failure, None);
}

#[test]
fn mistakes_of_a_server_are_a_failure_and_no_figure() {
    let mut bench = |server: usize, _: &Workload| {
        let mut run = measured(&[(1000, 200)]);
        if server == 0 {
            run.errors.insert("wrong ack".into(), 2);
        }
        Ok((run, 0.0))
    };
    let rounds = run(&plan(), &mut bench, &mut |_| {});
    assert_eq!(rounds.loads[0].servers[0].failure, Some(Failure::Faults("2 × wrong ack".into())));
    assert_eq!(rounds.loads[0].servers[0].valid().count(), 0);
}

#[test]
fn an_interruption_ends_everything_and_keeps_what_there_is() {
    let mut count = 0;
    let mut bench = |_: usize, _: &Workload| {
        count += 1;
        Ok((Measured { interrupted: count == 3, ..measured(&[(1000, 200)]) }, 0.0))
    };
    let rounds = run(&plan(), &mut bench, &mut |_| {});
    assert_eq!((count, rounds.interrupted), (3, true));
    assert_eq!(rounds.loads[0].servers[0].valid().count(), 1);
}

#[test]
fn a_server_is_spared_the_loads_that_it_skips() {
    let mut plan = plan();
    plan.servers[1].skip = vec!["x".into()];
    let mut runs = [0, 0];
    let mut bench = |server: usize, _: &Workload| {
        runs[server] += 1;
        Ok((measured(&[(1000, 200)]), 0.0))
    };
    let rounds = run(&plan, &mut bench, &mut |_| {});
    assert_eq!(runs, [6, 3]);
    assert!(rates(&rounds.loads[0].servers[1]).iter().all(|rate| rate.is_nan()));
}
