//! Another place for the training step: candle's tensors, its autograd and its devices, a GPU among them.
//!
//! What a batch costs and its gradients are computed there (`step`), and what a model answers (`resident`); the optimiser, the weights and all
//! that is kept stay here, so that a run's checkpoints, its resumption and what is measured of it are those
//! of every run. On candle's CPU device it is what our own step is tested against.

mod network;
mod resident;
mod step;

use std::sync::OnceLock;

use super::config::Config;
use super::params::Buffers;
use crate::error::{Error, Result, of_candle};
use crate::place::Place;
use candle_core::Tensor;
use candle_core::utils::{cuda_is_available, metal_is_available};
pub(super) use resident::Resident;
pub(super) use step::Loaded;

/// A device that is open.
#[derive(Debug)]
pub struct Device {
    candle: candle_core::Device,
    /// The weights under an adapter, which do not change: taken there once.
    frozen: OnceLock<Vec<Tensor>>,
}

/// Another holder's weights may be others.
impl Clone for Device {
    fn clone(&self) -> Self {
        Self { candle: self.candle.clone(), frozen: OnceLock::new() }
    }
}

impl Device {
    /// Opens one.
    ///
    /// # Errors
    /// Where this build cannot use such a device, or there is none.
    pub fn open(place: Place) -> Result<Self> {
        Self::check(place)?;
        let opened = match place {
            Place::Cpu => Ok(candle_core::Device::Cpu),
            Place::Cuda(at) => candle_core::Device::new_cuda(at),
            Place::Metal(at) => candle_core::Device::new_metal(at),
        };
        let candle = opened.map_err(|e| {
            Error::new(format!("device {place}: {}", of_candle(&e))).hint("on the processor: cpu")
        })?;
        Ok(Self { candle, frozen: OnceLock::new() })
    }

    /// Refuses one that was left out of this build.
    pub fn check(place: Place) -> Result<()> {
        let (there, feature) = match place {
            Place::Cpu => return Ok(()),
            Place::Cuda(_) => (cuda_is_available(), "cuda"),
            Place::Metal(_) => (metal_is_available(), "metal"),
        };
        if there {
            return Ok(());
        }
        Err(Error::new(format!("device {place}: this program was built without it")).hint(format!(
            "cargo build --release --features {feature} (with what candle needs for it), or take cpu \
             (a run: train --resume RUN --device cpu)"
        )))
    }

    /// Whether it computes in this machine's memory.
    pub(super) fn is_here(&self) -> bool {
        self.candle.is_cpu()
    }

    /// The best that this build can use.
    pub fn best() -> Place {
        match (cuda_is_available(), metal_is_available()) {
            (true, _) => Place::Cuda(0),
            (_, true) => Place::Metal(0),
            _ => Place::Cpu,
        }
    }

    /// Those that this build can use and this machine has, in words; each is opened for it.
    pub fn in_this_build() -> String {
        let gpus = [
            (cuda_is_available(), "cuda", Place::Cuda(0)),
            (metal_is_available(), "metal", Place::Metal(0)),
        ];
        let gpus = gpus.map(|(has, name, place)| match has.then(|| Self::open(place)) {
            None => format!("{name}: not in this build (cargo build --release --features {name})"),
            Some(Ok(_)) => name.to_string(),
            Some(Err(error)) => {
                format!("{name}: in this build, and cannot be used ({})", error.message())
            }
        });
        format!("cpu; {}", gpus.join("; "))
    }

    /// The weights under an adapter.
    fn frozen(&self, config: &Config, weights: &Buffers) -> Result<&[Tensor]> {
        if let Some(there) = self.frozen.get() {
            return Ok(there);
        }
        let taken = config.tensors().into_iter().zip(weights).map(|((_, shape), data)| {
            Ok(Tensor::from_slice(data, shape.as_slice(), &self.candle)?)
        });
        let taken = taken.collect::<Result<Vec<_>>>()?;
        Ok(self.frozen.get_or_init(|| taken))
    }
}

/// Numbers that a pass of so many tokens takes on a device, of trees of at most `tree` of them: what went
/// into every layer, and what a graph of one layer holds on its way back.
pub(super) fn numbers(config: &Config, tokens: usize, tree: usize) -> usize {
    let (h, inner) = (config.hidden, config.intermediate);
    let (wide, kv) = (config.queries(), config.keys());
    let each = config.layers * h + 36 * h + 32 * wide + 24 * kv + 14 * inner;
    tokens.saturating_mul(each + (15 * config.heads).saturating_mul(tokens.min(tree)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_in_this_build_says_how_it_comes_in() {
        if !cuda_is_available() {
            let said = Device::open(Place::Cuda(0)).unwrap_err();
            assert!(said.next_step().unwrap_or_default().contains("--features cuda"), "{said}");
        }
    }
}
