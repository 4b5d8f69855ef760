//! Attention at inference: what new nodes of some caches take from the nodes that they see.
//!
//! The query heads of a key-value head are rows beside each other, and so are neighbouring nodes:
//! keys and values are read once for as many of them as the registers hold. Keys are taken a span
//! at a time, whose scores stay in the nearest cache; a row's shares are put right by the largest
//! score so far (the online softmax of Milakov and Gimelshein, 2018).

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::cache::{Above, Cache};
use super::config::Config;
use super::kernels::panels::{NONE, PANEL, Terms, add, sizes};
use super::kernels::softmax::OnlineSoftmax;
use super::line::Line;

/// New nodes that a thread takes together, at least.
const BLOCK: usize = 96;

/// Keys whose scores exist at once.
const SPAN: usize = 8 * PANEL;

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
}

/// Some rows of a cache under one key-value head: what a thread works on by itself.
struct Task<'a, 'b> {
    grown: &'a Grown<'b>,
    head: usize,
    rows: Range<usize>,
}

/// What each new node takes from the nodes that it sees in one layer: `q` and the result are
/// `[rows, hidden]`.
pub(super) fn attend(config: &Config, layer: usize, grown: &[Grown<'_>], q: &[f32]) -> Vec<f32> {
    let h = config.hidden;
    let kv_heads = config.kv_heads;
    let work: usize =
        grown.iter().map(|grown| grown.rows() * (grown.depth() + grown.cache.len()) * h).sum();
    let threads = if work > WORTH { rayon::current_num_threads() } else { 1 };
    // Rows are parted only as far as the threads need it: each part reads keys and values anew.
    let parts = (2 * threads).div_ceil((grown.len() * kv_heads).max(1));
    let mut tasks: Vec<Task<'_, '_>> = Vec::new();
    for grown in grown {
        let rows = grown.rows();
        let step = rows.div_ceil(parts).next_multiple_of(BLOCK).max(BLOCK);
        for head in 0..kv_heads {
            let parts = (0..rows).step_by(step).map(|at| at..(at + step).min(rows));
            tasks.extend(parts.map(|rows| Task { grown, head, rows }));
        }
    }
    let one = |task: &Task<'_, '_>| {
        SCRATCH.with_borrow_mut(|scratch| task.run(config, layer, q, scratch))
    };
    let done: Vec<Vec<f32>> = if threads > 1 {
        tasks.par_iter().map(one).collect()
    } else {
        tasks.iter().map(one).collect()
    };
    let mut mixed = vec![0.0; q.len()];
    let wide = h / kv_heads;
    for (Task { grown, head, rows }, done) in tasks.into_iter().zip(done) {
        for (row, from) in rows.zip(done.chunks_exact(wide)) {
            mixed[(grown.first + row) * h + head * wide..][..wide].copy_from_slice(from);
        }
    }
    mixed
}

/// Buffers that a thread asks for once, and not of the system for every tile.
#[derive(Default)]
struct Scratch {
    /// Queries, dimension by dimension: `[dim, rows]`.
    queries: Vec<f32>,
    /// Scores of a span: `[panels of keys, rows]`.
    scores: Vec<Terms>,
    /// The same as shares, key by key: `[keys, rows]`.
    shares: Vec<f32>,
    /// What was mixed so far: `[panels of dimensions, rows]`.
    mixed: Vec<Terms>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Task<'_, '_> {
    /// What its rows take, `[rows, query heads of the key-value head, dim]`.
    fn run(&self, config: &Config, layer: usize, q: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let dim = config.head_dim();
        let group = config.heads / config.kv_heads;
        let at = layer * config.kv_heads + self.head;
        let grown = self.grown;
        let above = grown.above.iter().map(|(segment, used)| (&segment.rows.0[at], *used));
        let own = (&grown.cache.rows.0[at], grown.cache.len());
        let pieces: Vec<(&Line, usize)> = above.chain(std::iter::once(own)).collect();
        let query = |row: usize| {
            let column = (self.head * group + row % group) * dim;
            &q[(grown.first + row / group) * config.hidden + column..][..dim]
        };
        let mut out = vec![0.0; self.rows.len() * group * dim];
        let mut rest = &mut out[..];
        let mut first = self.rows.start * group;
        for size in sizes(self.rows.len() * group) {
            let scale = 1.0 / (dim as f32).sqrt();
            scratch.queries.resize(dim * size, 0.0);
            for row in 0..size {
                let terms = scratch.queries[row..].iter_mut().step_by(size).zip(query(first + row));
                terms.for_each(|(to, q)| *to = q * scale);
            }
            let (to, others) = rest.split_at_mut(size * dim);
            let nodes = (first..first + size).map(|row| grown.past + row / group);
            mix(grown.cache, &pieces, &nodes.collect::<Vec<_>>(), dim, scratch, to);
            rest = others;
            first += size;
        }
        out
    }
}

/// What a tile of rows takes from all pieces, the last of which is the cache's own: `nodes` are the
/// rows' own ones there, in order; into `out`, `[rows, dim]`.
fn mix(
    cache: &Cache,
    pieces: &[(&Line, usize)],
    nodes: &[usize],
    dim: usize,
    Scratch { queries, scores, shares, mixed }: &mut Scratch,
    out: &mut [f32],
) {
    let rows = nodes.len();
    mixed.clear();
    mixed.resize(dim.div_ceil(PANEL) * rows, NONE);
    let mut softmax = OnlineSoftmax::new(rows);
    for (i, (line, count)) in pieces.iter().enumerate() {
        let is_own = i + 1 == pieces.len();
        // Of the own nodes, those up to the last row's can be seen.
        let last = nodes.last().map_or(0, |node| node + 1);
        let count = if is_own { last.min(*count) } else { *count };
        for span in (0..count).step_by(SPAN).map(|at| at..(at + SPAN).min(count)) {
            scores.clear();
            scores.resize(span.len().div_ceil(PANEL) * rows, NONE);
            for (i, scores) in scores.chunks_exact_mut(rows).enumerate() {
                add(line.key_panel(span.start / PANEL + i, dim), queries, rows_of(scores), false);
            }
            if is_own {
                hide(cache, nodes, span.clone(), scores);
            }
            softmax.take(scores, span.len(), mixed, shares);
            for (values, mixed) in line.values().zip(mixed.chunks_exact_mut(rows)) {
                add(&values[span.clone()], shares, rows_of(mixed), true);
            }
        }
    }
    for (row, out) in out.chunks_exact_mut(dim).enumerate() {
        let each = 1.0 / softmax.sum(row);
        for (panel, out) in out.chunks_mut(PANEL).enumerate() {
            let mixed = &mixed[panel * rows + row].0;
            out.iter_mut().zip(mixed).for_each(|(out, mixed)| *out = mixed * each);
        }
    }
}

fn rows_of(sums: &mut [Terms]) -> impl Iterator<Item = &mut [f32; PANEL]> {
    sums.iter_mut().map(|sums| &mut sums.0)
}

/// Hides the own nodes of a span that a row does not see from its scores.
fn hide(cache: &Cache, nodes: &[usize], span: Range<usize>, scores: &mut [Terms]) {
    let here = |node: usize| node.clamp(span.start, span.end) - span.start;
    for (row, node) in nodes.iter().enumerate() {
        let mut hide = |keys: Range<usize>| {
            for key in keys {
                scores[key / PANEL * nodes.len() + row].0[key % PANEL] = f32::NEG_INFINITY;
            }
        };
        let mut hidden = 0;
        for seen in cache.seen(*node) {
            hide(hidden..here(seen.start));
            hidden = here(seen.end);
        }
        hide(hidden..span.len());
    }
}

#[cfg(test)]
#[path = "attend_tests.rs"]
mod tests;
