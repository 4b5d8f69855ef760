//! One training step by hand: loss and gradients of a token tree.
//!
//! candle's autograd materialises every intermediate result and its gradient; this keeps what the
//! backward pass needs and recomputes the rest. `tests/model.rs` holds it against candle's
//! gradients.
//!
//! Work is dealt out to the threads of the pool that [`step`] is called in: rows of tokens to one
//! task each, the gradient of a weight by its rows. How it is cut depends on the tree alone and
//! every sum has a fixed order, so a step has the same bits on any number of threads.

mod back;
mod head;

use std::borrow::Cow;

use rayon::prelude::*;

use super::config::Config;
use super::kernels::{Attention, Chains, Heads, mul_nt, rms_norm, rope, swiglu};
use super::lora::Adapter;
use super::params::Buffers;
use super::team::yield_to_interactive;
use super::tree::TokenTree;
use crate::error::{Error, Result};
pub(super) use head::LOGITS;

/// Tensors of a layer, as offsets from the layer's first.
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

/// What the backward pass of a layer needs.
struct Saved {
    input: Vec<f32>,
    input_scales: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    mixed: Vec<f32>,
    middle: Vec<f32>,
    middle_scales: Vec<f32>,
    normed: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
}

/// What a tree's targets cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// Sum over targets of weight times nats.
    pub total: f64,
    /// Negative log-likelihood of each target in nats (never below 0), by its index in the tree.
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
}

impl Net<'_> {
    /// Name and shape of every tensor that is trained.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.adapter.map_or_else(|| self.config.tensors(), |adapter| adapter.shapes().to_vec())
    }
}

/// The computation over one tree.
struct Step<'a> {
    config: &'a Config,
    weights: &'a Buffers,
    adapter: Option<&'a Adapter>,
    chains: Chains,
    tokens: usize,
    /// Rows of tokens a task works on.
    part: usize,
    angles: Vec<(f32, f32)>,
}

/// Loss of a tree's targets; with `grads` (in the order of [`Net::shapes`]), the gradients are
/// added to them.
pub fn step(net: Net<'_>, tree: &TokenTree, grads: Option<&mut Buffers>) -> Result<Loss> {
    let Net { config, weights, recompute, .. } = net;
    if let Some(token) = tree.tokens.iter().find(|token| **token as usize >= config.vocab) {
        return Err(Error::new(format!(
            "token {token} is outside the model's vocabulary of {}",
            config.vocab
        )));
    }
    let step = Step::new(net, tree);
    let mut saved = Vec::new();
    let mut inputs = Vec::new();
    let mut x: Vec<f32> = Vec::with_capacity(tree.len() * config.hidden);
    for token in &tree.tokens {
        let at = *token as usize * config.hidden;
        x.extend_from_slice(&weights[0][at..at + config.hidden]);
    }
    for layer in 0..config.layers {
        let input = (grads.is_some() && recompute).then(|| x.clone());
        let kept = step.layer(layer, &mut x);
        match (&grads, input) {
            (Some(_), None) => saved.push(kept),
            (_, input) => inputs.extend(input),
        }
    }
    let Some(grads) = grads else { return Ok(step.head(tree, &x, None)?.0) };
    let (loss, mut dx) = step.head(tree, &x, Some(grads))?;
    drop(x);
    for layer in (0..config.layers).rev() {
        let kept = match inputs.pop() {
            Some(mut input) => Some(step.layer(layer, &mut input)),
            None => saved.pop(),
        };
        if let Some(kept) = kept {
            step.layer_back(layer, kept, &mut dx, grads);
        }
    }
    if net.adapter.is_none() {
        for (token, d) in tree.tokens.iter().zip(dx.chunks_exact(config.hidden)) {
            let at = *token as usize * config.hidden;
            grads[0][at..at + config.hidden].iter_mut().zip(d).for_each(|(g, d)| *g += d);
        }
    }
    Ok(loss)
}

impl<'a> Step<'a> {
    fn new(net: Net<'a>, tree: &TokenTree) -> Self {
        let Net { config, weights, adapter, .. } = net;
        let angles = config.angles(&tree.positions());
        let part = tree.len().div_ceil(4).clamp(64, 512);
        Self {
            config,
            weights,
            adapter,
            chains: Chains::new(&tree.parents),
            tokens: tree.len(),
            part,
            angles,
        }
    }

    fn heads(&self) -> Heads {
        Heads {
            queries: self.config.heads,
            keys: self.config.kv_heads,
            dim: self.config.head_dim(),
        }
    }

    /// Width of a row of keys.
    fn kv(&self) -> usize {
        self.config.kv_heads * self.config.head_dim()
    }

    fn at(layer: usize, tensor: usize) -> usize {
        1 + layer * LAYER + tensor
    }

    /// The weights of a layer as they act: with an adapter, `W + scale · B · A`, which costs less
    /// than sending every token through the narrow products besides.
    fn effective_weights(&self, layer: usize) -> [Cow<'a, [f32]>; LAYER] {
        let tensors: Vec<Cow<'a, [f32]>> = (0..LAYER)
            .into_par_iter()
            .with_max_len(1)
            .map(|tensor| {
                let at = Self::at(layer, tensor);
                let merged = self.adapter.and_then(|adapter| adapter.merged(at, &self.weights[at]));
                merged.map_or(Cow::Borrowed(self.weights[at].as_slice()), Cow::Owned)
            })
            .collect();
        let mut tensors = tensors.into_iter();
        std::array::from_fn(|_| tensors.next().unwrap_or_default())
    }

    fn layer(&self, layer: usize, x: &mut [f32]) -> Saved {
        let h = self.config.hidden;
        let kv = self.kv();
        let inner = self.config.intermediate;
        let part = self.part;
        let half = self.config.head_dim() / 2;
        let rows = |width: usize| vec![0.0f32; self.tokens * width];
        let weights = self.effective_weights(layer);
        let eps = self.config.norm_eps as f32;
        let input = x.to_vec();
        let mut q = rows(h);
        let mut k = rows(kv);
        let mut v = rows(kv);
        let mut input_scales = rows(1);
        (
            x.par_chunks(part * h),
            q.par_chunks_mut(part * h),
            k.par_chunks_mut(part * kv),
            v.par_chunks_mut(part * kv),
            input_scales.par_chunks_mut(part),
            self.angles.par_chunks(part * half),
        )
            .into_par_iter()
            .with_max_len(1)
            .for_each(|(x, q, k, v, scales, angles)| {
                yield_to_interactive();
                let mut normed = vec![0.0; x.len()];
                scales.copy_from_slice(&rms_norm(&mut normed, x, &weights[INPUT_NORM], eps));
                mul_nt(q, &normed, &weights[Q], h, false);
                mul_nt(k, &normed, &weights[K], h, false);
                mul_nt(v, &normed, &weights[V], h, false);
                rope(q, h, 2 * half, angles, false);
                rope(k, kv, 2 * half, angles, false);
            });
        let mut mixed = rows(h);
        Attention { chains: &self.chains, heads: self.heads(), q: &q, k: &k, v: &v }
            .forward(&mut mixed);
        let mut middle = rows(h);
        let mut middle_scales = rows(1);
        let mut normed = rows(h);
        let mut gate = rows(inner);
        let mut up = rows(inner);
        (
            x.par_chunks_mut(part * h),
            mixed.par_chunks(part * h),
            middle.par_chunks_mut(part * h),
            middle_scales.par_chunks_mut(part),
            normed.par_chunks_mut(part * h),
            gate.par_chunks_mut(part * inner),
            up.par_chunks_mut(part * inner),
        )
            .into_par_iter()
            .with_max_len(1)
            .for_each(|(x, mixed, middle, scales, normed, gate, up)| {
                yield_to_interactive();
                mul_nt(x, mixed, &weights[O], h, true);
                middle.copy_from_slice(x);
                scales.copy_from_slice(&rms_norm(normed, x, &weights[POST_NORM], eps));
                mul_nt(gate, normed, &weights[GATE], h, false);
                mul_nt(up, normed, &weights[UP], h, false);
                let mut through = gate.to_vec();
                swiglu(&mut through, up);
                mul_nt(x, &through, &weights[DOWN], inner, true);
            });
        Saved { input, input_scales, q, k, v, mixed, middle, middle_scales, normed, gate, up }
    }
}
