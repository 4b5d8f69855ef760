//! Train, the drawing of the form before a run.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};

use super::State;
use super::typing::{Form, OBJECTIVES, STARTS, command};
use crate::control::seconds;
use crate::selection::ALL;
use crate::text::clean;
use crate::train::{Forecast, Objective};
use crate::tui::text::grouped;
use crate::tui::theme::{Theme, centered};

/// Draws it over the screen.
pub(super) fn draw(state: &State, form: &Form, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let objective = OBJECTIVES[form.objective].0;
    let mut lines = Vec::new();
    for (i, (each, what)) in OBJECTIVES.iter().enumerate() {
        let line = Line::from(format!(" {} {:<12} {what}", i + 1, each.as_str()));
        lines.push(if i == form.objective { line.style(theme.selected()) } else { line });
    }
    lines.push(Line::default());
    let mut row = |text: String, key: &'static str| {
        lines.push(Line::from(vec![
            Span::raw(format!(" {text}  ")),
            Span::styled(key, theme.key()),
        ]));
    };
    row(
        format!("{} updates of {} trajectories", form.steps, form.batch),
        "+ - updates · t how many",
    );
    let model = STARTS.iter().find(|(name, _)| *name == form.start);
    let start = model.map_or_else(|| clean(&form.start), |(_, what)| (*what).to_string());
    row(format!("from {start}"), "s change");
    let adapter =
        form.lora.map_or("all weights".into(), |rank| format!("an adapter of rank {rank}"));
    row(
        format!("rate {} · {adapter} · seed {}", form.rate, form.seed),
        "r rate · a adapter · d seed",
    );
    if state.experts.len() > 1 {
        let there: Vec<String> =
            state.experts.iter().map(|(name, count)| format!("{} {count}", clean(name))).collect();
        let whose = match form.expert.as_deref() {
            None => "not chosen yet".to_string(),
            Some(ALL) => "all of them, mixed".to_string(),
            Some(name) => clean(name),
        };
        row(format!("demonstrations by {whose} (there are {})", there.join(", ")), "e change");
    }
    if objective == Objective::WorldModel {
        row(format!("alternatives: {}", pool(state, form)), "p pool · n how many");
        row(format!("budget: {}", form.matched.as_str()), "b change");
    }
    row(
        format!("held out for validation: {:.0} % of the instances", 100.0 * form.held_out),
        "v change",
    );
    lines.push(Line::default());
    if area.height < 24 {
        // A small terminal needs the lines for what it costs.
        lines.retain(|line: &Line<'_>| line.width() > 0);
    }
    match &form.forecast {
        None => lines.push(Line::styled(" working out what that takes…", theme.dim())),
        Some(Err(why)) => {
            lines.push(Line::styled(format!(" cannot start: {}", clean(why)), theme.bad()));
        }
        Some(Ok(forecast)) => lines.extend(cost(forecast, form.batch, theme)),
    }
    let command = clean(&command(&state.plan(form), &form.start));
    lines.push(Line::styled(format!(" {command}"), theme.dim()));
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    let width = 78.min(area.width);
    let rows = text.line_count(width.saturating_sub(2)) as u16;
    let area = centered(area, width, rows + 2);
    frame.render_widget(Clear, area);
    let title = if form.queue {
        "Train · ⏎ queue: another run is under way · y copy the command · Esc leave"
    } else {
        "Train · ⏎ start · y copy the command · Esc leave"
    };
    frame.render_widget(text.block(theme.panel(title)), area);
}

/// The pool that is chosen, where its alternatives came from, and how many of them are used.
fn pool(state: &State, form: &Form) -> String {
    let counts = state.pools.iter().filter(|count| form.pool == ALL || count.pool == form.pool);
    let from: Vec<String> = counts
        .map(|count| {
            let by = if count.model.is_empty() {
                String::new()
            } else {
                format!(", asking {}", clean(&count.model))
            };
            format!("{} {}{by}", grouped(count.count), clean(&count.source))
        })
        .collect();
    let from = if from.is_empty() { "none there".to_string() } else { from.join("; ") };
    let k = match form.k {
        None => "all".to_string(),
        Some(0) => "none, only the expert's own next states".to_string(),
        Some(k) => format!("at most {k} a state"),
    };
    format!("pool {} ({from}), {k}", clean(&form.pool))
}

/// What a run would train on, in what stages, and what it takes.
fn cost<'a>(forecast: &Forecast, batch: usize, theme: Theme) -> Vec<Line<'a>> {
    let data = &forecast.data;
    let mut lines = vec![Line::from(format!(
        " on {} demonstrations, {} alternatives, {} reflections: {} unique tokens; {} held out",
        grouped(data.demonstrations as u64),
        grouped(data.branches as u64),
        grouped(data.reflections as u64),
        grouped(data.tokens as u64),
        data.held_out
    ))];
    lines
        .extend(data.notes().into_iter().map(|note| Line::styled(format!(" {note}"), theme.dim())));
    lines.extend(forecast.stages.iter().map(|stage| {
        let epochs = stage.epochs(batch);
        Line::from(format!(
            " {}: {} updates, {epochs:.1} epochs",
            stage.name,
            grouped(stage.updates)
        ))
    }));
    let cost = match forecast.speed {
        Some(speed) if speed > 0.0 => {
            format!(
                ", about {} at the last run's {speed:.0} tokens/s",
                seconds(forecast.tokens as f64 / speed)
            )
        }
        _ => ", the time is known once a run was measured here".into(),
    };
    lines.push(Line::from(format!(" {} tokens of training{cost}", grouped(forecast.tokens))));
    lines.push(Line::from(format!(" {}", forecast.memory)));
    lines.extend(
        forecast
            .warnings
            .iter()
            .map(|text| Line::styled(format!(" {}", clean(text)), theme.warn())),
    );
    lines
}
