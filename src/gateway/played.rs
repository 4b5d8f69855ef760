//! Captured conversations as demonstrations: what an agent did, read as an episode, so that it can be
//! replayed, branched, curated and trained on like any other.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::reading::{Reading, Saying, state_of};
use super::replayed::{Answer, replayed};
use super::stretches::{Stretch, of, stretches};
use crate::error::{Error, Result};
use crate::experience::{Purpose, Step, Trajectory};
use crate::store::{AgentRow, CallRow, Called, Store, WholeCall};
use crate::text::{counted, quoted};

/// Which conversations are taken, and what they are said to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Only those that were worth at least so much, which is what counts as a success; above 0.
    pub least: f64,
    /// The suite that they are filed under where their agent did not say which world it played.
    pub suite: String,
    /// Only of this session and those below it.
    pub session: Option<String>,
    /// Only what this mind answered, and nobody else.
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
    /// Conversations that are demonstrations now.
    pub taken: usize,
    /// Steps of them.
    pub steps: usize,
    /// How many of them were played again in their world, which answered alike at every step.
    pub replayed: usize,
    /// Conversations that had been taken before.
    pub before: usize,
    /// Demonstrations that were taken back: their conversation went on, or was found to be worth less.
    pub withdrawn: usize,
    /// Conversations that nobody said the worth of.
    pub unrewarded: usize,
    /// Conversations that were worth less.
    pub less: usize,
    /// Answers that their agent did not go on from, but from another one in their place.
    pub abandoned: usize,
    /// Conversations that another mind took part in.
    pub other_mind: usize,
    /// Conversations in which nothing was done that can be read as an action.
    pub unread: usize,
    /// Conversations whose world answers otherwise, is not known here, or was not won.
    pub not_so: usize,
    /// Conversations about games that are for evaluation.
    pub evaluation: usize,
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
            (self.abandoned, "abandoned for another answer"),
            (self.other_mind, "answered by another mind too"),
            (self.unread, "without an action that can be read"),
            (self.not_so, "not so in the world that they name"),
            (self.evaluation, "of games that are for evaluation"),
        ];
        let left = left.iter().filter(|(n, _)| *n > 0).map(|(n, why)| format!("{n} {why}"));
        let left: Vec<String> = left.collect();
        let left =
            if left.is_empty() { String::new() } else { format!(" (left: {})", left.join(", ")) };
        let withdrawn = match self.withdrawn {
            0 => String::new(),
            n => format!("; {} taken back", counted(n as u64, "earlier one")),
        };
        format!(
            "{} of {agent} became demonstrations, {}, {} of them played again in their world{withdrawn}{left}",
            counted(self.taken as u64, "conversation"),
            counted(self.steps as u64, "step"),
            self.replayed
        )
    }

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
    let which = Called { agent: Some(agent.id), ..Called::default() };
    let mut sessions: BTreeMap<String, Vec<CallRow>> = BTreeMap::new();
    for call in store.calls(&which)? {
        sessions.entry(call.session.clone()).or_default().push(call);
    }
    for (name, calls) in sessions {
        let within = |of: &String| name == *of || name.starts_with(&format!("{of}/"));
        if wanted.session.as_ref().is_some_and(|of| !within(of)) {
            continue;
        }
        let worth = stretches(store, &name)?;
        for end in ends(store, &calls, &worth, &mut found)? {
            one(store, agent, wanted, (&calls, &end, of(&worth, end.id)), &mut found)?;
        }
    }
    Ok(found)
}

/// One conversation, by its last call.
fn one(
    store: &mut Store,
    agent: &AgentRow,
    wanted: &Wanted,
    (calls, end, stretch): (&[CallRow], &CallRow, Option<&Stretch>),
    found: &mut Taken,
) -> Result<()> {
    let own = conversation(store, calls, end)?;
    let Some(stretch) = stretch else {
        found.unrewarded += 1;
        return Ok(());
    };
    let earlier: Vec<i64> = own.iter().map(|call| call.id).filter(|id| *id != end.id).collect();
    if stretch.reward < wanted.least {
        found.less += 1;
        // It may have been taken when it was thought to be worth more.
        for call in earlier.iter().chain([&end.id]) {
            found.withdrawn += usize::from(store.withdraw_call(*call)?);
        }
        return Ok(());
    }
    if wanted.mind.as_ref().is_some_and(|mind| own.iter().any(|call| call.mind != *mind)) {
        found.other_mind += 1;
        return Ok(());
    }
    if store.is_call_taken(end.id)? {
        found.before += 1;
        return Ok(());
    }
    let whole = store.call(end.id)?;
    let Some(read) = episode(&whole, agent, wanted, stretch) else {
        found.unread += 1;
        return Ok(());
    };
    let answer = match &stretch.world {
        Some((suite, task)) => replayed(suite, task, &read),
        None => Answer::Unknown,
    };
    let trajectory = match answer {
        Answer::Same(trajectory) => {
            found.replayed += 1;
            *trajectory
        }
        Answer::Unknown => read,
        Answer::Otherwise => {
            found.not_so += 1;
            return Ok(());
        }
        Answer::ForEvaluation => {
            found.evaluation += 1;
            return Ok(());
        }
    };
    // What was taken of its beginning is a part of it now.
    for call in earlier {
        found.withdrawn += usize::from(store.withdraw_call(call)?);
    }
    store.take_call(end.id, &trajectory)?;
    found.filed.insert((trajectory.suite.clone(), trajectory.split.clone()));
    found.taken += 1;
    found.steps += trajectory.steps.len();
    Ok(())
}

/// The calls of a conversation, by its last one.
pub(super) fn conversation<'a>(
    store: &Store,
    calls: &'a [CallRow],
    end: &CallRow,
) -> Result<Vec<&'a CallRow>> {
    let path: HashSet<i64> = store.said_until(end.asked)?.into_iter().map(|(id, _)| id).collect();
    let own = |call: &&CallRow| {
        call.id == end.id || call.answered.is_some_and(|said| path.contains(&said))
    };
    Ok(calls.iter().filter(own).collect())
}

/// The last calls of conversations: of those that begin alike within a stretch the newest, whose replies
/// nothing goes on from. The others were abandoned.
pub(super) fn ends(
    store: &Store,
    calls: &[CallRow],
    worth: &[Stretch],
    found: &mut Taken,
) -> Result<Vec<CallRow>> {
    let mut gone_on: HashSet<i64> = HashSet::new();
    let mut begin: BTreeMap<i64, i64> = BTreeMap::new();
    for call in calls {
        let path = store.said_until(call.asked)?;
        begin.insert(call.id, path.first().map_or(call.asked, |(id, _)| *id));
        gone_on.extend(path.into_iter().map(|(id, _)| id));
    }
    let is_end = |call: &&CallRow| call.answered.is_some_and(|said| !gone_on.contains(&said));
    let mut newest: BTreeMap<(i64, Option<i64>), CallRow> = BTreeMap::new();
    for call in calls.iter().filter(is_end) {
        let place = (begin[&call.id], of(worth, call.id).map(|stretch| stretch.upto));
        if newest.insert(place, call.clone()).is_some() {
            found.abandoned += 1;
        }
    }
    Ok(newest.into_values().collect())
}

/// A conversation as an episode; none where nothing is done in it.
pub(super) fn episode(
    call: &WholeCall,
    agent: &AgentRow,
    wanted: &Wanted,
    stretch: &Stretch,
) -> Option<Trajectory> {
    let Reading { state, saying, open, .. } = state_of(&call.said(), call.tools());
    if saying == Saying::Nothing || state.task.is_empty() {
        return None;
    }
    // What the last action led to is not seen where the agent does not ask again.
    let last = open.map(|action| (action, String::new()));
    let steps = state.history.into_iter().chain(last);
    let mut steps: Vec<Step> =
        steps.map(|(action, seen)| step(action, seen, &agent.name)).collect();
    let last = steps.last_mut()?;
    (last.done, last.success, last.reward) = (true, true, stretch.reward);
    let row = &call.row;
    let world = stretch
        .world
        .clone()
        .unwrap_or_else(|| (wanted.suite.clone(), format!("{} call {}", row.session, row.id)));
    Some(Trajectory {
        task: state.task,
        observation: state.observation,
        steps,
        ..captured(row, agent, world)
    })
}

/// What a conversation is filed as, by a call of it and its world: nothing is done in it yet.
pub(super) fn captured(
    row: &CallRow,
    agent: &AgentRow,
    (suite, task_id): (String, String),
) -> Trajectory {
    Trajectory {
        id: 0,
        suite,
        split: "captured".into(),
        task_id,
        kind: "captured".into(),
        task: String::new(),
        purpose: Purpose::Demonstration,
        actor: agent.name.clone(),
        seed: row.id as u64,
        observation: String::new(),
        admissible: None,
        free: Vec::new(),
        steps: Vec::new(),
        created_ms: row.began_ms,
        world: None,
    }
}

pub(super) fn step(action: String, observation: String, by: &str) -> Step {
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
