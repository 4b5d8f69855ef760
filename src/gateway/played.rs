//! Captured conversations as demonstrations: what an agent did, read as an episode, so that it can be
//! replayed, branched, curated and trained on like any other.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::reading::{Reading, Saying, state_of};
use crate::error::{Error, Result};
use crate::experience::{Purpose, Step, Trajectory};
use crate::store::{AgentRow, CallRow, Called, Store, WholeCall};
use crate::text::{counted, quoted};

/// Which sessions are taken, and what they are said to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Only sessions that were worth at least so much.
    pub least: f64,
    /// The suite that they are filed under where their agent did not say which world it played.
    pub suite: String,
    /// Only this session and those below it.
    pub session: Option<String>,
    /// Only what this mind answered.
    pub mind: Option<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { least: 1.0, suite: "household".into(), session: None, mind: None }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Taken {
    /// Conversations that are demonstrations now, and their steps.
    pub taken: usize,
    /// Steps of them.
    pub steps: usize,
    /// Conversations that had been taken before.
    pub before: usize,
    /// Sessions without a reward.
    pub unrewarded: usize,
    /// Sessions that were worth less.
    pub less: usize,
    /// Conversations in which nothing was done that can be read as an action.
    pub unread: usize,
    /// Where the demonstrations are filed: suite and split.
    pub filed: BTreeSet<(String, String)>,
}

impl Taken {
    /// In words.
    pub fn told(&self, agent: &str) -> String {
        let left = [
            (self.before, "taken before"),
            (self.unrewarded, "without a reward"),
            (self.less, "worth less"),
            (self.unread, "without an action that can be read"),
        ];
        let left = left.iter().filter(|(n, _)| *n > 0).map(|(n, why)| format!("{n} {why}"));
        let left: Vec<String> = left.collect();
        let left =
            if left.is_empty() { String::new() } else { format!(" (left: {})", left.join(", ")) };
        format!(
            "{} of {agent} became demonstrations, {}{left}",
            counted(self.taken as u64, "conversation"),
            counted(self.steps as u64, "step"),
        )
    }
}

impl Taken {
    /// The commands that train on what was taken.
    pub fn commands(&self, agent: &str) -> Vec<String> {
        let one = |(suite, split): &(String, String)| {
            format!(
                "foretaste train --objective imitation --suite {} --split {} --expert {}",
                quoted(suite),
                quoted(split),
                quoted(agent)
            )
        };
        self.filed.iter().map(one).collect()
    }
}

/// Makes demonstrations of an agent's conversations, each once.
pub fn take(store: &mut Store, agent: &AgentRow, wanted: &Wanted) -> Result<Taken> {
    let mut found = Taken::default();
    let rewards: BTreeMap<String, Option<f64>> =
        store.sessions()?.into_iter().map(|row| (row.name, row.reward)).collect();
    let which = Called { agent: Some(agent.id.to_string()), ..Called::default() };
    let mut sessions: BTreeMap<String, Vec<CallRow>> = BTreeMap::new();
    for call in store.calls(&which)? {
        sessions.entry(call.session.clone()).or_default().push(call);
    }
    for (name, calls) in sessions {
        let within = |of: &String| name == *of || name.starts_with(&format!("{of}/"));
        if wanted.session.as_ref().is_some_and(|of| !within(of)) {
            continue;
        }
        let Some(reward) = rewards.get(&name).copied().flatten() else {
            found.unrewarded += 1;
            continue;
        };
        if reward < wanted.least {
            found.less += 1;
            continue;
        }
        let world = world_of(store, &name)?;
        for call in ends(store, &calls)? {
            if wanted.mind.as_ref().is_some_and(|mind| *mind != call.mind) {
                continue;
            }
            if store.is_call_taken(call.id)? {
                found.before += 1;
                continue;
            }
            let whole = store.call(call.id)?;
            match episode(&whole, agent, wanted, (reward, &world)) {
                Some(trajectory) => {
                    store.take_call(call.id, &trajectory)?;
                    found.filed.insert((trajectory.suite.clone(), trajectory.split.clone()));
                    found.taken += 1;
                    found.steps += trajectory.steps.len();
                }
                None => found.unread += 1,
            }
        }
    }
    Ok(found)
}

/// The world that a session's agent said it plays: suite and task.
fn world_of(store: &Store, session: &str) -> Result<Option<(String, String)>> {
    let told = store.session_events(session)?;
    let world = told.into_iter().rev().find(|(kind, ..)| kind == "world");
    let read = |body: Value| {
        let text = |field: &str| body[field].as_str().map(str::to_string);
        Some((text("suite")?, text("task")?))
    };
    Ok(world.and_then(|(_, _, body)| read(body)))
}

/// The last calls of conversations: those whose replies nothing goes on from.
fn ends(store: &Store, calls: &[CallRow]) -> Result<Vec<CallRow>> {
    let mut gone_on: HashSet<i64> = HashSet::new();
    for call in calls {
        gone_on.extend(store.said_until(call.asked)?.into_iter().map(|(id, _)| id));
    }
    let is_end = |call: &&CallRow| call.answered.is_some_and(|said| !gone_on.contains(&said));
    Ok(calls.iter().filter(is_end).cloned().collect())
}

/// A conversation as an episode; none where nothing is done in it.
fn episode(
    call: &WholeCall,
    agent: &AgentRow,
    wanted: &Wanted,
    (reward, world): (f64, &Option<(String, String)>),
) -> Option<Trajectory> {
    let tools = call.request["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let said: Vec<Value> = call.messages.iter().cloned().chain(call.answer.clone()).collect();
    let Reading { state, saying, open, .. } = state_of(&said, tools);
    if saying == Saying::Nothing || state.task.is_empty() {
        return None;
    }
    // What the last action led to is not seen where the agent does not ask again.
    let last = open.map(|action| (action, String::new()));
    let mut steps: Vec<Step> = state
        .history
        .into_iter()
        .chain(last)
        .map(|(action, seen)| step(action, seen, &agent.name))
        .collect();
    let last = steps.last_mut()?;
    (last.done, last.success, last.reward) = (true, true, reward);
    let row = &call.row;
    let (suite, task_id) = match world {
        Some((suite, task)) => (suite.clone(), task.clone()),
        None => (wanted.suite.clone(), format!("{} call {}", row.session, row.id)),
    };
    let split = match task_id.split_once('/') {
        Some((split, _)) if world.is_some() => split.to_string(),
        _ => "captured".into(),
    };
    Some(Trajectory {
        id: 0,
        suite,
        split,
        task_id,
        kind: "captured".into(),
        task: state.task,
        purpose: Purpose::Demonstration,
        actor: agent.name.clone(),
        seed: row.id as u64,
        observation: state.observation,
        admissible: None,
        free: Vec::new(),
        steps,
        created_ms: row.began_ms,
        world: None,
    })
}

fn step(action: String, observation: String, by: &str) -> Step {
    Step {
        action,
        source: by.to_string(),
        observation,
        admissible: None,
        free: Vec::new(),
        reward: 0.0,
        done: false,
        success: false,
        truncated: false,
    }
}

/// An agent's name where the program has to be told one of several.
///
/// # Errors
/// Where none or several have called and none is named.
pub fn one_agent(store: &Store, name: Option<&str>) -> Result<AgentRow> {
    let Some(name) = name else {
        let all = store.agents()?;
        let names: Vec<&str> = all.iter().map(|agent| agent.name.as_str()).collect();
        return match &all[..] {
            [one] => Ok(one.clone()),
            [] => Err(Error::usage("no agent has called yet")
                .hint("start the gateway: foretaste gateway")),
            _ => Err(Error::usage("several agents have called")
                .hint(format!("name one of {}", names.join(", ")))),
        };
    };
    store.called_agent(name)
}
