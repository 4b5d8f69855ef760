//! Explore, its panels and the cursors in them.

use std::cell::Cell;

use super::State;
use crate::explore::HUMAN;
use crate::tui::keys::Direction;

/// The panels, where not all fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum Panel {
    /// Observation and admissible actions.
    #[default]
    Now,
    /// Expert and alternatives.
    WhatIf,
    /// The tree.
    Trunk,
}

impl Panel {
    /// The one that Tab goes to.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Now => Self::WhatIf,
            Self::WhatIf => Self::Trunk,
            Self::Trunk => Self::Now,
        }
    }
}

/// What the last frame had room for, noted while it was drawn: so far a page goes, and no farther.
#[derive(Debug, Default)]
pub(super) struct Seen {
    what_ifs: Cell<u16>,
    observation: Cell<(u16, u16)>,
}

impl Seen {
    /// By so many lines What if can be scrolled.
    pub(super) fn note_what_ifs(&self, most: u16) {
        self.what_ifs.set(most);
    }

    /// The observation is shown from this line, of those that it can be shown from.
    pub(super) fn note_observation(&self, from: u16, most: u16) {
        self.observation.set((from, most));
    }
}

/// Lines of a page of text.
const PAGE: u16 = 8;

impl State {
    /// The action under the cursor, and whose it is: the expert's where that is what one takes, a
    /// person's whoever proposed it.
    pub(super) fn taken(&self) -> Option<(String, String)> {
        match self.panel {
            Panel::Trunk => None,
            Panel::Now => self
                .shown_actions("")
                .get(self.selected)
                .map(|(_, action)| ((*action).to_string(), HUMAN.into())),
            Panel::WhatIf => {
                let action = self.what_ifs().into_iter().nth(self.cell)?;
                let expert = self.view.as_ref().and_then(|view| view.expert.as_ref());
                let expert = expert.filter(|(_, advice)| advice.action == action);
                let source = expert.map_or(HUMAN, |(name, _)| name.as_str()).to_string();
                Some((action, source))
            }
        }
    }

    /// Moves what the panel in front lists; pages scroll what is longer than its panel.
    pub(super) fn move_cursor(&mut self, direction: Direction) {
        match self.panel {
            Panel::Now => self.move_in_now(direction),
            Panel::WhatIf => self.move_in_what_if(direction),
            Panel::Trunk => {
                let Some(view) = &self.view else { return };
                let at = self.looked_at(view).map_or(0, |(at, _)| at);
                let at = direction.moved(at, view.trunk.len());
                self.looking = view.trunk.get(at).map(|line| line.node);
            }
        }
    }

    fn move_in_what_if(&mut self, direction: Direction) {
        let most = self.seen.what_ifs.get();
        match direction {
            Direction::PageDown => self.scroll = self.scroll.saturating_add(PAGE).min(most),
            Direction::PageUp => self.scroll = self.scroll.min(most).saturating_sub(PAGE),
            direction => self.cell = direction.moved(self.cell, self.what_ifs().len()),
        }
        self.follow = !matches!(direction, Direction::PageDown | Direction::PageUp);
    }

    /// The observation and the list below it are one text to pages: down to its end first, and up
    /// again from the list's beginning.
    fn move_in_now(&mut self, direction: Direction) {
        let (from, most) = self.seen.observation.get();
        match direction {
            Direction::PageDown if from < most => self.read = Some((from + PAGE / 2).min(most)),
            Direction::PageUp if self.selected == 0 && from > 0 => {
                self.read = Some(from.saturating_sub(PAGE / 2));
            }
            direction => {
                self.selected = direction.moved(self.selected, self.shown_actions("").len());
            }
        }
    }
}
