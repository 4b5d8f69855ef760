//! `AdamW` with decoupled weight decay, f32 throughout.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};

use crate::error::{Error, Result};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.98;
const EPS: f32 = 1e-8;
const DECAY: f32 = 0.01;

/// First and second moments of one tensor.
#[derive(Debug, Clone)]
struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

/// The optimiser's state.
#[derive(Debug, Clone, Default)]
pub struct AdamW {
    moments: BTreeMap<String, Moments>,
    /// Updates made so far.
    pub updates: u64,
}

/// Gradients by tensor name, flattened.
pub type Gradients = BTreeMap<String, Vec<f32>>;

impl AdamW {
    /// One update. Gradients are scaled so that their global norm is at most `clip`; returns the norm before.
    pub fn step(&mut self, vars: &BTreeMap<String, Var>, grads: &Gradients, rate: f64, clip: f64) -> Result<f64> {
        let norm = grads.values().flatten().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(Error::new("a gradient is not a number").hint("lower the learning rate; the last checkpoint is whole"));
        }
        let scale = if norm > clip { (clip / norm) as f32 } else { 1.0 };
        self.updates += 1;
        let (rate, updates) = (rate as f32, self.updates.min(1 << 24) as i32);
        let (fix1, fix2) = (1.0 - BETA1.powi(updates), 1.0 - BETA2.powi(updates));
        for (name, grad) in grads {
            let var = vars.get(name).ok_or_else(|| Error::new(format!("a gradient for the unknown tensor `{name}`")))?;
            let mut weights: Vec<f32> = var.as_tensor().flatten_all()?.to_vec1()?;
            let zero = || Moments { first: vec![0.0; grad.len()], second: vec![0.0; grad.len()] };
            let state = self.moments.entry(name.clone()).or_insert_with(zero);
            // Norm weights are not decayed: shrinking a gain towards zero is not regularisation.
            let decay = if var.as_tensor().rank() > 1 { rate * DECAY } else { 0.0 };
            let moments = state.first.iter_mut().zip(state.second.iter_mut());
            for ((w, g), (m, v)) in weights.iter_mut().zip(grad).zip(moments) {
                let g = g * scale;
                *m = BETA1 * *m + (1.0 - BETA1) * g;
                *v = BETA2 * *v + (1.0 - BETA2) * g * g;
                *w -= decay * *w + rate * (*m / fix1) / ((*v / fix2).sqrt() + EPS);
            }
            var.set(&Tensor::from_vec(weights, var.as_tensor().shape(), &Device::Cpu)?)?;
        }
        Ok(norm)
    }

    /// The moments as tensors, to be kept with a checkpoint.
    pub fn tensors(&self) -> Vec<(String, Vec<f32>)> {
        let each = |(name, m): (&String, &Moments)| {
            [(format!("{name}.first"), m.first.clone()), (format!("{name}.second"), m.second.clone())]
        };
        self.moments.iter().flat_map(each).collect()
    }

    /// The optimiser as it was when [`AdamW::tensors`] was taken.
    pub fn restore(updates: u64, mut tensors: BTreeMap<String, Vec<f32>>) -> Result<Self> {
        let mut moments = BTreeMap::new();
        let names: Vec<String> = tensors.keys().filter_map(|n| n.strip_suffix(".first").map(str::to_string)).collect();
        for name in names {
            let taken = (tensors.remove(&format!("{name}.first")), tensors.remove(&format!("{name}.second")));
            let (Some(first), Some(second)) = taken else {
                return Err(Error::new(format!("the optimiser's state of `{name}` is incomplete")));
            };
            moments.insert(name, Moments { first, second });
        }
        Ok(Self { moments, updates })
    }
}
