//! The decoder in plain operations of candle, with its autograd: what our own forward and backward
//! passes are tested against, and the way to other devices.

use std::collections::HashMap;

use candle_core::{D, Device, Tensor};
use candle_nn::ops;

use super::config::Config;
use super::tree::TokenTree;
use crate::error::{Error, Result};

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
pub struct Reference {
    /// Its shape.
    pub config: Config,
    embed: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Tensor,
}

impl Reference {
    /// A decoder over `tensors`, named and shaped as [`Config::tensors`] lists.
    pub fn new(config: Config, tensors: &HashMap<String, Tensor>) -> Result<Self> {
        for (name, shape) in config.tensors() {
            let found = tensors
                .get(&name)
                .ok_or_else(|| Error::new(format!("tensor `{name}` is missing")))?;
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

    /// Weighted cross-entropy of a tree's targets: the sum over targets of weight times nats, a
    /// scalar that can be differentiated. Logits are computed for the parents of targets only.
    pub fn loss(&self, tree: &TokenTree) -> Result<Tensor> {
        let hidden = self.forward(tree)?;
        let mut rows = Vec::new();
        let mut targets = Vec::new();
        let mut weights = Vec::new();
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
        let picked =
            log_probs.gather(&Tensor::from_vec(targets, (count, 1), &device)?, 1)?.squeeze(1)?;
        Ok((picked.neg()? * Tensor::from_vec(weights, count, &device)?)?.sum_all()?)
    }

    /// Logits of hidden states: `[n, hidden]` to `[n, vocab]`.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(hidden.matmul(&self.head.t()?)?)
    }

    /// Hidden states after the last norm, `[tokens, hidden]`.
    fn forward(&self, tree: &TokenTree) -> Result<Tensor> {
        let count = tree.len();
        let (cos, sin) = self.rotation(&tree.positions())?;
        let mask = tree_mask(&tree.parents)?;
        let mut x =
            self.embed.index_select(&Tensor::new(tree.tokens.as_slice(), &Device::Cpu)?, 0)?;
        for layer in &self.layers {
            let h = self.rms_norm(&x, &layer.input_norm)?;
            let heads = |x: Tensor, n: usize| {
                x.reshape((count, n, self.config.head_dim()))?.transpose(0, 1)?.contiguous()
            };
            let q = rotate(&heads(h.matmul(&layer.q.t()?)?, self.config.heads)?, &cos, &sin)?;
            let k = rotate(&heads(h.matmul(&layer.k.t()?)?, self.config.kv_heads)?, &cos, &sin)?;
            let v = heads(h.matmul(&layer.v.t()?)?, self.config.kv_heads)?;
            x = (&x + self.attend(&q, &k, &v, &mask)?.matmul(&layer.o.t()?)?)?;
            let h = self.rms_norm(&x, &layer.post_norm)?;
            let gate = ops::silu(&h.matmul(&layer.gate.t()?)?)?;
            x = (&x + (gate * h.matmul(&layer.up.t()?)?)?.matmul(&layer.down.t()?)?)?;
        }
        Ok(self.rms_norm(&x, &self.norm)?)
    }

    fn attend(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        mask: &Tensor,
    ) -> candle_core::Result<Tensor> {
        let groups = self.config.heads / self.config.kv_heads;
        let k = repeat_heads(k, groups)?;
        let v = repeat_heads(v, groups)?;
        let scale = 1.0 / (self.config.head_dim() as f64).sqrt();
        let scores = ((q * scale)?.matmul(&k.transpose(1, 2)?)?.broadcast_add(mask))?;
        ops::softmax(&scores, D::Minus1)?
            .matmul(&v)?
            .transpose(0, 1)?
            .reshape((mask.dim(0)?, self.config.hidden))
    }

    fn rms_norm(&self, x: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
        ops::rms_norm_slow(x, weight, self.config.norm_eps as f32)
    }

    /// Cosines and sines of the rotary embedding, `[tokens, head_dim / 2]`.
    fn rotation(&self, positions: &[u32]) -> Result<(Tensor, Tensor)> {
        let (cos, sin): (Vec<f32>, Vec<f32>) = self.config.angles(positions).into_iter().unzip();
        let half = self.config.head_dim() / 2;
        let shape = (positions.len(), half);
        Ok((
            Tensor::from_vec(cos, shape, &Device::Cpu)?,
            Tensor::from_vec(sin, shape, &Device::Cpu)?,
        ))
    }
}

fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> candle_core::Result<Tensor> {
    let half = x.dim(2)? / 2;
    let a = x.narrow(2, 0, half)?;
    let b = x.narrow(2, half, half)?;
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

/// The attention mask of a tree, `[tokens, tokens]`: 0 where a token may look, -inf elsewhere.
fn tree_mask(parents: &[Option<usize>]) -> Result<Tensor> {
    let width = parents.len();
    let mut mask = vec![f32::NEG_INFINITY; width * width];
    for (i, parent) in parents.iter().enumerate() {
        let (before, row) = mask.split_at_mut(i * width);
        if let Some(p) = parent {
            row[..width].copy_from_slice(&before[p * width..(p + 1) * width]);
        }
        row[i] = 0.0;
    }
    Ok(Tensor::from_vec(mask, (width, width), &Device::Cpu)?)
}
