//! The backward pass of a layer: what its output costs, turned into what its input and weights cost.

use rayon::prelude::*;

use super::{DOWN, GATE, INPUT_NORM, K, O, POST_NORM, Q, Saved, Step, UP, V};
use crate::model::kernels::{
    Attention, mul_nn, mul_nt, mul_tn, rms_norm, rms_norm_back, rope, swiglu, swiglu_back,
};
use crate::model::params::Buffers;
use crate::model::team::yield_to_interactive;

/// Weights whose gradient is one task.
const TASK: usize = 1 << 17;

/// A linear layer whose weight needs its gradient: the gradient of its outputs, `width` a row, and
/// its inputs.
pub(super) struct LinearGrad<'a> {
    pub tensor: usize,
    pub dout: &'a [f32],
    pub width: usize,
    pub x: &'a [f32],
}

impl Step<'_> {
    /// Adds the gradients of weights, or of the adapters beside them: a task for each piece of a
    /// weight.
    pub(super) fn add_weight_grads(&self, grads: &mut Buffers, jobs: &[LinearGrad<'_>]) {
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
    pub(super) fn norm_back(
        &self,
        tensor: usize,
        dx: &mut [f32],
        dout: &[f32],
        x: &[f32],
        scales: &[f32],
    ) -> Vec<f32> {
        let gain = &self.weights[tensor];
        let mut dgain = vec![0.0; gain.len()];
        rms_norm_back(dx, &mut dgain, dout, x, gain, scales);
        dgain
    }

    /// Adds the gradients of a gain that the tasks computed, in the order of the tasks.
    pub(super) fn add_gain_grad(&self, grads: &mut Buffers, tensor: usize, parts: &[Vec<f32>]) {
        if self.adapter.is_none() {
            for part in parts {
                grads[tensor].iter_mut().zip(part).for_each(|(sum, more)| *sum += more);
            }
        }
    }

    /// Turns the gradient of a layer's output into the gradient of its input.
    pub(super) fn layer_back(
        &self,
        layer: usize,
        saved: Saved,
        dx: &mut [f32],
        grads: &mut Buffers,
    ) {
        let h = self.config.hidden;
        let kv = self.kv();
        let inner = self.config.intermediate;
        let part = self.part;
        let half = self.config.head_dim() / 2;
        let at = |tensor| Self::at(layer, tensor);
        let weights = self.effective_weights(layer);
        let eps = self.config.norm_eps as f32;
        let Saved {
            input,
            input_scales,
            q,
            k,
            v,
            mixed,
            middle,
            middle_scales,
            normed,
            mut gate,
            mut up,
        } = saved;
        let mut through = vec![0.0; gate.len()];
        let dout = dx.to_vec();
        let mut dmixed = vec![0.0; dx.len()];
        let gains: Vec<Vec<f32>> = (
            (
                gate.par_chunks_mut(part * inner),
                up.par_chunks_mut(part * inner),
                through.par_chunks_mut(part * inner),
            ),
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
        self.add_gain_grad(grads, at(POST_NORM), &gains);
        self.add_weight_grads(
            grads,
            &[
                LinearGrad { tensor: at(DOWN), dout: &dout, width: h, x: &through },
                LinearGrad { tensor: at(GATE), dout: &gate, width: inner, x: &normed },
                LinearGrad { tensor: at(UP), dout: &up, width: inner, x: &normed },
                LinearGrad { tensor: at(O), dout: dx, width: h, x: &mixed },
            ],
        );
        drop((through, gate, up, dout, mixed, middle));

        let mut dq = vec![0.0; q.len()];
        let mut dk = vec![0.0; k.len()];
        let mut dv = vec![0.0; v.len()];
        let attention =
            Attention { chains: &self.chains, heads: self.heads(), q: &q, k: &k, v: &v };
        attention.backward(&dmixed, &mut dq, &mut dk, &mut dv);
        let mut normed = normed;
        let gains: Vec<Vec<f32>> = (
            (dq.par_chunks_mut(part * h), dk.par_chunks_mut(part * kv), dv.par_chunks(part * kv)),
            (dx.par_chunks_mut(part * h), normed.par_chunks_mut(part * h)),
            (
                input.par_chunks(part * h),
                input_scales.par_chunks(part),
                self.angles.par_chunks(part * half),
            ),
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
        self.add_gain_grad(grads, at(INPUT_NORM), &gains);
        self.add_weight_grads(
            grads,
            &[
                LinearGrad { tensor: at(Q), dout: &dq, width: h, x: &normed },
                LinearGrad { tensor: at(K), dout: &dk, width: kv, x: &normed },
                LinearGrad { tensor: at(V), dout: &dv, width: kv, x: &normed },
            ],
        );
    }
}
