//! Agents, the box in which a person says which of the other answers to a call is better than what was
//! said, or worse: nothing of them is executed.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::{AgentsCmd, State};
use crate::store::Preference;
use crate::text::clean;
use crate::tui::effect::Effect;
use crate::tui::text::wrapped;
use crate::tui::theme::{Theme, fit};

/// The answers to a call.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// The call.
    pub call: i64,
    /// A line each: what was said, then what would have been.
    pub answers: Vec<Option<String>>,
    /// What a person prefers among them.
    pub standing: Vec<Preference>,
}

impl Answers {
    /// Whether an answer is thought better or worse than what was said, if either.
    fn verdict(&self, answer: usize) -> Option<bool> {
        self.standing.iter().find_map(|one| match (one.better, one.worse) {
            (better, 0) if better == answer => Some(true),
            (0, worse) if worse == answer => Some(false),
            _ => None,
        })
    }
}

impl State {
    /// A key while answers are judged.
    pub(super) fn judging(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some((answers, at)) = &mut self.judged else { return Vec::new() };
        let last = answers.answers.len().saturating_sub(1).max(1);
        let better = match key.code {
            KeyCode::Esc | KeyCode::Char('q' | 'p') => {
                self.judged = None;
                return Vec::new();
            }
            KeyCode::Up | KeyCode::Char('k') => {
                *at = (*at - 1).max(1);
                return Vec::new();
            }
            KeyCode::Down | KeyCode::Char('j') => {
                *at = (*at + 1).min(last);
                return Vec::new();
            }
            KeyCode::Char('+') => Some(true),
            KeyCode::Char('-') => Some(false),
            KeyCode::Char('=') => None,
            _ => return Vec::new(),
        };
        let (call, at) = (answers.call, *at);
        let said = match better {
            Some(true) => (at, 0, true),
            Some(false) => (0, at, true),
            None => (at, 0, false),
        };
        vec![Effect::Agents(AgentsCmd::Prefer(call, Some(said)))]
    }
}

/// The box over the lists.
pub(super) fn draw(
    (answers, at): (&Answers, usize),
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let width = area.width.saturating_sub(6) as usize;
    let said = answers.answers.first().cloned().flatten().unwrap_or_default();
    let mut lines = vec![Line::from(vec![
        Span::styled("said      ", theme.dim()),
        Span::raw(fit(&clean(&said), width.saturating_sub(10))),
    ])];
    for (n, answer) in answers.answers.iter().enumerate().skip(1) {
        let (mark, style) = match answers.verdict(n) {
            Some(true) => ("better", theme.good()),
            Some(false) => ("worse ", theme.bad()),
            None => ("      ", theme.dim()),
        };
        let cursor = if n == at { theme.glyph("▸", ">") } else { " " };
        let text = fit(&clean(answer.as_deref().unwrap_or_default()), width.saturating_sub(10));
        lines.push(Line::from(vec![
            Span::raw(format!("{cursor} ")),
            Span::styled(mark.to_string(), style),
            Span::raw("  "),
            Span::styled(text, if n == at { theme.selected() } else { theme.frame() }),
        ]));
    }
    lines.push(Line::default());
    let keys = "+ better than what was said · - worse · = neither · Esc closes. Not executed: what you \
                say is all that is known of them, and train --objective dpo --captured AGENT learns \
                from it.";
    let keys = wrapped(keys, width).into_iter().map(|line| Line::styled(line, theme.dim()));
    lines.extend(keys);
    let height = (lines.len() as u16 + 2).min(area.height);
    let place = Rect {
        x: area.x + 1,
        y: area.y + area.height.saturating_sub(height) / 2,
        width: area.width.saturating_sub(2),
        height,
    };
    frame.render_widget(Clear, place);
    let title = format!("call {}: which is better?", answers.call);
    frame.render_widget(Paragraph::new(lines).block(theme.panel(&title)), place);
}
