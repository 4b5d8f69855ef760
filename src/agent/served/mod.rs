//! A model behind an endpoint that was trained as models here are: it is given the very tokens that it learnt
//! from ([`super::prompt::Framing`]), and no conversation.

mod flowing;

use std::sync::Arc;

use self::flowing::Flowing;
use super::dealt::{dealt, drawn, drawn_by, foreseen};
use super::endpoint::{
    self, ChatReply, CompletionRequest, Draw, Endpoint, Finish, Found, Profile, Prompt, Spent,
    whole,
};
use super::prompt::{Framing, PREDICTION, PROPOSAL, REFLECTION, ROOM};
use super::remote::short;
use super::{Agent, Among, Ask, Can, Case, Completion, Each, Flow, Reflector, Scores, Usage};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::experience::{RATIONALE, State};
use crate::model::sampler::Sampling;
use crate::model::tokenizer::Tokenizer;
use crate::place::IN_TOKENS;

/// Whose tokens an endpoint is given.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The model that they are of, by name: a checkpoint, a folder.
    pub source: String,
    /// How text becomes tokens.
    pub tokenizer: Arc<Tokenizer>,
    /// Tokens that it reads and writes together.
    pub context: usize,
    /// The model that it is an adapter beside, as it is called where it lies.
    pub base: Option<String>,
}

/// A model behind an endpoint, asked in tokens.
#[derive(Debug)]
pub struct ServedAgent {
    name: String,
    endpoint: Endpoint,
    found: Found,
    of: Tokens,
}

/// A text in which tokenizers differ: words, digits, marks and white space.
const SAMPLE: &str =
    "Task: put a clean mug in/on coffeemachine 1.\n\nOn the shelf 12, you see  a café's \"mug\" 3.";

impl ServedAgent {
    /// Connects, and finds out what is there; `name` is what it goes by.
    ///
    /// # Errors
    /// Where the model there has other tokens.
    pub fn open(name: &str, profile: Profile, of: Tokens, cancel: &Cancel) -> Result<Self> {
        let mut profile = profile;
        // Whatever ends a text of this model ends an answer.
        let ends = serde_json::json!(of.tokenizer.ends);
        profile.extra.entry("stop_token_ids").or_insert(ends);
        let endpoint = Endpoint::open(profile)?;
        let mut found = endpoint.probe_texts(cancel)?;
        let alone = |name: &str| short(name).split('@').next().unwrap_or_default().to_string();
        if of.base.as_deref().map(alone) == Some(alone(&found.model)) {
            return Err(Error::new(format!(
                "{name}: {} is the model without the adapter of {}",
                found.model, of.source
            ))
            .hint("serve the adapter beside it (vLLM: --lora-modules NAME=FOLDER), and name that: model = \"NAME\""));
        }
        let own = of.tokenizer.encode(SAMPLE)?;
        let theirs = endpoint.tokens(&found, SAMPLE, cancel)?;
        if theirs.is_none() {
            found
                .notes
                .push(format!("its tokens could not be held against those of {}", of.source));
        }
        if let Some(theirs) = theirs.filter(|ids| *ids != own) {
            return Err(Error::new(format!(
                "{name}: the model there ({}) has other tokens than {}: {} of a sample text, and not {}",
                found.model,
                of.source,
                theirs.len(),
                own.len()
            ))
            .hint("serve the model that those tokens are of, or name another in tokens_of"));
        }
        let context = found.context.and_then(|most| usize::try_from(most).ok());
        let context = context.map_or(of.context, |most| most.min(of.context));
        let model = short(&found.model);
        let name =
            if name.contains(model) { name.to_string() } else { format!("{name} ({model})") };
        Ok(Self { name, endpoint, found, of: Tokens { context, ..of } })
    }

    /// What was found there.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn framing(&self) -> Result<Framing<'_>> {
        Framing::new(&self.of.tokenizer)
    }

    fn named(&self, error: Error) -> Error {
        if error.is_cancelled() { error } else { error.at(&self.name) }
    }

    /// What is sent of a state so that an action or a thought follows.
    fn asked(&self, state: &State, thought: Option<&str>, opening: &[u32]) -> Result<Vec<u32>> {
        let mut tokens = self.framing()?.asked(state, thought, self.of.context)?;
        tokens.extend(opening);
        Ok(tokens)
    }

    /// Tokens that may be written after a prompt: a server refuses more than the model reads, where one here would
    /// stop.
    fn room(&self, prompt: &[u32], limit: usize) -> u32 {
        let room = limit.min(self.of.context.saturating_sub(prompt.len())).max(1);
        u32::try_from(room).unwrap_or(u32::MAX)
    }

    /// Texts that go on from tokens, all together.
    fn go_on(
        &self,
        requests: Vec<CompletionRequest>,
        cancel: &Cancel,
        each: endpoint::Each<'_>,
    ) -> Result<Vec<ChatReply>> {
        let replies = whole(self.endpoint.complete(requests, cancel, each));
        let replies = replies.map_err(|error| self.named(error))?;
        if let Some(surprise) = self.endpoint.surprise() {
            tracing::warn!("{}: {surprise}", self.name);
        }
        Ok(replies)
    }

    /// For each ask a completion a seed, after `opening`.
    fn complete(
        &self,
        asks: &[Ask<'_>],
        opening: &[u32],
        (how, limit): (Sampling, usize),
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        let mut requests = Vec::new();
        for ask in asks.iter().filter(|ask| !ask.seeds.is_empty()) {
            let prompt = self.asked(ask.state, ask.thought, opening)?;
            let draw = drawn_by(ask.seeds, how, self.room(&prompt, limit));
            requests.push(CompletionRequest { prompt: Prompt::Tokens(prompt), draw });
        }
        let wanted: Vec<usize> = asks.iter().map(|ask| ask.seeds.len()).collect();
        let replies = self.go_on(requests, cancel, &mut |_, _, _| {})?;
        Ok(dealt(&wanted, replies, how, |choice| self.written(choice)))
    }

    /// What was written of a choice, without what ended it.
    fn written(&self, choice: &endpoint::Choice) -> Completion {
        let text = self.text(&choice.text);
        // A server that writes the mark of an end out did not know it for one.
        let marked = text.len() < choice.text.len();
        Completion {
            text: text.trim().to_string(),
            ended: marked || choice.finished == Finish::Stop,
            ..Completion::default()
        }
    }

    /// A text without the mark of its end, where a server writes that out.
    fn text<'t>(&self, text: &'t str) -> &'t str {
        let marks = self.of.tokenizer.ends.iter();
        let marks = marks.filter_map(|end| self.of.tokenizer.decode_all(&[*end]).ok());
        let cut = marks.filter(|mark| !mark.trim().is_empty()).filter_map(|mark| text.find(&mark));
        cut.min().map_or(text, |at| &text[..at])
    }
}

impl Agent for ServedAgent {
    /// Asked in messages it would be another mind, and another model under the same name is one.
    fn name(&self) -> String {
        format!("{}{IN_TOKENS}{}", self.name, self.of.source)
    }

    fn can(&self) -> Can {
        let scores = if self.found.scores_tokens() { self.found.scores } else { Scores::None };
        let at_once = self.endpoint.profile().concurrency;
        Can { scores, tokens: false, context: Some(self.of.context), at_once }
    }

    fn usage(&self) -> Usage {
        let Spent { asks, prompt_tokens, answer_tokens, .. } = self.endpoint.spent();
        Usage { asks, prompt_tokens, answer_tokens }
    }

    fn reads(&self, state: &State) -> Result<bool> {
        Ok(self.framing()?.opening(state)?.len() <= self.of.context.saturating_sub(ROOM))
    }

    fn act(
        &mut self,
        asks: &[Ask<'_>],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        let opening = self.framing()?.act();
        self.complete(asks, &opening, (how, PROPOSAL), cancel)
    }

    fn think(
        &mut self,
        asks: &[Ask<'_>],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        let opening = self.framing()?.think();
        self.complete(asks, &opening, (how, REFLECTION), cancel)
    }

    fn score(&mut self, asks: &[Among<'_>], cancel: &Cancel) -> Result<Option<Vec<Vec<f64>>>> {
        if !self.found.scores_tokens() {
            return Ok(None);
        }
        let framing = self.framing()?;
        let opening = framing.act();
        let mut all = Vec::with_capacity(asks.len());
        for ask in asks {
            let before = self.asked(ask.state, ask.thought, &opening)?;
            let actions = ask.actions.iter().map(|action| framing.action(action));
            let actions = actions.collect::<Result<Vec<_>>>()?;
            let longest = actions.iter().map(Vec::len).max().unwrap_or_default();
            // One more is written in any case.
            if before.len() + longest >= self.of.context {
                return Ok(None);
            }
            all.push((before, actions));
        }
        let found = self.endpoint.score_tokens(&self.found, all, cancel);
        let found = found.map_err(|error| self.named(error))?;
        Ok(found.into_iter().map(|scores| scores.into_iter().collect()).collect())
    }

    fn predict(
        &mut self,
        asks: &[Among<'_>],
        cancel: &Cancel,
        each: Each<'_>,
    ) -> Result<Vec<Vec<String>>> {
        let framing = self.framing()?;
        let states = asks.iter().map(|ask| self.asked(ask.state, None, &[]));
        let states = states.collect::<Result<Vec<_>>>()?;
        let request = |ask: usize, action: &str| {
            let prompt = [states[ask].clone(), framing.acted(action)?, framing.observe()].concat();
            let limit = self.room(&prompt, PREDICTION);
            let draw = Draw { stream: true, ..drawn(Sampling::GREEDY, limit) };
            Ok(CompletionRequest { prompt: Prompt::Tokens(prompt), draw })
        };
        let read = |text: &str| self.text(text).trim().to_string();
        let send = |requests, each: endpoint::Each<'_>| self.go_on(requests, cancel, each);
        foreseen(asks, request, read, send, each)
    }

    fn flow(&self) -> Option<Box<dyn Flow + '_>> {
        Some(Box::new(Flowing::of(self)))
    }

    fn given(&self, state: &State, thought: Option<&str>) -> Result<String> {
        let opening = self.framing()?.act();
        self.of.tokenizer.decode_all(&self.asked(state, thought, &opening)?)
    }
}

impl Reflector for ServedAgent {
    fn generator(&self) -> String {
        format!("{RATIONALE}{}", self.name())
    }

    /// It was trained to think from the state alone, and is asked so.
    fn sees_outcomes(&self) -> bool {
        false
    }

    fn spent(&self) -> Option<Spent> {
        Some(self.endpoint.spent())
    }

    fn reflect(
        &mut self,
        cases: &[(&Case, u64)],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<String>> {
        let seeds: Vec<[u64; 1]> = cases.iter().map(|(_, seed)| [*seed]).collect();
        let asks = cases.iter().zip(&seeds).map(|((case, _), seed)| Ask::about(&case.state, seed));
        let asks: Vec<Ask<'_>> = asks.collect();
        let found = self.think(&asks, how, cancel)?;
        Ok(found.into_iter().flatten().map(Completion::whole).collect())
    }
}
