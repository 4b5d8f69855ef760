//! Exact log-probabilities of whole strings after prompts.

use rayon::prelude::*;

use super::cache::Cache;
use super::decoder::{Decoder, Growth};
use super::kernels::log_sum;
use super::packed::Precision;
use super::prompt::{PASS, Prompt, no_numbers};
use super::trie::Trie;
use crate::control::Cancel;
use crate::error::Result;

/// Nodes whose logits exist at once.
const NODES: usize = 256;

/// The probability of a string.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Its log-probability as a whole, in nats (never above 0).
    pub logp: f64,
    /// How many tokens it has.
    pub tokens: usize,
}

impl Score {
    /// Nats a token: the score by which long and short strings are compared.
    pub fn per_token(&self) -> f64 {
        self.logp / self.tokens.max(1) as f64
    }
}

impl Prompt {
    /// The exact log-probability of each continuation as a whole, all in one pass over their common
    /// beginnings.
    pub fn score(
        &self,
        decoder: &Decoder,
        continuations: &[Vec<u32>],
        cancel: &Cancel,
    ) -> Result<Vec<Score>> {
        Ok(Self::score_all(decoder, &[(self, continuations)], cancel)?.pop().unwrap_or_default())
    }

    /// The same for some prompts, each with continuations of its own.
    pub fn score_all(
        decoder: &Decoder,
        asks: &[(&Self, &[Vec<u32>])],
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Score>>> {
        let tries: Vec<(Trie, Vec<usize>)> = asks
            .iter()
            .map(|(_, continuations)| Trie::new(continuations.iter().map(Vec::as_slice)))
            .collect();
        let mut scores: Vec<Vec<Score>> = Vec::with_capacity(asks.len());
        let mut first = 0;
        let mut nodes = 0;
        for (i, (trie, _)) in tries.iter().enumerate() {
            let own = trie.inner().0.len();
            if i > first && nodes + own > PASS {
                scores.extend(score_pass(decoder, &asks[first..i], &tries[first..i], cancel)?);
                first = i;
                nodes = 0;
            }
            nodes += own;
        }
        scores.extend(score_pass(decoder, &asks[first..], &tries[first..], cancel)?);
        if scores.iter().flatten().any(|score| !score.logp.is_finite()) {
            return Err(no_numbers());
        }
        Ok(scores)
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
    let hidden = decoder.extend_all(&mut growths, Precision::Exact, cancel)?;
    let h = decoder.config.hidden;
    let vocab = decoder.config.vocab;
    // What each place is asked for: the prompt, its continuation, and that one's token after the
    // place.
    let mut asked: Vec<Vec<(usize, usize, u32)>> = vec![Vec::new(); hidden.len() / h];
    let mut scores: Vec<Vec<Score>> = Vec::with_capacity(asks.len());
    let mut first = 0;
    for (n, ((prompt, continuations), ((trie, ends), (tokens, _, places)))) in
        asks.iter().zip(tries.iter().zip(&inner)).enumerate()
    {
        let mut own: Vec<Score> =
            continuations.iter().map(|tokens| Score { logp: 0.0, tokens: tokens.len() }).collect();
        let root = log_sum(&prompt.logits);
        for (i, end) in ends.iter().enumerate() {
            for (parent, token) in trie.path(*end) {
                match places[parent] {
                    Some(place) => asked[first + place].push((n, i, token)),
                    None => own[i].logp += logit(&prompt.logits, token) - root,
                }
            }
        }
        scores.push(own);
        first += tokens.len();
    }
    for (hidden, asked) in hidden.chunks(NODES * h).zip(asked.chunks(NODES)) {
        cancel.check()?;
        let logits = decoder.logits(hidden, Precision::Exact)?;
        let sums: Vec<f64> = logits.par_chunks_exact(vocab).map(log_sum).collect();
        for ((row, sum), asked) in logits.chunks_exact(vocab).zip(sums).zip(asked) {
            for (n, i, token) in asked {
                scores[*n][*i].logp += logit(row, *token) - sum;
            }
        }
    }
    Ok(scores)
}

/// A token's logit; a token that the model does not have is impossible.
pub(super) fn logit(row: &[f32], token: u32) -> f64 {
    row.get(token as usize).map_or(f64::NEG_INFINITY, |logit| f64::from(*logit))
}
