//! A document as one page: style and plots inside, no script, nothing fetched, readable in light and dark.

use crate::document::{Document, Section, Table};
use crate::plot::{Plot, escape};
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");

pub fn page(document: &Document) -> String {
    let title = escape(&document.title);
    let verdict = document.verdict.as_ref().map_or(String::new(), |(text, good)| {
        format!("<p class=\"verdict {}\">{}</p>\n", if *good { "good" } else { "bad" }, escape(text))
    });
    let sections: String = document.sections.iter().map(section).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{verdict}{sections}</main>\n</body>\n</html>\n"
    )
}

fn section(section: &Section) -> String {
    let mut html = format!("<section>\n<h2>{}</h2>\n", escape(&section.heading));
    html.extend(section.table.iter().map(table));
    for note in &section.notes {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(note));
    }
    if !section.plots.is_empty() {
        html.push_str("<div class=\"plots\">\n");
        html.extend(section.plots.iter().map(Plot::html));
        html.push_str("</div>\n");
    }
    html.push_str("</section>\n");
    html
}

fn table(table: &Table) -> String {
    let row = |cells: &[String], element: &str| {
        let mut html = String::from("<tr>");
        for (column, cell) in cells.iter().enumerate() {
            let class = match (table.is_right(column), cell.as_str()) {
                (_, "PASS" | "held") => " class=\"good\"",
                (_, "FAIL" | "failed") => " class=\"bad\"",
                (true, _) => " class=\"right\"",
                (false, _) => "",
            };
            let _ = write!(html, "<{element}{class}>{}</{element}>", escape(cell));
        }
        html + "</tr>\n"
    };
    let rows: String = table.rows.iter().map(|cells| row(cells, "td")).collect();
    format!(
        "<div class=\"table\"><table>\n<thead>\n{}</thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n",
        row(&table.heads, "th")
    )
}

#[cfg(test)]
#[path = "html_test.rs"]
mod tests;
