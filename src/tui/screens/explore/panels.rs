//! Explore, its panels and the cursors in them.

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

impl State {
    /// The action under the cursor, and whose it is.
    pub(super) fn taken(&self) -> Option<(String, String)> {
        if self.panel != Panel::WhatIf {
            return self
                .shown_actions("")
                .get(self.selected)
                .map(|(_, action)| ((*action).to_string(), HUMAN.into()));
        }
        let action = self.what_ifs().into_iter().nth(self.cell)?;
        let proposed = self
            .chosen
            .iter()
            .find(|(known, _)| *known == action)
            .map(|(_, source)| source.clone());
        let expert =
            self.view.as_ref().and_then(|view| view.expert.as_ref()).map(|(name, _)| name.clone());
        Some((action, proposed.or(expert).unwrap_or_else(|| HUMAN.into())))
    }

    /// Moves what the panel in front lists; pages scroll the what-ifs.
    pub(super) fn move_cursor(&mut self, direction: Direction) {
        match direction {
            Direction::PageDown => {
                self.scroll = self.scroll.saturating_add(8).min(4000);
                self.follow = false;
            }
            Direction::PageUp => {
                self.scroll = self.scroll.saturating_sub(8);
                self.follow = false;
            }
            direction if self.panel == Panel::WhatIf => {
                self.cell = direction.moved(self.cell, self.what_ifs().len());
                self.follow = true;
            }
            direction => {
                self.selected = direction.moved(self.selected, self.shown_actions("").len());
            }
        }
    }
}
