//! Lines over an axis.

use super::COLOURS;
use super::scale::{Axis, Range};
use super::svg::{Anchor, Canvas, WIDTH};

#[derive(Clone, Debug)]
pub struct Lines {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
}

#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    /// Increasing x.
    pub points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    pub mark: Mark,
}

/// What stands on a point beside the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Nothing,
    /// A dot: it held.
    Good,
    /// A cross: it did not.
    Bad,
}

const HEIGHT: f64 = 300.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = WIDTH - 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = HEIGHT - 46.0;
/// Room of a letter in a legend.
const LETTER: f64 = 8.2;

impl Lines {
    pub(super) fn html(&self) -> String {
        let mut canvas = Canvas::new(HEIGHT);
        let points = || self.series.iter().flat_map(|series| &series.points);
        if points().next().is_none() {
            canvas.text("note", WIDTH / 2.0, HEIGHT / 2.0, Anchor::Middle, "nothing was measured");
            return canvas.figure(&self.title);
        }
        let (x, y) = (
            Range::of(&self.x, points().map(|point| point.x)),
            Range::of(&self.y, points().map(|point| point.y)),
        );
        self.axes(&mut canvas, &x, &y);
        let place = |point: &Point| {
            (LEFT + x.place(point.x) * (RIGHT - LEFT), BOTTOM - y.place(point.y) * (BOTTOM - TOP))
        };
        for (n, series) in self.series.iter().enumerate() {
            let colour = n % COLOURS;
            let places: Vec<(f64, f64)> = series.points.iter().map(place).collect();
            canvas.polyline(&format!("line c{colour}"), &places);
            for (point, place) in series.points.iter().zip(&places) {
                match point.mark {
                    Mark::Nothing if series.points.len() == 1 => {
                        canvas.circle(&format!("dot f{colour}"), *place, 3.5)
                    }
                    Mark::Nothing => {}
                    Mark::Good => canvas.circle(&format!("dot f{colour}"), *place, 3.5),
                    Mark::Bad => canvas.cross(&format!("cross c{colour}"), *place, 4.0),
                }
            }
        }
        self.legend(&mut canvas);
        canvas.figure(&self.title)
    }

    fn axes(&self, canvas: &mut Canvas, x: &Range, y: &Range) {
        for (value, label) in y.ticks() {
            let at = BOTTOM - y.place(value) * (BOTTOM - TOP);
            canvas.line("grid", (LEFT, at), (RIGHT, at));
            canvas.text("tick", LEFT - 8.0, at + 4.0, Anchor::End, &label);
        }
        let mut free_from = 0.0;
        for (value, label) in x.ticks() {
            let at = LEFT + x.place(value) * (RIGHT - LEFT);
            canvas.line("grid", (at, TOP), (at, BOTTOM));
            // A label that would touch the one before it is left out; its line stays.
            let half = label.chars().count() as f64 * LETTER / 2.0;
            if at - half >= free_from {
                // The last one does not leave the picture.
                canvas.text("tick", at.min(WIDTH - half), BOTTOM + 17.0, Anchor::Middle, &label);
                free_from = at + half + 6.0;
            }
        }
        canvas.line("axis", (LEFT, BOTTOM), (RIGHT, BOTTOM));
        canvas.text("label", (LEFT + RIGHT) / 2.0, HEIGHT - 8.0, Anchor::Middle, &self.x.label);
        canvas.text("label", 4.0, 14.0, Anchor::Start, &self.y.label);
    }

    /// At the top, on the right; a lone line needs none.
    fn legend(&self, canvas: &mut Canvas) {
        if self.series.len() < 2 {
            return;
        }
        let mut right = RIGHT;
        for (n, series) in self.series.iter().enumerate().rev() {
            canvas.text("label", right, 14.0, Anchor::End, &series.name);
            right -= series.name.chars().count() as f64 * LETTER + 11.0;
            canvas.rect(&format!("f{}", n % COLOURS), right - 14.0, 7.0, 14.0, 4.0);
            right -= 30.0;
        }
    }
}
