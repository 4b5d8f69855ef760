//! Explore, the state: what should I do here, what would I have done, and what would have happened?

mod acts;
mod cells;
mod overlays;
pub mod panels;
mod typing;
pub mod view;

use std::collections::HashMap;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use crate::agent::alternatives::AlternativeSampling;
use crate::agent::{Scores, argmax};
use crate::experience;
use crate::explore::{EvaluateState, HUMAN, Outcome, View};
use crate::surprise::Surprise;
use crate::tui::collecting::Offered;
use crate::tui::effect::{Effect, MindCmd, WorldCmd};
use crate::tui::keys::Direction;
use crate::tui::screens::Pane;
use crate::tui::text::fuzzy;
use crate::tui::theme::Theme;
pub use acts::{Act, KEYS};
use panels::Panel;
pub use typing::Typing;

/// What Explore is told.
#[derive(Debug)]
pub enum Msg {
    /// Where the session stands.
    View {
        /// The node.
        view: Box<View>,
        /// The task's place in its split, from 1.
        place: usize,
        /// Tasks in the split.
        of: usize,
    },
    /// What the policy thinks before it acts, for a ticket.
    Thought(u64, String),
    /// The policy's share of each admissible action, for a ticket, and how it is known.
    Scores(u64, Vec<f64>, Scores),
    /// The alternatives, for a ticket.
    Chosen(u64, Vec<(String, String)>),
    /// Predictions (the expert's action first, if there is one), for a ticket; whether they are
    /// complete.
    Predicted(u64, Vec<String>, bool),
    /// What the alternatives of a node really led to.
    Outcomes(usize, Vec<Outcome>),
    /// The model that answers.
    Model(String),
    /// How the policy's play went on from an action of a node.
    WentOn(usize, String, String),
    /// States of demonstrations, the most surprising first.
    Surprises(Vec<Surprise>),
}

/// The screen's state.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a thing a person sees switched on or off"
)]
pub struct State {
    /// The node, once the world has answered.
    pub view: Option<View>,
    /// The task's place in its split, and the split's size.
    pub place: (usize, usize),
    /// The model that answers.
    pub model: String,
    /// Whether the policy thinks before it acts.
    pub thinking: bool,
    /// What it thought here.
    pub thought: Option<String>,
    /// Shares of the admissible actions, after that thought if there is one.
    pub shares: Option<Vec<f64>>,
    /// How they are known.
    pub scores: Scores,
    /// The alternatives.
    pub chosen: Vec<(String, String)>,
    /// What they led to.
    pub outcomes: Vec<Outcome>,
    /// Predictions, the expert's first.
    pub predictions: Vec<String>,
    /// Whether they are complete.
    pub predicted: bool,
    /// The admissible action under the cursor.
    pub selected: usize,
    /// The panel in front.
    pub panel: Panel,
    /// Whether that panel takes the whole screen.
    pub whole: bool,
    /// What is being typed.
    pub typing: Option<Typing>,
    /// Whether the advice of expert and model is hidden.
    pub hidden: bool,
    /// States of demonstrations, the most surprising first, once they were looked for.
    pub surprises: Vec<Surprise>,
    /// Lines that the what-ifs are scrolled by.
    pub scroll: u16,
    /// The what-if under the cursor, the expert's being 0; where it is seen, the list goes along.
    pub cell: usize,
    /// Whether the list goes along with the cursor.
    pub follow: bool,
    /// How the policy's play went on, by action.
    pub went_on: HashMap<String, String>,
    /// In how many of the states walked through the policy's likeliest action is the expert's, of
    /// how many known.
    pub agreed: (usize, usize),
    /// How alternatives are chosen.
    pub choosing: AlternativeSampling,
    /// The node that another is to be compared with.
    pub marked: Option<usize>,
    ticket: u64,
    /// How many more of them were asked for in this state.
    more: usize,
    /// What was thought and tried in states of this task, so that going back shows it at once.
    known: HashMap<experience::State, Known>,
    /// What was executed in states of this task; kept with a demonstration.
    tried: HashMap<experience::State, Vec<Outcome>>,
}

/// Everything about one state, complete.
#[derive(Debug, Clone)]
struct Known {
    thought: Option<String>,
    shares: Option<Vec<f64>>,
    chosen: Vec<(String, String)>,
    outcomes: Vec<Outcome>,
    predictions: Vec<String>,
    /// The same by action.
    foreseen: Vec<(String, String)>,
    went_on: HashMap<String, String>,
    /// Whether the policy's likeliest action is the expert's, where there is one.
    agrees: Option<bool>,
}

impl State {
    /// The split being explored.
    pub fn split(&self) -> Option<&str> {
        self.view.as_ref().map(|view| view.split.as_str())
    }

    /// Who demonstrates when games are collected: the expert that speaks; a person cannot be asked
    /// in bulk.
    pub fn offered(&self) -> Offered {
        Offered {
            splits: self.split().map(str::to_string).into_iter().collect(),
            experts: self.expert().into_iter().collect(),
            kinds: Vec::new(),
        }
    }

    /// The same alone.
    pub fn expert(&self) -> Option<String> {
        self.view.as_ref().map(|view| view.asked.clone()).filter(|asked| asked != HUMAN)
    }

    /// Admissible actions in the order shown: with `filter`, those that match it, the best first.
    pub fn shown_actions(&self, filter: &str) -> Vec<(usize, &str)> {
        let all: Vec<&str> =
            self.view.iter().flat_map(|view| view.admissible.iter()).map(String::as_str).collect();
        if !filter.trim().is_empty() {
            return fuzzy(filter, all.iter().copied()).into_iter().map(|i| (i, all[i])).collect();
        }
        let mut found: Vec<_> = all.into_iter().enumerate().collect();
        if let Some(shares) = self.shares.as_ref().filter(|_| !self.hidden) {
            found.sort_by(|a, b| {
                shares
                    .get(b.0)
                    .unwrap_or(&0.0)
                    .total_cmp(shares.get(a.0).unwrap_or(&0.0))
                    .then(a.0.cmp(&b.0))
            });
        }
        found
    }

    pub(super) fn look(&mut self) -> Vec<Effect> {
        self.ticket += 1;
        let Some(view) = self.view.as_ref().filter(|view| !view.done) else { return Vec::new() };
        let expert = view.expert.as_ref().map(|(_, advice)| advice.action.clone());
        vec![Effect::Mind(MindCmd::Evaluate(Box::new(EvaluateState {
            ticket: self.ticket,
            state: view.state.clone(),
            actions: view.admissible.clone(),
            forms: view.forms.clone(),
            expert,
            choosing: AlternativeSampling { k: self.choosing.k + self.more, ..self.choosing },
            think: self.thinking,
        })))]
    }

    /// Keeps what is known of this state once it is complete.
    fn learn(&mut self) {
        let Some(view) = self.view.as_ref().filter(|_| self.whole()) else { return };
        let known = Known {
            thought: self.thought.clone(),
            shares: self.shares.clone(),
            chosen: self.chosen.clone(),
            outcomes: self.outcomes.clone(),
            predictions: self.predictions.clone(),
            foreseen: self.what_ifs().into_iter().zip(self.predictions.iter().cloned()).collect(),
            went_on: self.went_on.clone(),
            agrees: self.agrees(view),
        };
        self.known.insert(view.state.clone(), known);
        self.agreed = self.agreement();
    }

    /// Whether the policy's likeliest admissible action is the expert's.
    fn agrees(&self, view: &View) -> Option<bool> {
        let expert = view.expert.as_ref().map(|(_, advice)| advice.action.as_str())?;
        let best = argmax(self.shares.as_ref()?)?;
        Some(view.admissible.get(best).map(String::as_str) == Some(expert))
    }

    /// How often it was, in the states on the way here whose answer is known.
    fn agreement(&self) -> (usize, usize) {
        let Some(view) = &self.view else { return (0, 0) };
        let mut state = experience::State { history: Vec::new(), ..view.state.clone() };
        let mut counts = (0, 0);
        for t in 0..=view.state.history.len() {
            if let Some(agrees) = self.known.get(&state).and_then(|known| known.agrees) {
                counts = (counts.0 + usize::from(agrees), counts.1 + 1);
            }
            state.history.extend(view.state.history.get(t).cloned());
        }
        counts
    }

    fn whole(&self) -> bool {
        self.predicted && self.outcomes.len() == self.chosen.len()
    }

    /// The actions of the what-ifs, the expert's first.
    pub(super) fn what_ifs(&self) -> Vec<String> {
        let expert = self
            .view
            .iter()
            .filter_map(|view| view.expert.as_ref())
            .map(|(_, advice)| advice.action.clone());
        expert.chain(self.chosen.iter().map(|(action, _)| action.clone())).collect()
    }

    /// Chooses alternatives in another way from now on.
    pub(super) fn choose_by(&mut self, choosing: AlternativeSampling) -> Vec<Effect> {
        if choosing == self.choosing {
            return Vec::new();
        }
        self.choosing = choosing;
        self.more = 0;
        self.known.clear();
        self.forget();
        self.look()
    }

    fn forget(&mut self) {
        self.thought = None;
        self.shares = None;
        self.chosen.clear();
        self.outcomes.clear();
        self.predictions.clear();
        self.went_on.clear();
        self.predicted = false;
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::View { view, place, of } => {
                let another = self.view.as_ref().is_none_or(|old| old.task_id != view.task_id);
                if another {
                    self.marked = None;
                    self.tried.clear();
                }
                // Another expert says other things about the same state.
                if another || self.view.as_ref().is_some_and(|old| old.asked != view.asked) {
                    self.known.clear();
                }
                let known = self.known.get(&view.state).cloned();
                self.view = Some(*view);
                self.place = (place, of);
                self.selected = 0;
                self.more = 0;
                self.scroll = 0;
                self.cell = 0;
                self.forget();
                self.agreed = self.agreement();
                let Some(known) = known else { return self.look() };
                self.ticket += 1; // answers about the state before are no longer wanted
                self.thought = known.thought;
                self.shares = known.shares;
                self.chosen = known.chosen;
                self.outcomes = known.outcomes;
                self.predictions = known.predictions;
                self.predicted = true;
                self.went_on = known.went_on;
            }
            Msg::Model(source) => {
                self.model = source;
                self.known.clear();
                self.forget();
                return self.look();
            }
            Msg::Thought(ticket, text) if ticket == self.ticket => self.thought = Some(text),
            Msg::Scores(ticket, shares, scores) if ticket == self.ticket => {
                self.shares = Some(shares);
                self.scores = scores;
            }
            Msg::Chosen(ticket, chosen) if ticket == self.ticket => {
                let node = self.view.as_ref().map(|view| view.node);
                self.chosen.clone_from(&chosen);
                return node
                    .map(|node| Effect::World(WorldCmd::Execute(node, chosen)))
                    .into_iter()
                    .collect();
            }
            Msg::Predicted(ticket, predictions, complete) if ticket == self.ticket => {
                self.predictions = predictions;
                self.predicted = complete;
                self.learn();
            }
            Msg::WentOn(node, action, how)
                if self.view.as_ref().is_some_and(|view| view.node == node) =>
            {
                self.went_on.insert(action, how);
                self.learn();
            }
            Msg::Surprises(found) => self.surprises = found,
            Msg::Outcomes(node, outcomes)
                if self.view.as_ref().is_some_and(|view| view.node == node) =>
            {
                if let Some(view) = &self.view {
                    self.tried.insert(view.state.clone(), outcomes.clone());
                }
                self.outcomes = outcomes;
                self.learn();
            }
            // About a state left since.
            Msg::Thought(..)
            | Msg::Scores(..)
            | Msg::Chosen(..)
            | Msg::Predicted(..)
            | Msg::Outcomes(..)
            | Msg::WentOn(..) => {}
        }
        Vec::new()
    }
}

impl Pane for State {
    fn refresh(&self) -> Vec<Effect> {
        Vec::new() // the world says where it stands whenever that changes
    }

    fn is_typing(&self) -> bool {
        self.typing.is_some()
    }

    fn typing(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        self.type_key(key)
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        self.type_text(text);
        Vec::new()
    }

    fn go(&mut self, direction: Direction) -> Vec<Effect> {
        self.move_cursor(direction);
        Vec::new()
    }

    fn next_panel(&mut self) {
        self.panel = self.panel.next();
    }

    fn copy(&self, json: bool) -> Option<String> {
        let view = self.view.as_ref()?;
        let actual = |outcome: &Outcome| {
            serde_json::json!({"action": outcome.action, "source": outcome.source,
            "observation": outcome.observation, "effect": outcome.effect,
            "steps_left": outcome.steps_left})
        };
        if json {
            let tried: Vec<_> =
                view.expert_outcome.iter().chain(&self.outcomes).map(actual).collect();
            let value = serde_json::json!({"suite": view.suite, "split": view.split,
            "task_id": view.task_id,
                "task": view.task, "history": view.state.history, "observation": view.observation,
                "admissible": view.admissible, "thought": self.thought, "shares": self.shares,
                "executed": tried});
            return serde_json::to_string_pretty(&value).ok();
        }
        Some(view.observation.clone())
    }

    fn settled(&self) -> bool {
        self.view.as_ref().is_none_or(|view| view.done || self.whole())
    }

    fn place(&self) -> Option<[String; 2]> {
        let view = self.view.as_ref()?;
        let (place, of) = self.place;
        Some([
            format!("{} / {} / {place} of {of}", view.suite, view.split),
            format!("{place}/{of}"),
        ])
    }

    fn draw(&self, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
        view::draw(self, theme, frame, area);
    }
}
