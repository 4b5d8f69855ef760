//! A reflection about the state a person stands in.

use super::keep::explored;
use super::{Outcome, Session};
use crate::agent::Reflector;
use crate::agent::template::Template;
use crate::collect::case_at;
use crate::error::{Error, Result};
use crate::store::{Drawn, NewReflection, Store};

/// Saves the way here with the expert's step and the executed alternatives, and writes a reflection
/// about it, pending review; returns its number and text. Refused where no expert speaks or nothing
/// worse was executed.
pub fn reflect(
    session: &mut Session,
    outcomes: &[Outcome],
    store: &mut Store,
) -> Result<(i64, String)> {
    let trajectory = session.with_advice()?;
    let t = trajectory.steps.len() - 1;
    let others = outcomes.iter().filter(|outcome| outcome.action != trajectory.steps[t].action);
    let mut tried: Vec<Drawn> = explored(others, 0, t).collect();
    let nothing = || {
        Error::new("nothing that was executed here is worse than the expert's action")
            .hint("try more alternatives first")
    };
    if !tried.iter().any(|drawn| drawn.branch.worse()) {
        return Err(nothing());
    }
    let id = store.add_trajectory(&trajectory)?;
    for drawn in &mut tried {
        drawn.branch.trajectory = id;
    }
    let ids = store.add_branches(&tried)?;
    let case = case_at(&trajectory, &store.branches(id)?, &ids, t).ok_or_else(nothing)?;
    let text = Template.write(&case, id as u64)?;
    let cites = case.alternatives.iter().map(|branch| branch.id).collect();
    let written = NewReflection {
        trajectory: id,
        t,
        generator: Template.generator(),
        cites,
        text: text.clone(),
    };
    let reflection = store.add_reflections(&[written])?.first().copied().unwrap_or_default();
    Ok((reflection, text))
}
