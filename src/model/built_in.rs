//! The models inside the binary. `assets/README.md` has how each was made, and what it can do.

use super::weights::{ModelFiles, Stored};
use crate::place::Computing;

/// A model that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// Made on the household's training games.
    Household,
    /// The same as it was early in its training: the start for watching one learn.
    Novice,
    /// Made on ALFWorld's training games.
    Alfworld,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Household, Self::Novice, Self::Alfworld];

    /// What it goes by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Household => "embedded",
            Self::Novice => "novice",
            Self::Alfworld => "embedded-alfworld",
        }
    }

    /// The one that goes by a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.name() == name)
    }

    /// The one that answers where a suite is played and nobody is named.
    pub fn of_suite(suite: &str) -> Self {
        Self::ALL.into_iter().find(|model| model.suite() == suite).unwrap_or(Self::Household)
    }

    /// The suite on whose training games it was made, but for the usual held-out share of
    /// instances.
    pub fn suite(self) -> &'static str {
        match self {
            Self::Household | Self::Novice => "household",
            Self::Alfworld => "alfworld",
        }
    }

    /// Its files.
    pub fn files(self) -> ModelFiles {
        let (config, tensors, tokenizer): (&[u8], &[u8], &[u8]) = match self {
            Self::Household => (
                include_bytes!("../../assets/model/config.json"),
                include_bytes!("../../assets/model/model.safetensors"),
                include_bytes!("../../assets/model/tokenizer.json"),
            ),
            Self::Novice => (
                include_bytes!("../../assets/model/config.json"),
                include_bytes!("../../assets/model/novice.safetensors"),
                include_bytes!("../../assets/model/tokenizer.json"),
            ),
            Self::Alfworld => (
                include_bytes!("../../assets/alfworld/config.json"),
                include_bytes!("../../assets/alfworld/model.safetensors"),
                include_bytes!("../../assets/alfworld/tokenizer.json"),
            ),
        };
        ModelFiles {
            config: config.to_vec(),
            tensors: Stored::Memory(tensors.into()),
            tokenizer: tokenizer.to_vec(),
            beside: Vec::new(),
            by: Computing::F32,
        }
    }
}
