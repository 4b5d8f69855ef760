//! Replay, the drawing.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph, Wrap};

use super::{Looked, State, list, scene};
use crate::experience::worth;
use crate::store::Told;
use crate::text::clean;
use crate::train::rl::kept::signed;
use crate::tui::text::{remark, typed_line};
use crate::tui::theme::{Theme, centered, fit, ratio};

/// Draws the screen: the list over steps and state, or one panel at a time where there is no room.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    if area.width < 70 || area.height < 14 {
        // The only panel says how to come to the other.
        if state.through_list {
            list::draw(state, theme, frame, area, " · Tab state");
        } else {
            draw_state(state, theme, frame, area, " · Tab list");
        }
    } else {
        let share = if state.through_list { 2 } else { 4 };
        let wanted = u16::try_from(state.list.total()).unwrap_or(u16::MAX).saturating_add(3);
        let rows = [Constraint::Length(wanted.min(area.height / share).max(5)), Constraint::Min(0)];
        let [top, bottom] = Layout::vertical(rows).areas(area);
        list::draw(state, theme, frame, top, "");
        let steps = if area.width >= 100 { 38 } else { 32 };
        let columns = [Constraint::Length(steps), Constraint::Min(0)];
        let [left, right] = Layout::horizontal(columns).areas(bottom);
        draw_steps(state, theme, frame, left);
        draw_state(state, theme, frame, right, "");
    }
    if let Some(group) = &state.group {
        let over = centered(area, area.width.saturating_sub(4), area.height.saturating_sub(2));
        let block = theme.panel_of(group.title(), true);
        let inner = block.inner(over);
        let lines = group.draw(theme, inner.width as usize, inner.height as usize);
        frame.render_widget(Clear, over);
        frame.render_widget(Paragraph::new(lines).block(block), over);
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

fn draw_steps(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let title = format!("Steps · {} of {}", state.t, state.length());
    let block = theme.panel_of(&title, !state.through_list);
    let inner = block.inner(area);
    let mut lines = Vec::new();
    if let Some(told) = &state.open {
        let trajectory = &told.trajectory;
        lines.push(scrubber(state, theme, inner.width as usize));
        let from = (state.t + 1).saturating_sub(inner.height.saturating_sub(1) as usize);
        for t in from..=trajectory.steps.len() {
            let step = t.checked_sub(1).and_then(|before| trajectory.steps.get(before));
            let hangs = hanging(told, t, theme);
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
            let learnt = t.checked_sub(1).and_then(|t| state.advantage(t));
            let learnt = learnt.map_or_else(String::new, |a| format!(" A{}", signed(a)));
            let chance =
                state.chance(t).map_or_else(String::new, |of| format!(" {}/{}", of.won, of.n));
            let tail = format!("{worth}{learnt}{chance}{end}{hangs}");
            let room =
                (inner.width as usize).saturating_sub(head.chars().count() + tail.chars().count());
            let line =
                Line::from(fit(&format!("{head}{}{tail}", fit(&name, room)), inner.width as usize));
            lines.push(if t == state.t { line.style(theme.strong()) } else { line });
        }
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

impl State {
    /// What was found out about a trajectory that was lost, above its states.
    fn verdict_at(&self, id: i64, theme: Theme) -> Vec<Line<'static>> {
        let verdict = self.verdict.as_ref().filter(|(of, ..)| *of == id);
        let line = |(.., said): &(i64, usize, String)| Line::styled(clean(said), theme.warn());
        verdict.map(line).into_iter().collect()
    }
}

/// What hangs off a state: so many alternatives, and whether it has reflections.
fn hanging(told: &Told, t: usize, theme: Theme) -> String {
    let tried = told.branches_at(t).count();
    let tried = if tried > 0 { format!(" +{tried}") } else { String::new() };
    let written = told.reflections_at(t).next().map_or("", |_| theme.glyph(" ✎", " r"));
    format!("{tried}{written}")
}

fn draw_state(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect, end: &str) {
    let marked = state.marked.as_ref().map(|told| told.trajectory.id);
    let marked = marked.map(|id| format!(" · d compares with {id}")).unwrap_or_default();
    let title = format!("State {} of {}{marked}{end}", state.t, state.length());
    let block = theme.panel(&title);
    let inner = block.inner(area);
    let lines = match &state.open {
        Some(told) => {
            let learnt = state.learnt.as_deref();
            let mut lines = state.verdict_at(told.trajectory.id, theme);
            lines.extend(scene::lines(
                (told, learnt, state.now()),
                state.t,
                theme,
                inner.width as usize,
            ));
            lines
        }
        None => Vec::new(),
    };
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    let last = (text.line_count(inner.width) as u16).saturating_sub(inner.height);
    let scroll = state.scroll.min(last);
    frame.render_widget(text.block(block).scroll((scroll, 0)), area);
    if scroll < last && inner.height > 1 && inner.width > 24 {
        let below = format!(" {} more · PgDn ", last - scroll);
        remark(&below, area.bottom() - 1, inner, theme, frame);
    }
}
