//! Data, drawn.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::{State, forms};
use crate::store::TrajectorySummary;
use crate::text::clean;
use crate::tui::text::grouped;
use crate::tui::theme::{Theme, fit};

/// Draws the screen.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, whole: Rect) {
    let mut lines = Vec::new();
    let mut row = |name: &str, what: String| {
        lines.push(Line::from(vec![
            Span::styled(format!(" {name:<16}"), theme.strong()),
            Span::raw(what),
        ]));
    };
    match &state.counts {
        None => row("reading…", String::new()),
        Some((counts, bytes)) => {
            row(
                "demonstrations",
                format!(
                    "{} with {} steps",
                    grouped(counts.demonstrations),
                    grouped(counts.demonstration_steps)
                ),
            );
            row("rollouts", format!("{} executed alternatives", grouped(counts.branches)));
            row(
                "reflections",
                format!(
                    "{} pending, {} approved, {} rejected",
                    counts.pending, counts.approved, counts.rejected
                ),
            );
            row("explorations", format!("{}", counts.explorations));
            if counts.visits > 0 {
                row("visits", format!("{} with an expert's answers", grouped(counts.visits)));
            }
            row("runs", format!("{} with {} checkpoints", counts.runs, counts.checkpoints));
            row("disk", format!("{:.1} MB in {}", *bytes as f64 / 1e6, state.root));
        }
    }
    lines.push(Line::default());
    if let Some(sets) = &state.sets {
        let place = |(suite, split, count): &(String, String, u64)| {
            format!("{} / {} {}", clean(suite), clean(split), grouped(*count))
        };
        let places: Vec<String> = sets.places.iter().map(place).collect();
        if !places.is_empty() {
            lines.push(Line::from(format!(" demonstrations of {}", places.join(", "))));
        }
        let [suite, split] = [clean(&sets.suite), clean(&sets.split)];
        let title = format!(" What a run would train on now, of {suite} / {split} (s: others)");
        lines.push(Line::styled(title, theme.dim()));
    }
    for (objective, set) in state.sets.iter().flat_map(|sets| &sets.each) {
        let text = match set {
            Ok(set) => format!(
                "{} trees, {} tokens ({} alternatives, {} reflections); {}",
                grouped(set.trees as u64),
                grouped(set.tokens as u64),
                grouped(set.branches as u64),
                grouped(set.reflections as u64),
                set.validation()
            ),
            Err(why) => clean(why),
        };
        lines.push(Line::from(vec![
            Span::styled(format!(" {:<16}", objective.as_str()), theme.strong()),
            Span::raw(text),
        ]));
    }
    if state.sets.is_none() {
        lines.push(Line::styled(" counting tokens…", theme.dim()));
    }
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    // All of it, however it wraps, and some of the list.
    let rows = text.line_count(whole.width.saturating_sub(2)) as u16 + 2;
    let rows = rows.min(whole.height.saturating_sub(4)).max(whole.height.min(8));
    let [area, below] =
        Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(whole);
    frame.render_widget(text.block(theme.panel("Data")), area);
    draw_trajectories(state, theme, frame, below);
    forms::draw(state, theme, frame, whole);
}

fn draw_trajectories(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let title = format!("Trajectories · {}", state.trajectories.place());
    let block = theme.panel(&title);
    let inner = block.inner(area);
    let line = |(i, row): (usize, Option<&TrajectorySummary>)| {
        let Some(row) = row else { return Line::styled(theme.glyph("…", "..."), theme.dim()) };
        let end = if row.success { "won" } else { "not won" };
        let text = format!(
            "{:>5} {:<13} {:>2} steps {end:<7} {} · {} / {} · {}",
            row.id,
            row.purpose.as_str(),
            row.length,
            clean(&row.task),
            row.suite,
            row.split,
            clean(&row.by)
        );
        let line = Line::from(fit(&text, inner.width as usize));
        if i == state.trajectories.at() { line.style(theme.selected()) } else { line }
    };
    let mut lines: Vec<Line<'_>> =
        state.trajectories.view(inner.height as usize).map(line).collect();
    if lines.is_empty() {
        lines.push(Line::styled(
            "nothing saved yet: c collects, K in Explore keeps an episode",
            theme.dim(),
        ));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
