//! `AdamW` with decoupled weight decay, f32 throughout.

use rayon::prelude::*;

use super::kernels::kernel;
use super::params::Buffers;
use crate::error::{Error, Result};

/// How fast the first moments forget.
pub const BETA1: f32 = 0.9;
/// How fast the second moments forget.
pub const BETA2: f32 = 0.98;
/// What keeps the step finite.
pub const EPS: f32 = 1e-8;

/// How much an update changes.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// What gradients are multiplied with first.
    pub scale: f32,
    /// The learning rate.
    pub rate: f64,
    /// Weight decay, times the rate.
    pub decay: f64,
    /// The global norm that gradients are then cut to.
    pub clip: f64,
}

/// Names and shapes of what is trained.
pub type Shapes = [(String, Vec<usize>)];

/// The optimiser's state; buffers are in the order of the shapes it was made for.
#[derive(Debug, Clone)]
pub struct AdamW {
    /// First moments.
    pub first: Buffers,
    /// Second moments.
    pub second: Buffers,
    /// Updates made so far.
    pub updates: u64,
}

/// A zero for every weight.
pub fn zeros(shapes: &Shapes) -> Buffers {
    shapes.iter().map(|(_, shape)| vec![0.0; shape.iter().product()]).collect()
}

impl AdamW {
    /// The state before the first update.
    pub fn new(shapes: &Shapes) -> Self {
        Self { first: zeros(shapes), second: zeros(shapes), updates: 0 }
    }

    /// One update; returns the norm of the scaled gradients before it was cut. Tensors are worked on in parallel, sums within one in order: the same bits
    /// on any number of threads.
    pub fn step(
        &mut self,
        shapes: &Shapes,
        weights: &mut Buffers,
        grads: &Buffers,
        Change { scale, rate, decay, clip }: Change,
    ) -> Result<f64> {
        let squares =
            |grads: &Vec<f32>| grads.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>();
        let each: Vec<f64> = grads.par_iter().map(squares).collect();
        let norm = f64::from(scale) * each.iter().sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(Error::new("a gradient is not a number"));
        }
        let scale = if norm > clip { scale * (clip / norm) as f32 } else { scale };
        self.updates += 1;
        let rate = rate as f32;
        let updates = self.updates.min(1 << 24) as i32;
        let fix1 = 1.0 - BETA1.powi(updates);
        let fix2 = 1.0 - BETA2.powi(updates);
        let moments = self.first.par_iter_mut().zip(self.second.par_iter_mut());
        let tensors = weights.par_iter_mut().zip(grads).zip(moments).zip(shapes);
        tensors.for_each(|(((weights, grads), (first, second)), (_, shape))| {
            // Norm gains are not decayed: shrinking a gain towards zero is not regularisation.
            let decay = if shape.len() > 1 { rate * decay as f32 } else { 0.0 };
            update(weights, grads, [first, second], [scale, decay, rate, fix1, fix2]);
        });
        Ok(norm)
    }
}

kernel! {
/// One update of a tensor: `m` and `v` are its moments, `fix1` and `fix2` put right that both began
/// at zero.
#[inline(always)]
fn update<'a>(
    weights: &'a mut [f32],
    grads: &'a [f32],
    moments: [&'a mut Vec<f32>; 2],
    factors: [f32; 5],
) -> () {
    let [m, v] = moments;
    let [scale, decay, rate, fix1, fix2] = factors;
    for ((w, g), (m, v)) in weights.iter_mut().zip(grads).zip(m.iter_mut().zip(v.iter_mut())) {
        let g = g * scale;
        *m = BETA1 * *m + (1.0 - BETA1) * g;
        *v = BETA2 * *v + (1.0 - BETA2) * g * g;
        *w -= decay * *w + rate * (*m / fix1) / ((*v / fix2).sqrt() + EPS);
    }
}
}

#[cfg(test)]
#[path = "adamw_tests.rs"]
mod tests;
