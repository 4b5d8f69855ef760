//! Answers that come each in its own time.

use std::collections::HashMap;

use super::ServedAgent;
use crate::agent::dealt::drawn;
use crate::agent::endpoint::{self, CompletionRequest, Draw, Prompt};
use crate::agent::prompt::{PROPOSAL, REFLECTION};
use crate::agent::{Ask, Completion, Flow};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::model::sampler::Sampling;

/// Answers of an endpoint, each in its own time.
pub(super) struct Flowing<'a> {
    agent: &'a ServedAgent,
    under_way: endpoint::UnderWay<'a>,
    /// Those that could not be asked for.
    failed: HashMap<usize, Error>,
}

impl<'a> Flowing<'a> {
    /// Nothing is asked yet.
    pub fn of(agent: &'a ServedAgent) -> Self {
        Self { agent, under_way: agent.endpoint.under_way(), failed: HashMap::new() }
    }

    /// The request for an action, or for a thought.
    fn request(&self, ask: Ask<'_>, thinks: bool, how: Sampling) -> Result<CompletionRequest> {
        let framing = self.agent.framing()?;
        let (opening, limit) =
            if thinks { (framing.think(), REFLECTION) } else { (framing.act(), PROPOSAL) };
        let thought = ask.thought.filter(|_| !thinks);
        let prompt = self.agent.asked(ask.state, thought, &opening)?;
        let limit = self.agent.room(&prompt, limit);
        let draw = Draw { seed: ask.seeds.first().copied(), ..drawn(how, limit) };
        Ok(CompletionRequest { prompt: Prompt::Tokens(prompt), draw })
    }
}

impl Flow for Flowing<'_> {
    fn ask(&mut self, number: usize, ask: Ask<'_>, thinks: bool, how: Sampling) {
        match self.request(ask, thinks, how) {
            Ok(request) => self.under_way.go_on(number, request),
            Err(error) => _ = self.failed.insert(number, error),
        }
    }

    fn answers(&mut self, cancel: &Cancel) -> Result<Vec<(usize, Completion)>> {
        if let Some((_, error)) = self.failed.drain().next() {
            return Err(self.agent.named(error));
        }
        let found = self.under_way.answers(cancel).map_err(|error| self.agent.named(error))?;
        let read = |(number, reply): (usize, endpoint::ChatReply)| {
            let first = reply.choices.first().map(|choice| self.agent.written(choice));
            (number, first.unwrap_or_default())
        };
        Ok(found.into_iter().map(read).collect())
    }
}
