//! Groups that are kept to be looked at: written with the update that learnt from them, and read
//! again as a tree.

use serde::{Deserialize, Serialize};

use super::estimate::{Fork, Rollout, Term};
use crate::error::{Error, Result};
use crate::experience::Trajectory;
use crate::store::{RolloutRow, Store};
use crate::train::source::KeptGroup;

/// A choice of a rollout, as it was learnt from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The share of each listed action when it was drawn; empty where it was written.
    pub shares: Vec<f32>,
    /// Which it was.
    pub chosen: usize,
    /// What it was worth beside others; none where nothing was learnt from it.
    pub advantage: Option<f64>,
    /// Of other actions that were tried here, by their place in the list, the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<(usize, f64)>,
}

/// What is kept beside a rollout's trajectory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    /// Where it left another of its group, and whether its first action was given.
    pub fork: Option<(usize, usize, bool)>,
    /// Its choices, by step; of a fork those before it are the other's.
    pub choices: Vec<Choice>,
}

impl Learnt {
    fn of(place: usize, rollout: &Rollout, terms: &[Term]) -> Self {
        let own = rollout.own();
        let choice = |t: usize| {
            let visit = &rollout.visits[t];
            let here = || terms.iter().filter(move |term| (term.rollout, term.t) == (place, t));
            let at = here().find(|term| term.action == visit.chosen && term.scale > 0.0);
            let others = here().filter(|term| term.action != visit.chosen);
            Choice {
                shares: visit.logs.iter().map(|log| log.exp() as f32).collect(),
                chosen: visit.chosen,
                advantage: at.map(|term| term.advantage).filter(|_| t >= own),
                others: others.map(|term| (term.action, term.advantage)).collect(),
            }
        };
        Self {
            fork: rollout.fork.map(|Fork { of, at, given }| (of, at, given)),
            choices: (0..rollout.visits.len()).map(choice).collect(),
        }
    }

    /// As a row has it.
    pub fn read(row: &RolloutRow) -> Result<Self> {
        serde_json::from_str(&row.body).map_err(|e| {
            Error::new(format!("rollout {} of update {}: {e}", row.trajectory, row.step))
        })
    }
}

/// Writes the groups of an update.
pub fn keep(store: &mut Store, run: i64, step: u64, groups: &[KeptGroup]) -> Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    let actor = format!("run {run} step {}", step - 1);
    let mut all: Vec<(usize, Trajectory, String)> = Vec::new();
    for (g, group) in groups.iter().enumerate() {
        for (place, (trajectory, rollout)) in
            group.trajectories.iter().zip(&group.rollouts).enumerate()
        {
            let learnt = Learnt::of(place, rollout, &group.terms);
            let body = serde_json::to_string(&learnt)
                .map_err(|e| Error::new(format!("a rollout of update {step}: {e}")))?;
            // What was captured has an actor.
            let actor = if trajectory.actor.is_empty() { &actor } else { &trajectory.actor };
            all.push((g, Trajectory { actor: actor.clone(), ..trajectory.clone() }, body));
        }
    }
    let rows: Vec<_> = all.iter().map(|(g, tr, body)| (*g, tr, body.as_str())).collect();
    store.keep_rollouts(run, step, &rows)
}

/// A kept group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupView {
    /// The run and the update that learnt from it.
    pub run: i64,
    /// The update.
    pub step: u64,
    /// Which of that update's.
    pub group: usize,
    /// What happened in each rollout, and what each choice was worth.
    pub rollouts: Vec<(Trajectory, Learnt)>,
}

/// Reads a kept group.
pub fn read(store: &Store, run: i64, step: u64, group: usize) -> Result<GroupView> {
    let rows = store.group(run, step, group)?;
    let read = |row: &RolloutRow| Ok((store.trajectory(row.trajectory)?, Learnt::read(row)?));
    let rollouts = rows.iter().map(read).collect::<Result<_>>()?;
    Ok(GroupView { run, step, group, rollouts })
}

/// A rollout in a group, in a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Member {
    /// Its trajectory.
    pub trajectory: i64,
    /// Where it left which other one (counted from 0); none from the task's beginning.
    pub fork: Option<(usize, usize)>,
    /// Its first own action.
    pub action: String,
    /// Steps, and whether they won.
    pub steps: usize,
    /// Whether they won.
    pub success: bool,
    /// What they were worth.
    pub worth: f64,
    /// What its first own choice was worth beside others, where that was learnt.
    pub advantage: Option<f64>,
    /// The share of that choice in what the policy might have done there.
    pub share: Option<f32>,
    /// Of a fork, what the rollout that it left did there.
    pub left: Option<Left>,
}

/// What a rollout did where another left it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Left {
    /// Its action.
    pub action: String,
    /// The action's share.
    pub share: Option<f32>,
    /// What it was worth beside the others there.
    pub advantage: Option<f64>,
}

/// An advantage with its sign; what rounds to nothing has none that could be read as a loss.
pub fn signed(advantage: f64) -> String {
    format!("{:+.2}", (advantage * 100.0).round() / 100.0 + 0.0)
}

impl Choice {
    /// The share of what was chosen; none where it was written.
    pub fn share(&self) -> Option<f32> {
        self.shares.get(self.chosen).copied()
    }
}

impl GroupView {
    /// Its rollouts as a tree: each from the beginning, then what left it, by step.
    pub fn members(&self) -> Vec<Member> {
        let of = |trajectory: &Trajectory, learnt: &Learnt| {
            let own = learnt.fork.map_or(0, |(_, at, _)| at);
            let choice = learnt.choices.get(own);
            // A given action's worth stands where it was compared: at the rollout that was left.
            let compared = || {
                let (of, at, _) = learnt.fork?;
                let there = self.rollouts.get(of)?.1.choices.get(at)?;
                let (_, advantage) = there
                    .others
                    .iter()
                    .find(|(action, _)| Some(*action) == choice.map(|c| c.chosen))?;
                Some(*advantage)
            };
            let left = || {
                let (of, at, _) = learnt.fork?;
                let (whole, there) = self.rollouts.get(of)?;
                let (step, own) = (whole.steps.get(at)?, there.choices.get(at)?);
                let (action, share) = (step.action.clone(), own.share());
                Some(Left { action, share, advantage: own.advantage })
            };
            Member {
                trajectory: trajectory.id,
                fork: learnt.fork.map(|(of, at, _)| (of, at)),
                action: trajectory.steps.get(own).map_or_else(String::new, |s| s.action.clone()),
                steps: trajectory.steps.len(),
                success: trajectory.success(),
                worth: trajectory.reward(),
                advantage: choice.and_then(|choice| choice.advantage).or_else(compared),
                share: choice.and_then(Choice::share),
                left: left(),
            }
        };
        let all: Vec<Member> = self.rollouts.iter().map(|(tr, learnt)| of(tr, learnt)).collect();
        let mut tree = Vec::with_capacity(all.len());
        for (i, root) in all.iter().enumerate().filter(|(_, one)| one.fork.is_none()) {
            tree.push(root.clone());
            let mut left: Vec<&Member> =
                all.iter().filter(|one| one.fork.is_some_and(|(of, _)| of == i)).collect();
            left.sort_by_key(|one| one.fork.map(|(_, at)| at));
            tree.extend(left.into_iter().cloned());
        }
        tree
    }
}
