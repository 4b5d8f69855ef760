//! Loss and gradients of a batch by candle's autograd.
//!
//! A graph exists of one layer at a time: the way up keeps what went into each layer, the way down computes
//! the layer again and takes `∂(y · dy)/∂(x, w)` of it (activation checkpointing, Chen et al., 2016). candle's
//! graph of a whole decoder would hold some twenty intermediate results a layer, and the gradients of frozen
//! weights as well.

use std::ops::Range;

use candle_core::backprop::GradStore;
use candle_core::{D, Tensor, Var};
use candle_nn::ops;

use super::Device;
use super::network::{Network, Sight, Turns};
use crate::control::Cancel;
use crate::error::{Error, Result};
use crate::model::config::Layout;
use crate::model::params::Buffers;
use crate::model::parts::Parts;
use crate::model::step::{LOGITS, Loss, Net, Products, check};

/// A network's weights on a device, and what was summed up of their gradients.
pub(in crate::model) struct Loaded<'a> {
    net: Net<'a>,
    device: &'a Device,
    layout: Layout,
    /// The model's weights, outside any graph.
    plain: Vec<Tensor>,
    /// Those of an adapter, outside any graph.
    pairs: Vec<Tensor>,
    /// What is trained, in the order of [`Net::shapes`]: variables.
    trained: Vec<Tensor>,
    /// The gradients so far.
    sums: Vec<Option<Tensor>>,
}

/// The tokens of a pass: a part and what stands above it.
struct Own {
    /// `[T]`.
    tokens: Tensor,
    sight: Sight,
    turns: Turns,
    /// Of each target whose cost is of this pass: its parent's row, its token, its weight, its place in the
    /// tree.
    targets: Vec<(u32, u32, f32, usize)>,
}

impl<'a> Loaded<'a> {
    /// Takes the weights there as they are now.
    pub fn new(net: Net<'a>, device: &'a Device) -> Result<Self> {
        if net.products != Products::F32 {
            return Err(Error::new("rounded operands (--bf16) on a device of candle"));
        }
        let trained = net.adapter.map_or(net.weights, |adapter| &adapter.weights);
        let variable = |((_, shape), data): (&(String, Vec<usize>), &Vec<f32>)| {
            Ok(Var::from_slice(data, shape.as_slice(), &device.candle)?.into_inner())
        };
        let trained: Vec<Tensor> =
            net.shapes().iter().zip(trained).map(variable).collect::<Result<_>>()?;
        let detached = trained.iter().map(Tensor::detach).collect();
        let (plain, pairs) = match net.adapter {
            Some(_) => (device.frozen(net.config, net.weights)?.to_vec(), detached),
            None => (detached, Vec::new()),
        };
        let sums = vec![None; trained.len()];
        Ok(Self { net, device, layout: Layout::of(net.config), plain, pairs, trained, sums })
    }

    /// Loss of a tree's targets; with `gradient`, their gradients are added to the sums. What the parts of a
    /// tree share is computed with each of them.
    pub fn step(&mut self, parts: &Parts, gradient: bool, cancel: &Cancel) -> Result<Loss> {
        check(self.net, parts)?;
        let mut loss = Loss::default();
        let all = std::iter::once(0..parts.shared()).chain(parts.below());
        for part in all.filter(|part| !part.is_empty()) {
            self.pass(parts, part, gradient, &mut loss, cancel)?;
        }
        Ok(loss)
    }

    /// The gradients, added to those that are here.
    pub fn add_to(self, grads: &mut Buffers) -> Result<()> {
        for (sum, grads) in self.sums.into_iter().zip(grads) {
            let Some(sum) = sum else { continue };
            let there = sum.flatten_all()?.to_vec1::<f32>()?;
            grads.iter_mut().zip(there).for_each(|(grad, more)| *grad += more);
        }
        Ok(())
    }

    fn own(&self, parts: &Parts, own: &Range<usize>) -> Result<Own> {
        let tree = &parts.tree;
        let (above, seen, parents) = parts.below_shared(own);
        let at = tree.positions();
        let positions: Vec<u32> = seen.iter().map(|token| at[*token]).collect();
        let tokens: Vec<u32> = seen.iter().map(|token| tree.tokens[*token]).collect();
        let targets = tree.targets(own).map(|(node, parent)| {
            let row = above + parent - own.start;
            (row as u32, tree.tokens[node], tree.weights[node], node)
        });
        Ok(Own {
            tokens: Tensor::new(tokens.as_slice(), &self.device.candle)?,
            sight: Sight::new(self.net.config, &parents, &self.device.candle)?,
            turns: Turns::new(self.net.config, &positions, &self.device.candle)?,
            targets: targets.collect(),
        })
    }

    /// A part up and down.
    fn pass(
        &mut self,
        parts: &Parts,
        part: Range<usize>,
        gradient: bool,
        loss: &mut Loss,
        cancel: &Cancel,
    ) -> Result<()> {
        let own = self.own(parts, &part)?;
        if own.targets.is_empty() {
            return Ok(());
        }
        let mut x = self.plain().embed(&own.tokens)?;
        let mut inputs = Vec::new();
        for layer in 0..self.net.config.layers {
            cancel.check()?;
            let y = self.layer(&self.plain(), layer, &x, &own)?;
            if gradient {
                inputs.push(x);
            }
            x = y;
        }
        let mut dx = self.head(&x, &own.targets, gradient, loss)?;
        for (layer, input) in inputs.into_iter().enumerate().rev() {
            cancel.check()?;
            let input = Var::from_tensor(&input)?;
            let y = self.layer(&self.tracked(), layer, input.as_tensor(), &own)?;
            let mut grads = (y * dx)?.sum_all()?.backward()?;
            self.collect(&mut grads)?;
            dx = taken(&mut grads, &input)?;
        }
        if gradient && self.net.adapter.is_none() {
            let dx = (dx * f64::from(self.net.config.scales.embedding))?;
            let zeros = self.plain[0].zeros_like()?;
            self.add(0, zeros.index_add(&own.tokens, &dx, 0)?)?;
        }
        Ok(())
    }

    fn layer(&self, by: &Network<'_>, layer: usize, x: &Tensor, own: &Own) -> Result<Tensor> {
        let attend = |of| own.sight.attend(self.net.config, layer, of);
        by.layer(layer, x, &own.turns, attend)
    }

    /// What targets cost, and the gradient of what the last layer gave, `[T, hidden]`. Logits exist for the
    /// parents of some targets at a time.
    fn head(
        &mut self,
        x: &Tensor,
        targets: &[(u32, u32, f32, usize)],
        gradient: bool,
        loss: &mut Loss,
    ) -> Result<Tensor> {
        let device = &self.device.candle;
        let mut dx = x.zeros_like()?;
        for targets in targets.chunks((LOGITS / self.net.config.vocab).clamp(64, 2048)) {
            let count = targets.len();
            let rows: Vec<u32> = targets.iter().map(|(row, ..)| *row).collect();
            let rows = Tensor::from_vec(rows, count, device)?;
            let tokens: Vec<u32> = targets.iter().map(|(_, token, ..)| *token).collect();
            let tokens = Tensor::from_vec(tokens, (count, 1), device)?;
            let weights: Vec<f32> = targets.iter().map(|(.., weight, _)| *weight).collect();
            let weights = Tensor::from_vec(weights, count, device)?;
            let hidden = Var::from_tensor(&x.index_select(&rows, 0)?)?;
            let logits = self.tracked().logits(&self.tracked().last(hidden.as_tensor())?)?;
            let log_probs = ops::log_softmax(&logits, D::Minus1)?;
            let nats = log_probs.gather(&tokens, 1)?.squeeze(1)?.neg()?;
            for ((.., weight, node), nats) in targets.iter().zip(nats.to_vec1::<f32>()?) {
                // As here: rounding does not make a target cost less than nothing.
                let nats = nats.max(0.0);
                loss.total += f64::from(nats * weight);
                loss.nll.push((*node, nats));
            }
            if gradient {
                let mut grads = (nats * weights)?.sum_all()?.backward()?;
                self.collect(&mut grads)?;
                dx = dx.index_add(&rows, &taken(&mut grads, &hidden)?, 0)?;
            }
        }
        Ok(dx)
    }

    /// Outside any graph.
    fn plain(&self) -> Network<'_> {
        self.network(&self.plain, &self.pairs)
    }

    /// With what is trained as variables of a graph.
    fn tracked(&self) -> Network<'_> {
        match self.net.adapter {
            Some(_) => self.network(&self.plain, &self.trained),
            None => self.network(&self.trained, &[]),
        }
    }

    fn network<'b>(&'b self, tensors: &'b [Tensor], pairs: &'b [Tensor]) -> Network<'b> {
        let adapter = self.net.adapter.map(|adapter| (adapter, pairs));
        Network { config: self.net.config, layout: self.layout, tensors, adapter }
    }

    /// Takes what is trained out of a graph's gradients into the sums.
    fn collect(&mut self, grads: &mut GradStore) -> Result<()> {
        for at in 0..self.trained.len() {
            if let Some(grad) = grads.remove(&self.trained[at]) {
                self.add(at, grad)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, at: usize, grad: Tensor) -> Result<()> {
        let sum = &mut self.sums[at];
        *sum = Some(match sum.take() {
            Some(sum) => (sum + grad)?,
            None => grad,
        });
        Ok(())
    }
}

/// The gradient of what went in.
fn taken(grads: &mut GradStore, input: &Var) -> Result<Tensor> {
    grads.remove(input.as_tensor()).ok_or_else(|| Error::new("a layer that nothing goes through"))
}
