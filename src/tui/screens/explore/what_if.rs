//! Explore, the panel of what-ifs: the expert's action first, then the alternatives, each with what
//! was expected of it and what really came of it.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use super::State;
use super::cells::{Cell, Other, indented};
use super::panels::Panel;
use super::room::{Form, Size, forms};
use crate::agent::alternatives::{AlternativeSampling, Proposer};
use crate::agent::prompt::told;
use crate::env::Forks;
use crate::experience::word_f1;
use crate::explore::View;
use crate::text::clean;
use crate::tui::page;
use crate::tui::text::{one_line, remark};
use crate::tui::theme::Theme;

/// The what-ifs as they are listed.
struct Listed {
    lines: Vec<Line<'static>>,
    /// Where each stands.
    at: Vec<Range<usize>>,
}

/// Draws the panel.
pub(super) fn draw(state: &State, view: &View, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let title = title(state, view);
    let block = theme.panel_of(&title, state.panel == Panel::WhatIf);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if let Some(lines) = instead(state, view, theme) {
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
        return;
    }
    let Listed { mut lines, at } = listed(state, view, theme, inner);
    let rows = lines.len() as u16;
    let most = rows.saturating_sub(inner.height);
    state.seen.note_what_ifs(most);
    // The one under the cursor has a mark, and stays in view as a whole.
    let here = at.get(state.cell).filter(|_| state.panel == Panel::WhatIf);
    if let Some(span) = here.and_then(|here| lines.get_mut(here.start)?.spans.first_mut()) {
        span.style = theme.selected();
    }
    let reached = here
        .filter(|_| state.follow)
        .map(|here| (here.end as u16).saturating_sub(inner.height).min(here.start as u16));
    let scroll = reached.unwrap_or(state.scroll).min(most);
    frame.render_widget(Paragraph::new(lines).scroll((scroll, 0)), inner);
    let hidden = most - scroll;
    if hidden > 0 && area.width > 30 {
        let key = if state.panel == Panel::WhatIf { "PgDn" } else { "Tab" };
        let more = format!(" {hidden} more line{} · {key} ", if hidden == 1 { "" } else { "s" });
        remark(&more, area.bottom() - 1, Rect { width: area.width - 2, ..area }, theme, frame);
    }
}

fn title(state: &State, view: &View) -> String {
    let how = match state.choosing {
        AlternativeSampling { proposer: Proposer::Likeliest, .. } => String::new(),
        AlternativeSampling { proposer: Proposer::Uniform, seed, .. } => {
            format!(" · uniform, seed {seed}")
        }
        AlternativeSampling { temperature, top_p, seed, .. } => {
            format!(" · T {temperature}, top-p {top_p}, seed {seed}")
        }
    };
    let how = if view.forks == Forks::Replay { format!(" · each by a replay{how}") } else { how };
    let how = if state.thinking { format!(" · thinks first{how}") } else { how };
    let minds = &state.minds.described;
    let model = if minds.is_empty() { "loading the model…" } else { minds };
    let beside = state.beside.as_ref();
    let beside = beside.map_or_else(String::new, |other| format!(" | {}", other.name()));
    let spent = state.spent.map_or_else(String::new, |spent| format!(" · {spent}"));
    format!("What if · {}{beside}{spent}{how}", clean(model))
}

/// What is said where there are no what-ifs, or where they are hidden.
fn instead(state: &State, view: &View, theme: Theme) -> Option<Vec<Line<'static>>> {
    if view.success {
        let said = "The goal is reached. K keeps this episode as a demonstration, ] opens the next \
                    task.";
        Some(vec![Line::styled(said, theme.good())])
    } else if view.done {
        Some(vec![Line::styled("The episode is over here. u goes back.", theme.warn())])
    } else if state.hidden {
        Some(vec![
            Line::from("You play. What expert and model say is hidden; H shows it."),
            Line::styled(
                "a types an action, t takes the selected one, K keeps a solved episode.",
                theme.dim(),
            ),
        ])
    } else {
        None
    }
}

/// The what-ifs, the expert's first.
fn cells<'a>(state: &'a State, view: &'a View) -> Vec<Cell<'a>> {
    let expert = view.expert_outcome.as_ref();
    let first = expert.map(|outcome| ("E".to_string(), &outcome.action, &outcome.source));
    let others = state.chosen.iter().enumerate();
    let others = others.map(|(i, (action, source))| ((i + 1).to_string(), action, source));
    let cell = |(i, (mark, action, source)): (usize, (String, &'a String, &'a String))| {
        let place = view.admissible.iter().position(|known| known == action);
        let outcome = match expert {
            Some(outcome) if i == 0 => Some(outcome),
            _ => state.outcomes.iter().find(|outcome| outcome.action == *action),
        };
        let prediction = state.predictions.get(i);
        let predicted = prediction.map(|text| one_line(text)).unwrap_or_default();
        let actual = outcome.map(|outcome| one_line(told(&outcome.observation)));
        let known = actual.as_ref().filter(|_| state.predicted && prediction.is_some());
        let right = known.map(|actual| word_f1(&predicted, actual));
        // What is shown of a page is shorter than what is measured.
        let shown = |text: &str| one_line(&page::brief(text));
        let predicted = prediction.map(|text| shown(text)).unwrap_or_default();
        let actual = outcome.map(|outcome| shown(told(&outcome.observation)));
        Cell {
            mark,
            action,
            source,
            outcome,
            right,
            predicted,
            actual: actual.unwrap_or_default(),
            share: place.and_then(|at| state.shares.as_ref()?.get(at).copied()),
            beside: state.beside.as_ref().map(|other| Other {
                name: other.name(),
                share: place.map_or_else(String::new, |at| other.share(at)),
                predicted: other.predictions.get(i).map(|text| one_line(text)),
                complete: other.predicted,
            }),
            went_on: state.went_on.get(action).map(String::as_str),
            waits: state.waits(),
        }
    };
    first.into_iter().chain(others).enumerate().map(cell).collect()
}

/// Who speaks in place of the one who was asked, or why nobody does.
fn preface(view: &View, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let speaks = view.expert_outcome.as_ref().map(|outcome| outcome.source.as_str());
    let text = match (&view.silence, speaks) {
        (None, Some(_)) => return Vec::new(),
        (None, None) => "you are the expert; e lets another speak".to_string(),
        (Some(why), None) => format!("{}: {why}", view.asked),
        (Some(why), Some(other)) => {
            format!("{} is silent ({why}), so {other} speaks:", view.asked)
        }
    };
    let mut lines = indented(&clean(&text), width, theme.warn());
    if let Some(first) = lines.first_mut().filter(|_| speaks.is_none()) {
        *first = Line::styled(format!("E{}", first.to_string().split_off(1)), theme.warn());
    }
    lines
}

fn listed(state: &State, view: &View, theme: Theme, area: Rect) -> Listed {
    let width = area.width as usize;
    let cells = cells(state, view);
    let mut lines = preface(view, theme, width);
    let bodies: Vec<_> = cells.iter().map(|cell| cell.body(view, theme, width)).collect();
    let briefs: Vec<_> = cells.iter().map(|cell| cell.brief(view, width)).collect();
    let size =
        |(body, brief): (&Vec<_>, &Vec<_>)| Size { whole: 1 + body.len(), brief: brief.len() };
    let sizes: Vec<Size> = bodies.iter().zip(&briefs).map(size).collect();
    let waiting = usize::from(state.chosen.is_empty());
    let height = (area.height as usize).saturating_sub(lines.len() + waiting);
    let cursor = if state.panel == Panel::WhatIf { state.cell } else { 0 };
    let forms = forms(&sizes, cursor, height);
    // Where all are whole and there is room, an empty line stands between them.
    let taken: usize = sizes.iter().map(|size| size.whole).sum();
    let whole = forms.iter().all(|form| *form == Form::Whole);
    let gaps = whole && taken + cells.len().saturating_sub(1) <= height;
    let mut at = Vec::with_capacity(cells.len());
    for (((cell, form), body), brief) in cells.iter().zip(forms).zip(bodies).zip(briefs) {
        if gaps && !at.is_empty() {
            lines.push(Line::default());
        }
        let start = lines.len();
        lines.push(cell.head(view, form, theme, width));
        match form {
            Form::Whole => lines.extend(body),
            Form::Brief(rows) => lines.extend(shortened(brief, rows, theme)),
        }
        at.push(start..lines.len());
    }
    if state.chosen.is_empty() {
        lines.extend(match &state.silent {
            None => vec![Line::styled("the policy is choosing alternatives…", theme.dim())],
            Some(why) => {
                indented(&format!("no answer from the policy: {why}"), width, theme.warn())
            }
        });
    }
    Listed { lines, at }
}

/// The first rows of a text; that there are more is said at the end of the last.
fn shortened(text: Vec<String>, rows: usize, theme: Theme) -> Vec<Line<'static>> {
    let cut = text.len() > rows;
    let line = |(row, mut text): (usize, String)| {
        if cut && row + 1 == rows {
            text.push_str(" …");
        }
        Line::styled(format!("   {text}"), theme.dim())
    };
    text.into_iter().take(rows).enumerate().map(line).collect()
}
