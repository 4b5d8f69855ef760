//! One training step by hand: loss and gradients of a token tree.
//!
//! candle's autograd materialises every intermediate result and its gradient; this keeps what the
//! backward pass needs and recomputes the rest. `tests/model` holds it against candle's
//! gradients.
//!
//! Work is dealt out to the threads of the pool that [`step`] is called in: rows of tokens to one
//! task each, the gradient of a weight by its rows. How it is cut depends on the tree alone and
//! every sum has a fixed order, so a step has the same bits on any number of threads.

mod back;
mod head;
mod linear;
mod pass;

use std::ops::Range;

use rayon::prelude::*;

use super::config::{Config, Layout, Slot};
use super::device::Device;
use super::kernels::{Attention, Chains, Heads, add_to_rows, rms_norm, rope, scale, swiglu};
use super::lora::Adapter;
use super::params::Buffers;
use super::parts::Parts;
use super::team::yield_to_interactive;
use super::workspace::{Scratch, Workspace};
pub(super) use head::LOGITS;
pub use linear::Products;
use linear::{Acting, Linear, Operand, Way};
use pass::Shared;
pub(super) use pass::check;
pub use pass::step;

/// The weights of a layer as they act; `h` is the model's width, `wide` that of a row of queries,
/// `kv` that of a row of keys, `inner` that of the gate.
struct LayerWeights<'a> {
    /// `[h]`.
    input_norm: &'a [f32],
    /// `[wide, h]`.
    q: Linear<'a>,
    /// `[kv, h]`.
    k: Linear<'a>,
    /// `[kv, h]`.
    v: Linear<'a>,
    /// `[h, wide]`.
    o: Linear<'a>,
    /// `[h]`.
    post_norm: &'a [f32],
    /// `[inner, h]`.
    gate: Linear<'a>,
    /// `[inner, h]`.
    up: Linear<'a>,
    /// `[h, inner]`.
    down: Linear<'a>,
}

/// What the backward pass of a layer needs: rows of tokens, `T` of them.
struct Saved<'a> {
    attended: Attended<'a>,
    gated: Gated<'a>,
}

/// Of the attention half.
struct Attended<'a> {
    /// What came in, `[T, h]`.
    input: Scratch<'a>,
    /// The reciprocal of its rms, `[T]`.
    scales: Scratch<'a>,
    /// Queries, turned by their positions, `[T, wide]`.
    q: Scratch<'a>,
    /// Keys, turned as well, those of the tokens above first, `[P + T, kv]`.
    k: Scratch<'a>,
    /// Values, `[P + T, kv]`.
    v: Scratch<'a>,
    /// Queries and keys before each head was normed, where it is.
    heads: Option<HeadNorms<'a>>,
}

/// What went into the norms of heads.
struct HeadNorms<'a> {
    /// Queries, `[T, wide]`.
    q: Scratch<'a>,
    /// Keys, `[T, kv]`.
    k: Scratch<'a>,
    /// The reciprocals of their rms, `[T, heads]`.
    q_scales: Scratch<'a>,
    /// `[T, kv_heads]`.
    k_scales: Scratch<'a>,
}

/// Of the half that looks at each token alone.
struct Gated<'a> {
    /// What attention took, as it goes into `o`, `[T, wide]`.
    mixed: Scratch<'a>,
    /// What comes in, `[T, h]`.
    middle: Scratch<'a>,
    /// The reciprocal of its rms, `[T]`.
    scales: Scratch<'a>,
    /// The same normed, `[T, h]`.
    normed: Scratch<'a>,
    /// `[T, inner]`, before it is shut or open.
    gate: Scratch<'a>,
    /// `[T, inner]`.
    up: Scratch<'a>,
}

/// What a tree's targets cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loss {
    /// Sum over targets of weight times nats.
    pub total: f64,
    /// Negative log-likelihood of each target in nats (never below 0), by its index in the tree as
    /// it is computed.
    pub nll: Vec<(usize, f32)>,
}

/// A network: its weights, and the adapter beside them if that is what is trained.
#[derive(Debug, Clone, Copy)]
pub struct Net<'a> {
    /// The shape.
    pub config: &'a Config,
    /// The weights, frozen when there is an adapter.
    pub weights: &'a Buffers,
    /// The adapter.
    pub adapter: Option<&'a Adapter>,
    /// Keep only the input of each layer and compute the rest again on the way back: about a third
    /// more work for a fraction of the memory (activation checkpointing).
    pub recompute: bool,
    /// What the operands of products with weights are.
    pub products: Products,
    /// Buffers to work with.
    pub workspace: &'a Workspace,
    /// Where batches are computed in place of here.
    pub device: Option<&'a Device>,
}

impl Net<'_> {
    /// Name and shape of every tensor that is trained.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.adapter.map_or_else(|| self.config.tensors(), |adapter| adapter.shapes().to_vec())
    }
}

/// The computation over one part of a tree.
struct Step<'a> {
    config: &'a Config,
    /// Where tensors stand.
    layout: Layout,
    weights: &'a Buffers,
    adapter: Option<&'a Adapter>,
    products: Products,
    workspace: &'a Workspace,
    chains: Chains,
    /// Its tokens, `T` of them.
    own: Range<usize>,
    /// Shared tokens above, `P` of them, whose keys and values stand before its own.
    above: usize,
    /// Rows of tokens a task works on.
    part: usize,
    /// Of each rotary embedding, `[T, dim / 2]`.
    angles: Vec<Vec<(f32, f32)>>,
}

impl<'a> Step<'a> {
    fn new(net: Net<'a>, parts: &Parts, own: Range<usize>) -> Self {
        let Net { config, weights, adapter, products, workspace, .. } = net;
        let angles = config.angles(&parts.tree.positions()[own.clone()]);
        let part = own.len().div_ceil(4).clamp(64, 512);
        let (above, _, parents) = parts.below_shared(&own);
        Self {
            config,
            layout: Layout::of(config),
            weights,
            adapter,
            products,
            workspace,
            chains: Chains::new(&parents, above),
            own,
            above,
            part,
            angles,
        }
    }

    /// Width of a row of keys.
    fn kv(&self) -> usize {
        self.config.keys()
    }

    /// The index of a tensor that every layer has.
    fn at(&self, layer: usize, slot: Slot) -> usize {
        self.layout.at(layer, slot)
    }

    /// A vector of a layer; empty where it has none.
    fn vector(&self, layer: usize, slot: Slot) -> &'a [f32] {
        self.layout.find(layer, slot).map_or(&[][..], |at| &self.weights[at])
    }

    /// The weights of a layer, for products one way; with an adapter they are `W + scale · B · A`,
    /// which costs less than sending every token through the narrow products besides.
    fn layer_weights(&self, layer: usize, way: Way) -> LayerWeights<'a> {
        let linears = [Slot::Q, Slot::K, Slot::V, Slot::O, Slot::Gate, Slot::Up, Slot::Down];
        let ready: Vec<_> = linears
            .into_par_iter()
            .with_max_len(1)
            .map(|slot| {
                let inputs = match slot {
                    Slot::O => self.config.queries(),
                    Slot::Down => self.config.intermediate,
                    _ => self.config.hidden,
                };
                self.linear(self.at(layer, slot), inputs, way)
            })
            .collect();
        let mut ready = ready.into_iter();
        let empty = || Linear::new(Acting::Plain(&[]), 1, way, Products::F32, self.workspace);
        let mut next = || ready.next().unwrap_or_else(empty);
        LayerWeights {
            input_norm: &self.weights[self.at(layer, Slot::InputNorm)],
            q: next(),
            k: next(),
            v: next(),
            o: next(),
            post_norm: &self.weights[self.at(layer, Slot::PostNorm)],
            gate: next(),
            up: next(),
            down: next(),
        }
    }

    fn linear(&self, tensor: usize, inputs: usize, way: Way) -> Linear<'a> {
        Linear::new(self.acting(tensor), inputs, way, self.products, self.workspace)
    }

    fn operand<'b>(&self, rows: &'b [f32], width: usize) -> Operand<'a, 'b> {
        Operand::new(rows, width, self.products, self.workspace)
    }

    fn acting(&self, tensor: usize) -> Acting<'a> {
        let plain = &self.weights[tensor];
        match self.adapter.and_then(|adapter| Some((adapter, adapter.pair(tensor)?))) {
            Some((adapter, pair)) => {
                let mut sum = self.workspace.copy(plain);
                adapter.add(pair, &mut sum);
                Acting::Adapted(sum)
            }
            None => Acting::Plain(plain),
        }
    }

    /// A layer forward, in place of `x`, `[T, h]`; `n(x) = x / rms(x)`:
    /// `x ← x + ρ · (O · attention(q, k, v) + o)` of the rows of `Q, K, V · n(x)` and their biases,
    /// queries and keys of each head normed where the family does that, then
    /// `x ← x + ρ · (DOWN · (silu(GATE · n(x)) ∘ UP · n(x)) + d)`. Keys and values of the tokens
    /// above are `shared`; `ρ`, the residual multiplier, stands before what goes into `O` and
    /// `DOWN`.
    fn layer(&self, layer: usize, x: &mut [f32], shared: Option<&Shared<'_>>) -> Saved<'a> {
        let w = self.layer_weights(layer, Way::Forward);
        let attended = self.project(layer, &w, x, shared);
        let mut mixed = self.workspace.take(self.own.len() * self.config.queries());
        self.attention(layer, &attended).forward(&mut mixed);
        let gated = self.gate(layer, &w, x, mixed);
        Saved { attended, gated }
    }

    /// Queries, keys and values.
    fn project(
        &self,
        layer: usize,
        w: &LayerWeights<'_>,
        x: &[f32],
        shared: Option<&Shared<'_>>,
    ) -> Attended<'a> {
        let h = self.config.hidden;
        let (wide, kv) = (self.config.queries(), self.kv());
        let part = self.part;
        let space = self.workspace;
        let rows = |width: usize| space.take(self.own.len() * width);
        let eps = self.config.norm_eps as f32;
        let input = space.copy(x);
        let mut q = rows(wide);
        let before = self.above * kv;
        let mut k = space.take(before + self.own.len() * kv);
        let mut v = space.take(k.len());
        if let Some(shared) = shared {
            k[..before].copy_from_slice(&shared.k[..before]);
            v[..before].copy_from_slice(&shared.v[..before]);
        }
        let mut scales = rows(1);
        let biases = [Slot::QBias, Slot::KBias, Slot::VBias].map(|slot| self.vector(layer, slot));
        (
            x.par_chunks(part * h),
            q.par_chunks_mut(part * wide),
            k[before..].par_chunks_mut(part * kv),
            v[before..].par_chunks_mut(part * kv),
            scales.par_chunks_mut(part),
        )
            .into_par_iter()
            .with_max_len(1)
            .for_each(|(x, q, k, v, scales)| {
                yield_to_interactive();
                let mut normed = space.take(x.len());
                scales.copy_from_slice(&rms_norm(&mut normed, x, w.input_norm, eps));
                let normed = self.operand(&normed, h);
                for ((linear, out), bias) in
                    [(&w.q, q), (&w.k, k), (&w.v, v)].into_iter().zip(biases)
                {
                    normed.through(linear, out, false);
                    add_to_rows(out, bias);
                }
            });
        let heads = self.turn(layer, &mut q, &mut k[before..]);
        Attended { input, scales, q, k, v, heads }
    }

    /// Queries and keys, each head normed where the family does that, and turned by positions where
    /// the layer does. What went into the norms is kept.
    fn turn(&self, layer: usize, q: &mut [f32], k: &mut [f32]) -> Option<HeadNorms<'a>> {
        let (wide, kv, dim) = (self.config.queries(), self.kv(), self.config.head_dim);
        let eps = self.config.norm_eps as f32;
        let space = self.workspace;
        let heads = self.config.head_norms.then(|| {
            let gains = [Slot::QNorm, Slot::KNorm].map(|slot| self.vector(layer, slot));
            let normed = |rows: &mut [f32], gain: &[f32], width: usize| {
                let before = space.copy(rows);
                let mut scales = space.take(rows.len() / dim);
                let part = self.part * width;
                let parts = rows.par_chunks_mut(part).zip(before.par_chunks(part));
                let parts = parts.zip(scales.par_chunks_mut(part / dim)).with_max_len(1);
                parts.for_each(|((rows, before), scales)| {
                    scales.copy_from_slice(&rms_norm(rows, before, gain, eps));
                });
                (before, scales)
            };
            let (q, q_scales) = normed(q, gains[0], wide);
            let (k, k_scales) = normed(k, gains[1], kv);
            HeadNorms { q, k, q_scales, k_scales }
        });
        self.rotate(layer, q, k, false);
        heads
    }

    /// Turns queries and keys of own tokens by their positions, or back.
    fn rotate(&self, layer: usize, q: &mut [f32], k: &mut [f32], back: bool) {
        let Some(of) = self.config.attends[layer].rope else { return };
        let (wide, kv, dim) = (self.config.queries(), self.kv(), self.config.head_dim);
        let part = self.part;
        let angles = self.angles[of].par_chunks(part * dim / 2);
        let parts = (q.par_chunks_mut(part * wide), k.par_chunks_mut(part * kv), angles);
        parts.into_par_iter().with_max_len(1).for_each(|(q, k, angles)| {
            rope(q, wide, dim, angles, back);
            rope(k, kv, dim, angles, back);
        });
    }

    /// From what attention took to the end of the layer.
    fn gate(
        &self,
        layer: usize,
        w: &LayerWeights<'_>,
        x: &mut [f32],
        mut mixed: Scratch<'a>,
    ) -> Gated<'a> {
        let h = self.config.hidden;
        let (wide, inner) = (self.config.queries(), self.config.intermediate);
        let part = self.part;
        let space = self.workspace;
        let rows = |width: usize| space.take(self.own.len() * width);
        let eps = self.config.norm_eps as f32;
        let residual = self.config.scales.residual;
        let biases = [Slot::OBias, Slot::GateBias, Slot::UpBias, Slot::DownBias];
        let [o_bias, gate_bias, up_bias, down_bias] = biases.map(|slot| self.vector(layer, slot));
        // They are added to what is scaled already.
        let [o_bias, down_bias] = [o_bias, down_bias].map(|bias| {
            let mut bias = bias.to_vec();
            scale(&mut bias, residual);
            bias
        });
        let mut middle = rows(h);
        let mut scales = rows(1);
        let mut normed = rows(h);
        let mut gate = rows(inner);
        let mut up = rows(inner);
        (
            x.par_chunks_mut(part * h),
            mixed.par_chunks_mut(part * wide),
            middle.par_chunks_mut(part * h),
            scales.par_chunks_mut(part),
            normed.par_chunks_mut(part * h),
            gate.par_chunks_mut(part * inner),
            up.par_chunks_mut(part * inner),
        )
            .into_par_iter()
            .with_max_len(1)
            .for_each(|(x, mixed, middle, scales, normed, gate, up)| {
                yield_to_interactive();
                scale(mixed, residual);
                self.operand(mixed, wide).through(&w.o, x, true);
                add_to_rows(x, &o_bias);
                middle.copy_from_slice(x);
                scales.copy_from_slice(&rms_norm(normed, x, w.post_norm, eps));
                let normed = self.operand(normed, h);
                normed.through(&w.gate, gate, false);
                add_to_rows(gate, gate_bias);
                normed.through(&w.up, up, false);
                add_to_rows(up, up_bias);
                let mut through = space.copy(gate);
                swiglu(&mut through, up);
                scale(&mut through, residual);
                self.operand(&through, inner).through(&w.down, x, true);
                add_to_rows(x, &down_bias);
            });
        Gated { mixed, middle, scales, normed, gate, up }
    }

    fn attention<'b>(&'b self, layer: usize, of: &'b Attended<'_>) -> Attention<'b> {
        let heads = Heads {
            queries: self.config.heads,
            keys: self.config.kv_heads,
            dim: self.config.head_dim,
            scale: self.config.attention_scale(),
            window: self.config.attends[layer].window,
        };
        Attention { chains: &self.chains, heads, q: &of.q, k: &of.k, v: &of.v }
    }
}
