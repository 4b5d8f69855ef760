//! Prompts: token strings that are computed once, to be scored and continued from.

use std::sync::Arc;

use super::cache::{Cache, PromptCache, Segment};
use super::decoder::{Decoder, Growth};
use super::packed::Precision;
use crate::control::Cancel;
use crate::error::{Error, Result};

/// Tokens of a prompt that are computed between two looks at whether the answer is still wanted.
const SLICE: usize = 256;

/// Nodes that are computed in one pass, of however many prompts.
pub(super) const PASS: usize = 384;

/// A computed prompt: where continuations begin, and the logits after it.
#[derive(Debug, Clone)]
pub struct Prompt {
    segment: Arc<Segment>,
    pub(super) logits: Vec<f32>,
}

/// What a model says whose arithmetic overflows: neither a win nor a loss can be made of it.
pub(super) fn no_numbers() -> Error {
    Error::new("the model's scores are not numbers")
        .hint("its weights overflow: take another checkpoint, or train it anew")
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
            begun.left = later;
            room -= now.len();
            let from = begun.cache.len();
            parents.push((from..from + now.len()).map(|i| i.checked_sub(1)).collect());
            taken.push(now);
        }
        let grow = all.iter_mut().zip(&parents).zip(&taken);
        let mut growths: Vec<Growth<'_>> = grow
            .map(|((begun, parents), tokens)| Growth { cache: &mut begun.cache, tokens, parents })
            .collect();
        let hidden = decoder.extend_all(&mut growths, Precision::Exact, cancel)?;
        let h = decoder.config.hidden;
        let mut end = 0;
        for (begun, tokens) in all.iter_mut().zip(taken).filter(|(_, tokens)| !tokens.is_empty()) {
            end += tokens.len() * h;
            begun.last = hidden[end - h..end].to_vec();
        }
        Ok(())
    }
}

impl Prompt {
    /// Computes `tokens` and keeps them among the `recent` prompts, of which as much as possible is
    /// used.
    pub fn new(
        decoder: &Decoder,
        tokens: &[u32],
        recent: &mut PromptCache,
        cancel: &Cancel,
    ) -> Result<Self> {
        let mut found = Self::all(decoder, &[tokens.to_vec()], recent, cancel)?;
        found.pop().ok_or_else(|| Error::new("no prompt"))
    }

    /// Computes some prompts together, so that the weights are read once for all of them.
    pub fn all(
        decoder: &Decoder,
        prompts: &[Vec<u32>],
        recent: &mut PromptCache,
        cancel: &Cancel,
    ) -> Result<Vec<Self>> {
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
            let logits = decoder.logits(&last, Precision::Exact)?;
            if logits.iter().any(|logit| !logit.is_finite()) {
                return Err(no_numbers());
            }
            let found = Self { segment: Arc::new(cache.freeze()), logits };
            for i in of {
                done[i] = Some(found.clone());
            }
        }
        let done: Vec<Self> = done.into_iter().flatten().collect();
        for found in &done {
            recent.keep(Arc::clone(&found.segment), found.logits.clone());
        }
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

    pub(super) fn cache(&self, decoder: &Decoder) -> Cache {
        let own = self.segment.len() - self.segment.depth();
        Cache::new(&decoder.config, Some((Arc::clone(&self.segment), own)))
    }
}
