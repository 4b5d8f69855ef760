//! The shape of a decoder: of the Llama family, and of those that differ from it by little.
//!
//! `read` takes it from `config.json`, `model::gguf` from a GGUF file; what changes the arithmetic
//! is honoured or refused by name, never ignored.

mod fields;
mod layout;
mod read;
mod rope;

use serde_json::{Value, json};

use crate::error::{Error, Result};
pub use layout::{Layout, Slot};
pub use rope::{Rope, Scaling};

/// Whose decoder it is, as `model_type` in `config.json` and `general.architecture` in GGUF call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama 1 to 3, SmolLM2, and what calls itself so.
    Llama,
    /// Mistral 7B.
    Mistral,
    /// Qwen2 and 2.5: queries, keys and values have biases.
    Qwen2,
    /// Qwen3: a norm on each head's queries and keys.
    Qwen3,
    /// SmolLM3: some layers without positions.
    SmolLm3,
    /// Granite 3: four multipliers.
    Granite,
    /// Gemma 3 (text): four norms a layer, two rotary embeddings, windows; for inference.
    Gemma3,
}

/// Which linear layers add something to what they give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Biases {
    /// Those of queries, keys and values.
    pub qkv: bool,
    /// The one after attention.
    pub o: bool,
    /// Those of the gated half.
    pub mlp: bool,
}

/// What stands before parts of the arithmetic; 1 changes nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scales {
    /// Embedded tokens are multiplied by it.
    pub embedding: f32,
    /// Scores of attention are; none is `1 / √head_dim`.
    pub attention: Option<f32>,
    /// What each half of a layer adds to the stream is.
    pub residual: f32,
    /// Logits are.
    pub logits: f32,
}

impl Default for Scales {
    fn default() -> Self {
        Self { embedding: 1.0, attention: None, residual: 1.0, logits: 1.0 }
    }
}

/// What the attention of one layer sees, and how it knows positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attends {
    /// Which of [`Config::ropes`]; none leaves positions out (NoPE).
    pub rope: Option<usize>,
    /// A token sees itself and so many less one before it along its path; none sees all.
    pub window: Option<usize>,
}

/// The shape of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Whose it is.
    pub family: Family,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the gated layer.
    pub intermediate: usize,
    /// Number of tokens.
    pub vocab: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head; even.
    pub head_dim: usize,
    /// Longest context in tokens.
    pub context: usize,
    /// Rotary embeddings.
    pub ropes: Vec<Rope>,
    /// What each layer's attention does, a layer each.
    pub attends: Vec<Attends>,
    /// Added to the variance by RMS norm.
    pub norm_eps: f64,
    /// Whether the output head is the embedding.
    pub tied: bool,
    /// What is added.
    pub biases: Biases,
    /// Whether each head's queries and keys are normed before they are turned.
    pub head_norms: bool,
    /// What is multiplied.
    pub scales: Scales,
}

impl Config {
    /// A fresh small model: heads of 32, SwiGLU 8/3 of the width rounded up to 32, tied embeddings.
    pub fn small(layers: usize, hidden: usize, vocab: usize) -> Result<Self> {
        let config = Self {
            family: Family::Llama,
            hidden,
            // More is refused below.
            intermediate: (hidden.min(1 << 20) * 8 / 3).next_multiple_of(32),
            vocab,
            layers,
            heads: hidden / 32,
            kv_heads: hidden / 32,
            head_dim: 32,
            context: 2048,
            ropes: vec![Rope::plain(10_000.0)],
            attends: vec![Attends { rope: Some(0), window: None }; layers.min(MOST_LAYERS)],
            norm_eps: 1e-5,
            tied: true,
            biases: Biases::default(),
            head_norms: false,
            scales: Scales::default(),
        };
        config.check()?;
        Ok(config)
    }

    /// Width of a row of queries.
    pub fn queries(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of a row of keys, and of values.
    pub fn keys(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// What scores of attention are multiplied by.
    pub fn attention_scale(&self) -> f32 {
        self.scales.attention.unwrap_or_else(|| 1.0 / (self.head_dim as f32).sqrt())
    }

    /// Whether it is built as Gemma 3 is: four norms a layer whose gains stand less 1 in the file,
    /// GELU in place of SiLU.
    pub fn is_gemma(&self) -> bool {
        self.family == Family::Gemma3
    }

    /// An error for what can only be asked, not trained.
    pub fn trains(&self) -> Result<()> {
        if self.is_gemma() {
            return Err(Error::new("a Gemma 3 is for inference here").hint(
                "train a Llama, SmolLM2, SmolLM3, Qwen2, Qwen3, Mistral or Granite; a Gemma can be \
                 the reflector",
            ));
        }
        Ok(())
    }

    /// Bytes that the keys and values of so many tokens take.
    pub fn kept(&self, tokens: usize) -> u64 {
        (tokens as u64).saturating_mul((8 * self.layers * self.keys()) as u64)
    }

    /// How many numbers the weights are.
    pub fn parameters(&self) -> u64 {
        self.sizes().sum()
    }

    /// How many numbers the largest tensor has.
    pub fn largest(&self) -> u64 {
        self.sizes().max().unwrap_or_default()
    }

    fn sizes(&self) -> impl Iterator<Item = u64> {
        self.tensors().into_iter().map(|(_, shape)| shape.iter().map(|side| *side as u64).product())
    }

    /// Cosine and sine of each rotary embedding: `head_dim / 2` pairs for each position.
    pub fn angles(&self, positions: &[u32]) -> Vec<Vec<(f32, f32)>> {
        self.ropes.iter().map(|rope| rope.angles(self.head_dim, positions)).collect()
    }

    /// Reads `config.json`.
    pub fn parse(text: &[u8]) -> Result<Self> {
        read::parse(text).map_err(|error| {
            error
                .at("config.json")
                .hint("correct config.json, or use another model: docs/minds.md says which are run")
        })
    }

    pub(super) fn check(&self) -> Result<()> {
        let sane = (1..=1 << 16).contains(&self.hidden)
            && (1..=1 << 18).contains(&self.intermediate)
            && (1..=1 << 20).contains(&self.vocab)
            && (1..=MOST_LAYERS).contains(&self.layers)
            && self.attends.len() == self.layers
            && (1..=1 << 20).contains(&self.context);
        // Refused as sizes are: with them every score is no number, or positions mean nothing.
        let bad = |what: String| Err(Error::new(what));
        if !(self.norm_eps.is_finite() && self.norm_eps > 0.0 && self.norm_eps <= 0.1) {
            return bad(format!(
                "`rms_norm_eps` of {} is not above 0 and at most 0.1",
                self.norm_eps
            ));
        }
        for rope in &self.ropes {
            if !(rope.theta.is_finite() && (1.0..=1e12).contains(&rope.theta)) {
                return bad(format!("`rope_theta` of {} is not between 1 and 1e12", rope.theta));
            }
            if rope.frequencies(2).iter().any(|f| !f.is_finite()) {
                return bad(format!("rotary frequencies that are no numbers: {:?}", rope.scaling));
            }
        }
        let Scales { embedding, attention, residual, logits } = self.scales;
        let fine = |scale: f32| scale.is_finite() && scale > 0.0 && scale < 1e6;
        if ![embedding, attention.unwrap_or(1.0), residual, logits].into_iter().all(fine) {
            return bad(format!("multipliers that fit no decoder: {:?}", self.scales));
        }
        let heads = (1..=1 << 12).contains(&self.heads)
            && self.kv_heads > 0
            && (2..=1 << 12).contains(&self.head_dim)
            && self.heads.is_multiple_of(self.kv_heads)
            && self.head_dim.is_multiple_of(2);
        if sane && heads {
            return Ok(());
        }
        Err(Error::new(format!("sizes that fit no decoder: {self:?}"))
            .hint("hidden_size must be a multiple of the heads, the heads of the key-value heads"))
    }

    /// The same as `config.json` that transformers reads: of a model that was made here
    /// ([`Self::small`]); of others what was read is written again.
    pub fn to_json(&self, end: u32) -> Value {
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "vocab_size": self.vocab,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": self.context,
            "rope_theta": self.ropes.first().map(|rope| rope.theta),
            "rms_norm_eps": self.norm_eps,
            "tie_word_embeddings": self.tied,
            "hidden_act": "silu",
            "attention_bias": false,
            "mlp_bias": false,
            "bos_token_id": null,
            "eos_token_id": end,
            "torch_dtype": "float32"
        })
    }
}

/// More layers than any model of these families has.
pub(super) const MOST_LAYERS: usize = 512;

#[cfg(test)]
mod tests;
