//! Captured conversations as rollouts: what an agent did and what it was worth, with the tokens of
//! every action as they were written and their log-probabilities, so that a policy can learn from it by
//! ratios and not only by imitation.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::compare::TRIALS;
use super::played::{Taken, Wanted, captured, conversation, ends, episode, step};
use super::reading::state_of;
use super::replayed::evaluation_games;
use super::said;
use super::stretches::{Stretch, of, stretches};
use super::system::Named;
use crate::error::Result;
use crate::experience::{Purpose, Step, Trajectory};
use crate::store::{AgentRow, CallRow, Called, Store, WholeCall};
use crate::text::counted;

/// The tokens of an action, its end among them, and the log-probability of each when it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The tokens.
    pub ids: Vec<u32>,
    /// In nats, at temperature 1.
    pub logps: Vec<f32>,
    /// What it was written to, where that is a conversation in the model's own form; else it is the
    /// state, in ours.
    pub prompt: Vec<u32>,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// What it was about: conversations of one task are compared.
    pub task: String,
    /// The world that its agent said it played: suite and task.
    pub world: Option<(String, String)>,
    /// What happened; what it was worth is the reward of its last step.
    pub trajectory: Trajectory,
    /// By step, how the action was written.
    pub written: Vec<Written>,
    /// Who answered.
    pub mind: String,
    /// Its last call, by number.
    pub call: i64,
}

/// Conversations that are no rollouts, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unfit {
    /// Nobody said what they were worth.
    pub unrewarded: usize,
    /// Left for another answer by their agent.
    pub abandoned: usize,
    /// About games that are for evaluation.
    pub evaluation: usize,
    /// Nothing was done in them that can be read as an action.
    pub unread: usize,
    /// Answered by several minds.
    pub several: usize,
    /// What some of their turns were worth was said apart, and a conversation is judged as a whole here.
    #[serde(default)]
    pub by_turns: usize,
    /// The tokens of some action, or what they were written to, are not known.
    pub inexact: usize,
    /// Written at another temperature than 1, or from a part of the distribution (`top_p`, `top_k`,
    /// `min_p`): what was drawn is not what would be trained.
    pub temperature: usize,
    /// Longer than the model reads.
    pub too_long: usize,
}

impl Unfit {
    /// In words, each kind that there is.
    pub fn told(&self) -> Vec<String> {
        let all = [
            (self.unrewarded, "nobody said the worth of"),
            (self.abandoned, "their agent left for another answer"),
            (self.evaluation, "are about games for evaluation"),
            (self.unread, "nothing was done in"),
            (self.several, "several minds answered in"),
            (self.by_turns, "were rewarded turn by turn"),
            (self.inexact, "the tokens are not known of"),
            (
                self.temperature,
                "were written at another temperature than 1, or from a part of what could be",
            ),
            (self.too_long, "are longer than the model reads"),
        ];
        left_out(&all, "conversation")
    }
}

/// What is left out, in words, each kind that there is.
pub(super) fn left_out(all: &[(usize, &str)], what: &str) -> Vec<String> {
    let there = all.iter().filter(|(count, _)| *count > 0);
    there.map(|(count, why)| format!("{} left out: {why}", counted(*count as u64, what))).collect()
}

/// What conversations were worth when a run began, by their last calls.
pub type Worth = BTreeMap<i64, f64>;

/// The rollouts of an agent, of calls up to a number, in the order of their last ones. `worth` is what
/// they were worth when that was written down, if it was: only those are taken, whatever was said since.
pub fn rollouts(
    store: &Store,
    agent: &AgentRow,
    upto: i64,
    known: Option<&Worth>,
) -> Result<(Vec<Rollout>, Unfit)> {
    let which = Called { agent: Some(agent.id), ..Called::default() };
    let mut sessions: BTreeMap<String, Vec<CallRow>> = BTreeMap::new();
    let own = |call: &CallRow| call.id <= upto && !call.session.starts_with(TRIALS);
    for call in store.calls(&which)?.into_iter().filter(own) {
        sessions.entry(call.session.clone()).or_default().push(call);
    }
    let (mut found, mut unfit) = (BTreeMap::new(), Unfit::default());
    // Of each suite once: it is opened for that.
    let mut held: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for (name, calls) in sessions {
        let worth = stretches(store, &name)?;
        let mut taken = Taken::default();
        let all = ends(store, &calls, &worth, &mut taken)?;
        unfit.abandoned += taken.abandoned;
        for end in
            all.into_iter().filter(|end| known.is_none_or(|known| known.contains_key(&end.id)))
        {
            let Some(stretch) = of(&worth, end.id) else {
                unfit.unrewarded += 1;
                continue;
            };
            let then = known.and_then(|known| known.get(&end.id));
            let stretch = &Stretch { reward: *then.unwrap_or(&stretch.reward), ..stretch.clone() };
            if let Some((suite, task)) = &stretch.world
                && held
                    .entry(suite.clone())
                    .or_insert_with(|| evaluation_games(suite))
                    .contains(task)
            {
                unfit.evaluation += 1;
                continue;
            }
            let own = conversation(store, &calls, &end)?;
            if own.iter().any(|call| call.mind != end.mind) {
                unfit.several += 1;
                continue;
            }
            let apart =
                |call: &&CallRow| of(&worth, call.id).map(|own| own.upto) != Some(stretch.upto);
            if own.iter().any(apart) {
                unfit.by_turns += 1;
                continue;
            }
            let own: Vec<WholeCall> =
                own.iter().map(|call| store.call(call.id)).collect::<Result<_>>()?;
            let read = read(&own, agent, stretch, &mut unfit);
            let Some((mut trajectory, written)) = read else { continue };
            trajectory.purpose = Purpose::Rollout;
            if let Some(last) = trajectory.steps.last_mut() {
                last.success = stretch.reward >= Wanted::default().least;
            }
            let task = match &stretch.world {
                Some((suite, task)) => format!("{suite} {task}"),
                // Whichever way it was read.
                None => own.first().map(first_said).unwrap_or_default(),
            };
            let world = stretch.world.clone();
            let mind = Named::parse(&end.mind).mind.to_string();
            let call = end.id;
            found.insert(call, Rollout { task, world, trajectory, written, mind, call });
        }
    }
    Ok((found.into_values().collect(), unfit))
}

/// A conversation as what was done and how it was written; none where it is no rollout.
fn read(
    own: &[WholeCall],
    agent: &AgentRow,
    stretch: &Stretch,
    unfit: &mut Unfit,
) -> Option<(Trajectory, Vec<Written>)> {
    let last = own.last()?;
    let played = episode(last, agent, &Wanted::default(), stretch);
    let has_prompt =
        |call: &&WholeCall| call.tokens.as_ref().is_some_and(|of| of["prompt"].is_array());
    let prompts = own.iter().filter(has_prompt).count();
    if prompts > 0 && prompts < own.len() {
        unfit.inexact += 1;
        return None;
    }
    let spoken = prompts > 0;
    let trajectory = match played {
        // Whatever was said counts, be it an action of a game or not.
        Some(played)
            if spoken
                && played.steps.len() == own.len()
                && own.iter().enumerate().all(|(i, call)| acted(call, &played) == Some(i)) =>
        {
            played
        }
        _ if spoken => conversed(own, agent, stretch),
        Some(played) => played,
        None => {
            unfit.unread += 1;
            return None;
        }
    };
    let mut all: Vec<Option<Written>> = vec![None; trajectory.steps.len()];
    for (i, call) in own.iter().enumerate() {
        let place = if spoken { Some(i) } else { acted(call, &trajectory) };
        let Some(place) = place.and_then(|t| all.get_mut(t)) else { continue };
        let Ok(one) = written(call) else {
            unfit.temperature += 1;
            return None;
        };
        *place = one;
    }
    let whole: Option<Vec<Written>> = all.into_iter().collect();
    unfit.inexact += usize::from(whole.is_none());
    Some((trajectory, whole?))
}

/// It was not drawn from the model's own distribution.
struct Otherwise;

/// How a call was written; none where that is not known.
fn written(call: &WholeCall) -> Result<Option<Written>, Otherwise> {
    let Some(tokens) = &call.tokens else { return Ok(None) };
    let part = |field: &str, none: f64| {
        call.request[field].as_f64().is_some_and(|own| (own - none).abs() > 1e-9)
    };
    let cut = part("top_p", 1.0) || part("top_k", 0.0) || part("min_p", 0.0);
    if cut || tokens["temperature"].as_f64().is_none_or(|own| (own - 1.0).abs() > 1e-9) {
        return Err(Otherwise);
    }
    let ids: Vec<u32> = serde_json::from_value(tokens["ids"].clone()).unwrap_or_default();
    let logps: Vec<f32> = serde_json::from_value(tokens["logps"].clone()).unwrap_or_default();
    let prompt = serde_json::from_value(tokens["prompt"].clone()).unwrap_or_default();
    let whole = !ids.is_empty() && ids.len() == logps.len();
    Ok(whole.then_some(Written { ids, logps, prompt }))
}

/// Which step of a game a call answered.
fn acted(call: &WholeCall, trajectory: &Trajectory) -> Option<usize> {
    let t = state_of(&call.messages, call.tools()).state.history.len();
    let action = state_of(&call.said(), call.tools()).open?;
    (trajectory.steps.get(t)?.action == action).then_some(t)
}

/// What a conversation begins with: the first message of its user.
fn first_said(call: &WholeCall) -> String {
    let is_user = |one: &&Value| one["role"] == "user";
    call.messages.iter().find(is_user).map(|one| said::text_of(&one["content"])).unwrap_or_default()
}

/// A conversation that is no game, or not only: each answer is what was done, and what was said to the
/// model next is what came of it.
fn conversed(own: &[WholeCall], agent: &AgentRow, stretch: &Stretch) -> Trajectory {
    let said = |call: &WholeCall, from: usize| {
        let new = call.messages.iter().skip(from).filter(|one| one["role"] != "assistant");
        new.map(|one| said::text_of(&one["content"])).collect::<Vec<_>>().join("\n")
    };
    let mut steps: Vec<Step> = Vec::with_capacity(own.len());
    for (i, call) in own.iter().enumerate() {
        let next = own.get(i + 1).map(|next| said(next, call.messages.len())).unwrap_or_default();
        let action = call.answer.as_ref().map(said::line).unwrap_or_default();
        steps.push(step(action, next, &agent.name));
    }
    if let Some(last) = steps.last_mut() {
        (last.done, last.reward) = (true, stretch.reward);
    }
    let row = &own[own.len() - 1].row;
    let unnamed = || ("conversation".to_string(), format!("{} call {}", row.session, row.id));
    Trajectory {
        task: own.first().map(first_said).unwrap_or_default(),
        steps,
        ..captured(row, agent, stretch.world.clone().unwrap_or_else(unnamed))
    }
}
