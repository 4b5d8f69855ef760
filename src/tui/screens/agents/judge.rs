//! Agents, the box in which a person says which of the other answers to a call is better than what was
//! said, or worse: nothing of them is executed.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
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
            KeyCode::Esc | KeyCode::Char('q') => {
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
            // Not the keys that say what a session was worth.
            KeyCode::Char('>') => Some(true),
            KeyCode::Char('<') => Some(false),
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
    let place = area.inner(Margin { horizontal: 1, vertical: 0 });
    let width = place.width.saturating_sub(2) as usize;
    let keys = "> better than what was said · < worse · = neither · Esc closes. Not executed: what you \
                say is all that is known of them, and train --objective dpo --captured AGENT learns \
                from it.";
    let mut top = entry(answers, 0, false, theme, width);
    top.truncate(TOP);
    let below: Vec<Line<'static>> =
        wrapped(keys, width).into_iter().map(|line| Line::styled(line, theme.dim())).collect();
    let all: Vec<Vec<Line<'static>>> =
        (1..answers.answers.len()).map(|n| entry(answers, n, n == at, theme, width)).collect();
    let room = (place.height as usize).saturating_sub(2 + top.len() + below.len()).max(1);
    // As many above the one under the cursor as there is room for beside it.
    let size = |from: usize| all[from..at.min(all.len())].iter().map(Vec::len).sum::<usize>();
    let from = (0..at).find(|from| size(*from) <= room).unwrap_or(at.saturating_sub(1));
    let middle = all.into_iter().skip(from).flatten().take(room);
    let lines: Vec<Line<'static>> = top.into_iter().chain(middle).chain(below).collect();
    let height = (lines.len() as u16 + 2).min(place.height);
    let y = place.y + (place.height - height) / 2;
    let place = Rect { y, height, ..place };
    frame.render_widget(Clear, place);
    let others = answers.answers.len().saturating_sub(1);
    let title = format!("call {}: which is better? {at} of {others}", answers.call);
    frame.render_widget(Paragraph::new(lines).block(theme.panel(&title)), place);
}

/// Lines of what was said that are shown at most.
const TOP: usize = 3;

/// An answer: whole where the cursor is, else as much as a line has of it.
fn entry(
    answers: &Answers,
    n: usize,
    here: bool,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let text = clean(answers.answers.get(n).and_then(Option::as_deref).unwrap_or_default());
    let (mark, style) = match (n, answers.verdict(n)) {
        (0, _) => ("said  ", theme.dim()),
        (_, Some(true)) => ("better", theme.good()),
        (_, Some(false)) => ("worse ", theme.bad()),
        (_, None) => ("      ", theme.dim()),
    };
    let cursor = if here { theme.glyph("▸", ">") } else { " " };
    let over: Vec<String> = answers
        .standing
        .iter()
        .filter(|one| one.better == n && n > 0 && one.worse > 0)
        .map(|one| format!("{}", one.worse))
        .collect();
    let over = if over.is_empty() { String::new() } else { format!(" (over {})", over.join(", ")) };
    let text = format!("{text}{over}");
    let room = width.saturating_sub(LEFT);
    let mut parts = if here || n == 0 { wrapped(&text, room) } else { vec![fit(&text, room)] };
    if parts.is_empty() {
        parts.push(String::new());
    }
    let each = parts.into_iter().enumerate().map(|(i, part)| {
        let first = i == 0;
        let left = if first { format!("{cursor}{n:>3} ") } else { " ".repeat(5) };
        let mark = if first { format!("{mark} ") } else { " ".repeat(7) };
        let own = if here { theme.selected() } else { theme.frame() };
        Line::from(vec![Span::raw(left), Span::styled(mark, style), Span::styled(part, own)])
    });
    each.collect()
}

/// Columns before an answer: the cursor, its number, what is thought of it.
const LEFT: usize = 12;
