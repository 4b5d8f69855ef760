//! Replay, the drawing.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};

use super::{Looked, State};
use crate::experience::worth;
use crate::store::Listing;
use crate::text::clean;
use crate::tui::text::{difference, one_line, typed_line};
use crate::tui::theme::{Theme, centered, fit, ratio};

/// Draws the screen.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    if area.width >= 100 {
        let columns = [Constraint::Length(38), Constraint::Length(36), Constraint::Min(0)];
        let [left, middle, right] = Layout::horizontal(columns).areas(area);
        draw_list(state, theme, frame, left);
        draw_steps(state, theme, frame, middle);
        draw_state(state, theme, frame, right);
    } else {
        let [top, bottom] =
            Layout::vertical([Constraint::Percentage(35), Constraint::Percentage(65)]).areas(area);
        draw_list(state, theme, frame, top);
        if area.width >= 70 {
            let [left, right] =
                Layout::horizontal([Constraint::Percentage(42), Constraint::Percentage(58)])
                    .areas(bottom);
            draw_steps(state, theme, frame, left);
            draw_state(state, theme, frame, right);
        } else {
            draw_state(state, theme, frame, bottom);
        }
    }
    if let Some((looked, input)) = &state.typed {
        let area = centered(area, 60, 3);
        let title = match looked {
            Looked::Here => "Look for · ⏎ · Esc leave",
            Looked::List => "Task, kind, suite or actor contains · ⏎ · Esc leave",
        };
        frame.render_widget(Clear, area);
        let line = typed_line(input, area.width.saturating_sub(2) as usize, theme);
        frame.render_widget(Paragraph::new(line).block(theme.panel(title)), area);
    }
}

/// Where in the trajectory the state in front is.
fn scrubber<'a>(state: &State, theme: Theme, width: usize) -> Line<'a> {
    let pace = match state.speed {
        0 => String::new(),
        up @ 1.. => format!(" ×{}", 1 << up),
        down => format!(" ×1/{}", 1 << -down),
    };
    let play = if state.playing { theme.glyph("▶", ">") } else { "=" };
    let room = width.saturating_sub(pace.chars().count() + 3);
    let at = (ratio(state.t as f64, state.length() as f64) * room.saturating_sub(1) as f64).round()
        as usize;
    let line = theme.glyph("─", "-");
    let knob = theme.glyph("●", "O");
    let after = room.saturating_sub(at + 1);
    let text = format!(
        "{play} {}{}{}{pace}",
        line.repeat(at),
        if room > 0 { knob } else { "" },
        line.repeat(after)
    );
    Line::styled(text, theme.dim())
}

/// What is listed, in words.
fn listing_word(listing: &Listing) -> String {
    let mut words: Vec<String> =
        listing.purpose.map(|purpose| format!("{}s", purpose.as_str())).into_iter().collect();
    words.extend(listing.success.map(|won| if won { "won".into() } else { "not won".into() }));
    words.extend((!listing.words.is_empty()).then(|| format!("\"{}\"", clean(&listing.words))));
    if words.is_empty() { "Trajectories".into() } else { words.join(", ") }
}

fn draw_list(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let title = format!("{} · {}", listing_word(&state.listing), state.list.place());
    let block = theme.panel_of(&title, state.through_list);
    let inner = block.inner(area);
    let mut lines = Vec::new();
    for (i, row) in state.list.view(inner.height as usize) {
        let Some(row) = row else {
            lines.push(Line::styled(theme.glyph("…", "..."), theme.dim()));
            continue;
        };
        let mark = if row.success { theme.glyph("✓", "+") } else { theme.glyph("✗", "x") };
        let worth =
            worth(row.reward, row.success).map_or_else(String::new, |worth| format!(" {worth}"));
        let text = format!(
            "{:>4} {mark}{worth} {:>2} {} · {}",
            row.id,
            row.length,
            clean(&row.task),
            row.actor
        );
        let line = Line::from(fit(&text, inner.width as usize));
        lines.push(if i == state.list.at() { line.style(theme.selected()) } else { line });
    }
    if lines.is_empty() {
        let none = if state.listing == Listing::default() {
            "nothing saved yet: K in Explore keeps an episode, c collects"
        } else {
            "nothing under this filter: f, o and F change it"
        };
        lines.push(Line::styled(none, theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(block).wrap(Wrap { trim: false }), area);
}

fn draw_steps(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let title = format!("Steps · {} of {}", state.t, state.length());
    let block = theme.panel_of(&title, !state.through_list);
    let inner = block.inner(area);
    let mut lines = Vec::new();
    if let Some((trajectory, branches)) = &state.open {
        lines.push(scrubber(state, theme, inner.width as usize));
        let from = (state.t + 1).saturating_sub(inner.height.saturating_sub(1) as usize);
        for t in from..=trajectory.steps.len() {
            let step = t.checked_sub(1).and_then(|before| trajectory.steps.get(before));
            let tried = branches.iter().filter(|branch| branch.t == t).count();
            let tried = if tried > 0 { format!(" +{tried}") } else { String::new() };
            let name = step.map_or("start".to_string(), |step| clean(&step.action));
            let end = match (state.mark(t), state.hit(t)) {
                ("", false) => String::new(),
                ("", true) => " ‹hit›".into(),
                (mark, false) => format!(" ‹{mark}›"),
                (mark, true) => format!(" ‹{mark}, hit›"),
            };
            let mark = if t == state.t { theme.glyph("▶", ">") } else { " " };
            // A long action gives way, not what stands out about it.
            let worth = step
                .and_then(|step| worth(step.reward, step.success))
                .map_or_else(String::new, |w| format!(" {w}"));
            let head = format!("{mark}{t:>2} ");
            let tail = format!("{worth}{end}{tried}");
            let room =
                (inner.width as usize).saturating_sub(head.chars().count() + tail.chars().count());
            let line =
                Line::from(fit(&format!("{head}{}{tail}", fit(&name, room)), inner.width as usize));
            lines.push(if t == state.t { line.style(theme.strong()) } else { line });
        }
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_state(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = Vec::new();
    if let Some((trajectory, branches)) = &state.open {
        lines.push(Line::styled(clean(&trajectory.task), theme.strong()));
        let about = format!(
            "{} / {} · {} · by {}",
            trajectory.suite,
            trajectory.split,
            trajectory.kind,
            clean(&trajectory.by())
        );
        lines.push(Line::styled(about, theme.dim()));
        let thought = state
            .t
            .checked_sub(1)
            .and_then(|t| state.thoughts.iter().find(|thought| thought.t == t));
        if let Some(thought) = thought {
            lines.push(Line::styled(format!("thought: {}", clean(&thought.text)), theme.dim()));
        }
        if let Some(step) = state.t.checked_sub(1).and_then(|before| trajectory.steps.get(before)) {
            lines.push(Line::from(vec![
                Span::styled("> ", theme.key()),
                Span::styled(clean(&step.action), theme.strong()),
                Span::styled(format!("  {}", clean(&step.source)), theme.dim()),
            ]));
        }
        let before =
            state.t.checked_sub(1).and_then(|before| Some((before, trajectory.steps.get(before)?)));
        let asked = before.and_then(|(t, step)| state.expected(t, &step.action, &step.observation));
        if let Some((asked, right)) = asked {
            let (expected, _) =
                difference(&clean(&asked.text), &clean(trajectory.observation_at(state.t)), theme);
            let head = Span::styled(
                format!("{} expected ({:.0} % right): ", clean(&asked.model), 100.0 * right),
                theme.dim(),
            );
            lines.push(Line::from([vec![head], expected].concat()));
        }
        lines.extend(
            clean(trajectory.observation_at(state.t))
                .lines()
                .map(|line| Line::from(line.to_string())),
        );
        lines.push(Line::default());
        for branch in branches.iter().filter(|branch| branch.t == state.t) {
            lines.push(Line::from(vec![
                Span::styled(clean(&branch.action), Style::new().add_modifier(Modifier::BOLD)),
                Span::styled(
                    format!("  {} · {}", branch.source, branch.effect.as_str()),
                    theme.dim(),
                ),
            ]));
            lines.push(Line::from(format!("  → {}", one_line(&branch.observation))));
            if let Some((asked, right)) =
                state.expected(branch.t, &branch.action, &branch.observation)
            {
                let text = format!(
                    "  {} expected ({:.0} % right): {}",
                    asked.model,
                    100.0 * right,
                    one_line(&asked.text)
                );
                lines.push(Line::styled(text, theme.dim()));
            }
        }
    }
    let marked = state
        .marked
        .as_ref()
        .map_or("State".to_string(), |other| format!("State · d compares with {}", other.id));
    let block = theme.panel(&marked);
    let inner = block.inner(area);
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    let last = (text.line_count(inner.width) as u16).saturating_sub(inner.height);
    frame.render_widget(text.block(block).scroll((state.scroll.min(last), 0)), area);
}
