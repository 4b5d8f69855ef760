//! Choosing the next token.

use crate::rng::Rng;

/// How tokens are drawn. The cuts are taken in this order: temperature, `top_k`, `min_p`, `top_p`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token; 1 samples the model's own distribution.
    pub temperature: f64,
    /// Keep the smallest set of likeliest tokens with at least this much probability; 1 keeps all.
    pub top_p: f64,
    /// Keep at most so many tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep tokens at least so likely, as a share of the likeliest; 0 keeps all.
    pub min_p: f64,
    /// Logits of tokens already written are divided by this if positive, else multiplied (Keskar et
    /// al., 2019); 1 changes nothing.
    pub repetition: f64,
}

impl Sampling {
    /// Always the likeliest token.
    pub const GREEDY: Self =
        Self { temperature: 0.0, top_p: 1.0, top_k: 0, min_p: 0.0, repetition: 1.0 };

    /// The model's own distribution at a temperature.
    pub fn at(temperature: f64) -> Self {
        Self { temperature, ..Self::GREEDY }
    }
}

/// Draws an index from `logits`; `written` are the tokens that the continuation has so far.
pub fn sample(logits: &[f32], how: Sampling, written: &[u32], rng: &mut Rng) -> usize {
    let punished = ((how.repetition - 1.0).abs() > f64::EPSILON).then(|| {
        let mut logits = logits.to_vec();
        let mut seen: Vec<u32> = written.to_vec();
        seen.sort_unstable();
        seen.dedup();
        for token in seen {
            if let Some(logit) = logits.get_mut(token as usize) {
                let by = how.repetition as f32;
                *logit = if *logit > 0.0 { *logit / by } else { *logit * by };
            }
        }
        logits
    });
    let logits = punished.as_deref().unwrap_or(logits);
    let best = argmax(logits);
    if how.temperature <= 0.0 {
        return best;
    }
    let top = f64::from(logits[best]);
    let mut shares: Vec<(usize, f64)> = logits
        .iter()
        .enumerate()
        .map(|(i, l)| (i, ((f64::from(*l) - top) / how.temperature).exp()))
        .collect();
    // The likeliest has the share 1, so that `min_p` compares directly.
    shares.retain(|(_, share)| *share > 0.0 && *share >= how.min_p);
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    if how.top_k > 0 {
        shares.truncate(how.top_k);
    }
    let total: f64 = shares.iter().map(|(_, share)| share).sum();
    let mut kept = 0.0;
    let enough = shares.iter().position(|(_, share)| {
        kept += share;
        kept >= how.top_p * total
    });
    shares.truncate(enough.map_or(shares.len(), |last| last + 1));
    let mut left = rng.unit() * shares.iter().map(|(_, share)| share).sum::<f64>();
    for (i, share) in &shares {
        left -= share;
        if left < 0.0 {
            return *i;
        }
    }
    best
}

/// The index of the largest value, the first of equals; 0 for none.
pub fn argmax(values: &[f32]) -> usize {
    values
        .iter()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |b, (i, v)| if *v > b.1 { (i, *v) } else { b })
        .0
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;
