//! Trajectories with their alternatives and reflections as token trees.

use crate::agent::prompt::Framing;
use crate::error::Result;
use crate::experience::{Branch, Trajectory};
use crate::model::tree::TokenTree;

use super::Mixture;

/// What a token of a tree is, as a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only read.
    Context,
    /// Part of the expert's action.
    Action,
    /// Part of a next observation.
    Observation,
    /// Part of a reflection, or of the action that follows one.
    Reflection,
}

/// A tree with the kind of each token.
#[derive(Debug, Clone, Default)]
pub struct Example {
    /// The trajectory it came from.
    pub trajectory: i64,
    /// The tokens; weights are set by [`Example::weigh`].
    pub tree: TokenTree,
    /// What each token is.
    pub kinds: Vec<Kind>,
}

/// Which parts of the data a tree carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carry {
    /// Executed alternatives.
    pub branches: bool,
    /// Approved reflections.
    pub reflections: bool,
}

/// Trees larger than this are split: the trunk is repeated as context, each target stands in one tree only.
const TREE_TOKENS: usize = 640;

impl Example {
    fn add(&mut self, parent: Option<usize>, tokens: &[u32], kind: Kind) -> Option<usize> {
        self.kinds.extend(std::iter::repeat_n(kind, tokens.len()));
        self.tree.extend(parent, tokens, 0.0)
    }

    /// Sets each token's weight by its kind, and returns whether any target is left.
    pub fn weigh(&mut self, mixture: &Mixture) -> bool {
        for ((weight, kind), parent) in self.tree.weights.iter_mut().zip(&self.kinds).zip(&self.tree.parents) {
            *weight = match kind {
                _ if parent.is_none() => 0.0,
                Kind::Context => 0.0,
                Kind::Action => mixture.action,
                Kind::Observation => mixture.observation,
                Kind::Reflection => mixture.reflection,
            };
        }
        self.tree.weights.iter().any(|weight| *weight > 0.0)
    }
}

/// The trees of one trajectory. Steps that do not fit into `context` tokens are left out from the end.
pub fn examples(
    framing: &Framing<'_>,
    trajectory: &Trajectory,
    branches: &[Branch],
    reflections: &[(usize, String)],
    carry: Carry,
    context: usize,
) -> Result<Vec<Example>> {
    let mut trunk = Example { trajectory: trajectory.id, ..Example::default() };
    let mut states = Vec::new();
    let mut at = trunk.add(None, &framing.opening(&trajectory.state(0))?, Kind::Context);
    for step in &trajectory.steps {
        let (action, observation) = (framing.action(&step.action)?, framing.observation(&step.observation)?);
        if trunk.tree.len() + action.len() + observation.len() + 2 > context {
            break;
        }
        states.push(at);
        at = trunk.add(at, &framing.act(), Kind::Context);
        at = trunk.add(at, &action, Kind::Action);
        at = trunk.add(at, &framing.observe(), Kind::Context);
        at = trunk.add(at, &observation, Kind::Observation);
    }
    let mut again = trunk.clone(); // the trunk as context for what does not fit beside its own targets
    again.kinds.fill(Kind::Context);
    let mut out = vec![trunk];
    let mut attach = |pieces: &[(Vec<u32>, Kind)], state: Option<usize>| {
        let size: usize = pieces.iter().map(|(tokens, _)| tokens.len()).sum();
        if out.last().is_some_and(|last| last.tree.len() + size > TREE_TOKENS.max(again.tree.len() + size)) {
            out.push(again.clone());
        }
        if let Some(tree) = out.last_mut() {
            let mut at = state;
            for (tokens, kind) in pieces {
                at = tree.add(at, tokens, *kind);
            }
        }
    };
    for branch in branches.iter().filter(|_| carry.branches) {
        let Some(state) = states.get(branch.t) else { continue };
        let mut given = framing.acted(&branch.action)?;
        given.extend(framing.observe());
        attach(&[(given, Kind::Context), (framing.observation(&branch.observation)?, Kind::Observation)], *state);
    }
    for (t, text) in reflections.iter().filter(|_| carry.reflections) {
        let (Some(state), Some(step)) = (states.get(*t), trajectory.steps.get(*t)) else { continue };
        // The action is attached from the trajectory, never taken from the generator's text.
        let mut target = framing.reflection(text)?;
        target.extend(framing.acted(&step.action)?);
        attach(&[(framing.think(), Kind::Context), (target, Kind::Reflection)], *state);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experience::{Effect, Purpose, Step};
    use crate::model::tokenizer::Tokenizer;

    fn trajectory(steps: usize) -> Trajectory {
        let step = |i: usize| Step {
            action: format!("walk to shelf {i}"),
            source: "walkthrough".into(),
            observation: format!("You reach the shelf {i}. It holds nothing."),
            admissible: vec![],
            done: false,
            success: false,
        };
        Trajectory {
            id: 9,
            suite: "household".into(),
            split: "train".into(),
            task_id: "train/1".into(),
            kind: "place".into(),
            task: "put a mug on the shelf.".into(),
            purpose: Purpose::Demonstration,
            actor: "walkthrough".into(),
            seed: 1,
            observation: "The room has a shelf 1.".into(),
            admissible: vec![],
            steps: (0..steps).map(step).collect(),
            created_ms: 0,
        }
    }

    fn branch(t: usize, action: &str) -> Branch {
        Branch {
            id: 1,
            trajectory: 9,
            t,
            action: action.into(),
            source: "uniform".into(),
            observation: "It is shut.".into(),
            effect: Effect::Changed,
            done: false,
            success: false,
        }
    }

    #[test]
    fn every_target_stands_once_however_the_trees_are_split() {
        let tokenizer = Tokenizer::train(&["walk to shelf 1 You reach the It holds nothing.".into()], 300).unwrap();
        let framing = Framing::new(&tokenizer).unwrap();
        let branches: Vec<Branch> = (0..60).map(|i| branch(i % 6, &format!("open shelf {i}"))).collect();
        let reflections = vec![(1, "I should look there.".to_string())];
        let both = Carry { branches: true, reflections: true };
        let all = examples(&framing, &trajectory(6), &branches, &reflections, both, 2048).unwrap();
        assert!(all.len() > 1);
        let count = |kind: Kind| all.iter().flat_map(|e| &e.kinds).filter(|k| **k == kind).count();
        let shut = framing.observation("It is shut.").unwrap().len();
        let trunk: usize = (0..6)
            .map(|i| framing.observation(&format!("You reach the shelf {i}. It holds nothing.")).unwrap().len())
            .sum();
        assert_eq!(count(Kind::Observation), 60 * shut + trunk);
        let reflection = framing.reflection("I should look there.").unwrap().len()
            + 1
            + framing.action("walk to shelf 1").unwrap().len();
        assert_eq!(count(Kind::Reflection), reflection);
        let none = Carry { branches: false, reflections: false };
        assert_eq!(examples(&framing, &trajectory(6), &branches, &reflections, none, 2048).unwrap().len(), 1);
    }

    #[test]
    fn weights_follow_the_objective_and_long_episodes_are_cut_at_the_context() {
        let tokenizer = Tokenizer::train(&["walk to shelf".into()], 280).unwrap();
        let framing = Framing::new(&tokenizer).unwrap();
        let carry = Carry { branches: false, reflections: false };
        let mut one = examples(&framing, &trajectory(50), &[], &[], carry, 400).unwrap().remove(0);
        assert!(one.tree.len() <= 400);
        assert!(one.weigh(&Mixture { action: 1.0, observation: 0.0, reflection: 0.0 }));
        let act = one.tree.weight();
        assert!(one.weigh(&Mixture { action: 1.0, observation: 1.0, reflection: 0.0 }) && one.tree.weight() > act);
        assert!(!one.weigh(&Mixture { action: 0.0, observation: 0.0, reflection: 1.0 }));
    }
}
