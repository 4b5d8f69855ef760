//! The decoder in plain operations of candle, layer by layer.

use candle_core::{D, Tensor};
use candle_nn::ops;

use crate::error::{Error, Result};
use crate::model::config::{Attends, Config, Layout, Slot};
use crate::model::lora::Adapter;

/// Weights on a device, in the order of [`Config::tensors`], and an adapter's in its own.
#[derive(Clone, Copy)]
pub(super) struct Network<'a> {
    pub config: &'a Config,
    pub layout: Layout,
    pub tensors: &'a [Tensor],
    pub adapter: Option<(&'a Adapter, &'a [Tensor])>,
}

/// What tokens see of each other, and where they stand.
pub(super) struct Sight {
    /// Runs of tokens that see nothing of others: where each begins, and its length.
    blocks: Vec<(usize, usize)>,
    /// The mask of each block, `[1, len, len]`, 0 where a token may look and -inf elsewhere.
    masks: ByWindow<Vec<Tensor>>,
}

/// Something for each window that layers have.
pub(super) struct ByWindow<T>(Vec<(Option<usize>, T)>);

impl<T> ByWindow<T> {
    /// Made once for each.
    pub fn new(config: &Config, make: impl Fn(Option<usize>) -> Result<T>) -> Result<Self> {
        let mut all: Vec<(Option<usize>, T)> = Vec::new();
        for Attends { window, .. } in &config.attends {
            if all.iter().all(|(known, _)| known != window) {
                all.push((*window, make(*window)?));
            }
        }
        Ok(Self(all))
    }

    /// That of a layer's.
    pub fn of(&self, config: &Config, layer: usize) -> Result<&T> {
        let window = config.attends[layer].window;
        let found = self.0.iter().find(|(of, _)| *of == window).map(|(_, found)| found);
        found.ok_or_else(|| Error::new("a layer of another model"))
    }
}

/// Of each rotary embedding, cosines and sines of the tokens' positions: `[T, dim / 2]`.
pub(super) struct Turns(Vec<[Tensor; 2]>);

impl Turns {
    /// Of tokens at these places.
    pub fn new(config: &Config, positions: &[u32], device: &candle_core::Device) -> Result<Self> {
        let shape = (positions.len(), config.head_dim / 2);
        let turns = config.angles(positions).into_iter().map(|angles| {
            let (cos, sin): (Vec<f32>, Vec<f32>) = angles.into_iter().unzip();
            Ok([Tensor::from_vec(cos, shape, device)?, Tensor::from_vec(sin, shape, device)?])
        });
        Ok(Self(turns.collect::<Result<_>>()?))
    }
}

impl Sight {
    /// Of tokens by their parents, which stand before them.
    pub fn new(
        config: &Config,
        parents: &[Option<usize>],
        device: &candle_core::Device,
    ) -> Result<Self> {
        let blocks = blocks(parents);
        let masks = ByWindow::new(config, |window| {
            blocks.iter().map(|block| mask(parents, *block, window, device)).collect()
        })?;
        Ok(Self { blocks, masks })
    }

    /// What each token takes from those that it sees in a layer: `[heads, T, dim]`.
    pub fn attend(&self, config: &Config, layer: usize, [q, k, v]: [Tensor; 3]) -> Result<Tensor> {
        let masks = self.masks.of(config, layer)?;
        let mut mixed = Vec::new();
        for ((start, len), mask) in self.blocks.iter().zip(masks) {
            let part = |x: &Tensor| x.narrow(1, *start, *len)?.contiguous();
            mixed.push(attend(config, [part(&q)?, part(&k)?, part(&v)?], mask)?);
        }
        Ok(Tensor::cat(&mixed, 1)?)
    }
}

/// What queries take from values by their keys, under a mask: `[heads, T, dim]`.
pub(super) fn attend(config: &Config, [q, k, v]: [Tensor; 3], mask: &Tensor) -> Result<Tensor> {
    let groups = config.heads / config.kv_heads;
    let (k, v) = (repeat_heads(&k, groups)?, repeat_heads(&v, groups)?);
    let scores = q.matmul(&k.transpose(1, 2)?)?.broadcast_add(mask)?;
    Ok(ops::softmax(&scores, D::Minus1)?.matmul(&v)?)
}

/// Runs of tokens none of which has a parent in another run.
fn blocks(parents: &[Option<usize>]) -> Vec<(usize, usize)> {
    let mut starts = Vec::new();
    let mut reach = usize::MAX;
    for (i, parent) in parents.iter().enumerate().rev() {
        reach = reach.min(parent.unwrap_or(i));
        if reach >= i {
            starts.push(i);
        }
    }
    starts.reverse();
    let ends = starts.iter().skip(1).copied().chain([parents.len()]);
    starts.iter().zip(ends).map(|(start, end)| (*start, end - start)).collect()
}

/// The mask of a block: a token sees itself and its ancestors, the nearest `window` of them.
fn mask(
    parents: &[Option<usize>],
    (start, len): (usize, usize),
    window: Option<usize>,
    device: &candle_core::Device,
) -> Result<Tensor> {
    let mut mask = vec![f32::NEG_INFINITY; len * len];
    for i in 0..len {
        let mut at = Some(start + i);
        for _ in 0..window.unwrap_or(usize::MAX) {
            let Some(seen) = at else { break };
            mask[i * len + seen - start] = 0.0;
            at = parents[seen];
        }
    }
    Ok(Tensor::from_vec(mask, (1, len, len), device)?)
}

impl Network<'_> {
    /// What goes into the first layer, `[T, hidden]`.
    pub fn embed(&self, tokens: &Tensor) -> Result<Tensor> {
        Ok((self.tensors[0].index_select(tokens, 0)? * f64::from(self.config.scales.embedding))?)
    }

    /// A layer: `[T, hidden]` to the same. What queries (scaled), keys and values come to is asked:
    /// `[heads, T, dim]` each to that of queries.
    pub fn layer(
        &self,
        layer: usize,
        x: &Tensor,
        turns: &Turns,
        attend: impl FnOnce([Tensor; 3]) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let residual = f64::from(self.config.scales.residual);
        let h = self.normed(layer, Slot::InputNorm, x)?;
        let mixed = attend(self.project(layer, &h, turns)?)?;
        let mixed = mixed.transpose(0, 1)?.reshape(((), self.config.queries()))?;
        let mixed = self.linear(layer, (Slot::O, Slot::OBias), &mixed)?;
        let mixed = self.normed(layer, Slot::MixedNorm, &mixed)?;
        let x = (x + (mixed * residual)?)?;
        let h = self.normed(layer, Slot::PostNorm, &x)?;
        let gate = self.linear(layer, (Slot::Gate, Slot::GateBias), &h)?;
        let gate = if self.config.is_gemma() { gate.gelu()? } else { ops::silu(&gate)? };
        let up = self.linear(layer, (Slot::Up, Slot::UpBias), &h)?;
        let given = self.linear(layer, (Slot::Down, Slot::DownBias), &(gate * up)?)?;
        let given = self.normed(layer, Slot::GatedNorm, &given)?;
        Ok((x + (given * residual)?)?)
    }

    /// What the last layer gave, normed.
    pub fn last(&self, x: &Tensor) -> Result<Tensor> {
        self.rms_norm(x, &self.tensors[self.layout.norm(self.config.layers)])
    }

    /// Logits of that: `[n, hidden]` to `[n, vocab]`.
    pub fn logits(&self, normed: &Tensor) -> Result<Tensor> {
        let norm = self.layout.norm(self.config.layers);
        let head = &self.tensors[if self.config.tied { 0 } else { norm + 1 }];
        Ok((normed.matmul(&head.t()?)? * f64::from(self.config.scales.logits))?)
    }

    /// A linear layer, with what stands beside it: its bias, and the adapter's `scale · B · A`.
    fn linear(&self, layer: usize, (weight, bias): (Slot, Slot), x: &Tensor) -> Result<Tensor> {
        let at = self.layout.at(layer, weight);
        let mut y = x.matmul(&self.tensors[at].t()?)?;
        if let Some((adapter, pairs)) = self.adapter
            && let Some(pair) = adapter.pair(at)
        {
            let narrow = x.matmul(&pairs[pair].t()?)?;
            let more = narrow.matmul(&pairs[pair + 1].t()?)?;
            y = (y + (more * f64::from(adapter.scale()))?)?;
        }
        match self.layout.find(layer, bias) {
            Some(bias) => Ok(y.broadcast_add(&self.tensors[bias])?),
            None => Ok(y),
        }
    }

    /// The norm of a slot, where the layer has it.
    fn normed(&self, layer: usize, slot: Slot, x: &Tensor) -> Result<Tensor> {
        match self.layout.find(layer, slot) {
            Some(gain) => self.rms_norm(x, &self.tensors[gain]),
            None => Ok(x.clone()),
        }
    }

    /// Queries (scaled), keys and values, `[heads, T, dim]` each.
    fn project(&self, layer: usize, h: &Tensor, turns: &Turns) -> Result<[Tensor; 3]> {
        let config = self.config;
        let attends = config.attends[layer];
        let heads = |x: Tensor, n: usize| {
            x.reshape(((), n, config.head_dim))?.transpose(0, 1)?.contiguous()
        };
        let side = |weight, bias, norm, n| -> Result<Tensor> {
            let x = heads(self.linear(layer, (weight, bias), h)?, n)?;
            let x = self.normed(layer, norm, &x)?;
            let Some(rope) = attends.rope else { return Ok(x) };
            let [cos, sin] = &turns.0[rope];
            Ok(rotate(&x, cos, sin)?)
        };
        let q = (side(Slot::Q, Slot::QBias, Slot::QNorm, config.heads)?
            * f64::from(config.attention_scale()))?;
        let k = side(Slot::K, Slot::KBias, Slot::KNorm, config.kv_heads)?;
        let v = heads(self.linear(layer, (Slot::V, Slot::VBias), h)?, config.kv_heads)?;
        Ok([q, k, v])
    }

    fn rms_norm(&self, x: &Tensor, gain: &Tensor) -> Result<Tensor> {
        Ok(ops::rms_norm_slow(x, gain, self.config.norm_eps as f32)?)
    }
}

/// Turned by positions: `[heads, T, dim]`.
fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> candle_core::Result<Tensor> {
    let half = x.dim(2)? / 2;
    let a = x.narrow(2, 0, half)?;
    let b = x.narrow(2, half, half)?;
    let left = (a.broadcast_mul(cos)? - b.broadcast_mul(sin)?)?;
    let right = (b.broadcast_mul(cos)? + a.broadcast_mul(sin)?)?;
    Tensor::cat(&[left, right], 2)
}

/// Keys or values of each query's head: `[kv_heads, T, dim]` to `[heads, T, dim]`.
fn repeat_heads(x: &Tensor, groups: usize) -> candle_core::Result<Tensor> {
    if groups == 1 {
        return Ok(x.clone());
    }
    let (heads, tokens, dim) = x.dims3()?;
    x.unsqueeze(1)?.expand((heads, groups, tokens, dim))?.reshape((heads * groups, tokens, dim))
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn trees_beside_each_other_are_blocks_of_their_own() {
        let two = [None, Some(0), Some(0), None, Some(3)];
        assert_eq!(blocks(&two), [(0, 3), (3, 2)]);
        // Two trees whose tokens stand between each other's are one block.
        assert_eq!(blocks(&[None, None, Some(0), Some(1), None]), [(0, 4), (4, 1)]);
        assert_eq!(blocks(&[]), []);
    }
}
