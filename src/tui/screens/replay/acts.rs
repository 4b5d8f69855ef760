//! Replay, what its keys do.

use tui_input::Input;

use super::{Looked, State};
use crate::experience::{Purpose, Trajectory};
use crate::store::Listing;
use crate::tui::effect::{Effect, StoreCmd, WorldCmd};
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
    key("search", "/", Act::Search, "search", "look for words in this trajectory"),
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
        "demonstrations, explorations, evaluations, all",
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
            Act::Hit(_) => !self.words.is_empty(),
            Act::Raw
            | Act::Play
            | Act::Speed(_)
            | Act::Mark(_)
            | Act::Search
            | Act::BranchOff
            | Act::Export
            | Act::Compare => self.open.is_some(),
            _ => true,
        }
    }

    /// Does what a key means.
    pub fn act(&mut self, act: Act) -> Vec<Effect> {
        match act {
            Act::Step(true) => self.stand(self.t + 1),
            Act::Step(false) => self.stand(self.t.saturating_sub(1)),
            Act::Next => return self.walk(Direction::Down),
            Act::Previous => return self.walk(Direction::Up),
            Act::Open => return self.open_selected(),
            Act::Play => {
                self.playing = !self.playing && self.open.is_some();
                if self.playing && self.t == self.length() {
                    self.stand(0);
                }
            }
            Act::Speed(up) => self.speed = (self.speed + if up { 1 } else { -1 }).clamp(-3, 4),
            Act::Mark(forward) => self.find(forward, |state, t| !state.mark(t).is_empty()),
            Act::Hit(forward) => self.find(forward, Self::hit),
            Act::Search => self.typed = Some((Looked::Here, Input::new(self.words.clone()))),
            Act::Words => self.typed = Some((Looked::List, Input::new(self.listing.words.clone()))),
            Act::Raw => {
                let Some((trajectory, _)) = &self.open else { return Vec::new() };
                let title =
                    format!("State {} of trajectory {}, as a JSON string", self.t, trajectory.id);
                return vec![Effect::Show(title, raw(trajectory.observation_at(self.t)))];
            }
            Act::Export => {
                return self
                    .here()
                    .map(|(id, _)| Effect::Store(StoreCmd::ExportOne(id)))
                    .into_iter()
                    .collect();
            }
            Act::Compare => {
                let Some((trajectory, _)) = &self.open else { return Vec::new() };
                match &self.marked {
                    Some(other) if other.id != trajectory.id => {
                        return vec![Effect::Show(
                            "Where the two part".into(),
                            parting(other, trajectory),
                        )];
                    }
                    Some(_) => self.marked = None,
                    None => self.marked = Some(trajectory.clone()),
                }
            }
            Act::NextPurpose => {
                let purpose = match self.listing.purpose {
                    None => Some(Purpose::Demonstration),
                    Some(Purpose::Demonstration) => Some(Purpose::Evaluation),
                    Some(Purpose::Evaluation) => Some(Purpose::Exploration),
                    Some(Purpose::Exploration) => None,
                };
                return self.list_by(Listing { purpose, ..self.listing.clone() });
            }
            Act::NextOutcome => {
                let success = match self.listing.success {
                    None => Some(true),
                    Some(true) => Some(false),
                    Some(false) => None,
                };
                return self.list_by(Listing { success, ..self.listing.clone() });
            }
            Act::BranchOff => {
                let Some((id, t)) = self.here() else { return Vec::new() };
                return vec![
                    Effect::Go(Screen::Explore),
                    Effect::World(WorldCmd::BranchOff(id, t)),
                ];
            }
        }
        Vec::new()
    }
}

/// Two trajectories up to where they part, and what each did then.
pub fn parting(one: &Trajectory, other: &Trajectory) -> Vec<String> {
    let actions = |trajectory: &Trajectory| {
        trajectory.steps.iter().map(|step| step.action.clone()).collect::<Vec<_>>()
    };
    let left = actions(one);
    let right = actions(other);
    let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let mut lines = vec![
        format!(
            "{:<52} {}",
            format!("{} · {} by {}", one.id, one.task, one.actor),
            format!("{} · {} by {}", other.id, other.task, other.actor)
        ),
        String::new(),
    ];
    if one.task_id != other.task_id {
        lines.push("These are two different tasks.".into());
    }
    lines.push(format!("{same} steps alike:"));
    lines.extend(
        left[..same].iter().enumerate().map(|(t, action)| format!("{:>3} = {action}", t + 1)),
    );
    let rest = left.len().max(right.len());
    if same < rest {
        lines.push("then:".into());
    }
    for t in same..rest {
        let of = |actions: &[String]| actions.get(t).cloned().unwrap_or_else(|| "—".into());
        lines.push(format!("{:>3} {:<48} {}", t + 1, of(&left), of(&right)));
    }
    let end = |trajectory: &Trajectory| if trajectory.success() { "won" } else { "not won" };
    lines.push(format!("    {:<48} {}", end(one), end(other)));
    lines
}
