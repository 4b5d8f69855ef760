//! Curate, the drawing of the list.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use super::words::{age, author_word};
use super::{Order, State};
use crate::experience::Reflection;
use crate::text::clean;
use crate::tui::text::one_line;
use crate::tui::theme::{Theme, fit};

/// A column: its head, its width, from which width of the screen on it stands there, and the order
/// that follows it.
type Column = (&'static str, usize, u16, Option<Order>);

/// What stands before the text.
const COLUMNS: [Column; 9] = [
    ("", 2, 0, None),
    ("no", 6, 0, Some(Order::Number)),
    ("verdict", 8, 0, Some(Order::Verdict)),
    ("", 1, 0, None),
    ("rules", 5, 0, Some(Order::Rules)),
    ("kind", 10, 100, Some(Order::Kind)),
    ("expert's action", 24, 70, None),
    ("author", 12, 90, Some(Order::Author)),
    ("age", 4, 100, None),
];

/// Draws it: a head, and the rows around the cursor.
pub(super) fn draw_list(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let now = crate::store::now_ms();
    let rows = usize::from(area.height).saturating_sub(1);
    let from = (state.at + 1).saturating_sub(rows);
    let mut lines = vec![head(state, theme, area.width)];
    for (i, item) in state.queue.items.iter().enumerate().skip(from).take(rows) {
        let style = if i == state.at { theme.selected() } else { Style::new() };
        let mut spans = Vec::new();
        for ((_, width, least, _), cell) in COLUMNS.into_iter().zip(cells(state, item, now, theme))
        {
            if area.width >= least {
                spans.push(Span::styled(padded(&cell, width), style));
            }
        }
        let used: usize = spans.iter().map(|span| span.content.width()).sum();
        let room = usize::from(area.width).saturating_sub(used);
        spans.push(Span::styled(fit(&one_line(item.text()), room), style));
        lines.push(Line::from(spans));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn head<'a>(state: &State, theme: Theme, width: u16) -> Line<'a> {
    let mark = theme.glyph("↓", "v");
    let named = |name: &str, order: Option<Order>| {
        let sorted = order == Some(state.list.order);
        if sorted { format!("{name}{mark}") } else { name.to_string() }
    };
    let shown = COLUMNS.into_iter().filter(|(_, _, least, _)| width >= *least);
    let cells = shown.map(|(name, cells, _, order)| padded(&named(name, order), cells));
    let text = named("text", Some(Order::Length));
    Line::styled(cells.chain([text]).collect::<String>(), theme.dim())
}

/// What a row says before its text.
fn cells(state: &State, item: &Reflection, now: i64, theme: Theme) -> [String; 9] {
    let selected = state.list.selected.contains_key(&item.id);
    let rules = match state.list.held(item) {
        None => theme.glyph("…", ".").to_string(),
        Some(held) if held.codes.is_empty() => theme.glyph("–", "-").to_string(),
        Some(held) => {
            format!("{}{}", held.codes.len(), if held.grave { " !" } else { "" })
        }
    };
    [
        if selected { format!(" {}", theme.glyph("●", "*")) } else { String::new() },
        item.id.to_string(),
        item.verdict.as_str().to_string(),
        if item.flagged { theme.glyph("⚑", "!").to_string() } else { String::new() },
        rules,
        one_line(&item.kind),
        one_line(&clean(&item.action)),
        author_word(&item.author),
        age(item.written_ms, now),
    ]
}

/// A cell of a width, and a blank behind it.
fn padded(text: &str, width: usize) -> String {
    let text = fit(text, width);
    let blanks = width.saturating_sub(text.width()) + 1;
    format!("{text}{}", " ".repeat(blanks))
}
