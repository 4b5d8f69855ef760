//! The engine for real ALFWorld `game.tw-pddl` files: PDDL subset, twl2 grammar, names, admissible commands, goal.
//!
//! Text, admissible commands and victory are meant to equal TextWorld 1.7.0 / ALFWorld 0.4.2 byte for byte; the tests
//! replay transcripts of that engine.

pub mod commands;
mod cursor;
pub mod derive;
pub mod facts;
pub mod game;
pub mod grammar;
pub mod matching;
pub mod pddl;
pub mod plan;
pub mod seen;
pub mod sexpr;
pub mod world;

use std::sync::Arc;

use super::{Advice, Environment, Expert, Turn};
use crate::error::Result;
use game::Game;
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
        let stated = game.task.as_deref().unwrap_or_else(|| world.feedback.lines().last().unwrap_or_default());
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
        admissible: Some(Arc::clone(world.commands())),
        done: world.won,
        success: world.won,
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

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// The stored walkthrough as an expert: it has an answer in every state that the walkthrough passes through, however
/// the agent came there, and none anywhere else.
#[derive(Debug)]
pub struct Walkthrough {
    /// State fingerprint, action, steps left (this one included).
    path: Vec<(u64, String, usize)>,
}

impl Walkthrough {
    /// Plays the game's walkthrough once on a world of its own to learn which states it passes through.
    pub fn new(game: &Arc<Game>) -> Result<Self> {
        let mut env = TwPddl::new(game)?;
        let mut path = Vec::new();
        for (i, action) in game.walkthrough.iter().enumerate() {
            path.push((env.fingerprint(), action.clone(), game.walkthrough.len() - i));
            env.step(action)?;
        }
        if !env.turn().success {
            path.clear(); // a plan that does not win is no expert
        }
        Ok(Self { path })
    }
}

impl Expert for Walkthrough {
    fn name(&self) -> &'static str {
        "walkthrough"
    }

    fn advise(&self, env: &dyn Environment) -> Option<Advice> {
        if env.turn().done {
            return None;
        }
        // From the end: a state that the plan passes twice is best left by its last visit.
        let here = env.fingerprint();
        let (_, action, left) = self.path.iter().rev().find(|(state, _, _)| *state == here)?;
        Some(Advice { action: action.clone(), steps_left: Some(*left) })
    }
}
