//! The text that a vocabulary is trained on.

use crate::agent::prompt::{first_observation, told};
use crate::error::Result;
use crate::selection::{Carry, Chosen, Criteria, Selection};
use crate::store::Store;

/// Trajectories that are read at most: a vocabulary of some thousand tokens is settled by then.
const READ: usize = 2000;

/// The text of what may be trained on by these criteria: no other split, nothing that is held out,
/// no reflection that was not approved, and none at all unless `reflections` are wanted.
pub fn texts(store: &Store, criteria: &Criteria, reflections: bool) -> Result<Vec<String>> {
    let selection = Selection::choose(store, criteria, Carry { branches: true, reflections })?;
    let mut texts = Vec::new();
    for item in selection.items.iter().filter(|item| !item.held_out).take(READ) {
        let Chosen { trajectory, branches, reflections, answers } = item.read(store)?;
        texts.push(trajectory.task.clone());
        texts.push(first_observation(&trajectory.observation, &trajectory.task));
        let steps = trajectory.steps.into_iter();
        texts.extend(steps.flat_map(|step| [step.action, told(&step.observation).to_string()]));
        texts.extend(
            branches
                .into_iter()
                .chain(answers)
                .flat_map(|b| [b.action, told(&b.observation).to_string()]),
        );
        texts.extend(reflections.into_iter().map(|reflection| reflection.text));
    }
    Ok(texts)
}
