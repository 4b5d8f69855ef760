//! Low-rank adapters (Hu et al., 2021) with the names, files and starting values of PEFT.
//!
//! A linear layer `W` acts as `W + α/r · B·A` with `A` of shape `[r, in]` and `B` of shape `[out,
//! r]`; only they are trained. `B` starts at zero, so a fresh adapter changes nothing.

mod peft;

use serde_json::json;

use super::config::Config;
use super::files::serialize;
use super::kernels::mul_nn;
use super::params::Buffers;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// The linear layers of a block that an adapter may stand beside.
pub const LINEARS: [&str; 7] =
    ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/// A linear layer of a block.
struct Linear {
    /// Its place among the model's tensors.
    tensor: usize,
    /// Its name there, without `.weight`.
    layer: String,
    out: usize,
    inner: usize,
}

/// The layers of these names in every block, in the order of the model's tensors.
fn linears(config: &Config, targets: &[&str]) -> impl Iterator<Item = Linear> {
    let ends: Vec<String> = targets.iter().map(|target| format!(".{target}")).collect();
    config.tensors().into_iter().enumerate().filter_map(move |(tensor, (name, shape))| {
        let layer = name.strip_suffix(".weight")?.to_string();
        let &[out, inner] = shape.as_slice() else { return None };
        let wanted = ends.iter().any(|end| layer.ends_with(end));
        wanted.then_some(Linear { tensor, layer, out, inner })
    })
}

/// PEFT's name of one side (`A` or `B`) of the pair beside a layer.
fn side(layer: &str, of: &str) -> String {
    format!("base_model.model.{layer}.lora_{of}.weight")
}

/// An adapter for some linear layers of every block.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// The rank `r`.
    pub rank: usize,
    /// The numerator `α` of the scale.
    pub alpha: f64,
    /// `A` and `B` of each adapted layer in turn.
    pub weights: Buffers,
    /// The adapted tensors by their index among the model's.
    tensors: Vec<usize>,
    shapes: Vec<(String, Vec<usize>)>,
}

impl Adapter {
    /// A fresh adapter beside the named linear layers ([`LINEARS`]) of every block.
    pub fn new(
        config: &Config,
        rank: usize,
        alpha: f64,
        targets: &[&str],
        seed: u64,
    ) -> Result<Self> {
        if rank == 0 || rank > config.hidden {
            return Err(Error::new(format!(
                "a rank of {rank} is not between 1 and the model's width {}",
                config.hidden
            )));
        }
        if let Some(odd) = targets.iter().find(|name| !LINEARS.contains(name)) {
            return Err(Error::new(format!("there is no linear layer `{odd}`"))
                .hint(format!("layers: {}", LINEARS.join(", "))));
        }
        let mut rng = Rng::stream(seed, "adapter");
        let mut weights = Buffers::new();
        let mut tensors = Vec::new();
        let mut shapes = Vec::new();
        for Linear { tensor, layer, out, inner } in linears(config, targets) {
            let bound = 1.0 / (inner as f64).sqrt(); // Kaiming-uniform with a = √5, as PEFT
            weights.push(
                (0..rank * inner).map(|_| (bound * (2.0 * rng.unit() - 1.0)) as f32).collect(),
            );
            weights.push(vec![0.0; out * rank]);
            shapes.push((side(&layer, "A"), vec![rank, inner]));
            shapes.push((side(&layer, "B"), vec![out, rank]));
            tensors.push(tensor);
        }
        Ok(Self { rank, alpha, weights, tensors, shapes })
    }

    /// PEFT's name and the shape of every trained tensor, in the order of [`Self::weights`].
    pub fn shapes(&self) -> &[(String, Vec<usize>)] {
        &self.shapes
    }

    /// What `B·A` is multiplied with.
    pub fn scale(&self) -> f32 {
        (self.alpha / self.rank as f64) as f32
    }

    /// Where the pair beside a tensor of the model stands in [`Self::weights`].
    pub fn pair(&self, tensor: usize) -> Option<usize> {
        self.tensors.binary_search(&tensor).ok().map(|at| 2 * at)
    }

    /// Adds what stands beside a tensor to it: the pair at `at`, `scale · B · A`.
    pub fn add(&self, at: usize, weights: &mut [f32]) {
        let scaled: Vec<f32> = self.weights[at + 1].iter().map(|b| self.scale() * b).collect();
        mul_nn(weights, &scaled, &self.weights[at], self.rank, true);
    }

    /// Adds the adapter to a model's weights: what it then does without the adapter is what it did
    /// with it.
    pub fn merge(&self, weights: &mut Buffers) {
        for tensor in &self.tensors {
            if let Some(at) = self.pair(*tensor) {
                self.add(at, &mut weights[*tensor]);
            }
        }
    }

    /// `adapter_config.json` and `adapter_model.safetensors`; `base` names the model that it stands
    /// beside.
    pub fn to_peft(&self, base: &str) -> Result<(Vec<u8>, Vec<u8>)> {
        let adapted = |layer: &&&str| {
            self.shapes.iter().any(|(name, _)| name.contains(&format!(".{layer}.")))
        };
        let targets: Vec<&&str> = LINEARS.iter().filter(adapted).collect();
        let config = json!({
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base,
            "r": self.rank, "lora_alpha": self.alpha, "lora_dropout": 0.0, "bias": "none",
            "target_modules": targets, "fan_in_fan_out": false, "init_lora_weights": true,
            "inference_mode": true,
        });
        let tensors: Vec<_> = self
            .shapes
            .iter()
            .zip(&self.weights)
            .map(|((name, shape), data)| (name.clone(), data.clone(), shape.clone()))
            .collect();
        Ok((config.to_string().into_bytes(), serialize(&tensors, false)?))
    }
}
