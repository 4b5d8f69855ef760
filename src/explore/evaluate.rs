//! What a mind makes of the state that a person stands in: what it thinks, how likely it finds each
//! action, which alternatives are tried, and what it expects of them.

use std::time::{Duration, Instant};

use super::score::{ScoreState, score_state, shares_of};
use super::went;
use crate::agent::alternatives::AlternativeSampling;
use crate::agent::template::Template;
use crate::agent::{Agent, Among, Ask, Case, REFLECTING, Reflector, Scores, Writer};
use crate::control::{Cancel, Control};
use crate::env::Form;
use crate::episode::{Episode, Play, Played, Player, Told, roll_out};
use crate::error::Result;
use crate::experience::{POLICY, State};
use crate::model::sampler::Sampling;
use crate::rng::Rng;
use crate::text::percent;

/// A state to be evaluated.
#[derive(Debug, Clone)]
pub struct EvaluateState {
    /// Identifies the request in the answers.
    pub ticket: u64,
    /// The state.
    pub state: State,
    /// All admissible actions.
    pub actions: Vec<String>,
    /// Forms of free text that are taken beside them.
    pub forms: Vec<String>,
    /// The expert's action, if there is one: it is predicted too, and is no alternative.
    pub expert: Option<String>,
    /// How alternatives are chosen.
    pub choosing: AlternativeSampling,
    /// Whether the policy thinks before it acts.
    pub think: bool,
}

/// What is known of a state so far.
#[derive(Debug, Clone, PartialEq)]
pub enum Evaluated {
    /// What the policy thinks, where it is to.
    Thought(String),
    /// How likely it finds each admissible action, and how that is known.
    Shares(Vec<f64>, Scores),
    /// The alternatives, and who proposed each.
    Chosen(Vec<(String, String)>),
    /// What the expert's action and the alternatives are expected to lead to, and whether that is
    /// all.
    Predicted(Vec<String>, bool),
}

/// A state that another mind is asked about as well.
#[derive(Debug, Clone)]
pub struct LookBeside {
    /// Identifies the request in the answers.
    pub ticket: u64,
    /// The state, with the actions that are scored.
    pub score: ScoreState,
    /// The actions whose outcomes are foreseen, the expert's first.
    pub foreseen: Vec<String>,
}

/// Between two pictures of a prediction that grows: more would only queue up.
const GROWTH: Duration = Duration::from_millis(33);

/// Thinks, scores, chooses alternatives and predicts, telling each as soon as it is known.
pub fn evaluate_state(
    agent: &mut dyn Agent,
    of: &EvaluateState,
    cancel: &Cancel,
    tell: &mut (dyn FnMut(Evaluated) + Send),
) -> Result<()> {
    let thought = thought_of(agent, &of.state, of.think, cancel)?;
    if let Some(thought) = &thought {
        tell(Evaluated::Thought(thought.clone()));
    }
    let after = thought.as_deref();
    let mut chosen: Vec<(String, String)> = Vec::new();
    if !of.actions.is_empty() {
        let among = Among { state: &of.state, thought: after, actions: &of.actions };
        let (shares, scores) = shares_of(agent, among, of.choosing.seed, cancel)?;
        let expert = of.actions.iter().position(|action| Some(action) == of.expert.as_ref());
        let order = of.choosing.choose(&shares, expert, &of.state.place());
        tell(Evaluated::Shares(shares, scores));
        let source = of.choosing.proposer.source();
        chosen.extend(order.into_iter().map(|i| (of.actions[i].clone(), source.to_string())));
    }
    if of.actions.is_empty() || !of.forms.is_empty() {
        let forms: Vec<Form> = of.forms.iter().map(|form| Form::new(form.as_str())).collect();
        let AlternativeSampling { k, temperature, top_p, seed, .. } = of.choosing;
        let how = Sampling { top_p, ..Sampling::at(temperature) };
        let seeds = Rng::seeds(seed, &format!("explore {}", of.state.place()), k);
        let written =
            agent.act(&[Ask { state: &of.state, thought: after, seeds: &seeds }], how, cancel)?;
        for action in written.into_iter().flatten().map(|sample| sample.text) {
            let fits = forms.is_empty() || forms.iter().any(|form| form.admits(&action));
            let known = Some(&action) == of.expert.as_ref()
                || chosen.iter().any(|(known, _)| *known == action);
            if fits && !known && !of.actions.contains(&action) {
                chosen.push((action, POLICY.into()));
            }
        }
    }
    tell(Evaluated::Chosen(chosen.clone()));
    let all: Vec<String> =
        of.expert.iter().cloned().chain(chosen.into_iter().map(|(action, _)| action)).collect();
    foresee(agent, &of.state, &all, cancel, tell)
}

/// Scores and predicts what stands there already, telling each as soon as it is known.
pub fn look_beside(
    agent: &mut dyn Agent,
    of: &LookBeside,
    cancel: &Cancel,
    tell: &mut (dyn FnMut(Evaluated) + Send),
) -> Result<()> {
    if !of.score.actions.is_empty() {
        let (shares, scores) = score_state(agent, &of.score, cancel)?;
        tell(Evaluated::Shares(shares, scores));
    }
    foresee(agent, &of.score.state, &of.foreseen, cancel, tell)
}

/// What a policy thinks in a state, where it is to, its likeliest words.
pub(super) fn thought_of(
    agent: &mut dyn Agent,
    state: &State,
    think: bool,
    cancel: &Cancel,
) -> Result<Option<String>> {
    if !think {
        return Ok(None);
    }
    agent.think_once(state, Sampling::GREEDY, 0, cancel).map(Some)
}

/// Predicts, telling what there is while it grows.
fn foresee(
    agent: &mut dyn Agent,
    state: &State,
    actions: &[String],
    cancel: &Cancel,
    tell: &mut (dyn FnMut(Evaluated) + Send),
) -> Result<()> {
    let mut last = Instant::now();
    let mut partial: Vec<String> = vec![String::new(); actions.len()];
    let finished = agent.predict(&[Among::of(state, actions)], cancel, &mut |_, i, text| {
        partial[i] = text.to_string();
        if last.elapsed() > GROWTH {
            last = Instant::now();
            tell(Evaluated::Predicted(partial.clone(), false));
        }
    })?;
    tell(Evaluated::Predicted(finished.into_iter().next().unwrap_or_default(), true));
    Ok(())
}

/// What a policy is given in a state, exactly, and raw replies to it: lines to be read.
pub fn prompt_and_replies(
    agent: &mut dyn Agent,
    state: &State,
    actions: &[String],
    think: bool,
    cancel: &Cancel,
) -> Result<Vec<String>> {
    let mut lines =
        vec![format!("model {}", agent.name()), String::new(), "To act, it is given:".into()];
    let thought = thought_of(agent, state, think, cancel)?;
    lines.extend(agent.given(state, thought.as_deref())?.lines().map(str::to_string));
    if thought.is_some() {
        lines.push("(what stands after <|think|> it wrote itself, its likeliest words)".into());
    }
    let seeds = Rng::seeds(1, "prompt", 3);
    let ask = Ask { state, thought: thought.as_deref(), seeds: &seeds };
    let proposed = agent.act(&[ask], Sampling::at(1.0), cancel)?;
    lines.extend([String::new(), "Asked freely (three samples, temperature 1) it replies:".into()]);
    lines.extend(proposed.iter().flatten().map(|sample| format!("  {:?}", sample.text)));
    let predicted = agent.foresee(state, actions, cancel)?;
    lines.extend([String::new(), "Asked what these actions lead to (greedy) it replies:".into()]);
    lines.extend(
        actions.iter().zip(&predicted).map(|(action, text)| format!("  {action} → {text:?}")),
    );
    Ok(lines)
}

/// An attempt at a reflection: who wrote it, and the text.
pub fn write(
    agent: &mut dyn Agent,
    writer: Writer,
    case: &Case,
    seed: u64,
    cancel: &Cancel,
) -> Result<(String, String)> {
    let (how, place) = match writer {
        Writer::Template => return Ok((Template.generator(), Template.write(case, seed)?)),
        Writer::Model => (REFLECTING, ""),
        Writer::Greedy => (Sampling::GREEDY, ", T 0"),
        Writer::Bold => (Sampling::at(1.1), ", T 1.1"),
    };
    let written = agent.reflect(&[(case, seed)], how, cancel)?;
    Ok((format!("{}{place}", agent.generator()), written.into_iter().next().unwrap_or_default()))
}

/// Two models on one state.
#[derive(Debug, Clone)]
pub struct CompareModels {
    /// The model before.
    pub before: String,
    /// The model after.
    pub after: String,
    /// The state.
    pub state: State,
    /// Its admissible actions.
    pub actions: Vec<String>,
    /// What the expert does.
    pub expert: Option<String>,
}

/// What two minds make of one state, side by side: lines to be read.
pub fn compare_models(
    of: &CompareModels,
    before: &mut dyn Agent,
    after: &mut dyn Agent,
    cancel: &Cancel,
) -> Result<Vec<String>> {
    let named = |agent: &mut dyn Agent| -> Result<(String, Vec<f64>)> {
        let among = Among::of(&of.state, &of.actions);
        let (shares, scores) = shares_of(agent, among, 1, cancel)?;
        let mut name = agent.name();
        if scores != Scores::Exact {
            name.push_str(&format!(" ({})", scores.describe()));
        }
        Ok((name, shares))
    };
    let (old, before) = named(before)?;
    let (new, after) = named(after)?;
    let mut order: Vec<usize> = (0..of.actions.len()).collect();
    order.sort_by(|a, b| after[*b].total_cmp(&after[*a]));
    let mut lines =
        vec![format!("The state that is open in Explore: {}", of.state.task), String::new()];
    lines.extend([
        format!("before: {old}"),
        format!("after:  {new}"),
        String::new(),
        "before   after".into(),
    ]);
    lines.extend(order.into_iter().map(|i| {
        let mark = if of.expert.as_ref() == Some(&of.actions[i]) { "  (expert)" } else { "" };
        format!("{}  {}  {}{mark}", percent(before[i]), percent(after[i]), of.actions[i])
    }));
    Ok(lines)
}

/// Lets a policy play on to the episode's limit, its likeliest actions, and says how it ended.
pub fn play_on(agent: &mut dyn Agent, episode: Episode, cancel: &Cancel) -> Result<String> {
    let before = episode.trajectory.steps.len();
    let play = Play { seed: 1, ..Play::default() }.by(agent);
    let control = Control::ended_by(cancel);
    let mut said = String::new();
    let begun = (episode.trajectory.task_id.clone(), Ok(Player::new(episode, 1)));
    roll_out(agent, &mut std::iter::once(begun), 1, play, &control, &mut |told| {
        let Told::Ended(ended) = told else { return Ok(()) };
        let played = (*ended).map_err(|broken| broken.why)?;
        let Played { trajectory, turn, .. } = &played;
        let done = &trajectory.steps[before..];
        let last = done.last().filter(|_| !turn.success);
        said = went(turn, done.len())
            + &last.map_or(String::new(), |step| format!(" (last: {})", step.action));
        Ok(())
    })?;
    Ok(said)
}
