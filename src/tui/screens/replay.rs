//! Replay: what happened, where did it go wrong, and what else could have happened there?

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::explore::moved;
use crate::experience::{Branch, Purpose, Trajectory};
use crate::store::TrajectorySummary;
use crate::tui::effect::{DeskCmd, Effect};
use crate::tui::keys::{Act, Direction};
use crate::tui::theme::{Theme, clean, fit};

/// What Replay is told.
#[derive(Debug)]
pub enum Msg {
    /// Trajectories under a filter.
    List(Option<Purpose>, Vec<TrajectorySummary>),
    /// One trajectory with its alternatives.
    Opened(Box<Trajectory>, Vec<Branch>),
}

/// The screen's state.
#[derive(Debug, Default)]
pub struct State {
    /// Which trajectories are listed.
    pub filter: Option<Purpose>,
    list: Vec<TrajectorySummary>,
    selected: usize,
    open: Option<(Box<Trajectory>, Vec<Branch>)>,
    t: usize,
    playing: bool,
}

impl State {
    /// The open trajectory and step.
    pub fn here(&self) -> Option<(i64, usize)> {
        self.open.as_ref().map(|(trajectory, _)| (trajectory.id, self.t))
    }

    fn open_selected(&self) -> Vec<Effect> {
        self.list.get(self.selected).map(|row| Effect::Desk(DeskCmd::Trajectory(row.id))).into_iter().collect()
    }

    fn length(&self) -> usize {
        self.open.as_ref().map_or(0, |(trajectory, _)| trajectory.steps.len())
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::List(filter, list) if filter == self.filter => {
                let stay = self.list.get(self.selected).map(|row| row.id);
                self.list = list;
                let found = stay.and_then(|id| self.list.iter().position(|row| row.id == id));
                self.selected = found.unwrap_or(self.selected.min(self.list.len().saturating_sub(1)));
                if self.open.is_none() {
                    return self.open_selected();
                }
            }
            Msg::List(..) => {}
            Msg::Opened(trajectory, branches) => {
                // Another trajectory starts at its first step; the same one stays where it is.
                if self.here().is_none_or(|(id, _)| id != trajectory.id) {
                    self.t = 0;
                }
                self.open = Some((trajectory, branches));
            }
        }
        Vec::new()
    }

    /// Half a second passed.
    pub fn tick(&mut self) -> Vec<Effect> {
        if self.playing {
            self.t = (self.t + 1).min(self.length());
            self.playing = self.t < self.length();
        }
        Vec::new()
    }

    /// Does what a key means.
    pub fn act(&mut self, act: Act) -> Vec<Effect> {
        match act {
            Act::Move(Direction::Left) => self.t = self.t.saturating_sub(1),
            Act::Move(Direction::Right) => self.t = (self.t + 1).min(self.length()),
            Act::Move(Direction::First) => self.t = 0,
            Act::Move(Direction::Last) => self.t = self.length(),
            Act::Move(direction) => {
                self.selected = moved(self.selected, self.list.len(), direction);
                return self.open_selected();
            }
            Act::Next => return self.act(Act::Move(Direction::Down)),
            Act::Previous => return self.act(Act::Move(Direction::Up)),
            Act::Enter => return self.open_selected(),
            Act::Play => {
                self.playing = !self.playing;
                if self.playing && self.t == self.length() {
                    self.t = 0;
                }
            }
            Act::Filter => {
                self.filter = match self.filter {
                    None => Some(Purpose::Demonstration),
                    Some(Purpose::Demonstration) => Some(Purpose::Evaluation),
                    Some(Purpose::Evaluation) => Some(Purpose::Exploration),
                    Some(Purpose::Exploration) => None,
                };
                self.selected = 0;
                return vec![Effect::Desk(DeskCmd::Trajectories(self.filter))];
            }
            _ => {}
        }
        Vec::new()
    }
}

/// Draws the screen.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    if area.width >= 100 {
        let columns = [Constraint::Length(38), Constraint::Length(36), Constraint::Min(0)];
        let [left, middle, right] = Layout::horizontal(columns).areas(area);
        draw_list(state, theme, frame, left);
        draw_steps(state, theme, frame, middle);
        draw_state(state, theme, frame, right);
    } else {
        let [top, bottom] = Layout::vertical([Constraint::Percentage(35), Constraint::Percentage(65)]).areas(area);
        draw_list(state, theme, frame, top);
        if area.width >= 70 {
            let [left, right] = Layout::horizontal([Constraint::Percentage(42), Constraint::Percentage(58)]).areas(bottom);
            draw_steps(state, theme, frame, left);
            draw_state(state, theme, frame, right);
        } else {
            draw_state(state, theme, frame, bottom);
        }
    }
}

fn draw_list(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let word = state.filter.map_or("all", Purpose::word);
    let title = format!("Trajectories · {word} · {}", state.list.len());
    let block = theme.panel(&title);
    let inner = block.inner(area);
    let from = (state.selected + 1).saturating_sub(inner.height as usize);
    let mut lines = Vec::new();
    for (i, row) in state.list.iter().enumerate().skip(from).take(inner.height as usize) {
        let mark = if row.success { theme.glyph("✓", "+") } else { theme.glyph("✗", "x") };
        let text = format!("{:>4} {mark} {:>2} {} · {}", row.id, row.length, clean(&row.task), row.actor);
        let line = Line::from(fit(&text, inner.width as usize));
        lines.push(if i == state.selected { line.style(theme.selected()) } else { line });
    }
    if lines.is_empty() {
        lines.push(Line::styled("nothing saved yet: K in Explore keeps an episode, c collects", theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(block).wrap(Wrap { trim: false }), area);
}

fn draw_steps(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let title = format!("Steps · {} of {}", state.t, state.length());
    let block = theme.panel(&title);
    let inner = block.inner(area);
    let mut lines = Vec::new();
    if let Some((trajectory, branches)) = &state.open {
        let from = (state.t + 1).saturating_sub(inner.height as usize);
        for t in from..=trajectory.steps.len() {
            let step = t.checked_sub(1).and_then(|before| trajectory.steps.get(before));
            let tried = branches.iter().filter(|branch| branch.t == t).count();
            let tried = if tried > 0 { format!(" +{tried}") } else { String::new() };
            let name = step.map_or("start".to_string(), |step| clean(&step.action));
            let end = if step.is_some_and(|step| step.success) { " won" } else { "" };
            let mark = if t == state.t { theme.glyph("▶", ">") } else { " " };
            let line = Line::from(fit(&format!("{mark}{t:>2} {name}{end}{tried}"), inner.width as usize));
            lines.push(if t == state.t { line.style(theme.strong()) } else { line });
        }
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_state(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = Vec::new();
    if let Some((trajectory, branches)) = &state.open {
        lines.push(Line::styled(clean(&trajectory.task), theme.strong()));
        let about =
            format!("{} / {} · {} · by {}", trajectory.suite, trajectory.split, trajectory.kind, clean(&trajectory.actor));
        lines.push(Line::styled(about, theme.dim()));
        if let Some(step) = state.t.checked_sub(1).and_then(|before| trajectory.steps.get(before)) {
            lines.push(Line::from(vec![
                Span::styled("> ", theme.key()),
                Span::styled(clean(&step.action), theme.strong()),
                Span::styled(format!("  {}", clean(&step.source)), theme.dim()),
            ]));
        }
        lines.extend(clean(trajectory.observation_at(state.t)).lines().map(|line| Line::from(line.to_string())));
        lines.push(Line::default());
        for branch in branches.iter().filter(|branch| branch.t == state.t) {
            lines.push(Line::from(vec![
                Span::styled(clean(&branch.action), Style::new().add_modifier(Modifier::BOLD)),
                Span::styled(format!("  {} · {}", branch.source, branch.effect.word()), theme.dim()),
            ]));
            lines.push(Line::from(format!("  → {}", clean(branch.observation.trim()).replace('\n', " "))));
        }
    }
    frame.render_widget(Paragraph::new(lines).block(theme.panel("State")).wrap(Wrap { trim: false }), area);
}
