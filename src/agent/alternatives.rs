//! Which alternatives to the expert's action are tried in a state, by the policy's shares of the
//! admissible actions.

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// Who proposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proposer {
    /// The policy: its likeliest actions.
    #[default]
    Likeliest,
    /// The policy: drawn by its shares at a temperature, without replacement.
    Sampled,
    /// Nobody: drawn uniformly, without replacement (what the paper does for world modelling).
    Uniform,
}

impl Proposer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Likeliest, Self::Sampled, Self::Uniform];

    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Likeliest => "likeliest",
            Self::Sampled => "sampled",
            Self::Uniform => "uniform",
        }
    }

    /// The source that its alternatives carry.
    pub fn source(self) -> &'static str {
        if self == Self::Uniform { "uniform" } else { "policy" }
    }
}

/// How alternatives are chosen. The same choice, seed and shares give the same alternatives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AlternativeSampling {
    /// Who proposes.
    pub proposer: Proposer,
    /// How many, 1 to 16.
    pub k: usize,
    /// Of sampling, 0.1 to 2.
    pub temperature: f64,
    /// Of sampling: the smallest set of likeliest actions with at least this much probability; 1
    /// keeps all.
    pub top_p: f64,
    /// Of every draw.
    pub seed: u64,
}

impl Default for AlternativeSampling {
    fn default() -> Self {
        Self { proposer: Proposer::Likeliest, k: 4, temperature: 1.0, top_p: 1.0, seed: 1 }
    }
}

impl AlternativeSampling {
    /// Its settings, in the order of [`Self::change`].
    pub const ROWS: usize = 5;

    /// Changes one setting by a step, within its bounds.
    pub fn change(&mut self, row: usize, up: bool) {
        let by = |value: f64, low: f64, high: f64| {
            let steps = (value * 10.0).round() + if up { 1.0 } else { -1.0 };
            (steps / 10.0).clamp(low, high)
        };
        match row {
            0 => {
                let at = Proposer::ALL
                    .iter()
                    .position(|known| *known == self.proposer)
                    .unwrap_or_default();
                self.proposer = Proposer::ALL
                    [(at + if up { 1 } else { Proposer::ALL.len() - 1 }) % Proposer::ALL.len()];
            }
            1 => self.k = if up { self.k + 1 } else { self.k.saturating_sub(1) }.clamp(1, 16),
            2 => self.temperature = by(self.temperature, 0.1, 2.0),
            3 => self.top_p = by(self.top_p, 0.1, 1.0),
            _ => {
                self.seed =
                    if up { self.seed.saturating_add(1) } else { self.seed.saturating_sub(1) }
            }
        }
    }

    /// Whether it says the same after it was written to a file and read again by other hands.
    pub fn is_sound(&self) -> bool {
        (1..=16).contains(&self.k)
            && (0.1..=2.0).contains(&self.temperature)
            && (0.1..=1.0).contains(&self.top_p)
    }

    /// Up to `k` indices of actions other than `expert`, by the policy's shares; `place` names the
    /// state, so that each has draws of its own.
    pub fn choose(&self, shares: &[f64], expert: Option<usize>, place: &str) -> Vec<usize> {
        let mut order: Vec<usize> = (0..shares.len()).filter(|i| Some(*i) != expert).collect();
        let mut rng = Rng::stream(self.seed, place);
        match self.proposer {
            Proposer::Uniform => rng.shuffle(&mut order),
            _ => order.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]).then(a.cmp(b))),
        }
        if self.proposer != Proposer::Sampled {
            order.truncate(self.k);
            return order;
        }
        let best = order.first().map_or(1.0, |first| shares[*first]);
        let mut left: Vec<(usize, f64)> = order
            .into_iter()
            .map(|i| (i, (shares[i] / best).powf(1.0 / self.temperature)))
            .collect();
        let total: f64 = left.iter().map(|(_, weight)| weight).sum();
        let mut before = 0.0;
        left.retain(|(_, weight)| {
            let kept = before < self.top_p * total;
            before += weight;
            kept
        });
        let mut chosen = Vec::new();
        while chosen.len() < self.k && !left.is_empty() {
            let mut point = rng.unit() * left.iter().map(|(_, weight)| weight).sum::<f64>();
            let under = left.iter().position(|(_, weight)| {
                point -= weight;
                point < 0.0
            });
            chosen.push(left.remove(under.unwrap_or(0)).0);
        }
        chosen
    }
}

#[cfg(test)]
#[path = "alternatives_tests.rs"]
mod tests;
