//! Curate, the boxes that take most of the screen: versions side by side, and filters.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};

use super::State;
use super::filter::filter_word;
use super::words::author_word;
use crate::text::clean;
use crate::tui::text::difference;
use crate::tui::theme::{Theme, centered, fit};

/// Draws a version beside the one that stands.
pub(super) fn draw_attempts(
    state: &State,
    attempts: &[(String, String)],
    at: usize,
    theme: Theme,
    frame: &mut Frame<'_>,
    body: Rect,
) {
    let (Some(item), Some((author, text))) = (state.current(), attempts.get(at)) else { return };
    let area = centered(body, body.width.saturating_sub(4), body.height.saturating_sub(2));
    frame.render_widget(Clear, area);
    let title =
        format!("Version {} of {} · j k · ⏎ let it stand · Esc leave", at + 1, attempts.len());
    let block = theme.panel(&title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (old, new) = difference(&clean(text), &clean(item.text()), theme);
    let sides = [(format!("by {}", author_word(author)), old), ("what stands".to_string(), new)];
    let half = [Constraint::Percentage(50), Constraint::Percentage(50)];
    let split = if inner.width >= 80 { Layout::horizontal(half) } else { Layout::vertical(half) };
    let areas: [Rect; 2] = split.areas(inner);
    for ((head, spans), area) in sides.into_iter().zip(areas) {
        let lines = vec![Line::styled(head, theme.strong()), Line::from(spans)];
        frame.render_widget(
            Paragraph::new(lines).wrap(Wrap { trim: false }),
            Rect { width: area.width.saturating_sub(1), ..area },
        );
    }
}

/// Draws the filters to choose from.
pub(super) fn draw_filters(
    state: &State,
    at: usize,
    theme: Theme,
    frame: &mut Frame<'_>,
    body: Rect,
) {
    let filters = state.filters();
    let area = centered(body, 76, filters.len() as u16 + 4);
    frame.render_widget(Clear, area);
    let block = theme.panel("Show only · j k · ⏎ show · s keep the present · d forget · Esc");
    let inner = block.inner(area);
    let rows = inner.height.saturating_sub(2) as usize;
    let from = (at + 1).saturating_sub(rows);
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (i, filter) in filters.iter().enumerate().skip(from).take(rows) {
        let kept = if i < state.saved.len() { theme.glyph("⚑", "!") } else { " " };
        let counted = filter.rule.as_ref().filter(|_| i >= state.saved.len());
        let counted = counted
            .map(|code| state.points_at(code).map_or("…".into(), |count| count.to_string()));
        let style = if i == at { theme.selected() } else { Style::new() };
        let name = fit(&clean(&filter_word(filter)), 58);
        lines.push(Line::from(vec![
            Span::raw(format!(" {kept} ")),
            Span::styled(format!("{name:<58}"), style),
            Span::styled(format!("{:>6}", counted.unwrap_or_default()), theme.key()),
        ]));
    }
    lines.extend([
        Line::default(),
        Line::styled(
            " Beside a rule: how many pending it points at. Nothing is dropped.",
            theme.dim(),
        ),
    ]);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
