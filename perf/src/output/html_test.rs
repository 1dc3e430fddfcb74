use super::*;
use crate::document::{Document, Section, Table};
use crate::fixture::measured;
use crate::plot::{Axis, Lines, Mark, Point, Row, Rows, Scale, Series, Style, Unit};
use crate::runs;

/// Whether every element is closed in order and every attribute is quoted: well-formed as XML, which HTML does not even ask for.
fn check_well_formed(html: &str) -> Result<usize, String> {
    let mut open: Vec<String> = Vec::new();
    let mut elements = 0;
    let mut rest = html.strip_prefix("<!DOCTYPE html>").ok_or("no doctype")?;
    while let Some(at) = rest.find('<') {
        if let Some(and) = rest[..at].find('&') {
            let entity =
                ["&amp;", "&lt;", "&gt;", "&quot;"].iter().any(|entity| rest[and..].starts_with(entity));
            if !entity {
                return Err(format!("bare & before {}", &rest[and..(and + 20).min(rest.len())]));
            }
        }
        let end = at + rest[at..].find('>').ok_or("an open tag at the end")?;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop();
            if last.as_deref() != Some(name) {
                return Err(format!("</{name}> closes {last:?}"));
            }
            continue;
        }
        elements += 1;
        let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        if attributes.matches('"').count() != 2 * attributes.matches("=\"").count() {
            return Err(format!("attributes of <{tag}>"));
        }
        if !closed {
            open.push(name.to_owned());
        }
    }
    if open.is_empty() { Ok(elements) } else { Err(format!("left open: {open:?}")) }
}

fn document() -> Document {
    let mut table = Table::new(["Objective <&>", "Verdict"]);
    table.row(["p99 ≤ \"2 ms\" & <more>".into(), "FAIL".into()]);
    let bars = Plot::Rows(Rows {
        title: "Bars & <whiskers>".into(),
        axis: Axis { label: "a<b".into(), scale: Scale::Log, unit: Unit::Times },
        style: Style::Dots,
        reference: Some(1.0),
        rows: vec![Row {
            label: "x & y".into(),
            text: "2 ×".into(),
            value: 2.0,
            low: 1.5,
            high: 3.0,
            colour: 7,
        }],
    });
    let run = runs::section("Run", &measured(&[(1000, 200), (0, 0), (900, 300)]));
    let empty = runs::section("Nothing", &measured(&[]));
    let points = Section {
        table: Some(table),
        notes: vec!["<script>".into()],
        plots: vec![bars],
        ..Section::new("A & B")
    };
    Document {
        title: "T < U".into(),
        verdict: Some(("1 of 2 & no".into(), false)),
        sections: vec![points, run, empty],
    }
}

#[test]
fn the_page_is_well_formed_whatever_the_texts_hold() {
    let html = page(&document());
    let elements = check_well_formed(&html).unwrap();
    assert!(elements > 150, "{elements}");
    // The check finds what it is there to find.
    assert!(check_well_formed(&html.replacen("</td>", "", 1)).is_err());
    assert!(check_well_formed(&html.replacen("&amp;", "&", 1)).is_err());
}

#[test]
fn the_page_fetches_nothing_and_runs_nothing() {
    let html = page(&document());
    for word in ["<script", "http:", "https:", "url(", "@import", "src=", "href="] {
        assert!(!html.contains(word), "{word}");
    }
}

#[test]
fn the_last_label_of_an_axis_stays_in_the_picture() {
    let point = |x| Point { x, y: 1.0, mark: Mark::Nothing };
    let axis = |scale| Axis { label: "a".into(), scale, unit: Unit::Plain };
    let series = vec![Series { name: "s".into(), points: vec![point(1000.0), point(200_000.0)] }];
    let lines = Lines { title: "t".into(), x: axis(Scale::Log), y: axis(Scale::Linear), series };
    let html = Plot::Lines(lines).html();
    let (before, _) = html.split_once(">200 k<").unwrap();
    let x: f64 = before.rsplit(" x=\"").next().unwrap().split('"').next().unwrap().parse().unwrap();
    // Half of five letters.
    assert!(x <= 560.0 - 2.5 * 8.0, "{x}");
}

#[test]
fn no_plot_draws_outside_of_its_picture() {
    let html = page(&document());
    let mut checked = 0;
    for (name, most) in
        [("x", 560.0), ("x1", 560.0), ("x2", 560.0), ("cx", 560.0), ("y1", 400.0), ("cy", 400.0)]
    {
        for rest in html.split(&format!(" {name}=\"")).skip(1) {
            let value: f64 = rest.split('"').next().unwrap().parse().unwrap();
            assert!((0.0..=most).contains(&value), "{name}={value}");
            checked += 1;
        }
    }
    assert!(checked > 50);
}
