//! Explore, while something is typed or chosen over the screen.

use crossterm::event::{KeyCode, KeyEvent};

use super::explore::{State, Typing};
use super::moved;
use crate::tui::effect::{Effect, WorldCmd};
use crate::tui::keys::Direction;

impl State {
    /// Takes a key while something is typed; none if nothing is.
    pub fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        let mut typing = self.typing.take()?;
        let effects = match &mut typing {
            Typing::Action(text) => match key.code {
                KeyCode::Esc => return Some(Vec::new()),
                KeyCode::Enter => {
                    let action = text.trim().to_string();
                    let step = |action: String| vec![Effect::World(WorldCmd::Step(action, "human".into()))];
                    return Some(if action.is_empty() { Vec::new() } else { step(action) });
                }
                KeyCode::Tab => {
                    if let Some((_, action)) = self.listed(text).first() {
                        *text = (*action).to_string();
                    }
                    Vec::new()
                }
                KeyCode::Backspace => {
                    text.pop();
                    Vec::new()
                }
                KeyCode::Char(c) => {
                    text.push(c);
                    Vec::new()
                }
                _ => Vec::new(),
            },
            Typing::Surprise(at) => {
                match key.code {
                    KeyCode::Esc | KeyCode::Char('q' | 'S') => return Some(Vec::new()),
                    KeyCode::Enter => {
                        let found = self.surprises.get(*at).map(|s| WorldCmd::BranchOff(s.trajectory, s.t));
                        return Some(found.map(Effect::World).into_iter().collect());
                    }
                    KeyCode::Char('j') | KeyCode::Down => *at = moved(*at, self.surprises.len(), Direction::Down),
                    KeyCode::Char('k') | KeyCode::Up => *at = moved(*at, self.surprises.len(), Direction::Up),
                    KeyCode::PageDown => *at = moved(*at, self.surprises.len(), Direction::PageDown),
                    KeyCode::PageUp => *at = moved(*at, self.surprises.len(), Direction::PageUp),
                    _ => {}
                }
                Vec::new()
            }
            Typing::Node(at) => {
                let lines = self.view.as_ref().map(|view| view.trunk.as_slice()).unwrap_or_default();
                match key.code {
                    KeyCode::Esc | KeyCode::Char('q' | 'b') => return Some(Vec::new()),
                    KeyCode::Enter => {
                        let node = lines.get(*at).map(|line| line.node);
                        return Some(node.map(|node| Effect::World(WorldCmd::Goto(node))).into_iter().collect());
                    }
                    KeyCode::Char('j') | KeyCode::Down => *at = moved(*at, lines.len(), Direction::Down),
                    KeyCode::Char('k') | KeyCode::Up => *at = moved(*at, lines.len(), Direction::Up),
                    _ => {}
                }
                Vec::new()
            }
        };
        self.typing = Some(typing);
        Some(effects)
    }

    /// Takes pasted text.
    pub fn paste(&mut self, pasted: &str) {
        if let Some(Typing::Action(text)) = &mut self.typing {
            text.push_str(pasted.lines().next().unwrap_or_default());
        }
    }
}
