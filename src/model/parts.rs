//! The order in which a tree is computed: whole, or in parts within a budget.
//!
//! A tree larger than the budget is cut along its branches. What several parts need is computed
//! first, once, and its keys and values stay; part after part is computed below it, forward and
//! back, and last the way back of what they share. So nothing is computed twice, and at any time
//! there are the shared tokens and one part. (Equal in its sums to the whole tree: a token is seen
//! by those below it through its keys and values only.)
//!
//! A token that nothing which counts is below is a target at most, and is not computed at all: the
//! last one of each branch.

use std::ops::Range;

use super::tree::TokenTree;

/// A tree in the order in which it is computed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parts {
    /// Its tokens: those of the first part, which all others see, then part after part, then those
    /// that are not computed.
    pub tree: TokenTree,
    /// Where each token stands in the tree as it was given.
    pub origin: Vec<usize>,
    /// Where each part ends.
    pub ends: Vec<usize>,
}

/// Where a token is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nowhere seen yet.
    Open,
    /// In the part of this number.
    Part(usize),
    /// Before all parts.
    Shared,
}

impl Parts {
    /// In one part.
    pub fn whole(tree: &TokenTree) -> Self {
        Self::new(tree, usize::MAX)
    }

    /// In as few parts as the budget needs: the shared tokens and the largest part have at most so
    /// many, where branches allow it.
    pub fn new(tree: &TokenTree, budget: usize) -> Self {
        let counts = computed(tree);
        let total = counts.iter().filter(|counts| **counts).count();
        let one = || counts.iter().map(|counts| if *counts { Place::Shared } else { Place::Open });
        if total <= budget {
            return Self::ordered(tree, &one().collect::<Vec<_>>(), 0);
        }
        let below = tree.leaves(|i| counts[i]);
        let own = (0..tree.len()).filter(|i| below[*i] == 1).count();
        let roots = tree.parents.iter().zip(&below).filter(|(parent, _)| parent.is_none());
        let leaves: usize = roots.map(|(_, below)| below).sum();
        if leaves < 2 {
            return Self::ordered(tree, &one().collect::<Vec<_>>(), 0); // a chain cannot be cut
        }
        // What a part may have beside the shared tokens; where they leave no room, a fourth of the
        // budget, so that parts are worth a pass each.
        let room = match budget.saturating_sub(total - own) {
            0 => (budget / 4).max(1),
            room => room,
        };
        let least = own.div_ceil(room).clamp(2, leaves);
        let most = (2 * least + 2).min(leaves);
        let cut = |parts| Self::ordered(tree, &places(tree, &below, parts, own), parts);
        let mut best = cut(least);
        // As few parts as will do; among hundreds, a few more are not tried for one by one.
        for parts in (least + 1..=most).step_by(1 + least / 8).chain([most]) {
            if best.largest() <= budget {
                break;
            }
            best = std::cmp::min_by_key(best, cut(parts), Self::largest);
        }
        best
    }

    /// By each token's place, with so many parts below the shared one.
    fn ordered(tree: &TokenTree, places: &[Place], parts: usize) -> Self {
        let rank = |i: &usize| match places[*i] {
            Place::Shared => 0,
            Place::Part(part) => part + 1,
            Place::Open => parts + 1,
        };
        let mut origin: Vec<usize> = (0..tree.len()).collect();
        origin.sort_by_key(rank);
        let mut ends: Vec<usize> =
            (0..=parts).map(|part| origin.partition_point(|i| rank(i) <= part)).collect();
        // A part without tokens is none.
        ends.dedup();
        ends.retain(|end| *end > 0);
        let mut at = vec![0; tree.len()];
        origin.iter().enumerate().for_each(|(new, i)| at[*i] = new);
        let tree = TokenTree {
            tokens: origin.iter().map(|i| tree.tokens[*i]).collect(),
            parents: origin.iter().map(|i| tree.parents[*i].map(|parent| at[parent])).collect(),
            weights: origin.iter().map(|i| tree.weights[*i]).collect(),
        };
        Self { tree, origin, ends }
    }

    /// Tokens that are computed.
    pub fn computed(&self) -> usize {
        self.ends.last().copied().unwrap_or_default()
    }

    /// Tokens of the first part: all that are computed, or what the others share.
    pub fn shared(&self) -> usize {
        self.ends.first().copied().unwrap_or_default()
    }

    /// The parts after the first.
    pub fn below(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        self.ends.windows(2).map(|ends| ends[0]..ends[1])
    }

    /// A part below what all parts share: how many tokens stand above its own, which tokens those are and
    /// its own, and the parents of all of these among them.
    pub fn below_shared(&self, own: &Range<usize>) -> (usize, Vec<usize>, Vec<Option<usize>>) {
        let above = if own.start == 0 { 0 } else { self.shared() };
        let gap = own.start - above;
        let near = |token: usize| if token < above { token } else { token - gap };
        let seen: Vec<usize> = (0..above).chain(own.clone()).collect();
        let parents = seen.iter().map(|token| self.tree.parents[*token].map(near)).collect();
        (above, seen, parents)
    }

    /// Tokens that exist at once: the shared ones and the largest part.
    pub fn largest(&self) -> usize {
        self.shared() + self.below().map(|part| part.len()).max().unwrap_or_default()
    }
}

/// Which tokens are computed: those that a target follows, and all above them.
fn computed(tree: &TokenTree) -> Vec<bool> {
    let mut counts = vec![false; tree.len()];
    for i in (0..tree.len()).rev() {
        if let Some(parent) = tree.parents[i] {
            counts[parent] |= counts[i] || tree.weights[i] != 0.0;
        }
    }
    counts
}

/// Deals `own` tokens that belong to one branch each into parts of like size: neighbouring
/// branches, which share most of their path, together. What branches of several parts need is
/// shared.
fn places(tree: &TokenTree, below: &[usize], parts: usize, own: usize) -> Vec<Place> {
    let mut places = vec![Place::Open; tree.len()];
    // Tokens of each branch's own, counted at its end.
    let mut length = vec![0; tree.len()];
    let mut is_end = vec![true; tree.len()];
    for i in 0..tree.len() {
        let parent = tree.parents[i];
        length[i] = usize::from(below[i] == 1) + parent.map_or(0, |parent| length[parent]);
        if let Some(parent) = parent.filter(|_| below[i] > 0) {
            is_end[parent] = false;
        }
    }
    let mut dealt = 0;
    for i in (0..tree.len()).filter(|i| is_end[*i] && below[*i] > 0) {
        places[i] = Place::Part((dealt * parts / own.max(1)).min(parts - 1));
        dealt += length[i];
    }
    for i in (0..tree.len()).rev().filter(|i| below[*i] > 0) {
        let Some(parent) = tree.parents[i] else { continue };
        places[parent] = match places[parent] {
            Place::Open => places[i],
            same if same == places[i] => same,
            _ => Place::Shared,
        };
    }
    places
}

#[cfg(test)]
#[path = "parts_tests.rs"]
pub(super) mod tests;
