//! Explore, the state: what should I do here, what would I have done, and what would have happened?

mod acts;
pub mod beside;
mod cells;
pub mod chooser;
mod memory;
mod overlays;
mod pane;
pub mod panels;
mod refusals;
mod room;
mod trunk;
mod typing;
pub mod view;
mod what_if;

use std::collections::HashMap;

use crate::agent::alternatives::AlternativeSampling;
use crate::agent::{Scores, Spent};
use crate::experience::called;
use crate::explore::{EvaluateState, HUMAN, Outcome, ScoreState, View};
use crate::surprise::Surprise;
use crate::tui::effect::{Effect, MindCmd, Notice, WorldCmd};
use crate::tui::screens::Pane;
use crate::tui::text::fuzzy;
pub use acts::{Act, KEYS};
use beside::Beside;
use chooser::Games;
pub use memory::{Agreed, GAMES};
use memory::{Known, Memory};
use panels::{Panel, Seen};
pub use typing::{Minds, Typing};

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
    /// That there are no (more) answers for a ticket, and why.
    Silent(u64, String),
    /// The model that answers.
    Model(Minds),
    /// What was spent on it so far, where tokens are paid for.
    Spent(Spent),
    /// Of another mind, asked beside it.
    Beside(beside::Told),
    /// How the policy's play went on from an action of a node.
    WentOn(usize, String, String),
    /// The policy's share of each action that was admissible in a state passed before, for a count
    /// of policies.
    Scored(u64, Box<ScoreState>, Vec<f64>),
    /// States of demonstrations, the most surprising first.
    Surprises(Vec<Surprise>),
    /// The games of a split, and where else there are some; whether it is what is open.
    Games(Games, bool),
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
    /// Who answers.
    pub minds: Minds,
    /// What was spent on them since they were loaded, where tokens are paid for.
    pub spent: Option<Spent>,
    /// Who is asked beside them, if anybody.
    pub beside: Option<Beside>,
    /// How often another mind was asked for.
    minds_asked: u64,
    /// Whether the policy thinks before it acts.
    pub thinking: bool,
    /// Why it does not answer here, if it does not.
    silent: Option<String>,
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
    /// How often policy and expert agree on the way here.
    pub agreed: Agreed,
    /// How alternatives are chosen.
    pub choosing: AlternativeSampling,
    /// The node that another is to be compared with.
    pub marked: Option<usize>,
    /// The node that the cursor of the tree looks at; none for where one stands.
    looking: Option<usize>,
    /// The first line of the observation that is shown; none for what is as a rule.
    read: Option<u16>,
    /// What the last frame had room for.
    seen: Seen,
    ticket: u64,
    /// How many policies have answered so far.
    policies: u64,
    /// How many more alternatives were asked for in this state.
    more: usize,
    /// What is remembered of this game and of those before.
    memory: Memory,
    /// What can be chosen from where one is, as far as it was listed.
    around: Games,
}

impl State {
    /// The split being explored.
    pub fn split(&self) -> Option<&str> {
        self.view.as_ref().map(|view| view.split.as_str())
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
        };
        self.memory.game.known.insert(view.state.clone(), known);
    }

    /// Asks the policy about a state that was passed before it had answered, once it has nothing
    /// else to do: how often it agrees is counted over all of them.
    fn catch_up(&self) -> Vec<Effect> {
        let Some(view) = self.view.as_ref().filter(|_| self.settled()) else { return Vec::new() };
        let Some((state, actions)) = self.memory.game.unscored(view) else { return Vec::new() };
        let of = self.to_score(state, actions);
        vec![Effect::Mind(MindCmd::Score(self.policies, Box::new(of)))]
    }

    /// A state to be scored as states are now.
    fn to_score(&self, state: crate::experience::State, actions: Vec<String>) -> ScoreState {
        ScoreState { state, actions, seed: self.choosing.seed, think: self.thinking }
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
        self.memory.forget_alternatives();
        self.forget();
        self.look()
    }

    /// What stands where an answer of the policy is not there: that it comes, or that it does not.
    fn waits(&self) -> &'static str {
        if self.silent.is_some() { "-" } else { "…" }
    }

    fn forget(&mut self) {
        self.silent = None;
        self.thought = None;
        self.shares = None;
        self.chosen.clear();
        self.outcomes.clear();
        self.predictions.clear();
        self.went_on.clear();
        self.predicted = false;
        self.clear_beside();
    }

    /// Stands in another state, or in the same one seen otherwise.
    fn turn_to(&mut self, view: View, place: (usize, usize)) -> Vec<Effect> {
        let another = self.memory.turn_to(&view);
        let before = self.view.replace(view);
        let Some(view) = &self.view else { return Vec::new() };
        let spoke = before.as_ref().filter(|before| before.asked != view.asked);
        // Another expert says other things about the same state.
        if spoke.is_some() {
            self.memory.forget_alternatives();
        }
        // Who speaks is said even where what is said is hidden.
        let said = spoke.filter(|_| !another).map(|_| {
            let now = if view.asked == HUMAN { "are" } else { "is" };
            Notice::info(format!("{} {now} the expert now", called(&view.asked)))
        });
        let moved = another || before.as_ref().is_none_or(|before| before.node != view.node);
        if moved {
            self.looking = None;
            self.read = None;
        }
        if another {
            self.marked = None;
        }
        self.memory.game.see(view);
        self.agreed = self.memory.game.agreed(view);
        let known = self.memory.game.known.get(&view.state).cloned();
        let done = view.done;
        self.place = place;
        self.selected = 0;
        self.more = 0;
        self.scroll = 0;
        self.cell = 0;
        self.forget();
        let mut effects: Vec<Effect> = said.map(Effect::Say).into_iter().collect();
        if let Some(known) = known {
            self.ticket += 1; // answers about the state before are no longer wanted
            self.thought = known.thought;
            self.shares = known.shares;
            self.chosen = known.chosen;
            self.outcomes = known.outcomes;
            self.predictions = known.predictions;
            self.predicted = true;
            self.went_on = known.went_on;
            effects.extend(self.look_beside());
            effects.extend(self.catch_up());
        } else if done {
            self.ticket += 1;
            effects.extend(self.catch_up());
        } else {
            effects.extend(self.look());
        }
        effects
    }

    /// Another policy answers from now on: another model, or one that thinks first.
    fn another_policy(&mut self) -> Vec<Effect> {
        self.policies += 1;
        self.memory.forget_policy();
        self.forget();
        self.agreed =
            self.view.as_ref().map_or(Agreed::default(), |view| self.memory.game.agreed(view));
        self.look()
    }

    /// Takes in a message.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::View { view, place, of } => return self.turn_to(*view, (place, of)),
            Msg::Model(minds) => {
                self.minds = minds;
                self.spent = None;
                return self.another_policy();
            }
            Msg::Spent(spent) => self.spent = Some(spent),
            Msg::Beside(told) => return self.hear_beside(told),
            Msg::Silent(ticket, why) if ticket == self.ticket => self.silent = Some(why),
            Msg::Thought(ticket, text) if ticket == self.ticket => self.thought = Some(text),
            Msg::Scores(ticket, shares, scores) if ticket == self.ticket => {
                if let Some(view) = &self.view {
                    self.memory.game.score(&view.state, &view.admissible, &shares);
                    self.agreed = self.memory.game.agreed(view);
                }
                self.shares = Some(shares);
                self.scores = scores;
            }
            Msg::Scored(policies, of, shares) if policies == self.policies => {
                self.memory.game.score(&of.state, &of.actions, &shares);
                self.agreed =
                    self.view.as_ref().map_or(self.agreed, |view| self.memory.game.agreed(view));
                return self.catch_up();
            }
            Msg::Chosen(ticket, chosen) if ticket == self.ticket => {
                let node = self.view.as_ref().map(|view| view.node);
                self.chosen.clone_from(&chosen);
                let execute = node.map(|node| Effect::World(WorldCmd::Execute(node, chosen)));
                return execute.into_iter().chain(self.look_beside()).collect();
            }
            Msg::Predicted(ticket, predictions, complete) if ticket == self.ticket => {
                self.predictions = predictions;
                self.predicted = complete;
                self.learn();
                return self.catch_up();
            }
            Msg::WentOn(node, action, how)
                if self.view.as_ref().is_some_and(|view| view.node == node) =>
            {
                self.went_on.insert(action, how);
                self.learn();
            }
            Msg::Surprises(found) => self.surprises = found,
            Msg::Games(games, open) => self.take_games(games, open),
            Msg::Outcomes(node, outcomes)
                if self.view.as_ref().is_some_and(|view| view.node == node) =>
            {
                if let Some(view) = &self.view {
                    self.memory.game.tried.insert(view.state.clone(), outcomes.clone());
                }
                self.outcomes = outcomes;
                self.learn();
                return self.catch_up();
            }
            // About a state left since.
            Msg::Thought(..)
            | Msg::Silent(..)
            | Msg::Scores(..)
            | Msg::Scored(..)
            | Msg::Chosen(..)
            | Msg::Predicted(..)
            | Msg::Outcomes(..)
            | Msg::WentOn(..) => {}
        }
        Vec::new()
    }
}
