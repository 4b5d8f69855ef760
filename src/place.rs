//! By what a model is computed: the kernels here, or a device of candle, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

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
    /// Whether a word begins as a device's name does.
    pub fn is_like(word: &str) -> bool {
        ["cpu", "cuda", "metal"].iter().any(|name| word.to_ascii_lowercase().starts_with(name))
    }
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

/// By what a model is computed at inference: what is written behind its name, `+bf16` or `+cuda:1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Computing {
    /// The kernels here, in f32.
    #[default]
    F32,
    /// The same with the operands of products rounded to bf16.
    Bf16,
    /// A device of candle, in f32.
    On(Place),
}

impl Computing {
    /// A model's name alone, and by what it is computed.
    pub fn of(name: &str) -> (&str, Self) {
        let Some((alone, how)) = name.rsplit_once('+') else { return (name, Self::F32) };
        match how.parse() {
            _ if how == "bf16" => (alone, Self::Bf16),
            Ok(place) => (alone, Self::On(place)),
            Err(_) => (name, Self::F32),
        }
    }
}

impl std::fmt::Display for Computing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::F32 => Ok(()),
            Self::Bf16 => f.write_str("+bf16"),
            Self::On(place) => write!(f, "+{place}"),
        }
    }
}

/// Between the name of a mind behind an endpoint and that of the model whose tokens it is given.
pub const IN_TOKENS: &str = " in tokens of ";

/// The name of a model alone, whatever it is computed by: here, or by a mind that is given its tokens.
pub fn model_alone(name: &str) -> &str {
    Computing::of(name.rsplit_once(IN_TOKENS).map_or(name, |(_, of)| of)).0
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
}
