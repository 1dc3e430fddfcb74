//! Plots as inline SVG: lines over an axis, and rows of bars or dots with intervals. Colours are classes of the page's style.
//! May import: nothing.
//! Must not know: pages, results.

mod lines;
mod rows;
mod scale;
mod svg;

pub use lines::{Lines, Mark, Point, Series};
pub use rows::{Row, Rows, Style};
pub use scale::{Axis, Scale, Unit};
pub use svg::escape;

#[derive(Clone, Debug)]
pub enum Plot {
    Lines(Lines),
    Rows(Rows),
}

impl Plot {
    /// One `<figure>` with one `<svg>`; empty plots say so in words.
    pub fn html(&self) -> String {
        match self {
            Plot::Lines(lines) => lines.html(),
            Plot::Rows(rows) => rows.html(),
        }
    }
}

/// Series that have a colour of their own; further ones begin again.
pub const COLOURS: usize = 5;
