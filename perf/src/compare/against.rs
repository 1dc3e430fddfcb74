//! Loads held against each other on the same server: what a flood does to the others, what two things at once leave of each.

use super::plan::Plan;
use super::rounds::{Rounds, ServerRuns};
use super::show;
use crate::document::{Section, Table};
use crate::measured::Measured;
use crate::statistics::Ratio;
use hdrhistogram::Histogram;

/// `load` as a multiple of `other`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Against {
    pub load: String,
    pub other: String,
    /// It is the background of `load` that is held against `other`.
    pub background: bool,
}

/// Of a rate and its latencies.
type Figure = fn(f64, &Histogram<u64>) -> Option<f64>;

/// None: nothing is held against anything.
pub fn section(plan: &Plan, rounds: &Rounds) -> Option<Section> {
    if plan.against.is_empty() {
        return None;
    }
    let mut table =
        Table::new(["Load", "Against", "Server", "Acks", "Rate", "p50", "p99", "CPU per operation"]);
    for against in &plan.against {
        let find = |name: &str| rounds.loads.iter().find(|load| load.name == name);
        let (Some(load), Some(other)) = (find(&against.load), find(&against.other)) else { continue };
        for (n, server) in plan.servers.iter().enumerate() {
            let of = |figure: Figure| {
                let own = values(&load.servers[n], against.background, figure);
                show::ratio_text(Ratio::of(&own, &values(&other.servers[n], false, figure)))
            };
            // Where there is a background a server's time is that of two kinds of operations.
            let cpu = Ratio::of(&load.servers[n].values(show::CPU), &other.servers[n].values(show::CPU));
            table.row([
                if against.background { format!("{}, background", load.name) } else { load.name.clone() },
                other.name.clone(),
                server.name.clone(),
                show::acks(plan, load, n),
                of(|rate, _| Some(rate)),
                of(|_, latency| show::quantile(latency, 0.5)),
                of(|_, latency| show::quantile(latency, 0.99)),
                show::ratio_text(
                    cpu.filter(|_| [load, other].iter().all(|load| load.workload.background.is_none())),
                ),
            ]);
        }
    }
    Some(Section { table: Some(table), ..Section::new("Loads as multiples of others on the same server") })
}

/// By round: of the measured operations, or of what was in their background.
fn values(side: &ServerRuns, background: bool, figure: Figure) -> Vec<f64> {
    side.values(|measured: &Measured| match (background, &measured.background) {
        (false, _) => figure(measured.rate(), &measured.latency),
        (true, Some(background)) => figure(background.rate, &background.latency),
        (true, None) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{parse, run};
    use crate::failure::Failure;
    use crate::fixture::{background, measured};
    use crate::toml_file::Text;

    const SERVERS: &str = "rounds = 2\n[[server]]\nname = \"A\"\naddress = \"h:1\"\n[[server]]\nname = \"B\"\naddress = \"h:2\"\n";
    const LOADS: &str =
        "[workload.quiet]\nkind = \"publish\"\n[workload.flooded]\nkind = \"publish\"\nbackground = 1\n";

    fn plan(against: &str) -> Result<Plan, Failure> {
        parse(&Text::new("c.toml", format!("{SERVERS}{LOADS}{against}")))
    }

    #[test]
    fn a_load_and_its_background_are_held_against_others_on_the_same_server() {
        let plan =
            plan("[against]\nflooded = \"quiet\"\n[background_against]\nflooded = \"quiet\"\n").unwrap();
        let mut bench = |_: usize, workload: &crate::workload::Workload| {
            let mut run = measured(&[(1000, if workload.background.is_some() { 600 } else { 200 })]);
            run.background = workload.background.map(|_| background(4000.0));
            Ok((run, 0.0))
        };
        let rounds = run(&plan, &mut bench, &mut |_| {});
        let table = section(&plan, &rounds).unwrap().table.unwrap();
        assert_eq!(table.rows.len(), 4);
        assert_eq!(table.rows[0], ["flooded", "quiet", "A", "not synced", "1.00 ×", "3.00 ×", "3.00 ×", "–"]);
        assert_eq!(table.rows[3][..3], ["flooded, background", "quiet", "B"]);
        assert_eq!((table.rows[3][4].as_str(), table.rows[3][7].as_str()), ("4.00 ×", "–"));
        let mut plan = plan;
        plan.against = vec![Against { load: "quiet".into(), other: "quiet".into(), background: false }];
        assert_eq!(section(&plan, &rounds).unwrap().table.unwrap().rows[0][7], "1.00 ×");
        assert!(show::document(&plan, &rounds).text().contains("Loads as multiples of others"));
    }

    #[test]
    fn only_loads_that_are_there_can_be_held_against_each_other() {
        for (against, expected) in [
            ("[against]\nflooded = \"calm\"\n", "against: there is no load calm"),
            ("[against]\nfloded = \"quiet\"\n", "against: there is no load floded"),
            ("[background_against]\nquiet = \"flooded\"\n", "background_against: quiet has no background"),
        ] {
            let sentence = plan(against).unwrap_err().to_string();
            assert!(sentence.contains(expected), "{sentence}");
        }
        let mut plan = plan("[against]\nflooded = \"quiet\"\n").unwrap();
        plan.keep_only(&["quiet".into()]).unwrap();
        assert!(plan.against.is_empty() && plan.check().is_ok());
    }
}
