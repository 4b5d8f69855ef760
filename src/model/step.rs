//! One training step by hand: loss and gradients of a token tree.
//!
//! candle's autograd materialises every intermediate result and its gradient; this keeps what the backward pass needs
//! and recomputes the rest. `tests/model.rs` holds it against candle's gradients.
//!
//! Work is dealt out to the threads of the pool that [`step`] is called in: rows of tokens to one task each, the gradient
//! of a weight by its rows. How it is cut depends on the tree alone and every sum has a fixed order, so a step has the
//! same bits on any number of threads.

use std::borrow::Cow;

use rayon::prelude::*;

use super::config::Config;
use super::kernels::{
    Attention, Chains, Heads, cross_entropy, mul_nn, mul_nt, mul_tn, rms_norm, rms_norm_back, rope, swiglu, swiglu_back,
};
use super::lora::Adapter;
use super::team::yield_to_interactive;
use super::tree::TokenTree;
use crate::error::{Error, Result};

/// Weights or their gradients: one flat buffer a tensor, in the order of [`Config::tensors`].
pub type Buffers = Vec<Vec<f32>>;

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

/// Logits that exist at once (64 MB), however many targets there are.
pub(super) const LOGITS: usize = 1 << 24;

/// Weights whose gradient is one task.
const TASK: usize = 1 << 17;

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
    /// Keep only the input of each layer and compute the rest again on the way back: about a third more work for a
    /// fraction of the memory (activation checkpointing).
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

/// A linear layer whose weight needs its gradient: the gradient of its outputs, `width` a row, and its inputs.
struct Weigh<'a> {
    tensor: usize,
    dout: &'a [f32],
    width: usize,
    x: &'a [f32],
}

/// Loss of a tree's targets; with `grads` (in the order of [`Net::shapes`]), the gradients are added to them.
pub fn step(net: Net<'_>, tree: &TokenTree, grads: Option<&mut Buffers>) -> Result<Loss> {
    let Net { config, weights, recompute, .. } = net;
    if let Some(token) = tree.tokens.iter().find(|token| **token as usize >= config.vocab) {
        return Err(Error::new(format!("token {token} is outside the model's vocabulary of {}", config.vocab)));
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
        Self { config, weights, adapter, chains: Chains::new(&tree.parents), tokens: tree.len(), part, angles }
    }

    fn heads(&self) -> Heads {
        Heads { queries: self.config.heads, keys: self.config.kv_heads, dim: self.config.head_dim() }
    }

    /// Width of a row of keys.
    fn kv(&self) -> usize {
        self.config.kv_heads * self.config.head_dim()
    }

    fn at(layer: usize, tensor: usize) -> usize {
        1 + layer * LAYER + tensor
    }

    /// The weights of a layer as they act: with an adapter, `W + scale · B · A`, which costs less than sending every token
    /// through the narrow products besides.
    fn acting(&self, layer: usize) -> [Cow<'a, [f32]>; LAYER] {
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

    /// Adds the gradients of weights, or of the adapters beside them: a task for each piece of a weight.
    fn weigh(&self, grads: &mut Buffers, jobs: &[Weigh<'_>]) {
        if let Some(adapter) = self.adapter {
            let pairs = grads.chunks_exact_mut(2).enumerate();
            let found = |i: usize| jobs.iter().find(|job| adapter.pair(job.tensor) == Some(2 * i));
            let tasks: Vec<_> = pairs.filter_map(|(i, pair)| Some((i, pair, found(i)?))).collect();
            tasks.into_par_iter().with_max_len(1).for_each(|(i, pair, job)| {
                yield_to_interactive();
                let rank = adapter.rank;
                let rows = job.dout.len() / job.width;
                let mut up = vec![0.0; rows * rank];
                let mut low = vec![0.0; rows * rank];
                mul_nn(&mut up, job.dout, &adapter.weights[2 * i + 1], job.width, false);
                mul_nt(&mut low, job.x, &adapter.weights[2 * i], job.x.len() / rows, false);
                up.iter_mut().chain(&mut low).for_each(|value| *value *= adapter.scale());
                mul_tn(&mut pair[0], (&up, rank), 0, job.x);
                mul_tn(&mut pair[1], (job.dout, job.width), 0, &low);
            });
            return;
        }
        let mut tasks = Vec::new();
        for (tensor, grad) in grads.iter_mut().enumerate() {
            let Some(job) = jobs.iter().find(|job| job.tensor == tensor) else { continue };
            let rows = job.width.div_ceil(grad.len().div_ceil(TASK));
            let piece = grad.len() / job.width * rows;
            let pieces = grad.chunks_mut(piece).enumerate();
            tasks.extend(pieces.map(|(i, out)| (out, job, i * rows)));
        }
        tasks.into_par_iter().with_max_len(1).for_each(|(out, job, from)| {
            yield_to_interactive();
            mul_tn(out, (job.dout, job.width), from, job.x);
        });
    }

    /// Gradient of a norm's input; returns that of its gain.
    fn norm_back(&self, tensor: usize, dx: &mut [f32], dout: &[f32], x: &[f32], scales: &[f32]) -> Vec<f32> {
        let gain = &self.weights[tensor];
        let mut dgain = vec![0.0; gain.len()];
        rms_norm_back(dx, &mut dgain, dout, x, gain, scales);
        dgain
    }

    /// Adds the gradients of a gain that the tasks computed, in the order of the tasks.
    fn gain(&self, grads: &mut Buffers, tensor: usize, parts: &[Vec<f32>]) {
        if self.adapter.is_none() {
            for part in parts {
                grads[tensor].iter_mut().zip(part).for_each(|(sum, more)| *sum += more);
            }
        }
    }

    fn norm(&self, x: &[f32], tensor: usize) -> (Vec<f32>, Vec<f32>) {
        let mut out = vec![0.0; x.len()];
        let scales = rms_norm(&mut out, x, &self.weights[tensor], self.config.norm_eps as f32);
        (out, scales)
    }

    fn layer(&self, layer: usize, x: &mut [f32]) -> Saved {
        let h = self.config.hidden;
        let kv = self.kv();
        let inner = self.config.intermediate;
        let part = self.part;
        let half = self.config.head_dim() / 2;
        let rows = |width: usize| vec![0.0f32; self.tokens * width];
        let weights = self.acting(layer);
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
        Attention { chains: &self.chains, heads: self.heads(), q: &q, k: &k, v: &v }.forward(&mut mixed);
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

    /// Turns the gradient of a layer's output into the gradient of its input.
    fn layer_back(&self, layer: usize, saved: Saved, dx: &mut [f32], grads: &mut Buffers) {
        let h = self.config.hidden;
        let kv = self.kv();
        let inner = self.config.intermediate;
        let part = self.part;
        let half = self.config.head_dim() / 2;
        let at = |tensor| Self::at(layer, tensor);
        let weights = self.acting(layer);
        let eps = self.config.norm_eps as f32;
        let Saved { input, input_scales, q, k, v, mixed, middle, middle_scales, normed, mut gate, mut up } = saved;
        let mut through = vec![0.0; gate.len()];
        let dout = dx.to_vec();
        let mut dmixed = vec![0.0; dx.len()];
        let gains: Vec<Vec<f32>> = (
            (gate.par_chunks_mut(part * inner), up.par_chunks_mut(part * inner), through.par_chunks_mut(part * inner)),
            (dx.par_chunks_mut(part * h), dmixed.par_chunks_mut(part * h)),
            (middle.par_chunks(part * h), middle_scales.par_chunks(part)),
        )
            .into_par_iter()
            .with_max_len(1)
            .map(|((gate, up, through), (dx, dmixed), (middle, scales))| {
                yield_to_interactive();
                through.copy_from_slice(gate);
                swiglu(through, up);
                let mut dthrough = vec![0.0; gate.len()];
                mul_nn(&mut dthrough, dx, &weights[DOWN], h, false);
                swiglu_back(gate, up, &dthrough);
                let mut dnormed = vec![0.0; dx.len()];
                mul_nn(&mut dnormed, gate, &weights[GATE], inner, false);
                mul_nn(&mut dnormed, up, &weights[UP], inner, true);
                let gain = self.norm_back(at(POST_NORM), dx, &dnormed, middle, scales);
                mul_nn(dmixed, dx, &weights[O], h, false);
                gain
            })
            .collect();
        self.gain(grads, at(POST_NORM), &gains);
        self.weigh(
            grads,
            &[
                Weigh { tensor: at(DOWN), dout: &dout, width: h, x: &through },
                Weigh { tensor: at(GATE), dout: &gate, width: inner, x: &normed },
                Weigh { tensor: at(UP), dout: &up, width: inner, x: &normed },
                Weigh { tensor: at(O), dout: dx, width: h, x: &mixed },
            ],
        );
        drop((through, gate, up, dout, mixed, middle));

        let mut dq = vec![0.0; q.len()];
        let mut dk = vec![0.0; k.len()];
        let mut dv = vec![0.0; v.len()];
        let attention = Attention { chains: &self.chains, heads: self.heads(), q: &q, k: &k, v: &v };
        attention.backward(&dmixed, &mut dq, &mut dk, &mut dv);
        let mut normed = normed;
        let gains: Vec<Vec<f32>> = (
            (dq.par_chunks_mut(part * h), dk.par_chunks_mut(part * kv), dv.par_chunks(part * kv)),
            (dx.par_chunks_mut(part * h), normed.par_chunks_mut(part * h)),
            (input.par_chunks(part * h), input_scales.par_chunks(part), self.angles.par_chunks(part * half)),
        )
            .into_par_iter()
            .with_max_len(1)
            .map(|((dq, dk, dv), (dx, normed), (input, scales, angles))| {
                yield_to_interactive();
                rope(dq, h, 2 * half, angles, true);
                rope(dk, kv, 2 * half, angles, true);
                let mut dnormed = vec![0.0; dx.len()];
                mul_nn(&mut dnormed, dq, &weights[Q], h, false);
                mul_nn(&mut dnormed, dk, &weights[K], kv, true);
                mul_nn(&mut dnormed, dv, &weights[V], kv, true);
                rms_norm(normed, input, &weights[INPUT_NORM], eps);
                self.norm_back(at(INPUT_NORM), dx, &dnormed, input, scales)
            })
            .collect();
        self.gain(grads, at(INPUT_NORM), &gains);
        self.weigh(
            grads,
            &[
                Weigh { tensor: at(Q), dout: &dq, width: h, x: &normed },
                Weigh { tensor: at(K), dout: &dk, width: kv, x: &normed },
                Weigh { tensor: at(V), dout: &dv, width: kv, x: &normed },
            ],
        );
    }

    /// The loss and, with `grads`, the gradient of the last layer's output. Logits exist for the parents of targets only,
    /// and for some of them at a time.
    fn head(&self, tree: &TokenTree, x: &[f32], mut grads: Option<&mut Buffers>) -> Result<(Loss, Vec<f32>)> {
        let h = self.config.hidden;
        let vocab = self.config.vocab;
        let mut rows = Vec::new();
        let mut nodes = Vec::new();
        let mut targets = Vec::new();
        let mut weights = Vec::new();
        for (i, weight) in tree.weights.iter().enumerate() {
            if let (true, Some(parent)) = (*weight != 0.0, tree.parents[i]) {
                rows.push(parent);
                nodes.push(i);
                targets.push(tree.tokens[i]);
                weights.push(*weight);
            }
        }
        if rows.is_empty() {
            return Err(Error::new("a training example without any target token"));
        }
        let norm = 1 + self.config.layers * LAYER;
        let head = if self.config.tied { 0 } else { norm + 1 };
        let picked: Vec<f32> = rows.iter().flat_map(|row| &x[row * h..(row + 1) * h]).copied().collect();
        let (normed, scales) = self.norm(&picked, norm);
        let mut nats = Vec::with_capacity(rows.len());
        let mut dnormed = vec![0.0; normed.len()];
        let chunk = (LOGITS / vocab).clamp(64, 2048);
        for (i, normed) in normed.chunks(chunk * h).enumerate() {
            let at = i * chunk..i * chunk + normed.len() / h;
            let part = at.len().div_ceil((at.len() / 128).clamp(2, 8));
            let mut logits = vec![0.0; at.len() * vocab];
            let dnormed = &mut dnormed[at.start * h..at.end * h];
            let costs: Vec<Vec<f32>> = (
                (normed.par_chunks(part * h), logits.par_chunks_mut(part * vocab), dnormed.par_chunks_mut(part * h)),
                (targets[at.clone()].par_chunks(part), weights[at].par_chunks(part)),
            )
                .into_par_iter()
                .with_max_len(1)
                .map(|((normed, logits, dnormed), (targets, weights))| {
                    mul_nt(logits, normed, &self.weights[head], h, false);
                    let costs = cross_entropy(logits, targets, weights, vocab);
                    if grads.is_some() {
                        mul_nn(dnormed, logits, &self.weights[head], vocab, false);
                    }
                    costs
                })
                .collect();
            nats.extend(costs.into_iter().flatten());
            if let (Some(grads), None) = (&mut grads, self.adapter) {
                self.weigh(grads, &[Weigh { tensor: head, dout: &logits, width: vocab, x: normed }]);
            }
        }
        let total = nats.iter().zip(&weights).map(|(nats, weight)| f64::from(nats * weight)).sum();
        let loss = Loss { total, nll: nodes.into_iter().zip(nats).collect() };
        let Some(grads) = grads else { return Ok((loss, Vec::new())) };
        let mut dpicked = vec![0.0; picked.len()];
        let gain = self.norm_back(norm, &mut dpicked, &dnormed, &picked, &scales);
        self.gain(grads, norm, &[gain]);
        let mut dx = vec![0.0; x.len()];
        for (row, d) in rows.iter().zip(dpicked.chunks_exact(h)) {
            dx[row * h..(row + 1) * h].iter_mut().zip(d).for_each(|(x, d)| *x += d);
        }
        Ok((loss, dx))
    }
}
