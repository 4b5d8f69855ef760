//! Another place for the training step: candle's tensors, its autograd and its devices, a GPU among them.
//!
//! What a batch costs and its gradients are computed there ([`Loaded`]); the optimiser, the weights and all
//! that is kept stay here, so that a run's checkpoints, its resumption and what is measured of it are those
//! of every run. On candle's CPU device it is what our own step is tested against.

mod network;
mod step;

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use candle_core::Tensor;
use candle_core::utils::{cuda_is_available, metal_is_available};
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::params::Buffers;
use crate::error::{Error, Result};
pub(super) use step::Loaded;

/// Which device of candle, by its number where there may be several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Place {
    /// candle's own on this processor.
    Cpu,
    /// A GPU of NVIDIA's.
    Cuda(usize),
    /// A GPU of Apple's.
    Metal(usize),
}

impl Place {
    /// The best that this build can use.
    pub fn best() -> Self {
        match (cuda_is_available(), metal_is_available()) {
            (true, _) => Self::Cuda(0),
            (_, true) => Self::Metal(0),
            _ => Self::Cpu,
        }
    }

    /// Those that this build can use, in words.
    pub fn in_this_build() -> String {
        let absent = |name: &str| {
            format!("{name}: not in this build (cargo build --release --features {name})")
        };
        let there = |has: bool, name: &str| if has { name.to_string() } else { absent(name) };
        format!(
            "cpu; {}; {}",
            there(cuda_is_available(), "cuda"),
            there(metal_is_available(), "metal")
        )
    }

    /// Whether it computes in this machine's memory, where it can be asked how much is free.
    pub fn is_here(self) -> bool {
        self == Self::Cpu
    }

    /// Opens it.
    ///
    /// # Errors
    /// Where this build cannot use such a device, or there is none.
    pub fn open(self) -> Result<Device> {
        let opened =
            match self {
                Self::Cpu => Ok(candle_core::Device::Cpu),
                Self::Cuda(at) => built(cuda_is_available(), "cuda")
                    .map(|()| candle_core::Device::new_cuda(at))?,
                Self::Metal(at) => built(metal_is_available(), "metal")
                    .map(|()| candle_core::Device::new_metal(at))?,
            };
        let candle = opened.map_err(|e| {
            Error::new(format!("device {self}: {e}"))
                .hint("--device cpu computes here; --engine here does it faster")
        })?;
        Ok(Device { place: self, candle, frozen: OnceLock::new() })
    }
}

/// Refuses what was left out of this build.
fn built(there: bool, feature: &str) -> Result<()> {
    if there {
        return Ok(());
    }
    Err(Error::new(format!("device {feature}: this program was built without it")).hint(format!(
        "cargo build --release --features {feature} (with what candle needs for it), or --device cpu"
    )))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(at) => write!(f, "cuda:{at}"),
            Self::Metal(at) => write!(f, "metal:{at}"),
        }
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(said: &str) -> Result<Self> {
        let (name, at) = said.split_once(':').unwrap_or((said, "0"));
        // Plainly written: what is read back is what is said.
        let number =
            at.parse().ok().filter(|number: &usize| *number < 1024 && number.to_string() == at);
        match (name, number) {
            ("cpu", Some(0)) if name == said => Ok(Self::Cpu),
            ("cuda", Some(number)) => Ok(Self::Cuda(number)),
            ("metal", Some(number)) => Ok(Self::Metal(number)),
            _ => Err(Error::usage(format!("there is no device `{said}`"))
                .hint("cpu, cuda, metal, or one by its number: cuda:1")),
        }
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl TryFrom<String> for Place {
    type Error = Error;

    fn try_from(said: String) -> Result<Self> {
        said.parse()
    }
}

/// A device that is open.
#[derive(Debug)]
pub struct Device {
    place: Place,
    candle: candle_core::Device,
    /// The weights under an adapter, which do not change: taken there once.
    frozen: OnceLock<Vec<Tensor>>,
}

/// Another holder's weights may be others.
impl Clone for Device {
    fn clone(&self) -> Self {
        Self { place: self.place, candle: self.candle.clone(), frozen: OnceLock::new() }
    }
}

impl Device {
    /// Which one it is.
    pub fn place(&self) -> Place {
        self.place
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

/// Numbers that a pass of so many tokens takes on a device: what went into every layer, and what a graph of
/// one layer holds on its way back. `tests/model` holds it against what was measured.
pub(super) fn numbers(config: &Config, tokens: usize) -> usize {
    let (h, inner) = (config.hidden, config.intermediate);
    let (wide, kv) = (config.queries(), config.keys());
    let each = config.layers * h + 20 * h + 18 * wide + 14 * kv + 8 * inner;
    tokens.saturating_mul(each + (9 * config.heads).saturating_mul(tokens))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written_and_others_are_refused_by_name() {
        for place in [Place::Cpu, Place::Cuda(0), Place::Cuda(3), Place::Metal(1)] {
            assert_eq!(place.to_string().parse::<Place>().unwrap(), place);
        }
        assert_eq!("cuda".parse::<Place>().unwrap(), Place::Cuda(0));
        for odd in ["gpu", "cpu:0", "cpu:1", "cuda:", "cuda:-1", "cuda:01", "cuda:x", ""] {
            let said = odd.parse::<Place>().unwrap_err().to_string();
            assert!(said.contains(&format!("`{odd}`")), "{said}");
        }
    }

    #[test]
    fn a_device_that_is_not_in_this_build_says_how_it_comes_in() {
        if !cuda_is_available() {
            let said = Place::Cuda(0).open().unwrap_err();
            assert!(said.next_step().unwrap_or_default().contains("--features cuda"), "{said}");
        }
    }
}
