//! `config.json` of a Llama-family model, in Hugging Face's fields.

use candle_transformers::models::llama::LlamaConfig;
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// The shape of a decoder. Fields that change the arithmetic are honoured or refused by name, never
/// ignored.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the SwiGLU layer.
    pub intermediate: usize,
    /// Number of tokens.
    pub vocab: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Longest context in tokens.
    pub context: usize,
    /// Base of the rotary embedding.
    pub rope_theta: f32,
    /// Added to the variance by RMS norm.
    pub norm_eps: f64,
    /// Whether the output head is the embedding.
    pub tied: bool,
}

impl Config {
    /// A fresh small model: heads of 32, SwiGLU 8/3 of the width rounded up to 32, tied embeddings.
    pub fn small(layers: usize, hidden: usize, vocab: usize) -> Result<Self> {
        let config = Self {
            hidden,
            // More is refused below.
            intermediate: (hidden.min(1 << 20) * 8 / 3).next_multiple_of(32),
            vocab,
            layers,
            heads: hidden / 32,
            kv_heads: hidden / 32,
            context: 2048,
            rope_theta: 10_000.0,
            norm_eps: 1e-5,
            tied: true,
        };
        config.check()?;
        Ok(config)
    }

    /// Bytes that the keys and values of so many tokens take.
    pub fn kept(&self, tokens: usize) -> u64 {
        (tokens as u64).saturating_mul((8 * self.layers * self.kv_heads * self.head_dim()) as u64)
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

    /// Width of one head.
    pub fn head_dim(&self) -> usize {
        self.hidden / self.heads
    }

    /// Cosine and sine of the rotary embedding: `head_dim / 2` pairs for each position.
    pub fn angles(&self, positions: &[u32]) -> Vec<(f32, f32)> {
        let half = self.head_dim() / 2;
        let frequency =
            |i: usize| f64::from(self.rope_theta).powf(-2.0 * i as f64 / self.head_dim() as f64);
        let frequencies: Vec<f64> = (0..half).map(frequency).collect();
        let angle = |position: &u32| {
            let position = f64::from(*position);
            let turns = frequencies.iter().map(move |f| (position * f).sin_cos());
            turns.map(|(sin, cos)| (cos as f32, sin as f32)).collect::<Vec<_>>()
        };
        positions.iter().flat_map(angle).collect()
    }

    /// Reads `config.json`.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let bad = |what: String| Error::new(format!("config.json: {what}"));
        let raw: Value = serde_json::from_slice(text).map_err(|e| bad(e.to_string()))?;
        for field in ["rope_scaling", "sliding_window", "quantization_config"] {
            if raw.get(field).is_some_and(|value| !value.is_null()) {
                return Err(bad(format!("`{field}` is not supported"))
                    .hint("use a plain Llama-family model without it"));
            }
        }
        for field in ["attention_bias", "mlp_bias"] {
            if raw.get(field).is_some_and(|value| value == true) {
                return Err(bad(format!("`{field}: true` is not supported")));
            }
        }
        if let Some(act) =
            raw.get("hidden_act").and_then(Value::as_str).filter(|act| *act != "silu")
        {
            return Err(bad(format!("`hidden_act: {act}` is not supported; only silu is")));
        }
        let llama: LlamaConfig =
            serde_json::from_value(raw.clone()).map_err(|e| bad(e.to_string()))?;
        let config = Self {
            hidden: llama.hidden_size,
            intermediate: llama.intermediate_size,
            vocab: llama.vocab_size,
            layers: llama.num_hidden_layers,
            heads: llama.num_attention_heads,
            kv_heads: llama.num_key_value_heads(),
            context: llama.max_position_embeddings,
            rope_theta: llama.rope_theta,
            norm_eps: llama.rms_norm_eps,
            tied: llama.tie_word_embeddings.unwrap_or(false),
        };
        config.check()?;
        let head_dim = raw.get("head_dim").and_then(Value::as_u64);
        if head_dim.is_some_and(|dim| dim != config.head_dim() as u64) {
            return Err(bad(
                "`head_dim` other than hidden_size / num_attention_heads is not supported".into(),
            ));
        }
        Ok(config)
    }

    pub(super) fn check(&self) -> Result<()> {
        let sane = (1..=1 << 16).contains(&self.hidden)
            && (1..=1 << 18).contains(&self.intermediate)
            && (1..=1 << 20).contains(&self.vocab)
            && (1..=512).contains(&self.layers)
            && (1..=1 << 20).contains(&self.context);
        // Refused as sizes are: with them every score is no number, or positions mean nothing.
        let bad = |what: String| Err(Error::new(format!("config.json: {what}")));
        if !(self.norm_eps.is_finite() && self.norm_eps > 0.0 && self.norm_eps <= 0.1) {
            return bad(format!(
                "`rms_norm_eps` of {} is not above 0 and at most 0.1",
                self.norm_eps
            ));
        }
        if !(self.rope_theta.is_finite() && (1.0..=1e12).contains(&self.rope_theta)) {
            return bad(format!("`rope_theta` of {} is not between 1 and 1e12", self.rope_theta));
        }
        let heads = self.heads > 0
            && self.kv_heads > 0
            && self.hidden.is_multiple_of(self.heads)
            && self.heads.is_multiple_of(self.kv_heads)
            && self.head_dim().is_multiple_of(2);
        if sane && heads {
            return Ok(());
        }
        Err(Error::new(format!("config.json: sizes that fit no decoder: {self:?}"))
            .hint("hidden_size must be a multiple of the heads, the heads of the key-value heads"))
    }

    /// The same as `config.json` that transformers reads.
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
            "head_dim": self.head_dim(),
            "max_position_embeddings": self.context,
            "rope_theta": self.rope_theta,
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

    /// Name and shape of every tensor, as Hugging Face names them.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let h = self.hidden;
        let kv = self.kv_heads * self.head_dim();
        let mut all = vec![("model.embed_tokens.weight".to_string(), vec![self.vocab, h])];
        for layer in 0..self.layers {
            let mut push = |name: &str, shape: &[usize]| {
                all.push((format!("model.layers.{layer}.{name}.weight"), shape.to_vec()));
            };
            push("input_layernorm", &[h]);
            push("self_attn.q_proj", &[h, h]);
            push("self_attn.k_proj", &[kv, h]);
            push("self_attn.v_proj", &[kv, h]);
            push("self_attn.o_proj", &[h, h]);
            push("post_attention_layernorm", &[h]);
            push("mlp.gate_proj", &[self.intermediate, h]);
            push("mlp.up_proj", &[self.intermediate, h]);
            push("mlp.down_proj", &[h, self.intermediate]);
        }
        all.push(("model.norm.weight".to_string(), vec![h]));
        if !self.tied {
            all.push(("lm_head.weight".to_string(), vec![self.vocab, h]));
        }
        all
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
