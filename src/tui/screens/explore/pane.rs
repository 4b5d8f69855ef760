//! Explore, as a screen among the others.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::{State, view};
use crate::explore::Outcome;
use crate::tui::effect::Effect;
use crate::tui::keys::Direction;
use crate::tui::screens::Pane;
use crate::tui::theme::Theme;

impl Pane for State {
    fn refresh(&self) -> Vec<Effect> {
        Vec::new() // the world says where it stands whenever that changes
    }

    fn is_typing(&self) -> bool {
        self.typing.is_some()
    }

    fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        self.type_key(key)
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        self.type_text(text);
        Vec::new()
    }

    fn go(&mut self, direction: Direction) -> Vec<Effect> {
        self.move_cursor(direction);
        Vec::new()
    }

    fn next_panel(&mut self) {
        self.panel = self.panel.next();
    }

    fn copy(&self, json: bool) -> Option<String> {
        let view = self.view.as_ref()?;
        let actual = |outcome: &Outcome| {
            serde_json::json!({"action": outcome.action, "source": outcome.source,
            "observation": outcome.observation, "effect": outcome.effect,
            "steps_left": outcome.steps_left})
        };
        if json {
            let tried: Vec<_> =
                view.expert_outcome.iter().chain(&self.outcomes).map(actual).collect();
            let value = serde_json::json!({"suite": view.suite, "split": view.split,
            "task_id": view.task_id,
                "task": view.task, "history": view.state.history, "observation": view.observation,
                "admissible": view.admissible, "thought": self.thought, "shares": self.shares,
                "executed": tried});
            return serde_json::to_string_pretty(&value).ok();
        }
        Some(view.observation.clone())
    }

    fn settled(&self) -> bool {
        self.view.as_ref().is_none_or(|view| view.done || self.whole())
    }

    fn place(&self) -> Option<[String; 2]> {
        let view = self.view.as_ref()?;
        let (place, of) = self.place;
        Some([
            format!("{} / {} / {place} of {of}", view.suite, view.split),
            format!("{place}/{of}"),
        ])
    }

    fn draw(&self, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
        view::draw(self, theme, frame, area);
    }
}
