//! Trajectories with their alternatives and reflections as token trees.
//!
//! One trajectory is one tree, whatever hangs off it: that is the unit which is sampled, so an
//! update is the same amount of demonstrations under every objective. What a mixture gives no
//! weight is cut off before anything is computed.

use crate::agent::prompt::{Framing, ROOM, window};
use crate::budget::work;
use crate::digest::Digest;
use crate::error::Result;
use crate::experience::{Branch, Trajectory};
use crate::model::tree::TokenTree;
use crate::selection::{Chosen, Item};

use super::Mixture;

/// What a token of a tree is, as a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenRole {
    /// Only read.
    Context,
    /// Part of the expert's action.
    Action,
    /// Part of a next observation.
    Observation,
    /// Part of a reflection.
    Reflection,
    /// Part of the expert's action after a reflection.
    Conclusion,
}

/// Kinds of targets and how metrics are called after them.
pub const TARGETS: [(TokenRole, &str); 4] = [
    (TokenRole::Action, "action"),
    (TokenRole::Observation, "observation"),
    (TokenRole::Reflection, "reflection"),
    (TokenRole::Conclusion, "conclusion"),
];

impl TokenRole {
    /// Its place in [`TARGETS`]; none of what is only read.
    pub fn slot(self) -> Option<usize> {
        TARGETS.iter().position(|(kind, _)| *kind == self)
    }
}

/// A tree with the kind of each token, under no mixture yet: its weights mean nothing.
#[derive(Debug, Clone, Default)]
pub struct Example {
    /// The trajectory it came from.
    pub trajectory: i64,
    /// The tokens.
    pub tree: TokenTree,
    /// What each token is.
    pub kinds: Vec<TokenRole>,
    /// Targets that no path within the model's context reaches: they are left out.
    pub too_long: usize,
    /// Whether something that can be done in a state stands beside the expert's action.
    pub lists: bool,
}

impl Example {
    pub(super) fn add(
        &mut self,
        parent: Option<usize>,
        tokens: &[u32],
        kind: TokenRole,
    ) -> Option<usize> {
        self.kinds.extend(std::iter::repeat_n(kind, tokens.len()));
        self.tree.extend(parent, tokens, 0.0)
    }

    /// The tree under a mixture: each token's weight by its kind, and nothing below which no target
    /// stands. None if there is no target.
    pub fn weighed(&self, mixture: &Mixture) -> Option<Self> {
        self.cut(|i| self.tree.parents[i].map_or(0.0, |_| mixture.of(self.kinds[i])))
    }

    /// The tree with other weights, and nothing below which no target stands. None if there is no
    /// target.
    pub(super) fn cut(&self, weight: impl Fn(usize) -> f32) -> Option<Self> {
        let mut kept: Vec<bool> = (0..self.tree.len()).map(|i| weight(i) != 0.0).collect();
        for i in (0..kept.len()).rev().filter(|i| self.tree.parents[*i].is_some()) {
            let above = self.tree.parents[i].unwrap_or_default();
            kept[above] |= kept[i];
        }
        let mut place = vec![None; kept.len()];
        let mut out = Self {
            lists: self.lists,
            trajectory: self.trajectory,
            too_long: self.too_long,
            ..Self::default()
        };
        for i in (0..kept.len()).filter(|i| kept[*i]) {
            place[i] = Some(out.tree.len());
            out.tree.tokens.push(self.tree.tokens[i]);
            out.tree.parents.push(self.tree.parents[i].and_then(|parent| place[parent]));
            out.tree.weights.push(weight(i));
            out.kinds.push(self.kinds[i]);
        }
        (!out.tree.is_empty()).then_some(out)
    }

    /// Adds every token with what it is.
    pub(super) fn digested(&self, digest: &mut Digest) {
        for (token, kind) in self.tree.tokens.iter().zip(&self.kinds) {
            digest.add(&[token.to_le_bytes().as_slice(), &[*kind as u8]].concat());
        }
    }

    /// Every text that is a target, by what it is, with the tokens before it. An action after a
    /// reflection is part of it.
    pub fn pairs(&self) -> Vec<(&'static str, Vec<u32>, Vec<u32>)> {
        let tree = &self.tree;
        let kinds = &self.kinds;
        let text = |i: usize| {
            if kinds[i] == TokenRole::Conclusion { TokenRole::Reflection } else { kinds[i] }
        };
        let mut found: Vec<(&'static str, Vec<u32>, Vec<u32>)> = Vec::new();
        // The pair that a token of a text belongs to.
        let mut of: Vec<Option<usize>> = vec![None; tree.len()];
        for i in 0..tree.len() {
            let (Some(slot), Some(above)) = (text(i).slot(), tree.parents[i]) else { continue };
            if text(above) == text(i) {
                of[i] = of[above];
            } else {
                let mut before = vec![tree.tokens[above]];
                let mut at = tree.parents[above];
                while let Some(node) = at {
                    before.push(tree.tokens[node]);
                    at = tree.parents[node];
                }
                before.reverse();
                of[i] = Some(found.len());
                found.push((TARGETS[slot].1, before, Vec::new()));
            }
            if let Some(pair) = of[i] {
                found[pair].2.push(tree.tokens[i]);
            }
        }
        found
    }

    /// How many targets of each kind of [`TARGETS`] there are.
    pub fn targets(&self) -> [u64; 4] {
        let mut counts = [0; 4];
        let below =
            self.kinds.iter().zip(&self.tree.parents).filter(|(_, parent)| parent.is_some());
        below.filter_map(|(kind, _)| kind.slot()).for_each(|slot| counts[slot] += 1);
        counts
    }
}

/// Writes the tree of one trajectory.
pub(super) struct Writer<'a> {
    framing: &'a Framing<'a>,
    context: usize,
    pub example: Example,
    /// Tokens of each turn (action and observation with what frames them).
    lengths: Vec<usize>,
    pub opening: Option<usize>,
    opening_len: usize,
    /// By step, whether the expert's action stands in the tree.
    pub fits: Vec<bool>,
    roles: Roles,
}

/// What of a trajectory is a target, beside its alternatives and reflections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Its actions: they are the expert's.
    pub actions: bool,
    /// The next states of its own steps: where an expert or a policy played, not on the way to a
    /// state that a person reflected on.
    pub next_states: bool,
    /// Whether what else could be done is written beside the expert's action: what a policy chooses
    /// from.
    pub listed: bool,
}

impl Roles {
    /// Of a demonstration.
    pub const DEMONSTRATION: Self = Self { actions: true, next_states: true, listed: false };
    /// Of an exploration.
    pub const EXPLORATION: Self = Self { actions: false, next_states: false, listed: false };
    /// Of a visit.
    pub const VISIT: Self = Self { actions: false, next_states: true, listed: false };

    /// Of what was chosen.
    pub fn of(item: &Item) -> Self {
        match (item.demonstration, item.answers.is_empty()) {
            (true, _) => Self::DEMONSTRATION,
            (false, true) => Self::EXPLORATION,
            (false, false) => Self::VISIT,
        }
    }
}

/// A tree of more tokens is not made: it is one of thousands of steps, each with a window of its
/// own.
const LARGEST: usize = 1 << 20;

/// Where the states of a trajectory stand in its tree: the last token, and how many there are up to
/// it.
pub(super) type Place = (Option<usize>, usize);

/// The tree of a trajectory for a model that reads `context` tokens. None when its first observation
/// alone is more than the model reads, or all of it more than 1,048,576 tokens.
pub fn example(
    framing: &Framing<'_>,
    of: &Chosen,
    roles: Roles,
    context: usize,
) -> Result<Option<Example>> {
    let Chosen { trajectory, branches, reflections, answers } = of;
    let written = trunk(framing, trajectory, answers, roles, context)?;
    let Some((mut writer, states)) = written else { return Ok(None) };
    for answer in answers {
        writer.answer(answer, trajectory, &states)?;
    }
    for branch in branches {
        writer.branch(branch, &states)?;
    }
    for reflection in reflections {
        let (Some(place), Some(step)) =
            (states.get(reflection.t), trajectory.steps.get(reflection.t))
        else {
            continue;
        };
        // The action is attached from the trajectory, never taken from the generator's text.
        writer.reflection(&reflection.text, &step.action, *place)?;
    }
    Ok(Some(writer.example))
}

/// The trajectory itself, with what could be done where that is wanted.
pub(super) fn trunk<'a>(
    framing: &'a Framing<'a>,
    trajectory: &Trajectory,
    answers: &[Branch],
    roles: Roles,
    context: usize,
) -> Result<Option<(Writer<'a>, Vec<Place>)>> {
    let opening = framing.opening(&trajectory.state(0))?;
    if opening.len() + ROOM > context {
        return Ok(None);
    }
    let mut example = Example { trajectory: trajectory.id, ..Example::default() };
    let end = example.add(None, &opening, TokenRole::Context);
    let mut writer = Writer {
        framing,
        context,
        example,
        lengths: Vec::new(),
        opening: end,
        opening_len: opening.len(),
        fits: Vec::new(),
        roles,
    };
    let Some(states) = writer.trunk(trajectory, answers)? else { return Ok(None) };
    if roles.listed {
        writer.listed(trajectory, &states)?;
    }
    Ok(Some((writer, states)))
}

impl Writer<'_> {
    /// The trajectory itself. Where a state is longer than what is read when acting, it loses its
    /// oldest turns there and here alike: it begins anew below the opening, with the turns that are
    /// left as context.
    fn trunk(&mut self, trajectory: &Trajectory, answers: &[Branch]) -> Result<Option<Vec<Place>>> {
        let as_answered =
            |t: usize, action: &str| answers.iter().any(|own| own.t == t && own.action == action);
        let next_kind = self.next_kind();
        let mut states = Vec::with_capacity(trajectory.steps.len());
        let mut at = self.opening;
        let mut depth = self.opening_len;
        let mut first = 0;
        // Turns as context, each tokenised once however many windows it stands in.
        let mut turns: Vec<Option<Vec<u32>>> = vec![None; trajectory.steps.len()];
        for (t, step) in trajectory.steps.iter().enumerate() {
            if self.example.tree.len() > LARGEST {
                return Ok(None);
            }
            let start = window(&self.lengths, self.context - ROOM - self.opening_len);
            if start != first {
                at = self.opening;
                depth = self.opening_len;
                first = start;
                for (step, known) in trajectory.steps[start..t].iter().zip(&mut turns[start..t]) {
                    work(1)?;
                    if known.is_none() {
                        *known = Some(self.framing.turn(&step.action, &step.observation)?);
                    }
                    let turn = known.as_deref().unwrap_or_default();
                    depth += turn.len();
                    at = self.example.add(at, turn, TokenRole::Context);
                }
            }
            states.push((at, depth));
            // A state whose every turn is left out stands where the first does: their lists would
            // be one.
            let alone = self.roles.listed && t > 0 && at == self.opening;
            let is_own = self.roles.actions && trajectory.is_imitated(t);
            let is_target = is_own || as_answered(t, &step.action);
            let own_kind = if is_target && !alone { TokenRole::Action } else { TokenRole::Context };
            let action = [
                (self.framing.act(), TokenRole::Context),
                (self.framing.action(&step.action)?, own_kind),
            ];
            // What nobody saw (the end of a captured conversation) is no target.
            let next_kind =
                if step.observation.is_empty() { TokenRole::Context } else { next_kind };
            let next = [
                (self.framing.observe(), TokenRole::Context),
                (self.framing.observation(&step.observation)?, next_kind),
            ];
            let length: usize = action.iter().chain(&next).map(|(tokens, _)| tokens.len()).sum();
            self.lengths.push(length);
            let end = self.attach((at, depth), &action);
            self.fits.push(end.is_some());
            if let Some(end) = end {
                at = self.attach(end, &next).map_or(at, |end| end.0);
            }
            depth += length; // where it did not fit, the next state begins anew
        }
        Ok(Some(states))
    }

    /// What the next state of a step is, whose choice it was aside.
    fn next_kind(&self) -> TokenRole {
        if self.roles.next_states { TokenRole::Observation } else { TokenRole::Context }
    }

    /// What else could be done in each state.
    fn listed(&mut self, trajectory: &Trajectory, states: &[Place]) -> Result<()> {
        for (t, (place, step)) in states.iter().zip(&trajectory.steps).enumerate() {
            // Without the expert's action there is nothing to hold the others against.
            let imitated = trajectory.is_imitated(t);
            if !self.fits[t] || !imitated || (t > 0 && place.0 == self.opening) {
                continue;
            }
            for action in trajectory.listed_at(t).iter().filter(|action| **action != step.action) {
                work(1)?;
                let pieces = [
                    (self.framing.act(), TokenRole::Context),
                    (self.framing.action(action)?, TokenRole::Action),
                ];
                self.example.lists |= self.attach(*place, &pieces).is_some();
            }
        }
        Ok(())
    }

    /// What an expert would have done in a state that a policy came through, and where that leads.
    /// Where the policy did the same, the trunk has it.
    fn answer(&mut self, answer: &Branch, of: &Trajectory, states: &[Place]) -> Result<()> {
        let (Some(place), Some(step)) = (states.get(answer.t), of.steps.get(answer.t)) else {
            return Ok(());
        };
        if step.action == answer.action {
            return Ok(());
        }
        let action = [
            (self.framing.act(), TokenRole::Context),
            (self.framing.action(&answer.action)?, TokenRole::Action),
        ];
        let next = [
            (self.framing.observe(), TokenRole::Context),
            (self.framing.observation(&answer.observation)?, self.next_kind()),
        ];
        // As in the trunk, the action stays where its next state is too long.
        if let Some(end) = self.attach(*place, &action) {
            self.attach(end, &next);
        }
        Ok(())
    }

    /// An alternative and its next state, which is the target.
    fn branch(&mut self, branch: &Branch, states: &[Place]) -> Result<()> {
        let Some(place) = states.get(branch.t) else { return Ok(()) };
        let mut given = self.framing.acted(&branch.action)?;
        given.extend(self.framing.observe());
        let next = self.framing.observation(&branch.observation)?;
        self.attach(*place, &[(given, TokenRole::Context), (next, TokenRole::Observation)]);
        Ok(())
    }

    /// A reflection and the action after it.
    fn reflection(&mut self, text: &str, action: &str, place: Place) -> Result<()> {
        let pieces = [
            (self.framing.think(), TokenRole::Context),
            (self.framing.reflection(text)?, TokenRole::Reflection),
            (self.framing.act(), TokenRole::Conclusion),
            (self.framing.action(action)?, TokenRole::Conclusion),
        ];
        self.attach(place, &pieces);
        Ok(())
    }

    /// Hangs pieces below a place, if the path fits into the context; else counts them as left out.
    fn attach(
        &mut self,
        (mut at, depth): Place,
        pieces: &[(Vec<u32>, TokenRole)],
    ) -> Option<Place> {
        let size: usize = pieces.iter().map(|(tokens, _)| tokens.len()).sum();
        if depth + size > self.context {
            let targets = pieces.iter().filter(|(_, kind)| kind.slot().is_some());
            self.example.too_long += targets.map(|(tokens, _)| tokens.len()).sum::<usize>();
            return None;
        }
        for (tokens, kind) in pieces {
            at = self.example.add(at, tokens, *kind);
        }
        Some((at, depth + size))
    }
}

#[cfg(test)]
#[path = "examples_tests.rs"]
pub(super) mod tests;
