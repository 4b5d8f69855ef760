//! The state of the interface, what changes it, and what it asks for: pure, and tested without a
//! terminal.

use std::collections::VecDeque;

use crossterm::event::KeyEvent;

use super::acts::Act;
use super::caps::Caps;
use super::collecting;
use super::commands::Commands;
use super::effect::{
    Effect, JobCmd, JobKind, MindCmd, Notice, OpenSuite, RunCmd, StoreCmd, WorldCmd,
};
use super::jobs::{Job, Jobs};
use super::keymap::Keymap;
use super::msg::{JobMsg, Msg};
use super::palette::Finder;
use super::popups::{Choice, Context, Popup};
use super::screen::Screen;
use super::screens::Screens;
use super::sheet::Sheet;
use super::theme::{Palette, Theme};
use super::ui_state::UiState;
use crate::ends::Event;
use crate::text::clean;

/// The interface.
#[derive(Debug)]
pub struct App {
    /// The screen in front.
    pub screen: Screen,
    /// The box over it.
    pub popup: Option<Popup>,
    /// The form before collecting as it was filled in last.
    collecting: Option<Sheet>,
    /// How things look.
    pub theme: Theme,
    /// Why there is no going on, if so.
    pub broken: Option<String>,
    /// What keys do.
    pub keymap: Keymap,
    /// All screens.
    pub screens: Screens,
    /// Running jobs.
    pub jobs: Jobs,
    /// What happened, the newest last.
    pub notices: VecDeque<Notice>,
    /// How many of them are read.
    pub heard: usize,
    /// What was done, as commands.
    pub commands: Commands,
    /// For how many half seconds the newest has been there to be read.
    pub(super) age: u8,
    /// Whether to leave.
    pub quit: bool,
    /// A text that came when the person was elsewhere; it opens where it was asked for.
    unread: Option<(Screen, Popup)>,
    /// The theme that was chosen by key, over the one in `config.toml`.
    pub chosen_theme: Option<Palette>,
    /// What is remembered for the next session.
    kept: UiState,
}

impl App {
    /// The interface before anything is known.
    pub fn new(suite: &str, caps: Caps) -> Self {
        let mut screens = Screens::default();
        screens.train.set_suite(suite);
        screens.data.suite = suite.to_string();
        Self {
            screen: Screen::Explore,
            popup: None,
            collecting: None,
            theme: Theme::new(caps, Palette::default()),
            broken: None,
            keymap: Keymap::default(),
            screens,
            jobs: Jobs::new(),
            notices: VecDeque::new(),
            heard: 0,
            commands: Commands::of(suite),
            age: 0,
            quit: false,
            unread: None,
            chosen_theme: None,
            kept: UiState::default(),
        }
    }

    /// What to ask for at the start; `screen` is where the last session left.
    pub fn begin(&mut self, screen: Option<Screen>) -> Vec<Effect> {
        let mut effects = vec![Effect::Mind(MindCmd::Load(None)), Effect::World(WorldCmd::Begin)];
        effects.extend(self.refresh());
        effects.extend(screen.into_iter().flat_map(|screen| self.show(screen)));
        effects
    }

    fn show(&mut self, screen: Screen) -> Vec<Effect> {
        self.screen = screen;
        self.screens.get(screen).enter()
    }

    /// What the screens show of the store, read again.
    fn refresh(&self) -> Vec<Effect> {
        let wanted =
            |screen: &Screen| *screen == self.screen || !self.screens.get(*screen).is_dear();
        Screen::ALL
            .into_iter()
            .filter(wanted)
            .flat_map(|screen| self.screens.get(screen).refresh())
            .collect()
    }

    /// The pure heart: what a message changes, and what it makes the interface ask for.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let by_key = matches!(msg, Msg::Key(_));
        let before = self.screen;
        let effects = self.changed_by(msg);
        let effects = self.own(effects, by_key);
        self.commands.note(&effects);
        if by_key {
            self.go_on(!effects.is_empty() || self.screen != before);
        }
        // Never over another screen or box: it would take keys that are meant for those.
        if self.popup.is_none()
            && self.unread.as_ref().is_some_and(|(screen, _)| *screen == self.screen)
        {
            self.popup = self.unread.take().map(|(_, popup)| popup);
        }
        effects
    }

    fn changed_by(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Key(key) => self.key(key),
            // A box takes all keys, and clicks as well.
            Msg::Show(screen) => {
                if self.popup.is_none() {
                    self.show(screen)
                } else {
                    Vec::new()
                }
            }
            // Terminals end pasted lines as the key does.
            Msg::Paste(text) => self.paste(&text.replace("\r\n", "\n").replace('\r', "\n")),
            Msg::Tick => self.tick(),
            Msg::Changed => self.refresh(),
            Msg::Notice(notice) | Msg::Unread(notice) => {
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
            Msg::Suite(suite) => self.turn_to(suite),
            Msg::Screen(msg) => self.screens.update(msg),
            Msg::Text(screen, title, lines) => {
                if screen != self.screen {
                    self.say(Notice::info(format!("{title}: ready in {}", screen.as_str())));
                }
                self.unread = Some((screen, Popup::Text(title, lines, 0)));
                Vec::new()
            }
        }
    }

    /// Everything is about another suite from now on.
    fn turn_to(&mut self, suite: OpenSuite) -> Vec<Effect> {
        let name = suite.0.name();
        self.screens.train.set_suite(name);
        self.screens.data.suite = name.to_string();
        self.commands.place.suite = name.to_string();
        self.commands.place.evaluated_on = suite.0.evaluated_on();
        self.say(Notice::info(format!(
            "{name} is open now: collecting and evaluating are about it"
        )));
        let mut effects = vec![Effect::Suite(suite)];
        effects.extend(self.refresh());
        effects
    }

    fn tick(&mut self) -> Vec<Effect> {
        self.grow_old();
        let mut effects = Vec::new();
        for screen in Screen::ALL {
            effects.extend(self.screens.get_mut(screen).tick(screen == self.screen, &self.jobs));
        }
        let kept = self.ui_state();
        if kept != self.kept {
            effects.push(kept.effect());
            self.kept = kept;
        }
        effects
    }

    /// What the next session finds as this one leaves it.
    pub fn ui_state(&self) -> UiState {
        UiState::of(&self.screens, self.screen, self.chosen_theme)
    }

    /// What was typed and is not in the store yet, when the program ends.
    pub fn unsaved(&mut self) -> Vec<Effect> {
        self.screens.curate.draft().into_iter().collect()
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        match &mut self.popup {
            Some(Popup::Palette(finder)) => finder.paste(text),
            Some(Popup::Collect(sheet)) => _ = sheet.paste(text),
            Some(_) => {}
            None => return self.screens.get_mut(self.screen).paste(text),
        }
        Vec::new()
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if let Some(mut popup) = self.popup.take() {
            let choice = popup.key(key, self.context());
            return self.chosen(choice, popup);
        }
        if let Some(effects) = self.screens.get_mut(self.screen).typing(key) {
            return effects;
        }
        self.keymap.lookup(self.screen, key).map_or_else(Vec::new, |act| self.act(act))
    }

    /// Whether everything that the screen in front waits for is there.
    pub fn settled(&self) -> bool {
        self.screens.get(self.screen).settled()
    }

    /// What boxes over the screen may know.
    pub fn context(&self) -> Context<'_> {
        let Self { screen, screens, jobs, keymap, commands, theme, .. } = self;
        Context { screen: *screen, screens, jobs, keymap, commands, theme: *theme }
    }

    /// Whether keys go into something that is typed, chosen or read over the screen.
    pub fn taken(&self) -> bool {
        self.popup.is_some() || self.screens.get(self.screen).is_typing()
    }

    fn open(&mut self, popup: Popup) -> Vec<Effect> {
        self.popup = Some(popup);
        Vec::new()
    }

    /// What a screen asks of the interface itself needs no thread. What comes of an answer, and not
    /// of a key, moves nothing away under what is being typed or read: keys would mean something
    /// else than what they were pressed for.
    fn own(&mut self, effects: Vec<Effect>, by_key: bool) -> Vec<Effect> {
        let mut others = Vec::new();
        for effect in effects {
            let free = by_key || !self.taken();
            match effect {
                Effect::Show(title, lines) if free => {
                    self.popup = Some(Popup::Text(title, lines, 0));
                }
                Effect::Show(title, lines) => {
                    self.unread = Some((self.screen, Popup::Text(title, lines, 0)));
                }
                Effect::AskCollect if free => {
                    let fresh = collecting::sheet(&self.screens.explore.offered());
                    // What was filled in last stands there again, where the same can be chosen.
                    let last = self.collecting.take().filter(|last| last.is_like(&fresh));
                    self.popup = Some(Popup::Collect(last.unwrap_or(fresh)));
                }
                Effect::AskCollect => {}
                Effect::Say(notice) => self.say(notice),
                Effect::Go(screen) if free => others.extend(self.show(screen)),
                Effect::Go(screen) => {
                    let said = format!("{} has what was asked for", screen.as_str());
                    self.say(Notice::info(said));
                    others.extend(self.screens.get(screen).enter());
                }
                other => others.push(other),
            }
        }
        others
    }

    fn copy(&mut self, json: bool) -> Vec<Effect> {
        self.screens.get(self.screen).copy(json).map_or_else(Vec::new, |text| self.copied(text))
    }

    fn copied(&mut self, text: String) -> Vec<Effect> {
        self.own(Effect::copied(text), true)
    }

    fn act(&mut self, act: Act) -> Vec<Effect> {
        match act {
            Act::Show(screen) => self.show(screen),
            Act::Beside(by) => self.show(self.screen.beside(by)),
            Act::Help => self.open(Popup::Help(0)),
            Act::Palette => self.open(Popup::Palette(Finder::default())),
            Act::Commands => self.open(Popup::Commands(0)),
            Act::Notices => {
                let said = self
                    .notices
                    .iter()
                    .rev()
                    .map(|n| format!("{} {}", if n.bad { "!" } else { "·" }, n.text));
                let lines: Vec<String> = said.collect();
                let lines =
                    if lines.is_empty() { vec!["nothing was said yet".into()] } else { lines };
                self.open(Popup::Text("Said since the start, the newest first".into(), lines, 0))
            }
            Act::Jobs => self.open(Popup::Jobs(0)),
            Act::Journal => vec![Effect::Store(StoreCmd::Journal(self.screen))],
            Act::Theme => {
                let at = Palette::ALL
                    .iter()
                    .position(|palette| *palette == self.theme.palette)
                    .unwrap_or_default();
                let palette = Palette::ALL[(at + 1) % Palette::ALL.len()];
                self.theme.palette = palette;
                self.chosen_theme = Some(palette);
                self.say(Notice::info(format!("theme {}", palette.as_str())));
                Vec::new()
            }
            Act::Copy(json) => self.copy(json),
            Act::Suspend => vec![Effect::Suspend],
            Act::Quit => {
                self.quit = self.jobs.is_empty();
                self.popup = (!self.quit).then_some(Popup::Quit);
                Vec::new()
            }
            Act::Move(direction) => self.screens.get_mut(self.screen).go(direction),
            Act::NextPanel => {
                self.screens.get_mut(self.screen).next_panel();
                Vec::new()
            }
            Act::Own(act) => self.screens.act(act, &self.jobs),
        }
    }

    /// What a key in a popup comes to.
    fn chosen(&mut self, choice: Choice, popup: Popup) -> Vec<Effect> {
        match choice {
            Choice::Stay => self.open(popup),
            Choice::Close => Vec::new(),
            Choice::Do(act) => self.act(act),
            Choice::Go(screen, text) => {
                let effects = self.show(screen);
                self.say(Notice::info(text));
                effects
            }
            Choice::Copy(text) => {
                self.popup = Some(popup);
                self.copied(text)
            }
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
            Choice::Collect(order) => {
                if let Popup::Collect(sheet) = popup {
                    self.collecting = Some(sheet);
                }
                vec![Effect::Job(JobCmd::Collect(order))]
            }
        }
    }

    /// Takes in what a job says.
    fn job(&mut self, kind: JobKind, msg: JobMsg) -> Vec<Effect> {
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
                if kind == JobKind::Train {
                    self.screens.train.pauses(paused);
                }
                Vec::new()
            }
            JobMsg::Run(run) => {
                self.screens.train.follow(run);
                vec![Effect::Store(StoreCmd::Run(RunCmd::List))]
            }
            JobMsg::SavedAdapter(words) => {
                let then =
                    "an adapter whose model is not here (docs/engines.md says how it is asked)";
                self.say(Notice::info(format!("{words}; {then}")));
                vec![Effect::Store(StoreCmd::Run(RunCmd::List))]
            }
            JobMsg::Saved(words) => {
                let minds = &self.screens.explore.minds;
                let then = if minds.named {
                    format!("{} goes on answering in Explore (M)", clean(&minds.described))
                } else {
                    "it answers in Explore now".into()
                };
                self.say(Notice::info(format!("{words}; {then}")));
                vec![Effect::Mind(MindCmd::Renew), Effect::Store(StoreCmd::Run(RunCmd::List))]
            }
            JobMsg::Ended(result) => {
                self.jobs.remove(&kind);
                if kind == JobKind::Train {
                    self.screens.train.pauses(false);
                }
                // The queue goes on whatever ended before it, and says so.
                let next = self.screens.train.next_waiting().filter(|_| kind == JobKind::Train);
                let then = next.map_or(String::new(), |run| {
                    format!("; run {run}, which waited, starts now (x on it takes it out)")
                });
                match result {
                    Ok(text) => self.say(Notice::info(format!("{text}{then}"))),
                    Err(error) if error.is_cancelled() => {
                        let said = format!("{kind:?} stopped; nothing is lost{then}");
                        self.say(Notice::info(said));
                    }
                    Err(error) => self.say(Notice::error(&error)),
                }
                let mut effects = self.refresh();
                effects.extend(
                    (kind == JobKind::Train).then_some(Effect::Store(StoreCmd::Run(RunCmd::Next))),
                );
                effects
            }
        }
    }
}
