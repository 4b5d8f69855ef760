//! The state of the interface, what changes it, and what it asks for: pure, and tested without a terminal.

use std::collections::{BTreeMap, VecDeque};

use crossterm::event::KeyEvent;

use super::caps::Caps;
use super::effect::{DeskCmd, Effect, JobCmd, Kind, MindCmd, Notice, RunCmd, Screen, WorldCmd};
use super::frame;
use super::keymap::Keymap;
use super::keys::Act;
use super::msg::Msg;
use super::popups::{Choice, Popup};
use super::screens::{curate, data, explore, replay, train};
use super::theme::{Palette, Theme};
use super::ui_state::UiState;
use super::underway::Job;
use super::words::pasted;
use crate::curation;
use crate::ends::Event;
use crate::episode::Scope;
use crate::experience::REASONS;

/// The interface.
#[derive(Debug)]
pub struct App {
    /// The screen in front.
    pub screen: Screen,
    /// The box over it.
    pub popup: Option<Popup>,
    /// How things look.
    pub theme: Theme,
    /// Why there is no going on, if so.
    pub broken: Option<String>,
    /// What keys do.
    pub keymap: Keymap,
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
    /// Running jobs.
    pub jobs: BTreeMap<Kind, Job>,
    /// What happened, the newest last.
    pub notices: VecDeque<Notice>,
    /// How many of them were said on screens that a person has left; what failed stays in view.
    pub heard: usize,
    /// Whether to leave.
    pub quit: bool,
    /// A text that came when the person was elsewhere; it opens where it was asked for.
    unread: Option<(Screen, Popup)>,
    /// The theme that was chosen by key, over the one in `config.toml`.
    pub chosen_theme: Option<Palette>,
    /// What is remembered for the next session.
    kept: UiState,
    ticks: u32,
}

impl App {
    /// The interface before anything is known.
    pub fn new(suite: &str, caps: Caps) -> Self {
        let (mut train, mut data) = (train::State::default(), data::State::default());
        train.set_suite(suite);
        data.suite = suite.to_string();
        Self {
            screen: Screen::Explore,
            popup: None,
            theme: Theme::new(caps, Palette::default()),
            broken: None,
            keymap: Keymap::default(),
            explore: explore::State::default(),
            curate: curate::State::default(),
            train,
            replay: replay::State::default(),
            data,
            jobs: BTreeMap::new(),
            notices: VecDeque::new(),
            heard: 0,
            quit: false,
            unread: None,
            chosen_theme: None,
            kept: UiState::default(),
            ticks: 0,
        }
    }

    /// What to ask for at the start; `screen` is where the last session left.
    pub fn begin(&mut self, screen: Option<Screen>) -> Vec<Effect> {
        let mut effects = vec![Effect::Mind(MindCmd::Load(None)), Effect::World(WorldCmd::Begin)];
        effects.extend(self.refresh());
        effects.extend(screen.into_iter().flat_map(|screen| self.show(screen)));
        effects
    }

    /// Says something in the status bar.
    pub fn say(&mut self, notice: Notice) {
        if notice.bad {
            tracing::error!("{}", notice.text);
        } else {
            tracing::info!("{}", notice.text);
        }
        if self.notices.len() == 100 {
            self.notices.pop_front();
            self.heard = self.heard.saturating_sub(1);
        }
        self.notices.push_back(notice);
    }

    fn show(&mut self, screen: Screen) -> Vec<Effect> {
        if screen != self.screen {
            self.heard = self.notices.len();
        }
        self.screen = screen;
        match screen {
            Screen::Explore => Vec::new(),
            Screen::Curate => vec![self.curate.reload()],
            Screen::Train => vec![Effect::Desk(DeskCmd::Run(RunCmd::List))],
            Screen::Replay => vec![self.replay.refresh()],
            Screen::Data => self.data.refresh(),
        }
    }

    /// What the screens show of the store, read again.
    pub(super) fn refresh(&self) -> Vec<Effect> {
        let mut effects = vec![self.curate.reload(), Effect::Desk(DeskCmd::Run(RunCmd::List)), self.replay.refresh()];
        if self.screen == Screen::Data {
            effects.extend(self.data.refresh());
        }
        effects
    }

    /// The pure heart: what a message changes, and what it makes the interface ask for.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let effects = self.changed_by(msg);
        // Never over another screen or box: it would take keys that are meant for those.
        if self.popup.is_none() && self.unread.as_ref().is_some_and(|(screen, _)| *screen == self.screen) {
            self.popup = self.unread.take().map(|(_, popup)| popup);
        }
        effects
    }

    fn changed_by(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Key(key) => self.key(key),
            Msg::Click(width, column) => {
                let tab = self.popup.is_none().then(|| frame::tab_at(self, width, column)).flatten();
                tab.map_or_else(Vec::new, |screen| self.show(screen))
            }
            Msg::Paste(text) => self.paste(&text),
            Msg::Tick => self.tick(),
            Msg::Changed => self.refresh(),
            Msg::Notice(notice) => {
                self.say(notice);
                Vec::new()
            }
            Msg::Process(event) => {
                // The others are the loop's own.
                if event == Event::Stop { vec![Effect::Suspend] } else { Vec::new() }
            }
            Msg::Broken(thread, why) => {
                self.broken = Some(format!("{thread}: no thread could be started: {why}"));
                self.quit = true;
                Vec::new()
            }
            Msg::Job(kind, msg) => self.job(kind, msg),
            Msg::Explore(msg) => self.explore.update(msg),
            Msg::Curate(msg) => {
                let mut effects = if matches!(msg, curate::Msg::Show(_)) { self.show(Screen::Curate) } else { Vec::new() };
                effects.extend(self.curate.update(msg));
                effects
            }
            Msg::Text(screen, title, lines) => {
                if screen != self.screen {
                    self.say(Notice::info(format!("{title}: ready in {}", screen.word())));
                }
                self.unread = Some((screen, Popup::Text(title, lines, 0)));
                Vec::new()
            }
            Msg::Train(msg) => self.train.update(msg),
            Msg::Replay(msg) => self.replay.update(msg),
            Msg::Data(msg) => self.data.update(msg),
        }
    }

    fn tick(&mut self) -> Vec<Effect> {
        let mut effects = self.replay.tick();
        effects.extend(self.curate.draft());
        self.ticks = self.ticks.wrapping_add(1);
        let kept = UiState::of(self);
        if kept != self.kept {
            effects.push(kept.effect());
            self.kept = kept;
        }
        // Another program may start a run at any time.
        let now_and_then = self.ticks.is_multiple_of(8);
        if self.screen == Screen::Train
            && (now_and_then || self.jobs.contains_key(&Kind::Train) || !self.train.alive.is_empty())
        {
            effects.push(Effect::Desk(DeskCmd::Run(RunCmd::List)));
        }
        effects
    }

    /// What was typed and is not in the store yet, when the program ends.
    pub fn unsaved(&mut self) -> Vec<Effect> {
        self.curate.draft().into_iter().collect()
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        match (&mut self.popup, self.screen) {
            (Some(Popup::Palette(input, _)), _) => {
                pasted(input, text);
            }
            (None, Screen::Explore) => self.explore.paste(text),
            (None, Screen::Curate) => self.curate.paste(text),
            (None, Screen::Train) => self.train.paste(text),
            (None, Screen::Replay) => self.replay.paste(text),
            (None, Screen::Data) => return self.data.paste(text),
            _ => {}
        }
        Vec::new()
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if let Some(mut popup) = self.popup.take() {
            let choice = popup.key(key, self);
            return self.chosen(choice, popup);
        }
        let taken = match self.screen {
            Screen::Explore => self.explore.typing(key),
            Screen::Curate => self.curate.typing(key),
            Screen::Train => self.train.typing(key),
            Screen::Replay => self.replay.typing(key),
            Screen::Data => self.data.typing(key),
        };
        match taken {
            Some(effects) => effects,
            None => self.keymap.lookup(self.screen, key).map_or_else(Vec::new, |act| self.act(act)),
        }
    }

    /// What is said in the line above the keys.
    pub fn said(&self) -> Option<&Notice> {
        self.notices.back().filter(|notice| notice.bad || self.notices.len() > self.heard)
    }

    /// Whether everything that the screen in front waits for is there.
    pub fn settled(&self) -> bool {
        self.screen != Screen::Explore || self.explore.settled()
    }

    /// Whether a key means something now: what does not stands neither in the footer nor in the palette.
    pub fn applies(&self, act: Act) -> bool {
        match (act, self.screen) {
            (Act::Collect, _) => !self.jobs.contains_key(&Kind::Collect),
            (Act::Evaluate, _) => !self.jobs.contains_key(&Kind::Evaluate),
            (_, Screen::Explore) => self.explore.applies(act),
            (_, Screen::Curate) => self.curate.applies(act),
            (_, Screen::Train) => self.train.applies(act, self.jobs.contains_key(&Kind::Train)),
            (_, Screen::Replay) => self.replay.applies(act),
            (_, Screen::Data) => true,
        }
    }

    /// Whether keys go into something that is typed, chosen or read over the screen.
    pub fn taken(&self) -> bool {
        self.popup.is_some()
            || match self.screen {
                Screen::Explore => self.explore.typing.is_some(),
                Screen::Curate => self.curate.mode.is_some(),
                Screen::Train => self.train.form.is_some() || self.train.searching.is_some(),
                Screen::Replay => self.replay.typed.is_some(),
                Screen::Data => self.data.form.is_some(),
            }
    }

    fn open(&mut self, popup: Popup) -> Vec<Effect> {
        self.popup = Some(popup);
        Vec::new()
    }

    /// Texts that a screen wants read need no thread.
    fn shown(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        let mut others = Vec::new();
        for effect in effects {
            match effect {
                Effect::Show(title, lines) => self.popup = Some(Popup::Text(title, lines, 0)),
                other => others.push(other),
            }
        }
        others
    }

    fn copy(&mut self, json: bool) -> Vec<Effect> {
        let text = match self.screen {
            Screen::Explore => self.explore.copy(json),
            Screen::Curate => self.curate.copy(json),
            Screen::Train => self.train.copy(json),
            Screen::Replay => self.replay.copy(json),
            Screen::Data => None,
        };
        let Some(text) = text else { return Vec::new() };
        self.say(Notice::info(format!("copied {} characters", text.chars().count())));
        vec![Effect::Copy(text)]
    }

    fn act(&mut self, act: Act) -> Vec<Effect> {
        match act {
            Act::Show(screen) => self.show(screen),
            Act::Beside(by) => self.show(self.screen.beside(by)),
            Act::Help => self.open(Popup::Help(0)),
            Act::Palette => self.open(Popup::Palette(tui_input::Input::default(), 0)),
            Act::Notices => {
                let said = self.notices.iter().rev().map(|n| format!("{} {}", if n.bad { "!" } else { "·" }, n.text));
                let lines: Vec<String> = said.collect();
                let lines = if lines.is_empty() { vec!["nothing was said yet".into()] } else { lines };
                self.open(Popup::Text("Said since the start, the newest first".into(), lines, 0))
            }
            Act::Rubric => {
                let reasons = REASONS.iter().map(|(code, what)| format!("{code:<18} {what}"));
                let rules = curation::rules().map(|(code, what)| format!("{code:<18} {what}"));
                let head = |text: &str| vec![String::new(), text.to_string(), String::new()];
                let asked = "Is it true, does it use what was seen, and should the agent think like this?".to_string();
                let lines = [
                    vec![asked],
                    head("Reasons to reject"),
                    reasons.collect(),
                    head("What rules point at (they never decide)"),
                    rules.collect(),
                ];
                self.open(Popup::Text("Rubric".into(), lines.concat(), 0))
            }
            Act::Jobs => self.open(Popup::Jobs(0)),
            Act::Journal => vec![Effect::Desk(DeskCmd::Journal(self.screen))],
            Act::Theme => {
                let at = Palette::ALL.iter().position(|palette| *palette == self.theme.palette).unwrap_or_default();
                let palette = Palette::ALL[(at + 1) % Palette::ALL.len()];
                (self.theme.palette, self.chosen_theme) = (palette, Some(palette));
                self.say(Notice::info(format!("theme {}", palette.word())));
                Vec::new()
            }
            Act::Copy(json) => self.copy(json),
            Act::Suspend => vec![Effect::Suspend],
            Act::Quit => {
                self.quit = self.jobs.is_empty();
                self.popup = (!self.quit).then_some(Popup::Quit);
                Vec::new()
            }
            Act::Collect => {
                if !self.jobs.contains_key(&Kind::Collect) {
                    self.popup = Some(Popup::Collect(20));
                }
                Vec::new()
            }
            Act::BranchOff => match self.replay.here() {
                Some((id, t)) => {
                    let mut effects = self.show(Screen::Explore);
                    effects.push(Effect::World(WorldCmd::BranchOff(id, t)));
                    effects
                }
                None => Vec::new(),
            },
            Act::Evaluate if !self.jobs.contains_key(&Kind::Evaluate) => {
                vec![Effect::Job(JobCmd::Evaluate { games: 20, seed: 1 })]
            }
            act => {
                let effects = self.act_on_screen(act);
                self.shown(effects)
            }
        }
    }

    /// What a key means to the screen in front.
    fn act_on_screen(&mut self, act: Act) -> Vec<Effect> {
        match self.screen {
            Screen::Explore => self.explore.act(act),
            Screen::Curate => self.curate.act(act),
            Screen::Train => {
                let open = self.explore.view.as_ref().map(|view| train::Open {
                    state: view.state.clone(),
                    actions: view.admissible.clone(),
                    expert: view.expert.as_ref().map(|(_, advice)| advice.action.clone()),
                });
                self.train.act(act, self.jobs.contains_key(&Kind::Train), open)
            }
            Screen::Replay => self.replay.act(act),
            Screen::Data => self.data.act(act),
        }
    }

    /// What a key in a popup comes to.
    fn chosen(&mut self, choice: Choice, popup: Popup) -> Vec<Effect> {
        match choice {
            Choice::Stay => self.open(popup),
            Choice::Close => Vec::new(),
            Choice::Do(act) => self.act(act),
            Choice::Ask(command) => {
                self.popup = Some(popup);
                vec![Effect::Job(command)]
            }
            Choice::Stop => {
                self.quit = true; // the program ends the jobs cleanly on its way out
                Vec::new()
            }
            Choice::Leave => {
                self.quit = true;
                vec![Effect::Job(JobCmd::Detach)]
            }
            Choice::Collect(games) => {
                let split = self.explore.split().unwrap_or("train").to_string();
                let scope = Scope { split, games, seed: 1 };
                vec![Effect::Job(JobCmd::Collect { scope, expert: self.explore.expert(), k: 4 })]
            }
        }
    }
}
