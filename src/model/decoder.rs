//! The decoder at inference: one forward pass over new nodes of a [`Cache`].
//!
//! Runs on the threads of the pool that it is called in. What a node comes to does not depend on
//! which nodes are computed with it: in f32 to the bit; with codes beyond rounding, or where text
//! is written with inputs of 16 bits, beyond that ([`Precision`]). In bf16 inputs are rounded where
//! many nodes are computed together on a matrix unit, and not where they are few: there company
//! shows, by as much as the rounding itself.

use rayon::prelude::*;

use super::attend::{Grown, attend};
use super::cache::{Above, Cache};
use super::config::Config;
use super::kernels::{rms_norm, rope, swiglu};
use super::matrix::Matrix;
use super::packed::{Packed, Precision, products};
use super::step::Products;
use crate::control::Cancel;
use crate::error::{Error, Result};

/// Rows from which on row-wise work is worth dealing out.
const MANY: usize = 32;

/// New nodes of one cache: `parents[i]` is the own node of the cache that token `i` continues, or
/// none for the place that the cache stands below.
pub struct Growth<'a> {
    /// The cache.
    pub cache: &'a mut Cache,
    /// Its new nodes' tokens.
    pub tokens: &'a [u32],
    /// What each of them continues.
    pub parents: &'a [Option<usize>],
}

#[derive(Debug)]
struct Layer {
    input_norm: Vec<f32>,
    q: Packed,
    k: Packed,
    v: Packed,
    o: Packed,
    post_norm: Vec<f32>,
    gate: Packed,
    up: Packed,
    down: Packed,
}

/// A Llama-family decoder on the CPU.
#[derive(Debug)]
pub struct Decoder {
    /// Its shape.
    pub config: Config,
    embed: Packed,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    /// None where the head is the embedding.
    head: Option<Packed>,
}

impl Decoder {
    /// A decoder over weights in the order of [`Config::tensors`], those of its products rounded if
    /// they are to be in bf16. Each is laid out before the next is asked for.
    pub fn new(
        config: Config,
        weights: impl IntoIterator<Item = Result<Matrix>>,
        products: Products,
    ) -> Result<Self> {
        let shapes = config.tensors();
        let mut shapes = shapes.iter();
        let mut weights = weights.into_iter();
        let mut next = || {
            let (name, shape) = shapes.next().ok_or_else(|| Error::new("a tensor too many"))?;
            let missing = || Error::new(format!("tensor `{name}` is missing"));
            let matrix = weights.next().ok_or_else(missing)??;
            let (rows, width) = if shape.len() == 1 { (1, shape[0]) } else { (shape[0], shape[1]) };
            if (matrix.rows(), matrix.width()) != (rows, width) {
                let found = [matrix.rows(), matrix.width()];
                return Err(Error::new(format!(
                    "tensor `{name}` has shape {found:?}, config.json needs {shape:?}"
                )));
            }
            Ok(matrix)
        };
        let pack = |matrix| Packed::new(matrix, products);
        let gain = |matrix: Matrix| {
            let mut numbers = Vec::new();
            matrix.numbers(0..1, &mut numbers);
            numbers
        };
        let embed = pack(next()?);
        let mut layers = Vec::with_capacity(config.layers);
        for _ in 0..config.layers {
            layers.push(Layer {
                input_norm: gain(next()?),
                q: pack(next()?),
                k: pack(next()?),
                v: pack(next()?),
                o: pack(next()?),
                post_norm: gain(next()?),
                gate: pack(next()?),
                up: pack(next()?),
                down: pack(next()?),
            });
        }
        let norm = gain(next()?);
        let head = if config.tied { None } else { Some(pack(next()?)) };
        Ok(Self { config, embed, layers, norm, head })
    }

    /// Bytes of its weights.
    pub fn bytes(&self) -> usize {
        let layer = |l: &Layer| {
            [&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down]
                .map(Packed::bytes)
                .iter()
                .sum::<usize>()
        };
        let ends = self.embed.bytes() + self.head.as_ref().map_or(0, Packed::bytes);
        ends + self.layers.iter().map(layer).sum::<usize>()
    }

    /// Logits of hidden states: `[n, hidden]` to `[n, vocab]`.
    pub fn logits(&self, hidden: &[f32], precision: Precision) -> Vec<f32> {
        self.head.as_ref().unwrap_or(&self.embed).times(hidden, precision)
    }

    /// Computes new nodes of a cache: [`Self::extend_all`] of one.
    pub fn extend(
        &self,
        cache: &mut Cache,
        tokens: &[u32],
        parents: &[Option<usize>],
        precision: Precision,
        cancel: &Cancel,
    ) -> Result<Vec<f32>> {
        self.extend_all(&mut [Growth { cache, tokens, parents }], precision, cancel)
    }

    /// Computes new nodes of some caches in one pass, so that the weights are read once for all of
    /// them. Returns the hidden states after the last norm, those of the first cache's nodes first:
    /// `[tokens, hidden]`.
    pub fn extend_all(
        &self,
        growths: &mut [Growth<'_>],
        precision: Precision,
        cancel: &Cancel,
    ) -> Result<Vec<f32>> {
        let mut positions: Vec<u32> = Vec::new();
        let mut x = Vec::new();
        for growth in growths.iter_mut() {
            let past = growth.cache.len();
            if let Some(token) =
                growth.tokens.iter().find(|token| **token as usize >= self.config.vocab)
            {
                let vocab = self.config.vocab;
                return Err(Error::new(format!(
                    "token {token} is outside the model's vocabulary of {vocab}"
                ))
                .hint("the tokenizer does not belong to this model"));
            }
            if !growth.cache.add(growth.tokens, growth.parents) {
                return Err(Error::new("a token before its parent"));
            }
            positions
                .extend((past..growth.cache.len()).map(|node| growth.cache.position(node) as u32));
            for token in growth.tokens {
                self.embed.row(*token as usize, &mut x);
            }
        }
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        if positions.iter().any(|position| *position as usize >= self.config.context) {
            return Err(Error::new(format!(
                "the context of {} tokens is full",
                self.config.context
            ))
            .hint("shorten the history, or use a model with a longer context"));
        }
        let angles = self.config.angles(&positions);
        let above: Vec<Vec<Above>> = growths.iter().map(|growth| growth.cache.above()).collect();
        for (i, layer) in self.layers.iter().enumerate() {
            cancel.check()?;
            self.mix((i, layer), (growths, &above), &angles, precision, &mut x);
            cancel.check()?;
            self.transform(layer, precision, &mut x);
        }
        Ok(self.normed(&x, &self.norm))
    }

    fn normed(&self, x: &[f32], gain: &[f32]) -> Vec<f32> {
        let h = self.config.hidden;
        let eps = self.config.norm_eps as f32;
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
        (growths, above): (&mut [Growth<'_>], &[Vec<Above>]),
        angles: &[(f32, f32)],
        precision: Precision,
        x: &mut [f32],
    ) {
        let h = self.config.hidden;
        let dim = self.config.head_dim();
        let kv = self.config.kv_heads * dim;
        let [mut q, mut k, v] =
            products([&layer.q, &layer.k, &layer.v], &self.normed(x, &layer.input_norm), precision);
        let part = part(x.len() / h);
        let turned = (
            q.par_chunks_mut(part * h),
            k.par_chunks_mut(part * kv),
            angles.par_chunks(part * dim / 2),
        );
        turned.into_par_iter().for_each(|(q, k, angles)| {
            rope(q, h, dim, angles, false);
            rope(k, kv, dim, angles, false);
        });
        let mut first = 0;
        for growth in growths.iter_mut() {
            let rows = first * kv..(first + growth.tokens.len()) * kv;
            growth.cache.append(i, [&k[rows.clone()], &v[rows]], self.config.kv_heads, dim);
            first += growth.tokens.len();
        }
        let mut first = 0;
        let mut grown = Vec::with_capacity(growths.len());
        for (growth, above) in growths.iter().zip(above) {
            let past = growth.cache.len() - growth.tokens.len();
            grown.push(Grown { cache: &*growth.cache, above, past, first });
            first += growth.tokens.len();
        }
        add(x, &layer.o.times(&attend(&self.config, i, &grown, &q), precision));
    }

    /// The half that looks at each token alone.
    fn transform(&self, layer: &Layer, precision: Precision, x: &mut [f32]) {
        let [mut gate, up] =
            products([&layer.gate, &layer.up], &self.normed(x, &layer.post_norm), precision);
        let wide = part(x.len() / self.config.hidden) * self.config.intermediate;
        gate.par_chunks_mut(wide).zip(up.par_chunks(wide)).for_each(|(gate, up)| swiglu(gate, up));
        add(x, &layer.down.times(&gate, precision));
    }
}

/// Rows of a task of row-wise work.
fn part(rows: usize) -> usize {
    if rows < MANY { rows.max(1) } else { rows.div_ceil(rayon::current_num_threads()) }
}

fn add(x: &mut [f32], more: &[f32]) {
    x.iter_mut().zip(more).for_each(|(x, more)| *x += more);
}
