//! Rows with a label and a value each, as bars from zero or as dots, with intervals.

use super::COLOURS;
use super::scale::{Axis, Range};
use super::svg::{Anchor, Canvas, WIDTH};

#[derive(Clone, Debug)]
pub struct Rows {
    pub title: String,
    pub axis: Axis,
    pub style: Style,
    /// A line that values are compared with.
    pub reference: Option<f64>,
    pub rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Bars,
    Dots,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub label: String,
    /// The value as it is written behind the row.
    pub text: String,
    pub value: f64,
    pub low: f64,
    pub high: f64,
    /// Index of its colour.
    pub colour: usize,
}

const ROW: f64 = 30.0;
const TOP: f64 = 10.0;
const BELOW: f64 = 44.0;
const LETTER: f64 = 7.6;
/// Room for labels; longer ones are cut.
const LABEL_MAX: f64 = 230.0;
const VALUE_ROOM: f64 = 112.0;

impl Rows {
    pub(super) fn html(&self) -> String {
        let bottom = TOP + ROW * self.rows.len().max(1) as f64;
        let mut canvas = Canvas::new(bottom + BELOW);
        if self.rows.is_empty() {
            canvas.text("note", WIDTH / 2.0, TOP + ROW / 2.0, Anchor::Middle, "nothing was measured");
            return canvas.figure(&self.title);
        }
        let longest = self.rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0);
        let left = (longest as f64 * LETTER).min(LABEL_MAX) + 16.0;
        let right = WIDTH - VALUE_ROOM;
        let values = self.rows.iter().flat_map(|row| [row.value, row.low, row.high]);
        let range = Range::of(&self.axis, values.chain(self.reference));
        let place = |value: f64| left + range.place(value) * (right - left);
        let mut free_from = 0.0;
        for (value, label) in range.ticks() {
            canvas.line("grid", (place(value), TOP), (place(value), bottom));
            let half = label.chars().count() as f64 * LETTER / 2.0;
            if place(value) - half >= free_from {
                canvas.text("tick", place(value), bottom + 17.0, Anchor::Middle, &label);
                free_from = place(value) + half + 6.0;
            }
        }
        if let Some(reference) = self.reference {
            canvas.line("axis", (place(reference), TOP), (place(reference), bottom));
        }
        canvas.text("label", (left + right) / 2.0, bottom + 37.0, Anchor::Middle, &self.axis.label);
        for (n, row) in self.rows.iter().enumerate() {
            let middle = TOP + ROW * (n as f64 + 0.5);
            canvas.text("label", left - 10.0, middle + 4.0, Anchor::End, &cut(&row.label));
            canvas.text("value", right + 12.0, middle + 4.0, Anchor::Start, &row.text);
            let colour = row.colour % COLOURS;
            match self.style {
                Style::Bars => {
                    canvas.rect(&format!("f{colour}"), left, middle - 9.0, place(row.value) - left, 18.0)
                }
                Style::Dots => canvas.circle(&format!("dot f{colour}"), (place(row.value), middle), 5.0),
            }
            if row.low == row.high {
                continue;
            }
            canvas.line("whisker", (place(row.low), middle), (place(row.high), middle));
            for end in [row.low, row.high] {
                canvas.line("whisker", (place(end), middle - 4.0), (place(end), middle + 4.0));
            }
        }
        canvas.figure(&self.title)
    }
}

fn cut(label: &str) -> String {
    let most = (LABEL_MAX / LETTER) as usize;
    match label.chars().count() > most {
        true => format!("{}…", label.chars().take(most - 1).collect::<String>()),
        false => label.to_owned(),
    }
}
