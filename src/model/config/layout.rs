//! The tensors of a decoder: which a layer has, in which order, under which names.

use super::Config;

/// A tensor of a layer. The first nine are those of every Llama.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Slot {
    /// The norm before attention, `[hidden]`.
    InputNorm,
    /// Queries, `[heads · dim, hidden]`.
    Q,
    /// Keys, `[kv_heads · dim, hidden]`.
    K,
    /// Values, as keys.
    V,
    /// From what was mixed back to the stream, `[hidden, heads · dim]`.
    O,
    /// The norm before the gated half, `[hidden]`.
    PostNorm,
    /// `[intermediate, hidden]`.
    Gate,
    /// `[intermediate, hidden]`.
    Up,
    /// `[hidden, intermediate]`.
    Down,
    /// Added to queries.
    QBias,
    /// Added to keys.
    KBias,
    /// Added to values.
    VBias,
    /// Added to what [`Slot::O`] gives.
    OBias,
    /// Added to the gate.
    GateBias,
    /// Added to what goes through it.
    UpBias,
    /// Added to what [`Slot::Down`] gives.
    DownBias,
    /// The norm of each head's queries before they are turned, `[dim]`.
    QNorm,
    /// That of keys.
    KNorm,
    /// The norm after attention (Gemma), `[hidden]`.
    MixedNorm,
    /// The norm after the gated half (Gemma), `[hidden]`.
    GatedNorm,
}

/// How many kinds of slots there are.
const KINDS: usize = 20;

/// Where the tensors of each layer stand among those of [`Config::tensors`].
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Tensors a layer.
    stride: usize,
    at: [Option<usize>; KINDS],
}

impl Layout {
    /// That of a decoder.
    pub fn of(config: &Config) -> Self {
        let slots = config.slots();
        let mut at = [None; KINDS];
        for (i, (slot, ..)) in slots.iter().enumerate() {
            at[*slot as usize] = Some(i);
        }
        Self { stride: slots.len(), at }
    }

    /// The index of a tensor that every layer has.
    pub fn at(&self, layer: usize, slot: Slot) -> usize {
        1 + layer * self.stride + self.at[slot as usize].unwrap_or_default()
    }

    /// The index of a tensor, if layers have it.
    pub fn find(&self, layer: usize, slot: Slot) -> Option<usize> {
        self.at[slot as usize].map(|at| 1 + layer * self.stride + at)
    }

    /// The index of the norm after the last of `layers`.
    pub fn norm(&self, layers: usize) -> usize {
        1 + layers * self.stride
    }
}

impl Config {
    /// The tensors of a layer: slot, name without the layer's, shape.
    pub fn slots(&self) -> Vec<(Slot, &'static str, Vec<usize>)> {
        let (h, inner) = (self.hidden, self.intermediate);
        let (q, kv) = (self.queries(), self.keys());
        let gemma = self.is_gemma();
        let before_gated = if gemma {
            "pre_feedforward_layernorm.weight"
        } else {
            "post_attention_layernorm.weight"
        };
        let mut slots = vec![
            (Slot::InputNorm, "input_layernorm.weight", vec![h]),
            (Slot::Q, "self_attn.q_proj.weight", vec![q, h]),
            (Slot::K, "self_attn.k_proj.weight", vec![kv, h]),
            (Slot::V, "self_attn.v_proj.weight", vec![kv, h]),
            (Slot::O, "self_attn.o_proj.weight", vec![h, q]),
            (Slot::PostNorm, before_gated, vec![h]),
            (Slot::Gate, "mlp.gate_proj.weight", vec![inner, h]),
            (Slot::Up, "mlp.up_proj.weight", vec![inner, h]),
            (Slot::Down, "mlp.down_proj.weight", vec![h, inner]),
        ];
        if self.biases.qkv {
            slots.push((Slot::QBias, "self_attn.q_proj.bias", vec![q]));
            slots.push((Slot::KBias, "self_attn.k_proj.bias", vec![kv]));
            slots.push((Slot::VBias, "self_attn.v_proj.bias", vec![kv]));
        }
        if self.biases.o {
            slots.push((Slot::OBias, "self_attn.o_proj.bias", vec![h]));
        }
        if self.biases.mlp {
            slots.push((Slot::GateBias, "mlp.gate_proj.bias", vec![inner]));
            slots.push((Slot::UpBias, "mlp.up_proj.bias", vec![inner]));
            slots.push((Slot::DownBias, "mlp.down_proj.bias", vec![h]));
        }
        if self.head_norms {
            slots.push((Slot::QNorm, "self_attn.q_norm.weight", vec![self.head_dim]));
            slots.push((Slot::KNorm, "self_attn.k_norm.weight", vec![self.head_dim]));
        }
        if gemma {
            slots.push((Slot::MixedNorm, "post_attention_layernorm.weight", vec![h]));
            slots.push((Slot::GatedNorm, "post_feedforward_layernorm.weight", vec![h]));
        }
        slots
    }

    /// Name and shape of every tensor, as Hugging Face names them: the embedding, each layer's, the
    /// last norm, and the head where it is not the embedding.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let h = self.hidden;
        let mut all = vec![("model.embed_tokens.weight".to_string(), vec![self.vocab, h])];
        let slots = self.slots();
        for layer in 0..self.layers {
            let named = |(_, name, shape): &(Slot, &str, Vec<usize>)| {
                (format!("model.layers.{layer}.{name}"), shape.clone())
            };
            all.extend(slots.iter().map(named));
        }
        all.push(("model.norm.weight".to_string(), vec![h]));
        if !self.tied {
            all.push(("lm_head.weight".to_string(), vec![self.vocab, h]));
        }
        all
    }
}
