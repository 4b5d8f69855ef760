//! How likely a mind finds the actions of a list.

use super::{Agent, Among, Ask, Scores};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::model::sampler::Sampling;
use crate::rng::Rng;

/// Samples that stand for the probabilities of a mind that gives none.
pub const SAMPLES: usize = 16;

/// How likely actions are, and how that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// For each ask a share of each action; those of an ask add up to one.
    pub shares: Vec<Vec<f64>>,
    /// How they are known.
    pub scores: Scores,
}

/// The shares of the actions of each ask: as the mind scores them, or else by how many of
/// [`SAMPLES`] actions that it writes at temperature 1 are each of them, of those that are among
/// them at all (as scores are held against the list alone). As in Laplace's rule one more sample is
/// taken to be spread evenly, so that what was never written is not impossible.
pub fn weigh(
    agent: &mut dyn Agent,
    asks: &[Among<'_>],
    seed: u64,
    cancel: &Cancel,
) -> Result<Weighed> {
    if let Some(scores) = scores_of(agent, asks, cancel)? {
        let shares = scores.iter().map(|scores| shares(scores)).collect();
        return Ok(Weighed { shares, scores: agent.can().scores });
    }
    let listed: Vec<usize> = (0..asks.len()).filter(|i| !asks[*i].actions.is_empty()).collect();
    let seeds: Vec<Vec<u64>> = listed
        .iter()
        .map(|i| Rng::seeds(seed, &format!("frequencies {}", asks[*i].state.place()), SAMPLES))
        .collect();
    let asked: Vec<Ask<'_>> = listed
        .iter()
        .zip(&seeds)
        .map(|(i, seeds)| Ask { state: asks[*i].state, thought: asks[*i].thought, seeds })
        .collect();
    let mut written = vec![Vec::new(); asks.len()];
    for (place, samples) in listed.into_iter().zip(agent.act(&asked, Sampling::at(1.0), cancel)?) {
        written[place] = samples;
    }
    let counted = asks.iter().zip(&written).map(|(ask, written)| {
        let even = 1.0 / ask.actions.len() as f64;
        let listed = |text: &str| ask.actions.iter().any(|action| action.trim() == text);
        let all = written.iter().filter(|sample| listed(&sample.text)).count() as f64 + 1.0;
        let count = |action: &String| {
            written.iter().filter(|sample| sample.text == action.trim()).count() as f64
        };
        ask.actions.iter().map(|action| (count(action) + even) / all).collect()
    });
    Ok(Weighed { shares: counted.collect(), scores: Scores::Frequency })
}

/// What a mind scores the actions of each ask, in nats; none where it cannot.
///
/// # Errors
/// When its scores are not numbers: neither a choice nor a figure can be made of them.
pub fn scores_of(
    agent: &mut dyn Agent,
    asks: &[Among<'_>],
    cancel: &Cancel,
) -> Result<Option<Vec<Vec<f64>>>> {
    let scores = agent.score(asks, cancel)?;
    if scores.iter().flatten().flatten().any(|score| score.is_nan()) {
        return Err(Error::new(format!("{} gives scores that are not numbers", agent.name()))
            .hint("its weights or its config are damaged; try another checkpoint"));
    }
    Ok(scores)
}

/// Turns log-probabilities of a closed list into shares that add up to one.
pub fn shares(scores: &[f64]) -> Vec<f64> {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let raw: Vec<f64> =
        scores.iter().map(|s| if top.is_finite() { (s - top).exp() } else { 1.0 }).collect();
    let total: f64 = raw.iter().sum();
    raw.iter().map(|r| if total > 0.0 { r / total } else { 0.0 }).collect()
}

/// The same as logarithms, at a temperature.
pub fn log_shares(scores: &[f64], temperature: f64) -> Vec<f64> {
    let scaled = scores.iter().map(|score| score / temperature);
    let most = scaled.clone().fold(f64::NEG_INFINITY, f64::max);
    let all = scaled.clone().map(|score| (score - most).exp()).sum::<f64>().ln() + most;
    scaled.map(|score| score - all).collect()
}

/// The index of the largest of some scores; none of none.
pub fn argmax(scores: &[f64]) -> Option<usize> {
    (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_even_when_all_is_impossible() {
        assert!((shares(&[-1.0, -2.0, -900.0]).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(shares(&[f64::NEG_INFINITY; 2]), [0.5, 0.5]);
        assert!(shares(&[]).is_empty());
    }
}
