//! A report as one page of HTML with its plots inside: nothing is loaded from anywhere.

use std::fmt::Write;

use super::chart;
use super::markdown::markdown;
use super::report::Report;
use crate::error::Result;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}td,th{border:1px solid #ccc;padding:.3rem .6rem;\
text-align:left;font-size:.9rem}th{background:#f4f4f4}h2{margin-top:2.5rem}svg{max-width:100%;height:auto}";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The words of a line: what stands between asterisks is bold or leaning.
fn words(text: &str) -> String {
    let mut out = String::new();
    for (i, part) in escaped(text).split("**").enumerate() {
        let tag = if i % 2 == 1 { ("<b>", "</b>") } else { ("", "") };
        let mut leaning = String::new();
        for (j, piece) in part.split('*').enumerate() {
            let (open, close) = if j % 2 == 1 { ("<i>", "</i>") } else { ("", "") };
            _ = write!(leaning, "{open}{piece}{close}");
        }
        _ = write!(out, "{}{leaning}{}", tag.0, tag.1);
    }
    out
}

/// The page. It is made of the Markdown one, so that both say the same, with the plots of a
/// condition and a test set under their headings.
pub fn html(report: &Report) -> Result<String> {
    let title = escaped(&report.name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body>\n"
    );
    let mut conditions = report.conditions.iter();
    let mut condition = None;
    let mut tests = [].iter();
    let mut in_table = false;
    for line in markdown(report).lines() {
        let is_row = line.starts_with('|');
        if in_table && !is_row {
            page.push_str("</table>\n");
            in_table = false;
        }
        if let Some(text) = line.strip_prefix("# ") {
            _ = writeln!(page, "<h1>{}</h1>", words(text));
        } else if let Some(text) = line.strip_prefix("## ") {
            _ = writeln!(page, "<h2>{}</h2>", words(text));
            condition = conditions.next();
            tests = condition.map_or([].iter(), |condition| condition.tests.iter());
        } else if let Some(text) = line.strip_prefix("### ") {
            _ = writeln!(page, "<h3>{}</h3>", words(text));
            match (tests.next(), condition) {
                (Some(test), _) => {
                    page.push_str(&chart::rates(test)?);
                    if !test.comparisons.is_empty() {
                        page.push_str(&chart::differences(test)?);
                    }
                }
                (None, Some(condition)) if condition.costs.iter().any(|c| !c.curves.is_empty()) => {
                    page.push_str(&chart::losses(condition)?);
                }
                _ => {}
            }
        } else if is_row && line.starts_with("|---") {
            // What parts a heading from the rows.
        } else if is_row {
            let cell = if in_table { "td" } else { "th" };
            if !in_table {
                page.push_str("<table>\n");
                in_table = true;
            }
            let cells = line.trim_matches('|').split('|');
            let cells: String =
                cells.map(|text| format!("<{cell}>{}</{cell}>", words(text.trim()))).collect();
            _ = writeln!(page, "<tr>{cells}</tr>");
        } else if !line.is_empty() {
            _ = writeln!(page, "<p>{}</p>", words(line));
        }
    }
    if in_table {
        page.push_str("</table>\n");
    }
    page.push_str("</body></html>\n");
    Ok(page)
}
