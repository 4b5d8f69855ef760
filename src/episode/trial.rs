//! Executing an alternative, and what it did beside the expert's action.

use super::worlds::{Leg, Worlds};
use crate::control::Cancel;
use crate::env::{Environment, Experts, Turn};
use crate::error::Result;
use crate::experience::{ActionEffect, Branch, Source};

/// What alternatives in a state are held against: where the expert's action leads, and how far the
/// goal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpertBaseline {
    /// The state the expert's action leads to.
    next: u64,
    /// Steps to the goal, where something knows: now, and after the expert's action.
    left: Option<usize>,
    left_after: Option<usize>,
}

/// What an action that was tried led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The turn after it.
    pub turn: Turn,
    /// What it did.
    pub effect: ActionEffect,
    /// Steps to the goal from there, if that was asked for and something knows.
    pub steps_left: Option<usize>,
}

fn distance(experts: &Experts, env: &dyn Environment) -> Option<usize> {
    experts.distance(env, &Cancel::default()).ok()
}

impl Trial {
    /// As an alternative of a trajectory's state, proposed by `source`.
    pub fn branch(&self, trajectory: i64, t: usize, action: String, source: Source) -> Branch {
        Branch {
            id: 0,
            trajectory,
            t,
            action,
            source,
            observation: self.turn.observation.to_string(),
            effect: self.effect,
            reward: self.turn.reward,
            done: self.turn.done,
            success: self.turn.success,
            created_ms: 0,
        }
    }
}

impl ExpertBaseline {
    /// For the expert's action in the state that a way leads to.
    pub fn new(worlds: &mut Worlds<'_>, way: &[Leg<'_>], action: &str) -> Result<Self> {
        let left = worlds.look(way, |env, experts| distance(experts, env))?;
        let (executed, left_after) =
            worlds.execute(way, action, |_, env, experts| distance(experts, env))?;
        Ok(Self { next: executed.after, left, left_after })
    }

    /// How an action compares that led to another state than the expert's, from which the goal is
    /// `after` steps away. One that starts a shortest way to the goal is as good as any: an expert
    /// that does not know the world may itself do worse. One that leaves the goal no farther than
    /// the expert's own step does is no worse, as far as steps tell.
    fn compare(&self, after: Option<usize>) -> ActionEffect {
        match (after, self.left, self.left_after) {
            (Some(after), Some(before), _) if after < before => ActionEffect::EquallyGood,
            (Some(after), _, Some(expert)) if after <= expert => ActionEffect::NoWorse,
            _ => ActionEffect::Changed,
        }
    }
}

/// Executes an action in the state that a way leads to and says what it did, held against the
/// expert's action where there is one. `measure` asks for the distance to the goal in any case.
pub fn try_action(
    worlds: &mut Worlds<'_>,
    way: &[Leg<'_>],
    action: &str,
    expert: Option<&ExpertBaseline>,
    measure: bool,
) -> Result<Trial> {
    let (executed, (effect, steps_left)) =
        worlds.execute(way, action, |executed, env, experts| {
            let known = measure.then(|| distance(experts, env));
            let effect = match expert {
                _ if executed.refused => ActionEffect::Error,
                _ if executed.turn.done => ActionEffect::Ends,
                _ if executed.after == executed.before => ActionEffect::NoOp,
                Some(expert) if expert.next == executed.after => ActionEffect::SameAsExpert,
                Some(expert) => expert.compare(known.unwrap_or_else(|| distance(experts, env))),
                None => ActionEffect::Changed,
            };
            (effect, known.flatten())
        })?;
    Ok(Trial { turn: executed.turn, effect, steps_left })
}
