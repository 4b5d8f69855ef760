//! Batches: trees packed into forests of at most so many tokens, each computed by [`step`].
//!
//! Trees in a forest do not see each other and nothing is padded, so packing wastes no computation;
//! a tree larger than the budget is computed in [`Parts`], nothing of it twice. Every target stands
//! in exactly one forest: sums over a batch do not depend on the budget beyond rounding.

use super::device::Loaded;
use super::params::Buffers;
use super::parts::Parts;
use super::step::{Loss, Net, step};
use super::tree::TokenTree;
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
    /// Tokens that are computed: fewer, for a token that nothing follows is a target at most.
    pub computed: usize,
    /// Tokens that exist at once at most.
    pub largest: usize,
    /// Tokens of the largest first part that others share.
    pub shared: usize,
}

/// Some trees side by side, and the tree and node that each token is.
#[derive(Debug, Clone, Default)]
struct Forest {
    parts: Parts,
    origin: Vec<(usize, usize)>,
}

impl Forest {
    fn new(trees: &[&TokenTree], which: &[usize], budget: usize) -> Self {
        let mut forest = TokenTree::default();
        let mut origin = Vec::new();
        for i in which {
            forest.join(trees[*i]);
            origin.extend((0..trees[*i].len()).map(|node| (*i, node)));
        }
        let parts = Parts::new(&forest, budget);
        let origin = parts.origin.iter().map(|node| origin[*node]).collect();
        Self { parts, origin }
    }
}

impl Packing {
    /// Packs trees: the largest first, each into the first forest with room for it.
    pub fn new(trees: &[&TokenTree], budget: usize) -> Self {
        let mut order: Vec<usize> = (0..trees.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(trees[*i].len()));
        let mut forests: Vec<(usize, Vec<usize>)> = Vec::new();
        for i in order {
            let more = trees[i].len();
            match forests.iter_mut().find(|(tokens, _)| *tokens + more <= budget) {
                Some((tokens, forest)) => {
                    *tokens += more;
                    forest.push(i);
                }
                None => forests.push((more, vec![i])),
            }
        }
        let forests = forests.iter().map(|(_, which)| Forest::new(trees, which, budget));
        let forests: Vec<Forest> = forests.collect();
        let parts = || forests.iter().map(|forest| &forest.parts);
        let cut = parts().filter(|parts| parts.below().len() > 0);
        Self {
            tokens: trees.iter().map(|tree| tree.len()).sum(),
            computed: parts().map(Parts::computed).sum(),
            largest: parts().map(Parts::largest).max().unwrap_or_default(),
            shared: cut.map(Parts::shared).max().unwrap_or_default(),
            forests,
        }
    }

    /// How many passes the batch takes: parts of its trees, each forward and back.
    pub fn passes(&self) -> usize {
        self.forests.iter().map(|forest| forest.parts.ends.len()).sum()
    }
}

/// Computes a batch of `count` trees on the threads of the pool that it is called in, or on the device that
/// the network is to be computed on.
pub fn batch(
    net: Net<'_>,
    packing: &Packing,
    count: usize,
    gradient: bool,
    cancel: &Cancel,
) -> Result<Batch> {
    let mut grads = if gradient { net.workspace.grads(&net.shapes()) } else { Buffers::new() };
    let mut losses = vec![Loss { total: 0.0, nll: Vec::new() }; count];
    let mut there = net.device.map(|device| Loaded::new(net, device)).transpose()?;
    for Forest { parts, origin } in &packing.forests {
        let loss = match &mut there {
            Some(there) => there.step(parts, gradient, cancel)?,
            None => step(net, parts, gradient.then_some(&mut grads), cancel)?,
        };
        for (node, nats) in loss.nll {
            let (of, place) = origin[node];
            losses[of].total += f64::from(nats * parts.tree.weights[node]);
            losses[of].nll.push((place, nats));
        }
    }
    if let Some(there) = there.filter(|_| gradient) {
        there.add_to(&mut grads)?;
    }
    Ok(Batch { grads, losses })
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
