//! What a person prefers among the answers to captured calls, as states with an action that is better
//! than others: nothing of it need have been executed.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::played::{captured, step};
use super::reading::{Saying, state_of};
use super::replayed::evaluation_games;
use super::rollouts::left_out;
use super::said::line;
use super::stretches::world_of;
use crate::error::Result;
use crate::experience::{Step, Trajectory};
use crate::store::{AgentRow, Preference, Store, WholeCall};

/// A state with an action that a person prefers to others.
#[derive(Debug, Clone, PartialEq)]
pub struct Preferred {
    /// The call.
    pub call: i64,
    /// The way to the state; its last step is the better action, and what could be done there is that and
    /// what is worse, nothing else. What it leads to is not known.
    pub trajectory: Trajectory,
    /// The world that its agent said it played: suite and task.
    pub world: Option<(String, String)>,
    /// How many are worse.
    pub worse: usize,
}

/// Preferences that are not learnt from, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Left {
    /// An answer of them is no action.
    pub unread: usize,
    /// Both do the same in other words.
    pub same: usize,
    /// Of actions about which the opposite was said later, of other answers that do the same.
    #[serde(default)]
    pub contradicted: usize,
    /// About games that are for evaluation.
    pub evaluation: usize,
}

impl Left {
    /// In words, each kind that there is.
    pub fn told(&self) -> Vec<String> {
        let all = [
            (self.unread, "an answer of them is no action"),
            (self.same, "both answers do the same"),
            (self.contradicted, "the opposite was said later of the same actions"),
            (self.evaluation, "about games for evaluation"),
        ];
        left_out(&all, "preference")
    }
}

/// The answers to a call, a line each: what was said (`None` where nothing was), then what would have been.
pub fn answers(store: &Store, call: &WholeCall) -> Result<Vec<Option<String>>> {
    let others = store.call_alternatives(call.row.id)?;
    let said = call.answer.as_ref().map(line);
    Ok(std::iter::once(said).chain(others.iter().map(|one| Some(line(&one.message)))).collect())
}

/// The states of an agent's calls in which a person prefers an action, as that stood when the preference
/// of a number had been written down.
pub fn preferred(store: &Store, agent: &AgentRow, upto: i64) -> Result<(Vec<Preferred>, Left)> {
    let mut by_call: BTreeMap<i64, Vec<Preference>> = BTreeMap::new();
    for one in store.preferences_of(agent.id, upto)? {
        by_call.entry(one.call).or_default().push(one);
    }
    let (mut found, mut left) = (Vec::new(), Left::default());
    // Of each suite once: it is opened for that.
    let mut held: HashMap<String, HashSet<String>> = HashMap::new();
    for (id, all) in by_call {
        let call = store.call(id)?;
        let world = world_of(store, &call.row.session, id)?;
        if let Some((suite, task)) = &world
            && held.entry(suite.clone()).or_insert_with(|| evaluation_games(suite)).contains(task)
        {
            left.evaluation += all.len();
            continue;
        }
        let of_call = of_call(store, &call, &all, &mut left)?;
        found.extend(of_call.into_iter().map(|(better, worse)| Preferred {
            call: id,
            trajectory: way(&call, agent, world.as_ref(), (better, &worse)),
            world: world.clone(),
            worse: worse.len(),
        }));
    }
    Ok((found, left))
}

/// By what is better what is worse, each as an action.
fn of_call(
    store: &Store,
    call: &WholeCall,
    all: &[Preference],
    left: &mut Left,
) -> Result<BTreeMap<String, Vec<String>>> {
    let others = store.call_alternatives(call.row.id)?;
    let answers: Vec<Option<String>> = std::iter::once(call.answer.as_ref())
        .chain(others.iter().map(|one| Some(&one.message)))
        .map(|message| message.and_then(|message| action(call, message)))
        .collect();
    let read = |answer: usize| answers.get(answer).cloned().flatten();
    // Of two actions the newest word counts, whichever answers it was said of.
    let mut words: Vec<(String, String)> = Vec::new();
    let mut newest: Vec<&Preference> = all.iter().collect();
    newest.sort_by_key(|one| std::cmp::Reverse(one.id));
    for one in newest {
        match (read(one.better), read(one.worse)) {
            (Some(better), Some(worse)) if better == worse => left.same += 1,
            (Some(better), Some(worse)) if words.contains(&(worse.clone(), better.clone())) => {
                left.contradicted += 1;
            }
            (Some(better), Some(worse)) => {
                if !words.contains(&(better.clone(), worse.clone())) {
                    words.push((better, worse));
                }
            }
            _ => left.unread += 1,
        }
    }
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (better, worse) in words.into_iter().rev() {
        found.entry(better).or_default().push(worse);
    }
    Ok(found)
}

/// What an answer to a call does.
fn action(call: &WholeCall, answer: &Value) -> Option<String> {
    let said: Vec<Value> = call.messages.iter().chain([answer]).cloned().collect();
    let read = state_of(&said, call.tools());
    (read.saying != Saying::Nothing && !read.state.task.is_empty()).then_some(read.open)?
}

/// The way to the state of a call, with what is better there at its end.
fn way(
    call: &WholeCall,
    agent: &AgentRow,
    world: Option<&(String, String)>,
    (better, worse): (String, &[String]),
) -> Trajectory {
    let state = state_of(&call.messages, call.tools()).state;
    let choices = std::iter::once(&better).chain(worse).cloned().collect();
    let mut steps: Vec<Step> =
        state.history.into_iter().map(|(action, seen)| step(action, seen, &agent.name)).collect();
    let mut admissible = None;
    match steps.last_mut() {
        Some(last) => last.admissible = Some(choices),
        None => admissible = Some(choices),
    }
    steps.push(step(better, String::new(), &agent.name));
    let row = &call.row;
    let world = world.cloned();
    let world =
        world.unwrap_or_else(|| (String::new(), format!("{} call {}", row.session, row.id)));
    Trajectory {
        task: state.task,
        observation: state.observation,
        admissible,
        steps,
        ..captured(row, agent, world)
    }
}
