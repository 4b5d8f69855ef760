//! Which candidates are best somewhere.

use std::collections::BTreeSet;

use super::Select;
use crate::rng::Rng;

/// Candidates that an average keeps in the beam.
const BEAM: usize = 4;

/// The mean of some scores.
pub(super) fn mean(scores: &[f64]) -> f64 {
    scores.iter().sum::<f64>() / scores.len().max(1) as f64
}

/// Of each item the candidates that are best on it. `scores[c][i]` is candidate `c` on item `i`.
pub(super) fn fronts(scores: &[Vec<f64>]) -> Vec<BTreeSet<usize>> {
    let items = scores.first().map_or(0, Vec::len);
    let best = |i: usize| scores.iter().map(|of| of[i]).fold(f64::MIN, f64::max);
    (0..items)
        .map(|i| {
            let best = best(i);
            (0..scores.len()).filter(|c| scores[*c][i] >= best).collect()
        })
        .collect()
}

/// The candidates that are best somewhere and not dominated: one is where on every item on which it is
/// best another that is kept is best too. The weakest are looked at first.
pub(super) fn kept(scores: &[Vec<f64>]) -> BTreeSet<usize> {
    let fronts = fronts(scores);
    let mut kept: BTreeSet<usize> = fronts.iter().flatten().copied().collect();
    let mut order: Vec<usize> = kept.iter().copied().collect();
    order.sort_by(|a, b| mean(&scores[*a]).total_cmp(&mean(&scores[*b])).then(b.cmp(a)));
    for one in order {
        let mut its = fronts.iter().filter(|front| front.contains(&one));
        if its.all(|front| front.iter().any(|other| *other != one && kept.contains(other))) {
            kept.remove(&one);
        }
    }
    kept
}

/// The candidate that is rewritten next.
pub(super) fn select(scores: &[Vec<f64>], by: Select, rng: &mut Rng) -> usize {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // Of equals the one that was there first.
    order.sort_by(|a, b| mean(&scores[*b]).total_cmp(&mean(&scores[*a])).then(a.cmp(b)));
    match by {
        Select::Best => order.first().copied().unwrap_or_default(),
        Select::Beam => rng.pick(&order[..order.len().min(BEAM)]).copied().unwrap_or_default(),
        Select::Front => {
            let kept = kept(scores);
            let drawn: Vec<usize> = fronts(scores)
                .into_iter()
                .flat_map(|front| front.into_iter().filter(|c| kept.contains(c)))
                .collect();
            rng.pick(&drawn).copied().unwrap_or_default()
        }
    }
}
