//! The decoder in plain operations of candle, with its autograd: what our own forward and backward
//! passes are tested against, and the way to other devices.

use std::collections::HashMap;

use candle_core::{D, Device, Tensor};
use candle_nn::ops;

use super::config::{Config, Layout, Slot};
use super::tree::TokenTree;
use crate::error::{Error, Result};

/// A decoder on the CPU in f32, of every family that is trained.
#[derive(Debug)]
pub struct Reference {
    /// Its shape.
    pub config: Config,
    /// In the order of [`Config::tensors`].
    tensors: Vec<Tensor>,
    layout: Layout,
}

impl Reference {
    /// A decoder over `tensors`, named and shaped as [`Config::tensors`] lists.
    pub fn new(config: Config, tensors: &HashMap<String, Tensor>) -> Result<Self> {
        config.trains()?;
        let mut all = Vec::new();
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
            all.push(found.clone());
        }
        Ok(Self { layout: Layout::of(&config), tensors: all, config })
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
        let norm = self.layout.norm(self.config.layers);
        let head = &self.tensors[if self.config.tied { 0 } else { norm + 1 }];
        Ok((hidden.matmul(&head.t()?)? * f64::from(self.config.scales.logits))?)
    }

    /// A linear layer, with its bias where it has one.
    fn linear(&self, layer: usize, (weight, bias): (Slot, Slot), x: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.tensors[self.layout.at(layer, weight)].t()?)?;
        match self.layout.find(layer, bias) {
            Some(bias) => Ok(y.broadcast_add(&self.tensors[bias])?),
            None => Ok(y),
        }
    }

    /// The norm of a slot, where the layer has it.
    fn normed(&self, layer: usize, slot: Slot, x: &Tensor) -> Result<Tensor> {
        match self.layout.find(layer, slot) {
            Some(gain) => Ok(self.rms_norm(x, &self.tensors[gain])?),
            None => Ok(x.clone()),
        }
    }

    /// Hidden states after the last norm, `[tokens, hidden]`.
    fn forward(&self, tree: &TokenTree) -> Result<Tensor> {
        let config = &self.config;
        let residual = f64::from(config.scales.residual);
        let tokens = Tensor::new(tree.tokens.as_slice(), &Device::Cpu)?;
        let mut x = self.tensors[0].index_select(&tokens, 0)?;
        x = (x * f64::from(config.scales.embedding))?;
        for layer in 0..config.layers {
            let h = self.normed(layer, Slot::InputNorm, &x)?;
            let mixed = self.mixed(layer, &h, tree)?;
            let mixed = self.linear(layer, (Slot::O, Slot::OBias), &mixed)?;
            x = (&x + (mixed * residual)?)?;
            let h = self.normed(layer, Slot::PostNorm, &x)?;
            let gate = ops::silu(&self.linear(layer, (Slot::Gate, Slot::GateBias), &h)?)?;
            let up = self.linear(layer, (Slot::Up, Slot::UpBias), &h)?;
            let given = self.linear(layer, (Slot::Down, Slot::DownBias), &(gate * up)?)?;
            x = (&x + (given * residual)?)?;
        }
        Ok(self.rms_norm(&x, &self.tensors[self.layout.norm(config.layers)])?)
    }

    /// What each token takes from those that it sees, `[tokens, heads · dim]`.
    fn mixed(&self, layer: usize, h: &Tensor, tree: &TokenTree) -> Result<Tensor> {
        let config = &self.config;
        let count = tree.len();
        let attends = config.attends[layer];
        let heads = |x: Tensor, n: usize| {
            x.reshape((count, n, config.head_dim))?.transpose(0, 1)?.contiguous()
        };
        let side = |weight, bias, norm, n| -> Result<Tensor> {
            let x = heads(self.linear(layer, (weight, bias), h)?, n)?;
            let x = self.normed(layer, norm, &x)?;
            let Some(rope) = attends.rope else { return Ok(x) };
            let (cos, sin) = self.rotation(rope, &tree.positions())?;
            Ok(rotate(&x, &cos, &sin)?)
        };
        let q = side(Slot::Q, Slot::QBias, Slot::QNorm, config.heads)?;
        let k = side(Slot::K, Slot::KBias, Slot::KNorm, config.kv_heads)?;
        let v = heads(self.linear(layer, (Slot::V, Slot::VBias), h)?, config.kv_heads)?;
        let groups = config.heads / config.kv_heads;
        let (k, v) = (repeat_heads(&k, groups)?, repeat_heads(&v, groups)?);
        let mask = tree_mask(&tree.parents, attends.window)?;
        let scale = f64::from(config.attention_scale());
        let scores = (q * scale)?.matmul(&k.transpose(1, 2)?)?.broadcast_add(&mask)?;
        let mixed = ops::softmax(&scores, D::Minus1)?.matmul(&v)?;
        Ok(mixed.transpose(0, 1)?.reshape((count, config.queries()))?)
    }

    fn rms_norm(&self, x: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
        ops::rms_norm_slow(x, weight, self.config.norm_eps as f32)
    }

    /// Cosines and sines of the rotary embedding, `[tokens, head_dim / 2]`.
    fn rotation(&self, rope: usize, positions: &[u32]) -> Result<(Tensor, Tensor)> {
        let dim = self.config.head_dim;
        let angles = self.config.ropes[rope].angles(dim, positions);
        let (cos, sin): (Vec<f32>, Vec<f32>) = angles.into_iter().unzip();
        let half = dim / 2;
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

/// The attention mask of a tree, `[tokens, tokens]`: 0 where a token may look (itself and its
/// ancestors, the nearest `window` of them), -inf elsewhere.
fn tree_mask(parents: &[Option<usize>], window: Option<usize>) -> Result<Tensor> {
    let width = parents.len();
    let mut mask = vec![f32::NEG_INFINITY; width * width];
    for i in 0..width {
        let mut at = Some(i);
        for _ in 0..window.unwrap_or(width) {
            let Some(seen) = at else { break };
            mask[i * width + seen] = 0.0;
            at = parents[seen];
        }
    }
    Ok(Tensor::from_vec(mask, (width, width), &Device::Cpu)?)
}
