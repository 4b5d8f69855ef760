//! What a mind chooses in some states.

use crate::agent::{Agent, Among, Ask, Scores, argmax, scores_of, shares, weigh};
use crate::control::Cancel;
use crate::env::Form;
use crate::error::Result;
use crate::experience::State;
use crate::model::sampler::Sampling;
use crate::rng::Rng;

/// How to play.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Play {
    /// Temperature; 0 takes the likeliest (the paper validates at 0.4). Over the admissible list it
    /// is that of whole actions, with free text (and for thoughts) that of tokens: the two are not
    /// the same policy.
    pub temperature: f64,
    /// Seed of the sampling.
    pub seed: u64,
    /// Whether a thought comes before every action.
    pub think: bool,
    /// Whether actions are written as free text, which may be no admissible one. Otherwise they are
    /// chosen among those that are listed, where the mind can score them. Where the world takes forms of
    /// free text beside a list (a search), one is written first; what is neither listed nor of such a form
    /// is not sent, and one of the list is chosen in its place (by whole actions, at the same temperature).
    /// Where nothing is listed, what was written is sent, whatever it is. Rollouts of reinforcement learning
    /// always send what was written: only of that the probability is known.
    pub free: bool,
    /// Whether what comes of every action is predicted first and kept, for Replay. (How right
    /// predictions are is measured by [`crate::eval::foresight`].)
    pub predict: bool,
    /// Whether an action that was taken in a state of the world is left out there from then on, of
    /// a list; not a policy's own doing, so it is said wherever it is on.
    pub no_repeat: bool,
}

impl Play {
    /// In words, as far as it is not the usual.
    pub fn describe(&self) -> String {
        let think = if self.think { "thinking first" } else { "acting at once" };
        let free = if self.free { ", free text" } else { "" };
        let again = if self.no_repeat { ", no action twice in a state" } else { "" };
        format!("{think}{free}{again}")
    }

    /// The same for a mind: one that cannot score a list by itself writes its actions.
    #[must_use]
    pub fn by(self, agent: &dyn Agent) -> Self {
        Self {
            free: self.free || matches!(agent.can().scores, Scores::None | Scores::Frequency),
            ..self
        }
    }
}

/// A state in which something is to be chosen.
pub(super) struct Choice<'a> {
    pub state: State,
    /// What is listed there.
    pub listed: Vec<String>,
    /// Forms of free text that are taken beside it: then the list is not all that can be chosen.
    pub forms: Vec<Form>,
    /// Whether the probability of what is chosen has to be that of its tokens wherever something can be
    /// written.
    pub by_tokens: bool,
    /// Draws of its own.
    pub rng: &'a mut Rng,
}

impl Choice<'_> {
    /// Whether something is written here first, and not chosen from the list at once.
    fn is_written(&self, play: Play) -> bool {
        play.free || !self.forms.is_empty() || self.listed.is_empty()
    }

    /// Whether what was written here is the action, whatever it is.
    fn takes(&self, play: Play, action: &str) -> bool {
        play.free
            || self.by_tokens
            || self.listed.is_empty()
            || self.listed.iter().any(|listed| listed == action)
            || self.forms.iter().any(|form| form.admits(action))
    }
}

/// What was chosen, and what was thought before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chosen {
    pub action: String,
    pub thought: Option<String>,
    /// Of a choice from a list, the score of each action, and which it was.
    pub among: Option<(Vec<f64>, usize)>,
    /// Whether something was written first.
    pub written: bool,
}

/// One choice in each state.
pub(super) fn choose(
    agent: &mut dyn Agent,
    choices: &mut [Choice<'_>],
    play: Play,
    cancel: &Cancel,
) -> Result<Vec<Chosen>> {
    let how = Sampling::at(play.temperature);
    let mut thoughts: Vec<Option<String>> = vec![None; choices.len()];
    if play.think {
        let seeds: Vec<[u64; 1]> =
            choices.iter_mut().map(|choice| [choice.rng.next_u64()]).collect();
        let asks: Vec<Ask<'_>> = choices
            .iter()
            .zip(&seeds)
            .map(|(choice, seeds)| Ask::about(&choice.state, seeds))
            .collect();
        let written = agent.think(&asks, how, cancel)?;
        thoughts =
            written.into_iter().map(|mut all| all.pop().map(|thought| thought.text)).collect();
    }
    let mut actions: Vec<String> = vec![String::new(); choices.len()];
    let mut drawn: Vec<Option<(Vec<f64>, usize)>> = vec![None; choices.len()];
    let (written, mut scored): (Vec<usize>, Vec<usize>) =
        (0..choices.len()).partition(|i| choices[*i].is_written(play));
    let first: Vec<bool> = choices.iter().map(|choice| choice.is_written(play)).collect();
    if !written.is_empty() {
        let seeds: Vec<[u64; 1]> = written.iter().map(|i| [choices[*i].rng.next_u64()]).collect();
        let asks = written.iter().zip(&seeds).map(|(i, seeds)| Ask {
            state: &choices[*i].state,
            thought: thoughts[*i].as_deref(),
            seeds,
        });
        let found = agent.act(&asks.collect::<Vec<_>>(), how, cancel)?;
        for (i, mut completions) in written.into_iter().zip(found) {
            actions[i] = completions.pop().unwrap_or_default().text;
            if !choices[i].takes(play, &actions[i]) {
                scored.push(i);
            }
        }
    }
    if !scored.is_empty() {
        let among = scored.iter().map(|i| {
            let choice = &choices[*i];
            Among {
                state: &choice.state,
                thought: thoughts[*i].as_deref(),
                actions: &choice.listed,
            }
        });
        let among = among.collect::<Vec<_>>();
        let scores = if let Some(scores) = scores_of(agent, &among, cancel)? {
            scores
        } else {
            // A list longer than it can choose from: by what it writes, counted.
            let weighed = weigh(agent, &among, 0, cancel)?;
            let logs = |shares: Vec<f64>| shares.into_iter().map(f64::ln).collect();
            weighed.shares.into_iter().map(logs).collect()
        };
        for (i, scores) in scored.into_iter().zip(scores) {
            let choice = &mut choices[i];
            let picked = pick(&scores, play.temperature, choice.rng);
            actions[i].clone_from(&choice.listed[picked]);
            drawn[i] = Some((scores, picked));
        }
    }
    Ok(actions
        .into_iter()
        .zip(thoughts)
        .zip(drawn)
        .zip(first)
        .map(|(((action, thought), among), written)| Chosen { action, thought, among, written })
        .collect())
}

/// An index drawn from log-probabilities at a temperature.
pub fn pick(scores: &[f64], temperature: f64, rng: &mut Rng) -> usize {
    let best = argmax(scores).unwrap_or_default();
    if temperature <= 0.0 {
        return best;
    }
    let scaled: Vec<f64> = scores.iter().map(|score| score / temperature).collect();
    let mut left = rng.unit();
    for (i, share) in shares(&scaled).iter().enumerate() {
        left -= share;
        if left < 0.0 {
            return i;
        }
    }
    best
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
