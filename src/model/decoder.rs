//! The decoder: one forward pass over a token tree, for training and for inference.

use std::collections::HashMap;

use candle_core::{D, Device, Tensor};
use candle_nn::ops;

use super::config::Config;
use super::tree::TokenTree;
use crate::error::{Error, Result};

/// Keys and values of one layer: `[kv_heads, tokens, head_dim]` each.
pub type KeyValue = (Tensor, Tensor);

#[derive(Debug)]
struct Layer {
    input_norm: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    o: Tensor,
    post_norm: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

/// A Llama-family decoder on the CPU in f32.
#[derive(Debug)]
pub struct Decoder {
    /// Its shape.
    pub config: Config,
    embed: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Tensor,
}

/// What tokens a pass computes, and what they may look at.
pub(super) struct Pass<'a> {
    pub tokens: &'a [u32],
    /// Position of each token along its path.
    pub positions: &'a [u32],
    /// `[tokens, past + tokens]`: 0 where the token may look, -inf elsewhere.
    pub mask: Tensor,
    /// Keys and values that came before, one a layer; empty for none.
    pub past: &'a [KeyValue],
    /// Use the fused kernels, which have no gradient.
    pub fused: bool,
}

impl Decoder {
    /// A decoder over `tensors`, named and shaped as [`Config::tensors`] lists.
    pub fn new(config: Config, tensors: &HashMap<String, Tensor>) -> Result<Self> {
        for (name, shape) in config.tensors() {
            let found = tensors.get(&name).ok_or_else(|| Error::new(format!("tensor `{name}` is missing")))?;
            if found.dims() != shape {
                return Err(Error::new(format!(
                    "tensor `{name}` has shape {:?}, config.json needs {shape:?}",
                    found.dims()
                )));
            }
        }
        let get = |name: &str| tensors[name].clone();
        let layers = (0..config.layers)
            .map(|i| {
                let get = |name: &str| tensors[&format!("model.layers.{i}.{name}.weight")].clone();
                Layer {
                    input_norm: get("input_layernorm"),
                    q: get("self_attn.q_proj"),
                    k: get("self_attn.k_proj"),
                    v: get("self_attn.v_proj"),
                    o: get("self_attn.o_proj"),
                    post_norm: get("post_attention_layernorm"),
                    gate: get("mlp.gate_proj"),
                    up: get("mlp.up_proj"),
                    down: get("mlp.down_proj"),
                }
            })
            .collect();
        let embed = get("model.embed_tokens.weight");
        let head = if config.tied { embed.clone() } else { get("lm_head.weight") };
        Ok(Self { norm: get("model.norm.weight"), layers, embed, head, config })
    }

    /// Weighted cross-entropy of a tree's targets: the sum over targets of weight times nats, a scalar that can be
    /// differentiated. Logits are computed for the parents of targets only.
    ///
    /// This is the reference that [`super::step`] is tested against, and the way to other devices.
    pub fn loss(&self, tree: &TokenTree) -> Result<Tensor> {
        let positions = tree.positions();
        let mask = tree_mask(&tree.parents, 0, &[])?;
        let pass = Pass { tokens: &tree.tokens, positions: &positions, mask, past: &[], fused: false };
        let (hidden, _) = self.forward(&pass)?;
        let (mut rows, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (i, weight) in tree.weights.iter().enumerate() {
            if let (true, Some(parent)) = (*weight != 0.0, tree.parents[i]) {
                rows.push(parent as u32);
                targets.push(tree.tokens[i]);
                weights.push(*weight);
            }
        }
        if rows.is_empty() {
            return Err(Error::new("a training example without any target token"));
        }
        let count = rows.len();
        let device = Device::Cpu;
        let hidden = hidden.index_select(&Tensor::from_vec(rows, count, &device)?, 0)?;
        let log_probs = ops::log_softmax(&self.logits(&hidden)?, D::Minus1)?;
        let picked = log_probs.gather(&Tensor::from_vec(targets, (count, 1), &device)?, 1)?.squeeze(1)?;
        Ok((picked.neg()? * Tensor::from_vec(weights, count, &device)?)?.sum_all()?)
    }

    /// Logits of hidden states: `[n, hidden]` to `[n, vocab]`.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(hidden.matmul(&self.head.t()?)?)
    }

    /// Hidden states after the last norm, `[tokens, hidden]`, and each layer's new keys and values.
    pub(super) fn forward(&self, pass: &Pass<'_>) -> Result<(Tensor, Vec<KeyValue>)> {
        if let Some(token) = pass.tokens.iter().find(|token| **token as usize >= self.config.vocab) {
            return Err(Error::new(format!("token {token} is outside the model's vocabulary of {}", self.config.vocab))
                .hint("the tokenizer does not belong to this model"));
        }
        let count = pass.tokens.len();
        let (cos, sin) = self.rotation(pass.positions)?;
        let mut x = self.embed.index_select(&Tensor::new(pass.tokens, &Device::Cpu)?, 0)?;
        let mut fresh = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let h = self.rms_norm(&x, &layer.input_norm, pass.fused)?;
            let heads = |x: Tensor, n: usize| x.reshape((count, n, self.config.head_dim()))?.transpose(0, 1)?.contiguous();
            let q = rotate(&heads(h.matmul(&layer.q.t()?)?, self.config.heads)?, &cos, &sin)?;
            let k = rotate(&heads(h.matmul(&layer.k.t()?)?, self.config.kv_heads)?, &cos, &sin)?;
            let v = heads(h.matmul(&layer.v.t()?)?, self.config.kv_heads)?;
            let (all_k, all_v) = match pass.past.get(i) {
                Some((past_k, past_v)) => (Tensor::cat(&[past_k, &k], 1)?, Tensor::cat(&[past_v, &v], 1)?),
                None => (k.clone(), v.clone()),
            };
            let mixed = self.attend(&q, &all_k, &all_v, pass)?;
            x = (x + mixed.matmul(&layer.o.t()?)?)?;
            let h = self.rms_norm(&x, &layer.post_norm, pass.fused)?;
            let gate = ops::silu(&h.matmul(&layer.gate.t()?)?)?;
            x = (x + (gate * h.matmul(&layer.up.t()?)?)?.matmul(&layer.down.t()?)?)?;
            fresh.push((k, v));
        }
        Ok((self.rms_norm(&x, &self.norm, pass.fused)?, fresh))
    }

    fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, pass: &Pass<'_>) -> candle_core::Result<Tensor> {
        let groups = self.config.heads / self.config.kv_heads;
        let (k, v) = (repeat_heads(k, groups)?, repeat_heads(v, groups)?);
        let scale = 1.0 / (self.config.head_dim() as f64).sqrt();
        let scores = ((q * scale)?.matmul(&k.transpose(1, 2)?)?.broadcast_add(&pass.mask))?;
        let shares = if pass.fused { ops::softmax_last_dim(&scores)? } else { ops::softmax(&scores, D::Minus1)? };
        shares.matmul(&v)?.transpose(0, 1)?.reshape((pass.tokens.len(), self.config.hidden))
    }

    fn rms_norm(&self, x: &Tensor, weight: &Tensor, fused: bool) -> candle_core::Result<Tensor> {
        let eps = self.config.norm_eps as f32;
        if fused { ops::rms_norm(&x.contiguous()?, weight, eps) } else { ops::rms_norm_slow(x, weight, eps) }
    }

    /// Cosines and sines of the rotary embedding, `[tokens, head_dim / 2]`.
    fn rotation(&self, positions: &[u32]) -> Result<(Tensor, Tensor)> {
        let half = self.config.head_dim() / 2;
        let exponent = |i: usize| -2.0 * i as f64 / self.config.head_dim() as f64;
        let frequencies: Vec<f64> = (0..half).map(|i| f64::from(self.config.rope_theta).powf(exponent(i))).collect();
        let angles = positions.iter().flat_map(|p| frequencies.iter().map(move |f| f64::from(*p) * f));
        let (cos, sin): (Vec<f32>, Vec<f32>) = angles.map(|a| (a.cos() as f32, a.sin() as f32)).unzip();
        let shape = (positions.len(), half);
        Ok((Tensor::from_vec(cos, shape, &Device::Cpu)?, Tensor::from_vec(sin, shape, &Device::Cpu)?))
    }
}

fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> candle_core::Result<Tensor> {
    let half = x.dim(2)? / 2;
    let (a, b) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
    let left = (a.broadcast_mul(cos)? - b.broadcast_mul(sin)?)?;
    let right = (b.broadcast_mul(cos)? + a.broadcast_mul(sin)?)?;
    Tensor::cat(&[left, right], 2)
}

fn repeat_heads(x: &Tensor, groups: usize) -> candle_core::Result<Tensor> {
    if groups == 1 {
        return x.contiguous();
    }
    let (heads, tokens, dim) = x.dims3()?;
    x.unsqueeze(1)?.expand((heads, groups, tokens, dim))?.reshape((heads * groups, tokens, dim))
}

/// The attention mask of new nodes over `past` earlier nodes and themselves. `visible[r]` lists which earlier nodes a
/// new node without a new parent sees; `parents` refer to new nodes.
pub(super) fn tree_mask(parents: &[Option<usize>], past: usize, visible: &[&[usize]]) -> Result<Tensor> {
    let width = past + parents.len();
    let mut mask = vec![f32::NEG_INFINITY; parents.len() * width];
    for (i, parent) in parents.iter().enumerate() {
        let (before, rest) = mask.split_at_mut(i * width);
        let row = &mut rest[..width];
        match parent {
            Some(p) => row.copy_from_slice(&before[p * width..(p + 1) * width]),
            None => visible.get(i).copied().unwrap_or_default().iter().for_each(|node| row[*node] = 0.0),
        }
        row[past + i] = 0.0;
    }
    Ok(Tensor::from_vec(mask, (parents.len(), width), &Device::Cpu)?)
}
