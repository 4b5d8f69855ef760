//! Scoring whole strings and decoding several continuations of one prompt together.

use super::cache::Cache;
use super::decoder::Decoder;
use super::sampler::{self, Sampling};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// A prompt in the cache: its last node and the logits after it.
#[derive(Debug, Clone)]
pub struct Prompt {
    cache: Cache,
    tokens: Vec<u32>,
    logits: Vec<f32>,
}

impl Prompt {
    /// Computes `tokens`, reusing as much of `before` as the two have in common.
    pub fn new(decoder: &Decoder, tokens: &[u32], before: Option<Self>) -> Result<Self> {
        if tokens.is_empty() {
            return Err(Error::new("an empty prompt"));
        }
        let mut cache = Cache::default();
        let mut from = 0;
        if let Some(before) = before {
            if before.tokens == tokens {
                return Ok(before);
            }
            // The last token is always computed again: its logits are what a caller needs.
            from = tokens.iter().zip(&before.tokens).take_while(|(a, b)| a == b).count().min(tokens.len() - 1);
            cache = before.cache;
            cache.truncate(from)?;
        }
        let parents: Vec<Option<usize>> = (from..tokens.len()).map(|i| i.checked_sub(1)).collect();
        let hidden = cache.extend(decoder, &tokens[from..], &parents)?;
        let last = hidden.narrow(0, hidden.dim(0)? - 1, 1)?;
        let logits = decoder.logits(&last)?.squeeze(0)?.to_vec1()?;
        Ok(Self { cache, tokens: tokens.to_vec(), logits })
    }

    /// Log-probability in nats of each continuation as a whole, all in one pass over their tree.
    pub fn score(&self, decoder: &Decoder, continuations: &[Vec<u32>]) -> Result<Vec<f64>> {
        let last = self.cache.len() - 1;
        let (mut tokens, mut parents) = (Vec::new(), Vec::new());
        // Only tokens with a successor need computing; the first is predicted by the prompt itself.
        for continuation in continuations {
            let mut above = last;
            for token in &continuation[..continuation.len().saturating_sub(1)] {
                tokens.push(*token);
                parents.push(Some(above));
                above = last + tokens.len();
            }
        }
        let logits: Vec<Vec<f32>> = if tokens.is_empty() {
            Vec::new()
        } else {
            decoder.logits(&self.cache.clone().extend(decoder, &tokens, &parents)?)?.to_vec2()?
        };
        let mut rows = logits.iter();
        let mut scores = Vec::with_capacity(continuations.len());
        for continuation in continuations {
            let mut total = 0.0;
            for (i, token) in continuation.iter().enumerate() {
                let row = if i == 0 { Some(&self.logits) } else { rows.next() };
                total += row.map_or(0.0, |row| sampler::log_prob(row, *token as usize));
            }
            scores.push(total);
        }
        Ok(scores)
    }

    /// Decodes one continuation for each of `starts` (tokens that open it), all together, until `stop` or `limit`
    /// tokens. `each` sees every new token and says whether to go on; `false` ends all with what is there.
    pub fn decode(
        &self,
        decoder: &Decoder,
        starts: &[Vec<u32>],
        options: &Decoding,
        each: &mut dyn FnMut(usize, u32) -> bool,
    ) -> Result<Vec<Vec<u32>>> {
        let mut cache = self.cache.clone();
        let mut out = vec![Vec::new(); starts.len()];
        let (mut tokens, mut parents, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for start in starts {
            let mut above = self.cache.len() - 1;
            for token in start {
                tokens.push(*token);
                parents.push(Some(above));
                above = self.cache.len() + tokens.len() - 1;
            }
            ends.push(above);
        }
        // Logits after each start; an empty start continues the prompt itself.
        let mut next: Vec<Vec<f32>> = vec![self.logits.clone(); starts.len()];
        if !tokens.is_empty() {
            let rows: Vec<Vec<f32>> = decoder.logits(&cache.extend(decoder, &tokens, &parents)?)?.to_vec2()?;
            for (row, end) in next.iter_mut().zip(&ends) {
                if let Some(at) = end.checked_sub(self.cache.len()) {
                    row.clone_from(&rows[at]);
                }
            }
        }
        let mut rngs: Vec<Rng> = (0..starts.len()).map(|i| Rng::new(options.seed.wrapping_add(i as u64))).collect();
        let mut alive: Vec<usize> = (0..starts.len()).collect();
        for _ in 0..options.limit {
            let (mut tokens, mut parents, mut still) = (Vec::new(), Vec::new(), Vec::new());
            for branch in alive {
                let token = sampler::sample(&next[branch], options.sampling, &mut rngs[branch]) as u32;
                if token == options.stop {
                    continue;
                }
                out[branch].push(token);
                if !each(branch, token) {
                    return Ok(out);
                }
                tokens.push(token);
                parents.push(Some(ends[branch]));
                ends[branch] = cache.len() + tokens.len() - 1;
                still.push(branch);
            }
            if still.is_empty()
                || self.tokens.len() + out.iter().map(Vec::len).max().unwrap_or(0) + 8 > decoder.config.context
            {
                break;
            }
            let rows: Vec<Vec<f32>> = decoder.logits(&cache.extend(decoder, &tokens, &parents)?)?.to_vec2()?;
            for (branch, row) in still.iter().zip(rows) {
                next[*branch] = row;
            }
            alive = still;
        }
        Ok(out)
    }
}

/// How [`Prompt::decode`] decodes.
#[derive(Debug, Clone, Copy)]
pub struct Decoding {
    /// The token that ends a continuation; it is not part of it.
    pub stop: u32,
    /// At most this many tokens each.
    pub limit: usize,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Seed of the first continuation; the others follow from it.
    pub seed: u64,
}
