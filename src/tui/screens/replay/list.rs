//! Replay, the list of trajectories.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::State;
use crate::experience::{Purpose, worth};
use crate::store::{Listing, TrajectorySummary};
use crate::text::clean;
use crate::tui::theme::{Theme, fit};

/// What is listed, in words.
fn listing_word(listing: &Listing) -> String {
    let mut words: Vec<String> =
        listing.purpose.map(|purpose| format!("{}s", purpose.as_str())).into_iter().collect();
    words.extend(listing.success.map(|won| if won { "won".into() } else { "not won".into() }));
    words.extend((!listing.words.is_empty()).then(|| format!("\"{}\"", clean(&listing.words))));
    if words.is_empty() { "Trajectories".into() } else { words.join(", ") }
}

/// How wide the columns are in which texts stand: the task has what is left.
struct Columns {
    purpose: usize,
    kind: usize,
    by: usize,
    task: usize,
}

/// Number, result and steps stand before the others.
const HEAD: usize = 14;

impl Columns {
    /// What these rows need, in so many cells.
    fn of(rows: &[&TrajectorySummary], width: usize) -> Self {
        let longest = |of: fn(&TrajectorySummary) -> &str, most: usize| {
            rows.iter().map(|row| of(row).width()).max().unwrap_or_default().clamp(5, most)
        };
        let (kind, by, purpose) = match width {
            100.. => (longest(|row| &row.kind, 29), longest(|row| &row.by, 16), 13),
            60.. => (longest(|row| &row.kind, 12), longest(|row| &row.by, 11), 4),
            _ => (0, 0, 4),
        };
        let texts = [purpose, kind, by];
        let used: usize = texts.iter().filter(|cells| **cells > 0).map(|cells| cells + 2).sum();
        Self { purpose, kind, by, task: width.saturating_sub(HEAD + used) }
    }

    /// Texts in their columns.
    fn row(&self, head: &str, [purpose, kind, by, task]: [&str; 4]) -> String {
        let mut out = format!("{head:HEAD$}");
        let columns = [(purpose, self.purpose), (kind, self.kind), (by, self.by)];
        for (text, cells) in columns.into_iter().filter(|(_, cells)| *cells > 0) {
            let text = fit(&clean(text), cells);
            let gap = " ".repeat(cells + 2 - text.width().min(cells));
            out += &format!("{text}{gap}");
        }
        out + &fit(&clean(task), self.task)
    }

    fn of_row(&self, row: &TrajectorySummary, theme: Theme) -> String {
        let mark = if row.success { theme.glyph("✓", "+") } else { theme.glyph("✗", "x") };
        let purpose = match row.purpose {
            whole if self.purpose > 4 => whole.as_str(),
            Purpose::Demonstration => "demo",
            Purpose::Exploration => "expl",
            Purpose::Evaluation => "eval",
            Purpose::Visit => "visit",
            Purpose::Rollout => "roll",
        };
        // What it was worth, where that says more than the mark.
        let worth = worth(row.reward, row.success).map(|worth| format!("{worth} "));
        let task = format!("{}{}", worth.unwrap_or_default(), row.task);
        let head = format!("{:>5} {mark} {:>5}", row.id, row.length);
        self.row(&head, [purpose, &row.kind, &row.by, &task])
    }
}

/// Draws it: a line of names over the columns where there is room for one; `end` ends its title.
pub(super) fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect, end: &str) {
    let title = format!("{} · {}{end}", listing_word(&state.listing), state.list.place());
    let block = theme.panel_of(&title, state.through_list);
    let inner = block.inner(area);
    let width = inner.width as usize;
    let named = inner.height > 2 && state.list.total() > 0;
    let height = (inner.height as usize).saturating_sub(usize::from(named));
    let rows: Vec<_> = state.list.view(height).collect();
    let columns = Columns::of(&rows.iter().filter_map(|(_, row)| *row).collect::<Vec<_>>(), width);
    let purpose = if columns.purpose > 4 { "kept for" } else { "for" };
    let names = columns.row("   no   steps", [purpose, "kind", "by", "task"]);
    let mut lines: Vec<Line<'_>> =
        named.then(|| Line::styled(names, theme.dim())).into_iter().collect();
    lines.extend(rows.iter().map(|(i, row)| {
        let text = row.map_or(theme.glyph("…", "...").into(), |row| columns.of_row(row, theme));
        // Marked over its whole width, so that it is seen as one row.
        let line = Line::from(format!("{text:width$}"));
        if *i == state.list.at() { line.style(theme.selected()) } else { line }
    }));
    if rows.is_empty() {
        let none = if state.listing == Listing::default() {
            "nothing saved yet: K in Explore keeps an episode, c collects"
        } else {
            "nothing under this filter: f, o and F change it"
        };
        lines.push(Line::styled(none, theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(block).wrap(Wrap { trim: false }), area);
}
