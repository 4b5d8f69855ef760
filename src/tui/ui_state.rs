//! What the next session finds as this one left it: one setting in the store.

use serde::{Deserialize, Serialize};

use super::chart::Lens;
use super::effect::{Effect, StoreCmd};
use super::screen::Screen;
use super::screens::Screens;
use super::screens::explore::panels::Panel;
use super::theme::Palette;
use crate::agent::alternatives::AlternativeSampling;
use crate::store::{Filter, Listing};

/// The setting's name.
pub const SETTING: &str = "interface";

/// Where everything stands. What a newer or older program does not know is left at its default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UiState {
    screen: String,
    theme: Option<String>,
    choosing: AlternativeSampling,
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
    pub fn of(screens: &Screens, front: Screen, theme: Option<Palette>) -> Self {
        let Screens { explore, curate, train, replay, .. } = screens;
        let lens = Lens { window: None, cursor: None, ..train.lens };
        Self {
            screen: front.as_str().into(),
            theme: theme.map(|palette| palette.as_str().into()),
            choosing: explore.choosing,
            panel: explore.panel,
            hidden: explore.hidden,
            queue: Some(curate.filter.clone()),
            reflection: curate.standing_at(),
            filters: curate.saved.clone(),
            listing: replay.listing.clone(),
            trajectory: replay.standing_at(),
            curve: train.curve().map(str::to_string),
            pinned: train.pinned.clone(),
            lens,
        }
    }

    /// Puts everything back, before anything is asked for; returns the screen to show and the theme
    /// that was chosen.
    pub fn put_back(self, screens: &mut Screens) -> (Option<Screen>, Option<Palette>) {
        let Screens { explore, curate, train, replay, .. } = screens;
        explore.choosing =
            Some(self.choosing).filter(AlternativeSampling::is_sound).unwrap_or_default();
        explore.panel = self.panel;
        explore.hidden = self.hidden;
        curate.come_back(self.queue, self.reflection, self.filters);
        replay.come_back(self.listing, self.trajectory);
        train.come_back(self.curve, self.pinned, self.lens);
        let front = Screen::ALL.into_iter().find(|screen| screen.as_str() == self.screen);
        (front, self.theme.as_deref().and_then(Palette::from_name))
    }

    /// As the setting's text.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What remembers it.
    pub fn effect(&self) -> Effect {
        Effect::Store(StoreCmd::Remember(SETTING, self.text()))
    }
}
