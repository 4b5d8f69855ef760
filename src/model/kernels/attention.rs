//! Attention over a token tree, as matrix products.
//!
//! A tree is a sequence of *runs*: chains of tokens that stand next to each other. All tokens of a run see the same path
//! above it, and of the run itself what comes before them, so a block of a run against its path is two dense products
//! with a triangle cut off. The rows of a path are gathered once and kept while the next run shares them. Scores exist
//! for one block and head at a time; the backward pass computes them again.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::Arch;

use super::{dot, exp};

/// Tokens of a run that are worked on together.
const BLOCK: usize = 64;

/// Shape of the attention.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Query heads.
    pub queries: usize,
    /// Key and value heads; divides `queries`.
    pub keys: usize,
    /// Width of a head.
    pub dim: usize,
}

/// A chain of neighbouring tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    start: usize,
    end: usize,
    /// The tokens above its first one, the root first.
    above: Vec<u32>,
}

/// The runs of a tree.
#[derive(Debug, Clone)]
pub struct Runs(Vec<Run>);

impl Runs {
    /// From each token's parent, which comes before it.
    pub fn new(parents: &[Option<usize>]) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for (i, parent) in parents.iter().enumerate() {
            match (runs.last_mut(), parent) {
                (Some(last), Some(parent)) if *parent + 1 == i && last.end == i => last.end = i + 1,
                _ => {
                    let mut above = Vec::new();
                    let mut at = *parent;
                    while let Some(token) = at {
                        above.push(token as u32);
                        at = parents[token];
                    }
                    above.reverse();
                    runs.push(Run { start: i, end: i + 1, above });
                }
            }
        }
        Self(runs)
    }
}

/// Takes a token's rows of `dk` and `dv`.
type GiveBack<'a> = &'a mut dyn FnMut(u32, &[f32], &[f32]);

/// Rows gathered along the current path.
#[derive(Default)]
struct Path {
    tokens: Vec<u32>,
    k: Vec<f32>,
    v: Vec<f32>,
    dk: Vec<f32>,
    dv: Vec<f32>,
}

impl Path {
    /// Goes to a run's path; rows shared with the path before stay. `give_back` gets the gradient rows that are left.
    fn go(&mut self, run: &Run, k: &[f32], v: &[f32], stride: usize, give_back: GiveBack<'_>) {
        let wanted = run.above.iter().copied().chain(run.start as u32..run.end as u32);
        let same = self.tokens.iter().zip(wanted.clone()).take_while(|(a, b)| **a == *b).count();
        for (i, token) in self.tokens.iter().enumerate().skip(same) {
            if !self.dk.is_empty() {
                let at = i * stride..(i + 1) * stride;
                give_back(*token, &self.dk[at.clone()], &self.dv[at]);
            }
        }
        self.tokens.truncate(same);
        for rows in [&mut self.k, &mut self.v, &mut self.dk, &mut self.dv] {
            rows.truncate(same * stride);
        }
        for token in wanted.skip(same) {
            let at = token as usize * stride..(token as usize + 1) * stride;
            self.tokens.push(token);
            self.k.extend_from_slice(&k[at.clone()]);
            self.v.extend_from_slice(&v[at]);
        }
    }
}

/// The attention of one layer over one tree; rows of `q` are `queries · dim` wide, rows of `k` and `v` `keys · dim`.
pub struct Attention<'a> {
    /// The tree.
    pub runs: &'a Runs,
    /// The shape.
    pub heads: Heads,
    /// Queries.
    pub q: &'a [f32],
    /// Keys.
    pub k: &'a [f32],
    /// Values.
    pub v: &'a [f32],
}

/// A block of a run under one query head.
struct Block {
    first: usize,
    rows: usize,
    /// Columns of the path that its last token sees.
    seen: usize,
    /// Columns that its first token sees.
    least: usize,
    /// Where the head's columns start in rows of `q`, and in rows of `k`.
    q_at: usize,
    k_at: usize,
}

impl Attention<'_> {
    fn widths(&self) -> (usize, usize) {
        (self.heads.queries * self.heads.dim, self.heads.keys * self.heads.dim)
    }

    fn blocks(&self, run: &Run) -> impl Iterator<Item = Block> + use<> {
        let (heads, above, start, end) = (self.heads, run.above.len(), run.start, run.end);
        (start..end).step_by(BLOCK).flat_map(move |first| {
            let rows = BLOCK.min(end - first);
            (0..heads.queries).map(move |h| {
                let least = above + first - start + 1;
                let k_at = h / (heads.queries / heads.keys) * heads.dim;
                Block { first, rows, seen: least + rows - 1, least, q_at: h * heads.dim, k_at }
            })
        })
    }

    /// The softmax shares of a block, row after row, nothing beyond what each token sees.
    fn shares(&self, block: &Block, k: MatRef<'_, f32>, shares: &mut Vec<f32>) {
        let (dim, (width, _)) = (self.heads.dim, self.widths());
        let q = MatRef::from_row_major_slice(self.q, self.q.len() / width, width);
        let q = q.submatrix(block.first, block.q_at, block.rows, dim);
        shares.resize(block.rows * block.seen, 0.0);
        let scale = 1.0 / (dim as f32).sqrt();
        let out = MatMut::from_row_major_slice_mut(shares, block.rows, block.seen);
        matmul(out, Accum::Replace, q, k.transpose(), scale, Par::Seq);
        Arch::new().dispatch(|| {
            for (r, row) in shares.chunks_exact_mut(block.seen).enumerate() {
                let (row, hidden) = row.split_at_mut(block.least + r);
                let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let mut sums = [0.0f32; 8];
                let mut chunks = row.chunks_exact_mut(8);
                for chunk in &mut chunks {
                    for i in 0..8 {
                        chunk[i] = exp(chunk[i] - top);
                        sums[i] += chunk[i];
                    }
                }
                let mut sum: f32 = sums.iter().sum();
                for share in chunks.into_remainder() {
                    *share = exp(*share - top);
                    sum += *share;
                }
                let each = 1.0 / sum;
                for share in row.iter_mut() {
                    *share *= each;
                }
                hidden.fill(0.0);
            }
        });
    }

    /// What each token takes from its ancestors and itself.
    pub fn forward(&self, out: &mut [f32]) {
        let (dim, (width, stride)) = (self.heads.dim, self.widths());
        let tokens = out.len() / width;
        let (mut path, mut shares) = (Path::default(), Vec::new());
        for run in &self.runs.0 {
            path.go(run, self.k, self.v, stride, &mut |_, _, _| {});
            let rows = path.tokens.len();
            for block in self.blocks(run) {
                let part = |rows_of| {
                    let all: MatRef<'_, f32> = MatRef::from_row_major_slice(rows_of, rows, stride);
                    all.submatrix(0, block.k_at, block.seen, dim)
                };
                self.shares(&block, part(&path.k), &mut shares);
                let shares = MatRef::from_row_major_slice(&shares, block.rows, block.seen);
                let out = MatMut::from_row_major_slice_mut(out, tokens, width);
                let out = out.submatrix_mut(block.first, block.q_at, block.rows, dim);
                matmul(out, Accum::Replace, shares, part(&path.v), 1.0, Par::Seq);
            }
        }
    }

    /// Gradients from that of the output: `dq` is written, `dk` and `dv` are added to.
    pub fn backward(&self, dout: &[f32], dq: &mut [f32], dk: &mut [f32], dv: &mut [f32]) {
        let (dim, (width, stride)) = (self.heads.dim, self.widths());
        let (tokens, scale) = (dout.len() / width, 1.0 / (dim as f32).sqrt());
        let mut give_back = |token: u32, dk_row: &[f32], dv_row: &[f32]| {
            let at = token as usize * stride..(token as usize + 1) * stride;
            dk[at.clone()].iter_mut().zip(dk_row).for_each(|(sum, d)| *sum += d);
            dv[at].iter_mut().zip(dv_row).for_each(|(sum, d)| *sum += d);
        };
        let (mut path, mut shares, mut dshares) = (Path::default(), Vec::new(), Vec::new());
        let dout = MatRef::from_row_major_slice(dout, tokens, width);
        let q = MatRef::from_row_major_slice(self.q, tokens, width);
        for run in &self.runs.0 {
            path.go(run, self.k, self.v, stride, &mut give_back);
            let rows = path.tokens.len();
            path.dk.resize(rows * stride, 0.0);
            path.dv.resize(rows * stride, 0.0);
            for block in self.blocks(run) {
                let part = |rows_of| {
                    let all: MatRef<'_, f32> = MatRef::from_row_major_slice(rows_of, rows, stride);
                    all.submatrix(0, block.k_at, block.seen, dim)
                };
                self.shares(&block, part(&path.k), &mut shares);
                let (q, dout) = (
                    q.submatrix(block.first, block.q_at, block.rows, dim),
                    dout.submatrix(block.first, block.q_at, block.rows, dim),
                );
                dshares.resize(block.rows * block.seen, 0.0);
                let into = MatMut::from_row_major_slice_mut(&mut dshares, block.rows, block.seen);
                matmul(into, Accum::Replace, dout, part(&path.v).transpose(), 1.0, Par::Seq);
                let sum = |rows_of| {
                    let all: MatMut<'_, f32> = MatMut::from_row_major_slice_mut(rows_of, rows, stride);
                    all.submatrix_mut(0, block.k_at, block.seen, dim)
                };
                let taken = MatRef::from_row_major_slice(&shares, block.rows, block.seen);
                matmul(sum(&mut path.dv), Accum::Add, taken.transpose(), dout, 1.0, Par::Seq);
                Arch::new().dispatch(|| {
                    let rows = dshares.chunks_exact_mut(block.seen).zip(shares.chunks_exact(block.seen));
                    for (drow, row) in rows {
                        let mean = dot(drow, row);
                        drow.iter_mut().zip(row).for_each(|(d, share)| *d = share * (*d - mean));
                    }
                });
                let dscores = MatRef::from_row_major_slice(&dshares, block.rows, block.seen);
                let into = MatMut::from_row_major_slice_mut(dq, tokens, width);
                let into = into.submatrix_mut(block.first, block.q_at, block.rows, dim);
                matmul(into, Accum::Replace, dscores, part(&path.k), scale, Par::Seq);
                matmul(sum(&mut path.dk), Accum::Add, dscores.transpose(), q, scale, Par::Seq);
            }
        }
        path.go(&Run { start: 0, end: 0, above: Vec::new() }, self.k, self.v, stride, &mut give_back);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_cut_into_runs_with_the_path_above_each() {
        let runs = Runs::new(&[None, Some(0), Some(1), Some(0), Some(3), Some(1), None, Some(6)]);
        let seen: Vec<(usize, usize, &[u32])> = runs.0.iter().map(|r| (r.start, r.end, r.above.as_slice())).collect();
        assert_eq!(seen, [(0, 3, &[][..]), (3, 5, &[0]), (5, 6, &[0, 1]), (6, 8, &[])]);
    }
}
