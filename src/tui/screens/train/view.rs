//! Train, the drawing.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};

use super::typing::pattern;
use super::{State, form};
use crate::experience::wilson;
use crate::store::{EvalRow, RunStatus};
use crate::text::clean;
use crate::train::Stage;
use crate::train::data::DataSummary;
use crate::tui::chart::{self, Curve};
use crate::tui::numbers::unit;
use crate::tui::text::typed_line;
use crate::tui::theme::{Theme, centered, fit};

/// Draws the screen.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    if area.width >= 80 {
        let columns = [Constraint::Length(36), Constraint::Min(0)];
        let [left, right] = Layout::horizontal(columns).areas(area);
        let [runs, evaluations] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(8)]).areas(left);
        let [chart, details] =
            Layout::vertical([Constraint::Percentage(60), Constraint::Percentage(40)]).areas(right);
        draw_runs(state, theme, frame, runs);
        draw_evaluations(state, theme, frame, evaluations);
        draw_chart(state, theme, frame, chart);
        draw_details(state, theme, frame, details);
    } else {
        let [runs, chart] =
            Layout::vertical([Constraint::Length(5), Constraint::Min(0)]).areas(area);
        draw_runs(state, theme, frame, runs);
        draw_chart(state, theme, frame, chart);
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
        form::draw(state, form, theme, frame, area);
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
            run.status.as_str()
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
        let (low, high) = wilson(eval.successes, eval.n);
        let figure =
            format!("{}/{} [{:.0}–{:.0} %]", eval.successes, eval.n, 100.0 * low, 100.0 * high);
        lines.push(Line::from(fit(&format!("{figure} {}", clean(&eval.checkpoint)), width)));
        lines.push(Line::styled(fit(&format!("  {}", played(eval)), width), theme.dim()));
    }
    if lines.is_empty() {
        lines.push(Line::styled("not evaluated yet: v", theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(theme.panel("Success, 95 % interval")), area);
}

/// How an evaluation was played, as far as that was written down.
fn played(eval: &EvalRow) -> String {
    let think = if eval.think == Some(true) { ", thinking" } else { "" };
    let free = if eval.restriction.as_deref() == Some("free") { ", free text" } else { "" };
    let temperature =
        eval.temperature.map_or("?".to_string(), |temperature| temperature.to_string());
    format!("{} T {temperature} seed {}{think}{free}", clean(&eval.split), eval.seed)
}

/// A curve of every run that is shown.
fn curves<'a>(state: &'a State, name: &str) -> Vec<Curve<'a>> {
    let shown = state.shown(name);
    let unit = unit(name);
    let curve = |(run, points)| Curve { name: format!("run {run}"), unit, points };
    shown.into_iter().map(curve).collect()
}

fn draw_chart(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
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
    chart::draw(&curves(state, state.name()), state.lens, theme.panel(&title), theme, frame, area);
    let columns = Layout::horizontal(vec![Constraint::Fill(1); pinned.len().max(1)]).split(pins);
    for (name, area) in pinned.into_iter().zip(columns.iter()).filter(|_| below > 0) {
        chart::draw(&curves(state, name), state.lens, theme.panel(name), theme, frame, *area);
    }
}

/// What a run trains on, a line each.
fn about_data(
    data: &serde_json::Value,
    criteria: &serde_json::Value,
    stages: &[Stage],
) -> Vec<String> {
    let pool = criteria["pool"].as_str().filter(|_| data["branches"].as_u64() > Some(0));
    let mut lines = vec![format!(
        "data: {} demonstrations, {} alternatives{}, {} reflections, {} unique tokens in {} trees; \
         {} held out",
        data["demonstrations"],
        data["branches"],
        pool.map_or(String::new(), |pool| format!(" of the pool {}", clean(pool))),
        data["reflections"],
        data["tokens"],
        data["trees"],
        data["held_out"].as_u64().map_or_else(|| "?".to_string(), |count| count.to_string())
    )];
    if let Ok(summary) = serde_json::from_value::<DataSummary>(data.clone()) {
        if summary.targets.iter().any(|count| *count > 0) {
            lines.push(summary.targets_in_words(stages));
        }
        lines.extend(summary.notes());
    }
    lines
}

fn draw_details(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = Vec::new();
    if let Some(run) = state.run() {
        let config: serde_json::Value = serde_json::from_str(&run.config).unwrap_or_default();
        let data = &config["data"];
        lines.push(Line::from(vec![
            Span::styled(format!("{} ", run.objective), theme.strong()),
            Span::raw(run.status.as_str()),
        ]));
        if run.status == RunStatus::Queued {
            let start = if run.start.is_empty() { "the newest checkpoint" } else { &run.start };
            lines.push(Line::from(format!(
                "It waits for its turn, and will start from {start}. What it trains on is known \
                 then."
            )));
        }
        let begun = run.status != RunStatus::Queued;
        let plan = &config["plan"];
        let stages: Vec<Stage> =
            serde_json::from_value(config["stages"].clone()).unwrap_or_default();
        if begun {
            lines.extend(about_data(data, &plan["data"], &stages).into_iter().map(Line::from));
        }
        let batch = plan["batch"].as_u64().unwrap_or_default() as usize;
        lines.push(Line::from(format!(
            "budget: {} updates of {batch} trees, rate {}, {} workers · seed {} · from {}",
            run.steps, plan["rate"], plan["workers"], run.seed, run.start
        )));
        lines.extend(stages.iter().map(|stage| {
            let epochs = stage.epochs(batch);
            Line::from(format!(
                "{}: {} updates, {epochs:.1} epochs over {} trees",
                stage.name, stage.updates, stage.trees
            ))
        }));
        let warnings: Vec<String> =
            serde_json::from_value(config["warnings"].clone()).unwrap_or_default();
        lines.extend(warnings.iter().map(|text| {
            Line::styled(format!("{} {}", theme.glyph("▲", "!"), clean(text)), theme.warn())
        }));
        let mine: Vec<String> = state
            .checkpoints
            .iter()
            .filter(|c| c.run == run.id)
            .map(|c| format!("{} (#{})", c.step, c.id))
            .collect();
        lines.push(Line::from(format!(
            "checkpoints at step: {}",
            if mine.is_empty() { "none yet".into() } else { mine.join(", ") }
        )));
        lines.extend(
            state.alerts.iter().map(|text| {
                Line::styled(format!("{} {text}", theme.glyph("▲", "!")), theme.warn())
            }),
        );
        if let Some(error) = &run.error {
            lines.push(Line::styled(
                format!("failed: {}. r goes on from the last checkpoint.", clean(error)),
                theme.bad(),
            ));
        } else if run.status == RunStatus::BrokeOff {
            lines.push(Line::styled(
                "its process ended without finishing. r goes on from the last checkpoint.",
                theme.warn(),
            ));
        }
    } else {
        lines.push(Line::from(
            "Training needs data: in Explore, c collects it; in Curate, a approves reflections.",
        ));
        lines.push(Line::from(
            "Then t starts a run, in the background. You can go on exploring meanwhile.",
        ));
    }
    frame.render_widget(
        Paragraph::new(lines).block(theme.panel("This run")).wrap(Wrap { trim: false }),
        area,
    );
}
