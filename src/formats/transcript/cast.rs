//! The asciinema cast: a state a frame, in a terminal that is as large as what is drawn in it.

use serde_json::json;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::scene::{Row, Tone, scene};
use crate::store::Told;
use crate::text::{self, clean};

/// Rows are broken at this many cells: what fits beside a text without being made small.
const WIDTH: usize = 100;
/// What has more rows than this is shown in several frames.
const HEIGHT: usize = 40;
/// Cells and rows that a terminal has at least.
const LEAST: (usize, usize) = (60, 16);

/// A row as it is drawn.
struct Drawn {
    tone: Tone,
    text: String,
}

/// The file: a header, an event a frame with a mark for players that can jump to one, and an event
/// at the end of the last frame's time, so that it stays as the others do.
pub(super) fn cast(told: &Told) -> String {
    let mut frames: Vec<(String, Vec<Drawn>)> = Vec::new();
    for t in 0..=told.trajectory.steps.len() {
        let action =
            t.checked_sub(1).map_or("start", |before| &told.trajectory.steps[before].action);
        let title = format!("{t} {}", clean(action));
        let rows = scene(told, t);
        let mut rows: Vec<Drawn> =
            rows.iter().skip_while(|row| row.text.is_empty()).flat_map(drawn).collect();
        while rows.len() > HEIGHT {
            let rest = rows.split_off(HEIGHT - 1);
            let more = format!("… {} rows more follow", rest.len());
            rows.push(Drawn { tone: Tone::Dim, text: more });
            frames.push((title.clone(), std::mem::replace(&mut rows, rest)));
        }
        frames.push((title, rows));
    }
    let rows = frames.iter().flat_map(|(_, rows)| rows);
    // One cell more, or a terminal that breaks lines early breaks a full one.
    let width = rows.map(|row| row.text.width() + 1).max().unwrap_or_default().max(LEAST.0);
    let height = frames.iter().map(|(_, rows)| rows.len()).max().unwrap_or_default().max(LEAST.1);
    let title = clean(&told.trajectory.task);
    let header = json!({"version": 2, "width": width, "height": height, "title": title});
    let mut out = format!("{}\n", text::json(&header));
    let mut event = |at: usize, kind: &str, data: &str| {
        out += &format!("{}\n", text::json(&json!([at, kind, data])));
    };
    let mut at = 0;
    for (title, rows) in &frames {
        event(at, "m", title);
        event(at, "o", &screen(rows));
        at += seconds(rows.len());
    }
    event(at, "o", "\u{1b}[?25h");
    out
}

/// How long a frame stays: two seconds, and a second more for every eight rows beyond the first
/// eight.
fn seconds(rows: usize) -> usize {
    2 + rows.saturating_sub(8).div_ceil(8)
}

/// What a terminal is sent for a frame: no end of line after the last row, which would scroll the
/// first one away.
fn screen(rows: &[Drawn]) -> String {
    let line = |row: &Drawn| match row.tone {
        Tone::Plain => row.text.clone(),
        Tone::Strong => format!("\u{1b}[1m{}\u{1b}[0m", row.text),
        Tone::Dim => format!("\u{1b}[2m{}\u{1b}[0m", row.text),
    };
    let lines: Vec<String> = rows.iter().map(line).collect();
    format!("\u{1b}[?25l\u{1b}[2J\u{1b}[H{}", lines.join("\r\n"))
}

/// A row broken between words at the width of a frame; what follows begins two cells further in, but
/// for texts.
fn drawn(row: &Row) -> Vec<Drawn> {
    let mut lines = vec![" ".repeat(row.indent)];
    let hang = if row.tone == Tone::Plain { 0 } else { 2 };
    let follows = " ".repeat(row.indent + hang);
    let mut used = row.indent;
    for word in row.text.split_inclusive(' ') {
        if used + word.trim_end().width() > WIDTH && used > follows.len() {
            lines.push(follows.clone());
            used = follows.len();
        }
        for cluster in word.graphemes(true) {
            if used + cluster.width() > WIDTH {
                if cluster == " " {
                    continue; // the blank before the next word, which begins a line
                }
                lines.push(follows.clone());
                used = follows.len();
            }
            used += cluster.width();
            if let Some(line) = lines.last_mut() {
                line.push_str(cluster);
            }
        }
    }
    let line = |text: String| Drawn { tone: row.tone, text: text.trim_end().to_string() };
    lines.into_iter().map(line).collect()
}

#[cfg(test)]
#[path = "cast_tests.rs"]
mod tests;
