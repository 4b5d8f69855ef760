//! A model in this process as policy, world model and reflector.

use super::prompt::{Framing, ROOM};
use super::{Case, Policy, Reflector, WorldModel};
use crate::control::Cancel;
use crate::error::Result;
use crate::experience::{RATIONALE, State};
use crate::model::Model;
use crate::model::cache::Recent;
use crate::model::generate::{Decoding, Prompt};
use crate::model::sampler::Sampling;
use crate::model::team::{Priority, Team};

/// How many tokens a predicted observation, a proposed action and a reflection may take.
const PREDICTION: usize = 96;
const PROPOSAL: usize = 24;
const REFLECTION: usize = 160;

/// Memory that recent prompts may take.
const RECENT: usize = 256 << 20;

/// The model on threads of its own, with recent prompts kept: the next state, or one gone back to, costs only its new
/// tokens.
#[derive(Debug)]
pub struct LocalAgent {
    model: Model,
    recent: Recent,
    team: Team,
    cancel: Cancel,
}

impl LocalAgent {
    /// An agent over a model; `cancel` ends long answers early.
    pub fn new(model: Model, cancel: Cancel, priority: Priority) -> Result<Self> {
        Ok(Self { model, recent: Recent::new(RECENT), team: Team::all(priority)?, cancel })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Uses another cancellation flag from now on.
    pub fn set_cancel(&mut self, cancel: Cancel) {
        self.cancel = cancel;
    }

    /// A state, with a thought about it if there is one, ready to be continued.
    fn prompt(&mut self, state: &State, thought: Option<&str>) -> Result<Prompt> {
        let tokens = self.tokens(state, thought)?;
        let Self { model, recent, team, cancel } = self;
        team.run(|| Prompt::new(&model.decoder, &tokens, recent, cancel))
    }

    /// The tokens of a state, with a thought about it if there is one.
    fn tokens(&self, state: &State, thought: Option<&str>) -> Result<Vec<u32>> {
        let limit = self.model.decoder.config.context.saturating_sub(ROOM);
        let framing = Framing::new(&self.model.tokenizer)?;
        let mut tokens = framing.state(state, limit)?;
        if let Some(thought) = thought {
            tokens.extend(framing.think());
            tokens.extend(framing.reflection(thought)?);
        }
        Ok(tokens)
    }

    /// The exact tokens it is given to act, as text with the control tokens in it.
    pub fn prompt_text(&self, state: &State, thought: Option<&str>) -> Result<String> {
        let mut tokens = self.tokens(state, thought)?;
        tokens.extend(Framing::new(&self.model.tokenizer)?.act());
        self.model.tokenizer.decode_all(&tokens)
    }

    /// Samples actions as free text.
    pub fn sample(&mut self, state: &State, thought: Option<&str>, how: Sampling, seeds: &[u64]) -> Result<Vec<String>> {
        let prompt = self.prompt(state, thought)?;
        let starts = vec![Framing::new(&self.model.tokenizer)?.act(); seeds.len()];
        let found = self.decode(&prompt, &starts, (PROPOSAL, how, seeds), &mut |_, _| true)?;
        found.iter().map(|tokens| Ok(self.model.tokenizer.decode(tokens)?.trim().to_string())).collect()
    }

    /// Writes what it thinks in a state.
    pub fn think_by(&mut self, state: &State, sampling: Sampling, seed: u64) -> Result<String> {
        let prompt = self.prompt(state, None)?;
        let starts = [Framing::new(&self.model.tokenizer)?.think()];
        let found = self.decode(&prompt, &starts, (REFLECTION, sampling, &[seed]), &mut |_, _| true)?;
        Ok(self.model.tokenizer.decode(&found[0])?.trim().to_string())
    }

    /// Decodes a continuation for each start, on the agent's threads.
    fn decode(
        &self,
        prompt: &Prompt,
        starts: &[Vec<u32>],
        (limit, sampling, seeds): (usize, Sampling, &[u64]),
        each: &mut (dyn FnMut(usize, u32) -> bool + Send),
    ) -> Result<Vec<Vec<u32>>> {
        let (stop, cancel) = (self.model.tokenizer.end, &self.cancel);
        let how = Decoding { stop, stops: None, only: None, limit, sampling, seeds, cancel };
        let found = self.team.run(|| prompt.decode(&self.model.decoder, starts, &how, each))?;
        cancel.check()?;
        Ok(found)
    }
}

impl Policy for LocalAgent {
    fn name(&self) -> String {
        self.model.source.clone()
    }

    fn reads(&self, state: &State) -> Result<bool> {
        let limit = self.model.decoder.config.context.saturating_sub(ROOM);
        Ok(Framing::new(&self.model.tokenizer)?.opening(state)?.len() <= limit)
    }

    fn think(&mut self, state: &State, temperature: f64, seed: u64) -> Result<String> {
        self.think_by(state, Sampling::at(temperature), seed)
    }

    fn score(&mut self, state: &State, thought: Option<&str>, actions: &[String]) -> Result<Vec<f64>> {
        let prompt = self.prompt(state, thought)?;
        let framing = Framing::new(&self.model.tokenizer)?;
        let continuations: Vec<Vec<u32>> = actions.iter().map(|action| framing.acted(action)).collect::<Result<_>>()?;
        let decoder = &self.model.decoder;
        // The control token itself is given, not chosen: its probability is the same for all and is taken out.
        let opening = self.team.run(|| prompt.score(decoder, &[framing.act()], &self.cancel))?;
        let scores = self.team.run(|| prompt.score(decoder, &continuations, &self.cancel))?;
        Ok(scores.iter().map(|score| score.nats - opening[0].nats).collect())
    }

    fn propose(&mut self, state: &State, thought: Option<&str>, temperature: f64, seeds: &[u64]) -> Result<Vec<String>> {
        self.sample(state, thought, Sampling::at(temperature), seeds)
    }
}

impl WorldModel for LocalAgent {
    fn predict(
        &mut self,
        state: &State,
        actions: &[String],
        each: &mut (dyn FnMut(usize, &str) -> bool + Send),
    ) -> Result<Vec<String>> {
        let prompt = self.prompt(state, None)?;
        let framing = Framing::new(&self.model.tokenizer)?;
        let mut starts = Vec::with_capacity(actions.len());
        for action in actions {
            let mut tokens = framing.acted(action)?;
            tokens.extend(framing.observe());
            starts.push(tokens);
        }
        let (cancel, tokenizer) = (self.cancel.clone(), self.model.tokenizer.clone());
        let mut partial: Vec<Vec<u32>> = vec![Vec::new(); actions.len()];
        let mut grow = |i: usize, token| {
            partial[i].push(token);
            !cancel.is_cancelled() && each(i, &tokenizer.decode(&partial[i]).unwrap_or_default())
        };
        let found = self.decode(&prompt, &starts, (PREDICTION, Sampling::GREEDY, &[]), &mut grow)?;
        found.iter().map(|tokens| tokenizer.decode(tokens)).collect()
    }
}

impl Reflector for LocalAgent {
    fn generator(&self) -> String {
        format!("{RATIONALE}{}", self.model.source)
    }

    /// The model was trained to think from the state alone (that is all it has when it acts), so it is asked from the
    /// state alone here too: what it writes is a rationale.
    fn sees_outcomes(&self) -> bool {
        false
    }

    fn reflect(&mut self, case: &Case, seed: u64) -> Result<String> {
        self.think_by(&case.state, Sampling { top_p: 0.95, ..Sampling::at(0.7) }, seed)
    }
}
