//! A model on a device at inference: what [`Decoder`](crate::model::decoder::Decoder) is there, its keys and
//! values too.

use candle_core::Tensor;

use super::Device;
use super::network::{ByWindow, Network, Turns, attend};
use crate::control::Cancel;
use crate::error::Result;
use crate::model::cache::{Above, Cache};
use crate::model::config::{Config, Layout};
use crate::model::decoder::Growth;
use crate::model::matrix::Matrix;

/// The weights, in the order of [`Config::tensors`], in f32 whatever they were read as.
#[derive(Debug)]
pub(in crate::model) struct Resident {
    device: Device,
    tensors: Vec<Tensor>,
}

impl Resident {
    /// Takes weights of these shapes there, one after the other.
    pub fn new(
        device: Device,
        shapes: &[(String, Vec<usize>)],
        weights: impl Iterator<Item = Result<Matrix>>,
    ) -> Result<Self> {
        let take = |(matrix, (_, shape)): (Result<Matrix>, &(String, Vec<usize>))| {
            let matrix = matrix?;
            let mut numbers = Vec::new();
            matrix.numbers(0..matrix.rows(), &mut numbers);
            Ok(Tensor::from_vec(numbers, shape.as_slice(), &device.candle)?)
        };
        let tensors = weights.zip(shapes).map(take).collect::<Result<_>>()?;
        Ok(Self { device, tensors })
    }

    /// Bytes of its weights.
    pub fn bytes(&self) -> usize {
        self.tensors.iter().map(|tensor| 4 * tensor.elem_count()).sum()
    }

    fn network<'a>(&'a self, config: &'a Config) -> Network<'a> {
        Network { config, layout: Layout::of(config), tensors: &self.tensors, adapter: None }
    }

    /// Logits of hidden states after the last norm: `[n, hidden]` to `[n, vocab]`.
    pub fn logits(&self, config: &Config, hidden: &[f32]) -> Result<Vec<f32>> {
        if hidden.is_empty() {
            return Ok(Vec::new());
        }
        let shape = (hidden.len() / config.hidden, config.hidden);
        let hidden = Tensor::from_slice(hidden, shape, &self.device.candle)?;
        Ok(self.network(config).logits(&hidden)?.flatten_all()?.to_vec1()?)
    }

    /// Computes new nodes of some caches, which know them already; their hidden states after the last norm,
    /// `[tokens, hidden]`.
    pub fn extend(
        &self,
        config: &Config,
        growths: &mut [Growth<'_>],
        positions: &[u32],
        cancel: &Cancel,
    ) -> Result<Vec<f32>> {
        let device = &self.device.candle;
        let network = self.network(config);
        let tokens: Vec<u32> = growths.iter().flat_map(|growth| growth.tokens).copied().collect();
        let turns = Turns::new(config, positions, device)?;
        let mut grown: Vec<&mut Growth<'_>> =
            growths.iter_mut().filter(|growth| !growth.tokens.is_empty()).collect();
        let above: Vec<Vec<Above>> = grown.iter().map(|growth| growth.cache.above()).collect();
        let masks = grown.iter().map(|growth| masks(config, growth, device));
        let masks: Vec<ByWindow<Tensor>> = masks.collect::<Result<_>>()?;
        let mut x = network.embed(&Tensor::new(tokens.as_slice(), device)?)?;
        for layer in 0..config.layers {
            cancel.check()?;
            x = network.layer(layer, &x, &turns, |[q, k, v]| {
                let mut mixed = Vec::with_capacity(grown.len());
                let mut first = 0;
                for ((growth, above), masks) in grown.iter_mut().zip(&above).zip(&masks) {
                    let count = growth.tokens.len();
                    let part = |x: &Tensor| x.narrow(1, first, count)?.contiguous();
                    growth.cache.append_there(layer, [part(&k)?, part(&v)?])?;
                    let [keys, values] = seen(growth.cache, above, layer)?;
                    let mask = masks.of(config, layer)?;
                    mixed.push(attend(config, [part(&q)?, keys, values], mask)?);
                    first += count;
                }
                Ok(Tensor::cat(&mixed, 1)?)
            })?;
        }
        Ok(network.last(&x)?.flatten_all()?.to_vec1()?)
    }
}

/// Keys and values of a layer, of the nodes above a cache and its own: `[kv_heads, nodes, dim]`.
fn seen(cache: &Cache, above: &[Above], layer: usize) -> Result<[Tensor; 2]> {
    let side = |side: usize| -> Result<Tensor> {
        let mut pieces = Vec::with_capacity(above.len() + 1);
        for (segment, used) in above.iter().filter(|(_, used)| *used > 0) {
            pieces.push(segment.rows.there[layer][side].narrow(1, 0, *used)?);
        }
        pieces.push(cache.rows.there[layer][side].clone());
        Ok(Tensor::cat(&pieces, 1)?.contiguous()?)
    };
    Ok([side(0)?, side(1)?])
}

/// Which nodes the new ones of a cache see, those above and its own, by each window that layers have:
/// `[1, new, nodes]`, 0 where one is seen and -inf elsewhere.
fn masks(
    config: &Config,
    growth: &Growth<'_>,
    device: &candle_core::Device,
) -> Result<ByWindow<Tensor>> {
    let cache = &*growth.cache;
    let past = cache.len() - growth.tokens.len();
    let depth = cache.depth();
    let width = depth + cache.len();
    ByWindow::new(config, |window| {
        let mut mask = vec![f32::NEG_INFINITY; growth.tokens.len() * width];
        for (row, node) in mask.chunks_exact_mut(width).zip(past..) {
            // Its path from the root, itself the last, of which it sees the end.
            let own = cache.seen(node).iter().cloned().flatten().map(|own| depth + own);
            let path = cache.position(node) + 1;
            let hidden = path.saturating_sub(window.unwrap_or(path));
            (0..depth).chain(own).skip(hidden).for_each(|at| row[at] = 0.0);
        }
        let shape = (1, growth.tokens.len(), width);
        Ok(Tensor::from_vec(mask, shape, device)?)
    })
}
