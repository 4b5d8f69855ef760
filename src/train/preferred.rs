//! What a person prefers among the answers to captured calls, as a training set: each state with the
//! better action and what is worse there, of which nothing need have been executed.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::data::Data;
use super::examples::{Example, Roles, TokenRole, example};
use super::listing::choices;
use super::{Objective, Plan};
use crate::agent::prompt::Framing;
use crate::budget::work;
use crate::digest::{self, Digest};
use crate::error::{Error, Result};
use crate::gateway::{self, Left};
use crate::model::tokenizer::Tokenizer;
use crate::selection::{Chosen, Criteria};
use crate::store::Store;
use crate::text::counted;

/// Whose calls, and how far preferences are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// The agent, as the gateway called it then.
    pub agent: String,
    /// Its number, whatever it is called later.
    pub id: i64,
    /// The last preference that is learnt from: what is said later is for another run.
    pub upto: i64,
}

impl Preferences {
    /// All that a person said so far about an agent's calls.
    ///
    /// # Errors
    /// Where no agent has that name.
    pub fn so_far(store: &Store, agent: &str) -> Result<Self> {
        let id = store.called_agent(agent)?.id;
        Ok(Self { agent: agent.to_string(), id, upto: store.last_preference()? })
    }

    /// Refuses what means nothing beside them.
    pub(super) fn check(plan: &Plan) -> Result<()> {
        let usual = Criteria { suite: plan.data.suite.clone(), ..Criteria::default() };
        if plan.objective != Objective::Dpo {
            return Err(Error::usage(format!(
                "what a person prefers (--captured) means nothing for {}",
                plan.objective.as_str()
            ))
            .hint("--objective dpo learns from it"));
        }
        if plan.data == usual {
            return Ok(());
        }
        Err(Error::usage("what a person prefers among captured answers is all that is learnt from")
            .hint("leave out what chooses stored data"))
    }
}

/// Reads them for a tokenizer, into an empty training set.
pub(super) fn read(
    store: &Store,
    of: &Preferences,
    (tokenizer, context): (&Tokenizer, usize),
    data: &mut Data,
) -> Result<()> {
    let framing = Framing::new(tokenizer)?;
    let (all, left) = gateway::preferred(store, &store.agent(of.id)?, of.upto)?;
    let mut digest = Digest::default();
    let mut states = HashSet::new();
    for one in all {
        work(1)?; // a place to be cancelled at
        let better = one.trajectory.steps.last().map_or("", |step| step.action.as_str());
        let key = digest::of(["preferred", one.call.to_string().as_str(), better]);
        let chosen = Chosen {
            trajectory: one.trajectory,
            branches: Vec::new(),
            reflections: Vec::new(),
            answers: Vec::new(),
        };
        let roles = Roles { actions: true, next_states: false, listed: true };
        let tree = example(&framing, &chosen, roles, context)?.filter(|tree| tree.lists);
        let Some(tree) = tree.and_then(|tree| compared(tree, framing.act().len())) else {
            data.summary.unreadable += 1;
            continue;
        };
        tree.digested(&mut digest);
        states.insert(one.call);
        data.summary.add_preferred(one.worse, &tree);
        data.keys.push(key);
        data.train.push(tree);
    }
    data.digest = digest.finish();
    if data.train.is_empty() {
        return Err(nothing(of, &left, data.summary.unreadable));
    }
    data.summary.preferences_left = left;
    data.summary.preferred_states = states.len();
    Ok(())
}

/// Only the actions that are held against each other, and the way to them.
fn compared(mut tree: Example, mark: usize) -> Option<Example> {
    for actions in choices(&tree, mark).into_iter().filter(|all| all.len() < 2) {
        actions.into_iter().flatten().for_each(|node| tree.kinds[node] = TokenRole::Context);
    }
    tree.cut(|node| f32::from(u8::from(tree.kinds[node] == TokenRole::Action)))
}

fn nothing(of: &Preferences, left: &Left, unreadable: usize) -> Error {
    let mut why = left.told();
    if unreadable > 0 {
        why.push(format!("{} longer than the model reads", counted(unreadable as u64, "state")));
    }
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join("; ")) };
    Error::usage(format!("nobody said what is better among the answers to {}{why}", of.agent)).hint(
        "b on a call asks for other answers, p says which is better (foretaste gateway prefer)",
    )
}
