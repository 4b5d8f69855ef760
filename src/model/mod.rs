//! The language model: a Llama-family decoder over token trees, its weights, tokenizer, sampler and
//! optimiser.
//!
//! Knows nothing of agents. Forward and backward passes are our own; candle's autograd
//! ([`mod@device`]) is what they are tested against.

pub mod adamw;
mod at_hand;
mod attend;
pub mod away;
pub mod beside;
mod built_in;
pub mod cache;
pub mod calling;
pub mod config;
pub mod decode;
pub mod decoder;
pub mod device;
pub mod encodings;
pub mod files;
pub mod folder;
pub mod gguf;
pub mod kernels;
pub mod lora;
pub mod matrix;
pub mod memory;
pub mod pack;
pub mod packed;
pub mod params;
pub mod parts;
pub mod prompt;
mod python_json;
pub mod said;
pub mod sampler;
pub mod score;
pub mod step;
pub mod team;
pub mod template;
pub mod tokenizer;
pub mod tree;
pub mod trie;
pub mod vetting;
pub mod weights;
pub mod workspace;

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
pub use built_in::BuiltIn;
use decoder::Decoder;
use tokenizer::Tokenizer;

/// A loaded model with the tokenizer it was trained with.
#[derive(Debug, Clone)]
pub struct Model {
    /// The network.
    pub decoder: Arc<Decoder>,
    /// Text to tokens and back.
    pub tokenizer: Arc<Tokenizer>,
    /// Where it came from, for screens and records ("embedded", a path).
    pub source: String,
}

impl Model {
    /// The model inside the binary that knows the household.
    pub fn embedded() -> Result<Self> {
        let model = BuiltIn::Household;
        model.files().build(model.name())
    }

    /// A model folder in Hugging Face's layout (`config.json`, `model.safetensors` or shards,
    /// `tokenizer.json`), or a `.gguf` file with a `tokenizer.json` beside it.
    pub fn load(folder: &Path) -> Result<Self> {
        weights::ModelFiles::read(folder)?.build(&folder.display().to_string())
    }
}
