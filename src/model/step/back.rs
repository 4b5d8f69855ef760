//! The backward pass of a layer: what its output costs, turned into what its input and weights
//! cost.

use rayon::prelude::*;

use super::{Attended, Gated, LayerWeights, Products, Saved, Shared, Slot, Step, Way};
use crate::model::kernels::bf16::product;
use crate::model::kernels::{
    Matrix, add_rows_to, mul_nn, mul_nt, mul_tn, rms_norm, rms_norm_back, scale, swiglu,
    swiglu_back,
};
use crate::model::params::Buffers;
use crate::model::team::yield_to_interactive;
use crate::model::workspace::{Pack, Scratch};

/// Weights whose gradient is one task.
const TASK: usize = 1 << 17;

/// A linear layer whose weight needs its gradient: the gradient of its outputs, `width` a row, and
/// its inputs.
pub(super) struct LinearGrad<'a> {
    pub tensor: usize,
    pub dout: &'a [f32],
    pub width: usize,
    pub x: &'a Inputs<'a, 'a>,
}

/// What goes into linear layers, as their weights' gradients need it: made ready once for all that
/// share it.
pub(super) struct Inputs<'a, 'b> {
    rows: &'b [f32],
    packed: Option<Pack<'a>>,
}

impl<'a> Step<'a> {
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
                let x = job.x.rows;
                let rows = job.dout.len() / job.width;
                let mut up = self.workspace.take(rows * rank);
                let mut low = self.workspace.take(rows * rank);
                mul_nn(&mut up, job.dout, &adapter.weights[2 * i + 1], job.width, false);
                mul_nt(&mut low, x, &adapter.weights[2 * i], x.len() / rows, false);
                up.iter_mut().chain(low.iter_mut()).for_each(|value| *value *= adapter.scale());
                mul_tn(&mut pair[0], (&up, rank), 0, x);
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
            let Some(right) = &job.x.packed else {
                return mul_tn(out, (job.dout, job.width), from, job.x.rows);
            };
            let rows = out.len() / right.columns();
            let mut left = self.workspace.pack();
            left.left_of_columns(Matrix { data: job.dout, width: job.width }, from..from + rows);
            product(out, &left, right, true);
        });
    }

    /// Rows of `width` numbers that go into some linear layers.
    pub(super) fn inputs<'b>(&self, rows: &'b [f32], width: usize) -> Inputs<'a, 'b> {
        // An adapter's gradients are in f32.
        let packs = self.products == Products::Bf16 && self.adapter.is_none();
        let packed = packs.then(|| {
            let mut packed = self.workspace.pack();
            packed.right(Matrix { data: rows, width }, 0..width);
            packed
        });
        Inputs { rows, packed }
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

    /// Adds the gradient of a bias, where the layer has one: `by` times the sum of `dout`'s rows.
    fn add_bias_grad(
        &self,
        grads: &mut Buffers,
        layer: usize,
        (slot, dout): (Slot, &[f32]),
        by: f32,
    ) {
        if let (None, Some(at)) = (self.adapter, self.layout.find(layer, slot)) {
            add_rows_to(&mut grads[at], dout, by);
        }
    }

    /// Turns the gradient `dx` of a layer's output, `[T, h]`, into that of its input, and adds the
    /// gradients of its weights.
    pub(super) fn layer_back(
        &self,
        layer: usize,
        saved: Saved<'_>,
        dx: &mut [f32],
        shared: Option<&mut Shared<'_>>,
        grads: &mut Buffers,
    ) {
        let w = self.layer_weights(layer, Way::Back);
        let Saved { attended, gated } = saved;
        let dmixed = self.gate_back(layer, &w, gated, dx, grads);
        let dqkv = self.mixing_back(layer, &attended, &dmixed, shared);
        self.attention_back(layer, &w, attended, dqkv, dx, grads);
    }

    /// Back through the half that looks at each token alone. With `y = x + DOWN · t`,
    /// `t = silu(g) ∘ u`, `g = GATE · n`, `u = UP · n`, `n = norm(x)` and `x = x₀ + O · mixed`:
    /// `dt = DOWNᵀ · dy`, `du = dt ∘ silu(g)`, `dg = dt ∘ u ∘ silu′(g)`,
    /// `dx = dy + norm′(GATEᵀ · dg + UPᵀ · du)`, `dmixed = Oᵀ · dx`; and of the weights
    /// `dDOWN = dyᵀ · t`, `dGATE = dgᵀ · n`, `dUP = duᵀ · n`, `dO = dxᵀ · mixed`.
    fn gate_back(
        &self,
        layer: usize,
        w: &LayerWeights<'_>,
        gated: Gated<'_>,
        dx: &mut [f32],
        grads: &mut Buffers,
    ) -> Scratch<'a> {
        let Gated { mixed, middle, scales, normed, mut gate, mut up } = gated;
        let h = self.config.hidden;
        let (wide, inner) = (self.config.queries(), self.config.intermediate);
        let part = self.part;
        let space = self.workspace;
        let residual = self.config.scales.residual;
        let at = |slot| self.at(layer, slot);
        let dout = space.copy(dx);
        let mut through = space.take(gate.len());
        let mut dmixed = space.take(mixed.len());
        let gains: Vec<Vec<f32>> = (
            (
                gate.par_chunks_mut(part * inner),
                up.par_chunks_mut(part * inner),
                through.par_chunks_mut(part * inner),
            ),
            (dx.par_chunks_mut(part * h), dmixed.par_chunks_mut(part * wide)),
            (middle.par_chunks(part * h), scales.par_chunks(part)),
        )
            .into_par_iter()
            .with_max_len(1)
            .map(|((gate, up, through), (dx, dmixed), (middle, scales))| {
                yield_to_interactive();
                through.copy_from_slice(gate);
                swiglu(through, up);
                scale(through, residual);
                let mut dthrough = space.take(gate.len());
                self.operand(dx, h).through(&w.down, &mut dthrough, false);
                scale(&mut dthrough, residual);
                swiglu_back(gate, up, &dthrough);
                let mut dnormed = space.take(dx.len());
                self.operand(gate, inner).through(&w.gate, &mut dnormed, false);
                self.operand(up, inner).through(&w.up, &mut dnormed, true);
                let gain = self.norm_back(at(Slot::PostNorm), dx, &dnormed, middle, scales);
                self.operand(dx, h).through(&w.o, dmixed, false);
                scale(dmixed, residual);
                gain
            })
            .collect();
        self.add_gain_grad(grads, at(Slot::PostNorm), &gains);
        let normed = self.inputs(&normed, h);
        let jobs = [
            LinearGrad {
                tensor: at(Slot::Down),
                dout: &dout,
                width: h,
                x: &self.inputs(&through, inner),
            },
            LinearGrad { tensor: at(Slot::Gate), dout: &gate, width: inner, x: &normed },
            LinearGrad { tensor: at(Slot::Up), dout: &up, width: inner, x: &normed },
            LinearGrad { tensor: at(Slot::O), dout: dx, width: h, x: &self.inputs(&mixed, wide) },
        ];
        self.add_weight_grads(grads, &jobs);
        self.add_bias_grad(grads, layer, (Slot::DownBias, &dout), residual);
        self.add_bias_grad(grads, layer, (Slot::GateBias, &gate), 1.0);
        self.add_bias_grad(grads, layer, (Slot::UpBias, &up), 1.0);
        self.add_bias_grad(grads, layer, (Slot::OBias, dx), residual);
        dmixed
    }

    /// Back through attention itself (see [`Attention`]): `dq`, `[T, wide]`, `dk` and `dv`,
    /// `[P + T, kv]`, from `dmixed`. What the tokens above cost is added to `shared`; of the first
    /// part, which has none above, what the others added is part of its own.
    fn mixing_back(
        &self,
        layer: usize,
        attended: &Attended<'_>,
        dmixed: &[f32],
        shared: Option<&mut Shared<'_>>,
    ) -> [Scratch<'a>; 3] {
        let space = self.workspace;
        let mut dq = space.take(attended.q.len());
        let mut dk = space.zeros(attended.k.len());
        let mut dv = space.zeros(attended.v.len());
        let above = self.above * self.kv();
        if let (0, Some(shared)) = (above, &shared) {
            dk.copy_from_slice(&shared.dk);
            dv.copy_from_slice(&shared.dv);
        }
        self.attention(layer, attended).backward(dmixed, &mut dq, &mut dk, &mut dv);
        if let Some(shared) = shared {
            let cost = |sums: &mut [f32], more: &[f32]| {
                sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            };
            cost(&mut shared.dk, &dk[..above]);
            cost(&mut shared.dv, &dv[..above]);
        }
        [dq, dk, dv]
    }

    /// Back through the norms of heads, where the family has them: `dq` and `dk` become the
    /// gradients of what went in.
    fn heads_back(
        &self,
        layer: usize,
        attended: &Attended<'_>,
        (dq, dk): (&mut [f32], &mut [f32]),
        grads: &mut Buffers,
    ) {
        let Some(heads) = &attended.heads else { return };
        let sides = [
            (Slot::QNorm, dq, &heads.q, &heads.q_scales),
            (Slot::KNorm, dk, &heads.k, &heads.k_scales),
        ];
        for (slot, d, x, scales) in sides {
            let Some(tensor) = self.layout.find(layer, slot) else { continue };
            let dout = self.workspace.copy(d);
            d.fill(0.0);
            let gain = self.norm_back(tensor, d, &dout, x, scales);
            self.add_gain_grad(grads, tensor, &[gain]);
        }
    }

    /// Back through the layers before attention: `dq`, `dk`, `dv` turned back by their positions;
    /// `dx = dy + norm′(Qᵀ · dq + Kᵀ · dk + Vᵀ · dv)`, and of the weights `dQ = dqᵀ · n`,
    /// `dK = dkᵀ · n`, `dV = dvᵀ · n` with `n = norm(input)`.
    fn attention_back(
        &self,
        layer: usize,
        w: &LayerWeights<'_>,
        attended: Attended<'_>,
        [mut dq, mut dk, dv]: [Scratch<'a>; 3],
        dx: &mut [f32],
        grads: &mut Buffers,
    ) {
        let h = self.config.hidden;
        let (wide, kv) = (self.config.queries(), self.kv());
        let part = self.part;
        let space = self.workspace;
        let eps = self.config.norm_eps as f32;
        let at = |slot| self.at(layer, slot);
        let above = self.above * kv;
        let (dk, dv) = (&mut dk[above..], &dv[above..]);
        self.rotate(layer, &mut dq, dk, true);
        self.heads_back(layer, &attended, (&mut dq, dk), grads);
        let Attended { input, scales, .. } = attended;
        // It was not kept: norming again costs less than another buffer of the pass.
        let mut normed = space.take(input.len());
        let gains: Vec<Vec<f32>> = (
            (dq.par_chunks(part * wide), dk.par_chunks(part * kv), dv.par_chunks(part * kv)),
            (dx.par_chunks_mut(part * h), normed.par_chunks_mut(part * h)),
            (input.par_chunks(part * h), scales.par_chunks(part)),
        )
            .into_par_iter()
            .with_max_len(1)
            .map(|((dq, dk, dv), (dx, normed), (input, scales))| {
                yield_to_interactive();
                let mut dnormed = space.take(dx.len());
                self.operand(dq, wide).through(&w.q, &mut dnormed, false);
                self.operand(dk, kv).through(&w.k, &mut dnormed, true);
                self.operand(dv, kv).through(&w.v, &mut dnormed, true);
                rms_norm(normed, input, w.input_norm, eps);
                self.norm_back(at(Slot::InputNorm), dx, &dnormed, input, scales)
            })
            .collect();
        self.add_gain_grad(grads, at(Slot::InputNorm), &gains);
        let normed = self.inputs(&normed, h);
        let jobs = [
            LinearGrad { tensor: at(Slot::Q), dout: &dq, width: wide, x: &normed },
            LinearGrad { tensor: at(Slot::K), dout: dk, width: kv, x: &normed },
            LinearGrad { tensor: at(Slot::V), dout: dv, width: kv, x: &normed },
        ];
        self.add_weight_grads(grads, &jobs);
        for (slot, dout) in [(Slot::QBias, &*dq), (Slot::KBias, &*dk), (Slot::VBias, dv)] {
            self.add_bias_grad(grads, layer, (slot, dout), 1.0);
        }
    }
}
