//! A model in this process as a mind.

use rayon::prelude::*;

use super::prompt::{Framing, PREDICTION, PROPOSAL, REFLECTION, ROOM};
use super::{Agent, Among, Ask, Can, Case, Completion, Each, Reflector, Scores, Usage};
use crate::control::Cancel;
use crate::digest::versioned;
use crate::error::Result;
use crate::experience::{RATIONALE, State};
use crate::model::Model;
use crate::model::beside::SYSTEM;
use crate::model::cache::PromptCache;
use crate::model::decode::{Decoding, Opening, Stops, Written};
use crate::model::prompt::Prompt;
use crate::model::sampler::Sampling;
use crate::model::team::{Priority, Team};

/// Memory that recent prompts may take.
const RECENT: usize = 256 << 20;

/// States that are asked about at once, where their prompts have room in [`RECENT`]: more make no
/// pass cheaper.
const AT_ONCE: usize = 8;

/// The model on threads of its own, with recent prompts kept: the next state, or one gone back to,
/// costs only its new tokens.
#[derive(Debug)]
pub(super) struct LocalAgent {
    model: Model,
    recent: PromptCache,
    team: Team,
    usage: Usage,
}

/// What a text is written to, from where, and how far.
struct Writing<'a> {
    prompts: &'a [Prompt],
    /// What opens each continuation of each prompt.
    starts: &'a [Vec<Vec<u32>>],
    seeds: &'a [&'a [u64]],
    /// Tokens at most.
    limit: usize,
    how: Sampling,
    /// Whether log-probabilities are wanted.
    logps: bool,
    /// Texts that end it as well.
    stops: &'a [String],
}

impl LocalAgent {
    /// An agent over a model.
    pub fn new(model: Model, priority: Priority) -> Result<Self> {
        let recent = PromptCache::new(RECENT);
        let team = Team::all(priority)?;
        Ok(Self { model, recent, team, usage: Usage::default() })
    }

    /// Tokens that a state may take.
    fn limit(&self) -> usize {
        self.model.decoder.config.context.saturating_sub(ROOM)
    }

    /// States, each with a thought about it if there is one, ready to be continued.
    fn prompts(&mut self, asks: &[(&State, Option<&str>)], cancel: &Cancel) -> Result<Vec<Prompt>> {
        let framing = Framing::new(&self.model.tokenizer)?;
        let context = self.model.decoder.config.context;
        let tokens: Vec<Vec<u32>> = self.team.run(|| {
            let tokens =
                asks.par_iter().map(|(state, thought)| framing.asked(state, *thought, context));
            tokens.collect::<Result<_>>()
        })?;
        self.computed(&tokens, cancel)
    }

    /// Prompts by their tokens, ready to be continued.
    fn computed(&mut self, tokens: &[Vec<u32>], cancel: &Cancel) -> Result<Vec<Prompt>> {
        self.usage.asks += tokens.len() as u64;
        self.usage.prompt_tokens += tokens.iter().map(|tokens| tokens.len() as u64).sum::<u64>();
        let Self { model, recent, team, .. } = self;
        team.run(|| Prompt::all(&model.decoder, tokens, recent, cancel))
    }

    /// Goes on from each prompt, by its tokens, with a text; the control tokens in it are written out.
    pub(super) fn go_on(
        &mut self,
        tokens: &[Vec<u32>],
        seeds: &[u64],
        (how, limit, stops): (Sampling, usize, &[String]),
        cancel: &Cancel,
    ) -> Result<Vec<Completion>> {
        let prompts = self.computed(tokens, cancel)?;
        let starts = vec![vec![Vec::new()]; prompts.len()];
        let seeds: Vec<&[u64]> = seeds.chunks(1).collect();
        let writing = Writing {
            prompts: &prompts,
            starts: &starts,
            seeds: &seeds,
            limit,
            how,
            logps: true,
            stops,
        };
        let found = self.write(writing, cancel, &mut |_, _, _| true)?;
        let read = |(written, tokens): (Written, &Vec<u32>)| {
            let text = self.model.tokenizer.decode_all(&written.tokens)?;
            Ok(completion(written, text, tokens.len()))
        };
        found.into_iter().flatten().zip(tokens).map(read).collect()
    }

    /// Writes continuations, all together.
    fn write(
        &mut self,
        Writing { prompts, starts, seeds, limit, how: sampling, logps, stops }: Writing<'_>,
        cancel: &Cancel,
        each: &mut (dyn FnMut(usize, usize, u32) -> bool + Send),
    ) -> Result<Vec<Vec<Written>>> {
        let ends = &self.model.tokenizer.ends;
        let tokenizer = &self.model.tokenizer;
        let stops = (!stops.is_empty()).then_some(Stops { tokenizer, texts: stops });
        let how = Decoding { ends, stops, only: None, limit, sampling, logps, cancel };
        let openings: Vec<Opening<'_>> = prompts
            .iter()
            .zip(starts)
            .zip(seeds)
            .map(|((prompt, starts), seeds)| Opening { prompt, starts, seeds })
            .collect();
        let found =
            self.team.run(|| Prompt::decode_all(&self.model.decoder, &openings, &how, each))?;
        cancel.check()?;
        self.usage.answer_tokens +=
            found.iter().flatten().map(|written| written.tokens.len() as u64).sum::<u64>();
        Ok(found)
    }

    /// Writes to each ask, after `opening`, a text a seed.
    fn complete(
        &mut self,
        asks: &[Ask<'_>],
        opening: &[u32],
        limit: usize,
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        let prompts = self.prompts(
            &asks.iter().map(|ask| (ask.state, ask.thought)).collect::<Vec<_>>(),
            cancel,
        )?;
        let starts: Vec<_> =
            asks.iter().map(|ask| vec![opening.to_vec(); ask.seeds.len()]).collect();
        let seeds: Vec<&[u64]> = asks.iter().map(|ask| ask.seeds).collect();
        let writing = Writing {
            prompts: &prompts,
            starts: &starts,
            seeds: &seeds,
            limit,
            how,
            logps: true,
            stops: &[],
        };
        let found = self.write(writing, cancel, &mut |_, _, _| true)?;
        let read = |written: Written, prompt: usize| -> Result<Completion> {
            let text = self.model.tokenizer.decode(&written.tokens)?.trim().to_string();
            Ok(completion(written, text, prompt))
        };
        let lengths = prompts.iter().map(|prompt| prompt.len() + opening.len());
        let all = found.into_iter().zip(lengths);
        all.map(|(written, prompt)| written.into_iter().map(|one| read(one, prompt)).collect())
            .collect()
    }
}

/// What was written to a prompt of so many tokens, with the token that ended it.
fn completion(written: Written, text: String, prompt: usize) -> Completion {
    let Written { mut tokens, logps, ended } = written;
    tokens.extend(ended);
    Completion { text, tokens, logps, ended: ended.is_some(), prompt }
}

impl Agent for LocalAgent {
    /// A mind that is asked otherwise answers otherwise (see [`Agent::name`]).
    fn name(&self) -> String {
        let source = &self.model.source;
        match &self.model.tokenizer.system {
            None => source.clone(),
            Some(system) => {
                format!("{source} asked by {}", versioned(SYSTEM, [system.as_str()]))
            }
        }
    }

    fn can(&self) -> Can {
        let config = &self.model.decoder.config;
        let prompt = config.kept(config.context).max(1);
        let at_once = (RECENT as u64 / prompt).clamp(1, AT_ONCE as u64) as usize;
        Can { scores: Scores::Exact, tokens: true, context: Some(config.context), at_once }
    }

    fn usage(&self) -> Usage {
        self.usage
    }

    fn reads(&self, state: &State) -> Result<bool> {
        Ok(Framing::new(&self.model.tokenizer)?.opening(state)?.len() <= self.limit())
    }

    fn act(
        &mut self,
        asks: &[Ask<'_>],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        let opening = Framing::new(&self.model.tokenizer)?.act();
        self.complete(asks, &opening, PROPOSAL, how, cancel)
    }

    fn think(
        &mut self,
        asks: &[Ask<'_>],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Completion>>> {
        let opening = Framing::new(&self.model.tokenizer)?.think();
        self.complete(asks, &opening, REFLECTION, how, cancel)
    }

    fn score(&mut self, asks: &[Among<'_>], cancel: &Cancel) -> Result<Option<Vec<Vec<f64>>>> {
        let prompts = self.prompts(
            &asks.iter().map(|ask| (ask.state, ask.thought)).collect::<Vec<_>>(),
            cancel,
        )?;
        let framing = Framing::new(&self.model.tokenizer)?;
        // The control token itself is given, not chosen: its probability is the same for all and is
        // taken out.
        let opening = vec![framing.act()];
        let tokens =
            |ask: &Among<'_>| ask.actions.iter().map(|action| framing.acted(action)).collect();
        let continuations: Vec<Vec<Vec<u32>>> =
            self.team.run(|| asks.par_iter().map(tokens).collect::<Result<_>>())?;
        self.usage.answer_tokens +=
            continuations.iter().flatten().map(|tokens| tokens.len() as u64).sum::<u64>();
        let decoder = &self.model.decoder;
        let opened: Vec<(&Prompt, &[Vec<u32>])> =
            prompts.iter().map(|prompt| (prompt, opening.as_slice())).collect();
        let whole: Vec<(&Prompt, &[Vec<u32>])> =
            prompts.iter().zip(continuations.iter().map(Vec::as_slice)).collect();
        let (opened, whole) = self.team.run(|| -> Result<_> {
            Ok((
                Prompt::score_all(decoder, &opened, cancel)?,
                Prompt::score_all(decoder, &whole, cancel)?,
            ))
        })?;
        let less = opened.iter().map(|opening| opening[0].logp).zip(whole);
        Ok(Some(
            less.map(|(opening, scores)| scores.iter().map(|score| score.logp - opening).collect())
                .collect(),
        ))
    }

    fn predict(
        &mut self,
        asks: &[Among<'_>],
        cancel: &Cancel,
        each: Each<'_>,
    ) -> Result<Vec<Vec<String>>> {
        let prompts =
            self.prompts(&asks.iter().map(|ask| (ask.state, None)).collect::<Vec<_>>(), cancel)?;
        let tokenizer = std::sync::Arc::clone(&self.model.tokenizer);
        let framing = Framing::new(&tokenizer)?;
        let start = |action: &String| Ok([framing.acted(action)?, framing.observe()].concat());
        let starts: Vec<Vec<Vec<u32>>> = asks
            .iter()
            .map(|ask| ask.actions.iter().map(start).collect())
            .collect::<Result<_>>()?;
        let mut partial: Vec<Vec<Vec<u32>>> =
            asks.iter().map(|ask| vec![Vec::new(); ask.actions.len()]).collect();
        let mut grow = |ask: usize, action: usize, token| {
            let tokens = &mut partial[ask][action];
            tokens.push(token);
            each(ask, action, &tokenizer.decode(tokens).unwrap_or_default());
            !cancel.is_cancelled()
        };
        let limit = PREDICTION;
        let how = Sampling::GREEDY;
        let seeds = vec![&[][..]; asks.len()];
        let writing = Writing {
            prompts: &prompts,
            starts: &starts,
            seeds: &seeds,
            limit,
            how,
            logps: false,
            stops: &[],
        };
        let found = self.write(writing, cancel, &mut grow)?;
        let read = |written: &Written| tokenizer.decode(&written.tokens);
        found.iter().map(|written| written.iter().map(read).collect()).collect()
    }

    fn given(&self, state: &State, thought: Option<&str>) -> Result<String> {
        let framing = Framing::new(&self.model.tokenizer)?;
        let mut tokens = framing.asked(state, thought, self.model.decoder.config.context)?;
        tokens.extend(framing.act());
        self.model.tokenizer.decode_all(&tokens)
    }
}

impl Reflector for LocalAgent {
    fn generator(&self) -> String {
        format!("{RATIONALE}{}", self.name())
    }

    /// The model was trained to think from the state alone (that is all it has when it acts), so it
    /// is asked from the state alone here too: what it writes is a rationale.
    fn sees_outcomes(&self) -> bool {
        false
    }

    fn reflect(
        &mut self,
        cases: &[(&Case, u64)],
        how: Sampling,
        cancel: &Cancel,
    ) -> Result<Vec<String>> {
        let seeds: Vec<[u64; 1]> = cases.iter().map(|(_, seed)| [*seed]).collect();
        let asks: Vec<Ask<'_>> = cases
            .iter()
            .zip(&seeds)
            .map(|((case, _), seed)| Ask::about(&case.state, seed))
            .collect();
        let found = self.think(&asks, how, cancel)?;
        Ok(found.into_iter().flatten().map(Completion::whole).collect())
    }
}
