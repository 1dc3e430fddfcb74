use super::*;
use crate::compare::{parse, run};
use crate::fixture::{background, measured};
use crate::measured::Measured;
use crate::toml_file::Text;
use crate::workload::Background;

fn plan() -> Plan {
    let text = "title = \"T\"\n[[server]]\nname = \"Ours\"\naddress = \"h:1\"\n[[server]]\nname = \"Theirs\"\naddress = \"h:2\"\n\
                durability = \"none\"\n[workload.x]\nkind = \"publish\"\n";
    parse(&Text::new("c.toml", text)).unwrap()
}

/// Theirs carries 1,000 a second; ours 2,000, with a round of 1,900 and one of 2,100.
fn rounds(plan: &Plan) -> Rounds {
    let mut round = 0;
    run(
        plan,
        &mut |server, _| {
            round += 1;
            let ours = [2000, 1900, 2100, 2000, 2000][(round - 1) / 2 % 5];
            Ok((measured(&[(if server == 0 { ours } else { 1000 }, 200)]), 0.0))
        },
        &mut |_| {},
    )
}

#[test]
fn a_table_has_medians_a_ratio_with_its_interval_and_what_an_ack_means() {
    let plan = plan();
    let document = document(&plan, &rounds(&plan));
    let rows = &document.sections[0].table.as_ref().unwrap().rows;
    assert_eq!(rows[0][..4], ["x", "Ours", "not synced", "2,000"]);
    assert_eq!(rows[1][..4], ["x", "Theirs", "none", "1,000"]);
    assert_eq!((rows[0][7].as_str(), rows[1][7].as_str()), ("–", "2.00 × (1.90–2.10)"));
    let text = document.text();
    assert!(text.contains("Intervals: 95 % bootstrap"), "{text}");
    assert!(text.contains("Theirs: nats-server 2.15.2, at h:2."), "{text}");
    for section in &document.sections {
        let table = section.table.as_ref().unwrap();
        assert!(table.heads.iter().any(|head| head.starts_with("Acks")), "{}", section.heading);
    }
}

#[test]
fn the_spread_of_the_rounds_is_shown() {
    let plan = plan();
    let document = document(&plan, &rounds(&plan));
    let row = &document.sections[2].table.as_ref().unwrap().rows[0];
    assert_eq!(row[2..4], ["2,000", "1,900–2,100"]);
    assert_eq!(row[11], "5 of 5");
}

#[test]
fn a_load_with_a_background_has_both_rates() {
    let mut plan = plan();
    plan.loads[0].workload.background = Some(Background { connections: 1, in_flight: 1 });
    let mut bench = |server: usize, _: &_| match server {
        0 => Ok((Measured { background: Some(background(500.0)), ..measured(&[(1000, 200)]) }, 0.0)),
        _ => Err(Failure::NotStarted("no room".into())),
    };
    let document = document(&plan, &run(&plan, &mut bench, &mut |_| {}));
    for section in [&document.sections[0], &document.sections[2]] {
        let rows = &section.table.as_ref().unwrap().rows;
        assert!(rows[0].iter().any(|cell| cell == "1,000 + 500"), "{:?}", rows[0]);
        assert!(rows[1].iter().all(|cell| !cell.contains('+')), "{:?}", rows[1]);
    }
    assert!(document.sections[0].notes.iter().any(|note| note.starts_with("Behind a +")));
}

#[test]
fn a_server_that_fails_has_dashes_and_a_sentence() {
    let plan = plan();
    let mut bench = |server: usize, _: &_| match server {
        0 => Ok((measured(&[(1000, 200)]), 0.3)),
        _ => Err(Failure::NotStarted("no room".into())),
    };
    let document = document(&plan, &run(&plan, &mut bench, &mut |_| {}));
    let overview = &document.sections[0];
    assert_eq!(overview.table.as_ref().unwrap().rows[1][3..], ["–"; 5].map(str::to_owned));
    let notes = overview.notes.join("\n");
    assert!(notes.contains("Theirs on x: a server did not start: no room."), "{notes}");
    assert!(notes.contains("10 runs were disturbed or invalid and were done again."), "{notes}");
    assert!(notes.contains("5 runs stayed disturbed"), "{notes}");
}
