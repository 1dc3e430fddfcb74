//! What is shown, apart from how: sections with notes, tables and plots; as text and as Markdown.
//! May import: plot.
//! Must not know: where the figures come from.

use crate::plot::Plot;
use std::fmt::Write;

/// One result, whole.
#[derive(Clone, Debug, Default)]
pub struct Document {
    pub title: String,
    /// The one sentence that counts, and whether it is good news; None where nothing was judged.
    pub verdict: Option<(String, bool)>,
    pub sections: Vec<Section>,
}

#[derive(Clone, Debug, Default)]
pub struct Section {
    pub heading: String,
    pub notes: Vec<String>,
    pub table: Option<Table>,
    /// Shown by HTML only.
    pub plots: Vec<Plot>,
}

#[derive(Clone, Debug, Default)]
pub struct Table {
    pub heads: Vec<String>,
    /// As many cells each as there are heads.
    pub rows: Vec<Vec<String>>,
}

impl Section {
    pub fn new(heading: impl Into<String>) -> Section {
        Section { heading: heading.into(), ..Section::default() }
    }
}

impl Table {
    pub fn new<const N: usize>(heads: [&str; N]) -> Table {
        Table { heads: heads.map(str::to_owned).to_vec(), rows: Vec::new() }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        assert_eq!(N, self.heads.len(), "a row has a cell under each head");
        self.rows.push(cells.to_vec());
    }

    /// Columns that hold figures stand on the right.
    pub fn is_right(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().map(|row| row[column].as_str()).filter(|cell| !cell.is_empty());
        column > 0 && cells.all(|cell| cell.starts_with(|c: char| c.is_ascii_digit() || "–+-≤≥".contains(c)))
    }

    fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.chain([self.heads[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.heads.len()).map(width).collect();
        let mut text = String::new();
        for row in std::iter::once(&self.heads).chain(&self.rows) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[column] - cell.chars().count());
                let (before, after) =
                    if self.is_right(column) { (pad, String::new()) } else { (String::new(), pad) };
                let _ = write!(line, "{before}{cell}{after}  ");
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule: Vec<String> = (0..self.heads.len())
            .map(|column| if self.is_right(column) { "---:".into() } else { "---".into() })
            .collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}{}{rows}", line(&self.heads), line(&rule))
    }
}

impl Document {
    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.title);
        for section in &self.sections {
            let _ = writeln!(text, "\n{}", section.heading);
            if let Some(table) = &section.table {
                text.push_str(&table.text());
            }
            for note in &section.notes {
                let _ = writeln!(text, "{note}");
            }
        }
        if let Some((verdict, _)) = &self.verdict {
            let _ = writeln!(text, "\n{verdict}");
        }
        text
    }

    /// Headings from `level` (1 to 5) on.
    pub fn markdown(&self, level: usize) -> String {
        let mut text = format!("{} {}\n", "#".repeat(level), self.title);
        if let Some((verdict, _)) = &self.verdict {
            let _ = write!(text, "\n**{verdict}**\n");
        }
        for section in &self.sections {
            let _ = write!(text, "\n{} {}\n", "#".repeat(level + 1), section.heading);
            if let Some(table) = &section.table {
                let _ = write!(text, "\n{}", table.markdown());
            }
            if !section.notes.is_empty() {
                let _ = write!(text, "\n{}\n", section.notes.join("\n\n"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        let mut table = Table::new(["Name", "Rate"]);
        table.row(["a|b".into(), "12".into()]);
        table.row(["c".into(), "1,234".into()]);
        let section = Section { table: Some(table), notes: vec!["Note.".into()], ..Section::new("Rates") };
        Document { title: "Title".into(), verdict: Some(("PASS".into(), true)), sections: vec![section] }
    }

    #[test]
    fn text_aligns_figures_on_the_right() {
        assert_eq!(
            document().text(),
            "Title\n\nRates\nName   Rate\na|b      12\nc     1,234\nNote.\n\nPASS\n"
        );
    }

    #[test]
    fn markdown_keeps_bars_inside_their_cells() {
        let expected = "## Title\n\n**PASS**\n\n### Rates\n\n| Name | Rate |\n| --- | ---: |\n| a\\|b | 12 |\n\
                        | c | 1,234 |\n\nNote.\n";
        assert_eq!(document().markdown(2), expected);
    }
}
