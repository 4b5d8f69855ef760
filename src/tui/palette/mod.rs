//! The palette: what can be done, here and on other screens, found by the beginnings of its words.
//! What cannot be taken back is never chosen by itself, and is asked about once more.

mod found;

use crossterm::event::{Event, KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

pub(super) use found::wrapped;
use found::{Hit, hits, rows};

use super::popups::{Choice, Context};
use super::text::{pasted, typed_line};
use super::theme::centered;

/// What is typed, and what of the list is chosen.
#[derive(Debug, Clone, Default)]
pub struct Finder {
    input: Input,
    /// The row that was gone to; the first, if that may be done without being gone to.
    at: Option<usize>,
    /// Whether Enter was pressed on something that it has to be pressed for twice.
    asked: bool,
}

impl Finder {
    /// Takes a key.
    pub(super) fn key(&mut self, key: KeyEvent, context: Context<'_>) -> Choice {
        let found = hits(context, self.input.value());
        let chosen = self.chosen(&found);
        let asked = std::mem::take(&mut self.asked);
        match key.code {
            KeyCode::Esc => return Choice::Close,
            KeyCode::Enter => {
                let Some(hit) = chosen.and_then(|at| found.get(at)) else { return Choice::Stay };
                let row = &hit.entry.binding.key;
                return match hit.elsewhere {
                    Some(screen) => {
                        let key = hit.entry.first();
                        Choice::Go(screen, format!("{key} is the key here: {}", row.long))
                    }
                    None if row.is_grave() && !asked => {
                        self.asked = true;
                        Choice::Stay
                    }
                    None => Choice::Do(row.act),
                };
            }
            KeyCode::Up => self.at = chosen.map(|at| at.saturating_sub(1)),
            KeyCode::Down => {
                let next = chosen.map_or(0, |at| at + 1);
                self.at = Some(next.min(found.len().saturating_sub(1)));
            }
            _ => {
                self.input.handle_event(&Event::Key(key));
                self.at = None;
            }
        }
        Choice::Stay
    }

    /// Takes pasted text.
    pub(super) fn paste(&mut self, text: &str) {
        pasted(&mut self.input, text);
        self.at = None;
        self.asked = false;
    }

    /// The row that Enter means.
    fn chosen(&self, found: &[Hit<'_>]) -> Option<usize> {
        let first = found.first().filter(|hit| !hit.is_held_back()).map(|_| 0);
        self.at.or(first).filter(|at| *at < found.len())
    }

    /// Draws it over the screen.
    pub(super) fn draw(&self, context: Context<'_>, frame: &mut Frame<'_>, body: Rect) {
        let theme = context.theme;
        let area = centered(body, 84, 24);
        frame.render_widget(Clear, area);
        let block = theme.panel("What to do · ↑ ↓ choose · ⏎ do it · Esc leave");
        let inner = block.inner(area);
        let width = usize::from(inner.width);
        let found = hits(context, self.input.value());
        let chosen = self.chosen(&found);
        let mut list: Vec<Line<'_>> = Vec::new();
        let mut seen = 0..0;
        for (i, hit) in found.iter().enumerate() {
            let from = list.len();
            let style = if chosen == Some(i) { theme.selected() } else { Style::new() };
            let more = if chosen == Some(i) && self.asked { " · ⏎ again does it" } else { "" };
            list.extend(rows(hit, more, width).into_iter().map(|row| Line::styled(row, style)));
            if chosen == Some(i) {
                seen = from..list.len();
            }
        }
        if found.is_empty() {
            list.push(Line::styled(" nothing matches", theme.dim()));
        }
        let room = usize::from(inner.height.saturating_sub(1));
        let above = seen.end.saturating_sub(room).min(seen.start);
        let mut lines = vec![typed_line(&self.input, usize::from(inner.width), theme)];
        lines.extend(list.into_iter().skip(above).take(room));
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
