//! The decoder by the kernels here: its weights laid out for them, one pass over new nodes of caches.

use rayon::prelude::*;

use super::{Growth, checked};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::model::attend::{Grown, attend};
use crate::model::cache::Above;
use crate::model::config::{Attends, Config, Slot};
use crate::model::kernels::{add_to_rows, geglu, rms_norm, rope, scale, swiglu};
use crate::model::matrix::Matrix;
use crate::model::packed::{Packed, Precision, products};
use crate::model::step::Products;
/// Rows from which on row-wise work is worth dealing out.
const MANY: usize = 32;

/// A layer's weights; a vector that is empty is not there.
#[derive(Debug)]
struct Layer {
    attends: Attends,
    input_norm: Vec<f32>,
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    q_norm: Vec<f32>,
    k_norm: Vec<f32>,
    mixed_norm: Vec<f32>,
    post_norm: Vec<f32>,
    gate: Linear,
    up: Linear,
    down: Linear,
    gated_norm: Vec<f32>,
}

/// A tensor as it is kept: a matrix laid out for products, a vector as it is.
enum Tensor {
    Matrix(Packed),
    Vector(Vec<f32>),
}

impl Layer {
    /// From the tensors of its slots; what a family does not have is not among them.
    fn of(attends: Attends, mut found: Vec<(Slot, Option<Tensor>)>) -> Result<Self> {
        let mut take = |slot: Slot| {
            found.iter_mut().find(|(kind, _)| *kind == slot).and_then(|(_, tensor)| tensor.take())
        };
        let mut vector = |slot| match take(slot) {
            Some(Tensor::Vector(numbers)) => numbers,
            _ => Vec::new(),
        };
        let [input_norm, post_norm, q_norm, k_norm, mixed_norm, gated_norm] = [
            Slot::InputNorm,
            Slot::PostNorm,
            Slot::QNorm,
            Slot::KNorm,
            Slot::MixedNorm,
            Slot::GatedNorm,
        ]
        .map(&mut vector);
        let mut biases = [
            Slot::QBias,
            Slot::KBias,
            Slot::VBias,
            Slot::OBias,
            Slot::GateBias,
            Slot::UpBias,
            Slot::DownBias,
        ]
        .map(&mut vector)
        .into_iter();
        let mut linear = |slot| match take(slot) {
            Some(Tensor::Matrix(weight)) => {
                Ok(Linear { weight, bias: biases.next().unwrap_or_default() })
            }
            _ => Err(Error::new(format!("a layer without {slot:?}"))),
        };
        Ok(Self {
            attends,
            input_norm,
            q: linear(Slot::Q)?,
            k: linear(Slot::K)?,
            v: linear(Slot::V)?,
            o: linear(Slot::O)?,
            q_norm,
            k_norm,
            mixed_norm,
            post_norm,
            gate: linear(Slot::Gate)?,
            up: linear(Slot::Up)?,
            down: linear(Slot::Down)?,
            gated_norm,
        })
    }
}

/// A weight and what is added to what it gives.
#[derive(Debug)]
struct Linear {
    weight: Packed,
    bias: Vec<f32>,
}

impl Linear {
    fn times(&self, x: &[f32], precision: Precision) -> Vec<f32> {
        let mut y = self.weight.times(x, precision);
        add_to_rows(&mut y, &self.bias);
        y
    }
}

/// Some linear layers of the same input.
fn all<const N: usize>(layers: [&Linear; N], x: &[f32], precision: Precision) -> [Vec<f32>; N] {
    let mut given = products(layers.map(|layer| &layer.weight), x, precision);
    given.iter_mut().zip(layers).for_each(|(y, layer)| add_to_rows(y, &layer.bias));
    given
}

/// Its weights, laid out for the kernels here.
#[derive(Debug)]
pub(super) struct Here {
    config: Config,
    embed: Packed,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    /// None where the head is the embedding.
    head: Option<Packed>,
}

impl Here {
    /// Over weights in the order of [`Config::tensors`].
    pub fn new(
        config: Config,
        weights: impl IntoIterator<Item = Result<Matrix>>,
        products: Products,
    ) -> Result<Self> {
        let shapes = config.tensors();
        let mut weights = checked(&shapes, weights.into_iter());
        let mut next = || weights.next().ok_or_else(|| Error::new("a tensor too many"))?;
        let pack = |matrix| Packed::new(matrix, products);
        let gain = |matrix: Matrix| {
            let mut numbers = Vec::new();
            matrix.numbers(0..1, &mut numbers);
            numbers
        };
        let embed = pack(next()?);
        let slots = config.slots();
        let mut layers = Vec::with_capacity(config.layers);
        for attends in &config.attends {
            let mut matrices: Vec<(Slot, Option<Tensor>)> = Vec::with_capacity(slots.len());
            for (slot, _, shape) in &slots {
                let matrix = next()?;
                let tensor = if shape.len() == 1 {
                    Tensor::Vector(gain(matrix))
                } else {
                    Tensor::Matrix(pack(matrix))
                };
                matrices.push((*slot, Some(tensor)));
            }
            layers.push(Layer::of(*attends, matrices)?);
        }
        let norm = gain(next()?);
        let head = if config.tied { None } else { Some(pack(next()?)) };
        Ok(Self { config, embed, layers, norm, head })
    }

    /// Bytes of its weights.
    pub fn bytes(&self) -> usize {
        let layer = |l: &Layer| {
            [&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down]
                .map(|linear| linear.weight.bytes())
                .iter()
                .sum::<usize>()
        };
        let ends = self.embed.bytes() + self.head.as_ref().map_or(0, Packed::bytes);
        ends + self.layers.iter().map(layer).sum::<usize>()
    }

    /// Logits of hidden states: `[n, hidden]` to `[n, vocab]`.
    pub fn logits(&self, hidden: &[f32], precision: Precision) -> Vec<f32> {
        let mut logits = self.head.as_ref().unwrap_or(&self.embed).times(hidden, precision);
        scale(&mut logits, self.config.scales.logits);
        logits
    }

    /// Computes new nodes of some caches, which know them already.
    pub fn extend(
        &self,
        growths: &mut [Growth<'_>],
        positions: &[u32],
        precision: Precision,
        cancel: &Cancel,
    ) -> Result<Vec<f32>> {
        let mut x = Vec::new();
        for token in growths.iter().flat_map(|growth| growth.tokens) {
            self.embed.row(*token as usize, &mut x);
        }
        scale(&mut x, self.config.scales.embedding);
        let angles = self.config.angles(positions);
        let above: Vec<Vec<Above>> = growths.iter().map(|growth| growth.cache.above()).collect();
        for (i, layer) in self.layers.iter().enumerate() {
            cancel.check()?;
            self.mix((i, layer), (growths, &above), &angles, precision, &mut x);
            cancel.check()?;
            self.transform(layer, precision, &mut x);
        }
        Ok(self.normed(&x, &self.norm))
    }

    /// Rows as wide as `gain`, normed.
    fn normed(&self, x: &[f32], gain: &[f32]) -> Vec<f32> {
        let width = gain.len();
        let eps = self.config.norm_eps as f32;
        let mut out = vec![0.0; x.len()];
        let part = part(x.len() / width) * width;
        let parts = out.par_chunks_mut(part).zip(x.par_chunks(part));
        parts.for_each(|(out, x)| _ = rms_norm(out, x, gain, eps));
        out
    }

    /// Adds to the stream what half a layer gave, normed where the family does that.
    fn join(&self, x: &mut [f32], mut more: Vec<f32>, norm: &[f32]) {
        if !norm.is_empty() {
            more = self.normed(&more, norm);
        }
        scale(&mut more, self.config.scales.residual);
        x.iter_mut().zip(&more).for_each(|(x, more)| *x += more);
    }

    /// Queries, keys and values of a layer, the first two turned by position: rows of
    /// [`Config::queries`] and [`Config::keys`].
    fn project(
        &self,
        layer: &Layer,
        angles: &[Vec<(f32, f32)>],
        precision: Precision,
        x: &[f32],
    ) -> [Vec<f32>; 3] {
        let (wide, kv, dim) = (self.config.queries(), self.config.keys(), self.config.head_dim);
        let [mut q, mut k, v] =
            all([&layer.q, &layer.k, &layer.v], &self.normed(x, &layer.input_norm), precision);
        if !layer.q_norm.is_empty() {
            q = self.normed(&q, &layer.q_norm);
            k = self.normed(&k, &layer.k_norm);
        }
        if let Some(rope_of) = layer.attends.rope {
            let part = part(q.len() / wide);
            let turned = (
                q.par_chunks_mut(part * wide),
                k.par_chunks_mut(part * kv),
                angles[rope_of].par_chunks(part * dim / 2),
            );
            turned.into_par_iter().for_each(|(q, k, angles)| {
                rope(q, wide, dim, angles, false);
                rope(k, kv, dim, angles, false);
            });
        }
        [q, k, v]
    }

    /// The attention half of a layer.
    fn mix(
        &self,
        (i, layer): (usize, &Layer),
        (growths, above): (&mut [Growth<'_>], &[Vec<Above>]),
        angles: &[Vec<(f32, f32)>],
        precision: Precision,
        x: &mut [f32],
    ) {
        let kv = self.config.keys();
        let [q, k, v] = self.project(layer, angles, precision, x);
        let mut first = 0;
        for growth in growths.iter_mut() {
            let rows = first * kv..(first + growth.tokens.len()) * kv;
            let heads = self.config.kv_heads;
            growth.cache.append(i, [&k[rows.clone()], &v[rows]], heads, self.config.head_dim);
            first += growth.tokens.len();
        }
        let mut first = 0;
        let mut grown = Vec::with_capacity(growths.len());
        for (growth, above) in growths.iter().zip(above) {
            let past = growth.cache.len() - growth.tokens.len();
            grown.push(Grown { cache: &*growth.cache, above, past, first });
            first += growth.tokens.len();
        }
        let mixed = layer.o.times(&attend(&self.config, i, &grown, &q), precision);
        self.join(x, mixed, &layer.mixed_norm);
    }

    /// The half that looks at each token alone.
    fn transform(&self, layer: &Layer, precision: Precision, x: &mut [f32]) {
        let [mut gate, up] =
            all([&layer.gate, &layer.up], &self.normed(x, &layer.post_norm), precision);
        let wide = part(x.len() / self.config.hidden) * self.config.intermediate;
        let through = if self.config.is_gemma() { geglu } else { swiglu };
        gate.par_chunks_mut(wide).zip(up.par_chunks(wide)).for_each(|(gate, up)| through(gate, up));
        self.join(x, layer.down.times(&gate, precision), &layer.gated_norm);
    }
}

/// Rows of a task of row-wise work.
fn part(rows: usize) -> usize {
    if rows < MANY { rows.max(1) } else { rows.div_ceil(rayon::current_num_threads()) }
}
