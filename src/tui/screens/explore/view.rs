//! Explore, the drawing. At 110 columns three panels stand side by side; from 60 Now stands over
//! What if; below, one panel at a time.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::State;
use super::cells::{Brevity, Cell, Room};
use super::overlays;
use super::panels::Panel;
use crate::agent::Scores;
use crate::agent::alternatives::{AlternativeSampling, Proposer};
use crate::env::Forks;
use crate::env::NoAdvice;
use crate::explore::View;
use crate::text::clean;
use crate::text::percent;
use crate::tui::text::{raw, remark};
use crate::tui::theme::{Theme, fit};

/// Draws the screen.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let Some(view) = &state.view else {
        frame.render_widget(Paragraph::new("opening the first task…").style(theme.dim()), area);
        return;
    };
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    frame.render_widget(Paragraph::new(heading(state, view, theme, head.width as usize)), head);
    if area.width >= 110 && !state.whole {
        let columns =
            [Constraint::Percentage(24), Constraint::Percentage(34), Constraint::Percentage(42)];
        let [left, middle, right] = Layout::horizontal(columns).areas(body);
        draw_trunk(view, state.panel, theme, frame, left);
        draw_now(state, view, theme, frame, middle);
        draw_what_if(state, view, theme, frame, right);
    } else if area.width >= 60 && area.height >= 16 && state.panel == Panel::Now && !state.whole {
        let [top, bottom] =
            Layout::vertical([Constraint::Percentage(42), Constraint::Percentage(58)]).areas(body);
        draw_now(state, view, theme, frame, top);
        draw_what_if(state, view, theme, frame, bottom);
    } else {
        match state.panel {
            Panel::Now => draw_now(state, view, theme, frame, body),
            Panel::WhatIf => draw_what_if(state, view, theme, frame, body),
            Panel::Trunk => draw_trunk(view, state.panel, theme, frame, body),
        }
    }
    overlays::draw(state, view, theme, frame, body);
}

/// The observation and what was executed, character by character.
pub(super) fn as_given(state: &State) -> Vec<String> {
    let Some(view) = &state.view else { return Vec::new() };
    let outcomes = view.expert_outcome.iter().chain(&state.outcomes).filter(|_| !state.hidden);
    let told = outcomes.flat_map(|o| {
        [vec![String::new(), format!("> {}", o.action)], raw(&o.observation)].concat()
    });
    raw(&view.observation).into_iter().chain(told).collect()
}

fn heading<'a>(state: &State, view: &View, theme: Theme, width: usize) -> Line<'a> {
    let limit = view.limit;
    let agreed = match state.agreed {
        (_, 0) => String::new(),
        (same, known) => format!(" · policy agrees {same}/{known}"),
    };
    let far = match &view.distance {
        _ if state.hidden && !view.done => "advice hidden".to_string(),
        _ if view.success => "solved".to_string(),
        _ if view.done => "over".to_string(),
        Ok(left) if width < 60 => format!("{left} left"),
        Ok(left) => format!("goal {left} step{} away", if *left == 1 { "" } else { "s" }),
        Err(NoAdvice::Unsolvable) => "goal out of reach".to_string(),
        Err(_) if width < 60 => "? left".to_string(),
        Err(why) => why.to_string(),
    };
    let who = view.expert.as_ref().map_or(view.asked.as_str(), |(name, _)| name);
    let right = match width {
        ..60 => format!("{}/{limit} · {far}", view.depth),
        60..100 => format!("step {}/{limit} · {far}", view.depth),
        _ => format!("step {}/{limit} · {far} · expert {who}{agreed}", view.depth),
    };
    let room = width.saturating_sub(right.chars().count() + 9);
    Line::from(vec![
        Span::styled(" TASK ", theme.strong()),
        Span::styled(
            format!("{:room$}", fit(&clean(&view.task), room)),
            Style::new().add_modifier(Modifier::BOLD),
        ),
        Span::styled(format!(" {right} "), if view.success { theme.good() } else { theme.dim() }),
    ])
}

/// A letter for who chose a step: it shows without colour.
fn letter(source: &str) -> &'static str {
    match source {
        "" => " ",
        "human" => "h",
        "policy" => "p",
        "uniform" => "u",
        _ => "E",
    }
}

pub(super) fn trunk_line<'a>(view: &View, at: usize, theme: Theme, width: usize) -> Line<'a> {
    let line = &view.trunk[at];
    let current = line.node == view.node;
    let mark = if current { theme.glyph("▶", ">") } else { " " };
    let action = if line.action.is_empty() { "start".to_string() } else { clean(&line.action) };
    let name =
        if line.name.is_empty() { action } else { format!("\"{}\" {action}", clean(&line.name)) };
    let branch = if line.on_path { "" } else { theme.glyph("└ ", "` ") };
    let text =
        fit(&format!("{mark}{:>2} {} {branch}{name}", line.depth, letter(&line.source)), width);
    let style = if current {
        theme.strong()
    } else if line.on_path {
        Style::new()
    } else {
        theme.dim()
    };
    Line::styled(text, style)
}

fn draw_trunk(view: &View, panel: Panel, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let block = theme.panel_of("Trunk", panel == Panel::Trunk);
    let inner = block.inner(area);
    let here = view.trunk.iter().position(|line| line.node == view.node).unwrap_or_default();
    let from = here.saturating_sub(inner.height.saturating_sub(2) as usize);
    let lines: Vec<Line<'_>> = (from..view.trunk.len())
        .map(|at| trunk_line(view, at, theme, inner.width as usize))
        .collect();
    let begun = view.trunk.len() > 1;
    frame.render_widget(Paragraph::new(lines).block(block), area);
    if !begun && inner.height > 6 {
        let hints = [
            (theme.glyph("⏎", "Enter"), "take the expert's step"),
            ("1-4", "try an alternative instead"),
            ("?", "all keys, and what the words mean"),
        ];
        let lines: Vec<Line<'_>> = hints
            .map(|(key, what)| {
                Line::from(vec![
                    Span::styled(format!(" {key:<6}"), theme.key()),
                    Span::styled(what, theme.dim()),
                ])
            })
            .into();
        let bottom = Rect { y: inner.bottom() - 4, height: 4, ..inner };
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), bottom);
    }
}

fn draw_now(state: &State, view: &View, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let block = theme.panel_of("Now", state.panel == Panel::Now);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let text = Paragraph::new(clean(&view.observation)).wrap(Wrap { trim: false });
    let wanted = text.line_count(inner.width) as u16;
    let list_room = inner.height.saturating_sub(wanted + 1).max(inner.height / 2);
    let [top, bottom] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(list_room)]).areas(inner);
    // The end of a long observation is what changed last, so that is what stays in view.
    let hidden = wanted.saturating_sub(top.height);
    let first = if view.depth == 0 { 0 } else { hidden };
    frame.render_widget(text.scroll((first, 0)), top);
    if hidden > 0 && top.height > 0 && !state.whole {
        remark(" … z ", if first == 0 { top.bottom() - 1 } else { top.y }, top, theme, frame);
    }
    let bottom = draw_thought(state, view, theme, frame, bottom);
    draw_admissible(state, view, theme, frame, bottom, "");
}

/// What the policy thought before it acted, above the distribution that follows from it; returns
/// what room is left.
fn draw_thought(
    state: &State,
    view: &View,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) -> Rect {
    if !state.thinking || state.hidden || view.done {
        return area;
    }
    let rule = format!("{0} thought, its likeliest words {0}", theme.glyph("─", "-"));
    let said = state.thought.as_deref().map_or_else(|| "thinking…".to_string(), clean);
    let said = if said.trim().is_empty() {
        "(nothing: it has not learned to think)".to_string()
    } else {
        said
    };
    let text = Paragraph::new(said).style(theme.dim()).wrap(Wrap { trim: false });
    let height = (text.line_count(area.width) as u16 + 1).min(area.height * 2 / 3);
    let [above, below] =
        Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    let [line, words] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(above);
    frame.render_widget(
        Paragraph::new(Line::styled(fit(&rule, area.width as usize), theme.dim())),
        line,
    );
    frame.render_widget(text, words);
    below
}

pub(super) fn draw_admissible(
    state: &State,
    view: &View,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
    filter: &str,
) {
    let listed = state.shown_actions(filter);
    let rows = area.height.saturating_sub(1) as usize;
    let from = (state.selected + 1).saturating_sub(rows);
    let dash = theme.glyph("─", "-");
    let forms = if view.forms.is_empty() {
        String::new()
    } else {
        format!(", and {}", view.forms.join(" "))
    };
    let known = if state.scores == Scores::Exact {
        String::new()
    } else {
        format!(" · {}", state.scores.describe())
    };
    let rule =
        format!("{dash} admissible ({}){}{known} {dash}", view.admissible.len(), clean(&forms));
    let mut lines = vec![Line::styled(fit(&rule, area.width as usize), theme.dim())];
    let name_width = (area.width as usize).saturating_sub(15).max(10);
    for (row, (i, action)) in listed.iter().enumerate().skip(from).take(rows) {
        let share =
            state.shares.as_ref().and_then(|shares| shares.get(*i)).filter(|_| !state.hidden);
        let name = format!("{:name_width$}", fit(&clean(action), name_width));
        let style = if row == state.selected && filter.is_empty() {
            theme.selected()
        } else {
            Style::new()
        };
        let mut spans = vec![Span::styled(name, style)];
        match share {
            Some(share) => {
                spans.push(Span::raw(format!(" {} ", percent(*share))));
                spans.push(Span::styled(theme.bar(*share, 6), theme.key()));
            }
            None if view.done || state.hidden => {}
            None => spans.push(Span::styled(" …", theme.dim())),
        }
        lines.push(Line::from(spans));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_what_if(state: &State, view: &View, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
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
    let title = format!(
        "What if · {}{how}",
        if state.model.is_empty() { "loading the model…" } else { &state.model }
    );
    let block = theme.panel_of(&title, state.panel == Panel::WhatIf);
    let inner = block.inner(area);
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut starts = vec![0];
    if view.success {
        lines.push(Line::styled(
            "The goal is reached. K keeps this episode as a demonstration, ] opens the next task.",
            theme.good(),
        ));
    } else if view.done {
        lines.push(Line::styled("The episode is over here. u goes back.", theme.warn()));
    } else if state.hidden {
        lines.push(Line::from("You play. What expert and model say is hidden; H shows it."));
        lines.push(Line::styled(
            "a types an action, t takes the selected one, K keeps a solved episode.",
            theme.dim(),
        ));
    } else {
        let width = inner.width as usize;
        let full = if state.panel == Panel::WhatIf { state.cell } else { 0 };
        let count = state.chosen.len() + 1;
        let room = Room::of(count, inner.width, inner.height);
        let how = |at: usize| room.brevity(at, full);
        // Where there is no room for all in full, there is none between them.
        let close = |lines: &mut Vec<Line<'_>>| {
            _ = lines.pop_if(|line| !room.gaps && line.width() == 0);
        };
        expert_lines(state, view, how(0), theme, width, &mut lines);
        close(&mut lines);
        if view.expert_outcome.is_some() {
            starts.push(lines.len());
        }
        let offset = usize::from(view.expert_outcome.is_some());
        for (i, (action, source)) in state.chosen.iter().enumerate() {
            let outcome = state.outcomes.iter().find(|outcome| outcome.action == *action);
            let prediction = state.predictions.get(i + offset).map(String::as_str);
            let cell = Cell { mark: &(i + 1).to_string(), action, source, outcome, prediction };
            cell.lines((state, view), how(i + offset), theme, width, &mut lines);
            close(&mut lines);
            starts.push(lines.len());
        }
        if state.chosen.is_empty() {
            lines.push(Line::styled("the policy is choosing alternatives…", theme.dim()));
        }
    }
    // The cell under the cursor has a mark, and stays in view as a whole.
    let here = starts
        .get(state.cell)
        .copied()
        .filter(|_| state.panel == Panel::WhatIf && state.chosen.len() + 1 > state.cell);
    if let Some(line) = here.and_then(|at| lines.get_mut(at)) {
        line.spans.iter_mut().take(1).for_each(|span| span.style = theme.selected());
    }
    let above = |end: usize| {
        Paragraph::new(lines[..end].to_vec()).wrap(Wrap { trim: false }).line_count(inner.width)
            as u16
    };
    let reached = here
        .filter(|_| state.follow)
        .and_then(|_| starts.get(state.cell + 1))
        .map(|end| above(*end));
    let wanted = reached.map_or(state.scroll, |end| end.saturating_sub(inner.height));
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    let rows = text.line_count(inner.width) as u16;
    let scroll = wanted.min(rows.saturating_sub(inner.height));
    let hidden = rows.saturating_sub(inner.height).saturating_sub(scroll);
    frame.render_widget(text.block(block).scroll((scroll, 0)), area);
    if hidden > 0 && area.width > 30 {
        let more = format!(" {hidden} more line{} · PgDn ", if hidden == 1 { "" } else { "s" });
        remark(&more, area.bottom() - 1, Rect { width: area.width - 2, ..area }, theme, frame);
    }
}

fn expert_lines(
    state: &State,
    view: &View,
    brevity: Brevity,
    theme: Theme,
    width: usize,
    lines: &mut Vec<Line<'_>>,
) {
    let Some(outcome) = &view.expert_outcome else {
        let text = match &view.silence {
            None => "E  you are the expert; e lets another speak".to_string(),
            Some(why) => format!("E  {}: {why}", view.asked),
        };
        lines.extend([Line::styled(text, theme.warn()), Line::default()]);
        return;
    };
    if let Some(why) = &view.silence {
        let text = format!("{} is silent ({why}), so {} speaks:", view.asked, outcome.source);
        lines.push(Line::styled(text, theme.warn()));
    }
    let prediction = state.predictions.first().map(String::as_str);
    let action = &outcome.action;
    let source = &outcome.source;
    let cell = Cell { mark: "E", action, source, outcome: Some(outcome), prediction };
    cell.lines((state, view), brevity, theme, width, lines);
}
