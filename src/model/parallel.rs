//! Loss and gradients of many trees on several threads.
//!
//! Parallel by data: each worker takes whole trees and runs single-threaded products, which two cores use better than
//! one product cut in two. A tree that alone would keep a worker busy while the others wait is cut along its branches;
//! the parts repeat the shared trunk as context and count every target once, so sums are what the whole tree gives.

use rayon::prelude::*;

use super::adamw::zeros;
use super::step::{Buffers, Loss, Net, step};
use super::tree::{Cut, TokenTree};
use crate::error::{Error, Result};

/// What a batch costs: the gradients' sum if they were asked for, and the loss of each tree.
#[derive(Debug, Default)]
pub struct Batch {
    /// Sum over all trees; empty without gradients.
    pub grads: Buffers,
    /// Loss of each tree, in the order given.
    pub losses: Vec<Loss>,
}

/// A piece of work: which tree it belongs to, and its tokens' indices there when it is only a part.
struct Part {
    tree: usize,
    cut: Option<Cut>,
}

/// Computes a batch. Work is dealt out by size and sums are merged in the order of the workers, so that the same trees
/// and number of workers give the same bits every time.
pub fn batch(workers: usize, net: Net<'_>, trees: &[&TokenTree], gradient: bool) -> Result<Batch> {
    let workers = workers.clamp(1, 64);
    let hands = deal(workers, trees);
    let shapes = net.shapes();
    let work = |parts: &[Part]| -> Result<(Buffers, Vec<Loss>)> {
        let mut grads = if gradient { zeros(&shapes) } else { Buffers::new() };
        let mut losses = Vec::with_capacity(parts.len());
        for part in parts {
            let (tree, places) = match &part.cut {
                Some((tree, places)) => (tree, Some(places)),
                None => (trees[part.tree], None),
            };
            let mut loss = step(net, tree, gradient.then_some(&mut grads))?;
            if let Some(places) = places {
                loss.nats.iter_mut().for_each(|(node, _)| *node = places[*node]);
            }
            losses.push(loss);
        }
        Ok((grads, losses))
    };
    let done: Vec<Result<(Buffers, Vec<Loss>)>> = std::thread::scope(|scope| {
        let handles: Vec<_> = hands.iter().map(|parts| scope.spawn(|| work(parts))).collect();
        handles.into_iter().map(|h| h.join().unwrap_or_else(|_| Err(Error::new("a worker thread broke off")))).collect()
    });
    let empty = || Loss { total: 0.0, nats: Vec::new() };
    let mut out = Batch { grads: Buffers::new(), losses: trees.iter().map(|_| empty()).collect() };
    for (parts, result) in hands.iter().zip(done) {
        let (grads, losses) = result?;
        for (part, loss) in parts.iter().zip(losses) {
            let sum = &mut out.losses[part.tree];
            sum.total += loss.total;
            sum.nats.extend(loss.nats);
        }
        if out.grads.is_empty() {
            out.grads = grads;
        } else {
            let tensors = out.grads.par_iter_mut().zip(&grads);
            tensors.for_each(|(sum, more)| sum.iter_mut().zip(more).for_each(|(s, m)| *s += m));
        }
    }
    Ok(out)
}

/// The largest piece first, always to the worker with the least to do.
fn deal(workers: usize, trees: &[&TokenTree]) -> Vec<Vec<Part>> {
    let total: usize = trees.iter().map(|tree| tree.len()).sum();
    let mut parts: Vec<(usize, Part)> = Vec::new();
    for (i, tree) in trees.iter().enumerate() {
        // A share and a half for one worker is not worth the repeated trunk.
        let cuts = if 2 * tree.len() * workers > 3 * total { tree.split(workers) } else { Vec::new() };
        if cuts.is_empty() {
            parts.push((tree.len(), Part { tree: i, cut: None }));
        }
        parts.extend(cuts.into_iter().map(|cut| (cut.0.len(), Part { tree: i, cut: Some(cut) })));
    }
    parts.sort_by_key(|(size, part)| (std::cmp::Reverse(*size), part.tree));
    let mut hands: Vec<(usize, Vec<Part>)> = (0..workers).map(|_| (0, Vec::new())).collect();
    for (size, part) in parts {
        if let Some(hand) = hands.iter_mut().min_by_key(|(busy, _)| *busy) {
            hand.0 += size;
            hand.1.push(part);
        }
    }
    hands.into_iter().map(|(_, parts)| parts).filter(|parts| !parts.is_empty()).collect()
}
