//! The decoder at inference: one forward pass over new nodes of a [`Cache`].
//!
//! Runs on the threads of the pool that it is called in. What a node comes to does not depend on which nodes are computed
//! with it, beyond rounding.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::cache::{Above, Cache};
use super::config::Config;
use super::kernels::{rms_norm, rope, softmax_rows, swiglu};
use super::matrix::{Care, Matrix, products};
use crate::control::Cancel;
use crate::error::{Error, Result};

/// Rows of queries that attention works on together.
const BLOCK: usize = 64;

/// Rows from which on row-wise work is worth dealing out.
const MANY: usize = 32;

#[derive(Debug)]
struct Layer {
    input_norm: Vec<f32>,
    q: Matrix,
    k: Matrix,
    v: Matrix,
    o: Matrix,
    post_norm: Vec<f32>,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
}

/// A Llama-family decoder on the CPU.
#[derive(Debug)]
pub struct Decoder {
    /// Its shape.
    pub config: Config,
    embed: Matrix,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    /// None where the head is the embedding.
    head: Option<Matrix>,
}

impl Decoder {
    /// A decoder over weights in the order of [`Config::tensors`].
    pub fn new(config: Config, weights: Vec<Matrix>) -> Result<Self> {
        let shapes = config.tensors();
        if weights.len() != shapes.len() {
            return Err(Error::new(format!("{} tensors, config.json needs {}", weights.len(), shapes.len())));
        }
        for ((name, shape), matrix) in shapes.iter().zip(&weights) {
            let (rows, width) = if shape.len() == 1 { (1, shape[0]) } else { (shape[0], shape[1]) };
            if (matrix.rows(), matrix.width()) != (rows, width) {
                let found = [matrix.rows(), matrix.width()];
                return Err(Error::new(format!("tensor `{name}` has shape {found:?}, config.json needs {shape:?}")));
            }
        }
        let mut weights = weights.into_iter();
        let mut next = || weights.next().ok_or_else(|| Error::new("a tensor is missing"));
        let gain = |matrix: Matrix| {
            let mut numbers = Vec::new();
            matrix.numbers(0..1, &mut numbers);
            numbers
        };
        let embed = next()?;
        let mut layers = Vec::with_capacity(config.layers);
        for _ in 0..config.layers {
            layers.push(Layer {
                input_norm: gain(next()?),
                q: next()?,
                k: next()?,
                v: next()?,
                o: next()?,
                post_norm: gain(next()?),
                gate: next()?,
                up: next()?,
                down: next()?,
            });
        }
        let norm = gain(next()?);
        let head = if config.tied { None } else { Some(next()?) };
        Ok(Self { config, embed, layers, norm, head })
    }

    /// Bytes of its weights.
    pub fn bytes(&self) -> usize {
        let layer = |l: &Layer| [&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down].map(Matrix::bytes).iter().sum::<usize>();
        let ends = self.embed.bytes() + self.head.as_ref().map_or(0, Matrix::bytes);
        ends + self.layers.iter().map(layer).sum::<usize>()
    }

    /// Logits of hidden states: `[n, hidden]` to `[n, vocab]`.
    pub fn logits(&self, hidden: &[f32], care: Care) -> Vec<f32> {
        self.head.as_ref().unwrap_or(&self.embed).times(hidden, care)
    }

    /// Computes new nodes of a cache: `parents[i]` is the own node of the cache that token `i` continues, or none for the
    /// place that the cache stands below. Returns the hidden states after the last norm, `[tokens, hidden]`.
    pub fn extend(
        &self,
        cache: &mut Cache,
        tokens: &[u32],
        parents: &[Option<usize>],
        care: Care,
        cancel: &Cancel,
    ) -> Result<Vec<f32>> {
        if let Some(token) = tokens.iter().find(|token| **token as usize >= self.config.vocab) {
            return Err(Error::new(format!("token {token} is outside the model's vocabulary of {}", self.config.vocab))
                .hint("the tokenizer does not belong to this model"));
        }
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        let past = cache.len();
        if !cache.add(tokens, parents) {
            return Err(Error::new("a token before its parent"));
        }
        let positions: Vec<u32> = (past..cache.len()).map(|node| cache.position(node) as u32).collect();
        if positions.iter().any(|position| *position as usize >= self.config.context) {
            return Err(Error::new(format!("the context of {} tokens is full", self.config.context))
                .hint("shorten the history, or use a model with a longer context"));
        }
        let angles = self.config.angles(&positions);
        let mut x = Vec::with_capacity(tokens.len() * self.config.hidden);
        for token in tokens {
            self.embed.numbers(*token as usize..*token as usize + 1, &mut x);
        }
        let above = cache.above();
        for (i, layer) in self.layers.iter().enumerate() {
            cancel.check()?;
            self.mix((i, layer), (cache, &above, past), &angles, care, &mut x);
            cancel.check()?;
            self.transform(layer, care, &mut x);
        }
        Ok(self.normed(&x, &self.norm))
    }

    fn normed(&self, x: &[f32], gain: &[f32]) -> Vec<f32> {
        let (h, eps) = (self.config.hidden, self.config.norm_eps as f32);
        let mut out = vec![0.0; x.len()];
        let part = part(x.len() / h) * h;
        let parts = out.par_chunks_mut(part).zip(x.par_chunks(part));
        parts.for_each(|(out, x)| _ = rms_norm(out, x, gain, eps));
        out
    }

    /// The attention half of a layer.
    fn mix(
        &self,
        (i, layer): (usize, &Layer),
        (cache, above, past): (&mut Cache, &[Above], usize),
        angles: &[(f32, f32)],
        care: Care,
        x: &mut [f32],
    ) {
        let (h, dim) = (self.config.hidden, self.config.head_dim());
        let kv = self.config.kv_heads * dim;
        let [mut q, mut k, v] = products([&layer.q, &layer.k, &layer.v], &self.normed(x, &layer.input_norm), care);
        let part = part(x.len() / h);
        let turned = (q.par_chunks_mut(part * h), k.par_chunks_mut(part * kv), angles.par_chunks(part * dim / 2));
        turned.into_par_iter().for_each(|(q, k, angles)| {
            rope(q, h, dim, angles, false);
            rope(k, kv, dim, angles, false);
        });
        for head in 0..self.config.kv_heads {
            let at = i * self.config.kv_heads + head;
            let columns = head * dim..(head + 1) * dim;
            for (rows, new) in [(&mut cache.rows.keys[at], &k), (&mut cache.rows.values[at], &v)] {
                new.chunks_exact(kv).for_each(|row| rows.extend_from_slice(&row[columns.clone()]));
            }
        }
        add(x, &layer.o.times(&self.attend(i, (cache, above, past), &q), care));
    }

    /// The half that looks at each token alone.
    fn transform(&self, layer: &Layer, care: Care, x: &mut [f32]) {
        let [mut gate, up] = products([&layer.gate, &layer.up], &self.normed(x, &layer.post_norm), care);
        let wide = part(x.len() / self.config.hidden) * self.config.intermediate;
        gate.par_chunks_mut(wide).zip(up.par_chunks(wide)).for_each(|(gate, up)| swiglu(gate, up));
        add(x, &layer.down.times(&gate, care));
    }

    /// What each new node takes from the nodes that it sees, `[tokens, hidden]`.
    fn attend(&self, layer: usize, (cache, above, past): (&Cache, &[Above], usize), q: &[f32]) -> Vec<f32> {
        let (h, dim, heads) = (self.config.hidden, self.config.head_dim(), self.config.heads);
        let tokens = q.len() / h;
        let width: usize = above.iter().map(|(_, used)| used).sum::<usize>() + cache.len();
        let group = heads / self.config.kv_heads;
        let blocks: Vec<(usize, Range<usize>)> = (0..heads)
            .flat_map(|head| (0..tokens).step_by(BLOCK).map(move |at| (head, at..(at + BLOCK).min(tokens))))
            .collect();
        let queries = MatRef::from_row_major_slice(q, tokens, h);
        let one = |(head, rows): &(usize, Range<usize>)| -> Vec<f32> {
            let at = layer * self.config.kv_heads + head / group;
            let q = queries.submatrix(rows.start, head * dim, rows.len(), dim);
            // Segments above are seen whole; of the own nodes those up to the block's last one can be.
            let own = past + rows.end;
            let mut parts: Vec<(&[f32], &[f32], usize)> =
                above.iter().map(|(segment, used)| (&*segment.rows.keys[at], &*segment.rows.values[at], *used)).collect();
            parts.push((&cache.rows.keys[at], &cache.rows.values[at], own));
            let columns: usize = parts.iter().map(|(_, _, used)| used).sum();
            let mut shares = vec![0.0; rows.len() * columns];
            let mut first = 0;
            for (keys, _, used) in &parts {
                let keys = MatRef::from_row_major_slice(&keys[..used * dim], *used, dim);
                let into = MatMut::from_row_major_slice_mut(&mut shares, rows.len(), columns);
                let into = into.submatrix_mut(0, first, rows.len(), *used);
                matmul(into, Accum::Replace, q, keys.transpose(), 1.0 / (dim as f32).sqrt(), Par::Seq);
                first += used;
            }
            for (row, node) in shares.chunks_exact_mut(columns).zip(past + rows.start..) {
                let (mut hidden, own) = (0, &mut row[columns - own..]);
                for seen in cache.seen(node) {
                    own[hidden..seen.start].fill(f32::NEG_INFINITY);
                    hidden = seen.end;
                }
                own[hidden..].fill(f32::NEG_INFINITY);
            }
            softmax_rows(&mut shares, columns);
            let mut out = vec![0.0; rows.len() * dim];
            let (shares, mut first) = (MatRef::from_row_major_slice(&shares, rows.len(), columns), 0);
            for (_, values, used) in &parts {
                let values = MatRef::from_row_major_slice(&values[..used * dim], *used, dim);
                let shares = shares.submatrix(0, first, rows.len(), *used);
                let into = MatMut::from_row_major_slice_mut(&mut out, rows.len(), dim);
                matmul(into, Accum::Add, shares, values, 1.0, Par::Seq);
                first += used;
            }
            out
        };
        let worth = tokens * width * h > 100_000;
        let done: Vec<Vec<f32>> =
            if worth { blocks.par_iter().map(one).collect() } else { blocks.iter().map(one).collect() };
        let mut mixed = vec![0.0; q.len()];
        for ((head, rows), block) in blocks.into_iter().zip(done) {
            for (row, from) in rows.zip(block.chunks_exact(dim)) {
                mixed[row * h + head * dim..][..dim].copy_from_slice(from);
            }
        }
        mixed
    }
}

/// Rows of a task of row-wise work.
fn part(rows: usize) -> usize {
    if rows < MANY { rows.max(1) } else { rows.div_ceil(rayon::current_num_threads()) }
}

fn add(x: &mut [f32], more: &[f32]) {
    x.iter_mut().zip(more).for_each(|(x, more)| *x += more);
}
