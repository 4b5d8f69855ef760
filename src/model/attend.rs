//! Attention at inference: what new nodes of some caches take from the nodes that they see.
//!
//! Keys are taken a tile at a time, whose scores stay in the nearest cache; a row's shares are put
//! right by the largest score so far (the online softmax of Milakov and Gimelshein, 2018). Scores
//! of a tile are laid out key by key, with the rows of queries side by side in vectors: then
//! neither keys nor shares are packed anew for the products, and the softmax needs no sum across a
//! vector.

use std::cell::RefCell;
use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::cache::{Above, Cache};
use super::config::Config;
use super::kernels::OnlineSoftmax;

/// Rows of queries that are worked on together.
const BLOCK: usize = 96;

/// Keys that are worked on together with a whole block of rows, whose scores then fit the nearest
/// cache; with fewer rows as many more.
const TILE: usize = 256;

/// Multiplications that are worth another thread.
const WORTH: usize = 200_000;

/// A cache whose nodes from `past` on are new: in the pass they are the rows from `first` on.
pub(super) struct Grown<'a> {
    pub cache: &'a Cache,
    pub above: &'a [Above],
    pub past: usize,
    pub first: usize,
}

impl Grown<'_> {
    fn rows(&self) -> usize {
        self.cache.len() - self.past
    }

    /// Nodes above the cache's own.
    fn depth(&self) -> usize {
        self.above.iter().map(|(_, used)| used).sum()
    }

    /// Keys and values of a layer's key-value head (`at`) in pieces, each with its number of nodes:
    /// `[nodes, dim]`.
    fn pieces(&self, at: usize, dim: usize) -> Vec<(&[f32], &[f32], usize)> {
        let above = self.above.iter().map(|(segment, used)| {
            (&segment.rows.keys[at][..used * dim], &segment.rows.values[at][..used * dim], *used)
        });
        let own = (&*self.cache.rows.keys[at], &*self.cache.rows.values[at], self.cache.len());
        above.chain(std::iter::once(own)).collect()
    }
}

/// Some rows of a cache under one key-value head: what a thread works on by itself.
struct Task {
    grown: usize,
    head: usize,
    rows: Range<usize>,
}

/// What each new node takes from the nodes that it sees in one layer: `q` and the result are
/// `[rows, queries]`.
pub(super) fn attend(config: &Config, layer: usize, grown: &[Grown<'_>], q: &[f32]) -> Vec<f32> {
    let h = config.queries();
    let dim = config.head_dim;
    let kv_heads = config.kv_heads;
    let group = config.heads / kv_heads;
    let (scale, window) = (config.attention_scale(), config.attends[layer].window);
    let work: usize =
        grown.iter().map(|grown| grown.rows() * (grown.depth() + grown.cache.len()) * h).sum();
    let threads = if work > WORTH { rayon::current_num_threads() } else { 1 };
    // Rows are parted only as far as the threads need it: each part reads keys and values anew.
    let parts = (2 * threads).div_ceil((grown.len() * kv_heads).max(1));
    let mut tasks: Vec<Task> = Vec::new();
    for (g, of) in grown.iter().enumerate() {
        let rows = of.rows();
        let step = rows.div_ceil(parts).next_multiple_of(BLOCK).max(BLOCK);
        for head in 0..kv_heads {
            tasks.extend((0..rows).step_by(step).map(|at| Task {
                grown: g,
                head,
                rows: at..(at + step).min(rows),
            }));
        }
    }
    let one = |Task { grown: g, head, rows }: &Task| -> Vec<f32> {
        let grown = &grown[*g];
        let pieces = grown.pieces(layer * kv_heads + head, dim);
        let mut mixed = vec![0.0; rows.len() * group * dim];
        SCRATCH.with_borrow_mut(|scratch| {
            for first in rows.clone().step_by(BLOCK) {
                let count = (rows.end - first).min(BLOCK);
                let block = Block { grown, first, rows: count, dim, scale, window };
                for of in 0..group {
                    let column = (head * group + of) * dim;
                    let q = &q[(grown.first + first) * h..(grown.first + first + block.rows) * h];
                    let out = &mut mixed[((first - rows.start) * group + of) * dim..];
                    block.attend(q, column..column + dim, &pieces, scratch, (out, group * dim));
                }
            }
        });
        mixed
    };
    let done: Vec<Vec<f32>> = if threads > 1 {
        tasks.par_iter().map(one).collect()
    } else {
        tasks.iter().map(one).collect()
    };
    let mut mixed = vec![0.0; q.len()];
    for (Task { grown: g, head, rows }, done) in tasks.into_iter().zip(done) {
        let wide = group * dim;
        for (row, from) in rows.zip(done.chunks_exact(wide)) {
            mixed[(grown[g].first + row) * h + head * wide..][..wide].copy_from_slice(from);
        }
    }
    mixed
}

/// Buffers that a thread asks for once, and not of the system for every block.
#[derive(Default)]
struct Scratch {
    /// Queries, dimension by dimension: `[dim, rows]`.
    queries: Vec<f32>,
    /// Scores of a tile, key by key: `[keys, rows]`.
    scores: Vec<f32>,
    /// What was mixed so far: `[dim, rows]`.
    mixed: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Neighbouring new nodes of a cache, from its new node `first` on.
struct Block<'a, 'b> {
    grown: &'a Grown<'b>,
    first: usize,
    rows: usize,
    dim: usize,
    /// What scores are multiplied by.
    scale: f32,
    /// How many nodes of its path a node sees at most, itself the last.
    window: Option<usize>,
}

impl Block<'_, '_> {
    /// The attention of one head: `columns` of `q` (rows as wide as the model) over pieces of keys
    /// and values, into the beginnings of rows of `out`, `stride` apart.
    fn attend(
        &self,
        q: &[f32],
        columns: Range<usize>,
        pieces: &[(&[f32], &[f32], usize)],
        Scratch { queries, scores, mixed }: &mut Scratch,
        (out, stride): (&mut [f32], usize),
    ) {
        let rows = self.rows;
        let dim = self.dim;
        let width = q.len() / rows;
        queries.resize(dim * rows, 0.0);
        for (row, q) in q.chunks_exact(width).enumerate() {
            q[columns.clone()].iter().enumerate().for_each(|(d, q)| queries[d * rows + row] = *q);
        }
        mixed.clear();
        mixed.resize(dim * rows, 0.0);
        scores.resize(BLOCK * TILE, 0.0);
        let turned = MatRef::from_row_major_slice(queries, dim, rows);
        let nodes = (0..rows).map(|row| self.grown.past + self.first + row);
        let unseen = nodes.map(|node| self.far(node)).min().unwrap_or_default();
        let mut softmax = OnlineSoftmax::new(rows);
        // Segments above are seen whole; of the own nodes, which come last, those up to the block's
        // last one can be.
        let own = self.grown.depth();
        let mut left = own + self.grown.past + self.first + rows;
        let tile = BLOCK * TILE / rows;
        let mut at = 0;
        for (keys, values, nodes) in pieces {
            let nodes = (*nodes).min(left);
            left -= nodes;
            for tile in (0..nodes).step_by(tile).map(|at| at..(at + tile).min(nodes)) {
                if at + tile.len() <= unseen.min(own) {
                    at += tile.len();
                    continue;
                }
                let scores = &mut scores[..tile.len() * rows];
                let lines = tile.start * dim..tile.end * dim;
                let keys = MatRef::from_row_major_slice(&keys[lines.clone()], tile.len(), dim);
                let values = MatRef::from_row_major_slice(&values[lines], tile.len(), dim);
                let into = MatMut::from_row_major_slice_mut(scores, tile.len(), rows);
                matmul(into, Accum::Replace, keys, turned, self.scale, Par::Seq);
                if at + tile.len() > own || self.window.is_some() {
                    self.hide(scores, at, own);
                }
                softmax.take(scores, mixed);
                let shares = MatRef::from_row_major_slice(scores, tile.len(), rows);
                let into = MatMut::from_row_major_slice_mut(mixed, dim, rows);
                matmul(into, Accum::Add, values.transpose(), shares, 1.0, Par::Seq);
                at += tile.len();
            }
        }
        softmax.finish(mixed);
        for (row, out) in out.chunks_mut(stride).take(rows).enumerate() {
            out[..dim].iter_mut().enumerate().for_each(|(d, out)| *out = mixed[d * rows + row]);
        }
    }

    /// How many nodes of a node's path are too far above to be seen.
    fn far(&self, node: usize) -> usize {
        let path = self.grown.cache.position(node) + 1;
        self.window.map_or(0, |window| path.saturating_sub(window))
    }

    /// Hides the nodes that a node does not see from a tile of scores: the tile's first key is
    /// number `at`, the first own node is key number `own`.
    fn hide(&self, scores: &mut [f32], at: usize, own: usize) {
        let keys = scores.len() / self.rows;
        let here = |node: usize| (own + node).saturating_sub(at).min(keys);
        for row in 0..self.rows {
            let mut hide = |keys: Range<usize>| {
                keys.for_each(|key| scores[key * self.rows + row] = f32::NEG_INFINITY);
            };
            let node = self.grown.past + self.first + row;
            let mut far = self.far(node);
            hide(0..far.min(own).saturating_sub(at).min(keys));
            far = far.saturating_sub(own);
            let mut hidden = here(0);
            for seen in self.grown.cache.seen(node) {
                let start = seen.start + far.min(seen.len());
                far = far.saturating_sub(seen.len());
                hide(hidden..here(start));
                hidden = here(seen.end);
            }
            hide(hidden..keys);
        }
    }
}

#[cfg(test)]
#[path = "attend_tests.rs"]
mod tests;
