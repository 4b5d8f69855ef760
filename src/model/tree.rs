//! Token trees: each token has at most one parent and attends to its ancestors only.
//!
//! A trajectory with alternatives, one prompt with every admissible action, K samples of one prompt
//! are all such trees; a plain sequence is the tree without branches. Shared prefixes stand once.

use std::ops::Range;

/// A forest of tokens in an order where parents come before children.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenTree {
    /// Token ids.
    pub tokens: Vec<u32>,
    /// Index of each token's parent; none for a root.
    pub parents: Vec<Option<usize>>,
    /// How much each token counts as a training target (0 = it is only context). A root is never a
    /// target.
    pub weights: Vec<f32>,
}

impl TokenTree {
    /// Appends `tokens` as a chain below `parent` and returns the index of the last one (or
    /// `parent` when empty).
    pub fn extend(&mut self, parent: Option<usize>, tokens: &[u32], weight: f32) -> Option<usize> {
        let mut above = parent;
        for token in tokens {
            self.tokens.push(*token);
            self.parents.push(above);
            self.weights.push(if above.is_some() { weight } else { 0.0 });
            above = Some(self.tokens.len() - 1);
        }
        above
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Position of each token along its own path, from 0.
    pub fn positions(&self) -> Vec<u32> {
        positions(&self.parents, |_| 0)
    }

    /// The targets that follow some tokens, wherever they stand: each with the token that it follows.
    pub fn targets(&self, after: &Range<usize>) -> impl Iterator<Item = (usize, usize)> {
        let counts = self.weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0);
        counts.filter_map(move |(node, _)| {
            let parent = self.parents[node].filter(|parent| after.contains(parent))?;
            Some((node, parent))
        })
    }

    /// Puts another tree beside this one; they do not see each other.
    pub fn join(&mut self, other: &Self) {
        let shift = self.len();
        self.tokens.extend(&other.tokens);
        self.parents.extend(other.parents.iter().map(|parent| parent.map(|p| p + shift)));
        self.weights.extend(&other.weights);
    }

    /// How many ends of branches are at or below each node, of the tree that the nodes which count
    /// make (all above one that counts do); 0 for the others.
    pub fn leaves(&self, counts: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut leaves = vec![0; self.len()];
        for i in (0..self.len()).rev().filter(|i| counts(*i)) {
            leaves[i] = leaves[i].max(1); // nothing below: an end itself
            if let Some(parent) = self.parents[i] {
                leaves[parent] += leaves[i];
            }
        }
        leaves
    }

    /// Counts each target as often as the flattened sequences of the tree would repeat it: once for
    /// each leaf below.
    #[must_use]
    pub fn by_multiplicity(mut self) -> Self {
        let leaves = self.leaves(|_| true);
        self.weights.iter_mut().zip(leaves).for_each(|(weight, leaves)| *weight *= leaves as f32);
        self
    }

    /// Total weight of the targets. Summed in f64: thousands of weights of 0.3 in f32 are off by
    /// 5e-5, each rounded to the same side.
    pub fn weight(&self) -> f64 {
        self.weights.iter().map(|weight| f64::from(*weight)).sum()
    }
}

/// Depth of every node; `root` gives the depth of node `i` when it has no parent.
pub(super) fn positions(parents: &[Option<usize>], root: impl Fn(usize) -> u32) -> Vec<u32> {
    let mut depth: Vec<u32> = Vec::with_capacity(parents.len());
    for (i, parent) in parents.iter().enumerate() {
        depth.push(parent.map_or_else(|| root(i), |p| depth[p] + 1));
    }
    depth
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
