//! Scoring whole strings and decoding several continuations of one prompt together.

use std::sync::Arc;

use rayon::prelude::*;

use super::cache::{Cache, Recent, Segment};
use super::decoder::{Decoder, Growth};
use super::kernels::log_sum;
use super::matrix::Care;
use super::sampler::{self, Sampling};
use super::tokenizer::Tokenizer;
use super::trie::Trie;
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Tokens of a prompt that are computed between two looks at whether the answer is still wanted.
const SLICE: usize = 256;

/// Nodes that are computed in one pass, of however many prompts.
const PASS: usize = 1024;

/// Nodes whose logits exist at once.
const NODES: usize = 256;

/// A computed prompt: where continuations begin, and the logits after it.
#[derive(Debug, Clone)]
pub struct Prompt {
    segment: Arc<Segment>,
    logits: Vec<f32>,
}

/// The probability of a string.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Its log-probability as a whole, in nats.
    pub nats: f64,
    /// How many tokens it has.
    pub tokens: usize,
}

impl Score {
    /// Nats a token: the score by which long and short strings are compared.
    pub fn per_token(&self) -> f64 {
        self.nats / self.tokens.max(1) as f64
    }
}

/// What a model says whose arithmetic overflows: neither a win nor a loss can be made of it.
fn no_numbers() -> Error {
    Error::new("the model's scores are not numbers").hint("its weights overflow: take another checkpoint, or train it anew")
}

/// A prompt that is not whole yet.
struct Begun<'a> {
    /// The prompts that it is to become: equal ones are computed once.
    of: Vec<usize>,
    cache: Cache,
    /// Tokens that are still to be computed.
    left: &'a [u32],
    /// The hidden state of the last token so far.
    last: Vec<f32>,
}

impl Begun<'_> {
    /// Computes the next tokens of all of them, as far as a pass goes.
    fn pass(all: &mut [Self], decoder: &Decoder, cancel: &Cancel) -> Result<()> {
        let mut room = PASS;
        let mut parents: Vec<Vec<Option<usize>>> = Vec::new();
        let mut taken: Vec<&[u32]> = Vec::new();
        for begun in all.iter_mut() {
            let (now, later) = begun.left.split_at(begun.left.len().min(SLICE).min(room));
            (begun.left, room) = (later, room - now.len());
            let from = begun.cache.len();
            parents.push((from..from + now.len()).map(|i| i.checked_sub(1)).collect());
            taken.push(now);
        }
        let grow = all.iter_mut().zip(&parents).zip(&taken);
        let mut growths: Vec<Growth<'_>> =
            grow.map(|((begun, parents), tokens)| Growth { cache: &mut begun.cache, tokens, parents }).collect();
        let hidden = decoder.extend_all(&mut growths, Care::Exact, cancel)?;
        let (h, mut end) = (decoder.config.hidden, 0);
        for (begun, tokens) in all.iter_mut().zip(taken).filter(|(_, tokens)| !tokens.is_empty()) {
            end += tokens.len() * h;
            begun.last = hidden[end - h..end].to_vec();
        }
        Ok(())
    }
}

/// Scores continuations of some prompts in one pass.
fn score_pass(
    decoder: &Decoder,
    asks: &[(&Prompt, &[Vec<u32>])],
    tries: &[(Trie, Vec<usize>)],
    cancel: &Cancel,
) -> Result<Vec<Vec<Score>>> {
    let mut caches: Vec<Cache> = asks.iter().map(|(prompt, _)| prompt.cache(decoder)).collect();
    let inner: Vec<_> = tries.iter().map(|(trie, _)| trie.inner()).collect();
    let grow = caches.iter_mut().zip(&inner);
    let mut growths: Vec<Growth<'_>> =
        grow.map(|(cache, (tokens, parents, _))| Growth { cache, tokens, parents }).collect();
    let hidden = decoder.extend_all(&mut growths, Care::Exact, cancel)?;
    let (h, vocab) = (decoder.config.hidden, decoder.config.vocab);
    // What each place is asked for: the prompt, its continuation, and that one's token after the place.
    let mut asked: Vec<Vec<(usize, usize, u32)>> = vec![Vec::new(); hidden.len() / h];
    let mut scores: Vec<Vec<Score>> = Vec::with_capacity(asks.len());
    let mut first = 0;
    for (n, ((prompt, continuations), ((trie, ends), (tokens, _, places)))) in
        asks.iter().zip(tries.iter().zip(&inner)).enumerate()
    {
        let mut own: Vec<Score> = continuations.iter().map(|tokens| Score { nats: 0.0, tokens: tokens.len() }).collect();
        let root = log_sum(&prompt.logits);
        for (i, end) in ends.iter().enumerate() {
            for (parent, token) in trie.path(*end) {
                match places[parent] {
                    Some(place) => asked[first + place].push((n, i, token)),
                    None => own[i].nats += logit(&prompt.logits, token) - root,
                }
            }
        }
        scores.push(own);
        first += tokens.len();
    }
    for (hidden, asked) in hidden.chunks(NODES * h).zip(asked.chunks(NODES)) {
        cancel.check()?;
        let logits = decoder.logits(hidden, Care::Exact);
        let sums: Vec<f64> = logits.par_chunks_exact(vocab).map(log_sum).collect();
        for ((row, sum), asked) in logits.chunks_exact(vocab).zip(sums).zip(asked) {
            asked.iter().for_each(|(n, i, token)| scores[*n][*i].nats += logit(row, *token) - sum);
        }
    }
    Ok(scores)
}

impl Prompt {
    /// Computes `tokens` and keeps them among the `recent` prompts, of which as much as possible is used.
    pub fn new(decoder: &Decoder, tokens: &[u32], recent: &mut Recent, cancel: &Cancel) -> Result<Self> {
        let mut found = Self::all(decoder, &[tokens.to_vec()], recent, cancel)?;
        found.pop().ok_or_else(|| Error::new("no prompt"))
    }

    /// Computes some prompts together, so that the weights are read once for all of them.
    pub fn all(decoder: &Decoder, prompts: &[Vec<u32>], recent: &mut Recent, cancel: &Cancel) -> Result<Vec<Self>> {
        let mut done: Vec<Option<Self>> = vec![None; prompts.len()];
        let mut begun: Vec<Begun<'_>> = Vec::new();
        for (i, tokens) in prompts.iter().enumerate() {
            let Some(all_but_last) = tokens.len().checked_sub(1) else {
                return Err(Error::new("an empty prompt"));
            };
            let (mut place, mut same, known) = recent.find(tokens);
            if let (Some((segment, _)), Some(logits)) = (&place, known) {
                done[i] = Some(Self { segment: Arc::clone(segment), logits });
                continue;
            }
            if same == tokens.len() {
                // The logits after the last token are wanted, so it is computed again.
                (place, same, _) = recent.find(&tokens[..all_but_last]);
            }
            match begun.iter_mut().find(|begun| prompts[begun.of[0]] == *tokens) {
                Some(twin) => twin.of.push(i),
                None => begun.push(Begun {
                    of: vec![i],
                    cache: Cache::new(&decoder.config, place),
                    left: &tokens[same..],
                    last: Vec::new(),
                }),
            }
        }
        while begun.iter().any(|begun| !begun.left.is_empty()) {
            Begun::pass(&mut begun, decoder, cancel)?;
        }
        for Begun { of, cache, last, .. } in begun {
            let logits = decoder.logits(&last, Care::Exact);
            if logits.iter().any(|logit| !logit.is_finite()) {
                return Err(no_numbers());
            }
            let found = Self { segment: Arc::new(cache.freeze()), logits };
            of.into_iter().for_each(|i| done[i] = Some(found.clone()));
        }
        let done: Vec<Self> = done.into_iter().flatten().collect();
        done.iter().for_each(|found| recent.keep(Arc::clone(&found.segment), found.logits.clone()));
        Ok(done)
    }

    /// Its tokens.
    pub fn len(&self) -> usize {
        self.segment.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.segment.is_empty()
    }

    fn cache(&self, decoder: &Decoder) -> Cache {
        let own = self.segment.len() - self.segment.depth();
        Cache::new(&decoder.config, Some((Arc::clone(&self.segment), own)))
    }

    /// The exact log-probability of each continuation as a whole, all in one pass over their common beginnings.
    pub fn score(&self, decoder: &Decoder, continuations: &[Vec<u32>], cancel: &Cancel) -> Result<Vec<Score>> {
        Ok(Self::score_all(decoder, &[(self, continuations)], cancel)?.pop().unwrap_or_default())
    }

    /// The same for some prompts, each with continuations of its own.
    pub fn score_all(decoder: &Decoder, asks: &[(&Self, &[Vec<u32>])], cancel: &Cancel) -> Result<Vec<Vec<Score>>> {
        let tries: Vec<(Trie, Vec<usize>)> =
            asks.iter().map(|(_, continuations)| Trie::new(continuations.iter().map(Vec::as_slice))).collect();
        let mut scores: Vec<Vec<Score>> = Vec::with_capacity(asks.len());
        let (mut first, mut nodes) = (0, 0);
        for (i, (trie, _)) in tries.iter().enumerate() {
            let own = trie.inner().0.len();
            if i > first && nodes + own > PASS {
                scores.extend(score_pass(decoder, &asks[first..i], &tries[first..i], cancel)?);
                (first, nodes) = (i, 0);
            }
            nodes += own;
        }
        scores.extend(score_pass(decoder, &asks[first..], &tries[first..], cancel)?);
        if scores.iter().flatten().any(|score| !score.nats.is_finite()) {
            return Err(no_numbers());
        }
        Ok(scores)
    }

    /// Decodes one continuation for each of `starts` (tokens that open it), all together, so that the weights are read
    /// once a step for all of them. `each` sees every new token and says whether to go on; `false` ends all with what is
    /// there.
    pub fn decode(
        &self,
        decoder: &Decoder,
        starts: &[Vec<u32>],
        options: &Decoding<'_>,
        each: &mut (dyn FnMut(usize, u32) -> bool + Send),
    ) -> Result<Vec<Vec<u32>>> {
        let mut cache = self.cache(decoder);
        let mut branches = self.begin(decoder, &mut cache, starts, options)?;
        let longest = starts.iter().map(Vec::len).max().unwrap_or_default();
        let room = decoder.config.context.saturating_sub(self.len() + longest);
        let (h, vocab) = (decoder.config.hidden, decoder.config.vocab);
        let steps = options.limit.min(room);
        for step in 1..=steps {
            let (mut tokens, mut parents, mut still) = (Vec::new(), Vec::new(), Vec::new());
            for (i, branch) in branches.iter_mut().enumerate().filter(|(_, branch)| !branch.done) {
                let Some(token) = branch.draw(options) else { continue };
                if !each(i, token) {
                    return Ok(branches.into_iter().map(|branch| branch.written).collect());
                }
                if branch.done {
                    continue;
                }
                tokens.push(token);
                parents.push(branch.end);
                branch.end = Some(cache.len() + tokens.len() - 1);
                still.push(i);
            }
            if still.is_empty() || step == steps {
                break;
            }
            let hidden = decoder.extend(&mut cache, &tokens, &parents, Care::Fast, options.cancel)?;
            let logits = decoder.logits(&hidden[..still.len() * h], Care::Fast);
            for (i, row) in still.into_iter().zip(logits.chunks_exact(vocab)) {
                branches[i].next = row.to_vec();
            }
        }
        Ok(branches.into_iter().map(|branch| branch.written).collect())
    }

    fn begin(
        &self,
        decoder: &Decoder,
        cache: &mut Cache,
        starts: &[Vec<u32>],
        options: &Decoding<'_>,
    ) -> Result<Vec<Branch>> {
        // Logits are needed after the last token of each start, so something is made to follow it.
        let followed: Vec<Vec<u32>> = starts.iter().map(|start| [start.as_slice(), &[u32::MAX]].concat()).collect();
        let (trie, _) = Trie::new(followed.iter().map(Vec::as_slice));
        let (tokens, parents, places) = trie.inner();
        let hidden = decoder.extend(cache, &tokens, &parents, Care::Fast, options.cancel)?;
        let h = decoder.config.hidden;
        let mut branches = Vec::with_capacity(starts.len());
        for (i, start) in starts.iter().enumerate() {
            let node = start.iter().try_fold(0, |at, token| trie.child(at, *token));
            let end = node.and_then(|node| places[node]);
            let next = match end {
                Some(place) => decoder.logits(&hidden[place * h..(place + 1) * h], Care::Fast),
                None => self.logits.clone(),
            };
            let rng = Rng::stream(options.seeds.get(i).copied().unwrap_or_default(), "continuation");
            branches.push(Branch { end, next, rng, written: Vec::new(), at: 0, done: false });
        }
        Ok(branches)
    }
}

/// A token's logit; a token that the model does not have is impossible.
fn logit(row: &[f32], token: u32) -> f64 {
    row.get(token as usize).map_or(f64::NEG_INFINITY, |logit| f64::from(*logit))
}

/// One continuation under way.
struct Branch {
    /// Its last node in the cache; none while it is the prompt itself.
    end: Option<usize>,
    /// Logits after that.
    next: Vec<f32>,
    rng: Rng,
    written: Vec<u32>,
    /// Where it is among the strings that it is restricted to.
    at: usize,
    done: bool,
}

impl Branch {
    /// The next token; none, and it is done, where it ends without another.
    fn draw(&mut self, options: &Decoding<'_>) -> Option<u32> {
        if let Some(trie) = options.only {
            let mut kept = vec![f32::NEG_INFINITY; self.next.len()];
            let allowed = trie.next(self.at).chain(trie.ends(self.at).then_some(options.stop));
            for token in allowed.map(|token| token as usize) {
                if let (Some(kept), Some(logit)) = (kept.get_mut(token), self.next.get(token)) {
                    *kept = *logit;
                }
            }
            self.next = kept;
        }
        let token = sampler::sample(&self.next, options.sampling, &self.written, &mut self.rng) as u32;
        let child = options.only.map(|trie| trie.child(self.at, token));
        if child == Some(None) || (token == options.stop && child.is_none()) {
            self.done = true;
            return None;
        }
        self.written.push(token);
        if let (Some(trie), Some(Some(child))) = (options.only, child) {
            self.at = child;
            self.done = trie.next(child).next().is_none();
        }
        self.done |= options.stops.is_some_and(|stops| stops.reached(&self.written));
        Some(token)
    }
}

/// Texts that end a continuation; they stay part of it.
#[derive(Debug, Clone, Copy)]
pub struct Stops<'a> {
    /// Turns tokens into text.
    pub tokenizer: &'a Tokenizer,
    /// The texts.
    pub texts: &'a [String],
}

impl Stops<'_> {
    /// Whether one of them was written.
    pub fn reached(&self, written: &[u32]) -> bool {
        let text = self.tokenizer.decode(written).unwrap_or_default();
        self.texts.iter().any(|stop| text.contains(stop.as_str()))
    }
}

/// How [`Prompt::decode`] decodes.
#[derive(Debug, Clone, Copy)]
pub struct Decoding<'a> {
    /// The token that ends a continuation; it is not part of it.
    pub stop: u32,
    /// Texts that end one as well.
    pub stops: Option<Stops<'a>>,
    /// Only these strings may be written.
    pub only: Option<&'a Trie>,
    /// At most this many tokens each.
    pub limit: usize,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// A seed for each continuation, where they are drawn and not only the likeliest; what is missing counts as 0.
    pub seeds: &'a [u64],
    /// Ends the work early, with an error.
    pub cancel: &'a Cancel,
}
