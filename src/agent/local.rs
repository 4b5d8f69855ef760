//! A model in this process as policy, world model and reflector.

use super::prompt::{Framing, ROOM};
use super::{Case, Policy, Reflector, WorldModel};
use crate::control::Cancel;
use crate::error::Result;
use crate::experience::State;
use crate::model::Model;
use crate::model::generate::{Decoding, Prompt};
use crate::model::sampler::Sampling;

/// How many tokens a predicted observation, a proposed action and a reflection may take.
const PREDICTION: usize = 96;
const PROPOSAL: usize = 24;
const REFLECTION: usize = 160;

/// The model, with the prompt of the last state kept so that the next one costs only its new tokens.
#[derive(Debug)]
pub struct LocalAgent {
    model: Model,
    prompt: Option<Prompt>,
    cancel: Cancel,
}

impl LocalAgent {
    /// An agent over a model; `cancel` ends long answers early.
    pub fn new(model: Model, cancel: Cancel) -> Self {
        Self { model, prompt: None, cancel }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Uses another cancellation flag from now on.
    pub fn set_cancel(&mut self, cancel: Cancel) {
        self.cancel = cancel;
    }

    fn prompt(&mut self, state: &State) -> Result<Prompt> {
        let limit = self.model.decoder.config.context.saturating_sub(ROOM);
        let tokens = Framing::new(&self.model.tokenizer)?.state(state, limit)?;
        let prompt = Prompt::new(&self.model.decoder, &tokens, self.prompt.take())?;
        self.prompt = Some(prompt.clone());
        Ok(prompt)
    }
}

impl Policy for LocalAgent {
    fn score(&mut self, state: &State, actions: &[String]) -> Result<Vec<f64>> {
        let prompt = self.prompt(state)?;
        let framing = Framing::new(&self.model.tokenizer)?;
        let continuations: Vec<Vec<u32>> = actions.iter().map(|action| framing.acted(action)).collect::<Result<_>>()?;
        // The control token itself is given, not chosen: its probability is the same for all and is taken out.
        let opening = prompt.score(&self.model.decoder, &[framing.act()])?;
        let scores = prompt.score(&self.model.decoder, &continuations)?;
        Ok(scores.iter().map(|score| score - opening[0]).collect())
    }

    fn propose(&mut self, state: &State, count: usize, seed: u64) -> Result<Vec<String>> {
        let prompt = self.prompt(state)?;
        let framing = Framing::new(&self.model.tokenizer)?;
        let sampling = Sampling { temperature: 1.0, top_p: 1.0 };
        let how = Decoding { stop: self.model.tokenizer.end, limit: PROPOSAL, sampling, seed };
        let cancel = self.cancel.clone();
        let starts = vec![framing.act(); count];
        let found = prompt.decode(&self.model.decoder, &starts, &how, &mut |_, _| !cancel.is_cancelled())?;
        cancel.check()?;
        found.iter().map(|tokens| Ok(self.model.tokenizer.decode(tokens)?.trim().to_string())).collect()
    }
}

impl WorldModel for LocalAgent {
    fn predict(
        &mut self,
        state: &State,
        actions: &[String],
        each: &mut dyn FnMut(usize, &str) -> bool,
    ) -> Result<Vec<String>> {
        let prompt = self.prompt(state)?;
        let framing = Framing::new(&self.model.tokenizer)?;
        let mut starts = Vec::with_capacity(actions.len());
        for action in actions {
            let mut tokens = framing.acted(action)?;
            tokens.extend(framing.observe());
            starts.push(tokens);
        }
        let how = Decoding { stop: self.model.tokenizer.end, limit: PREDICTION, sampling: Sampling::GREEDY, seed: 0 };
        let (cancel, tokenizer) = (self.cancel.clone(), self.model.tokenizer.clone());
        let mut partial: Vec<Vec<u32>> = vec![Vec::new(); actions.len()];
        let found = prompt.decode(&self.model.decoder, &starts, &how, &mut |i, token| {
            partial[i].push(token);
            !cancel.is_cancelled() && each(i, &tokenizer.decode(&partial[i]).unwrap_or_default())
        })?;
        cancel.check()?;
        found.iter().map(|tokens| tokenizer.decode(tokens)).collect()
    }
}

impl Reflector for LocalAgent {
    fn generator(&self) -> String {
        format!("model {}", self.model.source)
    }

    /// The model was trained to think from the state alone (that is all it has when it acts), so it is asked from the
    /// state alone here too; the executed outcomes are what the reader judges it by.
    fn reflect(&mut self, case: &Case, seed: u64) -> Result<String> {
        let prompt = self.prompt(&case.state)?;
        let framing = Framing::new(&self.model.tokenizer)?;
        let sampling = Sampling { temperature: 0.7, top_p: 0.95 };
        let how = Decoding { stop: self.model.tokenizer.end, limit: REFLECTION, sampling, seed };
        let cancel = self.cancel.clone();
        let found = prompt.decode(&self.model.decoder, &[framing.think()], &how, &mut |_, _| !cancel.is_cancelled())?;
        cancel.check()?;
        Ok(self.model.tokenizer.decode(&found[0])?.trim().to_string())
    }
}
