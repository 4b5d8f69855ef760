//! Decoding several continuations of some prompts together.

use super::cache::Cache;
use super::decoder::{Decoder, Growth};
use super::kernels::log_sum;
use super::packed::Precision;
use super::prompt::Prompt;
use super::sampler::{self, Sampling};
use super::score::logit;
use super::tokenizer::Tokenizer;
use super::trie::Trie;
use crate::control::Cancel;
use crate::error::Result;
use crate::rng::Rng;

impl Prompt {
    /// Decodes one continuation for each of `starts` (tokens that open it), all together, so that
    /// the weights are read once a step for all of them. `each` sees every new token and says
    /// whether to go on; `false` ends all with what is there.
    pub fn decode(
        &self,
        decoder: &Decoder,
        starts: &[Vec<u32>],
        seeds: &[u64],
        options: &Decoding<'_>,
        each: &mut (dyn FnMut(usize, u32) -> bool + Send),
    ) -> Result<Vec<Vec<u32>>> {
        let asks = [Opening { prompt: self, starts, seeds }];
        let found = Self::decode_all(decoder, &asks, options, &mut |_, i, token| each(i, token))?;
        Ok(found.into_iter().flatten().map(|written| written.tokens).collect())
    }

    /// The same for some prompts, each with starts of its own; `each` is told the prompt, its
    /// start, and the token.
    pub fn decode_all(
        decoder: &Decoder,
        asks: &[Opening<'_>],
        options: &Decoding<'_>,
        each: &mut (dyn FnMut(usize, usize, u32) -> bool + Send),
    ) -> Result<Vec<Vec<Written>>> {
        let mut caches: Vec<Cache> = asks.iter().map(|ask| ask.prompt.cache(decoder)).collect();
        let mut branches = begin(decoder, &mut caches, asks, options)?;
        let mut going = options.limit > 0;
        while going {
            let mut grown: Vec<(Vec<u32>, Vec<Option<usize>>)> =
                vec![Default::default(); asks.len()];
            let mut still = Vec::new();
            for branch in branches.iter_mut().filter(|branch| !branch.is_done(options)) {
                let Some(token) = branch.draw(options) else { continue };
                if !each(branch.ask, branch.start, token) {
                    return Ok(written(asks.len(), branches));
                }
                if branch.is_done(options) {
                    continue;
                }
                let (tokens, parents) = &mut grown[branch.ask];
                tokens.push(token);
                parents.push(branch.end);
                branch.end = Some(caches[branch.ask].len() + tokens.len() - 1);
                still.push((branch.ask, branch.start));
            }
            going = !still.is_empty();
            let grow = caches.iter_mut().zip(&grown);
            let mut growths: Vec<Growth<'_>> =
                grow.map(|(cache, (tokens, parents))| Growth { cache, tokens, parents }).collect();
            let hidden = decoder.extend_all(&mut growths, Precision::Fast, options.cancel)?;
            let logits = decoder.logits(&hidden, Precision::Fast)?;
            let rows = logits.chunks_exact(decoder.config.vocab);
            let waiting =
                branches.iter_mut().filter(|branch| still.contains(&(branch.ask, branch.start)));
            waiting.zip(rows).for_each(|(branch, row)| branch.next = row.to_vec());
        }
        Ok(written(asks.len(), branches))
    }
}

/// Computes what opens each continuation.
fn begin(
    decoder: &Decoder,
    caches: &mut [Cache],
    asks: &[Opening<'_>],
    options: &Decoding<'_>,
) -> Result<Vec<Branch>> {
    // Logits are needed after the last token of each start, so something is made to follow it.
    let follow = |start: &Vec<u32>| [start.as_slice(), &[u32::MAX]].concat();
    let followed: Vec<Vec<Vec<u32>>> =
        asks.iter().map(|ask| ask.starts.iter().map(follow).collect()).collect();
    let tries: Vec<Trie> =
        followed.iter().map(|starts| Trie::new(starts.iter().map(Vec::as_slice)).0).collect();
    let inner: Vec<_> = tries.iter().map(Trie::inner).collect();
    let grow = caches.iter_mut().zip(&inner);
    let mut growths: Vec<Growth<'_>> =
        grow.map(|(cache, (tokens, parents, _))| Growth { cache, tokens, parents }).collect();
    let hidden = decoder.extend_all(&mut growths, Precision::Fast, options.cancel)?;
    let h = decoder.config.hidden;
    let mut branches = Vec::new();
    let mut first = 0;
    for (n, ((ask, trie), (tokens, _, places))) in asks.iter().zip(&tries).zip(&inner).enumerate() {
        let longest = ask.starts.iter().map(Vec::len).max().unwrap_or_default();
        let room = decoder.config.context.saturating_sub(ask.prompt.len() + longest);
        for (i, start) in ask.starts.iter().enumerate() {
            let node = start.iter().try_fold(0, |at, token| trie.child(at, *token));
            let end = node.and_then(|node| places[node]);
            let next = match end.map(|place| (first + place) * h) {
                Some(at) => decoder.logits(&hidden[at..at + h], Precision::Fast)?,
                None => ask.prompt.logits.clone(),
            };
            let rng = Rng::stream(ask.seeds.get(i).copied().unwrap_or_default(), "continuation");
            let written = Written::default();
            branches.push(Branch {
                ask: n,
                start: i,
                end,
                next,
                rng,
                written,
                room,
                at: 0,
                done: false,
            });
        }
        first += tokens.len();
    }
    Ok(branches)
}

/// What the branches of each prompt wrote.
fn written(asks: usize, branches: Vec<Branch>) -> Vec<Vec<Written>> {
    let mut all = vec![Vec::new(); asks];
    for branch in branches {
        all[branch.ask].push(branch.written);
    }
    all
}

/// A prompt, and what opens each of its continuations.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The prompt.
    pub prompt: &'a Prompt,
    /// The tokens that each continuation begins with, not part of what is written.
    pub starts: &'a [Vec<u32>],
    /// A seed for each, where tokens are drawn and not only the likeliest; what is missing counts
    /// as 0.
    pub seeds: &'a [u64],
}

/// A continuation that was written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Written {
    /// Its tokens, without the one that ended it.
    pub tokens: Vec<u32>,
    /// The log-probability of each in nats, and of the token that ended it, in the model's own
    /// distribution (before temperature and cuts); empty unless asked for.
    pub logps: Vec<f32>,
    /// The token by which the model ended it; none where a limit did.
    pub ended: Option<u32>,
}

/// One continuation under way.
struct Branch {
    /// The prompt that it continues, and which of its starts.
    ask: usize,
    start: usize,
    /// Its last node in the cache; none while it is the prompt itself.
    end: Option<usize>,
    /// Logits after that.
    next: Vec<f32>,
    rng: Rng,
    written: Written,
    /// Tokens for which the context has room.
    room: usize,
    /// Where it is among the strings that it is restricted to.
    at: usize,
    done: bool,
}

impl Branch {
    fn is_done(&self, options: &Decoding<'_>) -> bool {
        self.done || self.written.tokens.len() >= self.room.min(options.limit)
    }

    /// The next token; none, and it is done, where it ends without another.
    fn draw(&mut self, options: &Decoding<'_>) -> Option<u32> {
        if let Some(trie) = options.only {
            let mut kept = vec![f32::NEG_INFINITY; self.next.len()];
            let allowed = trie
                .next(self.at)
                .chain(options.ends.first().copied().filter(|_| trie.ends(self.at)));
            for token in allowed.map(|token| token as usize) {
                if let (Some(kept), Some(logit)) = (kept.get_mut(token), self.next.get(token)) {
                    *kept = *logit;
                }
            }
            self.next = kept;
        }
        let token =
            sampler::sample(&self.next, options.sampling, &self.written.tokens, &mut self.rng)
                as u32;
        if options.logps {
            self.written.logps.push((logit(&self.next, token) - log_sum(&self.next)) as f32);
        }
        let child = options.only.map(|trie| trie.child(self.at, token));
        if child == Some(None) || (options.ends.contains(&token) && child.is_none()) {
            self.done = true;
            self.written.ended = Some(token);
            return None;
        }
        self.written.tokens.push(token);
        if let (Some(trie), Some(Some(child))) = (options.only, child) {
            self.at = child;
            self.done = trie.next(child).next().is_none();
        }
        self.done |= options.stops.is_some_and(|stops| stops.reached(&self.written.tokens));
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
    /// Tokens of which each ends a continuation, that of finished texts first; they are not part of
    /// it.
    pub ends: &'a [u32],
    /// Texts that end one as well.
    pub stops: Option<Stops<'a>>,
    /// Only these strings may be written.
    pub only: Option<&'a Trie>,
    /// At most this many tokens each.
    pub limit: usize,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Whether the log-probabilities of what is written are wanted.
    pub logps: bool,
    /// Ends the work early, with an error.
    pub cancel: &'a Cancel,
}
