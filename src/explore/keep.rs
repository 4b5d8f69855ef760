//! Keeping a solved episode as a demonstration, with what was tried on the way.

use super::{Outcome, Session, branch};
use crate::error::Result;
use crate::experience::{EXPLORED, HUMAN, Membership, State};
use crate::store::{Drawn, Prediction, Store};

/// What was tried in the states of a task.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    /// States, and the alternatives executed there.
    pub outcomes: Vec<(State, Vec<Outcome>)>,
    /// States, and what was expected of actions there.
    pub foreseen: Vec<(State, Vec<(String, String)>)>,
    /// Whose expectations they are.
    pub model: String,
}

/// What was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The demonstration.
    pub id: i64,
    /// Its steps.
    pub steps: usize,
    /// Who acted in them.
    pub by: String,
    /// Whether a person is its expert.
    pub is_by_hand: bool,
    /// The split that it is of.
    pub split: String,
    /// The alternatives beside them.
    pub branches: usize,
}

/// What came of keeping an episode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeping {
    /// It is kept.
    Kept(Kept),
    /// It is not: this demonstration has the same actions in the same task.
    Known(i64),
}

/// Alternatives that a person saw executed in one state of a trajectory.
pub(super) fn explored<'a>(
    outcomes: impl Iterator<Item = &'a Outcome>,
    trajectory: i64,
    t: usize,
) -> impl Iterator<Item = Drawn> {
    outcomes.enumerate().map(move |(rank, outcome)| {
        let place = Membership {
            pool: EXPLORED.into(),
            rank,
            source: outcome.source.clone(),
            model: String::new(),
        };
        Drawn { branch: branch(outcome, trajectory, t), place }
    })
}

/// Keeps the episode up to where the session stands. Refused unless it reached the goal. Where the
/// same actions are kept already it would count twice: that takes `twice`.
pub fn keep(
    session: &mut Session,
    tried: &Tried,
    store: &mut Store,
    twice: bool,
) -> Result<Keeping> {
    let trajectory = session.demonstration()?;
    if let Some(known) = store.same_demonstration(&trajectory)?.filter(|_| !twice) {
        return Ok(Keeping::Known(known));
    }
    let place =
        |state: &State| (0..trajectory.steps.len()).find(|t| trajectory.state(*t) == *state);
    let mut judged = Vec::new();
    for (state, outcomes) in &tried.outcomes {
        let Some(t) = place(state) else { continue };
        let others =
            outcomes.iter().filter(|outcome| trajectory.steps[t].action != outcome.action).cloned();
        judged.push((t, session.held_against_own(t, &others.collect::<Vec<_>>())?));
    }
    let id = store.add_trajectory(&trajectory)?;
    let branches: Vec<Drawn> =
        judged.iter().flat_map(|(t, others)| explored(others.iter(), id, *t)).collect();
    store.add_branches(&branches)?;
    let mut foreseen = Vec::new();
    for (state, all) in &tried.foreseen {
        let Some(t) = place(state) else { continue };
        foreseen.extend(all.iter().cloned().map(|(action, text)| Prediction {
            trajectory: id,
            t,
            action,
            model: tried.model.clone(),
            text,
            created_ms: 0,
        }));
    }
    store.add_predictions(&foreseen)?;
    Ok(Keeping::Kept(Kept {
        id,
        steps: trajectory.steps.len(),
        by: trajectory.by(),
        is_by_hand: trajectory.actor == HUMAN,
        split: trajectory.split,
        branches: branches.len(),
    }))
}
