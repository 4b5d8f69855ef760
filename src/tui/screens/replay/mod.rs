//! Replay, the state: what happened, where did it go wrong, and what else could have happened
//! there?

mod acts;
mod flow;
mod group;
mod list;
mod parting;
mod scene;
pub mod view;

use crossterm::event::{Event, KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use crate::agent::prompt::rightness;
use crate::eval::{Blame, Chance};
use crate::experience::ActionEffect;
use crate::store::{Listing, Near, Page, Prediction, Told, TrajectorySummary};
use crate::train::rl::kept::{GroupView, Learnt};
use crate::train::rl::now::Now;
use crate::tui::effect::{Effect, Notice, StoreCmd};
use crate::tui::jobs::Jobs;
use crate::tui::keys::Direction;
use crate::tui::screens::Pane;
use crate::tui::text::pasted;
use crate::tui::theme::Theme;
use crate::tui::window::Window;
pub use acts::{Act, KEYS};
use group::{Group, Went};

/// What Replay is told.
#[derive(Debug)]
pub enum Msg {
    /// A part of a list of trajectories.
    List(Listing, Page<TrajectorySummary>),
    /// One trajectory with all that hangs off its states, and what was learnt from it, of a rollout.
    Opened(Box<Told>, Option<Box<Learnt>>),
    /// The group that a rollout belongs to.
    Group(i64, Box<GroupView>),
    /// Who is asked where a trajectory was lost, in a sentence.
    Asked(i64, String),
    /// How often a mind wins from a state of a trajectory.
    Chance(i64, Chance),
    /// What the policy that learnt from a rollout would do now.
    Now(i64, Box<Now>),
    /// Where a trajectory was lost.
    Blamed(Box<Blame>),
}

/// The screen's state.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a thing a person sees switched on or off"
)]
pub struct State {
    /// Which trajectories are listed.
    pub listing: Listing,
    /// They, the newest first.
    pub list: Window<TrajectorySummary>,
    /// The open trajectory with all that hangs off its states.
    pub open: Option<Box<Told>>,
    /// What was learnt from it, of a rollout.
    pub learnt: Option<Box<Learnt>>,
    /// What the policy that learnt from a rollout would do now, where it was asked.
    pub now: Option<(i64, Box<Now>)>,
    /// The group over the screen.
    pub group: Option<Group>,
    /// How often a mind wins from the states of a trajectory, as far as that is known.
    pub chances: Option<(i64, Vec<Chance>)>,
    /// The step that lost a trajectory, and what was found out about it.
    pub verdict: Option<(i64, usize, String)>,
    /// The state in front: 0 is the start.
    pub t: usize,
    /// Whether it plays.
    pub playing: bool,
    /// Twice as fast for every step up, half for every step down.
    pub speed: i8,
    /// What is searched for.
    pub words: String,
    /// Words that are being typed: to look for in this trajectory, or to list trajectories by.
    pub typed: Option<(Looked, Input)>,
    /// Lines that the state is scrolled by.
    pub scroll: u16,
    /// Whether keys that move go through the list, and not through the open trajectory.
    pub through_list: bool,
    /// The trajectory that another is held against.
    pub marked: Option<Box<Told>>,
    ticks: u32,
    /// What the last session had open.
    wanted: Option<(i64, usize)>,
    /// Whether the trajectory under the cursor is to be opened as soon as it is known which that
    /// is.
    follow: bool,
    /// Whether a person has chosen where this stands: until then it shows the newest trajectory.
    chosen: bool,
    /// Whether a person looks at it: what is read does not change by itself.
    front: bool,
}

/// Where words are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// In the open trajectory.
    Here,
    /// In the list.
    List,
}

/// A line for the status bar.
fn say(text: &str) -> Vec<Effect> {
    vec![Effect::Say(Notice::info(text.to_string()))]
}

impl State {
    /// The open trajectory and step.
    pub fn here(&self) -> Option<(i64, usize)> {
        self.open.as_ref().map(|told| (told.trajectory.id, self.t))
    }

    /// The trajectory and step to come back to; none where nobody has chosen one.
    pub fn standing_at(&self) -> Option<(i64, usize)> {
        self.wanted.or_else(|| self.here().filter(|_| self.chosen))
    }

    /// Takes up what the last session looked at.
    pub fn come_back(&mut self, listing: Listing, wanted: Option<(i64, usize)>) {
        self.listing = listing;
        self.wanted = wanted;
        self.chosen = wanted.is_some();
    }

    fn fetch(&self, near: Near) -> Effect {
        Effect::Store(StoreCmd::Trajectories(self.listing.clone(), near))
    }

    fn open_selected(&mut self) -> Vec<Effect> {
        let row = self.list.current().map(|row| row.id);
        self.follow = row.is_none();
        row.map(|id| Effect::Store(StoreCmd::Trajectory(id))).into_iter().collect()
    }

    fn walk(&mut self, direction: Direction) -> Vec<Effect> {
        let from = self.list.at();
        let near = self.list.go(direction);
        if self.list.at() == from {
            let end = if from == 0 { "the newest" } else { "the oldest" };
            return match self.list.total() {
                0 => say("nothing is listed"),
                1 => say("it is the only one that is listed"),
                _ => say(&format!("this is {end} of those that are listed")),
            };
        }
        let mut effects = self.open_selected();
        effects.extend(near.map(|near| self.fetch(near)));
        effects
    }

    fn list_by(&mut self, listing: Listing) -> Vec<Effect> {
        self.listing = listing;
        self.list.restart();
        self.follow = true;
        vec![self.fetch(Near::Position(0))]
    }

    /// The number of steps of the open trajectory.
    pub fn length(&self) -> usize {
        self.open.as_ref().map_or(0, |told| told.trajectory.steps.len())
    }

    fn stand(&mut self, t: usize) {
        self.t = t.min(self.length());
        self.scroll = 0;
    }

    /// What was expected of an action in state `t` by the model that was asked last, and how right
    /// that was.
    pub fn expected<'a>(
        &'a self,
        t: usize,
        action: &'a str,
        actual: &str,
    ) -> Option<(&'a Prediction, f64)> {
        let asked = self.open.as_ref()?.expected(t, action).next_back()?;
        Some((asked, rightness(&asked.text, actual)))
    }

    /// What the choice in state `t` was worth to the run that learnt from it.
    pub fn advantage(&self, t: usize) -> Option<f64> {
        self.learnt.as_ref()?.choices.get(t)?.advantage
    }

    /// What the policy would do now in the open rollout, where it was asked.
    pub fn now(&self) -> Option<&Now> {
        let (id, now) = self.now.as_ref()?;
        self.here().filter(|(open, _)| open == id).map(|_| now.as_ref())
    }

    /// How often a mind wins from state `t`, where that was found out.
    pub fn chance(&self, t: usize) -> Option<&Chance> {
        let (id, all) = self.chances.as_ref()?;
        self.here().filter(|(open, _)| open == id)?;
        all.iter().find(|chance| chance.t == t)
    }

    /// What stands out about state `t`; empty for most.
    pub fn mark(&self, t: usize) -> &'static str {
        let Some(told) = &self.open else { return "" };
        let Told { trajectory, branches, .. } = told.as_ref();
        let Some(step) = t.checked_sub(1).and_then(|before| trajectory.steps.get(before)) else {
            return "";
        };
        let lost = self
            .verdict
            .as_ref()
            .is_some_and(|(id, at, _)| (*id, at.saturating_add(1)) == (trajectory.id, t));
        let same = trajectory.observation_at(t - 1).trim() == step.observation.trim();
        let better = branches
            .iter()
            .any(|b| b.t + 1 == t && (b.success || b.effect == ActionEffect::EquallyGood));
        let again = trajectory.steps[..t - 1]
            .iter()
            .any(|s| s.action == step.action && s.observation == step.observation);
        let wrong = self
            .expected(t - 1, &step.action, &step.observation)
            .is_some_and(|(_, right)| right < 0.5);
        match () {
            () if step.success => "won",
            () if lost => "lost here",
            () if step.truncated => "cut off",
            () if step.observation.trim() == "Nothing happens." => "refused",
            () if same => "no-op",
            () if better => "as good",
            () if wrong => "not foreseen",
            () if again => "again",
            () => "",
        }
    }

    /// Whether what led to state `t`, what was seen there or was written about it contains what is
    /// searched for.
    pub fn hit(&self, t: usize) -> bool {
        let Some(told) = self.open.as_ref().filter(|_| !self.words.is_empty()) else {
            return false;
        };
        let trajectory = &told.trajectory;
        let words = self.words.to_lowercase();
        let action = t.checked_sub(1).and_then(|before| trajectory.steps.get(before));
        let written = told.reflections_at(t).map(|reflection| reflection.text.as_str());
        action
            .map(|step| step.action.as_str())
            .into_iter()
            .chain([trajectory.observation_at(t)])
            .chain(written)
            .any(|text| text.to_lowercase().contains(&words))
    }

    /// The next state (or the one before) that fulfils a condition; stays where there is none, and
    /// says so.
    fn find(
        &mut self,
        forward: bool,
        what: &str,
        holds: impl Fn(&Self, usize) -> bool,
    ) -> Vec<Effect> {
        let found = if forward {
            (self.t + 1..=self.length()).find(|t| holds(self, *t))
        } else {
            (0..self.t).rev().find(|t| holds(self, *t))
        };
        if let Some(t) = found {
            self.stand(t);
            Vec::new()
        } else {
            let side = if forward { "after" } else { "before" };
            say(&format!("{what} {side} step {}", self.t))
        }
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::List(listing, page) if listing == self.listing => {
                let near = self.list.take(page, |a, b| a.id == b.id);
                let mut effects: Vec<Effect> =
                    near.map(|near| self.fetch(near)).into_iter().collect();
                if let (None, Some((id, _))) = (&self.open, self.wanted) {
                    self.list.find(|row| row.id == id);
                }
                let newest = !self.chosen && !self.front;
                if newest {
                    effects.extend(self.list.go(Direction::First).map(|near| self.fetch(near)));
                }
                let another = self.list.current().map(|row| row.id) != self.here().map(|at| at.0);
                if self.open.is_none() || self.follow || (newest && another) {
                    effects.extend(self.open_selected());
                }
                return effects;
            }
            Msg::Opened(told, learnt) => {
                let id = told.trajectory.id;
                // Another trajectory starts at its first step; the same one stays where it is.
                if self.here().is_none_or(|(open, _)| open != id) {
                    self.t = 0;
                    self.scroll = 0;
                }
                let wanted = self.wanted.take().filter(|(wanted, _)| *wanted == id);
                self.open = Some(told);
                self.learnt = learnt;
                if let Some((_, t)) = wanted {
                    self.t = t;
                }
                self.t = self.t.min(self.length());
            }
            Msg::Group(open, view) if self.here().is_some_and(|(id, _)| id == open) => {
                self.group = Some(Group::new(&view, open));
            }
            Msg::List(..) | Msg::Group(..) => {}
            Msg::Asked(id, who) => self.verdict = Some((id, usize::MAX, who)),
            Msg::Chance(id, chance) => {
                let known = self.chances.take().filter(|(of, _)| *of == id && chance.t > 0);
                let mut all = known.map_or_else(Vec::new, |(_, all)| all);
                all.push(chance);
                self.chances = Some((id, all));
            }
            Msg::Now(id, now) => self.now = Some((id, now)),
            Msg::Blamed(blame) => {
                let said = blame.in_words();
                let certain = blame.step.as_ref().filter(|step| step.is_certain);
                let lost = certain.map_or(usize::MAX, |step| step.t);
                self.verdict = Some((blame.trajectory, lost, said));
                let here = self.here().is_some_and(|(id, _)| id == blame.trajectory);
                if let (true, Some(step)) = (here, &blame.step) {
                    self.stand(step.t + 1);
                }
                self.chances = Some((blame.trajectory, blame.chances));
            }
        }
        Vec::new()
    }
}

impl Pane for State {
    /// The list again, around the trajectory under the cursor.
    fn refresh(&self) -> Vec<Effect> {
        let row = self.list.current().map(|row| row.id).or(self.wanted.map(|(id, _)| id));
        vec![self.fetch(row.map_or(Near::Position(self.list.at()), Near::Row))]
    }

    fn tick(&mut self, front: bool, _jobs: &Jobs) -> Vec<Effect> {
        self.front = front;
        self.ticks = self.ticks.wrapping_add(1);
        let slow = 1u32 << self.speed.min(0).unsigned_abs().min(8);
        if self.playing && self.ticks.is_multiple_of(slow) {
            self.stand(self.t + (1 << self.speed.clamp(0, 6)));
            self.playing = self.t < self.length();
        }
        Vec::new()
    }

    fn is_typing(&self) -> bool {
        self.typed.is_some() || self.group.is_some()
    }

    fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        if let Some(group) = &mut self.group {
            return Some(match group.key(key) {
                Went::On => Vec::new(),
                Went::Away => {
                    self.group = None;
                    Vec::new()
                }
                Went::Open(id, t) => {
                    self.group = None;
                    self.wanted = Some((id, t));
                    vec![Effect::Store(StoreCmd::Trajectory(id))]
                }
            });
        }
        let (looked, mut input) = self.typed.take()?;
        let words = || input.value().trim().to_string();
        match key.code {
            KeyCode::Esc => {}
            KeyCode::Enter if looked == Looked::List => {
                return Some(self.list_by(Listing { words: words(), ..self.listing.clone() }));
            }
            KeyCode::Enter => {
                self.words = words();
                self.chosen = true;
                return Some(self.look());
            }
            _ => {
                input.handle_event(&Event::Key(key));
                self.typed = Some((looked, input));
            }
        }
        Some(Vec::new())
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        if let Some((_, input)) = &mut self.typed {
            pasted(input, text);
        }
        Vec::new()
    }

    /// Moves in the panel whose frame is bright.
    fn go(&mut self, direction: Direction) -> Vec<Effect> {
        self.chosen = true;
        match direction {
            _ if self.through_list => return self.walk(direction),
            _ if self.open.is_none() => return say("nothing is open"),
            Direction::Up => return self.step(false),
            Direction::Down => return self.step(true),
            Direction::First => self.stand(0),
            Direction::Last => self.stand(self.length()),
            Direction::PageDown => self.scroll = self.scroll.saturating_add(8).min(4000),
            Direction::PageUp => self.scroll = self.scroll.saturating_sub(8),
        }
        Vec::new()
    }

    fn next_panel(&mut self) {
        self.through_list = !self.through_list;
    }

    fn copy(&self, json: bool) -> Option<String> {
        let trajectory = &self.open.as_ref()?.trajectory;
        if json {
            serde_json::to_string_pretty(trajectory).ok()
        } else {
            Some(trajectory.observation_at(self.t).to_string())
        }
    }

    fn draw(&self, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
        view::draw(self, theme, frame, area);
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
