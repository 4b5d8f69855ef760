//! `AdamW` with decoupled weight decay, f32 throughout.

use rayon::prelude::*;

use super::kernels::kernel;
use super::step::Buffers;
use crate::error::{Error, Result};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.98;
const EPS: f32 = 1e-8;
const DECAY: f32 = 0.01;

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

    /// One update by `scale` times the gradients, whose global norm is then cut to `clip`; returns the norm before.
    /// Tensors are worked on in parallel, sums within one in order: the same bits on any number of threads.
    pub fn step(
        &mut self,
        shapes: &Shapes,
        weights: &mut Buffers,
        grads: &Buffers,
        scale: f32,
        rate: f64,
        clip: f64,
    ) -> Result<f64> {
        let squares = |grads: &Vec<f32>| grads.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>();
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
            let decay = if shape.len() > 1 { rate * DECAY } else { 0.0 };
            update(weights, grads, [first, second], [scale, decay, rate, fix1, fix2]);
        });
        Ok(norm)
    }
}

kernel! {
/// One update of a tensor: `m` and `v` are its moments, `fix1` and `fix2` put right that both began at zero.
#[inline(always)]
fn update<'a>(weights: &'a mut [f32], grads: &'a [f32], moments: [&'a mut Vec<f32>; 2], factors: [f32; 5]) -> () {
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
mod tests {
    use super::*;

    /// The update of one weight in f64, as the paper writes it (Loshchilov and Hutter, 2019, algorithm 2).
    fn by_hand(mut w: f64, grads: &[f64], rate: f64, decay: f64) -> f64 {
        let mut m = 0.0;
        let mut v = 0.0;
        for (t, g) in grads.iter().enumerate() {
            let n = t as i32 + 1;
            m = 0.9 * m + 0.1 * g;
            v = 0.98 * v + 0.02 * g * g;
            let m = m / (1.0 - 0.9f64.powi(n));
            let v = v / (1.0 - 0.98f64.powi(n));
            w -= rate * decay * w + rate * m / (v.sqrt() + 1e-8);
        }
        w
    }

    #[test]
    fn updates_are_those_computed_by_hand() {
        let shapes = [("matrix".to_string(), vec![1, 2]), ("gain".to_string(), vec![2])];
        let mut weights = vec![vec![0.5, -1.5], vec![1.0, 2.0]];
        let mut optimiser = AdamW::new(&shapes);
        let grads = [[0.3, -0.2, 0.1, 0.05], [0.1, 0.4, -0.2, 0.3], [-0.5, 0.2, 0.0, 0.1]];
        for row in grads {
            // Gradients are summed over 4 targets: the scale makes the mean of them.
            let summed = vec![vec![4.0 * row[0], 4.0 * row[1]], vec![4.0 * row[2], 4.0 * row[3]]];
            let norm = optimiser.step(&shapes, &mut weights, &summed, 0.25, 1e-2, 10.0).unwrap();
            let want = row.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt();
            assert!((norm - want).abs() < 1e-6, "the norm before clipping: {norm} {want}");
        }
        let start = [0.5, -1.5, 1.0, 2.0];
        for (i, weight) in weights.concat().into_iter().enumerate() {
            let own: Vec<f64> = grads.iter().map(|row| f64::from(row[i])).collect();
            // Weight decay of 0.01 for matrices, none for gains.
            let want = by_hand(start[i], &own, 1e-2, if i < 2 { 0.01 } else { 0.0 });
            assert!((f64::from(weight) - want).abs() < 2e-6, "weight {i}: {weight} {want}");
        }
        assert_eq!(optimiser.updates, 3);
    }

    #[test]
    fn a_gradient_over_the_limit_is_cut_to_it_as_a_whole() {
        let shapes = [("a".to_string(), vec![1]), ("b".to_string(), vec![1])];
        let step = |grads: [f32; 2], clip: f64| {
            let mut optimiser = AdamW::new(&shapes);
            let mut weights = vec![vec![0.0], vec![0.0]];
            let norm = optimiser.step(&shapes, &mut weights, &grads.map(|g| vec![g]).to_vec(), 1.0, 1e-2, clip).unwrap();
            (norm, optimiser.first.concat())
        };
        let (norm, first) = step([30.0, -40.0], 1.0);
        assert!((norm - 50.0).abs() < 1e-9, "what is reported is the norm before");
        let (_, scaled) = step([0.6, -0.8], 100.0);
        assert!(first.iter().zip(&scaled).all(|(a, b)| (a - b).abs() < 1e-7), "{first:?} {scaled:?}");
        let bad = AdamW::new(&shapes).step(&shapes, &mut vec![vec![0.0]; 2], &vec![vec![f32::NAN]; 2], 1.0, 1.0, 1.0);
        assert!(bad.is_err());
    }
}
