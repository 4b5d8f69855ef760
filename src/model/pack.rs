//! Batches: trees packed into forests of at most so many tokens, each one pass of [`step`].
//!
//! Trees in a forest do not see each other and nothing is padded, so packing wastes no computation;
//! a tree larger than the budget is cut along its branches, and only the trunk that its parts
//! repeat is computed more than once. Every target stands in exactly one forest: sums over a batch
//! do not depend on the budget beyond rounding.

use super::params::Buffers;
use super::step::{Loss, Net, step};
use super::tree::{Cut, TokenTree};
use crate::control::Cancel;
use crate::error::Result;

/// What a batch costs: the gradients' sum if they were asked for, and the loss of each tree.
#[derive(Debug, Default)]
pub struct Batch {
    /// Sum over all trees; empty without gradients.
    pub grads: Buffers,
    /// Loss of each tree, in the order given.
    pub losses: Vec<Loss>,
}

/// Trees in forests.
#[derive(Debug, Clone, Default)]
pub struct Packing {
    forests: Vec<Forest>,
    /// Tokens of the trees.
    pub tokens: usize,
    /// Tokens that are computed: more, where a tree was cut.
    pub computed: usize,
    /// Tokens of the largest forest.
    pub largest: usize,
}

/// Some trees side by side, and the tree and node that each token is.
#[derive(Debug, Clone, Default)]
struct Forest {
    tree: TokenTree,
    origin: Vec<(usize, usize)>,
}

impl Packing {
    /// Packs trees: the largest first, each into the first forest with room for it.
    pub fn new(trees: &[&TokenTree], budget: usize) -> Self {
        let mut pieces: Vec<(usize, Cut)> = Vec::new();
        for (i, tree) in trees.iter().enumerate() {
            pieces.extend(cut(tree, budget).into_iter().map(|piece| (i, piece)));
        }
        pieces.sort_by_key(|(i, (tree, _))| (std::cmp::Reverse(tree.len()), *i));
        let mut packing =
            Self { tokens: trees.iter().map(|tree| tree.len()).sum(), ..Self::default() };
        for (i, (tree, places)) in pieces {
            let room =
                packing.forests.iter().position(|forest| forest.tree.len() + tree.len() <= budget);
            let at = room.unwrap_or_else(|| {
                packing.forests.push(Forest::default());
                packing.forests.len() - 1
            });
            let forest = &mut packing.forests[at];
            forest.tree.join(&tree);
            forest.origin.extend(places.into_iter().map(|node| (i, node)));
        }
        let sizes = packing.forests.iter().map(|forest| forest.tree.len());
        packing.computed = sizes.clone().sum();
        packing.largest = sizes.max().unwrap_or_default();
        packing
    }

    /// How many passes the batch takes.
    pub fn passes(&self) -> usize {
        self.forests.len()
    }

    /// Share of the computed tokens that were computed before, in another part of the same tree.
    pub fn waste(&self) -> f64 {
        1.0 - self.tokens as f64 / self.computed.max(1) as f64
    }
}

/// A tree in as few parts as the budget needs; whole where it cannot be cut to any use.
fn cut(tree: &TokenTree, budget: usize) -> Vec<Cut> {
    let whole = || vec![(tree.clone(), (0..tree.len()).collect())];
    if tree.len() <= budget {
        return whole();
    }
    let least = tree.len().div_ceil(budget.max(1));
    let mut best = Vec::new();
    // As few parts as will do; among hundreds, a few more are not tried for one by one.
    for parts in (least..=2 * least + 2).step_by(1 + least / 8) {
        let cuts = tree.split(parts);
        let fits = cuts.iter().all(|(part, _)| part.len() <= budget);
        if !cuts.is_empty() {
            best = cuts;
            if fits {
                break;
            }
        }
    }
    if best.is_empty() { whole() } else { best }
}

/// Computes a batch of `count` trees on the threads of the pool that it is called in.
pub fn batch(
    net: Net<'_>,
    packing: &Packing,
    count: usize,
    gradient: bool,
    cancel: &Cancel,
) -> Result<Batch> {
    let mut grads = if gradient { net.workspace.grads(&net.shapes()) } else { Buffers::new() };
    let mut losses = vec![Loss { total: 0.0, nll: Vec::new() }; count];
    for Forest { tree, origin } in &packing.forests {
        cancel.check()?;
        let loss = step(net, tree, gradient.then_some(&mut grads))?;
        for (node, nats) in loss.nll {
            let (of, place) = origin[node];
            losses[of].total += f64::from(nats * tree.weights[node]);
            losses[of].nll.push((place, nats));
        }
    }
    Ok(Batch { grads, losses })
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
