//! Executing an alternative, and what it did beside the expert's action.

use crate::control::Cancel;
use crate::env::{Environment, Experts};
use crate::error::Result;
use crate::experience::Effect;

/// What alternatives in a state are held against: where the expert's action leads, and how far the goal is.
pub struct Yardstick<'a> {
    experts: &'a Experts,
    /// The state the expert's action leads to.
    next: u64,
    /// Steps to the goal, where something knows: now, and after the expert's action.
    left: Option<usize>,
    left_after: Option<usize>,
}

impl<'a> Yardstick<'a> {
    /// For the expert's action in a state.
    pub fn new(experts: &'a Experts, env: &dyn Environment, action: &str) -> Result<Self> {
        let next = try_action(env, action, None)?.0;
        let distance = |env: &dyn Environment| experts.distance(env, &Cancel::default()).ok();
        Ok(Self { experts, next: next.fingerprint(), left: distance(env), left_after: distance(next.as_ref()) })
    }

    /// How the action that led to `next`, another state than the expert's, compares by distance. One that starts a
    /// shortest way to the goal is as good as any: an expert that does not know the world may itself do worse. One that
    /// leaves the goal no farther than the expert's own step does is no worse, as far as steps tell.
    fn compare(&self, next: &dyn Environment) -> Effect {
        let Ok(after) = self.experts.distance(next, &Cancel::default()) else { return Effect::Changed };
        match (self.left, self.left_after) {
            (Some(before), _) if after < before => Effect::EquallyGood,
            (_, Some(expert)) if after <= expert => Effect::NoWorse,
            _ => Effect::Changed,
        }
    }
}

/// Executes an alternative on a fork and says what it did, held against the expert's action where there is one.
pub fn try_action(
    env: &dyn Environment,
    action: &str,
    expert: Option<&Yardstick<'_>>,
) -> Result<(Box<dyn Environment>, Effect)> {
    let mut fork = env.fork()?;
    let refused = !env.turn().admits(action);
    fork.step(action)?;
    let after = fork.fingerprint();
    let effect = match expert {
        _ if refused => Effect::Error,
        _ if fork.turn().done => Effect::Ends,
        _ if after == env.fingerprint() => Effect::NoOp,
        Some(expert) if expert.next == after => Effect::SameAsExpert,
        Some(expert) => expert.compare(fork.as_ref()),
        None => Effect::Changed,
    };
    Ok((fork, effect))
}
