//! Train, the drawing.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph};

use super::grid::{self, curves, lens_of};
use super::typing::pattern;
use super::{Side, State, details, evaluating, form, lists};
use crate::text::clean;
use crate::tui::chart;
use crate::tui::text::typed_line;
use crate::tui::theme::{Theme, centered, fit};

/// Draws the screen.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    match state.side {
        Side::Curves => draw_curves(state, theme, frame, area),
        Side::Runs => lists::runs(state, theme, frame, area),
        Side::Checkpoints => lists::checkpoints(state, theme, frame, area),
        Side::Evaluations => lists::evaluations(state, theme, frame, area),
    }
    draw_typed(state, theme, frame, area);
}

fn draw_curves(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    if area.width < 60 || area.height < 16 {
        let [runs, chart] =
            Layout::vertical([Constraint::Length(5), Constraint::Min(0)]).areas(area);
        draw_runs(state, theme, frame, runs);
        return draw_chart(state, theme, frame, chart);
    }
    let [runs, evaluations, chart, details] = if area.width >= 100 {
        let columns = [Constraint::Length(36), Constraint::Min(0)];
        let [left, right] = Layout::horizontal(columns).areas(area);
        let [runs, evaluations] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(8)]).areas(left);
        let [chart, details] =
            Layout::vertical([Constraint::Percentage(60), Constraint::Percentage(40)]).areas(right);
        [runs, evaluations, chart, details]
    } else {
        // What has sentences in it gets the whole width.
        let wanted = details::height(state, theme, area.width).clamp(4, area.height * 2 / 5);
        let rows = [Constraint::Length(5), Constraint::Min(0), Constraint::Length(wanted)];
        let [top, chart, details] = Layout::vertical(rows).areas(area);
        let halves = [Constraint::Percentage(50), Constraint::Percentage(50)];
        let [runs, evaluations] = Layout::horizontal(halves).areas(top);
        [runs, evaluations, chart, details]
    };
    draw_runs(state, theme, frame, runs);
    draw_evaluations(state, theme, frame, evaluations);
    draw_chart(state, theme, frame, chart);
    details::draw(state, theme, frame, details);
}

/// What is typed or filled in over the screen.
fn draw_typed(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    if let Some(line) = &state.line {
        let over = centered(area, 76, 3);
        frame.render_widget(Clear, over);
        let title = format!("{} · ⏎ · Esc leave", line.about.title());
        let text = typed_line(&line.input, over.width.saturating_sub(2) as usize, theme);
        frame.render_widget(Paragraph::new(text).block(theme.panel(&title)), over);
    }
    if let Some(sheet) = &state.evaluating {
        evaluating::draw(sheet, theme, frame, area);
    }
    if let Some(input) = &state.searching {
        let over = centered(area, 56, 3);
        frame.render_widget(Clear, over);
        let block = theme.panel(if pattern(input.value()).is_ok() {
            "Curves by name, a regular expression · ⏎ · Esc leave"
        } else {
            "No regular expression yet · Esc leave"
        });
        frame.render_widget(
            Paragraph::new(typed_line(input, block.inner(over).width as usize, theme)).block(block),
            over,
        );
    }
    if let Some(form) = &state.form {
        form::draw(form, theme, frame, area);
    }
}

fn draw_runs(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let block = theme.panel("Runs");
    let inner = block.inner(area);
    let mut lines: Vec<Line<'_>> = Vec::new();
    let from = (state.selected + 1).saturating_sub(inner.height as usize);
    for (i, run) in state.runs.iter().enumerate().skip(from).take(inner.height as usize) {
        let over = if state.overlaid.contains(&run.id) { "+" } else { " " };
        let text = format!(
            "{over}{:>2} {:<11} {:>4}/{:<4} {}",
            run.id,
            run.objective,
            run.step,
            run.steps,
            state.status(run)
        );
        let line = Line::from(fit(&text, inner.width as usize));
        lines.push(if i == state.selected { line.style(theme.selected()) } else { line });
    }
    if lines.is_empty() {
        lines.push(Line::styled("no runs yet: t starts one", theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_evaluations(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut lines: Vec<Line<'_>> = Vec::new();
    // Two lines each: the figure with what played, and how it was played.
    let width = area.width.saturating_sub(2) as usize;
    for eval in state.evaluations.iter().take(3) {
        let figure = format!("{} {}", lists::rate(eval), clean(&eval.checkpoint));
        lines.push(Line::from(fit(&figure, width)));
        lines.push(Line::styled(fit(&format!("  {}", clean(&eval.how())), width), theme.dim()));
    }
    if lines.is_empty() {
        lines.push(Line::styled("not evaluated yet: v", theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(theme.panel("Success, 95 % interval")), area);
}

fn draw_chart(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    if state.run().is_none() {
        return frame.render_widget(theme.panel("curves"), area);
    }
    if !state.large && state.listed().len() > 1 {
        return grid::draw(state, theme, frame, area);
    }
    // The pinned ones share what is left below the chosen one.
    let pinned: Vec<&String> = state.pinned.iter().filter(|name| *name != state.name()).collect();
    let below = if pinned.is_empty() || area.height < 16 { 0 } else { area.height * 2 / 5 };
    let [area, pins] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(below)]).areas(area);
    let only = if state.words.is_empty() {
        String::new()
    } else {
        format!(" of “{}”", clean(&state.words))
    };
    let title = format!("{} · m next curve{only}", state.name());
    let lens = lens_of(state, state.name());
    chart::draw(&curves(state, state.name()), lens, theme.panel(&title), theme, frame, area);
    let columns = Layout::horizontal(vec![Constraint::Fill(1); pinned.len().max(1)]).split(pins);
    for (name, area) in pinned.into_iter().zip(columns.iter()).filter(|_| below > 0) {
        let lens = lens_of(state, name);
        chart::draw(&curves(state, name), lens, theme.panel(name), theme, frame, *area);
    }
}
