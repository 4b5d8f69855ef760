//! Explore, what is remembered of games while the program runs: what was thought and tried in their
//! states, and what policy and experts would do there.

use std::collections::{HashMap, VecDeque};

use crate::agent::argmax;
use crate::experience::State;
use crate::explore::{Outcome, View};

/// So many games are remembered besides the one that is open.
pub const GAMES: usize = 20;

/// Everything about one state, complete.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub thought: Option<String>,
    pub shares: Option<Vec<f64>>,
    pub chosen: Vec<(String, String)>,
    pub outcomes: Vec<Outcome>,
    pub predictions: Vec<String>,
    /// The same by action.
    pub foreseen: Vec<(String, String)>,
    pub went_on: HashMap<String, String>,
}

/// What is remembered of a game.
#[derive(Debug, Default)]
pub(super) struct Game {
    /// What was thought and tried in its states, so that going back shows it at once.
    pub known: HashMap<State, Known>,
    /// What was executed in its states; kept with a demonstration.
    pub tried: HashMap<State, Vec<Outcome>>,
    /// What was admissible in its states.
    listed: HashMap<State, Vec<String>>,
    /// What the policy finds likeliest in them.
    likeliest: HashMap<State, String>,
    /// What each expert, by name, would do in them.
    advised: HashMap<String, HashMap<State, String>>,
}

/// In how many of the states on the way here the policy's likeliest action is the expert's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agreed {
    /// In so many,
    pub same: usize,
    /// of so many that both are known in.
    pub of: usize,
    /// In so many others it is not known.
    pub unknown: usize,
}

/// The states on the way to a view, itself the last.
fn way(view: &View) -> impl Iterator<Item = State> {
    let history = &view.state.history;
    (0..=history.len()).map(|t| State { history: history[..t].to_vec(), ..view.state.clone() })
}

impl Game {
    /// Takes in what a view says of its state.
    pub(super) fn see(&mut self, view: &View) {
        let Some((_, advice)) = view.expert.as_ref().filter(|_| !view.done) else { return };
        let state = &view.state;
        self.listed.entry(state.clone()).or_insert_with(|| view.admissible.clone());
        let by = self.advised.entry(view.asked.clone()).or_default();
        by.entry(state.clone()).or_insert_with(|| advice.action.clone());
    }

    /// Takes in how likely the policy finds what is admissible in a state.
    pub(super) fn score(&mut self, state: &State, actions: &[String], shares: &[f64]) {
        if let Some(best) = argmax(shares).and_then(|at| actions.get(at)) {
            self.likeliest.entry(state.clone()).or_insert_with(|| best.clone());
        }
    }

    /// How often policy and expert agree on the way to a view.
    pub(super) fn agreed(&self, view: &View) -> Agreed {
        let advised = self.advised.get(&view.asked);
        let mut agreed = Agreed::default();
        for state in way(view) {
            match (advised.and_then(|by| by.get(&state)), self.likeliest.get(&state)) {
                (Some(expert), Some(policy)) => {
                    agreed.of += 1;
                    agreed.same += usize::from(expert == policy);
                }
                // Of the state in front it is about to be known, or there is nothing to do there.
                _ if state == view.state => {}
                _ => agreed.unknown += 1,
            }
        }
        agreed
    }

    /// A state on the way to a view in which the policy was not asked yet, and what was admissible
    /// there.
    pub(super) fn unscored(&self, view: &View) -> Option<(State, Vec<String>)> {
        let advised = self.advised.get(&view.asked)?;
        way(view).find_map(|state| {
            let open = advised.contains_key(&state) && !self.likeliest.contains_key(&state);
            let actions = self.listed.get(&state).filter(|actions| open && !actions.is_empty())?;
            Some((state, actions.clone()))
        })
    }
}

/// The game that is open, and those that were left.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The one that is open.
    pub game: Game,
    open: [String; 3],
    /// The one left last stands last.
    left: VecDeque<([String; 3], Game)>,
}

impl Memory {
    /// Takes up the game of a view, as it was left where it was; whether it is another one.
    pub(super) fn turn_to(&mut self, view: &View) -> bool {
        let wanted = [&view.suite, &view.split, &view.task_id].map(Clone::clone);
        if wanted == self.open {
            return false;
        }
        let place = self.left.iter().position(|(known, _)| *known == wanted);
        let game = place.and_then(|at| self.left.remove(at)).map(|(_, game)| game);
        let left = std::mem::replace(&mut self.game, game.unwrap_or_default());
        let open = std::mem::replace(&mut self.open, wanted);
        if open.iter().any(|word| !word.is_empty()) {
            self.left.push_back((open, left));
        }
        if self.left.len() > GAMES {
            self.left.pop_front();
        }
        true
    }

    fn each(&mut self, change: fn(&mut Game)) {
        std::iter::once(&mut self.game)
            .chain(self.left.iter_mut().map(|(_, game)| game))
            .for_each(change);
    }

    /// Alternatives are chosen in another way, or held against another expert, from now on.
    pub(super) fn forget_alternatives(&mut self) {
        self.each(|game| game.known.clear());
    }

    /// Another policy answers from now on.
    pub(super) fn forget_policy(&mut self) {
        self.each(|game| {
            game.known.clear();
            game.likeliest.clear();
        });
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
