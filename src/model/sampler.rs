//! Choosing the next token.

use crate::rng::Rng;

/// How tokens are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token; 1 samples the model's own distribution.
    pub temperature: f64,
    /// Keep the smallest set of likeliest tokens with at least this much probability; 1 keeps all.
    pub top_p: f64,
}

impl Sampling {
    /// Always the likeliest token.
    pub const GREEDY: Self = Self { temperature: 0.0, top_p: 1.0 };
}

/// Draws an index from `logits`.
pub fn sample(logits: &[f32], how: Sampling, rng: &mut Rng) -> usize {
    let best = argmax(logits);
    if how.temperature <= 0.0 {
        return best;
    }
    let top = f64::from(logits[best]);
    let mut shares: Vec<(usize, f64)> =
        logits.iter().enumerate().map(|(i, l)| (i, ((f64::from(*l) - top) / how.temperature).exp())).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
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
    values.iter().enumerate().fold((0, f32::NEG_INFINITY), |b, (i, v)| if *v > b.1 { (i, *v) } else { b }).0
}

/// Log-probability of `token` under `logits`, in nats.
pub fn log_prob(logits: &[f32], token: usize) -> f64 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from(l - top).exp()).sum();
    f64::from(logits[token] - top) - sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperature_zero_is_greedy_and_top_p_cuts_the_tail() {
        let logits = [0.0, 2.0, 1.9, -5.0];
        let mut rng = Rng::new(3);
        assert_eq!(sample(&logits, Sampling::GREEDY, &mut rng), 1);
        let drawn: Vec<_> =
            (0..200).map(|_| sample(&logits, Sampling { temperature: 1.0, top_p: 0.8 }, &mut rng)).collect();
        assert!(drawn.iter().all(|i| [1, 2].contains(i)) && drawn.contains(&2));
        let sum: f64 = (0..4).map(|i| log_prob(&logits, i).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }
}
