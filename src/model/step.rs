//! One training step by hand: loss and gradients of a token tree.
//!
//! candle's autograd materialises every intermediate result and its gradient; this keeps what the backward pass needs
//! and recomputes the rest. `tests/model.rs` holds it against candle's gradients.

use super::config::Config;
use super::kernels::{
    Attention, Heads, Runs, cross_entropy, mul_nn, mul_nt, mul_tn, rms_norm, rms_norm_back, rope, swiglu, swiglu_back,
};
use super::lora::Adapter;
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

/// Targets whose logits exist at once: a vocabulary of 49,152 then takes 25 MB and not gigabytes.
const CHUNK: usize = 128;

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
    /// Nats of each target by its index in the tree.
    pub nats: Vec<(usize, f32)>,
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
    runs: Runs,
    tokens: usize,
    angles: Vec<(f32, f32)>,
}

/// Loss of a tree's targets; with `grads` (in the order of [`Net::shapes`]), the gradients are added to them.
pub fn step(net: Net<'_>, tree: &TokenTree, grads: Option<&mut Buffers>) -> Result<Loss> {
    let Net { config, weights, .. } = net;
    if let Some(token) = tree.tokens.iter().find(|token| **token as usize >= config.vocab) {
        return Err(Error::new(format!("token {token} is outside the model's vocabulary of {}", config.vocab)));
    }
    let step = Step::new(net, tree);
    let mut saved = Vec::with_capacity(config.layers);
    let mut x: Vec<f32> = Vec::with_capacity(tree.len() * config.hidden);
    for token in &tree.tokens {
        let at = *token as usize * config.hidden;
        x.extend_from_slice(&weights[0][at..at + config.hidden]);
    }
    for layer in 0..config.layers {
        saved.push(step.layer(layer, &mut x));
    }
    step.head(tree, &x, saved, grads)
}

impl<'a> Step<'a> {
    fn new(net: Net<'a>, tree: &TokenTree) -> Self {
        let Net { config, weights, adapter } = net;
        let half = config.head_dim() / 2;
        let frequency = |i: usize| f64::from(config.rope_theta).powf(-2.0 * i as f64 / config.head_dim() as f64);
        let frequencies: Vec<f64> = (0..half).map(frequency).collect();
        let angle = |position: u32| {
            let position = f64::from(position);
            frequencies
                .iter()
                .map(move |f| (position * f).sin_cos())
                .map(|(sin, cos)| (cos as f32, sin as f32))
                .collect::<Vec<_>>()
        };
        let angles = tree.positions().into_iter().flat_map(angle).collect();
        Self { config, weights, adapter, runs: Runs::new(&tree.parents), tokens: tree.len(), angles }
    }

    fn heads(&self) -> Heads {
        Heads { queries: self.config.heads, keys: self.config.kv_heads, dim: self.config.head_dim() }
    }

    fn at(layer: usize, tensor: usize) -> usize {
        1 + layer * LAYER + tensor
    }

    fn linear(&self, x: &[f32], tensor: usize, inner: usize) -> Vec<f32> {
        let mut out = vec![0.0; x.len() / inner * (self.weights[tensor].len() / inner)];
        self.linear_into(&mut out, x, tensor, inner, false);
        out
    }

    fn linear_into(&self, out: &mut [f32], x: &[f32], tensor: usize, inner: usize, add: bool) {
        mul_nt(out, x, &self.weights[tensor], inner, add);
        if let Some((adapter, at)) = self.pair(tensor) {
            let mut low = down(adapter, at, x, inner);
            for l in &mut low {
                *l *= adapter.scale();
            }
            mul_nt(out, &low, &adapter.weights[at + 1], adapter.rank, true);
        }
    }

    fn pair(&self, tensor: usize) -> Option<(&'a Adapter, usize)> {
        let adapter = self.adapter?;
        Some((adapter, adapter.pair(tensor)?))
    }

    /// Gradients of a linear layer of `width` outputs: adds to those of its weight, or of the adapter beside it, and
    /// writes or adds that of its input.
    fn linear_back(
        &self,
        grads: &mut Buffers,
        tensor: usize,
        (dout, width): (&[f32], usize),
        x: &[f32],
        dx: &mut [f32],
        add: bool,
    ) {
        let rows = dout.len() / width;
        mul_nn(dx, dout, &self.weights[tensor], width, add);
        if self.adapter.is_none() {
            mul_tn(&mut grads[tensor], dout, x, rows);
        }
        if let Some((adapter, at)) = self.pair(tensor) {
            let mut up = vec![0.0; rows * adapter.rank];
            mul_nn(&mut up, dout, &adapter.weights[at + 1], width, false);
            let mut low = down(adapter, at, x, x.len() / rows);
            up.iter_mut().chain(&mut low).for_each(|value| *value *= adapter.scale());
            mul_tn(&mut grads[at], &up, x, rows);
            mul_tn(&mut grads[at + 1], dout, &low, rows);
            mul_nn(dx, &up, &adapter.weights[at], adapter.rank, true);
        }
    }

    /// Gradient of a norm's input; that of its gain counts only in full training.
    fn norm_back(&self, grads: &mut Buffers, tensor: usize, dx: &mut [f32], dout: &[f32], x: &[f32], scales: &[f32]) {
        let gain = &self.weights[tensor];
        match self.adapter {
            None => rms_norm_back(dx, &mut grads[tensor], dout, x, gain, scales),
            Some(_) => rms_norm_back(dx, &mut vec![0.0; gain.len()], dout, x, gain, scales),
        }
    }

    fn norm(&self, x: &[f32], tensor: usize) -> (Vec<f32>, Vec<f32>) {
        let mut out = vec![0.0; x.len()];
        let scales = rms_norm(&mut out, x, &self.weights[tensor], self.config.norm_eps as f32);
        (out, scales)
    }

    fn layer(&self, layer: usize, x: &mut [f32]) -> Saved {
        let (h, dim) = (self.config.hidden, self.config.head_dim());
        let kv = self.config.kv_heads * dim;
        let at = |tensor| Self::at(layer, tensor);
        let input = x.to_vec();
        let (normed, input_scales) = self.norm(x, at(INPUT_NORM));
        let mut q = self.linear(&normed, at(Q), h);
        let mut k = self.linear(&normed, at(K), h);
        let v = self.linear(&normed, at(V), h);
        rope(&mut q, h, dim, &self.angles, false);
        rope(&mut k, kv, dim, &self.angles, false);
        let mut mixed = vec![0.0; x.len()];
        Attention { runs: &self.runs, heads: self.heads(), q: &q, k: &k, v: &v }.forward(&mut mixed);
        self.linear_into(x, &mixed, at(O), h, true);
        let middle = x.to_vec();
        let (normed, middle_scales) = self.norm(x, at(POST_NORM));
        let gate = self.linear(&normed, at(GATE), h);
        let up = self.linear(&normed, at(UP), h);
        let mut inner = vec![0.0; gate.len()];
        swiglu(&mut inner, &gate, &up);
        self.linear_into(x, &inner, at(DOWN), self.config.intermediate, true);
        Saved { input, input_scales, q, k, v, mixed, middle, middle_scales, normed, gate, up }
    }

    /// Turns the gradient of a layer's output into the gradient of its input.
    fn layer_back(&self, layer: usize, saved: Saved, dx: &mut [f32], grads: &mut Buffers) {
        let (h, tokens) = (self.config.hidden, self.tokens);
        let at = |tensor| Self::at(layer, tensor);
        let Saved { input, input_scales, q, k, v, mixed, middle, middle_scales, normed, mut gate, mut up } = saved;
        let mut inner = vec![0.0; gate.len()];
        swiglu(&mut inner, &gate, &up);
        let mut dinner = vec![0.0; gate.len()];
        self.linear_back(grads, at(DOWN), (dx, h), &inner, &mut dinner, false);
        swiglu_back(&mut gate, &mut up, &dinner);
        let mut dnormed = vec![0.0; dx.len()];
        for (dout, tensor) in [(&gate, GATE), (&up, UP)] {
            let dout = (dout.as_slice(), self.config.intermediate);
            self.linear_back(grads, at(tensor), dout, &normed, &mut dnormed, tensor == UP);
        }
        self.norm_back(grads, at(POST_NORM), dx, &dnormed, &middle, &middle_scales);

        let mut dmixed = vec![0.0; dx.len()];
        self.linear_back(grads, at(O), (dx, h), &mixed, &mut dmixed, false);
        let (mut dq, mut dk, mut dv) = (vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]);
        let attention = Attention { runs: &self.runs, heads: self.heads(), q: &q, k: &k, v: &v };
        attention.backward(&dmixed, &mut dq, &mut dk, &mut dv);
        let (dim, kv) = (self.config.head_dim(), k.len() / tokens);
        rope(&mut dq, h, dim, &self.angles, true);
        rope(&mut dk, kv, dim, &self.angles, true);
        let (normed, _) = self.norm(&input, at(INPUT_NORM));
        for (dout, tensor, width) in [(&dq, Q, h), (&dk, K, kv), (&dv, V, kv)] {
            self.linear_back(grads, at(tensor), (dout, width), &normed, &mut dnormed, tensor != Q);
        }
        self.norm_back(grads, at(INPUT_NORM), dx, &dnormed, &input, &input_scales);
    }

    /// The loss, and from it backwards through everything. Logits exist for the parents of targets only, and for a
    /// chunk of them at a time.
    fn head(&self, tree: &TokenTree, x: &[f32], saved: Vec<Saved>, grads: Option<&mut Buffers>) -> Result<Loss> {
        let h = self.config.hidden;
        let (mut rows, mut nodes, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
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
        let (mut nats, mut dnormed) = (Vec::with_capacity(rows.len()), vec![0.0; normed.len()]);
        let mut grads = grads;
        for (i, normed) in normed.chunks(CHUNK * h).enumerate() {
            let at = i * CHUNK..i * CHUNK + normed.len() / h;
            let mut logits = self.linear(normed, head, h);
            nats.extend(cross_entropy(&mut logits, &targets[at.clone()], &weights[at.clone()], self.config.vocab));
            if let Some(grads) = &mut grads {
                let dnormed = &mut dnormed[at.start * h..at.end * h];
                self.linear_back(grads, head, (&logits, self.config.vocab), normed, dnormed, false);
            }
        }
        let total = nats.iter().zip(&weights).map(|(nats, weight)| f64::from(nats * weight)).sum();
        let loss = Loss { total, nats: nodes.into_iter().zip(nats).collect() };
        let Some(grads) = grads else { return Ok(loss) };

        let mut dpicked = vec![0.0; picked.len()];
        self.norm_back(grads, norm, &mut dpicked, &dnormed, &picked, &scales);
        let mut dx = vec![0.0; x.len()];
        for (row, d) in rows.iter().zip(dpicked.chunks_exact(h)) {
            dx[row * h..(row + 1) * h].iter_mut().zip(d).for_each(|(x, d)| *x += d);
        }
        for (layer, saved) in saved.into_iter().enumerate().rev() {
            self.layer_back(layer, saved, &mut dx, grads);
        }
        if self.adapter.is_some() {
            return Ok(loss);
        }
        for (token, d) in tree.tokens.iter().zip(dx.chunks_exact(h)) {
            let at = *token as usize * h;
            grads[0][at..at + h].iter_mut().zip(d).for_each(|(g, d)| *g += d);
        }
        Ok(loss)
    }
}

/// `x · Aᵀ`.
fn down(adapter: &Adapter, at: usize, x: &[f32], inner: usize) -> Vec<f32> {
    let mut low = vec![0.0; x.len() / inner * adapter.rank];
    mul_nt(&mut low, x, &adapter.weights[at], inner, false);
    low
}
