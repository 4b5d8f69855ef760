//! Curate: is this reflection true, does it use what was seen, and would I want the agent to think like this?

use std::collections::HashMap;
use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};
use ratatui_textarea::{TextArea, WrapMode};

use super::explore::moved;
use crate::agent::Case;
use crate::experience::{REASONS, Reflection, Verdict};
use crate::store::{Decision, Queue};
use crate::tui::effect::{DeskCmd, Effect};
use crate::tui::keys::Act;
use crate::tui::theme::{Theme, centered, clean, fit};

/// What Curate is told.
#[derive(Debug)]
pub enum Msg {
    /// The queue under a filter.
    Queue(Option<Verdict>, Queue),
    /// What a reflection is about: its kind of task, and the executed evidence.
    Case(i64, String, Option<Box<Case>>),
    /// A decision is in the store.
    Decided(i64, Decision, [u64; 3]),
    /// A decision about this reflection was taken back; how it stands now.
    Undone(i64, Verdict),
}

/// The screen's state.
#[derive(Debug)]
pub struct State {
    /// Which reflections are listed.
    pub filter: Option<Verdict>,
    /// They.
    pub queue: Queue,
    /// The one in front.
    pub at: usize,
    cases: HashMap<i64, (String, Option<Box<Case>>)>,
    editor: Option<Box<TextArea<'static>>>,
    rejecting: bool,
    evidence: bool,
    drafts: HashMap<i64, String>,
    wanted: Option<i64>,
    waiting: bool,
    decided: Vec<Instant>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            filter: Some(Verdict::Pending),
            queue: Queue::default(),
            at: 0,
            cases: HashMap::new(),
            editor: None,
            rejecting: false,
            evidence: false,
            drafts: HashMap::new(),
            wanted: None,
            waiting: false,
            decided: Vec::new(),
        }
    }
}

impl State {
    fn current(&self) -> Option<&Reflection> {
        self.queue.items.get(self.at)
    }

    /// Asks for the evidence of the item in front and of the next one, so that it is there before it is needed.
    fn fetch(&self) -> Vec<Effect> {
        let near = self.queue.items.iter().skip(self.at).take(2);
        near.filter(|item| !self.cases.contains_key(&item.id))
            .map(|item| Effect::Desk(DeskCmd::Case(Box::new(item.clone()))))
            .collect()
    }

    fn go(&mut self, at: usize) -> Vec<Effect> {
        self.at = at.min(self.queue.items.len().saturating_sub(1));
        self.fetch()
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Queue(filter, queue) if filter == self.filter => {
                let stay = self.wanted.take().or_else(|| self.current().map(|item| item.id));
                self.queue = queue;
                let found = stay.and_then(|id| self.queue.items.iter().position(|item| item.id == id));
                let at = found.unwrap_or(self.at);
                return self.go(at);
            }
            Msg::Queue(..) => {}
            Msg::Case(id, kind, case) => _ = self.cases.insert(id, (kind, case)),
            Msg::Decided(id, decision, standing) => {
                self.waiting = false;
                self.decided.push(Instant::now());
                self.queue.standing = standing;
                let verdict = match &decision {
                    Decision::Approve | Decision::Edit(_) => Verdict::Approved,
                    Decision::Reject(_) => Verdict::Rejected,
                    Decision::Requeue => Verdict::Pending,
                };
                if self.filter.is_none_or(|filter| filter == verdict) {
                    let at = self.at + usize::from(self.filter.is_none());
                    let mut effects = self.go(at);
                    effects.push(Effect::Desk(DeskCmd::Queue(self.filter)));
                    return effects;
                }
                self.queue.items.retain(|item| item.id != id);
                if self.queue.items.is_empty() {
                    return vec![Effect::Desk(DeskCmd::Queue(self.filter))]; // there may be more than one page
                }
                return self.go(self.at);
            }
            Msg::Undone(id, verdict) => {
                // Undo shows what it brought back, under whatever filter that now is.
                self.wanted = Some(id);
                self.filter = self.filter.map(|_| verdict);
                return vec![Effect::Desk(DeskCmd::Queue(self.filter))];
            }
        }
        Vec::new()
    }

    /// Sends a decision; the next one waits until the store has it.
    fn decide(&mut self, decision: Decision) -> Vec<Effect> {
        let Some(id) = self.current().map(|item| item.id).filter(|_| !self.waiting) else { return Vec::new() };
        self.waiting = true;
        vec![Effect::Desk(DeskCmd::Decide(id, decision))]
    }

    /// Does what a key means.
    pub fn act(&mut self, act: Act) -> Vec<Effect> {
        match act {
            Act::Approve => self.decide(Decision::Approve),
            Act::Requeue => self.decide(Decision::Requeue),
            Act::Reject => {
                self.rejecting = self.current().is_some();
                Vec::new()
            }
            Act::Edit => {
                if let Some(item) = self.current() {
                    let text = self.drafts.get(&item.id).map_or(item.text(), String::as_str);
                    let mut editor = TextArea::new(text.lines().map(str::to_string).collect());
                    editor.set_wrap_mode(WrapMode::Word);
                    editor.move_cursor(ratatui_textarea::CursorMove::Bottom);
                    editor.move_cursor(ratatui_textarea::CursorMove::End);
                    self.editor = Some(Box::new(editor));
                }
                Vec::new()
            }
            Act::NextPanel => {
                self.evidence = !self.evidence;
                Vec::new()
            }
            Act::Undo => vec![Effect::Desk(DeskCmd::Undo)],
            Act::Skip => self.go(self.at + 1),
            Act::Previous => self.go(self.at.saturating_sub(1)),
            Act::Move(direction) => {
                let at = moved(self.at, self.queue.items.len(), direction);
                self.go(at)
            }
            Act::Filter => {
                self.filter = match self.filter {
                    Some(Verdict::Pending) => Some(Verdict::Approved),
                    Some(Verdict::Approved) => Some(Verdict::Rejected),
                    Some(Verdict::Rejected) => None,
                    None => Some(Verdict::Pending),
                };
                self.at = 0;
                vec![Effect::Desk(DeskCmd::Queue(self.filter))]
            }
            _ => Vec::new(),
        }
    }

    /// Takes a key while a reason is chosen or a text is edited; none otherwise.
    pub fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        if self.rejecting {
            if let KeyCode::Char(digit @ '1'..='9') = key.code {
                self.rejecting = false;
                let reason = digit.to_digit(10).and_then(|d| REASONS.get(d as usize - 1));
                return Some(reason.map_or_else(Vec::new, |(code, _)| self.decide(Decision::Reject((*code).into()))));
            }
            self.rejecting = !matches!(key.code, KeyCode::Esc | KeyCode::Char('q' | 'x'));
            return Some(Vec::new());
        }
        let mut editor = self.editor.take()?;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let text = editor.lines().join("\n").trim().to_string();
        let same = self.current().is_some_and(|item| item.text() == text);
        let id = self.current().map_or(0, |item| item.id);
        match key.code {
            KeyCode::Esc => {
                // What was typed is kept for the next e; leaving an editor must not cost a paragraph.
                if same {
                    self.drafts.remove(&id);
                } else {
                    self.drafts.insert(id, text);
                }
                return Some(Vec::new());
            }
            KeyCode::Char('s') if control => {
                self.drafts.remove(&id);
                let decision = if same { Decision::Approve } else { Decision::Edit(text) };
                return Some(self.decide(decision));
            }
            _ => _ = editor.input(key),
        }
        self.editor = Some(editor);
        Some(Vec::new())
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        if let Some(editor) = &mut self.editor {
            editor.insert_str(text);
        }
    }

    /// Decisions a minute in this session.
    fn pace(&self) -> Option<f64> {
        let first = self.decided.first()?;
        let minutes = first.elapsed().as_secs_f64() / 60.0;
        (self.decided.len() > 1 && minutes > 0.0).then(|| (self.decided.len() - 1) as f64 / minutes)
    }
}

fn filter_word(filter: Option<Verdict>) -> &'static str {
    filter.map_or("all", Verdict::word)
}

/// Draws the screen.
pub fn draw(state: &State, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let [pending, approved, rejected] = state.queue.standing;
    let place = if state.queue.items.is_empty() { 0 } else { state.at + 1 };
    let pace = state.pace().map_or(String::new(), |pace| format!(" · {pace:.1}/min"));
    let text = format!(
        " QUEUE {pending} pending · {approved} approved · {rejected} rejected · {place} of {} {}{pace}",
        state.queue.items.len(),
        filter_word(state.filter)
    );
    frame.render_widget(Paragraph::new(fit(&text, head.width as usize)).style(theme.strong()), head);
    let Some(item) = state.current() else {
        let empty = vec![
            Line::default(),
            Line::from("  No reflections under this filter."),
            Line::from("  In Explore, c collects demonstrations, alternatives and reflections to review here."),
            Line::from("  f changes the filter, u takes back the latest decision."),
        ];
        frame.render_widget(Paragraph::new(empty).wrap(Wrap { trim: false }), body);
        return;
    };
    if area.width >= 100 {
        let [left, right] = Layout::horizontal([Constraint::Percentage(45), Constraint::Percentage(55)]).areas(body);
        draw_state(state, item, theme, frame, left);
        draw_reflection(state, item, theme, frame, right);
    } else if state.evidence && state.editor.is_none() {
        draw_state(state, item, theme, frame, body);
    } else {
        // The text gets the lines it needs, the evidence the rest; Tab shows the evidence alone.
        let text = Paragraph::new(clean(item.text())).wrap(Wrap { trim: false }).line_count(body.width.saturating_sub(2));
        let wanted = if state.editor.is_some() { body.height / 2 } else { text as u16 + 4 };
        let lower = wanted.clamp(5, (body.height * 2 / 3).max(5));
        let [top, bottom] = Layout::vertical([Constraint::Min(0), Constraint::Length(lower)]).areas(body);
        draw_state(state, item, theme, frame, top);
        draw_reflection(state, item, theme, frame, bottom);
    }
    if state.rejecting {
        let area = centered(body, 76, REASONS.len() as u16 + 2);
        frame.render_widget(Clear, area);
        let lines: Vec<Line<'_>> = REASONS
            .iter()
            .enumerate()
            .map(|(i, (code, what))| {
                Line::from(vec![
                    Span::styled(format!(" {} ", i + 1), theme.key()),
                    Span::styled(format!("{code:<18}"), theme.strong()),
                    Span::raw(*what),
                ])
            })
            .collect();
        frame.render_widget(Paragraph::new(lines).block(theme.panel("Reject because · 1-9 · Esc leave")), area);
    }
}

fn draw_state(state: &State, item: &Reflection, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let block = theme.panel("State");
    let mut lines = Vec::new();
    match state.cases.get(&item.id) {
        None => lines.push(Line::styled("…", theme.dim())),
        Some((_, None)) => lines.push(Line::styled("its executed alternatives are no longer in the store", theme.bad())),
        Some((kind, Some(case))) => {
            lines.push(Line::styled(clean(&case.state.task), theme.strong()));
            lines.push(Line::styled(
                format!("{kind} · step {} · {} steps before", item.t, case.state.history.len()),
                theme.dim(),
            ));
            if let Some((action, _)) = case.state.history.last() {
                lines.push(Line::styled(format!("> {}", clean(action)), theme.dim()));
            }
            let now = case.state.history.last().map_or(&case.state.observation, |(_, observation)| observation);
            lines.extend(clean(now).lines().map(|line| Line::from(line.to_string())));
            lines.push(Line::default());
            let mut tried = |mark: &str, action: &str, observation: &str, tag: &str, style: Style| {
                lines.push(Line::from(vec![
                    Span::styled(format!("{mark} "), theme.key()),
                    Span::styled(clean(action), style.add_modifier(Modifier::BOLD)),
                    Span::styled(format!("  {tag}"), theme.dim()),
                ]));
                lines.push(Line::from(format!("  → {}", clean(observation.trim()).replace('\n', " "))));
            };
            tried("E", &case.action, &case.outcome, "", theme.good());
            for (i, branch) in case.alternatives.iter().enumerate() {
                tried(&(i + 1).to_string(), &branch.action, &branch.observation, branch.effect.word(), Style::new());
            }
        }
    }
    frame.render_widget(Paragraph::new(lines).block(block).wrap(Wrap { trim: false }), area);
}

fn draw_reflection(state: &State, item: &Reflection, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    if let Some(editor) = &state.editor {
        let block = theme.panel("Editing · Ctrl-S save and approve · Esc leave, keeping a draft");
        let inner = block.inner(area);
        frame.render_widget(block, area);
        frame.render_widget(editor.as_ref(), inner);
        return;
    }
    let draft = state.drafts.contains_key(&item.id);
    let edited = match (draft, item.versions.len()) {
        (true, _) => " · draft on e",
        (false, 0 | 1) => "",
        (false, _) => " · edited by you",
    };
    let words = item.text().split_whitespace().count();
    let title = format!("Reflection {} · {}{edited} · {words} words", item.id, item.generator);
    let verdict = match item.verdict {
        Verdict::Pending => Line::styled("pending", theme.dim()),
        Verdict::Approved => Line::styled("approved", theme.good()),
        Verdict::Rejected => Line::styled(format!("rejected: {}", item.reason.as_deref().unwrap_or("")), theme.bad()),
    };
    let mut lines: Vec<Line<'_>> = clean(item.text()).lines().map(|line| Line::from(line.to_string())).collect();
    lines.push(Line::default());
    lines.push(verdict);
    if let [first, _] = item.versions.as_slice() {
        lines.push(Line::styled("generated:", theme.dim()));
        lines.extend(clean(first).lines().map(|line| Line::styled(line.to_string(), theme.dim())));
    }
    frame.render_widget(Paragraph::new(lines).block(theme.panel(&title)).wrap(Wrap { trim: false }), area);
}
