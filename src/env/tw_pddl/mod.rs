//! The engine for real ALFWorld `game.tw-pddl` files: PDDL subset, twl2 grammar, names, admissible
//! commands, goal.
//!
//! Text, admissible commands and victory are meant to equal TextWorld 1.7.0 / ALFWorld 0.4.2 byte
//! for byte; the tests replay transcripts of that engine.

pub mod commands;
mod cursor;
pub mod derive;
mod experts;
pub mod facts;
mod fair;
mod formula;
pub mod game;
pub mod grammar;
pub mod matching;
pub mod pddl;
pub mod plan;
#[cfg(test)]
mod print;
pub mod prior;
pub mod problem;
mod roles;
pub mod seen;
pub mod sexpr;
mod teller;
pub mod world;

use std::sync::Arc;

use super::{Actions, Environment, Expert, Experts, Turn};
use crate::error::Result;
pub use experts::{Omniscient, Walkthrough};
pub use fair::Fair;
use game::Game;
use plan::Planner;
use world::World;

/// A running game behind the [`Environment`] trait.
#[derive(Debug, Clone)]
pub struct TwPddl {
    world: World,
    task: Arc<str>,
    turn: Turn,
}

impl TwPddl {
    /// A game at its start.
    pub fn new(game: &Arc<Game>) -> Result<Self> {
        let world = World::new(Arc::clone(game))?;
        let stated = game
            .task
            .as_deref()
            .unwrap_or_else(|| world.feedback.lines().last().unwrap_or_default());
        let task = stated
            .trim()
            .strip_prefix("Your task is to: ")
            .or_else(|| stated.trim().strip_prefix("Your errand: "))
            .unwrap_or(stated.trim())
            .into();
        let turn = turn_of(&world);
        Ok(Self { world, task, turn })
    }

    /// The engine below.
    pub fn world(&self) -> &World {
        &self.world
    }
}

fn turn_of(world: &World) -> Turn {
    Turn {
        observation: Arc::clone(&world.feedback),
        actions: Actions::listed(Arc::clone(world.commands())),
        reward: if world.won { 1.0 } else { 0.0 },
        done: world.won,
        success: world.won,
        truncated: false,
    }
}

impl Environment for TwPddl {
    fn task(&self) -> &str {
        &self.task
    }

    fn turn(&self) -> &Turn {
        &self.turn
    }

    fn step(&mut self, action: &str) -> Result<()> {
        self.world.step(action)?;
        self.turn = turn_of(&self.world);
        Ok(())
    }

    fn fork(&self) -> Result<Box<dyn Environment>> {
        Ok(Box::new(self.clone()))
    }

    fn fingerprint(&self) -> u64 {
        self.world.fingerprint()
    }

    fn identity(&self) -> Option<u64> {
        let facts = self.world.text_facts();
        let text = std::iter::once(&*self.task).chain(facts.iter().map(String::as_str));
        Some(crate::digest::of(text.chain([&*self.turn.observation])))
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// What this engine offers as experts of a game, the one that speaks by default first.
pub fn experts(game: &Arc<Game>) -> Result<Experts> {
    let planner = Arc::new(Planner::new(Arc::clone(game)));
    let mut list: Vec<Box<dyn Expert>> = Vec::new();
    if let Ok(fair) = Fair::new(Arc::clone(&planner), game) {
        list.push(Box::new(fair)); // a domain in words of its own is played by the planner
    }
    list.push(Box::new(Omniscient::new(planner)));
    list.push(Box::new(Walkthrough::new(game)?));
    Ok(Experts::new(list))
}
