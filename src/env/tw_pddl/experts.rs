//! Experts that know the whole game: its stored walkthrough, and the planner.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::TwPddl;
use super::game::Game;
use super::plan::{Limits, Planner, Solution};
use crate::budget::{within, work};
use crate::control::Cancel;
use crate::env::{Advice, Environment, Expert, NoAdvice, PLANNER};
use crate::error::Result;

/// The engine behind an environment of this suite.
pub(super) fn engine(env: &dyn Environment) -> Result<&TwPddl, NoAdvice> {
    if env.turn().success {
        return Err(NoAdvice::Done);
    }
    env.as_any()
        .downcast_ref()
        .ok_or_else(|| NoAdvice::Other("this expert knows only PDDL text games".into()))
}

/// The stored walkthrough as an expert: it has an answer in every state that the walkthrough passes
/// through, however the agent came there, and none anywhere else.
#[derive(Debug)]
pub struct Walkthrough {
    /// How the world stands, action, steps left (this one included).
    path: Vec<(u64, String, usize)>,
}

/// Units of work for all of its steps: real ones take a few thousand.
const WORK: u64 = 100_000_000;

impl Walkthrough {
    /// Plays the game's walkthrough once on a world of its own to learn which states it passes
    /// through.
    pub fn new(game: &Arc<Game>) -> Result<Self> {
        within(WORK, "playing the stored walkthrough", || {
            let mut env = TwPddl::new(game)?;
            let mut path = Vec::new();
            for (i, action) in game.walkthrough.iter().enumerate() {
                work(1 + env.world().fluents().all().len() as u64 / 8)?;
                path.push((env.world().standing(), action.clone(), game.walkthrough.len() - i));
                env.step(action)?;
            }
            if !env.turn().success {
                path.clear(); // a plan that does not win is no expert
            }
            Ok(Self { path })
        })
    }
}

impl Expert for Walkthrough {
    fn name(&self) -> &'static str {
        "walkthrough"
    }

    fn advise(&self, env: &dyn Environment, _: &Cancel) -> Result<Advice, NoAdvice> {
        if env.turn().done {
            return Err(NoAdvice::Done);
        }
        // From the end: a state that the plan passes twice is best left by its last visit.
        let here = engine(env).map(|env| env.world().standing()).map_err(|_| NoAdvice::OffPath)?;
        let found = self.path.iter().rev().find(|(state, _, _)| *state == here);
        let (_, action, left) = found.ok_or(NoAdvice::OffPath)?;
        Ok(Advice { action: action.clone(), steps_left: Some(*left) })
    }
}

/// The planner as an expert: a shortest way from any state, with everything known.
#[derive(Debug)]
pub struct Omniscient {
    planner: Arc<Planner>,
    /// What it said, by how the world stood.
    memo: Mutex<HashMap<u64, Said>>,
}

/// What it said about a state, and which commands start a shortest way, where that was asked.
type Said = (Result<Advice, NoAdvice>, Option<Vec<Arc<str>>>);

/// More states than this are not remembered.
const MEMO: usize = 100_000;

impl Omniscient {
    /// With a game's planner.
    pub fn new(planner: Arc<Planner>) -> Self {
        Self { planner, memo: Mutex::default() }
    }

    fn ask(
        &self,
        env: &TwPddl,
        starts: bool,
        cancel: &Cancel,
    ) -> Result<(Advice, Vec<Arc<str>>), NoAdvice> {
        let here = env.world().standing();
        let known = self.memo.lock().unwrap_or_else(PoisonError::into_inner).get(&here).cloned();
        match known {
            Some((Err(why), _)) => return Err(why),
            Some((Ok(advice), Some(list))) => return Ok((advice, list)),
            Some((Ok(advice), None)) if !starts => return Ok((advice, Vec::new())),
            _ => {}
        }
        let usual = Limits { cancel: Some(cancel.clone()), ..Limits::default() };
        // All starts are asked for one state at a time, by a person who waits: they had better be
        // all.
        let patient = Limits {
            nodes: 20 * usual.nodes,
            time: Some(Duration::from_secs(20)),
            ..usual.clone()
        };
        let plan =
            self.planner.plan(env.world(), starts, if starts { &patient } else { &usual })?;
        let mut memo = self.memo.lock().unwrap_or_else(PoisonError::into_inner);
        if memo.len() > MEMO {
            memo.clear();
        }
        let why = match plan {
            Solution::Found { steps, starts: list } => {
                // The states along the way are answered as well, so that following a plan follows
                // this one.
                for (i, (state, command)) in steps.iter().enumerate().rev() {
                    let advice =
                        Advice { action: command.to_string(), steps_left: Some(steps.len() - i) };
                    let list = (starts && i == 0).then(|| list.clone());
                    let entry = memo.entry(*state).or_insert((Ok(advice), None));
                    entry.1 = entry.1.take().or(list);
                }
                let advice = memo.get(&here).and_then(|(advice, _)| advice.clone().ok());
                return advice.map(|advice| (advice, list)).ok_or(NoAdvice::Done);
            }
            Solution::Cancelled => return Err(NoAdvice::Cancelled),
            Solution::Unsolvable => NoAdvice::Unsolvable,
            Solution::GaveUp(nodes) => NoAdvice::GaveUp(nodes),
        };
        memo.insert(here, (Err(why.clone()), None));
        Err(why)
    }
}

impl Expert for Omniscient {
    fn name(&self) -> &'static str {
        PLANNER
    }

    fn advise(&self, env: &dyn Environment, cancel: &Cancel) -> Result<Advice, NoAdvice> {
        self.ask(engine(env)?, false, cancel).map(|(advice, _)| advice)
    }

    fn optimal_actions(
        &self,
        env: &dyn Environment,
        cancel: &Cancel,
    ) -> Result<Vec<Arc<str>>, NoAdvice> {
        self.ask(engine(env)?, true, cancel).map(|(_, starts)| starts)
    }
}
