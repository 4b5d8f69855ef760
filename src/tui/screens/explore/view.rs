//! Explore, the drawing. At 110 columns three panels stand side by side; from 60 Now stands over
//! What if; below, one panel at a time.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::panels::Panel;
use super::{Agreed, State, overlays, trunk, what_if};
use crate::agent::Scores;
use crate::env::NoAdvice;
use crate::experience::called;
use crate::explore::View;
use crate::text::clean;
use crate::text::percent;
use crate::tui::page;
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
        trunk::draw(state, view, theme, frame, left);
        draw_now(state, view, theme, frame, middle);
        what_if::draw(state, view, theme, frame, right);
    } else if area.width >= 60 && area.height >= 16 && state.panel == Panel::Now && !state.whole {
        let [top, bottom] =
            Layout::vertical([Constraint::Percentage(42), Constraint::Percentage(58)]).areas(body);
        draw_now(state, view, theme, frame, top);
        what_if::draw(state, view, theme, frame, bottom);
    } else {
        match state.panel {
            Panel::Now => draw_now(state, view, theme, frame, body),
            Panel::WhatIf => what_if::draw(state, view, theme, frame, body),
            Panel::Trunk => trunk::draw(state, view, theme, frame, body),
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
        _ if state.hidden => String::new(),
        Agreed { of: 0, .. } => String::new(),
        Agreed { same, of, unknown: 0 } => format!(" · policy agrees {same}/{of}"),
        Agreed { same, of, unknown } => {
            format!(" · policy agrees {same}/{of}, {unknown} unknown")
        }
    };
    let far = match &view.distance {
        _ if state.hidden && !view.done => "advice hidden".to_string(),
        _ if view.success => "solved".to_string(),
        _ if view.done => "over".to_string(),
        Ok(left) if width < 60 => format!("{left} left"),
        Ok(left) => format!("goal {left} step{} away", if *left == 1 { "" } else { "s" }),
        Err(NoAdvice::NoPlanner) => String::new(),
        Err(NoAdvice::Unsolvable) => "goal out of reach".to_string(),
        Err(_) if width < 60 => "? left".to_string(),
        Err(why) => why.to_string(),
    };
    // Who else speaks where this one is silent would be advice too.
    let speaks = view.expert.as_ref().filter(|_| !state.hidden);
    let who = called(speaks.map_or(view.asked.as_str(), |(name, _)| name));
    let far = if far.is_empty() { far } else { format!(" · {far}") };
    let right = match width {
        ..60 => format!("{}/{limit}{far}", view.depth),
        60..100 => format!("step {}/{limit}{far}", view.depth),
        _ => format!("step {}/{limit}{far} · expert {who}{agreed}", view.depth),
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

fn draw_now(state: &State, view: &View, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let block = theme.panel_of("Now", state.panel == Panel::Now);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let mut said = clean(&page::whole(&view.observation));
    if let Some(worth) = &view.worth {
        said.push_str(&format!("\n\n{worth}"));
    }
    let text = Paragraph::new(said).wrap(Wrap { trim: false });
    let wanted = text.line_count(inner.width) as u16;
    let list_room = inner.height.saturating_sub(wanted + 1).max(inner.height / 2);
    let [top, bottom] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(list_room)]).areas(inner);
    // The end of a long observation is what changed last, so that is what stays in view.
    let hidden = wanted.saturating_sub(top.height);
    // But a page is read from its top.
    let at_top = view.depth == 0 || page::is_page(&view.observation);
    let first = state.read.unwrap_or(if at_top { 0 } else { hidden }).min(hidden);
    state.seen.note_observation(first, hidden);
    frame.render_widget(text.scroll((first, 0)), top);
    if hidden > 0 && top.height > 0 {
        let (key, y) = if first < hidden { ("PgDn", top.bottom() - 1) } else { ("PgUp", top.y) };
        let more =
            if state.panel == Panel::Now { format!(" … {key} ") } else { " … z ".into() };
        remark(&more, y, top, theme, frame);
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
    let said = state.thought.as_deref().map(clean);
    let said = said.unwrap_or_else(|| format!("thinking{}", state.waits()));
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
    let other = state.beside.as_ref().filter(|_| !state.hidden);
    let who = other.map_or_else(String::new, |other| format!(" · p | {}", other.name()));
    let rule = format!(
        "{dash} admissible ({}){}{known}{who} {dash}",
        view.admissible.len(),
        clean(&forms)
    );
    let mut lines = vec![Line::styled(fit(&rule, area.width as usize), theme.dim())];
    let end = if other.is_some() { 17 } else { 15 };
    let name_width = (area.width as usize).saturating_sub(end).max(10);
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
                spans.push(match other {
                    None => Span::styled(theme.bar(*share, 6), theme.key()),
                    Some(other) => Span::raw(other.share(*i)),
                });
            }
            None if view.done || state.hidden => {}
            None => spans.push(Span::styled(format!(" {}", state.waits()), theme.dim())),
        }
        lines.push(Line::from(spans));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
