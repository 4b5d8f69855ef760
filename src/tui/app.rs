//! The state of the interface, what changes it, and what it asks for: pure, and tested without a terminal.

use std::collections::{BTreeMap, VecDeque};

use crossterm::event::KeyEvent;

use super::caps::Caps;
use super::effect::{DeskCmd, Effect, JobCmd, Kind, Notice, Screen, WorldCmd};
use super::keys::{self, Act};
use super::msg::{JobMsg, Msg};
use super::screens::{curate, data, explore, replay, train};
use super::theme::Theme;
use crate::collect::Scope;
use crate::control::Progress;

/// A running job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Job {
    /// How far it is.
    pub progress: Option<Progress>,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether it was asked to stop.
    pub stopping: bool,
}

/// A box over the screen that takes all keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Popup {
    /// All keys of the screen.
    Help(usize),
    /// Really leave while work runs?
    Quit,
    /// How many games to collect.
    Collect(usize),
}

/// The interface.
#[derive(Debug)]
pub struct App {
    /// The screen in front.
    pub screen: Screen,
    /// The box over it.
    pub popup: Option<Popup>,
    /// How things look.
    pub theme: Theme,
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
    /// Whether to leave.
    pub quit: bool,
    /// The thread that broke off, if one did.
    pub broken: Option<&'static str>,
    suite: String,
}

impl App {
    /// The interface before anything is known.
    pub fn new(suite: &str, caps: Caps) -> Self {
        Self {
            screen: Screen::Explore,
            popup: None,
            theme: Theme::new(caps),
            explore: explore::State::default(),
            curate: curate::State::default(),
            train: train::State::default(),
            replay: replay::State::default(),
            data: data::State::default(),
            jobs: BTreeMap::new(),
            notices: VecDeque::new(),
            quit: false,
            broken: None,
            suite: suite.to_string(),
        }
    }

    /// What to ask for at the start; `screen` is where the last session left.
    pub fn begin(&mut self, screen: Option<&str>) -> Vec<Effect> {
        let mut effects = vec![Effect::LoadModel(None), Effect::World(WorldCmd::Begin)];
        effects.extend(self.refresh());
        if let Some(screen) = Screen::ALL.into_iter().find(|s| Some(s.word()) == screen) {
            effects.extend(self.show(screen));
        }
        effects
    }

    /// Says something in the status bar.
    pub fn say(&mut self, notice: Notice) {
        if self.notices.len() == 100 {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    fn show(&mut self, screen: Screen) -> Vec<Effect> {
        self.screen = screen;
        let mut effects = vec![Effect::Desk(DeskCmd::Remember("screen", screen.word().into()))];
        effects.extend(match screen {
            Screen::Explore => Vec::new(),
            Screen::Curate => vec![Effect::Desk(DeskCmd::Queue(self.curate.filter))],
            Screen::Train => vec![Effect::Desk(DeskCmd::Runs)],
            Screen::Replay => vec![Effect::Desk(DeskCmd::Trajectories(self.replay.filter))],
            Screen::Data => vec![Effect::Desk(DeskCmd::Data)],
        });
        effects
    }

    /// What the screens show of the store, read again.
    fn refresh(&self) -> Vec<Effect> {
        let mut effects = vec![Effect::Desk(DeskCmd::Queue(self.curate.filter)), Effect::Desk(DeskCmd::Runs)];
        effects.push(Effect::Desk(DeskCmd::Trajectories(self.replay.filter)));
        if self.screen == Screen::Data {
            effects.push(Effect::Desk(DeskCmd::Data));
        }
        effects
    }

    /// The pure heart: what a message changes, and what it makes the interface ask for.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Key(key) => self.key(key),
            Msg::Paste(text) => self.paste(&text),
            Msg::Tick => self.tick(),
            Msg::Changed => self.refresh(),
            Msg::Notice(notice) => {
                self.say(notice);
                Vec::new()
            }
            Msg::Broken(thread) => {
                (self.broken, self.quit) = (Some(thread), true);
                Vec::new()
            }
            Msg::Job(kind, msg) => self.job(kind, msg),
            Msg::Explore(msg) => self.explore.update(msg),
            Msg::Curate(msg) => self.curate.update(msg),
            Msg::Train(msg) => self.train.update(msg),
            Msg::Replay(msg) => self.replay.update(msg),
            Msg::Data(msg) => {
                self.data.update(msg);
                Vec::new()
            }
        }
    }

    fn tick(&mut self) -> Vec<Effect> {
        let mut effects = self.replay.tick();
        if self.screen == Screen::Train && self.jobs.contains_key(&Kind::Train) {
            effects.push(Effect::Desk(DeskCmd::Runs));
        }
        effects
    }

    fn job(&mut self, kind: Kind, msg: JobMsg) -> Vec<Effect> {
        match msg {
            JobMsg::Started => {
                self.jobs.insert(kind, Job::default());
                Vec::new()
            }
            JobMsg::Progress(progress) => {
                self.jobs.entry(kind).or_default().progress = Some(progress);
                Vec::new()
            }
            JobMsg::Paused(paused) => {
                self.jobs.entry(kind).or_default().paused = paused;
                Vec::new()
            }
            JobMsg::Run => {
                self.train.follow();
                vec![Effect::Desk(DeskCmd::Runs)]
            }
            JobMsg::Saved(step) => {
                self.say(Notice::info(format!("checkpoint saved at step {step}; it answers in Explore now")));
                vec![Effect::LoadModel(None), Effect::Desk(DeskCmd::Runs)]
            }
            JobMsg::Ended(result) => {
                self.jobs.remove(&kind);
                match result {
                    Ok(text) => self.say(Notice::info(text)),
                    Err(error) if error.is_cancelled() => {
                        self.say(Notice::info(format!("{kind:?} stopped; nothing is lost")));
                    }
                    Err(error) => self.say(Notice::error(&error)),
                }
                self.refresh()
            }
        }
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        match self.screen {
            Screen::Explore => self.explore.paste(text),
            Screen::Curate => self.curate.paste(text),
            _ => {}
        }
        Vec::new()
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if let Some(popup) = self.popup.clone() {
            return self.popup_key(&popup, key);
        }
        let taken = match self.screen {
            Screen::Explore => self.explore.typing(key),
            Screen::Curate => self.curate.typing(key),
            Screen::Train => self.train.typing(key).map(|mut effects| {
                // A run started here is on the suite that is open here.
                for effect in &mut effects {
                    if let Effect::Job(JobCmd::Train(plan, _)) = effect {
                        plan.suite = Some(self.suite.clone());
                    }
                }
                effects
            }),
            Screen::Replay | Screen::Data => None,
        };
        match taken {
            Some(effects) => effects,
            None => keys::lookup(self.screen, key).map_or_else(Vec::new, |act| self.act(act)),
        }
    }

    fn act(&mut self, act: Act) -> Vec<Effect> {
        match act {
            Act::Show(screen) => self.show(screen),
            Act::Help => {
                self.popup = Some(Popup::Help(0));
                Vec::new()
            }
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
                let split = if self.suite == "alfworld" { "valid_unseen" } else { "unseen" };
                vec![Effect::Job(JobCmd::Evaluate(Scope { split: split.into(), games: 20, seed: 1 }))]
            }
            act => match self.screen {
                Screen::Explore => self.explore.act(act),
                Screen::Curate => self.curate.act(act),
                Screen::Train => self.train.act(act, self.jobs.contains_key(&Kind::Train)),
                Screen::Replay => self.replay.act(act),
                Screen::Data => data::act(act),
            },
        }
    }

    fn popup_key(&mut self, popup: &Popup, key: KeyEvent) -> Vec<Effect> {
        use crossterm::event::KeyCode::{Char, Down, Enter, Esc, Up};
        match (popup, key.code) {
            (Popup::Help(at), Char('j') | Down) => self.popup = Some(Popup::Help(at + 1)),
            (Popup::Help(at), Char('k') | Up) => self.popup = Some(Popup::Help(at.saturating_sub(1))),
            (Popup::Quit, Char('s' | 'y') | Enter) => {
                self.popup = None;
                self.quit = true; // the program ends the jobs cleanly on its way out
            }
            (Popup::Collect(games), Char('+' | 'k') | Up) => self.popup = Some(Popup::Collect((games + 10).min(5000))),
            (Popup::Collect(games), Char('-' | 'j') | Down) => {
                self.popup = Some(Popup::Collect(games.saturating_sub(10).max(1)));
            }
            (Popup::Collect(games), Enter) => {
                self.popup = None;
                let split = self.explore.split().unwrap_or("train").to_string();
                let scope = Scope { split, games: *games, seed: 1 };
                return vec![Effect::Job(JobCmd::Collect { scope, expert: self.explore.expert(), k: 4 })];
            }
            (Popup::Help(_), _) | (_, Esc | Char('q' | 'n')) => self.popup = None,
            _ => {}
        }
        Vec::new()
    }
}
