//! A reflection about the state a person stands in.

use super::{Outcome, Session, branch};
use crate::agent::Reflector;
use crate::agent::template::Template;
use crate::collect::case_at;
use crate::error::{Error, Result};
use crate::store::{NewReflection, Store};

/// Saves the way here with the expert's step and the executed alternatives, and writes a reflection about it, pending
/// review; returns its number and text. Refused where no expert speaks or nothing worse was executed.
pub fn reflect(session: &Session, outcomes: &[Outcome], store: &mut Store) -> Result<(i64, String)> {
    let trajectory = session.with_advice()?;
    let t = trajectory.steps.len() - 1;
    let others = outcomes.iter().filter(|outcome| outcome.action != trajectory.steps[t].action);
    let mut tried: Vec<_> = others.map(|outcome| branch(outcome, 0, t)).collect();
    let nothing = || {
        Error::new("nothing that was executed here is worse than the expert's action").hint("try more alternatives first")
    };
    case_at(&trajectory, &tried, t).ok_or_else(nothing)?;
    let id = store.add_trajectory(&trajectory)?;
    for branch in &mut tried {
        branch.trajectory = id;
    }
    let ids = store.add_branches(&tried)?;
    for (branch, id) in tried.iter_mut().zip(ids) {
        branch.id = id;
    }
    let case = case_at(&trajectory, &tried, t).ok_or_else(nothing)?;
    let text = Template.reflect(&case, id as u64)?;
    let cites = case.alternatives.iter().map(|branch| branch.id).collect();
    let written = NewReflection { trajectory: id, t, generator: Template.generator(), cites, text: text.clone() };
    let reflection = store.add_reflections(&[written])?.first().copied().unwrap_or_default();
    Ok((reflection, text))
}
