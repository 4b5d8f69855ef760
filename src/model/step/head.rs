//! The last norm and the logits: what targets cost, and the gradient of the last layer's output.

use rayon::prelude::*;

use super::back::LinearGrad;
use super::{Loss, Step, Way};
use crate::model::kernels::{cross_entropy, rms_norm, scale};
use crate::model::params::Buffers;
use crate::model::tree::TokenTree;
use crate::model::workspace::Scratch;

/// Logits that exist at once (64 MB), however many targets there are.
pub(in crate::model) const LOGITS: usize = 1 << 24;

impl<'a> Step<'a> {
    fn norm(&self, x: &[f32], tensor: usize) -> (Scratch<'a>, Vec<f32>) {
        let mut out = self.workspace.take(x.len());
        let scales = rms_norm(&mut out, x, &self.weights[tensor], self.config.norm_eps as f32);
        (out, scales)
    }

    /// Adds what the targets of this part's tokens cost to `loss`, wherever they stand, and
    /// returns, with `grads`, the gradient of the last layer's output, `[T, h]`. Logits exist for
    /// the parents of targets only, and for some of them at a time.
    pub(super) fn head(
        &self,
        tree: &TokenTree,
        x: &[f32],
        mut grads: Option<&mut Buffers>,
        loss: &mut Loss,
    ) -> Scratch<'a> {
        let h = self.config.hidden;
        let vocab = self.config.vocab;
        let mut rows = Vec::new();
        let mut nodes = Vec::new();
        let mut targets = Vec::new();
        let mut weights = Vec::new();
        for (node, parent) in tree.targets(&self.own) {
            rows.push(parent - self.own.start);
            nodes.push(node);
            targets.push(tree.tokens[node]);
            weights.push(tree.weights[node]);
        }
        if rows.is_empty() {
            return self.workspace.zeros(x.len());
        }
        let norm = self.layout.norm(self.config.layers);
        let head = if self.config.tied { 0 } else { norm + 1 };
        let mut picked = self.workspace.take(rows.len() * h);
        for (row, picked) in rows.iter().zip(picked.chunks_exact_mut(h)) {
            picked.copy_from_slice(&x[row * h..(row + 1) * h]);
        }
        let (mut normed, scales) = self.norm(&picked, norm);
        // A multiplier of logits stands before what goes into the head.
        scale(&mut normed, self.config.scales.logits);
        let forward = self.linear(head, h, Way::Forward);
        let back = grads.is_some().then(|| self.linear(head, h, Way::Back));
        let mut nats = Vec::with_capacity(rows.len());
        let mut dnormed = self.workspace.take(normed.len());
        let chunk = (LOGITS / vocab).clamp(64, 2048);
        for (i, normed) in normed.chunks(chunk * h).enumerate() {
            let at = i * chunk..i * chunk + normed.len() / h;
            let part = at.len().div_ceil((at.len() / 128).clamp(2, 8));
            let mut logits = self.workspace.take(at.len() * vocab);
            let dnormed = &mut dnormed[at.start * h..at.end * h];
            let costs: Vec<Vec<f32>> = (
                (
                    normed.par_chunks(part * h),
                    logits.par_chunks_mut(part * vocab),
                    dnormed.par_chunks_mut(part * h),
                ),
                (targets[at.clone()].par_chunks(part), weights[at].par_chunks(part)),
            )
                .into_par_iter()
                .with_max_len(1)
                .map(|((normed, logits, dnormed), (targets, weights))| {
                    self.operand(normed, h).through(&forward, logits, false);
                    let costs = cross_entropy(logits, targets, weights, vocab);
                    if let Some(back) = &back {
                        self.operand(logits, vocab).through(back, dnormed, false);
                    }
                    costs
                })
                .collect();
            nats.extend(costs.into_iter().flatten());
            if let (Some(grads), None) = (&mut grads, self.adapter) {
                self.add_weight_grads(
                    grads,
                    &[LinearGrad {
                        tensor: head,
                        dout: &logits,
                        width: vocab,
                        x: &self.inputs(normed, h),
                    }],
                );
            }
        }
        let costs = nats.iter().zip(&weights).map(|(nats, weight)| f64::from(nats * weight));
        loss.total += costs.sum::<f64>();
        loss.nll.extend(nodes.into_iter().zip(nats));
        let Some(grads) = grads else { return self.workspace.take(0) };
        scale(&mut dnormed, self.config.scales.logits);
        let mut dpicked = self.workspace.zeros(picked.len());
        let gain = self.norm_back(norm, &mut dpicked, &dnormed, &picked, &scales);
        self.add_gain_grad(grads, norm, &[gain]);
        let mut dx = self.workspace.zeros(x.len());
        for (row, d) in rows.iter().zip(dpicked.chunks_exact(h)) {
            dx[row * h..(row + 1) * h].iter_mut().zip(d).for_each(|(x, d)| *x += d);
        }
        dx
    }
}
