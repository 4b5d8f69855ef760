//! What the next session finds as this one left it: one setting in the store.

use serde::{Deserialize, Serialize};

use super::app::App;
use super::chart::Lens;
use super::effect::{DeskCmd, Effect, Screen};
use super::screens::explore::panels::Panel;
use super::theme::Palette;
use crate::agent::choosing::Choosing;
use crate::store::{Filter, Listing};

/// The setting's name.
pub const SETTING: &str = "interface";

/// Where everything stands. What a newer or older program does not know is left at its default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UiState {
    screen: String,
    theme: Option<String>,
    choosing: Choosing,
    panel: Panel,
    hidden: bool,
    queue: Option<Filter>,
    reflection: Option<i64>,
    filters: Vec<Filter>,
    listing: Listing,
    trajectory: Option<(i64, usize)>,
    curve: Option<String>,
    pinned: Vec<String>,
    lens: Lens,
}

impl UiState {
    /// As it stands now. Zoom and cursor belong to a moment.
    pub fn of(app: &App) -> Self {
        let lens = Lens { window: None, cursor: None, ..app.train.lens };
        Self {
            screen: app.screen.word().into(),
            theme: app.chosen_theme.map(|palette| palette.word().into()),
            choosing: app.explore.choosing,
            panel: app.explore.panel,
            hidden: app.explore.hidden,
            queue: Some(app.curate.filter.clone()),
            reflection: app.curate.standing_at(),
            filters: app.curate.saved.clone(),
            listing: app.replay.listing.clone(),
            trajectory: app.replay.standing_at(),
            curve: app.train.curve().map(str::to_string),
            pinned: app.train.pinned.clone(),
            lens,
        }
    }

    /// Puts everything back, before anything is asked for; returns the screen to show.
    pub fn put_back(self, app: &mut App) -> Option<Screen> {
        app.chosen_theme = self.theme.as_deref().and_then(Palette::from_word);
        app.explore.choosing = Some(self.choosing).filter(Choosing::is_sound).unwrap_or_default();
        (app.explore.panel, app.explore.hidden) = (self.panel, self.hidden);
        app.curate.come_back(self.queue, self.reflection, self.filters);
        app.replay.come_back(self.listing, self.trajectory);
        app.train.come_back(self.curve, self.pinned, self.lens);
        Screen::ALL.into_iter().find(|screen| screen.word() == self.screen)
    }

    /// As the setting's text.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What remembers it.
    pub fn effect(&self) -> Effect {
        Effect::Desk(DeskCmd::Remember(SETTING, self.text()))
    }
}
