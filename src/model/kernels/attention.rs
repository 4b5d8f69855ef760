//! Attention over a token tree, as matrix products.
//!
//! A tree is a sequence of *chains*: tokens that stand next to each other, each the parent of the
//! next. All tokens of a chain see the same path above it, and of the chain itself what comes
//! before them, so a block of a chain against its path is two dense products with a triangle cut
//! off. The rows of a path are gathered once and kept while the next chain shares them. Scores
//! exist for one block and head at a time; the backward pass computes them again.
//!
//! The blocks of a tree are dealt out in pieces of like cost, which threads work on side by side.
//! The pieces depend on the tree alone and their sums are added in order: the same bits on any
//! number of threads.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::{dot, kernel, softmax};

/// Tokens of a chain that are worked on together.
const BLOCK: usize = 64;

/// Pieces that a tree's attention is dealt out in.
const PIECES: usize = 8;

/// Shape of the attention.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Query heads.
    pub queries: usize,
    /// Key and value heads; divides `queries`.
    pub keys: usize,
    /// Width of a head.
    pub dim: usize,
    /// What scores are multiplied by.
    pub scale: f32,
    /// How many tokens of its path a token sees at most, itself the last.
    pub window: Option<usize>,
}

/// A chain of neighbouring tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chain {
    start: usize,
    end: usize,
    /// The tokens above its first one, the root first.
    above: Vec<u32>,
}

/// Neighbouring tokens of a chain that are worked on together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    chain: usize,
    first: usize,
    rows: usize,
}

/// The chains of a tree, and their blocks in pieces of like cost.
#[derive(Debug, Clone)]
pub struct Chains {
    /// The tokens before this one have keys and values only; no queries.
    first: usize,
    all: Vec<Chain>,
    pieces: Vec<Vec<Block>>,
}

impl Chains {
    /// From each token's parent, which comes before it; of the tokens from `first` on.
    pub fn new(parents: &[Option<usize>], first: usize) -> Self {
        let mut chains: Vec<Chain> = Vec::new();
        for (i, parent) in parents.iter().enumerate().skip(first) {
            match (chains.last_mut(), parent) {
                (Some(last), Some(parent)) if *parent + 1 == i && last.end == i => last.end = i + 1,
                _ => {
                    let mut above = Vec::new();
                    let mut at = *parent;
                    while let Some(token) = at {
                        above.push(token as u32);
                        at = parents[token];
                    }
                    above.reverse();
                    chains.push(Chain { start: i, end: i + 1, above });
                }
            }
        }
        let pieces = deal(&chains);
        Self { first, all: chains, pieces }
    }

    /// The pieces, each with its own rows of every buffer (`widths` wide).
    fn with_rows<'a, const N: usize>(
        &self,
        buffers: [&'a mut [f32]; N],
        widths: [usize; N],
    ) -> Vec<(&[Block], [&'a mut [f32]; N])> {
        let mut rest = buffers;
        let mut out = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let rows: usize = piece.iter().map(|block| block.rows).sum();
            let mut at = 0;
            let own = rest.each_mut().map(|buffer| {
                let (own, after) = std::mem::take(buffer).split_at_mut(rows * widths[at]);
                *buffer = after;
                at += 1;
                own
            });
            out.push((piece.as_slice(), own));
        }
        out
    }
}

fn deal(chains: &[Chain]) -> Vec<Vec<Block>> {
    let blocks: Vec<(Block, usize)> = chains
        .iter()
        .enumerate()
        .flat_map(|(chain, Chain { start, end, above })| {
            (*start..*end).step_by(BLOCK).map(move |first| {
                let rows = BLOCK.min(end - first);
                (Block { chain, first, rows }, rows * (above.len() + first - start + rows))
            })
        })
        .collect();
    let total: usize = blocks.iter().map(|(_, cost)| cost).sum();
    let mut pieces = vec![Vec::new()];
    let mut done = 0;
    for (block, cost) in blocks {
        let full = pieces.len() * total <= PIECES * done;
        match pieces.last_mut() {
            Some(last) if !full || last.is_empty() => last.push(block),
            _ => pieces.push(vec![block]),
        }
        done += cost;
    }
    pieces
}

/// Gradient rows of keys and values, by token; a token may stand more than once.
#[derive(Default)]
struct PendingGrads {
    tokens: Vec<u32>,
    dk: Vec<f32>,
    dv: Vec<f32>,
}

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
    /// Goes to the path that ends before token `end` of a chain; rows shared with the path before
    /// stay, the gradient rows of those that go are put into `pending`.
    fn go(
        &mut self,
        chain: &Chain,
        end: usize,
        (k, v): (&[f32], &[f32]),
        stride: usize,
        pending: &mut PendingGrads,
    ) {
        let wanted = chain.above.iter().copied().chain(chain.start as u32..end as u32);
        let same = self.tokens.iter().zip(wanted.clone()).take_while(|(a, b)| **a == *b).count();
        self.leave(same, stride, pending);
        for token in wanted.skip(same) {
            let at = token as usize * stride..(token as usize + 1) * stride;
            self.tokens.push(token);
            self.k.extend_from_slice(&k[at.clone()]);
            self.v.extend_from_slice(&v[at]);
        }
    }

    fn leave(&mut self, same: usize, stride: usize, pending: &mut PendingGrads) {
        if self.dk.len() > same * stride {
            pending.tokens.extend(&self.tokens[same..]);
            pending.dk.extend(&self.dk[same * stride..]);
            pending.dv.extend(&self.dv[same * stride..]);
        }
        self.tokens.truncate(same);
        for rows in [&mut self.k, &mut self.v, &mut self.dk, &mut self.dv] {
            rows.truncate(same * stride);
        }
    }
}

/// The attention of one layer over one tree; rows of `q`, one for each token of the chains, are
/// `queries · dim` wide, rows of `k` and `v`, those of the tokens before them as well, `keys ·
/// dim`.
pub struct Attention<'a> {
    /// The tree.
    pub chains: &'a Chains,
    /// The shape.
    pub heads: Heads,
    /// Queries.
    pub q: &'a [f32],
    /// Keys.
    pub k: &'a [f32],
    /// Values.
    pub v: &'a [f32],
}

/// A block under one query head.
struct Part {
    /// Its first row of `q`.
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

    fn parts(&self, block: &Block) -> impl Iterator<Item = Part> + use<> {
        let heads = self.heads;
        let Block { first, rows, chain } = *block;
        let chain = &self.chains.all[chain];
        let least = chain.above.len() + first - chain.start + 1;
        let first = first - self.chains.first;
        (0..heads.queries).map(move |h| {
            let k_at = h / (heads.queries / heads.keys) * heads.dim;
            Part { first, rows, seen: least + rows - 1, least, q_at: h * heads.dim, k_at }
        })
    }

    /// The softmax shares of a part, row after row, nothing beyond what each token sees.
    fn shares(&self, part: &Part, k: MatRef<'_, f32>, shares: &mut Vec<f32>) {
        let dim = self.heads.dim;
        let (width, _) = self.widths();
        let q = MatRef::from_row_major_slice(self.q, self.q.len() / width, width);
        let q = q.submatrix(part.first, part.q_at, part.rows, dim);
        shares.resize(part.rows * part.seen, 0.0);
        let out = MatMut::from_row_major_slice_mut(shares, part.rows, part.seen);
        matmul(out, Accum::Replace, q, k.transpose(), self.heads.scale, Par::Seq);
        softmax_seen(shares, part.seen, part.least, self.heads.window.unwrap_or(part.seen));
    }

    /// What each token takes from its ancestors and itself.
    pub fn forward(&self, out: &mut [f32]) {
        let width = self.widths().0;
        let pieces = self.chains.with_rows([out], [width]);
        pieces.into_par_iter().with_max_len(1).for_each(|(blocks, [out])| self.piece(blocks, out));
    }

    fn piece(&self, blocks: &[Block], out: &mut [f32]) {
        let dim = self.heads.dim;
        let (width, stride) = self.widths();
        let base = blocks.first().map_or(0, |block| block.first - self.chains.first);
        let tokens = out.len() / width;
        let mut path = Path::default();
        let mut shares = Vec::new();
        for block in blocks {
            let chain = &self.chains.all[block.chain];
            path.go(
                chain,
                block.first + block.rows,
                (self.k, self.v),
                stride,
                &mut PendingGrads::default(),
            );
            let rows = path.tokens.len();
            for part in self.parts(block) {
                let seen = |rows_of| {
                    let all: MatRef<'_, f32> = MatRef::from_row_major_slice(rows_of, rows, stride);
                    all.submatrix(0, part.k_at, part.seen, dim)
                };
                self.shares(&part, seen(&path.k), &mut shares);
                let shares = MatRef::from_row_major_slice(&shares, part.rows, part.seen);
                let out = MatMut::from_row_major_slice_mut(out, tokens, width);
                let out = out.submatrix_mut(part.first - base, part.q_at, part.rows, dim);
                matmul(out, Accum::Replace, shares, seen(&path.v), 1.0, Par::Seq);
            }
        }
    }

    /// Gradients from that of the output: `dq` is written, `dk` and `dv` are added to.
    pub fn backward(&self, dout: &[f32], dq: &mut [f32], dk: &mut [f32], dv: &mut [f32]) {
        let (width, stride) = self.widths();
        let pieces = self.chains.with_rows([dq], [width]);
        let pending: Vec<PendingGrads> = pieces
            .into_par_iter()
            .with_max_len(1)
            .map(|(blocks, [dq])| self.piece_back(blocks, dout, dq))
            .collect();
        for pending in &pending {
            let rows = pending.dk.chunks_exact(stride).zip(pending.dv.chunks_exact(stride));
            for (token, (dk_row, dv_row)) in pending.tokens.iter().zip(rows) {
                let at = *token as usize * stride..(*token as usize + 1) * stride;
                dk[at.clone()].iter_mut().zip(dk_row).for_each(|(sum, d)| *sum += d);
                dv[at].iter_mut().zip(dv_row).for_each(|(sum, d)| *sum += d);
            }
        }
    }

    fn piece_back(&self, blocks: &[Block], dout: &[f32], dq: &mut [f32]) -> PendingGrads {
        let dim = self.heads.dim;
        let (width, stride) = self.widths();
        let tokens = dout.len() / width;
        let scale = self.heads.scale;
        let base = blocks.first().map_or(0, |block| block.first - self.chains.first);
        let own = dq.len() / width;
        let mut path = Path::default();
        let mut pending = PendingGrads::default();
        let mut shares = Vec::new();
        let mut dshares = Vec::new();
        let dout = MatRef::from_row_major_slice(dout, tokens, width);
        let q = MatRef::from_row_major_slice(self.q, tokens, width);
        for block in blocks {
            let chain = &self.chains.all[block.chain];
            path.go(chain, block.first + block.rows, (self.k, self.v), stride, &mut pending);
            let rows = path.tokens.len();
            path.dk.resize(rows * stride, 0.0);
            path.dv.resize(rows * stride, 0.0);
            for part in self.parts(block) {
                let seen = |rows_of| {
                    let all: MatRef<'_, f32> = MatRef::from_row_major_slice(rows_of, rows, stride);
                    all.submatrix(0, part.k_at, part.seen, dim)
                };
                self.shares(&part, seen(&path.k), &mut shares);
                let q = q.submatrix(part.first, part.q_at, part.rows, dim);
                let dout = dout.submatrix(part.first, part.q_at, part.rows, dim);
                dshares.resize(part.rows * part.seen, 0.0);
                let into = MatMut::from_row_major_slice_mut(&mut dshares, part.rows, part.seen);
                matmul(into, Accum::Replace, dout, seen(&path.v).transpose(), 1.0, Par::Seq);
                let sum = |rows_of| {
                    let all: MatMut<'_, f32> =
                        MatMut::from_row_major_slice_mut(rows_of, rows, stride);
                    all.submatrix_mut(0, part.k_at, part.seen, dim)
                };
                let taken = MatRef::from_row_major_slice(&shares, part.rows, part.seen);
                matmul(sum(&mut path.dv), Accum::Add, taken.transpose(), dout, 1.0, Par::Seq);
                softmax_back(&mut dshares, &shares, part.seen);
                let dscores = MatRef::from_row_major_slice(&dshares, part.rows, part.seen);
                let into = MatMut::from_row_major_slice_mut(dq, own, width);
                let into = into.submatrix_mut(part.first - base, part.q_at, part.rows, dim);
                matmul(into, Accum::Replace, dscores, seen(&path.k), scale, Par::Seq);
                matmul(sum(&mut path.dk), Accum::Add, dscores.transpose(), q, scale, Par::Seq);
            }
        }
        path.leave(0, stride, &mut pending);
        pending
    }
}

kernel! {
/// Turns scores, `seen` a row, into shares; the first row sees up to `least` of them, each further
/// row one more, and of those the last `window`.
fn softmax_seen<'a>(scores: &'a mut [f32], seen: usize, least: usize, window: usize) -> () {
    for (r, row) in scores.chunks_exact_mut(seen).enumerate() {
        let (row, hidden) = row.split_at_mut(least + r);
        let (far, row) = row.split_at_mut((least + r).saturating_sub(window));
        softmax(row);
        far.fill(0.0);
        hidden.fill(0.0);
    }
}
}

kernel! {
/// Turns gradients of shares into those of scores: `dz = p · (dp − Σ p · dp)`, row by row.
fn softmax_back<'a>(dshares: &'a mut [f32], shares: &'a [f32], seen: usize) -> () {
    for (drow, row) in dshares.chunks_exact_mut(seen).zip(shares.chunks_exact(seen)) {
        let mean = dot(drow, row);
        drow.iter_mut().zip(row).for_each(|(d, share)| *d = share * (*d - mean));
    }
}
}

#[cfg(test)]
#[path = "attention_tests.rs"]
mod tests;
