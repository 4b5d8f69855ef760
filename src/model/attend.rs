//! Attention at inference: what new nodes of some caches take from the nodes that they see.

use std::cell::RefCell;
use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::cache::{Above, Cache};
use super::config::Config;
use super::kernels::OnlineSoftmax;

/// Rows of queries that are worked on together.
const BLOCK: usize = 64;

/// Keys that are worked on together: with as many values and the scores of some rows they fit the nearest cache.
const TILE: usize = 256;

/// Rows of queries for which keys and values of many segments are laid out in one piece first: a product with forty columns
/// costs hardly less than one with a thousand.
const LAID_OUT: usize = 16;

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

    /// Nodes that the last of its rows could see.
    fn width(&self) -> usize {
        self.above.iter().map(|(_, used)| used).sum::<usize>() + self.cache.len()
    }

    /// Keys and values of a layer's key-value head (`at`) in pieces, each with its number of nodes: `[nodes, dim]`.
    fn pieces(&self, at: usize, dim: usize) -> Vec<(&[f32], &[f32], usize)> {
        let above = self
            .above
            .iter()
            .map(|(segment, used)| (&segment.rows.keys[at][..used * dim], &segment.rows.values[at][..used * dim], *used));
        let own = (&*self.cache.rows.keys[at], &*self.cache.rows.values[at], self.cache.len());
        above.chain(std::iter::once(own)).collect()
    }
}

/// What each new node takes from the nodes that it sees in one layer: `q` and the result are `[rows, hidden]`.
pub(super) fn attend(config: &Config, layer: usize, grown: &[Grown<'_>], q: &[f32]) -> Vec<f32> {
    let (h, dim, heads, kv_heads) = (config.hidden, config.head_dim(), config.heads, config.kv_heads);
    let group = heads / kv_heads;
    let work: usize = grown.iter().map(|grown| grown.rows() * grown.width() * h).sum();
    let worth = work > 100_000;
    // Keys and values in one piece, by cache and key-value head; none where they are used as they lie.
    let homes: Vec<(usize, usize)> = (0..grown.len()).flat_map(|g| (0..kv_heads).map(move |head| (g, head))).collect();
    let lay_out = |(g, head): &(usize, usize)| {
        let grown = &grown[*g];
        (grown.rows() >= LAID_OUT && grown.above.len() > 1).then(|| {
            let pieces = grown.pieces(layer * kv_heads + head, dim);
            let keys: Vec<&[f32]> = pieces.iter().map(|(keys, ..)| *keys).collect();
            let values: Vec<&[f32]> = pieces.iter().map(|(_, values, _)| *values).collect();
            (keys.concat(), values.concat())
        })
    };
    let laid_out: Vec<_> =
        if worth { homes.par_iter().map(lay_out).collect() } else { homes.iter().map(lay_out).collect() };
    let blocks: Vec<(usize, usize, Range<usize>)> = grown
        .iter()
        .enumerate()
        .flat_map(|(g, grown)| {
            let rows = grown.rows();
            let cuts = move |head| (0..rows).step_by(BLOCK).map(move |at| (g, head, at..(at + BLOCK).min(rows)));
            (0..heads).flat_map(cuts)
        })
        .collect();
    let queries = MatRef::from_row_major_slice(q, q.len() / h, h);
    let one = |(g, head, rows): &(usize, usize, Range<usize>)| -> Vec<f32> {
        let grown = &grown[*g];
        let (first, kv_head) = (grown.first + rows.start, head / group);
        let q = queries.submatrix(first, head * dim, rows.len(), dim);
        // Segments above are seen whole; of the own nodes those up to the block's last one can be.
        let unseen = grown.rows() - rows.end;
        let mut pieces = match &laid_out[g * kv_heads + kv_head] {
            Some((keys, values)) => vec![(&keys[..], &values[..], grown.width())],
            None => grown.pieces(layer * kv_heads + kv_head, dim),
        };
        if let Some((keys, values, nodes)) = pieces.last_mut() {
            *nodes -= unseen;
            *keys = &keys[..*nodes * dim];
            *values = &values[..*nodes * dim];
        }
        block(grown.cache, q, &pieces, grown.past + rows.start)
    };
    let done: Vec<Vec<f32>> = if worth { blocks.par_iter().map(one).collect() } else { blocks.iter().map(one).collect() };
    let mut mixed = vec![0.0; q.len()];
    for ((g, head, rows), block) in blocks.into_iter().zip(done) {
        for (row, from) in rows.zip(block.chunks_exact(dim)) {
            mixed[(grown[g].first + row) * h + head * dim..][..dim].copy_from_slice(from);
        }
    }
    mixed
}

thread_local! {
    /// Scores of a tile: asked for once a thread, and not of the system for every block.
    static SCORES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Some rows of one head, the first of which is the cache's node `first`, over pieces of keys and values: `[rows, dim]`.
/// Keys are taken a tile at a time, whose scores stay in the nearest cache; a row's shares are put right by the largest
/// score so far (the online softmax of Milakov and Gimelshein, 2018).
fn block(cache: &Cache, q: MatRef<'_, f32>, pieces: &[(&[f32], &[f32], usize)], first: usize) -> Vec<f32> {
    let (rows, dim) = (q.nrows(), q.ncols());
    let scale = 1.0 / (dim as f32).sqrt();
    let mut out = vec![0.0; rows * dim];
    let mut softmax = OnlineSoftmax::new(rows);
    let tiles = pieces
        .iter()
        .enumerate()
        .flat_map(|(piece, (_, _, nodes))| (0..*nodes).step_by(TILE).map(move |at| (piece, at..(at + TILE).min(*nodes))));
    // Own nodes are the last columns: where they begin, counted in all columns, and where a tile does.
    let columns: usize = pieces.iter().map(|(_, _, nodes)| nodes).sum();
    let (own, mut at) = (columns - first - rows, 0);
    SCORES.with_borrow_mut(|scores| {
        scores.resize(BLOCK * TILE, 0.0);
        for (piece, tile) in tiles {
            let (keys, values, _) = pieces[piece];
            let width = tile.len();
            let scores = &mut scores[..rows * width];
            let lines = tile.start * dim..tile.end * dim;
            let keys = MatRef::from_row_major_slice(&keys[lines.clone()], width, dim);
            let values = MatRef::from_row_major_slice(&values[lines], width, dim);
            let into = MatMut::from_row_major_slice_mut(scores, rows, width);
            matmul(into, Accum::Replace, q, keys.transpose(), scale, Par::Seq);
            if at + width > own {
                for (row, node) in scores.chunks_exact_mut(width).zip(first..) {
                    hide(row, at, own, cache.seen(node));
                }
            }
            softmax.take(scores, &mut out);
            let shares = MatRef::from_row_major_slice(scores, rows, width);
            let into = MatMut::from_row_major_slice_mut(&mut out, rows, dim);
            matmul(into, Accum::Add, shares, values, 1.0, Par::Seq);
            at += width;
        }
    });
    softmax.finish(&mut out);
    out
}

/// Hides the own nodes that a node does not see from a tile of its scores: the tile begins at column `at`, the own nodes at
/// column `own`.
fn hide(row: &mut [f32], at: usize, own: usize, seen: &[Range<usize>]) {
    let width = row.len();
    let here = |node: usize| (own + node).saturating_sub(at).min(width);
    let mut hidden = here(0);
    for seen in seen {
        row[hidden..here(seen.start)].fill(f32::NEG_INFINITY);
        hidden = here(seen.end);
    }
    row[hidden..].fill(f32::NEG_INFINITY);
}
