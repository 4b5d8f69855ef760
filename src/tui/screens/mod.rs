//! One folder a screen: its messages, its acts and their keys, its state, and how that is drawn.
//! Here stand all of them side by side: a new screen is its folder, its name in [`Screen`], and its
//! lines in this file.

pub mod agents;
pub mod curate;
pub mod data;
pub mod explore;
pub mod replay;
pub mod study;
pub mod train;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::effect::{Effect, JobKind};
use super::jobs::Jobs;
use super::keys::{Direction, Key, key};
use super::screen::Screen;
use super::theme::Theme;
use crate::explore::View;

/// What every screen does alike; its messages and acts are its own.
pub trait Pane {
    /// What it shows of the store, asked for again.
    fn refresh(&self) -> Vec<Effect>;

    /// Whether that costs so much that it is asked for only in front.
    fn is_dear(&self) -> bool {
        false
    }

    /// What it asks for when it comes in front.
    fn enter(&self) -> Vec<Effect> {
        self.refresh()
    }

    /// Half a second passed; `front` says whether a person looks at it.
    fn tick(&mut self, _front: bool, _jobs: &Jobs) -> Vec<Effect> {
        Vec::new()
    }

    /// Whether keys go into something that is typed or chosen over it.
    fn is_typing(&self) -> bool;

    /// Takes a key while they do; none otherwise.
    fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>>;

    /// Takes pasted text.
    fn paste(&mut self, text: &str) -> Vec<Effect>;

    /// Moves what is selected, or scrolls.
    fn go(&mut self, direction: Direction) -> Vec<Effect>;

    /// The next panel in front.
    fn next_panel(&mut self) {}

    /// What is in front, for the clipboard.
    fn copy(&self, json: bool) -> Option<String>;

    /// Whether everything that it waits for is there.
    fn settled(&self) -> bool {
        true
    }

    /// What its tab says besides its name.
    fn badge(&self, _jobs: &Jobs, _theme: Theme) -> String {
        String::new()
    }

    /// Where it stands, for the corner beside the tabs: in full, and short.
    fn place(&self) -> Option<[String; 2]> {
        None
    }

    /// Draws it.
    fn draw(&self, theme: Theme, frame: &mut Frame<'_>, area: Rect);
}

/// What a screen may know of what is around it.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// What runs now.
    pub jobs: &'a Jobs,
    /// The state that is open in Explore.
    pub open: Option<&'a View>,
}

impl Around<'_> {
    /// Whether a job of this kind runs here.
    pub fn runs(&self, kind: JobKind) -> bool {
        self.jobs.contains_key(&kind)
    }
}

/// All screens.
#[derive(Debug, Default)]
pub struct Screens {
    /// Explore.
    pub explore: explore::State,
    /// Curate.
    pub curate: curate::State,
    /// Train.
    pub train: train::State,
    /// Replay.
    pub replay: replay::State,
    /// Data.
    pub data: data::State,
    /// Study.
    pub study: study::State,
    /// Agents.
    pub agents: agents::State,
}

/// A message for a screen.
#[derive(Debug)]
pub enum Msg {
    /// For Explore.
    Explore(explore::Msg),
    /// For Curate.
    Curate(curate::Msg),
    /// For Train.
    Train(train::Msg),
    /// For Replay.
    Replay(replay::Msg),
    /// For Data.
    Data(data::Msg),
    /// For Study.
    Study(study::Msg),
    /// For Agents.
    Agents(agents::Msg),
}

/// What a key of a screen does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// On Explore.
    Explore(explore::Act),
    /// On Curate.
    Curate(curate::Act),
    /// On Train.
    Train(train::Act),
    /// On Replay.
    Replay(replay::Act),
    /// On Data.
    Data(data::Act),
    /// On Study.
    Study(study::Act),
    /// On Agents.
    Agents(agents::Act),
}

/// The keys of all screens.
pub fn keys() -> impl Iterator<Item = (Screen, Key<Act>)> {
    fn of<A: Copy>(
        screen: Screen,
        keys: &'static [Key<A>],
        act: fn(A) -> Act,
    ) -> Vec<(Screen, Key<Act>)> {
        let row =
            |row: &Key<A>| (screen, key(row.name, row.keys, act(row.act), row.short, row.long));
        keys.iter().map(row).collect()
    }
    let all = [
        of(Screen::Explore, explore::KEYS, Act::Explore),
        of(Screen::Curate, curate::KEYS, Act::Curate),
        of(Screen::Train, train::KEYS, Act::Train),
        of(Screen::Replay, replay::KEYS, Act::Replay),
        of(Screen::Data, data::KEYS, Act::Data),
        of(Screen::Study, study::KEYS, Act::Study),
        of(Screen::Agents, agents::KEYS, Act::Agents),
    ];
    all.into_iter().flatten()
}

impl Act {
    /// Whether it only moves a cursor: such acts are keys, and nothing that is looked for by name.
    pub fn is_motion(self) -> bool {
        matches!(self, Self::Train(train::Act::Cursor(_)) | Self::Replay(replay::Act::Step(_)))
    }

    /// The same act on another of the things that are numbered from 1; none for acts that know no
    /// numbers.
    #[must_use]
    pub fn numbered(self, n: usize) -> Option<Self> {
        match self {
            Self::Explore(explore::Act::Alternative(_)) => {
                Some(Self::Explore(explore::Act::Alternative(n)))
            }
            Self::Curate(curate::Act::Outcome(_)) => Some(Self::Curate(curate::Act::Outcome(n))),
            _ => None,
        }
    }
}

impl Screens {
    /// A screen.
    pub fn get(&self, screen: Screen) -> &dyn Pane {
        match screen {
            Screen::Explore => &self.explore,
            Screen::Curate => &self.curate,
            Screen::Train => &self.train,
            Screen::Replay => &self.replay,
            Screen::Data => &self.data,
            Screen::Study => &self.study,
            Screen::Agents => &self.agents,
        }
    }

    /// A screen, to be changed.
    pub fn get_mut(&mut self, screen: Screen) -> &mut dyn Pane {
        match screen {
            Screen::Explore => &mut self.explore,
            Screen::Curate => &mut self.curate,
            Screen::Train => &mut self.train,
            Screen::Replay => &mut self.replay,
            Screen::Data => &mut self.data,
            Screen::Study => &mut self.study,
            Screen::Agents => &mut self.agents,
        }
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Explore(msg) => self.explore.update(msg),
            Msg::Curate(msg) => self.curate.update(msg),
            Msg::Train(msg) => self.train.update(msg),
            Msg::Replay(msg) => self.replay.update(msg),
            Msg::Data(msg) => self.data.update(msg),
            Msg::Study(msg) => self.study.update(msg),
            Msg::Agents(msg) => self.agents.update(msg),
        }
    }

    /// Whether a key means something now.
    pub fn applies(&self, act: Act, jobs: &Jobs) -> bool {
        let around = Around { jobs, open: self.explore.view.as_ref() };
        match act {
            Act::Explore(act) => self.explore.applies(act, around),
            Act::Curate(act) => self.curate.applies(act),
            Act::Train(act) => self.train.applies(act, around),
            Act::Replay(act) => self.replay.applies(act),
            Act::Data(act) => data::State::applies(act, around),
            Act::Study(act) => self.study.applies(act, around),
            Act::Agents(act) => self.agents.applies(act, around),
        }
    }

    /// Does what a key means, if it means something now.
    pub fn act(&mut self, act: Act, jobs: &Jobs) -> Vec<Effect> {
        if !self.applies(act, jobs) {
            // A hidden advice must not be taken by accident either.
            return if let Act::Explore(act) = act { self.explore.refuse(act) } else { Vec::new() };
        }
        match act {
            Act::Explore(act) => self.explore.act(act),
            Act::Curate(act) => self.curate.act(act),
            Act::Train(act) => {
                self.train.act(act, Around { jobs, open: self.explore.view.as_ref() })
            }
            Act::Replay(act) => self.replay.act(act),
            Act::Data(act) => self.data.act(act),
            Act::Study(act) => self.study.act(act),
            Act::Agents(act) => {
                self.agents.act(act, Around { jobs, open: self.explore.view.as_ref() })
            }
        }
    }
}

/// A screen's own message is one for the screens.
macro_rules! from {
    ($($screen:ident: $folder:ident),*) => {
        $(impl From<$folder::Msg> for Msg {
            fn from(msg: $folder::Msg) -> Self {
                Self::$screen(msg)
            }
        })*
    };
}

from!(Explore: explore, Curate: curate, Train: train, Replay: replay, Data: data, Study: study, Agents: agents);
