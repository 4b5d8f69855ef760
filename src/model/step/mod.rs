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

use super::config::Config;
use super::kernels::{Attention, Chains, Heads, rms_norm, rope, swiglu};
use super::lora::Adapter;
use super::params::Buffers;
use super::parts::Parts;
use super::team::yield_to_interactive;
use super::workspace::{Scratch, Workspace};
pub(super) use head::LOGITS;
pub use linear::Products;
use linear::{Acting, Linear, Operand, Way};
use pass::Shared;
pub use pass::step;

/// Tensors of a layer, in their order after the embedding (see [`Config::tensors`]).
const LAYER: usize = 9;
const INPUT_NORM: usize = 0;
const Q: usize = 1;
const K: usize = 2;
const V: usize = 3;
const O: usize = 4;
const POST_NORM: usize = 5;
const GATE: usize = 6;
const UP: usize = 7;
const DOWN: usize = 8;

/// The weights of a layer as they act; `h` is the model's width, `kv` that of a row of keys,
/// `inner` that of the gate.
struct LayerWeights<'a> {
    /// `[h]`.
    input_norm: &'a [f32],
    /// `[h, h]`.
    q: Linear<'a>,
    /// `[kv, h]`.
    k: Linear<'a>,
    /// `[kv, h]`.
    v: Linear<'a>,
    /// `[h, h]`.
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
    /// Queries, turned by their positions, `[T, h]`.
    q: Scratch<'a>,
    /// Keys, turned as well, those of the tokens above first, `[P + T, kv]`.
    k: Scratch<'a>,
    /// Values, `[P + T, kv]`.
    v: Scratch<'a>,
}

/// Of the half that looks at each token alone.
struct Gated<'a> {
    /// What attention took, `[T, h]`.
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
    angles: Vec<(f32, f32)>,
}

impl<'a> Step<'a> {
    fn new(net: Net<'a>, parts: &Parts, own: Range<usize>) -> Self {
        let Net { config, weights, adapter, products, workspace, .. } = net;
        let angles = config.angles(&parts.tree.positions()[own.clone()]);
        let part = own.len().div_ceil(4).clamp(64, 512);
        let above = if own.start == 0 { 0 } else { parts.shared() };
        let gap = own.start - above;
        let near = |token: usize| if token < above { token } else { token - gap };
        let seen = (0..above).chain(own.clone());
        let parents: Vec<_> = seen.map(|token| parts.tree.parents[token].map(near)).collect();
        Self {
            config,
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
        self.config.kv_heads * self.config.head_dim()
    }

    fn at(layer: usize, tensor: usize) -> usize {
        1 + layer * LAYER + tensor
    }

    /// The weights of a layer, for products one way; with an adapter they are `W + scale · B · A`,
    /// which costs less than sending every token through the narrow products besides.
    fn layer_weights(&self, layer: usize, way: Way) -> LayerWeights<'a> {
        let linears = [Q, K, V, O, GATE, UP, DOWN].into_par_iter().with_max_len(1);
        let ready: Vec<_> = linears
            .map(|tensor| {
                let inputs =
                    if tensor == DOWN { self.config.intermediate } else { self.config.hidden };
                self.linear(Self::at(layer, tensor), inputs, way)
            })
            .collect();
        let mut ready = ready.into_iter();
        let empty = || Linear::new(Acting::Plain(&[]), 1, way, Products::F32, self.workspace);
        let mut next = || ready.next().unwrap_or_else(empty);
        LayerWeights {
            input_norm: &self.weights[Self::at(layer, INPUT_NORM)],
            q: next(),
            k: next(),
            v: next(),
            o: next(),
            post_norm: &self.weights[Self::at(layer, POST_NORM)],
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
    /// `x ← x + O · attention(q, k, v)` of the rows of `Q, K, V · n(x)`, then
    /// `x ← x + DOWN · (silu(GATE · n(x)) ∘ UP · n(x))`. Keys and values of the tokens above are
    /// `shared`.
    fn layer(&self, layer: usize, x: &mut [f32], shared: Option<&Shared<'_>>) -> Saved<'a> {
        let h = self.config.hidden;
        let kv = self.kv();
        let inner = self.config.intermediate;
        let part = self.part;
        let half = self.config.head_dim() / 2;
        let space = self.workspace;
        let rows = |width: usize| space.take(self.own.len() * width);
        let w = self.layer_weights(layer, Way::Forward);
        let eps = self.config.norm_eps as f32;
        let input = space.copy(x);
        let mut q = rows(h);
        let before = self.above * kv;
        let mut k = space.take(before + self.own.len() * kv);
        let mut v = space.take(k.len());
        if let Some(shared) = shared {
            k[..before].copy_from_slice(&shared.k[..before]);
            v[..before].copy_from_slice(&shared.v[..before]);
        }
        let mut scales = rows(1);
        (
            x.par_chunks(part * h),
            q.par_chunks_mut(part * h),
            k[before..].par_chunks_mut(part * kv),
            v[before..].par_chunks_mut(part * kv),
            scales.par_chunks_mut(part),
            self.angles.par_chunks(part * half),
        )
            .into_par_iter()
            .with_max_len(1)
            .for_each(|(x, q, k, v, scales, angles)| {
                yield_to_interactive();
                let mut normed = space.take(x.len());
                scales.copy_from_slice(&rms_norm(&mut normed, x, w.input_norm, eps));
                let normed = self.operand(&normed, h);
                normed.through(&w.q, q, false);
                normed.through(&w.k, k, false);
                normed.through(&w.v, v, false);
                rope(q, h, 2 * half, angles, false);
                rope(k, kv, 2 * half, angles, false);
            });
        let attended = Attended { input, scales, q, k, v };
        let mut mixed = rows(h);
        self.attention(&attended).forward(&mut mixed);
        let mut middle = rows(h);
        let mut scales = rows(1);
        let mut normed = rows(h);
        let mut gate = rows(inner);
        let mut up = rows(inner);
        (
            x.par_chunks_mut(part * h),
            mixed.par_chunks(part * h),
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
                self.operand(mixed, h).through(&w.o, x, true);
                middle.copy_from_slice(x);
                scales.copy_from_slice(&rms_norm(normed, x, w.post_norm, eps));
                let normed = self.operand(normed, h);
                normed.through(&w.gate, gate, false);
                normed.through(&w.up, up, false);
                let mut through = space.copy(gate);
                swiglu(&mut through, up);
                self.operand(&through, inner).through(&w.down, x, true);
            });
        let gated = Gated { mixed, middle, scales, normed, gate, up };
        Saved { attended, gated }
    }

    fn attention<'b>(&'b self, of: &'b Attended<'_>) -> Attention<'b> {
        let heads = Heads {
            queries: self.config.heads,
            keys: self.config.kv_heads,
            dim: self.config.head_dim(),
        };
        Attention { chains: &self.chains, heads, q: &of.q, k: &of.k, v: &of.v }
    }
}
