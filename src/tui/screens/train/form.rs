//! Train, the drawing of the form before a run.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph, Wrap};

use super::typing::Form;
use crate::control::seconds;
use crate::text::clean;
use crate::train::Forecast;
use crate::train::rl::Rl;
use crate::train::torchrun::Settings;
use crate::tui::text::grouped;
use crate::tui::theme::{Theme, centered};

/// More epochs than this are said.
const MANY: f64 = 20.0;

/// As wide as it takes to have the fields beside what they come to.
const WIDE: u16 = 100;

/// Draws it over the screen: what can be set, and what that would train on, take and cost.
pub(super) fn draw(form: &Form, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let about = Paragraph::new(about(form, theme)).wrap(Wrap { trim: false });
    let shown = form.sheet.fields.iter().filter(|field| field.shown).count();
    let wide = area.width >= WIDE;
    let rows = if wide { shown.max(about.line_count(50)) } else { usize::from(area.height) };
    let area = centered(area, 116, rows as u16 + 2);
    frame.render_widget(Clear, area);
    let enter = theme.glyph("⏎", "Enter");
    let what = match (form.queue, form.again) {
        (true, _) => format!("{enter} queue it: another run is under way"),
        (false, Some(run)) => format!("run {run} again · {enter} start"),
        (false, None) => format!("{enter} start"),
    };
    let keys = if wide { " · up, down: field · left, right: change, or type" } else { "" };
    let title = format!("Train · {what}{keys} · y command · Esc leave");
    let block = theme.panel(&title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (fields, below) = if wide {
        let halves = [Constraint::Length(62), Constraint::Min(0)];
        let [left, right] = Layout::horizontal(halves).spacing(1).areas(inner);
        (left, right)
    } else {
        let rows = about.line_count(inner.width) as u16;
        let rows = rows.min(inner.height.saturating_sub(6));
        let [top, bottom] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(rows)]).areas(inner);
        (top, bottom)
    };
    let lines = form.sheet.lines(theme, fields.width as usize, fields.height as usize);
    frame.render_widget(Paragraph::new(lines), fields);
    frame.render_widget(about, below);
}

/// What the run would be, and the command that starts the same.
fn about<'a>(form: &Form, theme: Theme) -> Vec<Line<'a>> {
    let mut lines = match &form.forecast {
        None => vec![Line::styled("working out what that takes…", theme.dim())],
        Some(Err(why)) => {
            vec![Line::styled(format!("cannot start: {}", clean(why)), theme.bad())]
        }
        Some(Ok(forecast)) => {
            let plan = form.plan().ok();
            let batch = plan.as_ref().map_or(1, |plan| plan.batch);
            let apart = plan.as_ref().and_then(|plan| plan.torchrun.as_ref());
            match plan.as_ref().and_then(|plan| plan.rl.as_ref()) {
                Some(rl) => played(forecast, (batch, rl), theme),
                None => cost(forecast, batch, apart, theme),
            }
        }
    };
    if let Some(command) = form.command() {
        lines.push(Line::styled(clean(&command), theme.dim()));
    }
    // Whole, where it is cut beside the field.
    if let Some(field) = form.sheet.field().filter(|field| !field.hint.is_empty()) {
        let text = format!("{}: {}", field.label.trim(), clean(&field.hint));
        lines.push(Line::styled(text, theme.dim()));
    }
    lines
}

/// What a run would play, and what it takes.
fn played<'a>(forecast: &Forecast, (batch, rl): (usize, &Rl), theme: Theme) -> Vec<Line<'a>> {
    let updates = forecast.stages.iter().map(|stage| stage.updates).sum();
    let mut lines = vec![
        Line::from(format!("{} updates, each of {}", grouped(updates), rl.in_words(batch))),
        Line::from(format!(
            "validation: {} games at every checkpoint; {} groups of an update are kept",
            rl.validation, rl.kept
        )),
        Line::from("how long an update takes is known after the first"),
        Line::from(forecast.memory.to_string()),
    ];
    lines.extend(forecast.warnings.iter().map(|text| {
        Line::styled(format!("{} {}", theme.glyph("▲", "!"), clean(text)), theme.warn())
    }));
    lines
}

/// What a run would train on, in what stages, and what it takes.
fn cost<'a>(
    forecast: &Forecast,
    batch: usize,
    apart: Option<&Settings>,
    theme: Theme,
) -> Vec<Line<'a>> {
    let data = &forecast.data;
    let mut lines = vec![
        Line::from(format!(
            "trains on {} demonstrations, {} alternatives, {} reflections: {} unique tokens",
            grouped(data.demonstrations as u64),
            grouped(data.branches as u64),
            grouped(data.reflections as u64),
            grouped(data.tokens as u64),
        )),
        Line::from(data.validation()),
    ];
    lines.extend(data.notes().into_iter().map(|note| Line::styled(note, theme.dim())));
    lines.extend(forecast.stages.iter().map(|stage| {
        let epochs = stage.epochs(batch);
        Line::from(format!(
            "{}: {} updates, {epochs:.1} epochs over {} trees",
            stage.name,
            grouped(stage.updates),
            grouped(stage.trees as u64)
        ))
    }));
    let cost = match forecast.speed {
        _ if apart.is_some() => ", paths of a tree apart where torchrun computes them".into(),
        Some(speed) if speed > 0.0 => {
            format!(
                ", about {} at the last run's {speed:.0} tokens/s",
                seconds(forecast.tokens as f64 / speed)
            )
        }
        _ => ", the time is known once a run was measured here".into(),
    };
    lines.push(Line::from(format!("{} tokens of training{cost}", grouped(forecast.tokens))));
    lines.push(Line::from(match apart {
        // What it needs it knows itself.
        Some(of) => of.in_words(),
        None => forecast.memory.to_string(),
    }));
    if let Some(stage) = forecast.stages.iter().find(|stage| stage.epochs(batch) > MANY) {
        let validated =
            if data.held_out_games > 0 { "" } else { ", and nothing is held out to see it" };
        let text = format!(
            "{} {} goes {:.0} times over {} trees: it will learn them by heart{validated}",
            theme.glyph("▲", "!"),
            stage.name,
            stage.epochs(batch),
            grouped(stage.trees as u64)
        );
        lines.push(Line::styled(text, theme.warn()));
    }
    lines.extend(forecast.warnings.iter().map(|text| {
        Line::styled(format!("{} {}", theme.glyph("▲", "!"), clean(text)), theme.warn())
    }));
    lines
}
