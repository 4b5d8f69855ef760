//! Replay, what its keys do.

use tui_input::Input;

use super::parting::parting;
use super::{Looked, State, say};
use crate::experience::Purpose;
use crate::store::Listing;
use crate::text::clean;
use crate::tui::effect::{Effect, JobCmd, StoreCmd, WorldCmd};
use crate::tui::keys::{Direction, Key, key};
use crate::tui::screen::Screen;
use crate::tui::text::raw;

/// What keys do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Open the selected trajectory.
    Open,
    /// A step on (or back).
    Step(bool),
    /// Play or pause a replay.
    Play,
    /// Faster (or slower).
    Speed(bool),
    /// The next (or the previous) mark.
    Mark(bool),
    /// Look for text.
    Search,
    /// The next (or the previous) hit.
    Hit(bool),
    /// Another task or item.
    Next,
    /// The one before.
    Previous,
    /// What the environment gave, character by character.
    Raw,
    /// Branch off in Explore.
    BranchOff,
    /// The group of a rollout.
    Group,
    /// What the policy would do now.
    Policy,
    /// Where it was lost.
    Blame,
    /// Mark this trajectory, or see where it parts from the marked one.
    Compare,
    /// Write as files.
    Export,
    /// List what was saved for the next purpose.
    NextPurpose,
    /// List only trajectories with certain words.
    Words,
    /// List by what came of it.
    NextOutcome,
}

/// The keys of this screen.
pub const KEYS: &[Key<Act>] = &[
    key("open", "enter", Act::Open, "open", "open the selected trajectory"),
    key("left", ", h left", Act::Step(false), "", "a step back"),
    key("right", ". l right", Act::Step(true), "step", "a step on"),
    key("play", "space", Act::Play, "play", "play, or stop playing"),
    key("faster", "+ =", Act::Speed(true), "faster", "play faster"),
    key("slower", "-", Act::Speed(false), "", "play slower"),
    key(
        "next-mark",
        "}",
        Act::Mark(true),
        "mark",
        "the next step with a mark: no-op, refused, not foreseen, the same again, an alternative \
         as good, won",
    ),
    key("previous-mark", "{", Act::Mark(false), "", "the mark before"),
    key(
        "search",
        "/",
        Act::Search,
        "search",
        "look for words in this trajectory and its reflections",
    ),
    key("next-hit", "n", Act::Hit(true), "", "the next hit"),
    key("previous-hit", "N", Act::Hit(false), "", "the hit before"),
    key("next", "]", Act::Next, "next", "the next trajectory"),
    key("previous", "[", Act::Previous, "", "the trajectory before"),
    key("raw", "v", Act::Raw, "", "the step exactly as it is stored"),
    key("branch", "b", Act::BranchOff, "branch", "open Explore on this step"),
    key(
        "compare",
        "d",
        Act::Compare,
        "",
        "mark this trajectory; on another one, see where the two part",
    ),
    key(
        "group",
        "t",
        Act::Group,
        "",
        "of a rollout: its group as a tree; A is what a choice was worth beside others of its state or group",
    ),
    key(
        "policy",
        "p",
        Act::Policy,
        "",
        "of a rollout: beside what the policy would have done then what the newest checkpoint of its run would do now",
    ),
    key(
        "blame",
        "w",
        Act::Blame,
        "",
        "where it was lost: who played it, or who is nearest to that, plays on 16 times from every state, at temperature 0.4, and 32 times around the step that is suspected (again: stop)",
    ),
    key(
        "export",
        "X",
        Act::Export,
        "export",
        "write it as text, as a web page and as an asciinema cast",
    ),
    key(
        "filter",
        "f",
        Act::NextPurpose,
        "filter",
        "demonstrations, evaluations, explorations, visits, rollouts, all",
    ),
    key(
        "list",
        "F",
        Act::Words,
        "",
        "only trajectories whose task, kind, suite or actor contain these words; empty for all",
    ),
    key(
        "outcome",
        "o",
        Act::NextOutcome,
        "",
        "only those that reached the goal, only those that did not, all",
    ),
];

impl State {
    /// Whether a key means something now.
    pub fn applies(&self, act: Act) -> bool {
        match act {
            Act::Hit(_)
            | Act::Step(_)
            | Act::Raw
            | Act::Play
            | Act::Speed(_)
            | Act::Mark(_)
            | Act::Search
            | Act::BranchOff
            | Act::Blame
            | Act::Export
            | Act::Compare => self.open.is_some(),
            Act::Group | Act::Policy => self.learnt.is_some(),
            _ => true,
        }
    }

    /// Does what a key means.
    pub fn act(&mut self, act: Act) -> Vec<Effect> {
        self.chosen = true;
        match act {
            Act::Step(forward) => self.step(forward),
            Act::Next => self.walk(Direction::Down),
            Act::Previous => self.walk(Direction::Up),
            Act::Open => {
                self.through_list = false;
                if self.list.total() == 0 { say("nothing is listed") } else { self.open_selected() }
            }
            Act::Play => self.play(),
            Act::Speed(up) => self.pace(up),
            Act::Mark(forward) => {
                self.find(forward, "nothing is marked", |state, t| !state.mark(t).is_empty())
            }
            Act::Hit(_) if self.words.is_empty() => say("/ looks for words first"),
            Act::Hit(forward) => {
                let what = format!("\"{}\" is not found", clean(&self.words));
                self.find(forward, &what, Self::hit)
            }
            Act::Search => {
                self.typed = Some((Looked::Here, Input::new(self.words.clone())));
                Vec::new()
            }
            Act::Words => {
                self.typed = Some((Looked::List, Input::new(self.listing.words.clone())));
                Vec::new()
            }
            Act::Raw => self.raw(),
            Act::Export => {
                let here = self.here().map(|(id, _)| Effect::Store(StoreCmd::ExportOne(id)));
                here.into_iter().collect()
            }
            Act::Group => match (self.here(), &self.learnt) {
                (Some((id, _)), Some(_)) => vec![Effect::Store(StoreCmd::GroupOf(id))],
                _ => say("no run has learnt from this trajectory"),
            },
            Act::Policy => {
                self.here().map_or_else(Vec::new, |(id, _)| vec![Effect::Job(JobCmd::Policy(id))])
            }
            Act::Blame => {
                self.here().map_or_else(Vec::new, |(id, _)| vec![Effect::Job(JobCmd::Blame(id))])
            }
            Act::Compare => self.compare(),
            Act::NextPurpose => {
                let purpose = match self.listing.purpose {
                    None => Some(Purpose::Demonstration),
                    Some(Purpose::Demonstration) => Some(Purpose::Evaluation),
                    Some(Purpose::Evaluation) => Some(Purpose::Exploration),
                    Some(Purpose::Exploration) => Some(Purpose::Visit),
                    Some(Purpose::Visit) => Some(Purpose::Rollout),
                    Some(Purpose::Rollout) => None,
                };
                self.list_by(Listing { purpose, ..self.listing.clone() })
            }
            Act::NextOutcome => {
                let success = match self.listing.success {
                    None => Some(true),
                    Some(true) => Some(false),
                    Some(false) => None,
                };
                self.list_by(Listing { success, ..self.listing.clone() })
            }
            Act::BranchOff => self.here().map_or_else(Vec::new, |(id, t)| {
                vec![Effect::Go(Screen::Explore), Effect::World(WorldCmd::BranchOff(id, t))]
            }),
        }
    }

    /// A step on or back, or why there is none.
    pub(super) fn step(&mut self, forward: bool) -> Vec<Effect> {
        let from = self.t;
        self.stand(if forward { from + 1 } else { from.saturating_sub(1) });
        match (self.t == from, forward) {
            (true, true) => say("this is the last state; ] goes to the next trajectory"),
            (true, false) => say("this is the start"),
            _ => Vec::new(),
        }
    }

    fn play(&mut self) -> Vec<Effect> {
        if self.length() == 0 {
            return say("it has no steps to play");
        }
        self.playing = !self.playing;
        if self.playing && self.t == self.length() {
            self.stand(0);
        }
        Vec::new()
    }

    fn pace(&mut self, up: bool) -> Vec<Effect> {
        let before = self.speed;
        self.speed = (before + if up { 1 } else { -1 }).clamp(-3, 4);
        match (self.speed == before, up) {
            (true, true) => say("it plays no faster than this"),
            (true, false) => say("it plays no slower than this"),
            _ => Vec::new(),
        }
    }

    fn raw(&self) -> Vec<Effect> {
        let Some(told) = &self.open else { return Vec::new() };
        let trajectory = &told.trajectory;
        let title = format!("State {} of trajectory {}, as a JSON string", self.t, trajectory.id);
        vec![Effect::Show(title, raw(trajectory.observation_at(self.t)))]
    }

    /// Looks for what was typed, from here on and then from the start.
    pub(super) fn look(&mut self) -> Vec<Effect> {
        if self.words.is_empty() {
            return say("nothing is searched for any more");
        }
        let around = (self.t..=self.length()).chain(0..self.t);
        let Some(t) = around.into_iter().find(|t| self.hit(*t)) else {
            let words = clean(&self.words);
            return say(&format!("no step, observation or reflection here contains \"{words}\""));
        };
        self.stand(t);
        let hits = (0..=self.length()).filter(|t| self.hit(*t)).count();
        let states = if hits == 1 { "1 state has".into() } else { format!("{hits} states have") };
        say(&format!("{states} \"{}\"; n and N go through them", clean(&self.words)))
    }

    fn compare(&mut self) -> Vec<Effect> {
        let Some(told) = &self.open else { return Vec::new() };
        let id = told.trajectory.id;
        match &self.marked {
            Some(other) if other.trajectory.id != id => {
                let lines = parting(&other.trajectory, &told.trajectory);
                vec![Effect::Show("Where the two part".into(), lines)]
            }
            Some(_) => {
                self.marked = None;
                say(&format!("trajectory {id} is no longer marked"))
            }
            None => {
                self.marked = Some(told.clone());
                say(&format!("trajectory {id} is marked: d on another shows where the two part"))
            }
        }
    }
}
